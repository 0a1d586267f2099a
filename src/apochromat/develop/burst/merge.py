"""A handheld burst becomes one RAW frame: align, compare, average, restore. Frames are held one at a time.

Every frame is laid on the reference (align.py), believed where both show the same (trust.py), and its nearest samples are averaged
(sums.py); what looking off the pixel softened is put back where it is certain (restore.py). Frames of other exposures are first brought
to the reference's scale of light; where a long one clips, the shorter ones alone count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from apochromat.develop import linearise, opcodes1
from apochromat.develop.burst.align import align
from apochromat.develop.burst.planes import Planes, planes
from apochromat.develop.burst.restore import restore
from apochromat.develop.burst.sums import UNLIMITED, Sums
from apochromat.develop.burst.trust import TILE, grid, trust
from apochromat.develop.denoise_variance import stabilisation
from apochromat.develop.dng_color import as_shot_neutral
from apochromat.develop.noise_estimate import estimate_noise
from apochromat.light.development import Development
from apochromat.light.noise import CELL, NoiseModel
from apochromat.light.raw_frame import Box, Levels, RawFrame

HOPELESS = 0.1  # share of the frame that must be believed for it to be of use
SMALLEST = 64  # pixels
WHITE = 65535
CLEAR = 6.0  # standard deviations of read noise between 0 and the black level
LEAST_BLACK = 256
CLIPS = 0.98  # of white: samples above it may be clipped
LEAST_NOISE = 1e-10  # variance of frames that show none at all
MEASURABLE = 0.02  # of white: darker tiles say little of the ratio of two exposures


@dataclass(frozen=True)
class Merged:
    """The merged frame, and what became of each: `share` of the picture where it was believed, 0 for those left out."""

    frame: RawFrame
    frames: np.ndarray  # (rows, columns) effective number of frames in cells of 16 x 16 px
    share: dict[str, float]


@dataclass(frozen=True)
class Exposed:
    """A frame made linear: RGGB mosaic, its noise, and the gain that brings its light to the reference's scale."""

    mosaic: np.ndarray
    noise: NoiseModel
    gain: float
    origin: tuple[int, int]


