"""The sensor against closed forms: noise, wells, switches, levels, fixed pattern, threads."""

import numpy as np
import pytest
from scipy import stats

from apochromat.light.spectra import illuminant
from apochromat.sensor import capture, capture_readout, expected, operating_point, sensor
from apochromat.sensor.operating_point import conversion, dark_signal
from apochromat.sensor.response import crosstalk_matrix, electrons_per_lx_s, highlight_headroom_ev, microlens_share, quantum_efficiency

NAMES = ("flagship-2022-main", "flagship-2025-main", "flagship-2025-tele", "flagship-2025-ultra", "small-2019-main")
MAIN = "flagship-2025-main"
BASE = 40  # its lowest exposure index


def flat(electrons, rows=256, columns=512):
    return np.full((rows, columns), electrons, np.float32)


def changed(name, **values):
    """A copy of a built-in sensor with other values, as dotted names with __ for the dot."""
    document = sensor(name).model_dump()
    for key, value in values.items():
        *path, last = key.split("__")
        node = document
        for part in path:
            node = node[int(part)] if isinstance(node, (list, tuple)) else node[part]
        node[last]["value"] = value
        node[last]["range"] = None
        node[last]["kind"] = "published"
    return type(sensor(name)).model_validate(document)


def ideal(name=MAIN, **more):
    """A sensor with the same pixel everywhere: no crosstalk, no fixed pattern."""
    return changed(name, crosstalk__side=0.0, crosstalk__corner=0.0, pattern__prnu=0.0, pattern__dsnu_e=0.0, **more)


def pair_variance(first, second):
    return float(np.var(first.astype(float) - second.astype(float)) / 2)


def test_lofic_reaches_the_published_dynamic_range():
    point = operating_point(sensor(MAIN), iso=BASE, exposure_s=1e-3)
    assert 20 * np.log10(point.white_e / point.conversions[0].sigma_e) == pytest.approx(110, abs=1)


@pytest.mark.parametrize("name", NAMES)
def test_converter_noise_dithers_its_own_rounding(name):
    """Below half a number of noise, rounding could not be counted as noise of 1/12."""
    for readout in sensor(name).readouts:
        found = conversion(sensor(name), readout.name)
        assert found.pixel_sigma_e / found.e_dn >= 0.5


# --- draws ---


@pytest.mark.parametrize("electrons", [0.7, 6.0, 80.0])
def test_shot_noise_is_poisson_by_chi_square(electrons):
    """Seed 4: electrons seen through a noiseless converter of one electron a number; 5 % of seeds would fail at p = 0.05, 0.1 % here."""
    quiet = ideal("small-2019-main", readouts__0__read_noise_e=0.0, readouts__0__converter_noise_dn=0.0, readouts__0__row_noise_e=0.0,
                  readouts__0__conversion_e_dn=1.0, dark__current_e_s=0.0)  # fmt: skip
    numbers = capture_readout(flat(electrons), quiet, "single", exposure_s=0.01, seed=4) - 64
    edges = np.unique(stats.poisson.ppf(np.linspace(0.01, 0.99, 20), electrons))
    observed = np.histogram(numbers, np.concatenate([[-0.5], edges + 0.5, [np.inf]]))[0]
    chance = np.diff(np.concatenate([[0.0], stats.poisson.cdf(edges, electrons), [1.0]]))
    assert stats.chisquare(observed, chance * numbers.size).pvalue > 1e-3


@pytest.mark.parametrize("name", ["HCG", "LCG", "LOFIC"])
def test_read_noise_is_normal_by_chi_square(name):
    """Seed 5: a dark frame of one read-out, rounding included, against the rounded normal distribution."""
    silent = ideal(readouts__0__row_noise_e=0.0, readouts__1__row_noise_e=0.0, readouts__2__row_noise_e=0.0, dark__current_e_s=0.0)
    readout = conversion(silent, name)
    numbers = capture_readout(flat(0.0), silent, name, exposure_s=1e-3, seed=5) - 512.0
    normal = stats.norm(0, readout.pixel_sigma_e / readout.e_dn)
    edges = np.unique(np.round(normal.ppf(np.linspace(0.005, 0.995, 16)))) + 0.5
    observed = np.histogram(numbers, np.concatenate([[-np.inf], edges, [np.inf]]))[0]
    chance = np.diff(np.concatenate([[0.0], normal.cdf(edges), [1.0]]))
    assert stats.chisquare(observed, chance * numbers.size).pvalue > 1e-3


