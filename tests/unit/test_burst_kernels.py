"""Kernels of the burst merge against their oracles: sizes that fill no tile, displacements that leave the frame, borders."""

import numpy as np
import pytest
from oracle import burst as oracle

from apochromat.develop.burst.planes import BORDER, planes
from apochromat.develop.burst.sums import Sums
from apochromat.light.noise import NoiseModel
from apochromat.native import kernels

SHAPES = [(18, 20), (34, 50), (66, 38), (62, 130)]  # of mosaics
NOISE = NoiseModel(np.full(3, 2e-3), np.full(3, 2e-5))
FAR = [0.0, 0.5, -0.25, 3.3, -17.4, 90.0, -1e4, 1e9]  # displacements that are put among the others, each one of a tile


def field(rng, height, width):
    """A smooth picture with noise, about 0..1."""
    y, x = np.mgrid[:height, :width]
    return (0.4 + 0.3 * np.sin(0.35 * x + 0.2 * y) * np.cos(0.11 * y) + 0.05 * rng.standard_normal((height, width))).astype(np.float32)


def displacements(rng, rows, columns, spread=6.0):
    """Displacements (rows, columns, 2) of all sizes, some of which look past the frame."""
    flow = rng.uniform(-spread, spread, (rows, columns, 2)).astype(np.float32)
    flow.reshape(-1)[: len(FAR)] = FAR[: flow.size]
    return flow


def bordered(plane):
    """As kernels want planes: the border repeated."""
    return np.pad(plane, [(0, 0)] * (plane.ndim - 2) + [(BORDER, BORDER)] * 2, "edge")


def tiles(length, side):
    return -(-length // side)


def agree(found, expected, scale=None):
    """Within 1e-4 of the largest value, or of `scale`; and the values are not all alike."""
    scale = np.abs(expected).max() if scale is None else scale
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * float(np.max(scale)))
    assert np.ptp(expected) > 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("gain", "ceiling"), [(1.0, 1e9), (3.7, 0.98), (0.3, 0.2)])
def test_planes_equal_oracle(shape, gain, ceiling):
    rng = np.random.default_rng(1)
    mosaic = field(rng, *shape) - np.float32(0.3)  # black noise is negative, and the root's argument too
    mosaic[rng.random(shape) < 0.03] = 2.0  # hot pixels
    stabilise = np.column_stack([rng.uniform(100, 900, 4), rng.uniform(1, 30, 4)]).astype(np.float32)
    found = planes(mosaic, stabilise, NOISE, gain, ceiling)
    colors, grey, samples = oracle.planes(mosaic, stabilise, (NOISE.scale[0], NOISE.offset[0]), gain, ceiling)
    agree(found.colors, bordered(colors))
    agree(found.pyramid[0], bordered(grey))
    agree(found.samples, bordered(samples))


@pytest.mark.parametrize("shape", [(5, 4), (33, 70), (129, 47)])
def test_halves_equal_oracle(shape):
    plane = field(np.random.default_rng(2), *shape)
    found = np.empty([n // 2 + 2 * BORDER for n in shape], np.float32)
    kernels.burst_halve(plane=bordered(plane), half=found)
    agree(found, bordered(oracle.halve(plane)))


@pytest.mark.parametrize("shape", [(17, 18), (33, 20), (50, 33)])
def test_normal_equations_equal_oracle(shape):
    rng = np.random.default_rng(3)
    one, other = field(rng, *shape), field(rng, *shape)
    flow = displacements(rng, *(tiles(n, 16) for n in shape))
    found = np.empty((*flow.shape[:2], 7), np.float32)
    kernels.burst_align(reference=bordered(one), frame=bordered(other), flow=flow, sums=found)
    expected = oracle.align(one, other, flow)
    for n in range(7):
        agree(found[..., n], expected[..., n], scale=np.abs(expected[..., n]).max() + 1e-3)


@pytest.mark.parametrize("shape", [(9, 10), (16, 24), (25, 43)])
def test_differences_equal_oracle(shape):
    rng = np.random.default_rng(4)
    one, other = (np.stack([field(rng, *shape) for _ in range(3)]) for _ in range(2))
    flow = displacements(rng, *(tiles(n, 8) for n in shape))
    found = np.empty((*flow.shape[:2], 6), np.float32)
    kernels.burst_trust(reference=bordered(one), frame=bordered(other), flow=flow, facts=found)
    agree(found, oracle.trust(one, other, flow))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("gain", "limit", "dark"), [(1.0, 1e9, 0.0), (4.0, 0.98, 0.02)])
def test_sums_equal_oracle(shape, gain, limit, dark):
    """Two frames one after the other, one at half its trust, with hot samples and an edge in them; counted as the class does it."""
    rng = np.random.default_rng(5)
    model, sums, expected = (NOISE.scale[0], NOISE.offset[0]), Sums.empty(*shape), np.zeros((2, *shape))
    grid = [tiles(n, 16) for n in shape]
    for share in (1.0, 0.5):
        mosaic = field(rng, *shape)
        mosaic[rng.random(shape) < 0.02] = 3.0
        mosaic[:, shape[1] // 2 :] *= 0.1
        believed, flow = rng.uniform(0, share, grid), displacements(rng, *grid)
        shown = planes(mosaic, np.ones((4, 2), np.float32), NOISE, limit=limit)
        sums.add(shown.samples, flow, believed, gain, gain * limit, clipped=0.01, dark=dark)
        expected += oracle.add(mosaic.astype(np.float64), flow, believed, model, gain, limit, isolated=0.02, clipped=0.01, dark=dark)
    for found, true in zip(sums.light.reshape(2, *shape), expected, strict=True):
        agree(found, true)


@pytest.mark.parametrize("grid", [(2, 3), (7, 5)])
def test_kernels_of_the_samples_equal_oracle(grid):
    rng = np.random.default_rng(6)
    flow, believed = displacements(rng, *grid, spread=9), rng.uniform(0, 1, grid).astype(np.float32)
    flow = np.where(np.abs(flow) > 1e5, np.float32(0.5), flow)  # where a float has no fraction left there is nothing to compare
    before = rng.uniform(0, 1, (*grid, 4, 6, 6)).astype(np.float32)
    found = np.empty_like(before)
    kernels.burst_spread(flow=flow, trust=believed, before=before, seen=found)
    agree(found, before + oracle.spread(flow, believed))
    np.testing.assert_allclose((found - before).sum((-2, -1)), np.repeat(believed[..., None], 4, -1), atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 10), (18, 22), (34, 46), (40, 150)])
