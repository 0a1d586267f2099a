"""The twin against what is known without it: closed-form photometry, the lens's own transfer function, declared noise, its own truth."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from edge_response import edge_sfr, expected_sfr

import apochromat as apo
from apochromat.camera.description import camera
from apochromat.camera.exposure import Exposure
from apochromat.light.scene import Layer, Scene
from apochromat.light.spectra import illuminant, luminance
from apochromat.light.spectrum import GRID_NM, STEP_NM
from apochromat.optics.imaging import add_veil, channel_weights, imaged
from apochromat.optics.kernels import NODES_NM
from apochromat.optics.psf import psf
from apochromat.optics.psf_field import psf_field
from apochromat.scene import make_scene
from apochromat.scene.library.slanted_edges import squares
from apochromat.sensor import operating_point
from apochromat.sensor.response import quantum_efficiency
from apochromat.shoot import ideal_image, rigged, shoot
from apochromat.shot_files import write_shot, write_truth

CROP, CHART = (768, 1024), (1536, 2048)  # of the sensor; for edges long enough to fall on cells and pixels in every way
JOULE_NM = 6.62607015e-34 * 2.99792458e8 * 1e9  # of one photon, times its wavelength (SI)
D65 = illuminant("D65")


def flat(shape, lux=1000.0, reflectance=1.0, light=D65):
    """A uniform chart that faces the camera, far away."""
    plane = np.full((1, *shape), reflectance, np.float32)
    return Scene("flat", light[None] * (lux / np.pi), (Layer(plane, np.inf),), lux, "the chart", light)


def frames(ideal, rig, count=1, *, exposure_s=1 / 2000, iso=None, seed=0, still=True):
    """Shots of an ideal image, all exposed alike."""
    exposure = Exposure(exposure_s, iso or rig.sensor.converter.base_iso.value, count, 0.0)
    return list(shoot(ideal, rig, [exposure] * count, seed=seed, still=still))


@pytest.fixture(scope="module")
def rig():
    """The middle of the telephoto module's sensor."""
    return rigged(camera("flagship-2025"), "tele-apo", crop=CROP)


@pytest.fixture(scope="module")
def edges(rig):
    scene = make_scene("slanted-edges", *rig.ideal_shape)
    return scene, ideal_image(scene, rig, truth=True)


@pytest.fixture(scope="module")
def white(rig):
    scene = flat(rig.ideal_shape)
    return scene, ideal_image(scene, rig, truth=True)


def test_night_gives_the_lux_and_photons_of_the_closed_form():
    """3 lx of D65 on 18 % grey, f/1.67, transmission 0.9, 1/15 s, 3.2 um: 0.0436 lx and about 330 photons from 400 to 700 nm."""
    rig = rigged(camera("flagship-2025"), "main", f_number=1.67, crop=CROP)
    assert rig.module.transmission.value == 0.9
    assert rig.sensor.pixels.pitch_um.value == 3.2
    efficiency, seen = quantum_efficiency(rig.sensor)[1], (GRID_NM >= 400) & (GRID_NM <= 700)
    photons = np.where(seen, rig.response[1] / np.where(seen, efficiency, 1), 0) * 0.18 * 3 / np.pi * D65  # a second and nm
    assert float(photons.sum()) * STEP_NM / 15 == pytest.approx(330, rel=0.02)
    assert float(luminance(photons * JOULE_NM / GRID_NM / 3.2e-6**2)) == pytest.approx(0.0436, rel=0.02)


def test_electrons_of_a_uniform_chart_are_those_of_the_closed_form(rig, white):
    """pi tau L / (4 N^2) times area, time and efficiency, over the middle of the picture."""
    shot = frames(white[1], rig)[0]
    irradiance = np.pi * rig.module.transmission.value * D65 * (1000 / np.pi) / (4 * 2.39**2)
    photons = irradiance * GRID_NM / JOULE_NM * 2.24e-6**2 * STEP_NM / 2000
    expected = quantum_efficiency(rig.sensor) @ photons
    middle = shot.mean[352:416, 480:544]
    found = [middle[0::2, 0::2].mean(), (middle[0::2, 1::2].mean() + middle[1::2, 0::2].mean()) / 2, middle[1::2, 1::2].mean()]
    assert found == pytest.approx(expected.tolist(), rel=0.02)


