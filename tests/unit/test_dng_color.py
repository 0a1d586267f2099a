"""DNG colour maths against colour-science and against itself."""

import colour
import numpy as np
import pytest

from apochromat.develop.dng_color import (
    as_shot_neutral,
    camera_to_xyz_d50,
    neutral_of_xy,
    temperature_tint,
    white_xy,
    xy_of_temperature,
    xyz_to_camera,
)
from apochromat.light.raw_frame import Calibration, ColorProfile
from apochromat.light.spaces import D50_XYZ, bradford, xyz_of_xy

A, D65 = 17, 21
WARM = np.array([[1.83, -0.82, -0.25], [0.14, 0.90, -0.04], [0.08, 0.07, 0.26]])
COOL = np.array([[1.03, -0.42, -0.06], [-0.23, 1.06, 0.19], [0.01, 0.11, 0.55]])
FORWARD = np.array([[0.65, 0.16, 0.15], [0.25, 0.82, -0.07], [0.02, -0.17, 0.97]])


def profile(**facts):
    return ColorProfile((Calibration(A, WARM), Calibration(D65, COOL)), **facts)


@pytest.mark.parametrize("kelvin", [2000, 2856, 4000, 5003, 6504, 10000, 20000])
@pytest.mark.parametrize("tint", [-30.0, 0.0, 20.0])
def test_temperature_round_trip(kelvin, tint):
    temperature, back = temperature_tint(xy_of_temperature(kelvin, tint))
    assert temperature == pytest.approx(kelvin, rel=1e-4)
    assert back == pytest.approx(tint, abs=1e-3)


@pytest.mark.parametrize("name", ["A", "D50", "D55", "D65", "D75", "E"])
def test_temperature_agrees_with_colour_science(name):
    xy = colour.CCS_ILLUMINANTS["CIE 1931 2 Degree Standard Observer"][name]
    reference = colour.temperature.uv_to_CCT_Robertson1968(colour.xy_to_UCS_uv(xy))[0]
    assert temperature_tint(tuple(xy))[0] == pytest.approx(reference, rel=2e-3)


def test_daylight_is_on_the_green_side_of_the_planckian_locus():
    assert temperature_tint((0.3127, 0.3290))[1] > 5


def test_neutral_and_chromaticity_are_inverse():
    for xy in ((0.44, 0.40), (0.3457, 0.3585), (0.31, 0.33), (0.29, 0.31)):
        np.testing.assert_allclose(white_xy(profile(), neutral_of_xy(profile(), xy)), xy, atol=1e-6)


def test_calibrations_mix_in_inverse_temperature():
    ends = [xyz_to_camera(profile(), xy_of_temperature(k)) for k in (2850, 6500)]
    np.testing.assert_allclose(ends, [WARM, COOL], atol=1e-3)
    middle = 2 / (1 / 2850 + 1 / 6500)
    np.testing.assert_allclose(xyz_to_camera(profile(), xy_of_temperature(middle)), (WARM + COOL) / 2, atol=1e-3)
    beyond = xyz_to_camera(profile(), xy_of_temperature(2000))
    np.testing.assert_array_equal(beyond, WARM)


def test_balanced_white_goes_to_d50_white():
    individual = np.diag([1.02, 1.0, 0.97])
    with_forward = ColorProfile((Calibration(A, WARM, FORWARD, individual), Calibration(D65, COOL, FORWARD)), np.array([1.0, 1.1, 0.9]))
    for p in (profile(), with_forward):
        for xy in ((0.44, 0.40), (0.3457, 0.3585), (0.31, 0.33)):
            np.testing.assert_allclose(camera_to_xyz_d50(p, xy) @ np.ones(3), D50_XYZ, atol=1e-9)


def test_without_forward_matrix_colours_come_back_through_the_inverse():
    """A colour under the shot's white, seen by the camera and balanced, is that colour adapted to D50."""
    xy = (0.3457, 0.3585)
    xyz = np.array([0.3, 0.25, 0.1])
    camera = xyz_to_camera(profile(), xy) @ xyz / neutral_of_xy(profile(), xy)
    white = xyz_of_xy(xy)
    scale = (xyz_to_camera(profile(), xy) @ white).max()
    np.testing.assert_allclose(camera_to_xyz_d50(profile(), xy) @ camera / scale, bradford(white, D50_XYZ) @ xyz, atol=1e-9)


def test_forward_matrix_after_the_individual_calibration():
    """The specification's product FM * D * inverse(AB * CC) on raw camera RGB, compared on balanced RGB."""
    analog, individual, xy = np.array([1.0, 1.1, 0.9]), np.diag([1.02, 1.0, 0.97]), (0.3457, 0.3585)
    p = ColorProfile((Calibration(D65, COOL, FORWARD, individual),), analog)
    neutral = neutral_of_xy(p, xy)
    to_reference = np.linalg.inv(np.diag(analog) @ individual)
    expected = FORWARD @ np.diag(1 / (to_reference @ neutral)) @ to_reference @ np.diag(neutral)
    got = camera_to_xyz_d50(p, xy)
    np.testing.assert_allclose(got, expected * (D50_XYZ / expected.sum(1))[:, None], atol=1e-9)


def test_as_shot_white_from_either_tag():
    np.testing.assert_allclose(as_shot_neutral(profile(as_shot_neutral=np.array([0.5, 0.9, 0.6]))), np.array([0.5, 0.9, 0.6]) / 0.9)
    np.testing.assert_allclose(as_shot_neutral(profile(as_shot_xy=(0.31, 0.33))), neutral_of_xy(profile(), (0.31, 0.33)))


def test_impossible_profiles_are_refused():
    singular = ColorProfile((Calibration(D65, np.ones((3, 3))),))
    with pytest.raises(ValueError, match="invertible"):
        camera_to_xyz_d50(singular, (0.3457, 0.3585))
    with pytest.raises(ValueError, match="three positive"):
        as_shot_neutral(profile(as_shot_neutral=np.array([0.5, 0.0, 0.6])))
    with pytest.raises(ValueError, match="at least one ColorMatrix"):
        neutral_of_xy(ColorProfile(()), (0.3457, 0.3585))
