"""A handheld burst becomes one RAW frame: align, compare, average, restore. Frames are held one at a time.

Every frame is laid on the reference (align.py), believed where both show the same (trust.py), and its nearest samples are averaged
(sums.py); what looking off the pixel softened is put back where it is certain (restore.py). Frames of other exposures are first brought
to the reference's scale of light and weigh by their noise; where and beside where a long one clips, the shorter ones alone count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from apochromat.develop import linearise, opcodes1
from apochromat.develop.burst.align import align
from apochromat.develop.burst.planes import UNLIMITED, Planes, planes
from apochromat.develop.burst.restore import restore
from apochromat.develop.burst.sums import Sums
from apochromat.develop.burst.trust import TILE, grid, highest_around, tile_means, trust
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
CLIPPED = 1e-5  # weight of the reference's clipped samples: they count where there is nothing else
DARK = 2.0  # standard deviations of read noise
PATIENCE = 4.0  # times as far as usual a shorter frame may differ where the reference clips, since little else shows what is there
SLACK = 0.4  # cells: by how much what clips may seem larger in the longer frame, where movement and glare widen it
LARGE = 0.15  # share of a tile: clipped parts from this size on cannot move so little unseen
MEASURABLE = 10.0  # standard deviations: tiles with a mean below that say little of the ratio of two exposures
COMPARED = 50  # tiles at least, from which a ratio is told


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
        self.sums = Sums.empty(*self.shape)
        self.share: dict[str, float] = {reference.path: 1.0}
        self.mosaic, self.ceiling, self.transform = first.mosaic, UNLIMITED, stabilisation(first.noise)
        limit = self._limit(1.0)
        self.planes = planes(first.mosaic, self.transform, first.noise, limit=limit)
        still = np.zeros((*self.tiles, 2), np.float32)
        self.sums.add(self.planes.samples, still, np.ones(self.tiles), reach=limit, clipped=CLIPPED)

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
            del shown  # before there are two
            other = replace(other, gain=other.gain * self._light_ratio(other, flow))
            shown, flow = self._aligned(other)
        relative = self._relative_noise(other)
        own = 1 / np.maximum(relative, 1) if self._rougher(other) else 1.0
        patience, slack = (self.patience, self.slack) if other.gain > 1 / CLIPS else (1.0, 0.0)
        weight = trust(self.planes, shown, flow, own, own * relative, patience, slack)
        share = float(weight.mean())
        self.share[frame.path] = share if share >= HOPELESS else 0.0
        if share >= HOPELESS:
            reach, dark = other.gain * self._limit(other.gain), _dark(other.noise) if self.shortest > 1 else 0.0
            self.sums.add(shown.samples, 2 * flow, weight, other.gain, reach, relative, dark=dark)
        return share

    def result(self) -> Merged:
        """The merged frame: 16-bit samples over a pedestal, noise of the median effective number of frames, and their map."""
        a, sums = self.base.active, self.sums
        del self.sums, self.planes, self.mosaic
        merged, frames = sums.mean(), sums.frames
        if len(self.share) > 1:
            neutral = as_shot_neutral(self.base.profile)
            merged = restore(merged, sums, self.noise, neutral, _dark(self.noise))
            if self.shortest > 1:
                _whiten(merged, sums.light[1], neutral)
        frames = np.ascontiguousarray(frames[: -(-a.height // CELL), : -(-a.width // CELL)])
        return Merged(self._frame(merged, frames), frames, self.share)

    @cached_property
    def level(self) -> np.ndarray:
        """Mean light of the reference's tiles."""
        return tile_means(self.mosaic, 2 * TILE)

    @cached_property
    def highest(self) -> np.ndarray:
        """Highest light of the reference in and beside each tile."""
        rows, columns = (np.arange(n) * 2 * TILE for n in self.tiles)
        return highest_around(np.maximum.reduceat(np.maximum.reduceat(self.mosaic, rows, axis=0), columns, axis=1))

    @cached_property
    def patience(self) -> np.ndarray:
        """How many times as far as usual the tiles of a shorter frame may differ from the reference."""
        return np.where(self.highest > CLIPS, PATIENCE, 1.0)

    @cached_property
    def slack(self) -> np.ndarray:
        """By how many cells edges may lie apart in and beside tiles much of which the reference clips."""
        clipped = tile_means((self.mosaic > CLIPS).astype(np.float32), 2 * TILE)
        return np.where(highest_around(clipped) > LARGE, SLACK, 0.0)

    def _limit(self, gain: float) -> float:
        """Value at which a frame's samples stop counting: where it clips, if another frame of the burst clips later."""
        return UNLIMITED if gain > 0.9 * self.shortest else CLIPS

    def _aligned(self, other: Exposed) -> tuple[Planes, np.ndarray]:
        """A frame's planes and displacements, both frames cut where the first of them clips and stabilised as the noisier of them."""
        ceiling = CLIPS * min(1.0, other.gain) if other.gain != 1.0 else UNLIMITED
        transform = stabilisation(_amplified(other.noise, other.gain) if self._rougher(other) else self.noise)
        if ceiling != self.ceiling or not np.array_equal(transform, self.transform):
            del self.planes  # before there are two
            self.ceiling, self.transform = ceiling, transform
            self.planes = planes(self.mosaic, transform, self.noise, 1.0, ceiling)
        shown = planes(other.mosaic, transform, other.noise, other.gain, ceiling, self._limit(other.gain))
        return shown, align(self.planes, shown).at_tiles(*self.tiles, TILE)

    def _light_ratio(self, other: Exposed, flow: np.ndarray) -> float:
        """Ratio of the reference's light to the frame's under the gain that its file states, where both show middle tones."""
        level = tile_means(other.mosaic, 2 * TILE)
        rows, columns = np.indices(self.tiles)
        there = [(n + flow[..., k] / TILE).round().astype(int) for n, k in ((rows, 1), (columns, 0))]
        inside = np.all([(n >= 0) & (n < side) for n, side in zip(there, self.tiles, strict=True)], axis=0)
        level = np.where(inside, level[tuple(n.clip(0, side - 1) for n, side in zip(there, self.tiles, strict=True))], 0)
        shown = ((self.noise, self.level), (other.noise, level))
        least = [MEASURABLE * np.sqrt(m.offset.mean() + m.scale.mean() * np.maximum(n, 0)) / (2 * TILE) for m, n in shown]
        usable = inside & (self.highest < 0.9 * min(1.0, other.gain)) & (self.level > least[0]) & (level > least[1])
        if usable.sum() < COMPARED:
            return 1.0
        own, seen = self.level[usable], other.gain * level[usable]
        alike = np.abs(own / seen / np.median(own / seen) - 1) < 0.2  # what moved says nothing
        ratio = float(own[alike].sum() / seen[alike].sum())
        return ratio if 0.7 < ratio < 1.4 else 1.0

    def _rougher(self, other: Exposed) -> bool:
        """Whether the frame's noise in the dark, on the reference's scale, is above the reference's."""
        return bool(other.gain**2 * other.noise.offset.mean() > 1.01 * self.noise.offset.mean())

    def _relative_noise(self, other: Exposed) -> np.ndarray:
        """Variance of the frame's noise on the reference's scale over that of the reference, per tile."""
        if (
            other.gain == 1.0
            and np.array_equal(other.noise.scale, self.noise.scale)
            and np.array_equal(other.noise.offset, self.noise.offset)
        ):
            return np.ones(self.tiles)
        signal = np.maximum(self.level, 0)
        own = [m.scale.mean() * signal + m.offset.mean() for m in (self.noise, _amplified(other.noise, other.gain))]
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


def _dark(noise: NoiseModel) -> float:
    """Value below which one sample tells nothing of the scene's contrast."""
    return DARK * float(np.sqrt(noise.offset.max()))


def _whiten(merged: np.ndarray, weight: np.ndarray, neutral: np.ndarray) -> None:
    """Where clipped samples alone are left, as in a lamp that moved, take them for white light: at least as bright as the last to clip."""
    height, width = merged.shape
    cells = merged.reshape(height // 2, 2, width // 2, 2)
    white = (CLIPS * neutral / neutral.min())[[0, 1, 1, 2]].reshape(2, 1, 2).astype(np.float32)
    unknown = (weight < 10 * CLIPPED) & (cells > CLIPS)
    np.maximum(cells, white, out=cells, where=unknown)


def _amplified(noise: NoiseModel, gain: float) -> NoiseModel:
    """The noise of samples of this model times `gain`."""
    return NoiseModel(gain * noise.scale, gain * gain * noise.offset)
