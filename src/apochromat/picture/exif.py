"""EXIF of a finished picture (CIPA DC-008): the shot's time, exposure, place, lens and people kept; all that would be stale left out.

Orientation is always 1, since pixels are turned upright; thumbnails, maker notes and the camera's own software name are not carried on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from apochromat import __version__
from apochromat.raw.tags import Tag
from apochromat.raw.tiff_writer import ASCII, BYTE, LONG, RATIONAL, SHORT, UNDEFINED, Directory, tiff_bytes

TEXT_LIMIT, GPS_LIMIT = 2000, 200  # bytes a value; a segment of a JPEG holds 64 kB in all
GPS_TAGS = range(32)
GPS_NUMBERS = {5: BYTE, 30: SHORT}  # GPS tags whose number is not a rational: AltitudeRef, Differential
GPS_VERSION = (BYTE, bytes((2, 3, 0, 0)))

Entry = tuple[int, Any]  # field type and value, as Directory.fields holds them


def text(value: Any, limit: int = TEXT_LIMIT) -> Entry:
    """UTF-8 (which EXIF readers take for ASCII where it is), without control characters."""
    printable = "".join(c for c in str(value) if c.isprintable()).strip()
    return ASCII, printable.encode(errors="replace")[:limit].decode(errors="ignore")


def rational(*values: Any) -> Entry:
    """Numbers from 0 up; ValueError if EXIF cannot hold one."""
    if not all(math.isfinite(value) and 0 <= value < 2**32 for value in values):
        raise ValueError(f"expected numbers from 0 to 4e9, found {values}")
    return RATIONAL, values


def short(value: Any) -> Entry:
    """A whole number 0..65535, larger ones saturated as EXIF asks for ISO speeds."""
    return SHORT, [min(max(round(value), 0), 65535)]


# Key of RawFrame.metadata -> tag and the form in which it is written.
Table = Mapping[str, tuple[int, Callable[[Any], Entry]]]
MAIN: Table = {
    "description": (0x010E, text),
    "make": (0x010F, text),
    "model": (0x0110, text),
    "datetime": (0x0132, text),
    "artist": (0x013B, text),
    "copyright": (0x8298, text),
}
SHOT: Table = {
    "exposure_s": (0x829A, rational),
    "f_number": (0x829D, rational),
    "iso": (0x8827, short),
    "datetime": (0x9003, text),
    "offset_time": (0x9011, text),
    "subsec": (0x9291, text),
    "focal_mm": (0x920A, rational),
    "serial": (0xA431, text),
    "lens_make": (0xA433, text),
    "lens": (0xA434, text),
    "focal_35_mm": (0xA405, short),
}


class Exif:
    """The directories of one picture.

    metadata: as RawFrame.metadata; shape: (H, W, ...) of the pixels as written; space: the rendition's colour space. A value that
    EXIF cannot hold is left out.
    """

    def __init__(self, metadata: Mapping[str, Any], shape: tuple[int, ...], space: str) -> None:
        own = {Tag.Orientation: short(1), 0x011A: rational(72), 0x011B: rational(72), 0x0128: short(2), 0x0213: short(1)}
        shot = {0x9000: (UNDEFINED, b"0232"), 0x9101: (UNDEFINED, b"\1\2\3\0"), 0xA000: (UNDEFINED, b"0100")}
        picture = {0xA001: short(1 if space == "srgb" else 0xFFFF), 0xA002: (LONG, [shape[1]]), 0xA003: (LONG, [shape[0]])}
        self.main = {**own, Tag.Software: text(f"apochromat {__version__}"), **_taken(metadata, MAIN)}
        self.shot = {**shot, **picture, **_taken(metadata, SHOT)}
        self.place = _place(metadata.get("gps") or {})

    def tiff(self, tags: Mapping[int, Entry] | None = None, without: tuple[int, ...] = ()) -> bytes:
        """The directories as a TIFF without pixels, which is how every format embeds EXIF; `tags` join the first one."""
        fields = {tag: entry for tag, entry in {**self.main, **(tags or {})}.items() if tag not in without}
        children: dict[int, list[Directory]] = {Tag.ExifIFD: [Directory(self.shot)]}
        if self.place:
            children[Tag.GPSInfo] = [Directory(self.place)]
        return b"".join(tiff_bytes(Directory(fields, children)))


def _taken(metadata: Mapping[str, Any], table: Table) -> dict[int, Entry]:
    """The tags of `table` that the metadata has a usable value for."""
    tags = {}
    for key, (tag, form) in table.items():
        value = metadata.get(key)
        if value is None or value == "":
            continue
        try:
            tags[tag] = form(value)
        except (TypeError, ValueError, OverflowError):
            continue
    return tags


def _place(gps: Mapping[int, Any]) -> dict[int, Entry]:
    """The GPS directory, {} where nothing in it is usable."""
    tags = {}
    for tag in gps.keys() & set(GPS_TAGS):
        try:
            tags[tag] = _gps_entry(tag, gps[tag])
        except (TypeError, ValueError, OverflowError):
            continue
    return {0: GPS_VERSION, **tags} if tags else {}


def _gps_entry(tag: int, value: Any) -> Entry:
    if isinstance(value, str):
        return text(value, GPS_LIMIT)
    if isinstance(value, bytes):
        return BYTE if tag in (0, 5) else UNDEFINED, value[:GPS_LIMIT]
    if tag in GPS_NUMBERS:
        return (BYTE, bytes((int(value),))) if GPS_NUMBERS[tag] == BYTE else short(value)
    return rational(*(value if isinstance(value, tuple) else (value,)))
