"""RAW files decoded in a child process: a file that crashes, hangs or bloats the decoder costs that file only.

The child is forked, so it starts with everything imported (5 ms, against 150 ms for a fresh interpreter), under a memory and a time
limit. It writes the frame into anonymous shared memory, which the parent maps without a copy. This guards against accidents and
careless damage; the child keeps the user's rights and is no sandbox.

Do not call LibRaw in this process before: OpenMP's threads do not survive a fork. Whoever uses `read_isolated` uses nothing else.
"""

from __future__ import annotations

import faulthandler
import mmap
import os
import pickle
import resource
import signal
import struct
import time
import warnings
from pathlib import Path
from typing import NoReturn

from apochromat.light.raw_frame import RawFrame
from apochromat.raw import reading
from apochromat.raw.errors import DecodeError, RawError, naming

MEMORY_BYTES = 1536 << 20  # on top of what this process already holds; a 300 MP frame of 16 bits fits
TIMEOUT_S = 20.0
ALIGNMENT = 64
POLL_S = 0.002


def read_isolated(path: str | Path, *, timeout_s: float = TIMEOUT_S, memory_bytes: int = MEMORY_BYTES) -> RawFrame:
    """As `read`, with the decoder in a child process of its own; raises DecodeError where it crashes or passes a limit."""
    path = Path(path)
    reading.load_decoder(path)
    shared = os.memfd_create("apochromat-raw", os.MFD_CLOEXEC)
    try:
        with warnings.catch_warnings():  # Python 3.12 warns of threads at a fork; the child runs the decoder and nothing of theirs
            warnings.simplefilter("ignore", DeprecationWarning)
            signals = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is this process's business, not the child's
            child = os.fork()
        if child == 0:
            _decode_and_exit(path, shared, timeout_s, memory_bytes)
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
        with naming(path):
            _await(child, timeout_s)
            answer = _receive(shared)
    finally:
        os.close(shared)
    if isinstance(answer, RawError):
        raise answer
    return answer


def _decode_and_exit(path: Path, shared: int, timeout_s: float, memory_bytes: int) -> NoReturn:
    """The child: read the file within limits, leave the frame or the error in shared memory, and end without any clean-up."""
    status = 1
    try:
        _limit(timeout_s, memory_bytes)
        _send(_attempt(path, memory_bytes), shared)
        status = 0
    finally:
        os._exit(status)


def _limit(timeout_s: float, memory_bytes: int) -> None:
    """Bound memory and processor time; LibRaw's and libjpeg's remarks go nowhere."""
    held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    seconds = (int(timeout_s) + 1) * (os.cpu_count() or 1)  # outlives the parent by no more than this
    for what, limit in ((resource.RLIMIT_DATA, held + memory_bytes), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(what)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (limit, limit))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.disable()
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)


def _attempt(path: Path, memory_bytes: int) -> RawFrame | RawError:
    try:
        return reading.read(path)
    except RawError as error:
        return error
    except MemoryError:
        return DecodeError(f"{path}: expected a file that decodes within {memory_bytes >> 20} MiB, found one that needs more")
    except Exception as error:
        return DecodeError(f"{path}: expected a sound RAW file, found one the decoder failed on ({type(error).__name__}: {error})")


def _send(answer: RawFrame | RawError, shared: int) -> None:
    """Arrays first, each aligned, then the pickled rest, then the sizes of all and their number."""
    arrays: list[pickle.PickleBuffer] = []
    head = pickle.dumps(answer, protocol=5, buffer_callback=arrays.append)
    parts = [array.raw() for array in arrays] + [memoryview(head)]
    sizes = [part.nbytes for part in parts]
    for part in parts:
        _write(shared, part)
        _write(shared, memoryview(bytes(-part.nbytes % ALIGNMENT)))
    _write(shared, memoryview(struct.pack(f"<{len(sizes)}QQ", *sizes, len(sizes))))


def _write(file: int, data: memoryview) -> None:
    while data.nbytes:
        data = data[os.write(file, data) :]


def _await(child: int, timeout_s: float) -> None:
    """Wait for the child to end well; whatever else happens, it is gone afterwards."""
    status = None
    try:
        status = _status(child, time.monotonic() + timeout_s)
    finally:
        if status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if status is None:
        raise DecodeError(f"expected a picture, found that the decoder took longer than {timeout_s:g} s")
    if os.WIFSIGNALED(status):
        raise DecodeError(f"expected a picture, found that the decoder crashed ({signal.Signals(os.WTERMSIG(status)).name})")
    if status:
        raise DecodeError("expected a picture, found that the decoder gave up without an answer")


def _status(child: int, deadline: float) -> int | None:
    """The child's exit status, None where it still runs at the deadline."""
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(POLL_S)
    return None


def _receive(shared: int) -> RawFrame | RawError:
    """What the child left, its arrays backed by the shared pages themselves (private to this process when written to)."""
    memory = memoryview(mmap.mmap(shared, 0, flags=mmap.MAP_PRIVATE | mmap.MAP_POPULATE, prot=mmap.PROT_READ | mmap.PROT_WRITE))
    count = struct.unpack_from("<Q", memory, len(memory) - 8)[0]
    sizes = struct.unpack_from(f"<{count}Q", memory, len(memory) - 8 * (count + 1))
    parts, at = [], 0
    for size in sizes:
        parts.append(memory[at : at + size])
        at += size + -size % ALIGNMENT
    return pickle.loads(parts[-1], buffers=parts[:-1])
