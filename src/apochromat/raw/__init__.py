"""RAW files in and out: `read(path)` gives a RawFrame, `write_dng(frame, path)` writes one."""

from apochromat.raw.errors import DamagedError, DecodeError, NotRawError, RawError, UnsupportedError
from apochromat.raw.reading import read

__all__ = ["DamagedError", "DecodeError", "NotRawError", "RawError", "UnsupportedError", "read"]