@pytest.mark.parametrize("iso", [BASE, 3200])
def test_same_seed_gives_the_same_samples_on_any_number_of_threads(iso):
    mean = np.linspace(0, 1.1 * 377000 * BASE / iso, 200 * 300, dtype=np.float32).reshape(200, 300)
    frames = [capture(mean, sensor(MAIN), iso=iso, exposure_s=0.02, seed=9, frame=2, threads=n) for n in (1, 2, 3)]
    for other in frames[1:]:
        assert np.array_equal(frames[0].samples, other.samples)
        assert np.array_equal(frames[0].chosen, other.chosen)
    for seed, frame in ((9, 3), (8, 2)):
        other = capture(mean, sensor(MAIN), iso=iso, exposure_s=0.02, seed=seed, frame=frame)
        assert np.mean(frames[0].samples == other.samples) < 0.5


# --- noise of stored frames ---


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gain", [1, 4, 32])
def test_noise_model_is_the_variance_of_pairs_below_the_first_switch(name, gain):
    """Seed 11, 262,144 pixels a level: the standard error of a variance is 0.3 %, of one with row noise at most 0.6 %."""
    chip = sensor(name)
    iso = gain * chip.converter.base_iso.value
    point = operating_point(chip, iso=iso, exposure_s=0.02)
    for level in (0.0, 0.0003, 0.01, 0.3, 0.9):
        signal = level * point.switches[0]
        if level == 0.9 and point.white_e * point.switches[0] * 0.1 < 6 * np.sqrt(point.white_e):
            continue  # shot noise would reach the switch
        mean = flat(signal * point.white_e, 512, 512)
        a, b = (capture(mean, chip, iso=iso, exposure_s=0.02, seed=11, frame=i) for i in (0, 1))
        measured = pair_variance(a.samples, b.samples) / (a.white - a.black) ** 2
        assert measured == pytest.approx(float(a.noise.variance(signal, 1.0, 1)), rel=0.03), level


@pytest.mark.parametrize("name", NAMES)
def test_black_is_eight_sigma_above_zero_at_every_exposure_index(name):
    chip = sensor(name)
    for iso in np.geomspace(chip.converter.base_iso.value, chip.converter.most_iso.value, 6):
        frame = capture(flat(0.0), chip, iso=iso, exposure_s=0.1, seed=1)
        spread = np.std(frame.samples.astype(float))
        assert frame.black >= 8 * spread * 0.98
        assert np.mean(frame.samples) == pytest.approx(frame.black, abs=6 * spread / 256 + 0.02)
        assert frame.samples.min() > 0


def test_dither_keeps_the_mean_of_signals_finer_than_a_stored_number():
    chip = ideal()
    point = operating_point(chip, iso=BASE, exposure_s=1e-3)
    assert point.conversions[0].sigma_e < 0.3 * point.e_dn
    for part in (0.25, 0.5, 0.8):
        frame = capture(flat(part * point.e_dn, 512, 512), chip, iso=BASE, exposure_s=1e-3, seed=3)
        assert np.mean(frame.samples) - frame.black == pytest.approx(part, abs=0.02)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gain", [1, 5, 40])
