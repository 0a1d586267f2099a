"""The twin in one page: scene + camera -> frames as a RAW developer gets them, and the truth behind them.

    rig = rigged(camera("flagship-2025"), "main", focus_m=8)
    for shot in shoot(make_scene("night-street", *rig.ideal_shape), rig, exposure, seed=1): ...

Radiance L of the scene becomes irradiance pi tau L T / (4 N^2) on the sensor, photons of energy h c / lambda, and electrons by the quantum
efficiency; T is the lens's relative illumination times the microlens's share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from apochromat.camera.description import Camera, Module
from apochromat.camera.exposure import MID_EXPOSURE_LX_S, MID_GREY, Exposure
from apochromat.camera.tremor import Tremor, tremor
from apochromat.light.scene import Layer, Scene
from apochromat.light.spectra import EFFICACY_LM_W, colour_matching, illuminant
from apochromat.light.spectrum import GRID_NM
from apochromat.optics.files import lens as read_lens
from apochromat.optics.focused import Mapping, focused, mapping, scaled, vergence_of
from apochromat.optics.imaging import add_veil, channel_weights, imaged
from apochromat.optics.landing import Path as Movement
from apochromat.optics.landing import Shutter, landed, placed
from apochromat.optics.lens import Lens
from apochromat.optics.moving import Behind, Mover, moved_into, mover
from apochromat.optics.psf_field import PsfField, psf_field
from apochromat.optics.resampling import REACH, prepared
from apochromat.sensor import Captured, Sensor, capture, expected, read_sensor, sensor_names
from apochromat.sensor import sensor as built_in_sensor
from apochromat.sensor.response import highlight_headroom_ev, microlens_share, quantum_efficiency

PHOTON_NM = 1.98644586e-16  # J nm: Planck's constant times the velocity of light
SATURATION_LX_S = 78.0  # on the sensor, of white at exposure index 1: saturation-based speed, ISO 12232:2019
OVERSAMPLE = 1.25  # cells of the scene per pixel: those with which edges are right up to Nyquist
LEAST_OVERSAMPLE, MOST_OVERSAMPLE = OVERSAMPLE, 3.0
EDGE = 24  # pixels beyond the sensor's view that blur or tremor may bring in
PAUSE_S = 0.004  # between the last row's read-out and the next frame
SUBJECT = 0.02  # share of the picture that a layer covers at least to be focused on
SUBJECT_M_S = 1.3  # at which a moving layer crosses the view: a walk
Told = Callable[[str, float], None]


@dataclass(frozen=True)
class Rig:
    """A camera's module made ready: its lens focused before its sensor, or before the middle of it."""

    camera: Camera
    module: Module
    lens: Lens
    seen: Mapping
    sensor: Sensor
    shape: tuple[int, int]  # rows and columns that are read
    oversample: float = OVERSAMPLE  # cells of the scene per pixel, either way

    @cached_property
    def pitch_mm(self) -> float:
        """Between pixels."""
        return self.sensor.pixels.pitch_um.value * 1e-3

    @cached_property
    def ideal_shape(self) -> tuple[int, int]:
        """Rows and columns of the scene that the sensor sees, with a margin."""
        half = np.array(self.shape) / 2 * self.pitch_mm
        ratio = max(float(self.seen.ideal(r) / r) for r in np.linspace(0.3, 1, 8) * np.hypot(*half))
        rows, columns = (2 * int(np.ceil((h / self.pitch_mm * ratio + EDGE) * self.oversample)) for h in half)
        return rows, columns

    @cached_property
    def truth_shape(self) -> tuple[int, int]:
        """Rows and columns, in pixels, of the scene as a lens without distortion would place it."""
        rows, columns = (int(n / self.oversample) // 2 * 2 for n in self.ideal_shape)
        return rows, columns

    @cached_property
    def response(self) -> np.ndarray:
        """Electrons a second of R, G and B pixels on axis per W / (sr m^2) of the scene (3, 71)."""
        photons = GRID_NM / PHOTON_NM * np.pi * self.module.transmission.value / (4 * self.seen.f_number**2) * (self.pitch_mm * 1e-3) ** 2
        return quantum_efficiency(self.sensor) * photons

    @cached_property
    def shading(self) -> np.ndarray:
        """Share (3, n) of the light on axis that pixels get at the heights `seen.real_mm`."""
        rows, columns = self.sensor.shape
        corner = np.hypot(rows, columns) / 2 * self.pitch_mm
        shifted = self.module.microlens_deg.value * self.seen.real_mm / corner
        share = microlens_share(self.sensor, self.seen.chief_ray_deg - shifted)
        return np.broadcast_to(self.seen.illumination * share, (3, len(share)))

    @cached_property
    def covers(self) -> float:
        """Share of the way from the middle to the corner that the lens lights."""
        return min(1.0, float(self.seen.real_mm[-1] / (np.hypot(*self.shape) / 2 * self.pitch_mm)))

    def baseline_ev(self, exposure: Exposure) -> float:
        """By how much a developer has to lift the file so that mid grey under a metered exposure is mid grey."""
        metered = np.log2(MID_GREY * SATURATION_LX_S / MID_EXPOSURE_LX_S)
        return highlight_headroom_ev(self.sensor, exposure.iso, illuminant("D55")) + float(metered)


def rigged(
    camera: Camera,
    lens: str = "",
    *,
    focus_m: float = np.inf,
    f_number: float | None = None,
    crop: tuple[int, int] | None = None,
    oversample: float = OVERSAMPLE,
) -> Rig:
    """A camera's module, its lens focused and stopped down, reading the sensor or a crop (rows, columns) from its middle.

    lens: a module's name, a lens for one of them, or nothing: see `Camera.module`. Raises CameraError, LensError, SensorError, ValueError.
    """
    if not LEAST_OVERSAMPLE <= oversample <= MOST_OVERSAMPLE:
        raise ValueError(f"expected {LEAST_OVERSAMPLE} to {MOST_OVERSAMPLE} cells of the scene per pixel, found {oversample:g}")
    module = camera.module(lens)
    sensor = built_in_sensor(module.sensor) if module.sensor in sensor_names() else read_sensor(module.sensor)
    shape = sensor.shape if crop is None else crop
    if any(n % 2 or not 32 <= n <= most for n, most in zip(shape, sensor.shape, strict=True)):
        raise ValueError(f"expected a crop of even rows and columns from 32 x 32 to {sensor.shape[0]} x {sensor.shape[1]}, found {shape}")
    glass = read_lens(module.lens)
    if module.scale is not None:
        glass = scaled(glass, module.scale.value)
    if f_number is None and module.f_number is not None:
        f_number = module.f_number.value
    glass = focused(glass, focus_m, f_number)
    corner = np.hypot(*shape) / 2 * sensor.pixels.pitch_um.value * 1e-3
    return Rig(camera, module, glass, mapping(glass, corner), sensor, shape, oversample)


@dataclass(frozen=True)
class Ideal:
    """The scene through the lens, before the sensor: electrons a second (3, H, W) of what stands still, and what moves before it.

    Where asked for, as an ideal lens would place them on pixels: XYZ (3, h, w) in cd/m^2 and depth (h, w) in m of what stands still.
    """

    signals: np.ndarray
    movers: tuple[Mover, ...]
    behind: tuple[Behind, ...]  # of the movers
    weights: np.ndarray  # (K, 3, W) of the scene's spectra
    xyz: np.ndarray | None = None
    depth_m: np.ndarray | None = None


def ideal_image(
    scene: Scene,
    rig: Rig,
    fields: dict[float, PsfField] | None = None,
    *,
    truth: bool = False,
    threads: int = 2,
    told: Told = lambda *_: None,
) -> Ideal:
    """A scene of `rig.ideal_shape` through the rig's lens, whose PSF fields by distance may be at hand (`fields_of`).

    Raises ValueError for a scene of another shape.
    """
    if scene.shape != rig.ideal_shape:
        raise ValueError(f"expected a scene of {rig.ideal_shape[0]} x {rig.ideal_shape[1]} cells for this camera, found {scene.shape}")
    response = np.concatenate([rig.response, colour_matching() * EFFICACY_LM_W]) if truth else rig.response
    weights = channel_weights(scene.basis, response)
    fields = fields or fields_of(rig, [layer.distance_m for layer in scene.layers], told)
    still, walking = ([layer for layer in scene.layers if layer.moves == moves] for moves in (False, True))
    moving = [_mover(layer, fields[layer.distance_m], weights[:, :3], rig, still[-1].distance_m, threads) for layer in walking]
    behind = tuple(Behind(layer, tuple(still[k + 1 :]), fields[layer.distance_m]) for k, layer in enumerate(still)) if moving else ()
    depth_m = _nearest(_depth(still), rig) if truth else None
    del scene, walking  # layers are let go as they have been through the lens, unless something moves before them
    light = imaged(still, fields, weights, threads, lambda part: told("through the lens", part))
    add_veil(light, rig.module.veil.value)
    found = Ideal(light[:3], tuple(m for m in moving if m is not None), behind, weights[:, :3], None, depth_m)
    if not truth:
        return found
    rows, columns = rig.truth_shape
    return replace(found, xyz=placed(prepared(light[3:], rig.oversample, threads), (rows, columns), rig.oversample, threads))


def fields_of(rig: Rig, distances_m: Sequence[float], told: Told = lambda *_: None) -> dict[float, PsfField]:
    """PSF fields of the rig's lens by the distance of what it looks at: worked out, which takes a minute each, or from the user's cache."""
    pitch = rig.pitch_mm / rig.oversample
    frame_mm = rig.ideal_shape[0] * pitch, rig.ideal_shape[1] * pitch
    fields, distances = {}, dict.fromkeys(distances_m)
    for number, distance_m in enumerate(distances):
        part = partial(_told_part, told, "point spread functions", number, len(distances))
        part(0.0)
        fields[distance_m] = psf_field(rig.lens, rig.seen, distance_m, frame_mm, pitch * 1e3, rig.pitch_mm * 1e3, part)
    return fields


def _told_part(told: Told, step: str, number: int, count: int, part: float) -> None:
    """Progress of one of several parts, told as that of the whole."""
    told(step, (number + part) / count)


def _mover(layer: Layer, field_of: PsfField, weights: np.ndarray, rig: Rig, behind_m: float, threads: int) -> Mover | None:
    """A moving layer where it stands at first, and how fast it walks."""
    cells_mm = rig.pitch_mm / rig.oversample
    cells_s = SUBJECT_M_S / layer.distance_m * rig.seen.scale_mm / cells_mm
    radius_mm = rig.seen.scale_mm**2 / (2 * rig.seen.f_number) * abs(vergence_of(layer.distance_m) - vergence_of(behind_m))
    return mover(layer, field_of, weights, cells_s, radius_mm / cells_mm, threads)


def _depth(layers: Sequence[Layer]) -> np.ndarray:
    """Distance (H, W) in m of the nearest layer that covers half a cell or more."""
    depth = np.full(layers[0].coefficients.shape[1:], np.inf, np.float32)
    for layer in layers:
        depth[layer.cover >= 0.5 if layer.cover is not None else ...] = layer.distance_m
    return depth


def _nearest(plane: np.ndarray, rig: Rig) -> np.ndarray:
    """A plane of cells on the pixels of the truth, each with the value of the nearest cell."""
    rows, columns = (
        np.clip(np.rint((np.arange(n) - (n - 1) / 2) * rig.oversample + (cells - 1) / 2).astype(int), 0, cells - 1)
        for n, cells in zip(rig.truth_shape, plane.shape, strict=True)
    )
    return np.asarray(plane[np.ix_(rows, columns)])


@dataclass(frozen=True)
class Shot:
    """One frame: what the sensor stored, when and how, and the truth behind it."""

    captured: Captured
    exposure: Exposure
    start_s: float
    mean: np.ndarray  # (H, W) float32, mean photo-electrons of each pixel
    movement: dict[str, float]  # of the middle of the picture at mid-exposure: pixels right and down, degrees clockwise
    subjects_px: tuple[float, ...]  # what has moved before the picture by then: pixels right of where the scene has it, one for each
    clipped: float  # share of pixels at white

    def noise_free(self, rig: Rig) -> np.ndarray:
        """The mosaic (H, W) in stored numbers without noise."""
        return expected(self.mean, rig.sensor, iso=self.exposure.iso, exposure_s=self.exposure.exposure_s)


def shoot(ideal: Ideal, rig: Rig, exposures: Sequence[Exposure], *, seed: int = 0, still: bool = False, threads: int = 2) -> Iterator[Shot]:
    """Frames of an ideal image, one for each exposure, one after the other out of the hand (still: from a tripod).

    The same seed gives the same frames on any number of threads.
    """
    signals = prepared(ideal.signals, rig.oversample, threads)
    hand, start = tremor(rig.camera.shake, seed), 0.0
    read_out = rig.sensor.converter.read_time_s.value
    for number, exposure in enumerate(exposures):
        shutter = Shutter(start, exposure.exposure_s, read_out)
        path = _path(hand, rig, shutter, still)
        middle_s = start + exposure.exposure_s / 2
        with _with_movers(signals, ideal, rig, middle_s, exposure.exposure_s, threads):
            mosaic = landed(
                signals, rig.shape, rig.pitch_mm, rig.seen, rig.shading, path, shutter, oversample=rig.oversample, threads=threads
            )
        mean = mosaic * np.float32(exposure.exposure_s)
        captured = capture(mean, rig.sensor, iso=exposure.iso, exposure_s=exposure.exposure_s, seed=seed, frame=number, threads=threads)
        x, y, turn = path.at(np.array(start + read_out / 2 + exposure.exposure_s / 2))
        movement = {"right_px": float(x), "down_px": float(y), "clockwise_deg": float(np.degrees(turn))}
        walked = tuple(one.cells_s / rig.oversample * middle_s for one in ideal.movers)
        yield Shot(captured, exposure, start, mean, movement, walked, float((captured.samples >= captured.white).mean()))
        start += exposure.exposure_s + read_out + PAUSE_S


def _path(hand: Tremor, rig: Rig, shutter: Shutter, still: bool) -> Movement:
    """How the picture moves while a frame is exposed."""
    time = shutter.start_s + np.linspace(0, shutter.exposure_s + shutter.read_out_s, 65)
    yaw, pitch, roll = np.zeros((3, len(time))) if still else hand.at(time)
    pixels = rig.seen.scale_mm / rig.pitch_mm
    return Movement(time, yaw * pixels, pitch * pixels, roll)


@contextmanager
def _with_movers(prepared_signals: np.ndarray, ideal: Ideal, rig: Rig, middle_s: float, exposure_s: float, threads: int) -> Iterator[None]:
    """Prepared signals (3, H, W) with the movers where they are in the middle of an exposure, smeared by their way during it."""
    kept = []
    for one in ideal.movers:
        by, smear = one.cells_s * middle_s, one.cells_s * exposure_s
        top, left, part = moved_into(ideal.signals, one, ideal.behind, ideal.weights, 1 - rig.module.veil.value, by, smear, threads)
        wide = [slice(max(o - 2 * REACH, 0), o + n + 2 * REACH) for o, n in zip((top, left), part.shape[1:], strict=True)]
        around = ideal.signals[:, wide[0], wide[1]].copy()
        around[:, top - wide[0].start :, left - wide[1].start :][:, : part.shape[1], : part.shape[2]] = part
        kept.append((wide, prepared_signals[:, wide[0], wide[1]].copy()))
        inner = tuple(
            slice(REACH if w.start else 0, -REACH if w.stop < n else None) for w, n in zip(wide, ideal.signals.shape[1:], strict=True)
        )
        prepared_signals[:, wide[0], wide[1]][:, *inner] = prepared(around, rig.oversample, threads)[:, *inner]
    try:
        yield
    finally:
        for wide, before in reversed(kept):
            prepared_signals[:, wide[0], wide[1]] = before


def white_luminance(scene: Scene) -> float:
    """Luminance (cd/m^2) of a perfect white diffuser on the scene's reference plane."""
    return scene.illuminance_lx / np.pi


def autofocus_m(scene: Scene) -> float:
    """Distance of the nearest still layer that covers a part of the picture worth looking at; far if there is none."""
    for layer in sorted(scene.layers, key=lambda layer: layer.distance_m):
        if not layer.moves and (layer.cover is None or float(layer.cover.mean()) >= SUBJECT):
            return layer.distance_m
    return np.inf


def bracketed(exposure: Exposure, steps_ev: Sequence[float]) -> list[Exposure]:
    """An exposure and others of it by steps in EV, by time."""
    return [replace(exposure, exposure_s=exposure.exposure_s * 2.0**step, ev=exposure.ev + step) for step in steps_ev]


def lens_name(rig: Rig) -> str:
    """As a file's metadata names it."""
    return f"{Path(rig.module.lens).stem} {rig.seen.scale_mm:.2f} mm f/{rig.seen.f_number:.2f}"
