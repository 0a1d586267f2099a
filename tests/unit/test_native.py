"""Which instruction set is used, and what is said where the one asked for is not there."""

import pytest

from apochromat import native
from apochromat.native import KernelError, chosen_isa


@pytest.fixture
def installed(monkeypatch):
    """An installation on a processor with AVX2 at best; call it with what was built."""
    monkeypatch.delenv("APO_KERNELS", raising=False)
    monkeypatch.setattr(native, "machine_isas", lambda: ["sse41", "avx2"])

    def build(*isas):
        monkeypatch.setattr(native, "_module", lambda isa: isa in isas or None)

    return build


@pytest.mark.parametrize(
    ("built", "forced", "chosen"),
    [
        (["sse41", "avx2", "avx512"], "", "avx2"),
        (["sse41", "avx2", "avx512"], "native", "avx2"),
        (["sse41", "avx2", "avx512"], "sse41", "sse41"),
        (["sse41"], "", "sse41"),
    ],
)
def test_best_of_what_is_there(installed, monkeypatch, built, forced, chosen):
    installed(*built)
    monkeypatch.setenv("APO_ISA", forced)
    assert chosen_isa() == chosen


@pytest.mark.parametrize(
    ("built", "forced", "message"),
    [
        (["avx2"], "sse41", "APO_ISA=sse41 is not built into this installation, which has avx2"),
        (["sse41", "avx2", "avx512"], "avx512", "APO_ISA=avx512 is not supported by this processor, which has sse41, avx2"),
        (["avx2"], "avx3", "APO_ISA must be one of sse41, avx2, avx512, found 'avx3'"),
        (["avx512"], "", "no compiled kernels for this processor"),
        ([], "avx2", "which has none"),
    ],
)
def test_what_is_not_there_is_named(installed, monkeypatch, built, forced, message):
    installed(*built)
    monkeypatch.setenv("APO_ISA", forced)
    with pytest.raises(KernelError, match=message):
        chosen_isa()
