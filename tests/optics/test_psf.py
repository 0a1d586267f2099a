"""PSF and MTF against Airy's pattern, a sum of Huygens's, closed forms of oblique and vignetted pupils; energy; gradients; grids."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hand_lenses import lens_of, singlet
from scipy.optimize import minimize_scalar
from scipy.special import j1

from apochromat.optics.exit_pupil import beams_at
from apochromat.optics.files import lens as library_lens
from apochromat.optics.focused import focused, looking_at
from apochromat.optics.mtf import mtf, through_focus, transferred
from apochromat.optics.precision import float64
from apochromat.optics.psf import Sampling, psf, sampled, sampling
from apochromat.optics.pupil import aimed, bundle, rings, tangents_of
from apochromat.optics.trace import trace
from apochromat.optics.wavefront import launched_path

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


def huygens(lens, field, nm, places_mm):
    """Light at places (K, 2) of the image plane, by a sum over aimed rays of the plane wave that each carries: no fit, no grid.

    Gauss's quadrature over the stop; amplitudes from how the areas of start and direction change over it, by differences.
    """
    points, weights = rings(20, 64)
    step = 1e-3
    moved = [points + step * np.array(way) for way in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))]
    with float64():
        index = lens.index(jnp.asarray(nm))
        ray = bundle(lens, field, nm, np.concatenate(moved))
        end = trace(lens, ray, index, apertures=False)
        path = np.asarray(end.opl + launched_path(ray, 0.0)).reshape(5, -1)[0]
    start, toward, landed = (np.stack(pair, -1).reshape(5, -1, 2) for pair in ((ray.x, ray.y), (end.L, end.M), (end.x, end.y)))

    def area(v):
        a, b = v[1] - v[2], v[3] - v[4]
        return np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / (2 * step) ** 2

    amplitude = weights * np.sqrt(area(start) * area(toward))
    wave = nm * 1e-6
    phase = (path - path[0])[:, None] + (toward[0] * -landed[0]).sum(1)[:, None] + toward[0] @ np.asarray(places_mm).T
    light = np.abs(amplitude @ np.exp(2j * np.pi * phase / wave)) ** 2
    return light * np.pi / wave**2 / (weights @ area(start))


@pytest.mark.parametrize("defocus", [0.0, 0.05])
def test_an_oblique_aberrated_image_is_that_of_huygens_sum(defocus):
    lens, nm, pitch = singlet(stop_radius=1.5), 546.0, 1.0
    image = psf(lens, [(0.0, 8.0)], [nm], pitch, 64, 0, defocus)
    shifted = lens.replace(thickness=lens.thickness + np.array([0, 0, defocus]))
    middle, pixels = 32, np.arange(-6, 7)
    nodes, weights = np.polynomial.legendre.leggauss(3)
    fine = (pixels[:, None] + nodes / 2).ravel() * pitch * 1e-3
    places = np.stack(np.meshgrid(fine, fine), -1).reshape(-1, 2) + image.centre_mm[0]
    light = huygens(shifted, (0.0, 8.0), nm, places).reshape(13, 3, 13, 3)
    expected = np.einsum("yixj,i,j->yx", light, weights / 2, weights / 2) * (pitch * 1e-3) ** 2
    found = image.values[0, 0, middle - 6 : middle + 7, middle - 6 : middle + 7]
    perfect = np.pi / 4 * (pitch / (0.546 * 16.7)) ** 2  # peak of Airy's pattern at f / 16.7
    assert expected.max() < 0.8 * perfect
    assert np.allclose(found, expected, atol=5e-3 * expected.max())
    assert image.residual_waves.max() < 1e-4


def test_waves_and_rays_agree_where_one_hands_over_to_the_other(mirror):
    """Defocus of 90 lambda N: the last that the pupil's grid resolves."""
    blur = 90 * 0.5 * N  # µm, radius
    defocus = blur * 2 * N * 1e-3
    waves, rays = (psf(mirror, AXIS, NM[1:], 4.0, SIZE, 0, defocus, geometric=way) for way in (False, True))
    lines = np.stack([image.values[0, 0].sum(0) for image in (waves, rays)])
    one, other = np.abs(np.fft.rfft(lines))[:, : SIZE // 2]
    assert np.ptp(one) > 0.9
    assert np.allclose(one, other, atol=0.02)


@pytest.mark.parametrize("field", [(31.2155, 29.6916), (37.1435, 23.1538)])
def test_a_beam_that_loses_rays_at_its_rim_is_that_of_the_rays_that_arrive(field):
    """A corner of a wide lens, where a few in a hundred rays miss a surface: as many fall within each distance as when they are traced."""
    lens = looking_at(focused(library_lens("main-23"), 1.2), 60.0)
    lens = lens.replace(info=replace(lens.info, field_kind="angle"))
    points, weight = rings(24, 52)
    with float64():
        ray = aimed(lens, tangents_of(lens, jnp.array(field), 0), lens.index(546.074), jnp.asarray(np.concatenate([[(0, 0)], points])), 0)
        end = trace(lens, ray, lens.index(546.074), 0)
    apart = np.hypot(end.x[1:] - end.x[0], end.y[1:] - end.y[0]) * 1e3  # µm
    arrives = np.asarray(end.status[1:]) == 0
    assert 0 < weight[~arrives].sum() < 0.02
    image = psf(lens, [field], [546.074], 1.0, SIZE, geometric=True)
    assert image.energy[0, 0] == pytest.approx(weight[arrives].sum(), abs=0.01)
    radius = np.hypot(*np.meshgrid(*[np.arange(SIZE) - SIZE // 2] * 2))
    for within in (4, 8, 12, 16, 20, 24):
        traced = weight[arrives & (apart <= within)].sum() / weight[arrives].sum()
        assert image.values[0, 0][radius <= within].sum() / image.energy[0, 0] == pytest.approx(traced, abs=0.04), within


def test_mtf_of_an_oblique_pupil_is_cut_off_at_cos_squared_along_the_field():
    """A sphere with its stop at the centre of curvature sees every field alike, but for the stop and the sensor, which stand oblique."""
    cosine, part = np.cos(np.radians(30)), np.array([0.2, 0.5, 0.8, 0.95, 1.05])
    kinds = ["stop", "mirror"]
    sphere = lens_of([0.0, -1 / 80], [80.0, 40 * cosine - 80], [1.0, 1.0], stop_radius=1.0, kinds=kinds)
    for axis, factor in ((0, 1.0), (1, cosine**2)):
        cut = 2 * factor / (40 * NM[1] * 1e-6)
        found = np.asarray(mtf(sphere, part * cut, [(0.0, 30.0)], NM[1:]))[0, axis]
        assert np.allclose(found, closed(part), atol=4e-3)
        assert found[-1] == 0


def test_mtf_of_the_mirror_is_the_closed_form_up_to_its_cut_off(mirror):
    part = np.array([0.05, 0.2, 0.5, 0.8, 0.9, 0.98])
    assert np.allclose(np.asarray(mtf(mirror, part * CUT[1], AXIS, NM[1:]))[0], closed(part), atol=5e-4)


def test_one_frequency_alone_is_as_one_of_several():
    """Two ways: whole cells of shift on a grid made for the frequency, and the transform of the line spread on another grid."""
    lens, planes, frequency = singlet(stop_radius=1.5), np.array([-0.1, 0.0, 0.15]), 40.0
    fields, nm = [(0.0, 8.0), (3.0, 4.0)], [480.0, 600.0]
    alone = np.asarray(through_focus(lens, [frequency], planes, fields, nm))
    several = np.asarray(through_focus(lens, [frequency, 60.0], planes, fields, nm))
    assert np.ptp(alone) > 0.3
    assert np.allclose(alone[..., 0], several[..., 0], atol=1e-3)


def test_gradients_of_psf_and_mtf_are_those_of_differences():
    """By curvature and thickness, with every size fixed; the transform of the PSF is of float32."""
    lens, nm = singlet(stop_radius=1.5), np.array([546.0])
    plan = Sampling(32, 96, 1, 64, False)

    @jax.jit
    def merits(moved):
        changed = lens.replace(
            curvature=jnp.asarray(lens.curvature) + moved[0] * jnp.array([1.0, 0, 0]),
            thickness=jnp.asarray(lens.thickness) + moved[1] * jnp.array([0, 1.0, 0]),
        )
        beams = beams_at(changed, jnp.array([[0.0, 4.0]]), jnp.asarray(nm), jnp.eye(2)[None], jnp.zeros(1), 0, 0)
        image, _ = sampled(beams, plan, 2.0, jnp.zeros(()))
        transfer = transferred(beams, jnp.zeros(1), jnp.array([30.0]), 96)[0, 0, 0, :, 1]
        return jnp.stack([image[0, 0, 16, 16].astype(float), jnp.abs(transfer).sum()])

    with float64():
        slopes = np.asarray(jax.jacrev(merits)(jnp.zeros(2)))
        steps = np.array([1e-6, 2e-3])
        for j, step in enumerate(steps):
            ahead, behind = (np.asarray(merits(jnp.zeros(2).at[j].set(sign * step))) for sign in (1, -1))
            assert (ahead - behind)[1] / (2 * step) == pytest.approx(slopes[1, j], rel=1e-4)
            assert (ahead - behind)[0] / (2 * step) == pytest.approx(slopes[0, j], rel=5e-3)
