"""RAW files in and out: `read(path)` gives a RawFrame, `write_dng(frame, path)` writes one, `describe(frame)` says what is in it.

`read_isolated` reads in a child process with limits: for files nobody vouches for.
"""

from apochromat.raw.describe import describe
from apochromat.raw.dng_writer import write_dng
from apochromat.raw.errors import DamagedError, DecodeError, NotRawError, RawError, UnsupportedError
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
