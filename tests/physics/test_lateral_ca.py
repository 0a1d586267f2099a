"""Lateral CA: what is found of a known aberration, what is left alone, and what the correction makes of it."""

from dataclasses import replace

import numpy as np
import pytest
from finishing import finish
from frames import balanced_development
from oracle.lateral_ca import displaced, leaves

from apochromat.develop import geometry, lateral_ca
from apochromat.develop.geometry import GeometryParams
from apochromat.develop.lateral_ca import LateralCaParams
from apochromat.light.opcodes import WarpRectilinear

SIZE = (1000, 1400)
R = np.linspace(0, 1, 33)


@pytest.fixture(scope="module")
def scene():
    return leaves(*SIZE)


def difference(found, linear, cubic):
    """Largest difference of a RadialShift from the truth, px."""
    return np.abs((found.linear - linear) * R + (found.cubic - cubic) * R**3).max()


@pytest.mark.parametrize(("red", "blue"), [((1.5, 0.0), (-1.0, 0.0)), ((0.5, -2.0), (0.3, 1.5)), ((4.0, 0.0), (-3.0, -1.0))])
@pytest.mark.parametrize("noise", [0.003, 0.05])
def test_known_aberration_is_found_within_a_tenth_of_a_pixel(scene, red, blue, noise):
    found = lateral_ca.estimate(balanced_development(displaced(scene, red, blue), noise))
    assert difference(found[0], *red) < 0.1
    assert difference(found[1], *blue) < 0.1


@pytest.mark.parametrize("seed", range(6))
def test_a_picture_without_aberration_is_left_the_same_bits(seed):
    rgb = leaves(600, 800, seed)
    development = balanced_development(rgb, 0.02, seed)
    assert lateral_ca.run(development, LateralCaParams()) is development
    planes = np.ascontiguousarray(rgb.transpose(2, 0, 1), np.float32)
    assert not geometry.run(replace(development, rgb=planes), GeometryParams()).finish


@pytest.mark.parametrize("seed", range(4))
def test_colour_noise_alone_shows_nothing(seed):
    found = lateral_ca.estimate(balanced_development(np.full((600, 800, 3), 0.3), 0.1, seed))
    assert all(shift.largest == 0 for shift in found)


def test_correction_brings_the_colours_together(scene):
    """After the resampling red and blue lie on the scene again: at least four fifths of the error is gone."""
    aberrated = displaced(scene, (2.0, 0.0), (-1.5, 0.5))
    development = lateral_ca.run(balanced_development(aberrated), LateralCaParams())
    development = geometry.run(replace(development, rgb=np.ascontiguousarray(aberrated.transpose(2, 0, 1), np.float32)), GeometryParams())
    corrected = finish(aberrated, **development.finish)
    inner = np.s_[8:-8, 8:-8]
    for c in (0, 2):
        before = np.sqrt(np.mean((aberrated[..., c] - scene[..., c])[inner] ** 2))
        after = np.sqrt(np.mean((corrected[..., c] - scene[..., c])[inner] ** 2))
        assert after < 0.2 * before


def test_the_same_picture_gives_the_same_estimate(scene):
    development = balanced_development(displaced(scene, (1.0, 0.0), (0.0, 0.0)))
    assert lateral_ca.estimate(development) == lateral_ca.estimate(development)


def test_clipped_blocks_are_not_believed(scene):
    """Where every block holds a clipped sample nothing is concluded."""
    development = balanced_development(displaced(scene, (1.5, 0.0), (0.0, 0.0)))
    assert lateral_ca.run(replace(development, clip=np.ones_like(development.clip)), LateralCaParams()).facts == {}


def test_manual_values_are_taken_as_given():
    development = lateral_ca.run(balanced_development(leaves(64, 96)), LateralCaParams(mode="manual", red=0.8, red_cubic=-0.2, blue=0.05))
    found = development.facts["lateral_ca"]
    assert (found["red"]["linear"], found["red"]["cubic"]) == (0.8, -0.2)
    assert found["blue"]["linear"] == 0  # under a tenth of a pixel


def test_off_and_small_pictures_and_files_with_their_own_correction(scene):
    aberrated = displaced(scene, (1.5, 0.0), (-1.0, 0.0))
    own = WarpRectilinear(coefficients=np.array([[1.001, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0.999, 0, 0, 0, 0, 0]]), center=(0.5, 0.5))
    assert lateral_ca.run(balanced_development(aberrated), LateralCaParams(mode="off")).facts == {}
    assert lateral_ca.run(balanced_development(aberrated, opcodes3=(own,)), LateralCaParams()).facts == {}
    assert lateral_ca.run(balanced_development(aberrated[:8, :16]), LateralCaParams()).facts == {}
