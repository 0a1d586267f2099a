"""Photon transfer: the published results of a real sensor's frames, and the declared numbers of simulated ones."""

import math

import numpy as np
import pytest
from PIL import Image

from apochromat.measure.photon_transfer import (
    PairStatistics,
    PhotonTransferError,
    dark_current,
    nonuniformity,
    pair_statistics,
    photon_transfer,
)
from apochromat.sensor import capture_readout, sensor, sensor_names
from apochromat.sensor.operating_point import conversion, dark_signal

SHAPE = (256, 512)
MODES = [(name, readout.name) for name in sensor_names() for readout in sensor(name).readouts]


@pytest.fixture(scope="module")
def stack(shared):
    """EMVA 1288 reference set 001: exposures in photons a pixel, bright and dark pairs, and the frames of the spatial series."""
    folder, groups = shared / "data" / "emva", []
    for line in (folder / "EMVA1288_Data.txt").read_text().splitlines():
        word = line.split()
        if word and word[0] in "bd":
            groups.append((word[0], float(word[-1]), []))
        elif word and word[0] == "i":
            groups[-1][2].append(folder / word[1].replace("\\", "/"))
    series = {kind: [g for g in groups if g[0] == kind and len(g[2]) == 2] for kind in "bd"}
    spatial = {kind: next(g[2] for g in groups if g[0] == kind and len(g[2]) > 2) for kind in "bd"}
    return [g[1] for g in series["b"]], {k: [_statistics(g[2]) for g in v] for k, v in series.items()}, spatial


def _statistics(paths):
    return pair_statistics(*(np.asarray(Image.open(p)) for p in paths))


def test_real_frames_give_the_published_results(stack):
    photons, pairs, _ = stack
    found = photon_transfer(photons, pairs["b"], pairs["d"])
    assert found.responsivity_dn == pytest.approx(0.126726922819, rel=1e-6)
    assert found.gain_dn_e == pytest.approx(0.280769280926, rel=0.01)
    assert found.electrons_per_exposure == pytest.approx(0.451356, rel=0.01)
    assert found.dark_noise_dn == pytest.approx(3.07342, rel=0.001)
    assert found.dark_noise_e == pytest.approx(10.898, rel=0.01)
    assert (found.saturation_index, found.saturation_exposure) == (36, 30957)
    assert found.saturation_e == pytest.approx(13972.6, rel=0.01)
    assert found.snr_max == pytest.approx(118.206, rel=0.01)
    assert found.dynamic_range == pytest.approx(1220.70, rel=0.01)
    assert found.threshold_exposure == pytest.approx(25.360, rel=0.01)
    assert found.linearity_error_percent == pytest.approx((-0.6158, 0.4804), rel=0.01)


def test_real_spatial_frames_give_the_published_nonuniformity(stack):
    photons, pairs, spatial = stack
    gain = photon_transfer(photons, pairs["b"], pairs["d"]).gain_dn_e
    frames = {kind: [np.asarray(Image.open(p)) for p in paths] for kind, paths in spatial.items()}
    found = nonuniformity(frames["b"], frames["d"], gain)
    assert found.prnu == pytest.approx(0.004327, rel=0.01)
    assert found.dsnu_e == pytest.approx(0.5518, rel=0.01)


def flats(chip, readout, electrons, seed, exposure_s=1e-3, **more):
    """Statistics of a pair of one read-out at each level of mean electrons."""
    found = []
    for index, level in enumerate(electrons):
        mean = np.full(SHAPE, level, np.float32)
        pair = [capture_readout(mean, chip, readout, exposure_s=exposure_s, seed=seed, frame=2 * index + i, **more) for i in (0, 1)]
        found.append(pair_statistics(*pair))
    return found


@pytest.mark.parametrize(("name", "readout"), MODES)
def test_simulated_flats_give_the_declared_numbers_of_each_gain_mode(name, readout):
    """Seed 21: 24 levels of 131,072 pixels; the standard error of the gain is about 0.2 %, of the noise 0.3 %."""
    chip, wanted = sensor(name), conversion(sensor(name), readout)
    levels = wanted.saturation_e * np.concatenate([np.linspace(0.02, 0.9, 16), [0.93, 0.95, 0.97, 0.98, 0.99, 1.0, 1.1, 1.3]])
    found = photon_transfer(levels, flats(chip, readout, levels, 21), flats(chip, readout, [0.0], 22))
    assert found.gain_dn_e == pytest.approx(1 / wanted.e_dn, rel=0.01)
    assert found.electrons_per_exposure == pytest.approx(1, rel=0.01)
    pixel_noise = math.sqrt(found.dark_noise_e**2 - found.row_noise_e**2)
    assert pixel_noise == pytest.approx(wanted.pixel_sigma_e, rel=0.02)
    assert found.row_noise_e == pytest.approx(wanted.row_sigma_e, rel=0.15, abs=0.02 * wanted.sigma_e)
    assert found.full_well_e == pytest.approx(wanted.full_well_e, rel=0.02)
    assert found.saturation_e == pytest.approx(wanted.full_well_e, rel=0.02 + 3 / math.sqrt(wanted.full_well_e))
    assert max(map(abs, found.linearity_error_percent)) < 0.5


