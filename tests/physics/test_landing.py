"""Landing on the sensor: its kernels beside their oracle, and what a known mapping and a known motion do to a known image."""

import numpy as np
import pytest
from oracle import landing as oracle

from apochromat.native import KernelError, kernels
from apochromat.optics import landing
from apochromat.optics.focused import Mapping
from apochromat.optics.landing import Path, Shutter, landed, placed
from apochromat.optics.resampling import _filter, prepared, sampled, taps

PITCH_MM = 0.003
SHUTTER = Shutter(0.02, 0.01, 0.008)
STILL = {"right": 0.0, "down": 0.0, "degrees": 0.0}


def lens(shape, barrel=0.06):
    """A mapping with barrel distortion and vignetting, a little farther than the corner."""
    height = np.linspace(0, 1.05, 30)
    corner_mm = np.hypot(*shape) / 2 * PITCH_MM
    ideal = height * (1 + barrel * height**2)
    return Mapping(ideal * corner_mm, height * corner_mm, 1 - 0.4 * height**2, 20 * height, 6.0, 2.0)


def shading_of(seen):
    """Of three channels, each its own."""
    return np.stack([seen.illumination**power for power in (0.8, 1.0, 1.3)])


def hand(right, down, degrees):
    """Away by some pixels, and on by as many in the exposure of a row, faster and faster; turned in the same time."""
    time = np.linspace(0, 0.04, 65)
    way = (time / 0.01) ** 1.5
    return Path(time, right * way, down * way, np.radians(degrees) * way)


def planes_for(shape, oversample, margin=6, seed=0):
    """Even light with grain, lamps and dark pixels (3, h, w) for a sensor of a shape; a margin of cells, or fewer than it sees."""
    random = np.random.default_rng(seed)
    size = [int(np.ceil(n * oversample * 1.06)) + 2 * margin for n in shape]
    light = random.uniform(0.5, 1.5, (3, *size)).astype(np.float32)
    lamps = random.random(size) < 2e-3
    light[:, lamps] *= 3e4
    return light


CASES = {
    "still": ((96, 160), 1.25, 1, STILL, 6),
    "odd": ((67, 131), 1.25, 1, {"right": 0.2, "down": -0.1, "degrees": 0.0}, 6),
    "turned": ((70, 97), 1.5, 1, {"right": 0.5, "down": -0.4, "degrees": 0.3}, 12),
    "quad": ((130, 66), 1.25, 2, {"right": -0.3, "down": 0.5, "degrees": -0.2}, 12),
    "odd quad": ((37, 51), 2.0, 2, STILL, 8),
    "beyond the edges": ((81, 75), 1.25, 1, {"right": 1.5, "down": 2.5, "degrees": 1.0}, -9),
    "wide": ((36, 4101), 1.25, 1, {"right": 0.8, "down": 0.1, "degrees": 0.01}, 30),
}


@pytest.mark.parametrize("case", CASES)
def test_land_matches_its_oracle(case):
    """Within 1e-5 of the brightest cell that a pixel takes from; what a pixel is limited by, within as much of itself."""
    shape, oversample, side, moves, margin = CASES[case]
    light, seen, path = planes_for(shape, oversample, margin), lens(shape), hand(**moves)
    shading, signals = shading_of(seen), prepared(light, oversample)
    given = (shape, PITCH_MM, seen, shading, path, SHUTTER)
    expected = oracle.landed(signals, *given, taps(oversample), oversample=oversample, side=side)
    found = landed(signals, *given, oversample=oversample, side=side)
    assert found.dtype == np.float32
    most = oracle.landed(abs(signals), *given, abs(taps(oversample)), oversample=oversample, side=side)
    assert (abs(found - np.maximum(expected, 0)) <= 1e-5 * most).all()

    soft = oracle.landed(light, *given, taps(oversample), oversample=oversample, side=side)
    expected = oracle.limited(found, soft, side)
    limited = landed(signals, *given, light=light, oversample=oversample, side=side)
    assert (expected != found).mean() > 1e-3
    assert limited == pytest.approx(expected, rel=1e-5)
    assert ((limited != found) == (expected != found)).all()