def test_pilot_equals_oracle(shape):
    """Of seeds the first whose coefficients all keep a distance from the threshold, since the two may differ in what they keep there."""
    balance = np.array([[1.8, 1.0], [1.0, 1.6]], np.float32)
    noise, threshold, rounding = np.array([2e-3, 2e-5], np.float32), 3.0, 2e-5
    for seed in range(40):
        rng = np.random.default_rng(seed)
        mosaic = (field(rng, *shape) / np.tile(balance, (shape[0] // 2, shape[1] // 2))).astype(np.float32)
        frames = rng.uniform(1, 8, [tiles(n, 16) for n in shape]).astype(np.float32)
        frames = np.pad(frames, [(0, int(n == 1)) for n in frames.shape], "edge")
        expected, distance = oracle.pilot(mosaic, balance, noise, frames, threshold)
        if distance > rounding:
            break
    assert distance > rounding, "expected a picture whose coefficients are all far from the threshold"
    found = np.empty((shape[0] // 2, 2, shape[1] // 2, 2), np.float32)
    kernels.burst_pilot(mosaic=mosaic, balance=balance, noise=noise, frames=frames, threshold=threshold, pilot=found)
    agree(found.reshape(shape), expected)
    assert np.abs(expected - mosaic * np.tile(balance, (shape[0] // 2, shape[1] // 2))).max() > 0.01


@pytest.mark.parametrize("shape", SHAPES)
def test_restoring_equals_oracle(shape):
    rng = np.random.default_rng(7)
    merged, picture = field(rng, *shape), np.stack([field(rng, *shape) for _ in range(3)])
    grid = [tiles(n, 16) for n in shape]
    seen, trusted = (rng.uniform(*r, (*grid, *more)).astype(np.float32) for r, more in (((-0.1, 0.3), (4, 6, 6)), ((1, 8), ())))
    below, above = (trusted * rng.uniform(*r, grid).astype(np.float32) for r in ((0.2, 0.8), (1.5, 3.0)))
    weight = (oracle.between_tiles(trusted, *shape) * rng.choice([3.5, 1.3, 1.0, 0.95, 0.85, 0.1], shape)).astype(np.float32)
    scale, cells = np.array([0.5, 1.0, 0.7], np.float32), (shape[0] // 2, 2, shape[1] // 2, 2)
    found = np.empty(cells, np.float32)
    kernels.burst_restore(
        merged=merged.reshape(cells), weight=weight.reshape(cells), below=below, trusted=trusted, above=above, picture=picture, scale=scale,
        seen=seen, restored=found,
    )  # fmt: skip
    agree(found.reshape(shape), oracle.restore(merged, weight, picture, scale, seen, below, trusted, above))


@pytest.mark.parametrize("shape", SHAPES)
def test_limiting_equals_oracle(shape):
    """In place; most samples stay as they are, some do not."""
    rng = np.random.default_rng(8)
    merged, beyond, cells = (
        field(rng, *shape) * rng.choice([0.05, 1.0], shape, p=[0.005, 0.995]).astype(np.float32),
        0.25,
        (shape[0] // 2, 2, shape[1] // 2, 2),
    )
    restored = (merged + 0.3 * rng.standard_normal(shape)).astype(np.float32)
    found = restored.reshape(cells).copy()
    kernels.burst_limit(merged=merged.reshape(cells), restored=found, beyond=beyond, dark=0.05, limited=found)
    agree(found.reshape(shape), oracle.limit(merged, restored, beyond, dark=0.05))
    assert 0.1 < np.mean(found.reshape(shape) == restored) < 0.9
