"""Float64 for optics, switched on where it is needed and nowhere else, and compiled code kept from one process to the next."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload

import jax

TOGETHER, KNOWN_TO_HAVE_IT = "--xla_cpu_use_fusion_emitters=false", ("0.10.",)  # a flag of XLA, and versions of JAX

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def _scope() -> Iterator[None]:
    _keep_compiled()
    with jax.enable_x64(True):
        yield


@overload
def float64() -> Any: ...
@overload
def float64(function: Callable[P, R]) -> Callable[P, R]: ...


def float64(function: Callable[P, R] | None = None) -> Any:
    """JAX in float64: `with float64():` for a block, `@float64` for a function. JAX's global flag stays as it is."""
    if function is None:
        return _scope()

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with _scope():
            return function(*args, **kwargs)

    return inside


def _keep_compiled() -> None:
    """Keep compiled code in the user's cache folder, unless the user has chosen a folder or has none."""
    if jax.config.values.get("jax_compilation_cache_dir") is None and (folder := cache_folder("xla")):
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def compile_quickly() -> None:
    """Halve the time that compiling takes in this process and its children: to be called before JAX first computes.

    For our own programs, since it sets an XLA flag for all that they compute: loops that XLA has fused are then compiled together, not each
    as a module of its own, and run as fast. Only where XLA is known to have the flag, for it ends processes that name another.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if jax.__version__.startswith(KNOWN_TO_HAVE_IT) and TOGETHER.partition("=")[0] not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {TOGETHER}".strip()


def cache_folder(*parts: str) -> Path | None:
    """A place in our folder of the user's cache, its folder made, or None where none can be written."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    place = Path(base) / "apochromat" / Path(*parts)
    try:
        (place.parent if place.suffix else place).mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return place
