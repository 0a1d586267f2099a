"""Shots to files: DNGs that any RAW developer opens, and beside them the truth that only a twin knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from apochromat import __version__
from apochromat.light.opcodes import Area, GainMap, Opcode, WarpRectilinear
from apochromat.light.raw_frame import Box, Levels, RawFrame
from apochromat.light.scene import Scene
from apochromat.light.spaces import D65_XYZ, bradford, rgb_to_xyz
from apochromat.light.spectra import xyz
from apochromat.picture.files import new_file
from apochromat.raw.dng_writer import write_dng
from apochromat.rig import Rig, lens_name
from apochromat.sensor.color import color_profile
from apochromat.shoot import Ideal, Shot, white_luminance

WHEN = datetime(2025, 11, 1, 19, 0, 0)  # of every burst, so that the same seed gives the same file
PHOTO_DIAGONAL_MM = 43.2666  # of 36 x 24 mm
THUMBNAIL = 256  # pixels, its longer side
TILE = 256  # pixels, the side of a file's tiles, which are compressed on every core
LEAST_TILES = 4  # across: narrower frames are one strip (LibRaw misreads a mosaic of just two tiles across)
MAP_POINTS = (13, 17)  # of a GainMap


def raw_frame(shot: Shot, rig: Rig, scene: Scene, *, opcodes: bool = False) -> RawFrame:
    """A shot as a RAW frame: levels, matrices, neutral of the scene's light, noise profile, EXIF; opcodes: shading and distortion too."""
    captured, exposure = shot.captured, shot.exposure
    height, width = captured.samples.shape
    whole = Box(0, 0, height, width)
    return RawFrame(
        samples=captured.samples,
        cfa="RGGB",
        levels=Levels(np.full((1, 1, 1), captured.black, np.float32), np.full(4, captured.white, np.float32)),
        active=whole,
        crop=whole,
        profile=color_profile(rig.sensor, scene.light),
        baseline_exposure_ev=round(rig.baseline_ev(exposure), 4),
        noise=captured.noise,
        opcodes2=gain_maps(rig, (height, width)) if opcodes else (),
        opcodes3=(warp(rig),) if opcodes else (),
        metadata=_metadata(shot, rig, scene),
    )


def _metadata(shot: Shot, rig: Rig, scene: Scene) -> dict[str, Any]:
    """What EXIF says of a shot."""
    start = WHEN + timedelta(seconds=shot.start_s)
    diagonal = float(np.hypot(*rig.shape)) * rig.pitch_mm
    return {
        "make": rig.camera.make,
        "model": rig.camera.model,
        "software": f"Apochromat {__version__}",
        "description": f"{scene.name}, simulated",
        "datetime": start.strftime("%Y:%m:%d %H:%M:%S"),
        "subsec": f"{start.microsecond // 1000:03d}",
        "exposure_s": shot.exposure.exposure_s,
        "f_number": round(rig.seen.f_number, 2),
        "iso": round(shot.exposure.iso),
        "focal_mm": round(rig.seen.scale_mm, 2),
        "focal_35_mm": round(rig.seen.scale_mm * PHOTO_DIAGONAL_MM / diagonal),
        "lens": lens_name(rig),
    }


def gain_maps(rig: Rig, shape: tuple[int, int]) -> tuple[Opcode, ...]:
    """One GainMap for each position of the mosaic: what undoes the lens's and the microlenses' shading. Beyond the image circle, 1."""
    rows, columns = (np.linspace(-0.5, 0.5, n) * size for n, size in zip(MAP_POINTS, shape, strict=True))
    height_mm = np.hypot(rows[:, None], columns) * rig.pitch_mm
    maps = []
    for y in (0, 1):
        for x in (0, 1):
            share = np.interp(height_mm, rig.seen.real_mm, rig.shading[y + x], right=0.0)
            gains = np.where(share > 0.02, 1 / np.maximum(share, 0.02), 1.0).astype(np.float32)
            area = Area(y, x, *shape, row_pitch=2, col_pitch=2)
            spacing = (1 / (MAP_POINTS[0] - 1), 1 / (MAP_POINTS[1] - 1))
            maps.append(GainMap(area=area, spacing=spacing, origin=(0.0, 0.0), gains=gains[:, :, None]))
    return tuple(maps)


def warp(rig: Rig) -> WarpRectilinear:
    """The radial polynomial that takes the lens's distortion away: source over corrected radius, least squares up to the corner.

    The picture is enlarged by the little that keeps all of it within what was read.
    """
    corner = float(np.hypot(*rig.shape) / 2 * rig.pitch_mm)
    ideal = np.linspace(0.02, 1, 60) * corner
    ratio, r2 = rig.seen.real(ideal) / ideal, (ideal / corner) ** 2
    edge = ideal >= min(rig.shape) / 2 * rig.pitch_mm
    ratio = ratio / max(1.0, float(ratio[edge].max()))
    terms = np.linalg.lstsq(np.stack([r2**k for k in range(4)], 1), ratio, rcond=None)[0]
    return WarpRectilinear(coefficients=np.concatenate([terms, [0, 0]])[None].repeat(3, 0), center=(0.5, 0.5), optional=True)