def test_instants_are_as_many_as_the_motion_asks_for():
    """The cases above are landed at one, a few and the most instants."""
    counts = {case: len(landing._instants(hand(**moves), SHUTTER)) for case, (*_, moves, _) in CASES.items()}
    assert counts["still"] == 1
    assert counts["beyond the edges"] == landing.MOST_INSTANTS
    assert 1 < counts["odd"] < landing.MOST_INSTANTS


@pytest.mark.parametrize("shape", [(3, 65, 131), (1, 200, 97), (2, 11, 40), (1, 3, 5)])
def test_prepare_matches_its_oracle(shape):
    signals = np.random.default_rng(1).uniform(0, 1, shape).astype(np.float32)
    assert prepared(signals, 1.25) == pytest.approx(oracle.prepared(signals, _filter(1.25)), abs=5e-6)


def test_a_part_of_planes_is_prepared_as_if_it_were_copied():
    signals = np.random.default_rng(2).random((3, 150, 170)).astype(np.float32)
    part = signals[:, 11:140, 20:161]
    assert (prepared(part, 1.5) == prepared(part.copy(), 1.5)).all()


def test_placed_and_sampled_match_the_oracle():
    """Also beyond the planes' edges, and where what is found is below nothing."""
    random, oversample = np.random.default_rng(3), 1.25
    planes = random.normal(size=(2, 90, 120)).astype(np.float32)
    y, x = random.uniform(-60, 60, (2, 33, 29))
    expected = oracle.between(planes, y, x, np.ones(y.shape, int), taps(oversample))
    assert sampled(planes[1], y, x, oversample) == pytest.approx(expected, abs=1e-5)
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in (81, 103))
    y, x = np.meshgrid(rows * oversample, columns * oversample, indexing="ij")
    found = placed(planes, (81, 103), oversample)
    for number, plane in enumerate(found):
        expected = oracle.between(planes, y, x, np.full(y.shape, number), taps(oversample))
        assert plane == pytest.approx(expected, abs=1e-5)
    assert found.min() < -1


def test_threads_change_nothing():
    shape, oversample, side, moves, margin = CASES["turned"]
    shape = (3 * shape[0], 2 * shape[1])
    light, seen = planes_for(shape, oversample, margin), lens(shape)
    mosaics = []
    for threads in (1, 2, 3):
        signals = prepared(light, oversample, threads)
        given = (signals, shape, PITCH_MM, seen, shading_of(seen), hand(**moves), SHUTTER)
        mosaics.append(landed(*given, light=light, oversample=oversample, side=side, threads=threads))
    assert (mosaics[0] == mosaics[1]).all()
    assert (mosaics[0] == mosaics[2]).all()


def test_a_ramp_is_distorted_shaded_and_moved_as_told():
    """Cells that are their own column: each pixel tells whence its light came, in rows that are exposed one after the other."""
    shape, oversample = (202, 262), 1.25
    seen, (rows, columns) = lens(shape), np.indices(shape)
    height, width = (int(n * oversample * 1.1) + 60 for n in shape)
    ramp = np.broadcast_to(np.arange(width, dtype=np.float32), (3, height, width))
    path = hand(right=2.0, down=-1.0, degrees=0.4)
    found = landed(prepared(ramp, oversample), shape, PITCH_MM, seen, np.ones((3, 30)), path, SHUTTER, oversample=oversample)

    y, x = (at - (n - 1) / 2 for at, n in zip((rows, columns), shape, strict=True))
    real_mm = np.hypot(y, x) * PITCH_MM
    ratio = seen.ideal(real_mm) / real_mm
    when = SHUTTER.start_s + rows / shape[0] * SHUTTER.read_out_s + np.linspace(0, SHUTTER.exposure_s, 101)[:, None, None]
    right, down, turn = (values.mean(0) for values in path.at(when))
    expected = (x * ratio - right + turn * (y * ratio - down)) * oversample + (width - 1) / 2
    assert found == pytest.approx(expected, abs=0.02)


def test_a_filter_of_another_length_is_refused():
    """The kernel's own length is that of `resampling.REACH`."""
    plane = np.ones((40, 50), np.float32)
    with pytest.raises(KernelError, match="half"):
        kernels.prepare(signals=plane, half=np.ones(10, np.float32), top=0, prepared=plane.copy())