@pytest.mark.parametrize("name", sensor_names())
def test_read_noise_before_and_behind_the_amplifier_from_two_gains(name):
    """Seed 23: sigma^2 = read^2 + (converter DN * e-/DN)^2 for each conversion, so that two analogue gains tell them apart.

    At neither does the converter's zero cut the noise: it lies 5 sigma below the dark level or more.
    """
    chip, declared = sensor(name), sensor(name).readouts[0]
    count = chip.binning.digital.value**2
    found = []
    for gain in (1.0, 8.0):
        pairs, e_dn = flats(chip, declared.name, [0.0] * 8, 23, analogue_gain=gain), declared.conversion_e_dn.value / gain
        variance = np.mean([p.variance - p.row_variance for p in pairs])
        found.append((e_dn**2, (variance / count - 1 / 12) * e_dn**2))
    behind, before = np.polyfit(*np.transpose(found), 1)
    assert math.sqrt(before) == pytest.approx(declared.read_noise_e.value, rel=0.02)
    assert math.sqrt(behind) == pytest.approx(declared.converter_noise_dn.value, rel=0.03)


@pytest.mark.parametrize("name", sensor_names())
def test_dark_current_from_mean_and_from_variance(name):
    """Seed 24, dark pairs at 60 degrees Celsius up to a tenth of the well."""
    chip = sensor(name)
    readout, rate = chip.readouts[0].name, dark_signal(chip, 1.0, 60.0)
    times = np.linspace(0.01, 0.1 * chip.readouts[0].full_well_e.value / rate, 8)
    dark = [flats(chip, readout, [0.0], 24 + i, exposure_s=t, temperature_c=60.0)[0] for i, t in enumerate(times)]
    found = dark_current(times, dark, 1 / conversion(chip, readout).e_dn)
    assert found.from_mean_e_s == pytest.approx(rate, rel=0.01)
    assert found.from_variance_e_s == pytest.approx(rate, rel=0.02)


def test_simulated_fixed_pattern_gives_the_declared_nonuniformity():
    """Seed 25: 24 frames each, so that little temporal noise is left to take off."""
    chip = sensor("flagship-2025-main")
    stacks = [
        [
            capture_readout(np.full(SHAPE, level, np.float32), chip, "HCG", exposure_s=1e-3, seed=25 + (level > 0), frame=i)
            for i in range(24)
        ]
        for level in (0.0, 6000.0)
    ]
    found = nonuniformity(stacks[1], stacks[0], 1 / conversion(chip, "HCG").e_dn)
    assert found.prnu == pytest.approx(chip.pattern.prnu.value, rel=0.02)
    assert found.dsnu_e == pytest.approx(chip.pattern.dsnu_e.value, rel=0.02)


def test_a_sensor_that_is_not_linear_is_told():
    """Negative control: 3 % of compression at saturation."""
    rng = np.random.default_rng(26)
    levels = np.linspace(500, 20000, 20)
    frames = [[rng.poisson(x, SHAPE) for _ in (0, 1)] for x in levels]
    pairs = [pair_statistics(*(np.round(f * (1 - 0.03 * f / 20000)) for f in pair)) for pair in frames]
    found = photon_transfer(levels, pairs, [PairStatistics(0.0, 1.0, 0.0)])
    assert max(map(abs, found.linearity_error_percent)) > 0.5
    assert math.isnan(found.full_well_e), "nothing saturates"


def test_bad_frames_are_one_sentence():
    good = [PairStatistics(x, x, 0.0) for x in (1.0, 2.0, 3.0, 4.0, 5.0)]
    dark = [PairStatistics(0.0, 1.0, 0.0)]
    for exposures, bright in (([1, 2], good[:2]), ([1, 2, 3, 4, 4], good), ([1, 2, 3, 4, math.nan], good), ([1, 2, 3, 4, 5], good[:4])):
        with pytest.raises(PhotonTransferError, match="expected"):
            photon_transfer(exposures, bright, dark)
    with pytest.raises(PhotonTransferError, match="rise with exposure"):
        photon_transfer([1, 2, 3, 4, 5], [PairStatistics(0.0, 1.0, 0.0)] * 5, dark)
    with pytest.raises(PhotonTransferError, match="one shape"):
        pair_statistics(np.zeros((4, 4)), np.zeros((4, 5)))
    with pytest.raises(PhotonTransferError, match="3 times"):
        dark_current([1.0, 2.0], good[:2], 1.0)
    with pytest.raises(PhotonTransferError, match="2 dark"):
        nonuniformity([np.ones((4, 4))] * 2, [np.zeros((4, 4))], 1.0)
