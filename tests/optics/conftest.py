"""Compiled code of one file's lenses is of no use to the next file's, and Linux allows a process only so many pieces of it."""

import gc

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def compiled_code_is_dropped():
    """Drop it after each file: some 65,000 memory maps end the process."""
    yield
    jax.clear_caches()
    gc.collect()
