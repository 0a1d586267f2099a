"""The twin in one page: scene + camera -> frames as a RAW developer gets them, and the truth behind them.

    rig = rigged(camera("flagship-2025"), "main", focus_m=8)
    for shot in shoot(make_scene("night-street", *rig.ideal_shape), rig, exposure, seed=1): ...

Radiance L of the scene becomes irradiance pi tau L T / (4 N^2) on the sensor, photons of energy h c / lambda, and electrons by the quantum
efficiency; T is the lens's relative illumination times the microlens's share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter1d

from apochromat.camera.description import Camera, Module
from apochromat.camera.exposure import MID_EXPOSURE_LX_S, MID_GREY, Exposure
from apochromat.camera.tremor import Tremor, tremor
from apochromat.light.scene import Layer, Scene
from apochromat.light.spectra import EFFICACY_LM_W, colour_matching, illuminant
from apochromat.light.spectrum import GRID_NM
from apochromat.optics.files import lens as read_lens
from apochromat.optics.focused import Mapping, focused, mapping, scaled
from apochromat.optics.imaging import blurred, channel_weights, imaged, with_cover, with_veil
from apochromat.optics.landing import Path as Movement
from apochromat.optics.landing import Shutter, landed, splines
from apochromat.optics.lens import Lens
from apochromat.optics.psf_field import PsfField, psf_field
from apochromat.sensor import Captured, Sensor, capture, expected, read_sensor, sensor_names
from apochromat.sensor import sensor as built_in_sensor
from apochromat.sensor.response import highlight_headroom_ev, microlens_share, quantum_efficiency

PHOTON_NM = 1.98644586e-16  # J nm: Planck's constant times the velocity of light
SATURATION_LX_S = 78.0  # on the sensor, of white at exposure index 1: saturation-based speed, ISO 12232:2019
EDGE = 24  # cells beyond the sensor's view that blur or tremor may bring in
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
    oversample: int = 1  # cells of the scene per pixel, either way

    @cached_property
    def pitch_mm(self) -> float:
        """Between pixels."""
        return self.sensor.pixels.pitch_um.value * 1e-3

    @cached_property
    def ideal_shape(self) -> tuple[int, int]:
        """Rows and columns of the scene that the sensor sees, with a margin."""
        half = np.array(self.shape) / 2 * self.pitch_mm
        ratio = max(float(self.seen.ideal(r) / r) for r in np.linspace(0.3, 1, 8) * np.hypot(*half))
        rows, columns = (2 * int(np.ceil(h / self.pitch_mm * ratio + EDGE)) * self.oversample for h in half)
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
    oversample: int = 1,
) -> Rig:
    """A camera's module, its lens focused and stopped down, reading the sensor or a crop (rows, columns) from its middle.

    lens: a module's name, a lens for one of them, or nothing: see `Camera.module`. Raises CameraError, LensError, SensorError, ValueError.
    """
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
class Mover:
    """A layer that moves, through the lens: signals (C, h, w) and cover (C, h, w) of the part of the ideal image that it is in."""

    top: int
    left: int
    light: np.ndarray
    cover: np.ndarray
    cells_s: float  # it moves to the right


@dataclass(frozen=True)
class Ideal:
    """The scene through the lens, before the sensor: electrons a second (3, H, W) and, where asked for, XYZ (3, H, W) in cd/m^2."""

    signals: np.ndarray
    movers: tuple[Mover, ...]
    xyz: np.ndarray | None = None
    depth_m: np.ndarray | None = None
    planes: dict[str, np.ndarray] = field(default_factory=dict)  # spline coefficients, made once


def ideal_image(scene: Scene, rig: Rig, *, truth: bool = False, threads: int = 2, told: Told = lambda *_: None) -> Ideal:
    """A scene of `rig.ideal_shape` through the rig's lens. Raises ValueError for a scene of another shape."""
    if scene.shape != rig.ideal_shape:
        raise ValueError(f"expected a scene of {rig.ideal_shape[0]} x {rig.ideal_shape[1]} cells for this camera, found {scene.shape}")
    response = np.concatenate([rig.response, colour_matching() * EFFICACY_LM_W]) if truth else rig.response
    weights = channel_weights(scene.basis, response)
    still = tuple(layer for layer in scene.layers if not layer.moves)
    told("point spread functions", 0.0)
    fields = {layer.distance_m: _field(rig, layer.distance_m, scene.shape) for layer in scene.layers}
    light = imaged(still, [fields[layer.distance_m] for layer in still], weights, threads, lambda part: told("through the lens", part))
    movers = tuple(_mover(layer, fields[layer.distance_m], weights, rig, threads) for layer in scene.layers if layer.moves)
    signals = with_veil(light[:3], rig.module.veil.value)
    xyz = with_veil(light[3:], rig.module.veil.value) if truth else None
    return Ideal(signals, movers, xyz, _depth(still) if truth else None)


def _field(rig: Rig, distance_m: float, shape: tuple[int, int]) -> PsfField:
    pitch = rig.pitch_mm / rig.oversample
    return psf_field(rig.lens, rig.seen, distance_m, (shape[0] * pitch, shape[1] * pitch), pitch * 1e3)


