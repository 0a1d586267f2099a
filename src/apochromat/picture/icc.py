"""ICC profiles made from the definitions of the spaces, so that none has to be carried: version 4, matrix and parametric curve.

Layout: ICC.1:2022. White D65 is adapted to the profile connection space's D50 by the linear Bradford transform, as annex E of the
specification recommends.
"""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np

from apochromat.light.spaces import D65_XYZ, PRIMARIES, bradford, rgb_to_xyz

NAMES = {"srgb": "sRGB", "display-p3": "Display P3", "rec2020": "Rec.2020"}
PCS_WHITE = np.array([0.9642, 1.0, 0.8249])  # D50 as the profile connection space has it
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # parametric type 3: g a b c d
MADE = (2025, 1, 1, 0, 0, 0)  # one date for all, so that equal pictures are equal files


@cache
def profile(space: str, state: str, grey: bool = False) -> bytes:
    """The profile of a picture in `space` ("srgb", "display-p3", "rec2020"), encoded ("display") or "linear"; empty for camera RGB."""
    if space not in PRIMARIES:
        return b""
    curve = _curve(SRGB_CURVE if state == "display" else None)
    name = NAMES[space] + ("" if state == "display" else " linear") + (" grey" if grey else "")
    tags = {
        b"desc": _text(name),
        b"cprt": _text("No copyright, use freely"),
        b"wtpt": _xyz(PCS_WHITE),
        b"chad": b"sf32" + bytes(4) + _fixed(adaptation().ravel()),
    }
    if grey:
        tags[b"kTRC"] = curve
    else:
        columns = colorants(space).T
        tags |= {letter + b"XYZ": _xyz(column) for letter, column in zip((b"r", b"g", b"b"), columns, strict=True)}
        tags |= {letter + b"TRC": curve for letter in (b"r", b"g", b"b")}
    return _assemble(tags, b"GRAY" if grey else b"RGB ")


def colorants(space: str) -> np.ndarray:
    """(3, 3) matrix from linear RGB of `space` to XYZ D50."""
    return adaptation() @ rgb_to_xyz(space)


@cache
def adaptation() -> np.ndarray:
    """(3, 3) linear Bradford transform of XYZ from D65 to the profile connection space."""
    return bradford(D65_XYZ, PCS_WHITE)


def _fixed(values: np.ndarray) -> bytes:
    """Numbers as s15Fixed16."""
    return np.rint(np.asarray(values) * 65536).astype(">i4").tobytes()


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _curve(parameters: tuple[float, ...] | None) -> bytes:
    """A parametric curve of type 3, or the identity as type 0 with exponent 1."""
    kind = 3 if parameters else 0
    return b"para" + bytes(4) + kind.to_bytes(2, "big") + bytes(2) + _fixed(np.array(parameters or (1.0,)))


def _text(text: str) -> bytes:
    """A multiLocalizedUnicode of one English record."""
    data = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + _u32(1, 12) + b"enUS" + _u32(len(data), 28) + data


def _u32(*values: int) -> bytes:
    return b"".join(v.to_bytes(4, "big") for v in values)


def _assemble(tags: dict[bytes, bytes], model: bytes) -> bytes:
    """Head, tag table and data; equal data (the three curves) is stored once; the profile identifier is filled in last."""
    start = 128 + 4 + 12 * len(tags)
    data, places = b"", {}
    for content in tags.values():
        if content not in places:
            places[content] = start + len(data)
            data += content + bytes(-len(content) % 4)
    table = _u32(len(tags)) + b"".join(tag + _u32(places[content], len(content)) for tag, content in tags.items())
    head = _head(start + len(data), model)
    # Flags, rendering intent and the identifier itself count as zero in the identifier; the first two are zero here anyway.
    identifier = hashlib.md5(head + table + data, usedforsecurity=False).digest()
    return head[:84] + identifier + head[100:] + table + data


def _head(size: int, model: bytes) -> bytes:
    """The 128 bytes of a display profile's head, identifier zero."""
    date = b"".join(n.to_bytes(2, "big") for n in MADE)
    known = _u32(size) + bytes(4) + _u32(0x04400000) + b"mntr" + model + b"XYZ " + date + b"acsp" + bytes(28) + _fixed(PCS_WHITE)
    return known.ljust(128, b"\0")
