"""The child process: the same frame, and whatever happens to the child, one sentence in the parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from dng_samples import pixel_like

from apochromat import raw
from apochromat.raw import isolate, reading
from apochromat.raw.errors import DamagedError, DecodeError, NotRawError
from apochromat.raw.facts import plain


def children():
    """Process numbers of this process's children, living or not yet reaped."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


@pytest.fixture
def phone_file(tmp_path):
    return raw.write_dng(pixel_like(), tmp_path / "a.dng")


def test_the_frame_is_the_same_and_its_arrays_are_ours_to_write(phone_file):
    apart, here = isolate.read_isolated(phone_file), reading.read(phone_file)
    np.testing.assert_array_equal(apart.samples, here.samples)
    assert plain(apart) == plain(here)
    assert apart.samples.flags.aligned
    apart.samples[0, 0] = 1
    assert apart.samples[0, 0] == 1


def test_errors_come_back_as_they_are(tmp_path, phone_file):
    cut = tmp_path / "cut.dng"
    cut.write_bytes(phone_file.read_bytes()[:-5000])
    with pytest.raises(DamagedError, match=r"cut\.dng: expected pixel data up to byte"):
        isolate.read_isolated(cut)
    with pytest.raises(NotRawError, match="No such file"):
        isolate.read_isolated(tmp_path / "none.dng")


@pytest.mark.parametrize(
    ("misfortune", "words"),
    [
        (lambda path: os.kill(os.getpid(), signal.SIGSEGV), r"a\.dng: expected a picture, found that the decoder crashed \(SIGSEGV\)"),
        (lambda path: os._exit(3), "gave up without an answer"),
        (lambda path: time.sleep(30), "took longer than 0.5 s"),
        (lambda path: np.ones(300 << 20, np.uint8), "decodes within 200 MiB"),
        (lambda path: [][1], "IndexError"),
    ],
)
def test_a_decoder_that_fails_costs_one_sentence(misfortune, words, phone_file, monkeypatch):
    monkeypatch.setattr(reading, "read", misfortune)
    began, before = time.monotonic(), children()
    with pytest.raises(DecodeError, match=words):
        isolate.read_isolated(phone_file, timeout_s=0.5, memory_bytes=200 << 20)
    assert time.monotonic() - began < 5
    assert children() == before


def test_an_interruption_leaves_no_child_behind(phone_file, monkeypatch):
    monkeypatch.setattr(reading, "read", lambda path: time.sleep(30))
    before = children()

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(isolate, "time", type("Clock", (), {"sleep": staticmethod(interrupt), "monotonic": staticmethod(time.monotonic)}))
    with pytest.raises(KeyboardInterrupt):
        isolate.read_isolated(phone_file)
    assert children() == before


def test_many_frames_leave_no_open_files(phone_file):
    before = len(os.listdir("/proc/self/fd"))
    frames = [isolate.read_isolated(phone_file) for _ in range(5)]
    del frames
    assert len(os.listdir("/proc/self/fd")) <= before


def test_importing_raw_loads_no_decoder_and_nothing_heavy():
    code = "import sys; from apochromat.raw import read, read_isolated, describe, write_dng; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"rawpy", "imagecodecs", "tifffile", "jax", "scipy", "colour", "pydantic"}