def _mover(layer: Layer, field_of: PsfField, weights: np.ndarray, rig: Rig, threads: int) -> Mover:
    """A moving layer, blurred where it stands."""
    assert layer.cover is not None
    planes = np.concatenate([layer.coefficients, layer.cover[None]])
    seen = blurred(planes, field_of, with_cover(weights), threads, lambda _: None)
    reach = field_of.kernels.shape[-1] * field_of.shrink
    rows, columns = (np.flatnonzero(layer.cover.max(axis) > 0) for axis in (1, 0))
    low = [max(int(v[0]) - reach, 0) for v in (rows, columns)]
    high = [int(v[-1]) + reach + 1 for v in (rows, columns)]
    part = seen[:, low[0] : high[0], low[1] : high[1]]
    channels = weights.shape[1]
    cells_s = SUBJECT_M_S / layer.distance_m * rig.seen.scale_mm / rig.pitch_mm * rig.oversample
    return Mover(low[0], low[1], part[:channels][:3], np.clip(part[channels:], 0, 1)[:3], cells_s)


def _depth(layers: tuple[Layer, ...]) -> np.ndarray:
    """Distance (H, W) in m of the nearest layer that covers half a cell or more."""
    depth = np.full(layers[0].coefficients.shape[1:], np.inf, np.float32)
    for layer in layers:
        depth[layer.cover >= 0.5 if layer.cover is not None else ...] = layer.distance_m
    return depth


@dataclass(frozen=True)
class Shot:
    """One frame: what the sensor stored, when and how, and the truth behind it."""

    captured: Captured
    exposure: Exposure
    start_s: float
    mean: np.ndarray  # (H, W) float32, mean photo-electrons of each pixel
    movement: dict[str, float]  # of the middle of the picture at mid-exposure: pixels right and down, degrees clockwise
    clipped: float  # share of pixels at white

    def noise_free(self, rig: Rig) -> np.ndarray:
        """The mosaic (H, W) in stored numbers without noise."""
        return expected(self.mean, rig.sensor, iso=self.exposure.iso, exposure_s=self.exposure.exposure_s)


def shoot(
    ideal: Ideal, rig: Rig, exposures: Sequence[Exposure], *, seed: int = 0, still: bool = False, threads: int = 2
) -> Iterator[Shot]:
    """Frames of an ideal image, one for each exposure, one after the other out of the hand (still: from a tripod).

    The same seed gives the same frames on any number of threads.
    """
    coefficients = splines(ideal.signals, threads)
    hand, start = tremor(rig.camera.shake, seed), 0.0
    read_out = rig.sensor.converter.read_time_s.value
    for number, exposure in enumerate(exposures):
        shutter = Shutter(start, exposure.exposure_s, read_out)
        path = _path(hand, rig, shutter, still)
        planes = _with_movers(coefficients, ideal, start, exposure.exposure_s, threads)
        mosaic = landed(
            planes, rig.shape, rig.pitch_mm, rig.seen, rig.shading, path, shutter, oversample=rig.oversample, threads=threads
        )
        mean = mosaic * np.float32(exposure.exposure_s)
        captured = capture(mean, rig.sensor, iso=exposure.iso, exposure_s=exposure.exposure_s, seed=seed, frame=number, threads=threads)
        x, y, turn = path.at(np.array(start + read_out / 2 + exposure.exposure_s / 2))
        movement = {"right_px": float(x), "down_px": float(y), "clockwise_deg": float(np.degrees(turn))}
        yield Shot(captured, exposure, start, mean, movement, float((captured.samples >= captured.white).mean()))
        start += exposure.exposure_s + read_out + PAUSE_S


def _path(hand: Tremor, rig: Rig, shutter: Shutter, still: bool) -> Movement:
    """How the picture moves while a frame is exposed."""
    time = shutter.start_s + np.linspace(0, shutter.exposure_s + shutter.read_out_s, 65)
    yaw, pitch, roll = np.zeros((3, len(time))) if still else hand.at(time)
    pixels = rig.seen.scale_mm / rig.pitch_mm
    return Movement(time, yaw * pixels, pitch * pixels, roll)


def _with_movers(coefficients: np.ndarray, ideal: Ideal, start_s: float, exposure_s: float, threads: int) -> np.ndarray:
    """Spline coefficients of the ideal image with its movers where they are at a frame's time, smeared by their way during it."""
    if not ideal.movers:
        return coefficients
    coefficients, margin = coefficients.copy(), 16
    for mover in ideal.movers:
        smear = max(1, round(mover.cells_s * exposure_s))
        left = mover.left + round(mover.cells_s * (start_s + exposure_s / 2))
        height, width = mover.light.shape[1:]
        rows, columns = ideal.signals.shape[1:]
        top, bottom = max(mover.top - margin, 0), min(mover.top + height + margin, rows)
        first, last = max(left - smear - margin, 0), min(left + width + smear + margin, columns)
        if first >= last:
            continue
        place = mover.top - top, left - first, (bottom - top, last - first), smear
        light, cover = (_placed(part, *place) for part in (mover.light, mover.cover))
        signals = (1 - cover) * ideal.signals[:, top:bottom, first:last] + light
        inner = splines(signals, threads)
        inside = np.s_[:, margin:-margin, margin:-margin]
        coefficients[:, top:bottom, first:last][inside] = inner[inside]
    return coefficients


def _placed(part: np.ndarray, top: int, left: int, shape: tuple[int, int], smear: int) -> np.ndarray:
    """A mover's planes in a window of the picture, smeared sideways."""
    window = np.zeros((len(part), *shape), np.float32)
    low, high = max(left, 0), min(left + part.shape[2], shape[1])
    rows = min(part.shape[1], shape[0] - top)
    if high > low:
        window[:, top : top + rows, low:high] = part[:, :rows, low - left : high - left]
    return uniform_filter1d(window, smear, axis=2, mode="constant") if smear > 1 else window


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
