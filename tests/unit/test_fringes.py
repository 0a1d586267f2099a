"""Fringes: against the oracle, on synthetic lenses, and on real colour that must stay."""

import numpy as np
import pytest
from finishing import chroma, defocused, edge, finish
from oracle import fringes as oracle

FULL = {"fringes_purple": 1.0, "fringes_green": 1.0}


def stripes(colour, ground, period=9, width=2, size=64):
    """Thin lines of one colour on another."""
    scene = np.empty((size, size, 3))
    scene[:] = ground
    scene[:, np.arange(size) % period < width] = colour
    return scene


@pytest.mark.parametrize("shape", [(8, 16), (34, 50), (51, 67), (130, 33)])
def test_kernel_matches_oracle(shape, isa):
    noisy = np.random.default_rng(1).normal(0.5, 0.5, (*shape, 3)).astype(np.float32)
    fringed = defocused(edge(size=144), (1.8, 0.8, 2.5))[: shape[0], 50 : 50 + shape[1]].astype(np.float32)
    for rgb in (noisy, fringed):
        np.testing.assert_allclose(finish(rgb, fringes_purple=0.9, fringes_green=0.5), oracle.fringes(rgb, 0.9, 0.5), atol=1e-4)


def test_off_is_bit_exact():
    rgb = np.random.default_rng(2).normal(0.5, 0.5, (34, 50, 3)).astype(np.float32)
    np.testing.assert_array_equal(finish(rgb), rgb)


@pytest.mark.parametrize(("sigmas", "left"), [((1.8, 0.8, 2.5), 0.15), ((0.8, 0.8, 2.0), 0.15), ((0.8, 2.2, 0.8), 0.35)])
@pytest.mark.parametrize("level", [2.0, 4.0, 16.0])
def test_fringe_at_a_clipped_edge_goes(sigmas, left, level):
    scene = edge(bright=(level,) * 3)
    fringed = defocused(scene, sigmas)
    result = finish(fringed, **FULL)
    assert chroma(result).sum() < left * chroma(fringed).sum()
    np.testing.assert_array_equal(result[..., 1], fringed[..., 1].astype(np.float32))


def test_fringe_goes_over_a_green_ground_and_the_green_stays():
    scene = edge(dark=(0.03, 0.08, 0.02))
    fringed, sharp = defocused(scene, (1.8, 0.8, 2.5)), defocused(scene, (0.8, 0.8, 0.8))
    result = finish(fringed, **FULL)
    assert chroma(result - sharp).sum() < 0.2 * chroma(fringed - sharp).sum()
    np.testing.assert_allclose(result[:, :20], sharp[:, :20], atol=2e-3)


@pytest.mark.parametrize("angle", [0, 1])
def test_direction_does_not_matter(angle):
    fringed = np.rot90(defocused(edge(), (1.8, 0.8, 2.5)), angle)
    np.testing.assert_allclose(np.rot90(finish(np.rot90(fringed), **FULL), -1), finish(fringed, **FULL), atol=1e-5)


@pytest.mark.parametrize("bright", [(4.0, 4.0, 4.0), (0.5, 0.7, 1.0)])
def test_edge_without_fringe_stays(bright):
    plain = defocused(edge(bright=bright), (0.8, 0.8, 0.8))
    np.testing.assert_allclose(finish(plain, **FULL), plain, atol=2e-4)


def test_wide_purple_object_before_clipped_sky_stays():
    plain = defocused(edge(dark=(0.2, 0.06, 0.28)), (0.8, 0.8, 0.8))
    assert chroma(finish(plain, **FULL) - plain).sum() < 0.02 * chroma(plain).sum()


@pytest.mark.parametrize("ground", [(0.18, 0.18, 0.18), (0.05, 0.1, 0.03)])
def test_purple_patch_and_texture_stay(ground):
    purple = (0.2, 0.06, 0.28)
    patch = edge(dark=purple, bright=ground)
    for scene in (patch, stripes(purple, ground), stripes(ground, purple)):
        plain = defocused(scene, (0.6, 0.6, 0.6))
        assert chroma(finish(plain, **FULL) - plain).sum() < 0.01 * chroma(plain).sum()


def test_flat_noise_stays():
    rgb = np.random.default_rng(3).normal([[0.0]], 0.01, (64, 64, 3)) + np.linspace(0, 0.9, 64)[:, None, None]
    np.testing.assert_allclose(finish(rgb, **FULL), rgb, atol=1e-4)