def test_lens_and_veil_keep_the_light_of_points(rig):
    """Point lights whose spread is inside the frame: what arrives is what was sent, by channel, to 0.1 %."""
    random = np.random.default_rng(3)
    plane = np.zeros((1, *rig.ideal_shape), np.float32)
    place = [random.integers(100, n - 100, 40) for n in rig.ideal_shape]
    plane[0, place[0], place[1]] = random.uniform(1, 1000, 40)
    weights = channel_weights(D65[None], rig.response)
    pitch = rig.pitch_mm / rig.oversample
    frame_mm = plane.shape[1] * pitch, plane.shape[2] * pitch
    field = psf_field(rig.lens, rig.seen, np.inf, frame_mm, pitch * 1e3, rig.pitch_mm * 1e3)
    light = imaged([Layer(plane, np.inf)], {np.inf: field}, weights)
    sent = plane.sum(dtype=float) * weights.sum(-1)[0]
    assert light.sum((1, 2), dtype=float).tolist() == pytest.approx(sent.tolist(), rel=1e-3)
    veiled = light.copy()
    add_veil(veiled, rig.module.veil.value)
    assert veiled.sum((1, 2), dtype=float).tolist() == pytest.approx(sent.tolist(), rel=1e-3)
    assert not np.allclose(veiled, light, rtol=1e-3)


def on_sensor(rig, corners):
    """Pixels (..., 2) as x, y of places (..., 2) in picture heights of a scene."""
    height = rig.ideal_shape[0] / rig.oversample * rig.pitch_mm
    ideal = (np.asarray(corners) - (0, 0.5)) * height
    radius = np.maximum(np.hypot(*np.moveaxis(ideal, -1, 0)), 1e-9)[..., None]
    return ideal * rig.seen.real(radius) / radius / rig.pitch_mm + (np.array(rig.shape[::-1]) - 1) / 2


def edge_at(rig, corner):
    """Ends (2, 2) on the sensor of the right edge of a whole square: the nearest to the middle, or to the lower right corner."""
    places = on_sensor(rig, squares(rig.ideal_shape[1] / rig.ideal_shape[0]))
    whole = places[((places > 3) & (places < np.array(rig.shape[::-1]) - 4)).all((1, 2))]
    away = whole.mean(1) - np.array(rig.shape[::-1]) * (1.0 if corner else 0.5)
    square = whole[np.hypot(*away.T).argmin()]
    return square[np.argsort(square[:, 0])[2:]]


def sfr_beside_lens(rig, mosaic, scene, corner):
    """Response of the green pixels at an edge, freed of shading, whose slope adds to the edge's, and the lens's times the pixel's there."""
    ends = edge_at(rig, corner)
    middle, length = ends.mean(0), float(np.hypot(*(ends[0] - ends[1])))
    half, reach = int(min(0.42 * length, 40)), min(0.38 * length, 100)
    window = np.s_[int(middle[1] - reach) : int(middle[1] + reach), int(middle[0]) - half - 2 : int(middle[0]) + half + 3]
    green = np.add.outer(np.arange(rig.shape[0]), np.arange(rig.shape[1])) % 2 == 1
    y, x = (np.arange(n) - (n - 1) / 2 for n in rig.shape)
    shading = np.interp(np.hypot(y[window[0], None], x[window[1]]) * rig.pitch_mm, rig.seen.real_mm, rig.shading[1])
    frequency, found, normal = edge_sfr(mosaic[window] / shading, green[window], half - 4)
    spread = lens_spread(rig, (middle - (np.array(rig.shape[::-1]) - 1) / 2) * rig.pitch_mm, scene)
    return frequency, found, expected_sfr(frequency, normal, spread, 0.25, half - 4)


def lens_spread(rig, place_mm, scene):
    """The lens's point spread (256, 256) at a place on the sensor for the scene's light and green pixels, a quarter pixel a sample."""
    radius = float(np.hypot(*place_mm))
    ideal = place_mm * float(rig.seen.ideal(radius)) / radius
    lens = rig.lens.replace(info=replace(rig.lens.info, field_kind="angle"))
    found = psf(lens, np.degrees(np.arctan(ideal / rig.seen.scale_mm))[None], NODES_NM, rig.pitch_mm * 1e3 / 4, 256)
    weights = channel_weights(scene.basis, rig.response)[0, 1]
    return np.tensordot(weights, np.asarray(found.values[0], float) / np.asarray(found.energy[0], float)[:, None, None], 1)


@pytest.fixture(scope="module")
def chart():
    rig = rigged(camera("flagship-2025"), "tele-apo", crop=CHART)
    scene = make_scene("slanted-edges", *rig.ideal_shape)
    return rig, scene, frames(ideal_image(scene, rig), rig)[0].mean


