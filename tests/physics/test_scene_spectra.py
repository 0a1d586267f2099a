"""Spectra against closed forms and colour-science: lights, reflectances, compact bases."""

import colour
import numpy as np
import pytest

from apochromat.light.spaces import rgb_to_xyz
from apochromat.light.spectra import (
    SpectrumError,
    illuminant,
    luminance,
    rgb_reflectances,
    training_reflectances,
    xyz,
)
from apochromat.light.spectrum import GRID_NM
from apochromat.scene.basis import compact
from apochromat.scene.skin import skin_reflectance


def chromaticity(spectrum):
    found = xyz(spectrum)
    return found[:2] / found.sum()


def test_white_under_d65_has_the_chromaticity_of_the_standard():
    assert chromaticity(illuminant("D65")) == pytest.approx([0.3127, 0.3290], abs=1e-4)


@pytest.mark.parametrize("name", ["A", "D50", "D55", "F2", "F11", "HP1", "LED-B3", "LED-V1"])
def test_lights_agree_with_colour_science(name):
    key = name.replace("F", "FL") if name[0] == "F" else name
    theirs = colour.sd_to_XYZ(colour.SDS_ILLUMINANTS[key], method="Integration")
    assert chromaticity(illuminant(name)) == pytest.approx(theirs[:2] / theirs.sum(), abs=5e-4)  # theirs at 1 nm
    assert luminance(illuminant(name)) == pytest.approx(1)


@pytest.mark.parametrize("kelvin", [4000, 5600, 6500, 9000])
def test_daylight_of_any_temperature_agrees_with_colour_science(kelvin):
    theirs = colour.sd_CIE_illuminant_D_series(colour.temperature.CCT_to_xy_CIE_D(kelvin * (1.4388 / 1.4380 if kelvin == 6500 else 1)))
    ours = illuminant(f"D{kelvin}") if kelvin != 6500 else illuminant("D65")
    expected = theirs.copy().align(colour.SpectralShape(380, 730, 5)).values
    assert ours / ours[36] == pytest.approx(expected / expected[36], abs=3e-3)


def test_black_body_peaks_where_wien_says():
    assert GRID_NM[np.argmax(illuminant("P5000"))] == pytest.approx(2.897772e6 / 5000, abs=2.5)


@pytest.mark.parametrize("name", ["D65x", "D3000", "P500", "sodium", ""])
def test_unknown_lights_are_refused_by_name(name):
    with pytest.raises(SpectrumError, match="expected a light among A, "):
        illuminant(name)


def test_rgb_reflectances_are_physical_and_give_back_srgb():
    basis = rgb_reflectances()
    assert basis.min() >= 0
    assert basis.sum(axis=0) == pytest.approx(np.ones(71), abs=1e-6)
    found = xyz(basis * illuminant("D65")).T
    assert found == pytest.approx(rgb_to_xyz("srgb"), abs=2e-3)


def test_training_set_is_whole():
    assert training_reflectances().shape == (190, 71)
    assert 0 <= training_reflectances().min() < training_reflectances().max() < 1.1  # three fluoresce


def test_a_compact_basis_keeps_colour_exactly_and_says_its_error():
    spectra = training_reflectances() * illuminant("LED-B3")
    basis, weights, error = compact(spectra)
    assert len(basis) == 8
    assert xyz(weights @ basis) == pytest.approx(xyz(spectra), abs=1e-9)
    assert 1e-3 < error < 0.03
    basis, weights, error = compact(spectra[:4])
    assert len(basis) == 4
    assert weights @ basis == pytest.approx(spectra[:4], abs=1e-12)
    assert error < 1e-12


def test_skin_shows_blood_and_darkens_with_melanin():
    fair, dark = skin_reflectance(0.02), skin_reflectance(0.2)
    assert (dark < fair).all()
    at = {nm: fair[int(np.argmin(np.abs(GRID_NM - nm)))] for nm in (505, 540, 560, 575, 640)}
    assert at[540] < at[505] * 1.1
    assert at[540] < at[560]
    assert at[575] < at[560]
    assert at[640] > 1.2 * at[575]
