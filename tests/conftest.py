"""Shared by all tests: the data folder beside the checkout, and every instruction set for the oracle tests."""

import os
from pathlib import Path

import pytest

from apochromat.native import built_isas
from apochromat.native.isa import machine_isas

SHARED = Path(__file__).parents[2] / "shared"


def isas_to_test():
    """All that the machine has, or the one built (`APO_ISA=native`); only the best one when kernels are compiled on the fly."""
    built = built_isas()[-1:] if os.environ.get("APO_KERNELS") == "jit" else built_isas()
    assert len(built) == 1 or built == machine_isas(), f"expected kernels for one or all of {machine_isas()}, found {built}"
    return built


def pytest_generate_tests(metafunc):
    """A test with `oracle` in its name compares a kernel with its oracle: it runs on each instruction set."""
    if "oracle" in metafunc.function.__name__ or "isa" in metafunc.fixturenames:
        if "isa" not in metafunc.fixturenames:
            metafunc.fixturenames.append("isa")
        metafunc.parametrize("isa", isas_to_test(), indirect=True)


@pytest.fixture
def isa(request, monkeypatch):
    """Force one instruction set for this test."""
    monkeypatch.setenv("APO_ISA", request.param)
    return request.param


@pytest.fixture(scope="session")
def tested_isas():
    """Names of the instruction sets to test, weakest first."""
    return isas_to_test()


@pytest.fixture(scope="session")
def shared():
    """The folder of real data beside the checkout; tests that use it skip where it is absent."""
    if not (SHARED / "data").is_dir():
        pytest.skip("no real data beside the checkout")
    return SHARED