@pytest.mark.parametrize("corner", [False, True], ids=["middle", "corner"])
def test_edge_in_the_mosaic_has_the_transfer_of_lens_and_pixel(chart, corner):
    """The mean electrons of the green pixels, up to Nyquist: 0.02."""
    rig, scene, mosaic = chart
    frequency, found, expected = sfr_beside_lens(rig, mosaic, scene, corner)
    assert frequency[-1] == 0.5
    assert np.abs(found - expected).max() < 0.02
    assert 0.3 < expected[-1] < 0.5  # of a sharp lens, not of none


@pytest.mark.parametrize("times_base", [1, 8, 64])
def test_noise_profile_in_the_file_is_the_variance_of_a_frame_pair(rig, white, times_base, tmp_path):
    """Flats from dark to the first switch: variance of the difference of two frames by plane, 3 %."""
    iso, exposure_s = times_base * rig.sensor.converter.base_iso.value, 1e-3
    point = operating_point(rig.sensor, iso=iso, exposure_s=exposure_s)
    brightest = 0.85 * point.switches[0] * point.white_e / (exposure_s * white[1].signals.max())
    for seed, share in enumerate((0.001, 0.03, 0.3, 1.0)):
        dimmed = replace(white[1], signals=white[1].signals * np.float32(brightest * share))
        shots = frames(dimmed, rig, 2, exposure_s=exposure_s, iso=iso, seed=seed)
        file = apo.read(write_shot(shots[0], rig, white[0], tmp_path / f"{seed}.dng"))
        black = float(file.levels.black.ravel()[0])
        signal = [(s.captured.samples - black) / (file.levels.white[0] - black) for s in shots]
        assert max(s.captured.chosen.max() for s in shots) == 0
        for plane, phase in enumerate((np.s_[0::2, 0::2], np.s_[0::2, 1::2], np.s_[1::2, 1::2])):
            found = (signal[0][phase] - signal[1][phase]).var() / 2
            assert found == pytest.approx(file.noise.variance(signal[0][phase].mean(), 1.0, plane), rel=0.03)


def test_truth_of_a_white_chart_is_one(rig, white, tmp_path):
    """scene.tiff: a perfect white on the reference plane is 1 in all three channels, where the veil is even."""
    scene, ideal = white
    write_truth(ideal, rig, scene, [], tmp_path, overwrite=False)
    linear = tifffile.imread(tmp_path / "scene.tiff")
    assert linear.shape == (*rig.truth_shape, 3)
    assert linear[100:-100, 125:-125].mean((0, 1)).tolist() == pytest.approx([1, 1, 1], rel=0.01)
    inner = linear[50:-50, 50:-50]
    assert np.ptp(inner / inner.mean((0, 1))) < 0.02


def test_movement_told_is_where_phase_correlation_finds_it(rig, edges, white, tmp_path):
    """Between noise-free frames out of the hand, the mosaic made grey by that of a white chart: 0.1 pixel."""
    scene, ideal = edges
    shots = frames(ideal, rig, 4, exposure_s=1 / 500, seed=5, still=False)
    grey = frames(white[1], rig, exposure_s=1 / 500)[0].mean
    write_truth(ideal, rig, scene, [(str(k), replace(s, mean=s.mean[:0])) for k, s in enumerate(shots)], tmp_path, overwrite=False)
    told = json.loads((tmp_path / "shots.json").read_text())["frames"]
    for k in (1, 2, 3):
        expected = [told[k][way] - told[0][way] for way in ("right_px", "down_px")]
        assert np.hypot(*expected) > 0.3
        assert shift(shots[0].mean / grey, shots[k].mean / grey) == pytest.approx(expected, abs=0.1)


def shift(first, second):
    """Pixels right and down from one picture to another, by the peak of their phase correlation to a hundredth of a pixel."""
    window = np.outer(*(np.hanning(n) for n in first.shape))
    a, b = (np.fft.fft2((p - p.mean()) * window) for p in (first, second))
    fy, fx = (np.fft.fftfreq(n) for n in first.shape)
    cross = b * a.conj()
    cross *= np.hypot(fy[:, None], fx) < 0.2  # where the edges are far above the mosaic's pattern
    cross /= np.maximum(np.abs(cross), 1e-6 * np.abs(cross).max())
    coarse = np.fft.ifft2(cross).real
    peak = np.array(np.unravel_index(coarse.argmax(), coarse.shape))
    peak = (peak + np.array(coarse.shape) // 2) % coarse.shape - np.array(coarse.shape) // 2
    down, right = (np.linspace(p - 1, p + 1, 201) for p in peak)
    fine = (np.exp(2j * np.pi * np.outer(down, fy)) @ cross @ np.exp(2j * np.pi * np.outer(fx, right))).real
    y, x = np.unravel_index(fine.argmax(), fine.shape)
    return [float(right[x]), float(down[y])]
