"""Work done in a process of its own, so that the memory it took is given back: compiled code and what the allocator keeps stay behind.

The child gets a function's module and name and its arguments on stdin, and answers on stdout: how far it is, then the result or the error.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

CHILD = "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); from apochromat.optics.apart import serve; serve()"
LEAN = {"MALLOC_ARENA_MAX": "1"}  # one heap for all threads (glibc): what one gives back, the others use
ARENA_MAX, MMAP_THRESHOLD, TRIM_THRESHOLD = -8, -3, -1  # of glibc's mallopt
GIVEN_BACK, KEPT = 16 << 20, 128 << 20  # bytes: blocks so large are given back at once; of smaller ones' room so much is kept


def done_apart(function: Callable[..., Any], *arguments: Any, told: Callable[[float], None]) -> Any:
    """What a module's function returns for arguments that can be pickled, done in a process of its own.

    The function takes one argument more, the last: a callable that it tells which part (0..1) of its work is done. Raises what it raises,
    RuntimeError where the process ends without an answer.
    """
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | LEAN)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        for message in (sys.path, (function.__module__, function.__name__, arguments)):
            pickle.dump(message, child.stdin, pickle.HIGHEST_PROTOCOL)
        child.stdin.close()
        while True:
            kind, value = pickle.load(child.stdout)
            if kind == "result":
                return value
            if kind == "error":
                raise value
            told(value)
    except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
        raise RuntimeError(f"expected an answer of the process that works out {function.__name__}, found that it ended") from error
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


def keep_lean() -> None:
    """Have this process give memory back as it is freed, where its allocator (glibc's) can: for our own programs, before they work."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(ARENA_MAX, 1)
    mallopt(MMAP_THRESHOLD, GIVEN_BACK)
    mallopt(TRIM_THRESHOLD, KEPT)


def serve() -> None:
    """The child's side: one call, its answer, the end. On Ctrl-C it leaves the word to its parent, which ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    module, name, arguments = pickle.load(sys.stdin.buffer)

    def answer(kind: str, value: Any) -> None:
        pickle.dump((kind, value), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()

    from apochromat.optics.precision import compile_quickly

    compile_quickly()
    try:
        answer("result", getattr(import_module(module), name)(*arguments, lambda part: answer("part", part)))
    except Exception as error:
        answer("error", error)
