"""The twin in one page: scene + camera -> frames as a RAW developer gets them, and the truth behind them.

rig = rigged(camera("flagship-2025"), "main", focus_m=8)
for shot in shoot(make_scene("night-street", *rig.ideal_shape), rig, exposure, seed=1): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from apochromat.camera.exposure import Exposure
from apochromat.camera.tremor import Tremor, tremor
from apochromat.light.scene import Layer, Scene, Unpainted
from apochromat.light.spectra import EFFICACY_LM_W, colour_matching
from apochromat.optics.focused import vergence_of
from apochromat.optics.imaging import add_veil, channel_weights, imaged
from apochromat.optics.landing import Path as Movement
from apochromat.optics.landing import Shutter, landed, placed
from apochromat.optics.moving import Behind, Mover, behind, hide, moved_into, mover, way
from apochromat.optics.psf_field import PsfField, psf_field
from apochromat.optics.resampling import REACH, prepared
from apochromat.rig import Rig, rigged
from apochromat.sensor import Captured, capture, expected
from apochromat.sensor.native import remosaic, remosaiced

__all__ = [
    "Ideal", "Rig", "Shot", "autofocus_m", "bracketed", "fields_of", "ideal_image", "rigged", "shoot", "white_luminance",
]  # fmt: skip
PAUSE_S = 0.004  # between the last row's read-out and the next frame
SUBJECT = 0.02  # share of the picture that a layer covers at least to be focused on
SUBJECT_M_S = 1.3  # at which a moving layer crosses the view: a walk
Told = Callable[[str, float], None]


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
    del scene  # layers are let go as they have been through the lens
    rear_m = still[-1].distance_m
    movers = [_mover(one.painted(), fields[one.distance_m], weights[:, :3], rig, rear_m, threads) for one in _drained(walking)]
    moving = tuple(m for m in movers if m is not None)
    seen = Passage(moving, fields, rig.ideal_shape)
    light = imaged(seen.passing(still), fields, weights, threads, lambda part: told("through the lens", part), len(still))
    add_veil(light, rig.module.veil.value)
    if not truth:
        return Ideal(light, moving, tuple(seen.behind), weights)
    xyz = placed(prepared(light[3:], rig.oversample, threads), rig.truth_shape, rig.oversample, threads)
    return Ideal(light[:3].copy(), moving, tuple(seen.behind), weights[:, :3], xyz, seen.depth_m(rig))


def _drained(layers: list[Layer | Unpainted]) -> Iterator[Layer | Unpainted]:
    """Layers in order, which the list lets go one by one."""
    while layers:
        yield layers.pop(0)


class Passage:
    """Still layers on their way to the lens, painted one at a time, and what is kept of them: depth, and what movers may hide."""

    def __init__(self, movers: tuple[Mover, ...], fields: dict[float, PsfField], shape: tuple[int, int]) -> None:
        self.fields, self.behind = fields, list[Behind]()
        self.box = way(movers, shape) if movers else None
        self.nearest, self.distances_m = np.zeros(shape, np.uint8), [np.inf]

    def passing(self, layers: list[Layer | Unpainted]) -> Iterator[Layer]:
        """The layers from far to near; the list is emptied."""
        for one in _drained(layers):
            layer = one.painted()
            del one
            self._note(layer)
            yield layer
            del layer

    def depth_m(self, rig: Rig) -> np.ndarray:
        """Distance (h, w) float32 of the nearest layer that covers half a cell or more, on pixels of the truth."""
        return np.array(self.distances_m, np.float32)[_nearest(self.nearest, rig)]

    def _note(self, layer: Layer) -> None:
        self.nearest[layer.cover >= 0.5 if layer.cover is not None else ...] = len(self.distances_m)
        self.distances_m.append(layer.distance_m)
        if self.box is not None:
            hide(self.behind, layer)
            self.behind.append(behind(layer, self.box, self.fields[layer.distance_m]))


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
        found = expected(self.mean, rig.sensor, iso=self.exposure.iso, exposure_s=self.exposure.exposure_s)
        return remosaic(found, self.captured.white) if rig.is_quad else found


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
                signals, rig.shape, rig.pitch_mm, rig.seen, rig.shading, path, shutter,
                light=ideal.signals, oversample=rig.oversample, side=1 + rig.is_quad, threads=threads,
            )  # fmt: skip
        mean = np.multiply(mosaic, np.float32(exposure.exposure_s), out=mosaic)
        captured = capture(mean, rig.sensor, iso=exposure.iso, exposure_s=exposure.exposure_s, seed=seed, frame=number, threads=threads)
        captured = remosaiced(captured) if rig.is_quad else captured
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
    """Signals (3, H, W) of the image, and prepared ones, with the movers where they are in mid-exposure, smeared by their way during it."""
    kept = []
    for one in ideal.movers:
        by, smear = one.cells_s * middle_s, one.cells_s * exposure_s
        top, left, part = moved_into(ideal.signals, one, ideal.behind, ideal.weights, 1 - rig.module.veil.value, by, smear, threads)
        if not part.size:  # it has left the picture
            continue
        changed = np.s_[:, top : top + part.shape[1], left : left + part.shape[2]]
        rows, columns = (slice(max(o - 2 * REACH, 0), o + n + 2 * REACH) for o, n in zip((top, left), part.shape[1:], strict=True))
        around = np.s_[:, rows, columns]
        kept += [(ideal.signals, changed, ideal.signals[changed].copy()), (prepared_signals, around, prepared_signals[around].copy())]
        ideal.signals[changed] = part
        inner = tuple(
            slice(REACH if w.start else 0, -REACH if w.stop < n else None)
            for w, n in zip((rows, columns), ideal.signals.shape[1:], strict=True)
        )
        prepared_signals[around][:, *inner] = prepared(ideal.signals[around], rig.oversample, threads)[:, *inner]
    try:
        yield
    finally:
        for signals, where, before in reversed(kept):
            signals[where] = before


def white_luminance(scene: Scene) -> float:
    """Luminance (cd/m^2) of a perfect white diffuser on the scene's reference plane."""
    return scene.illuminance_lx / np.pi


def autofocus_m(scene: Scene) -> float:
    """Distance of the nearest still layer that covers a part of the picture worth looking at; far if there is none."""
    for layer in sorted(scene.layers, key=lambda layer: layer.distance_m):
        if not layer.moves and ((cover := layer.painted().cover) is None or float(cover.mean()) >= SUBJECT):
            return layer.distance_m
    return np.inf


def bracketed(exposure: Exposure, steps_ev: Sequence[float]) -> list[Exposure]:
    """An exposure and others of it by steps in EV, by time."""
    return [replace(exposure, exposure_s=exposure.exposure_s * 2.0**step, ev=exposure.ev + step) for step in steps_ev]
