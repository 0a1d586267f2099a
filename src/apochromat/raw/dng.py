"""DNG files: tags to facts, samples as stored (Adobe DNG specification 1.7.1)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from apochromat.light.noise import NoiseModel
from apochromat.light.opcodes import Opcode
from apochromat.light.raw_frame import Box, Calibration, ColorProfile, Levels, RawFrame
from apochromat.raw import libraw, metadata, opcodes
from apochromat.raw.errors import DamagedError, UnsupportedError
from apochromat.raw.merged import read_frames
from apochromat.raw.segments import Layout, read_layout, read_samples
from apochromat.raw.tags import Tag
from apochromat.raw.tiff import Ifd

CFA_PHOTOMETRIC, LINEAR_RAW = 32803, 34892
BAYER = ("RGGB", "BGGR", "GRBG", "GBRG")
FULL_SIZE = 0  # NewSubfileType of the main picture


def read(path: Path, ifds: list[Ifd]) -> RawFrame:
    """The RAW frame of a DNG given its directories."""
    raw = main_picture(ifds)
    tags = _Tags(raw, ifds[0])
    layout = read_layout(raw)
    pattern = _pattern(raw, layout)
    active = _active(raw, layout)
    profile, notes = _profile(tags, 1 if not pattern and layout.planes == 1 else 3)
    noise, noise_notes = _noise(raw if Tag.NoiseProfile in raw else ifds[0], profile)
    if noise is not None:
        noise = replace(noise, frames=read_frames(raw, active.height, active.width))
    frame = RawFrame(
        samples=np.empty((0, 0), layout.dtype),
        cfa=pattern,
        levels=_levels(raw, layout, active, bool(pattern)),
        active=active,
        crop=_crop(raw, active),
        scale=_scale(raw),
        orientation=_orientation(raw, ifds[0]),
        profile=profile,
        baseline_exposure_ev=tags.number(Tag.BaselineExposure, 0.0) + tags.number(Tag.BaselineExposureOffset, 0.0),
        noise=noise,
        opcodes1=_opcodes(raw, Tag.OpcodeList1),
        opcodes2=_opcodes(raw, Tag.OpcodeList2),
        opcodes3=_opcodes(raw, Tag.OpcodeList3),
        metadata=_metadata(ifds[0], raw),
        notes=notes + noise_notes,
    )
    if pattern and pattern not in BAYER:
        return libraw.demosaiced(path, frame)
    return replace(frame, samples=read_samples(raw, layout))


def main_picture(ifds: list[Ifd]) -> Ifd:
    """The largest full-size RAW directory among the main ones and their SubIFDs."""
    pictures = [ifd for main in ifds for ifd in (main, *main.subs)]
    raws = [i for i in pictures if i.integer(Tag.PhotometricInterpretation, -1) in (CFA_PHOTOMETRIC, LINEAR_RAW)]
    full = [i for i in raws if i.integer(Tag.NewSubfileType, FULL_SIZE) == FULL_SIZE]
    if not full:
        raise UnsupportedError(f"expected a full-size RAW picture in this DNG, found {len(pictures)} pictures of other kinds")
    return max(full, key=lambda i: i.integer(Tag.ImageWidth, 0) * i.integer(Tag.ImageLength, 0))


class _Tags:
    """Look tags up in the RAW picture's directory first, then in the file's first one."""

    def __init__(self, *ifds: Ifd) -> None:
        self.ifds = ifds

    def numbers(self, tag: Tag) -> np.ndarray | None:
        return next((ifd.numbers(tag) for ifd in self.ifds if tag in ifd), None)

    def number(self, tag: Tag, default: float) -> float:
        return next((ifd.number(tag, default) for ifd in self.ifds if tag in ifd), default)

    def text(self, tag: Tag) -> str:
        return next((ifd.text(tag) for ifd in self.ifds if tag in ifd), "")

    def matrix(self, tag: Tag) -> np.ndarray | None:
        values = self.numbers(tag)
        if values is not None and len(values) not in (3, 9):
            raise UnsupportedError(f"expected 9 numbers in {tag.name} (a camera with three colours), found {len(values)}")
        return values.reshape(3, 3) if values is not None and len(values) == 9 else None


def _exactly(ifd: Ifd, tag: Tag, count: int, default: tuple[float, ...]) -> np.ndarray:
    """Exactly `count` plausible values of a tag, or its default."""
    values = ifd.numbers(tag)
    if values is None:
        return np.asarray(default, np.float64)
    if len(values) != count or not np.all(np.abs(values) < 1e9):
        raise DamagedError(f"expected {count} finite numbers in {tag.name}, found {_brief(values)}")
    return values


def _brief(values: np.ndarray) -> str:
    return ", ".join(f"{v:g}" for v in values[:6]) + (f" and {len(values) - 6} more" if len(values) > 6 else "")


def _pattern(raw: Ifd, layout: Layout) -> str:
    """The mosaic's pattern at the active area's corner, row by row ("RGGB", 36 letters for X-Trans); "" for linear or monochrome."""
    if raw.integer(Tag.PhotometricInterpretation, -1) == LINEAR_RAW:
        return ""
    if layout.planes != 1:
        raise DamagedError(f"expected one sample per pixel of a mosaic, found {layout.planes}")
    rows, cols = _exactly(raw, Tag.CFARepeatPatternDim, 2, (2, 2)).astype(int)
    codes = raw.numbers(Tag.CFAPattern)
    if codes is None or not 0 < rows * cols == len(codes):
        raise DamagedError(f"expected a CFAPattern of {rows} x {cols} colours, found {'none' if codes is None else len(codes)}")
    is_rgb = tuple(_exactly(raw, Tag.CFAPlaneColor, 3, (0, 1, 2))) == (0, 1, 2) and set(codes) <= {0, 1, 2}
    if not is_rgb or raw.integer(Tag.CFALayout, 1) != 1:
        raise UnsupportedError("expected a rectangular mosaic of red, green and blue, found other colours or a staggered layout")
    pattern = "".join("RGB"[int(code)] for code in codes)
    if pattern not in BAYER and (rows, cols) != (6, 6):
        raise UnsupportedError(f"expected a Bayer or X-Trans mosaic, found a {rows} x {cols} pattern {pattern[:36]}")
    return pattern


def _active(raw: Ifd, layout: Layout) -> Box:
    top, left, bottom, right = _exactly(raw, Tag.ActiveArea, 4, (0, 0, layout.height, layout.width)).astype(int).tolist()
    if not (0 <= top < bottom <= layout.height and 0 <= left < right <= layout.width):
        found = f"rows {top} to {bottom}, columns {left} to {right}"
        raise DamagedError(f"expected an ActiveArea inside {layout.width} x {layout.height} pixels, found {found}")
    return Box(top, left, bottom, right)


def _crop(raw: Ifd, active: Box) -> Box:
    """DefaultCrop with DefaultUserCrop inside it, to whole active-area pixels and never outside the active area."""
    x, y = _exactly(raw, Tag.DefaultCropOrigin, 2, (0, 0))
    width, height = _exactly(raw, Tag.DefaultCropSize, 2, (active.width - x, active.height - y))
    top, left, bottom, right = _exactly(raw, Tag.DefaultUserCrop, 4, (0, 0, 1, 1))
    if not (0 <= top < bottom <= 1 and 0 <= left < right <= 1):
        raise DamagedError(f"expected a DefaultUserCrop between 0 and 1, found {top:g}, {left:g}, {bottom:g}, {right:g}")
    rows = np.clip(np.rint([y + top * height, y + bottom * height]), 0, active.height).astype(int)
    cols = np.clip(np.rint([x + left * width, x + right * width]), 0, active.width).astype(int)
    if rows[0] >= rows[1] or cols[0] >= cols[1]:
        found = f"{width:g} x {height:g} at {x:g}, {y:g}"
        raise DamagedError(f"expected a DefaultCrop inside {active.width} x {active.height} pixels, found {found}")
    return Box(int(rows[0]), int(cols[0]), int(rows[1]), int(cols[1]))


def _scale(raw: Ifd) -> tuple[float, float]:
    horizontal, vertical = _exactly(raw, Tag.DefaultScale, 2, (1, 1))
    if not (0.1 <= horizontal <= 10 and 0.1 <= vertical <= 10):
        raise DamagedError(f"expected a DefaultScale between 0.1 and 10, found {horizontal:g} x {vertical:g}")
    return float(horizontal), float(vertical)


def _orientation(raw: Ifd, main: Ifd) -> int:
    """EXIF orientation; 0 and 9 (unknown) count as upright."""
    value = (main if Tag.Orientation in main else raw).integer(Tag.Orientation, 1)
    return value if 1 <= value <= 8 else 1


def _levels(raw: Ifd, layout: Layout, active: Box, is_mosaic: bool) -> Levels:
    rows, cols = _exactly(raw, Tag.BlackLevelRepeatDim, 2, (1, 1)).astype(int)
    count = int(rows * cols * layout.planes)
    if not 1 <= count <= layout.width * layout.height:
        raise DamagedError(f"expected a BlackLevelRepeatDim of 1 x 1 or more, found {rows} x {cols}")
    black = np.zeros(count) if Tag.BlackLevel not in raw else _exactly(raw, Tag.BlackLevel, count, ())
    white = raw.numbers(Tag.WhiteLevel)
    if white is None or not len(white):
        white = np.array([1.0 if layout.floating else 2.0**layout.bits - 1])
    positions = 4 if is_mosaic else layout.planes
    return Levels(
        black=black.reshape(rows, cols, layout.planes).astype(np.float32),
        white=(white if len(white) == positions else np.repeat(white[0], positions)).astype(np.float32),
        delta_h=_deltas(raw, Tag.BlackLevelDeltaH, active.width),
        delta_v=_deltas(raw, Tag.BlackLevelDeltaV, active.height),
        table=_table(raw),
    )


def _deltas(raw: Ifd, tag: Tag, count: int) -> np.ndarray | None:
    return _exactly(raw, tag, count, ()).astype(np.float32) if tag in raw else None


def _table(raw: Ifd) -> np.ndarray | None:
    table = raw.numbers(Tag.LinearizationTable)
    if table is not None and not 1 <= len(table) <= 65536:
        raise DamagedError(f"expected 1 to 65536 entries in LinearizationTable, found {len(table)}")
    return None if table is None else table.astype(np.float32)


def _profile(tags: _Tags, colors: int) -> tuple[ColorProfile, tuple[str, ...]]:
    """Camera colour; a note where a colour picture has no matrix."""
    neutral, xy = tags.numbers(Tag.AsShotNeutral), tags.numbers(Tag.AsShotWhiteXY)
    balance = tags.numbers(Tag.AnalogBalance)
    if neutral is not None and len(neutral) not in (1, 3):
        raise UnsupportedError(f"expected 3 numbers in AsShotNeutral, found {len(neutral)}")
    calibrations = _calibrations(tags)
    notes: tuple[str, ...] = ()
    if colors == 3 and not calibrations:
        calibrations, notes = (libraw.unknown_camera(),), (libraw.NO_MATRIX,)
    profile = ColorProfile(
        calibrations=calibrations,
        analog_balance=balance if balance is not None and len(balance) == 3 else np.ones(3),
        as_shot_neutral=neutral if neutral is not None and len(neutral) == 3 else None,
        as_shot_xy=(float(xy[0]), float(xy[1])) if xy is not None and len(xy) == 2 else None,
    )
    return profile, notes


def _calibrations(tags: _Tags) -> tuple[Calibration, ...]:
    """One or two calibrations; CameraCalibration counts only where its signature is the profile's."""
    signed = tags.text(Tag.CameraCalibrationSignature) == tags.text(Tag.ProfileCalibrationSignature)
    sets = (
        (Tag.CalibrationIlluminant1, Tag.ColorMatrix1, Tag.ForwardMatrix1, Tag.CameraCalibration1),
        (Tag.CalibrationIlluminant2, Tag.ColorMatrix2, Tag.ForwardMatrix2, Tag.CameraCalibration2),
    )
    return tuple(
        Calibration(
            illuminant=int(tags.number(illuminant, 0)),
            color_matrix=matrix,
            forward_matrix=tags.matrix(forward),
            camera_calibration=tags.matrix(camera) if signed else None,
        )
        for illuminant, color, forward, camera in sets
        if (matrix := tags.matrix(color)) is not None
    )


