"""RAW files in and out: `read(path)` gives a RawFrame, `write_dng(frame, path)` writes one, `describe(frame)` says what is in it.

`read_isolated` reads in a child process with limits: for files nobody vouches for. Names load when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apochromat.raw.dng_writer import write_dng
    from apochromat.raw.errors import DamagedError, DecodeError, NotRawError, RawError, UnsupportedError
    from apochromat.raw.facts import describe
    from apochromat.raw.isolate import read_isolated
    from apochromat.raw.reading import read

__all__ = [
    "DamagedError",
    "DecodeError",
    "NotRawError",
    "RawError",
    "UnsupportedError",
    "describe",
    "read",
    "read_isolated",
    "write_dng",
]
_HOMES = {"describe": "facts", "write_dng": "dng_writer", "read_isolated": "isolate", "read": "reading"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = found
    return found
