"""The instruction sets kernels are built for, as Halide targets, and which of them this processor runs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

TARGETS = {
    "sse41": "x86-64-linux-sse41",
    "avx2": "x86-64-linux-sse41-avx-avx2-fma-f16c",
    "avx512": "x86-64-linux-sse41-avx-avx2-fma-f16c-avx512-avx512_skylake",
}
NEEDS = {"sse41": {"sse4_1"}, "avx2": {"avx2", "fma", "f16c"}, "avx512": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512cd"}}


def machine_isas() -> list[str]:
    """Instruction sets this processor runs, weakest first."""
    return [isa for isa, need in NEEDS.items() if need <= _flags()]


@cache
def _flags() -> frozenset[str]:
    return frozenset(Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split())
