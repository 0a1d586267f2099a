"""PSF of a mirror without aberration against Airy's pattern, known defocus, known vignetting; energy; the choice of the grid."""

import numpy as np
import pytest
from hand_lenses import lens_of
from scipy.optimize import minimize_scalar
from scipy.special import j1

from apochromat.optics.mtf import through_focus
from apochromat.optics.psf import psf, sampling

N = 8.0
NM = np.array([450.0, 500.0])
CUT = 1 / (NM * 1e-6 * N)  # cycles per mm
PITCH, SIZE = 1.0, 256
AXIS = [(0.0, 0.0)]


@pytest.fixture(scope="module")
def mirror():
    """A paraboloid of exactly f/8, its stop on it: 1 / (2 sin u') = 8."""
    return lens_of([-1 / 80], [-40.0], [1.0], conic=[-1.0], stop_radius=80 * np.tan(np.arcsin(1 / 16) / 2), kinds=["mirror"])


def airy(wave_um, scale=1.0, count=12):
    """Light in pixels (2 count + 1,) of a row through the middle, by Gauss's quadrature of Airy's pattern over each."""
    nodes, weights = np.polynomial.legendre.leggauss(6)
    x = (np.arange(-count, count + 1)[:, None] + nodes / 2)[:, :, None] * PITCH
    v = np.pi * np.hypot(x, nodes / 2 * PITCH) / (wave_um * N * scale) + 1e-12
    light = (2 * j1(v) / v) ** 2 * np.pi / 4 / (wave_um * N * scale) ** 2
    return PITCH**2 * np.einsum("i,j,kij->k", weights / 2, weights / 2, light)


@pytest.mark.parametrize("number", [0, 1])
def test_a_perfect_mirror_gives_airys_pattern_and_all_its_light(mirror, number):
    image = psf(mirror, AXIS, NM, PITCH, SIZE)
    assert image.values.shape == (1, 2, SIZE, SIZE)
    assert image.geometric == (False,)
    assert np.allclose(image.energy, 1)
    assert np.allclose(image.values.sum((2, 3)), 1, atol=1e-3)
    middle = SIZE // 2
    for row in (image.values[0, number, middle], image.values[0, number, :, middle]):
        row = row[middle - 12 : middle + 13]
        assert np.allclose(row, airy(NM[number] / 1000), atol=5e-3 * row.max())
        fit = minimize_scalar(lambda s, row=row: ((row - airy(NM[number] / 1000, s)) ** 2).sum(), bounds=(0.9, 1.1), method="bounded")
        assert fit.x == pytest.approx(1, abs=5e-3)


def test_defocus_lowers_the_peak_as_it_should_and_keeps_the_light(mirror):
    sharp, soft = (psf(mirror, AXIS, NM, PITCH, SIZE, 0, d) for d in (0.0, 0.03))
    waves = 0.03 / (8 * N**2) / (NM * 1e-6)
    ratio = soft.values[0, :, SIZE // 2, SIZE // 2] / sharp.values[0, :, SIZE // 2, SIZE // 2]
    assert np.allclose(ratio, np.sinc(waves) ** 2, rtol=0.02)  # of a pixel, not a point
    assert np.allclose(soft.values.sum((2, 3)), 1, atol=1e-3)
    assert np.allclose(soft.polychromatic([1, 3]), 0.25 * soft.values[:, 0] + 0.75 * soft.values[:, 1], atol=1e-9)


def test_vignetting_counts_in_the_energy(mirror):
    rim = 0.8 * float(mirror.stop_radius[0])
    image = psf(mirror.replace(semi_diameter=np.array([rim])), AXIS, NM, PITCH, SIZE)
    assert np.allclose(image.energy, 0.64, atol=0.01)
    assert np.allclose(image.values.sum((2, 3)), image.energy, rtol=1e-3)


def closed(v):
    v = np.clip(v, 0, 1)
    return 2 / np.pi * (np.arccos(v) - v * np.sqrt(1 - v * v))


def test_through_focus_is_even_and_best_in_focus(mirror):
    planes = np.array([-0.06, -0.03, 0.0, 0.03, 0.06])
    transfer = np.asarray(through_focus(mirror, [0.3 * CUT[1]], planes, AXIS, NM[1:]))[:, 0, :, 0]
    assert transfer.argmax(0).tolist() == [2, 2]
    assert np.allclose(transfer, transfer[::-1], atol=5e-3)
    assert transfer[2, 0] == pytest.approx(float(closed(0.3)), abs=5e-3)


def test_the_pupils_grid_follows_the_phase_steps():
    half = np.array([[1 / 16, 1 / 16]])
    calm, steep, steeper = (sampling(half, np.array([spread]), NM[1:], 1.0, 256) for spread in (0.001, 0.2, 0.5))
    assert not calm.geometric
    assert calm.period == calm.window == 256
    assert steep.period >= 4 * 200
    assert steep.cells > calm.cells
    assert steeper.geometric


def test_bad_sizes_are_refused(mirror):
    with pytest.raises(ValueError, match="even size"):
        psf(mirror, AXIS, NM, PITCH, 31)
    with pytest.raises(ValueError, match="positive pixel pitch"):
        psf(mirror, AXIS, NM, 0.0)
