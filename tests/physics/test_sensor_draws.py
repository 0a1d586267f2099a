"""What chance does on the sensor: the generator's published numbers, exact Poisson, true normals, and the read-outs' arithmetic."""

import numpy as np
import pytest
from oracle import sensor as oracle
from scipy import stats

from apochromat.sensor import capture, capture_readout, draws, sensor
from apochromat.sensor.operating_point import conversion, operating_point

MAIN = "flagship-2025-main"
MEANS = (0.0, 1e-3, 0.3, 2.0, 7.99, 8.0, 11.0, 25.0, 90.0, 700.0, 1.2e4, 2e5, 1.4e6)
SEEDS = (12, 3)


def uniform_sensor(**pattern):
    """The main sensor with a pixel as good as every other, or a declared pattern."""
    document = sensor(MAIN).model_dump()
    for place, name in (("crosstalk", "side"), ("crosstalk", "corner"), ("pattern", "prnu"), ("pattern", "dsnu_e")):
        document[place][name] |= {"value": pattern.get(name, 0.0), "range": None, "kind": "published"}
    return type(sensor(MAIN)).model_validate(document)


def charges(means, rows=64, columns=1000, *, seeds=SEEDS, top=0, dark_e=0.0, chip=None):
    """Planes (5, rows, columns) that `charge` gives for a mean, or an array of them."""
    electrons = np.broadcast_to(np.asarray(means, np.float32), (rows, columns)).copy()
    return draws.charge(electrons, chip or uniform_sensor(), dark_e, seeds, top).transpose(1, 0, 2)[:, :, :columns]


@pytest.mark.parametrize(
    ("rounds", "fill", "wanted"),
    [
        (20, 0, "9c6ca96a e17eae66 fc10ecd4 5256a7d8"),
        (20, 0xFFFFFFFF, "2a881696 57012287 f6c7446e a16a6732"),
        (13, 0, "531c7e4f 39491ee5 2c855a92 3d6abf9a"),
    ],
)
def test_oracle_generator_gives_the_numbers_published_with_it(rounds, fill, wanted):
    """Known answers of the authors' library, Random123."""
    words = oracle.threefry(np.full((4, 1), fill), [fill] * 4, rounds)
    assert " ".join(f"{int(w):08x}" for w in words[:, 0]) == wanted


def test_uniform_numbers_are_the_oracles_words(isa):
    for top in (0, 96):
        planes = charges(5.0, top=top)
        high, low = oracle.words(planes.shape[1:], top, 0, draws.key(*SEEDS))[:2]
        assert np.array_equal((planes[3].astype(float) * 2.0**24 + planes[4] + 0.5) * 2.0**-48, oracle.uniform48(high, low))


@pytest.mark.parametrize("mean", MEANS)
def test_charge_is_the_oracles_inverse_distribution(mean, isa):
    """Exactly Poisson's inverse distribution, whichever way a number was found; 64,000 pixels of about this mean."""
    planes = charges(mean * np.linspace(1, 1.02, 1000))
    charge, _, means, high, low = planes.astype(float)
    share = (high * 2.0**24 + low + 0.5) * 2.0**-48
    assert oracle.is_poisson_quantile(charge, share, means).all()
    assert np.allclose(means, mean * np.linspace(1, 1.02, 1000), rtol=1e-6)


@pytest.mark.parametrize("mean", MEANS[1:])
def test_charge_is_poisson_by_chi_square(mean):
    """Seed 31, 1,024,000 pixels in up to 61 classes; 0.1 % of seeds would fail."""
    found = np.concatenate([charges(mean, seeds=(31, 0), top=64 * i)[0].ravel() for i in range(16)])
    exact = float(np.float32(mean))
    edges = np.unique(stats.poisson.ppf(np.linspace(0.001, 0.999, 60), exact))
    observed = np.histogram(found, np.concatenate([[-0.5], edges + 0.5, [np.inf]]))[0]
    chance = np.diff(np.concatenate([[0.0], stats.poisson.cdf(edges, exact), [1.0]]))
    assert stats.chisquare(observed, chance * found.size).pvalue > 1e-3


def test_charges_of_neighbours_and_of_frames_are_independent():
    """Seed 32: correlations of 256,000 pixels have a standard error of 0.002."""
    one, two = (charges(30.0, 256, seeds=(32, frame))[0] for frame in (0, 1))
    other, own = charges(30.0, 256, seeds=(33, 0))[0], charges(30.0, 256, seeds=(32, 0), chip=uniform_sensor(dsnu_e=1.0))[1]
    pairs = [(one, two), (one, other), (one, own), (one[1:], one[:-1]), (one[:, 1:], one[:, :-1])]
    assert max(abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in pairs) < 0.01


