"""RAW files of other makers, and mosaics other than Bayer's, through LibRaw (rawpy).

LibRaw brings the samples, black levels, white balance, active area and the camera's colour matrix. Its picture is used only where the
mosaic is one this program does not develop itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from apochromat.light.raw_frame import Box, Calibration, ColorProfile, Levels, RawFrame
from apochromat.raw import containers
from apochromat.raw.errors import DamagedError, DecodeError, NotRawError, UnsupportedError
from apochromat.raw.segments import check_size

D65 = 21
# XYZ to linear sRGB (IEC 61966-2-1): what camera RGB is taken to be when nothing is known about the camera.
XYZ_TO_SRGB = np.array([[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]])
NO_MATRIX = "The file has no colour matrix for this camera: its colours are taken as sRGB's."
DEMOSAICED = "The mosaic is not a Bayer one: LibRaw's own demosaic was used, and noise and opcodes of the file were left out."
ORIENTATION_OF_FLIP = {0: 1, 3: 3, 5: 8, 6: 6}  # LibRaw's flip -> EXIF


def unknown_camera() -> Calibration:
    """The calibration used, with the note NO_MATRIX, for a camera nobody knows."""
    return Calibration(illuminant=D65, color_matrix=XYZ_TO_SRGB)


def read(path: Path, data: memoryview) -> RawFrame:
    """The RAW frame of a file that is not a DNG."""
    if containers.is_rotated_fuji(data):
        raise UnsupportedError("expected a mosaic in rows and columns, found a Super CCD's, turned by 45 degrees")
    containers.check_complete(data)
    with _opened(path) as raw:
        frame = _facts(raw, containers.metadata(data))
        if raw.raw_pattern is not None and raw.raw_pattern.shape == (6, 6):
            return _demosaiced(raw, frame)
        return _mosaic(raw, frame)


def demosaiced(path: Path, frame: RawFrame) -> RawFrame:
    """`frame` with its mosaic replaced by LibRaw's demosaiced camera RGB."""
    with _opened(path) as raw:
        return _demosaiced(raw, frame)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file opened and unpacked by LibRaw, its errors in our words."""
    import rawpy

    raw = rawpy.RawPy()
    try:
        with open(path, "rb") as file:
            raw.open_file(str(path) if _is_text(path) else f"/proc/self/fd/{file.fileno()}")
        check_size(raw.sizes.raw_height, raw.sizes.raw_width)
        raw.unpack()
        yield raw
    except rawpy.LibRawFileUnsupportedError as error:
        raise NotRawError("expected a RAW file that LibRaw can read, found another kind of file") from error
    except rawpy.LibRawIOError as error:
        raise DamagedError("expected a whole file, found its end too early") from error
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        raise DecodeError(f"expected a sound RAW file, found one LibRaw cannot decode ({_words(error)})") from error
    finally:
        raw.close()


def _is_text(path: Path) -> bool:
    """Whether the name can be spelled in UTF-8, the only spelling rawpy knows."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _words(error: Exception) -> str:
    text = error.args[0] if error.args else type(error).__name__
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def _facts(raw: Any, metadata: dict[str, Any]) -> RawFrame:
    """Everything but the samples and their levels."""
    sizes = raw.sizes
    active = Box(sizes.top_margin, sizes.left_margin, sizes.top_margin + sizes.height, sizes.left_margin + sizes.width)
    if not (0 < active.bottom <= sizes.raw_height and 0 < active.right <= sizes.raw_width):
        raise DamagedError(f"expected a picture inside {sizes.raw_width} x {sizes.raw_height} pixels, found {active}")
    profile, notes = _profile(raw)
    aspect = sizes.pixel_aspect or 1.0
    return RawFrame(
        samples=np.empty((0, 0), np.uint16),
        cfa="",
        levels=Levels(np.zeros((1, 1, 1), np.float32), np.ones(1, np.float32)),
        active=active,
        crop=_crop(sizes, active),
        scale=(max(aspect, 1.0), max(1 / aspect, 1.0)),
        orientation=ORIENTATION_OF_FLIP.get(sizes.flip, 1),
        profile=profile,
        metadata={**_shot(raw.other, raw.lens), **metadata},
        notes=notes,
    )


def _crop(sizes: Any, active: Box) -> Box:
    """The maker's crop where LibRaw knows one inside the active area, else all of it."""
    top, left = sizes.crop_top_margin - active.top, sizes.crop_left_margin - active.left
    crop = Box(top, left, top + sizes.crop_height, left + sizes.crop_width)
    whole = Box(0, 0, active.height, active.width)
    inside = crop.top >= 0 and crop.left >= 0 and crop.bottom <= active.height and crop.right <= active.width
    return crop if inside and sizes.crop_height > active.height // 2 and sizes.crop_width > active.width // 2 else whole