def thumbnail(frame: RawFrame) -> np.ndarray:
    """A small sRGB picture (h, w, 3) uint8 of a mosaic, its white balanced, for those who only look."""
    step = 2 * max(1, max(frame.samples.shape) // (2 * THUMBNAIL))
    height, width = (n // step * step for n in frame.samples.shape)
    rows = frame.samples[:height, :width].reshape(height // step, step // 2, 2, width).sum(1, dtype=np.uint32)
    cells = rows.reshape(height // step, 2, width // step, step // 2, 2).mean(3) / (step // 2)  # (h, 2, w, 2)
    cells -= float(frame.levels.black.ravel()[0])
    rgb = np.stack([cells[:, 0, :, 0], (cells[:, 0, :, 1] + cells[:, 1, :, 0]) / 2, cells[:, 1, :, 1]], -1)
    neutral = frame.profile.as_shot_neutral
    assert neutral is not None
    rgb = rgb / neutral * 2**frame.baseline_exposure_ev / float(frame.levels.white[0] - frame.levels.black.ravel()[0])
    rgb = np.clip(rgb, 0, None)
    rgb = np.clip(rgb / (1 + 0.5 * rgb) * 1.2, 0, 1)
    return np.rint(255 * np.where(rgb < 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)).astype(np.uint8)


def write_shot(shot: Shot, rig: Rig, scene: Scene, path: Path, *, opcodes: bool = False, overwrite: bool = False, threads: int = 2) -> Path:
    """Write a shot's DNG, the same on any number of threads. Raises RawError."""
    frame = raw_frame(shot, rig, scene, opcodes=opcodes)
    tile = TILE if frame.samples.shape[1] >= LEAST_TILES * TILE else 0
    return write_dng(frame, path, tile=tile, thumbnail=thumbnail(frame), overwrite=overwrite, threads=threads)


def truth_names(folder: Path, stems: Sequence[str]) -> list[Path]:
    """Files of the truth in a folder: of the scene, and of frames by their names."""
    return [folder / name for name in ("scene.tiff", "depth.tiff", "shots.json", *(f"{stem}.mosaic.tiff" for stem in stems))]


def write_frame_truth(shot: Shot, rig: Rig, folder: Path, stem: str, overwrite: bool) -> Path:
    """The noise-free mosaic of a frame in stored numbers (float16 offsets would round it: float32 TIFF)."""
    path = truth_names(folder, [stem])[-1]
    _tiff(path, shot.noise_free(rig).astype(np.float32), overwrite)
    return path


def write_truth(ideal: Ideal, rig: Rig, scene: Scene, shots: list[tuple[str, Shot]], folder: Path, overwrite: bool) -> list[Path]:
    """What stands still in the scene, on pixels where a lens without distortion would place it: scene-linear Rec.2020, D65 (1 = a perfect
    white on the reference plane, whose light is made white by Bradford's adaptation), and depth; and `shots.json` with exposure and
    movement of every frame."""
    assert ideal.xyz is not None
    assert ideal.depth_m is not None
    white = xyz(scene.light)
    to_working = np.linalg.inv(rgb_to_xyz("rec2020")) @ bradford(white / white[1], D65_XYZ) / white_luminance(scene)
    linear = np.einsum("rc,chw->hwr", to_working.astype(np.float32), ideal.xyz, optimize=True)
    paths = truth_names(folder, [])
    _tiff(paths[0], linear, overwrite)
    _tiff(paths[1], ideal.depth_m, overwrite)
    facts = {
        "scene": {"name": scene.name, "illuminance_lx": scene.illuminance_lx, "reference": scene.reference, "notes": scene.notes},
        "camera": {"name": rig.camera.name, "module": rig.module.name, "lens": rig.module.lens, "sensor": rig.sensor.name},
        "mapping": {"ideal_mm": rig.seen.ideal_mm.tolist(), "real_mm": rig.seen.real_mm.tolist(), "scale_mm": rig.seen.scale_mm},
        "frames": [
            {"file": name, "start_s": s.start_s, "exposure_s": s.exposure.exposure_s, "iso": s.exposure.iso, **s.movement}
            | {"subjects_right_px": s.subjects_px}
            for name, s in shots
        ],
    }
    with new_file(paths[2], overwrite) as file:
        file.write(json.dumps(facts, indent=1).encode())
    return paths


def _tiff(path: Path, pixels: np.ndarray, overwrite: bool) -> None:
    import tifffile

    with new_file(path, overwrite) as file:
        tifffile.imwrite(file, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack", compression="zlib", predictor=True)