def test_fixed_offsets_are_normal_by_chi_square():
    """The serial number's draws, 1,024,000 in 400 classes of equal chance: 0.1 % of serial numbers would fail."""
    chip = uniform_sensor(dsnu_e=1.0)
    found = np.concatenate([charges(0.0, top=64 * i, chip=chip)[1].ravel() for i in range(16)])
    observed = np.histogram(found, stats.norm.ppf(np.linspace(0, 1, 401)))[0]
    assert stats.chisquare(observed).pvalue > 1e-3
    assert 4.5 < np.abs(found).max() < 6


def test_response_and_offset_are_the_oracles_normal_deviates(isa):
    chip = uniform_sensor(prnu=0.05, dsnu_e=2.0)
    planes = charges(1000.0, dark_e=3.0, chip=chip)
    words = oracle.words(planes.shape[1:], 0, 0, draws.key(chip.serial))
    assert np.allclose(planes[2], 1000 * (1 + 0.05 * oracle.normal(words[0])) + 3, rtol=1e-6)
    assert np.allclose(planes[1], 2 * oracle.normal(words[1]), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("iso", [40, 400, 12800])
def test_numbers_are_the_oracles(iso, isa):
    """All but roundings that single precision tips over: the stored number's in 1 of 200 pixels (it resolves 1/256 of one at white), by
    one; the converter's in 1 of 2,000, by one step."""
    chip = uniform_sensor(dsnu_e=3.0)
    point = operating_point(chip, iso=iso, exposure_s=0.02)
    levels = {"dark_e": point.dark_e, "per_e": 1 / point.e_dn, "black": point.black, "white": point.white}
    means = np.concatenate([np.linspace(0, 1.3 * s * point.white_e, 400) for s in point.switches])[:, None].T
    planes = charges(means, columns=means.size, chip=chip)
    drawn = np.ascontiguousarray(np.pad(planes, ((0, 0), (0, 0), (0, -means.size % draws.LANES))).transpose(1, 0, 2))
    rows = draws.row_noise(point.conversions, len(drawn), SEEDS, 0)
    found = draws.numbers(drawn, point.conversions, rows, levels, SEEDS, 0, is_stored=True)[:, :, : means.size].astype(int)
    words = oracle.words((len(drawn), means.size), 0, 1, draws.key(*SEEDS))
    wanted, chosen = oracle.stored(planes[0].astype(float), planes[1], rows, point.conversions, levels, words)
    assert np.array_equal(np.unique(chosen), np.arange(len(point.conversions)))
    same = found[:, 1] == chosen
    off = np.abs(found[:, 0] - wanted)
    assert np.mean(same) > 0.9995
    assert np.mean(off == 0) > 0.995
    assert np.mean(off <= 1) > 0.9995
    assert (off <= np.array([r.e_dn for r in point.conversions])[chosen] / point.e_dn + 1)[same].all()


def test_a_frame_does_not_depend_on_what_lies_below_or_beside():
    """Pixels own their draws: a sensor cut smaller gives the same numbers."""
    chip, how = uniform_sensor(), {"iso": 800, "exposure_s": 0.01, "seed": 5}
    mean = np.linspace(0, 6000, 200 * 260, dtype=np.float32).reshape(200, 260)
    whole, cut = capture(mean, chip, **how), capture(mean[:96, :70], chip, **how)
    assert np.array_equal(whole.samples[:96, :70], cut.samples)
    assert np.array_equal(whole.chosen[:96, :70], cut.chosen)
    assert not np.array_equal(whole.samples[96:192, :70], cut.samples)


@pytest.mark.parametrize("name", ["HCG", "LCG", "LOFIC"])
def test_a_full_well_alone_reads_as_what_it_holds(name):
    """One read-out is the converter's numbers up to the last: nothing is made white. 25,600 pixels, 5 standard errors."""
    chip, readout = uniform_sensor(), conversion(sensor(MAIN), name)
    found = capture_readout(np.full((128, 200), 1.5 * readout.full_well_e, np.float32), chip, name, exposure_s=0.01, seed=6)
    error = np.hypot(readout.pixel_sigma_e / 160, readout.row_sigma_e / np.sqrt(128)) + readout.e_dn / 160
    assert (found.mean() - readout.offset_dn) * readout.e_dn == pytest.approx(readout.full_well_e, abs=5 * error)