def _noise(ifd: Ifd, profile: ColorProfile) -> tuple[NoiseModel | None, tuple[str, ...]]:
    """NoiseProfile for R, G, B (or one for monochrome); left out, with a note, where its numbers cannot be variances."""
    values = ifd.numbers(Tag.NoiseProfile)
    if values is None:
        return None, ()
    colors = 3 if profile.calibrations else 1
    sound = len(values) in (2, 2 * colors) and np.all(np.isfinite(values)) and values.min() >= 0 and values.max() > 0
    if not sound:
        return None, (f"The file's NoiseProfile cannot be used ({_brief(values)}).",)
    pairs = np.broadcast_to(values.reshape(-1, 2), (colors, 2))
    return NoiseModel(scale=pairs[:, 0].copy(), offset=pairs[:, 1].copy()), ()


def _opcodes(raw: Ifd, tag: Tag) -> tuple[Opcode, ...]:
    return opcodes.parse(bytes(raw.bytes(tag)), tag.name) if tag in raw else ()


def _metadata(main: Ifd, raw: Ifd) -> dict:
    """EXIF facts; where the maker is not stated, the DNG's own name for the camera."""
    facts = metadata.from_directories(main, raw)
    if "model" not in facts and (name := main.text(Tag.UniqueCameraModel)):
        facts["model"] = name
    return facts
