"""The compiled image kernels: the instruction set this processor has, or the one `APO_ISA` forces.

`kernels.NAME(...)` calls the kernel NAME with NumPy arrays and scalars, all by keyword. A wheel carries one extension module per
instruction set. From a source checkout `APO_KERNELS=jit` compiles each generator of `kernels/` in memory on first use instead, so
that a changed kernel can be tried without a rebuild.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from apochromat.native.isa import TARGETS, machine_isas


class KernelError(RuntimeError):
    """A kernel refused its arguments; the message lists each one's type and shape."""


def chosen_isa() -> str:
    """The instruction set in use: `APO_ISA` if set, else the best that is both built and supported."""
    forced, here, built = os.environ.get("APO_ISA", ""), machine_isas(), built_isas()
    if forced in ("", "native"):
        if not built:
            raise KernelError("no compiled kernels for this processor: reinstall with `pip install .`, or set APO_KERNELS=jit")
        return built[-1]
    if forced not in TARGETS:
        raise KernelError(f"APO_ISA must be one of {', '.join(TARGETS)}, found {forced!r}")
    if forced not in here:
        raise KernelError(f"APO_ISA={forced} is not supported by this processor, which has {', '.join(here)}")
    if forced not in built:
        raise KernelError(f"APO_ISA={forced} is not built into this installation, which has {', '.join(built) or 'none'}")
    return forced


def built_isas() -> list[str]:
    """The instruction sets that this processor has and kernels are there for (or can be compiled for), weakest first."""
    return [isa for isa in machine_isas() if os.environ.get("APO_KERNELS") == "jit" or _module(isa)]


@cache
def _module(isa: str) -> Any:
    try:
        return importlib.import_module(f"apochromat.native._{isa}")
    except ImportError:
        return None


@cache
def _jit(name: str, isa: str) -> Any:
    """Compile generator `name` of the checkout's kernels/ folder in memory."""
    import halide as hl

    folder = str(Path(__file__).parents[3] / "kernels")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    importlib.import_module(name)
    with hl.GeneratorContext(hl.Target(TARGETS[isa])) as context:
        return hl._create_python_generator(name, context).compile_to_callable()


class Kernel:
    """One kernel; call it with arrays and scalars by keyword. Results go into the output arrays it is given."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, **arguments: Any) -> None:
        for name, value in arguments.items():
            if isinstance(value, np.ndarray) and value.ndim > 1 and value.flags.c_contiguous and value.flags.f_contiguous:
                raise KernelError(f"kernel {self.name} cannot tell the axes of {name}: {_describe(value)}; two or more must exceed 1")
        isa = chosen_isa()
        run = _jit(self.name, isa) if os.environ.get("APO_KERNELS") == "jit" else getattr(_module(isa), self.name)
        try:
            run(**arguments)
        except Exception as error:
            given = ", ".join(f"{k}: {_describe(v)}" for k, v in arguments.items())
            raise KernelError(f"kernel {self.name} refused its arguments ({given}): {error}") from error


def _describe(value: Any) -> str:
    return f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else repr(value)


class _Kernels:
    def __getattr__(self, name: str) -> Kernel:
        kernel = Kernel(name)
        setattr(self, name, kernel)
        return kernel


kernels = _Kernels()