def test_mean_follows_the_light_through_every_switch_and_clips_at_white(name, gain):
    chip = ideal(name)
    how = {"iso": gain * chip.converter.base_iso.value, "exposure_s": 0.01}
    point = operating_point(chip, **how)
    clear = 1 - 6 / np.sqrt(point.white_e)  # of white: nothing clips
    levels = [0.001, *(s * f for s in point.switches for f in (0.9, 0.98, 0.999)), *(s * 1.02 for s in point.switches[:-1])]
    for signal in (s for s in levels if s < clear):
        mean = flat(signal * point.white_e)
        frame, wanted = capture(mean, chip, seed=6, **how), expected(mean, chip, **how)
        sigma = np.std(frame.samples.astype(float)) / np.sqrt(wanted.size)
        row = max(c.row_sigma_e for c in point.conversions) / point.e_dn / 16
        assert abs(frame.samples.mean() - wanted.mean()) < 5 * (sigma + row) + 0.02, signal
    over = point.white_e + 10 * np.sqrt(point.white_e)
    assert np.all(capture(flat(3 * over), chip, seed=6, **how).samples == point.white)


def test_signal_to_noise_dips_at_each_switch_as_the_read_outs_say():
    chip = ideal()
    point = operating_point(chip, iso=BASE, exposure_s=1e-3)
    for index, switch in enumerate(point.switches[:-1]):
        snr = {}
        for side, factor in (("below", 0.96), ("above", 1.04)):
            mean = flat(switch * factor * point.white_e, 512, 512)
            a, b = (capture(mean, chip, iso=BASE, exposure_s=1e-3, seed=7, frame=i) for i in (0, 1))
            assert np.mean(a.chosen == (index if side == "below" else index + 1)) > 0.999
            snr[side] = (a.samples.mean() - a.black) / np.sqrt(pair_variance(a.samples, b.samples))
        level = switch * point.white_e
        sigma = [c.sigma_e for c in point.conversions[index : index + 2]]
        wanted = 1.04 / 0.96 * np.sqrt((0.96 * level + sigma[0] ** 2) / (1.04 * level + sigma[1] ** 2))
        assert snr["above"] / snr["below"] == pytest.approx(wanted, rel=0.02)
    assert 20 * np.log10(wanted * 0.96 / 1.04 * np.sqrt(1.04 / 0.96)) < -0.5  # the overflow capacitor's reset noise is seen


def test_digital_binning_adds_the_read_noise_of_each_conversion():
    common = {"readouts__0__row_noise_e": 0.0, "readouts__0__converter_noise_dn": 0.6}
    charge = ideal("flagship-2025-tele", binning__charge=4.0, binning__digital=1.0, readouts__0__conversion_e_dn=2.0, **common)
    digital = ideal("flagship-2025-tele", binning__charge=2.0, binning__digital=2.0, readouts__0__conversion_e_dn=0.5, **common)
    sigma = []
    for chip, e_dn in ((charge, 2.0), (digital, 0.5)):
        a, b = (capture_readout(flat(0.0, 512, 512), chip, "HCG", exposure_s=1e-4, seed=2, frame=i) for i in (0, 1))
        sigma.append(np.sqrt(pair_variance(a, b)) * e_dn)
    assert sigma[0] == pytest.approx(np.sqrt(1.1**2 + (0.6 * 2.0) ** 2 + 2.0**2 / 12), rel=0.01)
    assert sigma[1] == pytest.approx(2 * np.sqrt(1.1**2 + (0.6 * 0.5) ** 2 + 0.5**2 / 12), rel=0.01)


# --- what stays ---


def test_fixed_pattern_belongs_to_the_copy_of_the_sensor_not_to_the_frame():
    chip = changed(MAIN, pattern__prnu=0.05)
    mean = flat(50000.0, 256, 256)
    frames = [capture(mean, chip, iso=BASE, exposure_s=0.01, seed=s).samples.astype(float) for s in (1, 2)]
    other = capture(mean, chip.model_copy(update={"serial": 7}), iso=BASE, exposure_s=0.01, seed=1).samples.astype(float)
    assert np.corrcoef(frames[0].ravel(), frames[1].ravel())[0, 1] > 0.97
    assert abs(np.corrcoef(frames[0].ravel(), other.ravel())[0, 1]) < 0.02


