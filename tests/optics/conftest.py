"""Compiled code piles up from file to file, and Linux allows a process only so many pieces of it."""

import gc
from pathlib import Path

import jax
import pytest

from apochromat.optics.precision import compile_quickly

compile_quickly()
MOST_MAPS = 25_000  # memory maps; some 65,000 end the process


@pytest.fixture(autouse=True, scope="module")
def compiled_code_is_dropped():
    """Drop it after a file once there is much of it."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()
        gc.collect()
