"""Colour: the matrix against its oracle, white kept, and the predicted change of a matrix with the light."""

import json

import numpy as np
import pytest
from finishing import finish
from frames import MATRIX, NEUTRAL
from oracle.color import color as oracle

from apochromat.develop.color import _CIE_WHITES, CHANGE_TO_A, ColorParams, camera_to_working, run
from apochromat.develop.dng_color import camera_to_xyz_d50, neutral_of_xy
from apochromat.light.development import Development
from apochromat.light.raw_frame import Box, Calibration, ColorProfile, Levels, RawFrame
from apochromat.light.spaces import D50_XYZ, D65_XYZ, bradford, conversion, rgb_to_xyz, xyz_of_xy

A, D65 = 17, 21
WARM, COOL = _CIE_WHITES[A], _CIE_WHITES[D65]


def working_from_d50(to_xyz):
    return np.linalg.solve(rgb_to_xyz("rec2020"), bradford(D50_XYZ, D65_XYZ) @ to_xyz)


@pytest.mark.parametrize("shape", [(8, 16), (34, 50), (51, 67)])
def test_kernel_matches_oracle(shape, isa):
    rng = np.random.default_rng(3)
    rgb, matrix = rng.normal(0.5, 0.5, (*shape, 3)), rng.normal(0, 0.7, (3, 3)).astype(np.float32)
    np.testing.assert_allclose(finish(rgb, camera_to_working=matrix), oracle(rgb, matrix), atol=1e-5)


@pytest.mark.parametrize("xy", [WARM, (0.38, 0.38), COOL, (0.28, 0.29)])
@pytest.mark.parametrize("illuminants", [(D65,), (A,), (A, D65), (10,)])
def test_white_stays_white(xy, illuminants):
    profile = ColorProfile(tuple(Calibration(i, MATRIX * (1 + 0.1 * k)) for k, i in enumerate(illuminants)))
    np.testing.assert_allclose(camera_to_working(profile, xy).sum(1), 1, atol=1e-9)


def test_a_colorimetric_camera_is_exact():
    """A camera whose colours are XYZ under D65, photographed under D65: its matrix is known in closed form."""
    profile = ColorProfile((Calibration(D65, np.eye(3)),))
    expected = np.linalg.inv(rgb_to_xyz("rec2020")) * D65_XYZ
    np.testing.assert_allclose(camera_to_working(profile, COOL), expected, atol=1e-3)


def test_one_light_follows_the_population():
    profile = ColorProfile((Calibration(D65, MATRIX),))
    at_calibration = camera_to_xyz_d50(profile, COOL)
    np.testing.assert_allclose(camera_to_working(profile, COOL), working_from_d50(at_calibration), atol=1e-3)
    np.testing.assert_allclose(camera_to_working(profile, WARM), working_from_d50(at_calibration + CHANGE_TO_A), atol=2e-3)


def test_two_lights_are_taken_from_the_file():
    profile = ColorProfile((Calibration(A, MATRIX), Calibration(D65, 1.1 * MATRIX.T)))
    xy = (0.38, 0.38)
    np.testing.assert_allclose(camera_to_working(profile, xy), working_from_d50(camera_to_xyz_d50(profile, xy)), atol=1e-9)


def test_stage_uses_the_white_balance_in_hand():
    frame = RawFrame(
        np.zeros((4, 4), np.uint16), "RGGB", Levels(np.zeros((1, 1, 1)), np.ones(4)), Box(0, 0, 4, 4), Box(0, 0, 4, 4),
        ColorProfile((Calibration(D65, MATRIX),), as_shot_neutral=NEUTRAL),
    )  # fmt: skip
    neutral = neutral_of_xy(frame.profile, WARM)
    matrix = run(Development(frame, wb=1 / neutral), ColorParams()).finish["camera_to_working"]
    np.testing.assert_allclose(matrix, camera_to_working(frame.profile, WARM), atol=1e-5)
    assert matrix.dtype == np.float32


def spectra(path):
    """Wavelengths and values (n, channels) of a rawtoaces-data file."""
    table = json.loads(path.read_text())["spectral_data"]["data"]["main"]
    return np.array([float(k) for k in table]), np.array(list(table.values()))


def test_population_is_derived_from_published_sensitivities(shared):
    """CHANGE_TO_A anew: ColorMatrix by least squares over the training reflectances, inverted with Bradford, A less D65."""
    folder, grid = shared / "data" / "spectra", np.arange(380, 781, 5.0)

    def on_grid(wavelength, values):
        return np.stack([np.interp(grid, wavelength, v) for v in values.T], 1)

    observer, reflectance = (on_grid(*spectra(folder / f"{name}.json")) for name in ("cmf_1931", "training_spectral"))
    header = (folder / "illuminants.csv").read_text().splitlines()[0].split(",")
    table = np.genfromtxt(folder / "illuminants.csv", delimiter=",", skip_header=1)
    light = {name: np.interp(grid, table[:, 0], table[:, header.index(name)]) for name in ("A", "D65")}

    def forward(sensitivity, power):
        xyz = reflectance.T @ (observer * power[:, None]) / (observer[:, 1] @ power)
        color_matrix = np.linalg.lstsq(xyz, reflectance.T @ (sensitivity * power[:, None]), rcond=None)[0].T
        white = power @ observer / (observer[:, 1] @ power)
        matrix = bradford(white, D50_XYZ) @ np.linalg.inv(color_matrix) * (color_matrix @ white)
        return matrix * (D50_XYZ / matrix.sum(1))[:, None]

    changes = []
    for name in ("Nikon_D850", "Sony_ILCE-7M3", "Canon_EOS_R5"):
        sensitivity = on_grid(*spectra(folder / f"{name}_380_780_5.json"))
        changes.append(forward(sensitivity, light["A"]) - forward(sensitivity, light["D65"]))
    np.testing.assert_allclose(CHANGE_TO_A, np.mean(changes, 0), atol=5e-4)


def test_xyz_of_xy_and_conversion_agree_on_white():
    np.testing.assert_allclose(np.linalg.inv(rgb_to_xyz("srgb")) @ xyz_of_xy(COOL), conversion("rec2020", "srgb") @ np.ones(3), atol=1e-9)