def _profile(raw: Any) -> tuple[ColorProfile, tuple[str, ...]]:
    """LibRaw's matrix for D65 and the camera's white balance."""
    matrix = np.array(raw.rgb_xyz_matrix, np.float64)
    notes: tuple[str, ...] = ()
    if raw.num_colors > 3 or matrix[3].any():
        raise UnsupportedError("expected a sensor with three colours, found four")
    calibration = Calibration(illuminant=D65, color_matrix=matrix[:3])
    if not matrix.any():
        calibration, notes = unknown_camera(), (NO_MATRIX,)
    gains = np.array(raw.camera_whitebalance, np.float64)[:3]
    if not np.all(np.isfinite(gains)) or gains.min() <= 0:
        gains = np.array(raw.daylight_whitebalance, np.float64)[:3]
        notes += ("The file has no white balance that can be read: daylight is assumed.",)
    neutral = gains[1] / gains if np.all(np.isfinite(gains)) and gains.min() > 0 else None
    return ColorProfile(calibrations=(calibration,), as_shot_neutral=neutral), notes


def _shot(other: Any, lens: Any) -> dict[str, Any]:
    """Exposure as LibRaw reads it, for formats whose own metadata is not read here."""
    numbers = {"exposure_s": other.shutter_speed, "f_number": other.aperture, "iso": other.iso_speed, "focal_mm": other.focal_length}
    facts: dict[str, Any] = {key: float(value) for key, value in numbers.items() if np.isfinite(value) and value > 0}
    texts = {"artist": other.artist, "lens": lens.model, "lens_make": lens.make}
    facts |= {key: str(value) for key, value in texts.items() if value}
    if other.timestamp is not None and other.timestamp.year > 1970:
        facts["datetime"] = other.timestamp.strftime("%Y:%m:%d %H:%M:%S")
    return facts


def _mosaic(raw: Any, frame: RawFrame) -> RawFrame:
    """The untouched Bayer mosaic with its levels."""
    import rawpy

    if raw.raw_type != rawpy.RawType.Flat:
        raise UnsupportedError("expected a mosaic of one sample per pixel, found a file with three colours in each (Foveon or reduced RAW)")
    if raw.raw_pattern is None or raw.raw_pattern.shape != (2, 2):
        raise UnsupportedError("expected a Bayer or X-Trans mosaic, found another pattern or a monochrome sensor")
    letters = raw.color_desc.decode()
    pattern = "".join(letters[i] for i in raw.raw_pattern.ravel())
    if pattern not in ("RGGB", "BGGR", "GRBG", "GBRG"):
        raise UnsupportedError(f"expected a Bayer mosaic, found the pattern {pattern}")
    samples = raw.raw_image.copy()
    black = np.array(raw.black_level_per_channel, np.float32)[raw.raw_pattern]
    if black.min() > 0 and not samples[frame.active.bottom - 1, frame.active.left : frame.active.right].any():
        raise DamagedError("expected samples down to the last row, found zeros where the file must have been cut")
    levels = Levels(black=black[:, :, None], white=np.full(4, _white(raw, samples, frame.active), np.float32))
    return replace(frame, samples=samples, cfa=pattern, levels=levels)


def _white(raw: Any, samples: np.ndarray, active: Box) -> float:
    """One saturation level for all colours: the lowest of the metadata's and of any saturation spike seen.

    A common level keeps the ratios between the colours: only the level at which the first of them clips is moved.
    """
    plausible = [level for level in raw.camera_white_level_per_channel or () if level > raw.white_level / 2]
    white = float(min([raw.white_level, *plausible]))
    seen = samples[active.top : active.bottom, active.left : active.right]
    spikes = [saturation_spike(seen[y::2, x::2], white) for y in (0, 1) for x in (0, 1)]
    return min([white, *(spike for spike in spikes if spike is not None)])


def saturation_spike(samples: np.ndarray, white: float) -> float | None:
    """The code at which samples pile up below `white`, or None.

    A saturated sensor puts many pixels into its very last codes; a merely bright picture thins out towards its maximum. So there is a
    spike where the top three codes hold most of the samples of the top 2 %, at least 64 of them, in the upper half of the range.
    """
    top = int(samples.max(initial=0))
    if top >= white or top < white / 2:
        return None
    near = samples[samples >= 0.98 * top]
    last = np.count_nonzero(near >= top - 2)
    return float(top - 2) if last >= 64 and last > 0.6 * len(near) else None


def _demosaiced(raw: Any, frame: RawFrame) -> RawFrame:
    """LibRaw's camera RGB, linear, black taken off, without white balance, matrix, brightening or rotation."""
    import rawpy

    rgb = raw.postprocess(
        output_color=rawpy.ColorSpace.raw,
        output_bps=16,
        gamma=(1, 1),
        no_auto_bright=True,
        user_wb=[1.0, 1.0, 1.0, 1.0],
        adjust_maximum_thr=0.0,
        user_flip=0,
    )
    whole = Box(0, 0, rgb.shape[0], rgb.shape[1])
    fits = (frame.active.height, frame.active.width) == rgb.shape[:2]
    return replace(
        frame,
        samples=rgb,
        cfa="",
        levels=Levels(black=np.zeros((1, 1, 3), np.float32), white=np.full(3, 65535, np.float32)),
        active=whole,
        crop=frame.crop if fits else whole,
        noise=None,
        opcodes1=(),
        opcodes2=(),
        opcodes3=(),
        notes=(*frame.notes, DEMOSAICED),
    )
