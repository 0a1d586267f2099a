"""Gamut: against the oracle, inside untouched, outside brought in with its hue."""

import numpy as np
import pytest
from finishing import finish
from oracle.gamut import gamut as oracle
from oracle.opponent import join, split

from apochromat.light.spaces import conversion, rgb_to_cones
from apochromat.look.gamut import cones_to

OPPONENTS = np.array([[1.9779984951, -2.4285922050, 0.4505937099], [0.0259040371, 0.7827717662, -0.8086757660]])  # of Oklab


def gamut(rgb, space="srgb", knee=0.9):
    return finish(rgb, gamut_on=1, gamut_knee=knee, gamut_cones_to_output=cones_to(space))


def inside(space, shape=(34, 50), low=0.0, seed=0):
    """Working RGB of colours inside a space."""
    colours = np.random.default_rng(seed).uniform(low, 1, (*shape, 3))
    return (colours @ conversion(space, "rec2020").T).astype(np.float32)


def hues(columns=360):
    """Fully saturated colours of Rec.2020 at several brightnesses (8, columns, 3)."""
    wheel = np.abs((np.arange(columns)[:, None] / columns * 6 + [0, 4, 2]) % 6 - 3) - 1
    return np.clip(wheel, 0, 1) * np.geomspace(0.02, 0.9, 8)[:, None, None]


def oklab_hue(rgb):
    """Oklab hue in degrees and chroma of linear Rec.2020."""
    a, b = np.moveaxis(np.cbrt(rgb @ rgb_to_cones("rec2020").T) @ OPPONENTS.T, -1, 0)
    return np.degrees(np.arctan2(b, a)), np.hypot(a, b)


@pytest.mark.parametrize("shape", [(8, 16), (17, 20)])
@pytest.mark.parametrize(("space", "knee"), [("srgb", 0.9), ("srgb", 1.0), ("display-p3", 0.7)])
def test_kernel_matches_oracle(shape, space, knee, isa):
    rng = np.random.default_rng(5)
    rgb = rng.normal(0.3, 0.5, (*shape, 3)) * 10 ** rng.uniform(-2, 0.5, (*shape, 1))
    expected = oracle(rgb.astype(np.float32).astype(float).reshape(-1, 3), knee, space).reshape(rgb.shape)
    np.testing.assert_allclose(gamut(rgb, space, knee), expected, atol=1e-4)


def test_off_is_bit_exact():
    rgb = np.random.default_rng(6).normal(0.5, 1, (34, 50, 3)).astype(np.float32)
    np.testing.assert_array_equal(finish(rgb), rgb)


@pytest.mark.parametrize("space", ["srgb", "display-p3"])
def test_what_fits_is_left_alone(space):
    """With the knee on the surface every colour of the space passes, and bit-exactly so unless it lies on the surface itself."""
    rgb = inside(space, (96, 128))
    np.testing.assert_allclose(gamut(rgb, space, 1.0), rgb, atol=2e-4)
    kept = inside(space, low=0.02) * np.float32(0.98)
    np.testing.assert_array_equal(gamut(kept, space, 1.0), kept)


def test_moderate_colours_pass_the_default_knee_bit_exactly():
    rgb = inside("srgb", low=0.1) * np.float32(0.9)
    np.testing.assert_array_equal(gamut(rgb), rgb)


@pytest.mark.parametrize("space", ["srgb", "display-p3"])
@pytest.mark.parametrize("knee", [0.6, 0.9, 1.0])
def test_every_colour_ends_in_the_gamut(space, knee):
    rng = np.random.default_rng(7)
    rgb = np.concatenate([hues(), rng.normal(0.2, 0.3, (8, 360, 3)).clip(-0.2, 0.8)])
    out = gamut(rgb, space, knee) @ conversion("rec2020", space).T
    assert out.min() > -1e-4
    assert out.max() < 1 + 1e-4


@pytest.mark.parametrize("space", ["srgb", "display-p3"])
def test_hue_is_kept_round_the_wheel(space):
    """Within 4 degrees of Oklab hue, the purest blue within 9; clipping channel by channel is far off: the test can fail."""
    rgb = hues()
    target, _ = oklab_hue(rgb)
    mapped, chroma = oklab_hue(gamut(rgb, space).astype(float))
    turn = np.abs((mapped - target + 180) % 360 - 180)[chroma > 0.02]
    assert turn.max() < 9
    assert np.quantile(turn, 0.95) < 4
    clipped = (rgb @ conversion("rec2020", space).T).clip(0, 1) @ conversion(space, "rec2020").T
    assert np.abs((oklab_hue(clipped)[0] - target + 180) % 360 - 180).max() > 2 * turn.max()


def test_order_of_saturation_is_kept():
    """From grey outwards at one lightness and hue the result moves outwards too, ever more slowly, and never back."""
    lightness, chroma = split(np.array([0.02, 0.05, 0.6]))
    reach = np.linspace(0, 1.5, 256)[None, :, None].repeat(8, 0)
    line = join(np.full(reach.shape[:2], lightness), reach * chroma)
    moved = np.linalg.norm(split(gamut(line).astype(float))[1], axis=-1)
    assert np.diff(moved).min() > -1e-5
    assert np.diff(moved, n=2).max() < 1e-4


def test_display_p3_holds_more():
    rgb = hues()
    moved = [np.abs(gamut(rgb, space) - rgb).mean() for space in ("srgb", "display-p3")]
    assert moved[1] < 0.75 * moved[0]


def test_greys_and_wild_input():
    greys = np.repeat(np.geomspace(1e-6, 10, 64).reshape(4, 16, 1), 3, -1).astype(np.float32)
    np.testing.assert_allclose(gamut(greys), greys, rtol=2e-6)
    extremes = np.array([-1e6, -1, -1e-9, 0, 1e-9, 0.18, 1, 1e3, 1e6])
    cube = np.stack(np.meshgrid(extremes, extremes, extremes), -1).reshape(27, 27, 3)
    assert np.isfinite(gamut(cube)).all()
