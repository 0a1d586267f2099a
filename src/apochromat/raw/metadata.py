"""What the camera wrote about the shot, as a dict of plain values (`RawFrame.metadata`).

| key | value |
| --- | --- |
| make, model | str: maker and model |
| lens_make, lens | str |
| datetime | str "YYYY:MM:DD HH:MM:SS", the camera's clock when the picture was taken |
| subsec | str: digits after the second's decimal point |
| offset_time | str "+HH:MM": the clock's distance from UTC |
| exposure_s, f_number, iso | float |
| focal_mm, focal_35_mm | float: focal length, and its equivalent for 24 x 36 mm |
| software, artist, copyright, description | str |
| serial | str: the camera body's number |
| composite | dict: of merged pictures, how many frames were "given" and "used" |
| gps | dict: EXIF GPS tag number -> str, bytes (BYTE and UNDEFINED), float or tuple of floats |

A key is missing where the file does not say.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from apochromat.raw.errors import RawError
from apochromat.raw.merged import read_composite
from apochromat.raw.tags import Tag
from apochromat.raw.tiff import Ifd, read_directory

TEXTS = {
    "make": Tag.Make,
    "model": Tag.Model,
    "lens_make": Tag.LensMake,
    "lens": Tag.LensModel,
    "datetime": Tag.DateTimeOriginal,
    "subsec": Tag.SubSecTimeOriginal,
    "offset_time": Tag.OffsetTimeOriginal,
    "software": Tag.Software,
    "artist": Tag.Artist,
    "copyright": Tag.Copyright,
    "description": Tag.ImageDescription,
    "serial": Tag.BodySerialNumber,
}
NUMBERS = {
    "exposure_s": Tag.ExposureTime,
    "f_number": Tag.FNumber,
    "iso": Tag.ISOSpeedRatings,
    "focal_mm": Tag.FocalLength,
    "focal_35_mm": Tag.FocalLengthIn35mmFilm,
}


def from_directories(*ifds: Ifd) -> dict[str, Any]:
    """Metadata of directories that may hold it, the first one that knows a key winning; their EXIF and GPS directories are followed.

    A damaged EXIF directory costs its own keys only: a picture is worth more than its date.
    """
    found: dict[str, Any] = {}
    for ifd in [*ifds, *(_follow(ifd, Tag.ExifIFD) for ifd in ifds)]:
        if ifd is not None:
            found = {**_texts(ifd), **_numbers(ifd), **found}
            if composite := read_composite(ifd):
                found.setdefault("composite", composite)
    gps = next((g for g in (_follow(ifd, Tag.GPSInfo) for ifd in ifds) if g is not None), None)
    if gps is not None:
        found["gps"] = gps_values(gps)
    if "datetime" not in found and (date := _first_text(ifds, Tag.DateTime)):
        found["datetime"] = date
    return found


def gps_values(gps: Ifd) -> dict[int, Any]:
    """Every readable entry of a GPS directory by its tag number."""
    values: dict[int, Any] = {}
    for tag, entry in gps.fields.items():
        try:
            if entry.type == 2:
                values[tag] = gps.text(tag)
            elif entry.type in (1, 7):
                values[tag] = bytes(gps.bytes(tag))
            else:
                numbers = gps.numbers(tag)
                if numbers is not None and 0 < len(numbers) <= 16 and np.all(np.isfinite(numbers)):
                    values[tag] = float(numbers[0]) if len(numbers) == 1 else tuple(numbers.tolist())
        except RawError:
            continue
    return values


def _follow(ifd: Ifd, pointer: Tag) -> Ifd | None:
    try:
        return read_directory(ifd.data, ifd.order, ifd.integer(pointer, 0)) if pointer in ifd else None
    except RawError:
        return None


def _first_text(ifds: tuple[Ifd, ...], tag: Tag) -> str:
    return next((text for text in (_text(ifd, tag) for ifd in ifds) if text), "")


def _text(ifd: Ifd, tag: Tag) -> str:
    try:
        return ifd.text(tag) if tag in ifd and ifd.fields[tag].type in (1, 2, 7) else ""
    except RawError:
        return ""


def _texts(ifd: Ifd) -> dict[str, str]:
    return {key: text for key, tag in TEXTS.items() if (text := _text(ifd, tag))}


def _numbers(ifd: Ifd) -> dict[str, float]:
    """Positive finite numbers; the exposure time from its APEX value where that is all there is."""
    found = {}
    for key, tag in NUMBERS.items():
        if (value := _number(ifd, tag)) > 0:
            found[key] = value
    if "exposure_s" not in found and Tag.ShutterSpeedValue in ifd:
        apex = _number(ifd, Tag.ShutterSpeedValue)
        if -20 < apex < 30:
            found["exposure_s"] = 2.0**-apex
    return found


def _number(ifd: Ifd, tag: Tag) -> float:
    """The first value of a tag, NaN where it cannot be read."""
    try:
        return ifd.number(tag, np.nan)
    except RawError:
        return math.nan