def test_crosstalk_conserves_electrons_and_is_the_matrix_for_flat_colour():
    chip = sensor("small-2019-main")
    point = operating_point(chip, iso=50, exposure_s=0.01)
    mosaic = np.zeros((130, 64), np.float32)
    mosaic[64, 20] = 1000.0  # a point on the border of two blocks of rows
    got = (expected(mosaic, chip, iso=50, exposure_s=0.01) - point.black) * point.e_dn
    assert got.sum() == pytest.approx(1000, rel=1e-3)
    side, corner = chip.crosstalk.side.value, chip.crosstalk.corner.value
    wanted = 1000 * np.array([[corner, side, corner], [side, 1 - 4 * (side + corner), side], [corner, side, corner]])
    assert np.allclose(got[63:66, 19:22], wanted, atol=0.01)
    colour = np.array([700.0, 300.0, 100.0])
    for y, x, plane in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[y::2, x::2] = colour[plane]
    got = (expected(mosaic, chip, iso=50, exposure_s=0.01) - point.black) * point.e_dn
    mixed = crosstalk_matrix(chip) @ colour
    for y, x, plane in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        assert np.allclose(got[y::2, x::2], mixed[plane], rtol=1e-4), "edges included"


def test_dark_current_doubles_as_declared_and_its_mean_is_taken_off_the_stored_frame():
    chip = ideal()
    step = chip.dark.doubling_c.value
    assert dark_signal(chip, 2.0, 25 + step) == pytest.approx(2 * dark_signal(chip, 2.0)) == pytest.approx(4 * 4.0)
    frame = capture(flat(0.0), chip, iso=800, exposure_s=10.0, seed=1, temperature_c=25 + 3 * step)
    sigma = np.std(frame.samples.astype(float))
    assert frame.samples.mean() == pytest.approx(frame.black, abs=5 * sigma / np.sqrt(frame.samples.size) + 0.15)
    electrons = sigma**2 * (frame.electrons_at_white / (frame.white - frame.black)) ** 2
    assert electrons == pytest.approx(320, rel=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_response_is_that_of_a_colour_sensor_behind_its_ir_cut(name):
    qe = quantum_efficiency(sensor(name))
    assert qe.shape == (3, 71)
    assert np.all((qe >= 0) & (qe < 0.8))
    peaks = 380 + 5 * np.argmax(qe, axis=1)
    assert 590 <= peaks[0] <= 620 and 520 <= peaks[1] <= 550 and 440 <= peaks[2] <= 475  # noqa: PT018
    assert np.all(qe[:, -4:] < 0.01), "715 to 730 nm are cut"
    assert microlens_share(sensor(name), 0.0) == 1
    assert np.all(np.diff(microlens_share(sensor(name), np.arange(0, 41, 5.0))) < 0)


def test_lux_become_the_photons_of_the_closed_form():
    """3 lx of D65 on an 18 % grey at f/1.67: 0.0436 lx for 1/15 s make about 330 photons of 400 to 700 nm on a pixel of 3.2 um."""
    document = ideal().model_dump()
    table = {"at": (399.9, 400.0, 700.0, 700.1), "values": (0.0, 1.0, 1.0, 0.0), "lobes": (), "source": "ideal", "kind": "published"}
    document["qe"] = dict.fromkeys(("red", "green", "blue"), table)
    document["ir_cut"] = table
    every_photon = type(ideal()).model_validate(document)
    assert 0.0436 / 15 * electrons_per_lx_s(every_photon, illuminant("D65")) == pytest.approx(330, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_base_exposure_index_is_the_saturation_speed_of_the_photodiode(name):
    """Declared base ISO against ISO 12232 within a third of a stop; LOFIC lies 6.3 times above it."""
    headroom = highlight_headroom_ev(sensor(name), sensor(name).converter.base_iso.value, illuminant("D65"))
    above = np.log2(378000 / 60000) if name == MAIN else 0.0
    assert headroom - above == pytest.approx(0, abs=1 / 3)