class Merge:
    """A merge under way: `add` frames one after the other, then take the `result`.

    reference: the frame that the others are laid on, with a mosaic; its geometry, colour and metadata become the result's.
    shortest: gain of the shortest exposure of the burst, 1 where all are the same.
    Raises ValueError where the reference cannot be made linear or is too small to align.
    """

    def __init__(self, reference: RawFrame, shortest: float = 1.0) -> None:
        first = exposed(reference, 1.0)
        if min(first.mosaic.shape) < SMALLEST:
            raise ValueError(
                f"expected frames of at least {SMALLEST} x {SMALLEST} pixels to merge, found {first.mosaic.shape[::-1]}: {reference.path}"
            )
        self.base, self.noise, self.origin, self.shortest = reference, first.noise, first.origin, max(shortest, 1.0)
        self.shape, self.tiles = first.mosaic.shape, grid(*first.mosaic.shape)
        self.stabilise = stabilisation(first.noise)
        self.sums = Sums.empty(*self.shape)
        self.share: dict[str, float] = {reference.path: 1.0}
        self.mosaic, self.ceiling = first.mosaic, UNLIMITED
        self.planes = planes(first.mosaic, self.stabilise, first.noise)
        still = np.zeros((*self.tiles, 2), np.float32)
        self.sums.add(self.planes.samples, still, np.ones(self.tiles), limit=self._limit(1.0))

    def add(self, frame: RawFrame, gain: float = 1.0) -> float:
        """Add a frame whose light times `gain` is on the reference's scale; the share of the picture where it is believed.

        A frame believed in less than HOPELESS of the picture is left out. Raises ValueError where it cannot be made linear.
        """
        other = exposed(frame, gain)
        if other.mosaic.shape != self.shape:
            raise ValueError(
                f"expected a frame of {self.shape[1]} x {self.shape[0]} pixels, found {other.mosaic.shape[::-1]}: {frame.path}"
            )
        shown, flow = self._aligned(other)
        if gain != 1.0:
            other = replace(other, gain=other.gain * self._light_ratio(other, flow))
            shown, flow = self._aligned(other)
        relative = self._relative_noise(other)
        weight = trust(self.planes, shown, flow, float(np.median(relative)))
        share = float(weight.mean())
        self.share[frame.path] = share if share >= HOPELESS else 0.0
        if share >= HOPELESS:
            self.sums.add(shown.samples, 2 * flow, weight, other.gain, self._limit(other.gain), relative)
        return share

    def result(self) -> Merged:
        """The merged frame: 16-bit samples over a pedestal, noise of the median effective number of frames, and their map."""
        a, sums = self.base.active, self.sums
        del self.sums, self.planes, self.mosaic
        merged, frames = sums.mean(), sums.frames
        if len(self.share) > 1:
            merged = restore(merged, sums, self.noise, as_shot_neutral(self.base.profile))
        frames = np.ascontiguousarray(frames[: -(-a.height // CELL), : -(-a.width // CELL)])
        return Merged(self._frame(merged, frames), frames, self.share)

    @cached_property
    def level(self) -> np.ndarray:
        """Mean light of the reference's tiles."""
        return _tile_means(self.mosaic, self.tiles)

    def _limit(self, gain: float) -> float:
        """Value at which a frame's samples stop counting: where it clips, if another frame of the burst clips later."""
        return UNLIMITED if gain > 0.9 * self.shortest else CLIPS

    def _aligned(self, other: Exposed) -> tuple[Planes, np.ndarray]:
        """A frame's planes and displacements, both frames cut where the first of them clips."""
        ceiling = CLIPS * min(1.0, other.gain) if other.gain != 1.0 else UNLIMITED
        if ceiling != self.ceiling:
            self.ceiling, self.planes = ceiling, planes(self.mosaic, self.stabilise, self.noise, 1.0, ceiling)
        shown = planes(other.mosaic, self.stabilise, other.noise, other.gain, ceiling)
        return shown, align(self.planes, shown).at_tiles(*self.tiles, TILE)

    def _light_ratio(self, other: Exposed, flow: np.ndarray) -> float:
        """Ratio of the reference's light to the frame's under the gain that its file states, where both show middle tones."""
        level = _tile_means(other.mosaic, self.tiles)
        rows, columns = np.indices(self.tiles)
        there = [(n + flow[..., k] / TILE).round().astype(int) for n, k in ((rows, 1), (columns, 0))]
        inside = np.all([(n >= 0) & (n < side) for n, side in zip(there, self.tiles, strict=True)], axis=0)
        level = np.where(inside, level[tuple(n.clip(0, side - 1) for n, side in zip(there, self.tiles, strict=True))], 0)
        usable = (np.minimum(level, self.level) > MEASURABLE) & (np.maximum(level, self.level) < 0.7)
        if usable.sum() < 50:
            return 1.0
        ratio = float(np.median(self.level[usable] / (other.gain * level[usable])))
        return ratio if 0.7 < ratio < 1.4 else 1.0

    def _relative_noise(self, other: Exposed) -> np.ndarray:
        """Variance of the frame's noise on the reference's scale over that of the reference, per tile."""
        if (
            other.gain == 1.0
            and np.array_equal(other.noise.scale, self.noise.scale)
            and np.array_equal(other.noise.offset, self.noise.offset)
        ):
            return np.ones(self.tiles)
        signal = np.maximum(self.level, 0)
        own = [m.scale.mean() * g * signal + g * g * m.offset.mean() for m, g in ((self.noise, 1.0), (other.noise, other.gain))]
        return np.where(own[0] > 0, own[1] / np.maximum(own[0], 1e-30), 1.0)

    def _frame(self, merged: np.ndarray, frames: np.ndarray) -> RawFrame:
        """The merged mosaic as a RAW frame with the reference's geometry, colour and metadata."""
        base, a = self.base, self.base.active
        read_noise = float(np.sqrt(self.noise.offset.max()))
        black = min(float(np.ceil(max(LEAST_BLACK, 1.05 * CLEAR * read_noise * WHITE / self.shortest))), WHITE / 4)
        top, left = -self.origin[0], -self.origin[1]
        light = merged[top : top + a.height, left : left + a.width]
        samples = np.rint(np.clip(light * ((WHITE - black) / self.shortest) + black, 0, WHITE)).astype(np.uint16)
        median = float(np.median(frames))
        noise = NoiseModel(self.noise.scale / (self.shortest * median), self.noise.offset / (self.shortest**2 * median), frames)
        return replace(
            base,
            samples=samples,
            levels=Levels(np.full((1, 1, 1), black, np.float32), np.full(4, WHITE, np.float32)),
            active=Box(0, 0, a.height, a.width),
            baseline_exposure_ev=base.baseline_exposure_ev + float(np.log2(self.shortest)),
            noise=noise,
            opcodes1=(),
        )


def exposed(frame: RawFrame, gain: float) -> Exposed:
    """A frame's samples after its own corrections of stored numbers, made linear; noise estimated where the file states none."""
    development = Development(frame=frame, noise=frame.noise)
    for stage in (opcodes1.STAGE, linearise.STAGE):
        development = stage.run(development, stage.params())
    mosaic, noise = development.mosaic, development.noise
    if mosaic is None:
        raise ValueError(f"expected a frame with a mosaic, found none: {frame.path}")
    noise = noise or estimate_noise(mosaic, development.gain)
    if not max(noise.scale.max(), noise.offset.max()) > 0:
        noise = NoiseModel(noise.scale, noise.offset + LEAST_NOISE)
    return Exposed(mosaic, noise, gain, development.origin)


def _tile_means(mosaic: np.ndarray, tiles: tuple[int, int]) -> np.ndarray:
    """Mean of each tile of 16 x 16 pixels, those at the border of what they hold."""
    side = 2 * TILE
    rows, columns = (np.arange(n) * side for n in tiles)
    total = np.add.reduceat(np.add.reduceat(mosaic, rows, axis=0), columns, axis=1)
    counts = (np.minimum(n + side, size) - n for n, size in zip((rows, columns), mosaic.shape, strict=True))
    return total / np.multiply.outer(*counts)
