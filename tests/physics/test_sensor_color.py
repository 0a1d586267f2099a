"""The colour of a sensor: white lock, DNG conventions, and how near the matrices come to the best any matrix can do."""

import colour
import numpy as np
import pytest

from apochromat.develop.dng_color import camera_to_xyz_d50, white_xy
from apochromat.light.color_difference import cat16, ciede2000, lab
from apochromat.light.spaces import D50_XYZ, D65_XYZ, bradford
from apochromat.light.spectra import color_checker, illuminant, xyz
from apochromat.sensor import SensorError, sensor, sensor_names
from apochromat.sensor.color import best_3x3_error, camera_neutral, camera_rgb, color_profile

LIGHTS = {17: "A", 21: "D65"}


def test_colour_differences_are_those_of_colour_science():
    """Seed 0, 5,000 pairs, greys and nearly opposite hues among them."""
    rng = np.random.default_rng(0)
    first = rng.uniform([0, -80, -80], [100, 80, 80], (5000, 3))
    second = first + rng.normal(0, 8, first.shape)
    second[:500] = first[:500] * [1, -0.9, -1.1]
    first[500:600, 1:] = 0
    assert np.allclose(ciede2000(first, second), colour.difference.delta_E_CIE2000(first, second), atol=1e-9)
    tristimulus = rng.uniform(0, 1, (1000, 3))
    reference = colour.XYZ_to_Lab(tristimulus, colour.XYZ_to_xy(D65_XYZ))
    assert np.allclose(lab(tristimulus, D65_XYZ), reference, atol=1e-6)
    white = xyz(illuminant("A"))
    adapted = colour.adaptation.chromatic_adaptation_VonKries(tristimulus, white, D65_XYZ, transform="CAT16")
    assert np.allclose(tristimulus @ cat16(white, D65_XYZ).T, adapted, atol=1e-9)


@pytest.mark.parametrize("name", sensor_names())
def test_matrices_are_white_locked(name):
    profile = color_profile(sensor(name), illuminant("LED-B3"))
    assert [c.illuminant for c in profile.calibrations] == list(LIGHTS)
    for calibration in profile.calibrations:
        light = illuminant(LIGHTS[calibration.illuminant])
        white = camera_rgb(sensor(name), light)
        image = calibration.color_matrix @ xyz(light)
        assert np.allclose(image / image.max(), white / white.max(), rtol=0, atol=1e-6)
        assert np.allclose(calibration.forward_matrix.sum(axis=1), D50_XYZ, rtol=0, atol=1e-6)
    assert profile.as_shot_neutral.max() == 1
    assert np.allclose(profile.as_shot_neutral, camera_neutral(sensor(name), 7.5 * illuminant("LED-B3")))


@pytest.mark.parametrize("light", LIGHTS.values())
@pytest.mark.parametrize("name", sensor_names())
def test_developed_colorchecker_is_near_the_best_matrix_of_the_sensor(name, light):
    """Through the developing wing's own reading of the profile, against patches under the taking light adapted by CAT16."""
    chip, spectrum = sensor(name), illuminant(light)
    patches = spectrum * np.stack(list(color_checker().values()))
    profile = color_profile(chip, spectrum)
    matrix = bradford(D50_XYZ, D65_XYZ) @ camera_to_xyz_d50(profile, white_xy(profile, profile.as_shot_neutral))
    balanced = camera_rgb(chip, patches) / camera_rgb(chip, spectrum)
    target = xyz(patches) / xyz(spectrum)[1] @ cat16(xyz(spectrum), D65_XYZ * xyz(spectrum)[1]).T
    wanted, got = lab(target, D65_XYZ), lab(balanced @ matrix.T, D65_XYZ)
    floor = best_3x3_error(chip, spectrum)
    print(f"{name} {light}: {ciede2000(got, wanted).mean():.3f}, floor {floor:.3f}")
    assert 0.1 < floor < 2.5
    assert floor - 1e-6 <= ciede2000(got, wanted).mean() <= floor + 0.3
    greys = got[18:]
    assert np.abs(greys[:, 1:] - wanted[18:, 1:]).max() < 1.0, "no tint on greys"


@pytest.mark.parametrize("name", sensor_names())
def test_color_matrix_alone_renders_nearly_as_well(name):
    """What developers that know no ForwardMatrix do, under D65."""
    chip, spectrum = sensor(name), illuminant("D65")
    patches = spectrum * np.stack(list(color_checker().values()))
    matrix = np.linalg.inv(color_profile(chip, spectrum).calibrations[1].color_matrix)
    got = camera_rgb(chip, patches) / camera_rgb(chip, spectrum).max() @ matrix.T
    white = xyz(spectrum) / xyz(spectrum)[1]
    difference = ciede2000(lab(got, white), lab(xyz(patches) / xyz(spectrum)[1], white))
    assert difference.mean() <= best_3x3_error(chip, spectrum) + 0.3


def test_bad_lights_are_one_sentence():
    for light in (np.ones(3), np.full(71, np.nan), np.full(71, -1.0), np.zeros(71)):
        with pytest.raises(SensorError, match="expected a light"):
            color_profile(sensor("small-2019-main"), light)
