"""Photodiode by photodiode: the quad-Bayer mode against its binned one, and remosaicing against flat and sloping light."""

import numpy as np
import pytest

from apochromat.sensor import SensorError, capture, expected, operating_point, sensor
from apochromat.sensor.native import native, remosaiced
from apochromat.sensor.response import crosstalk_matrix

MAIN = "flagship-2025-main"
ISO, TIME_S = 800, 0.01


def planes(shape):
    """Colour (0, 1, 2) of each position of a quad-Bayer and of a 2 x 2 mosaic."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    colour = np.array([[0, 1], [1, 2]])
    return colour[y // 2 % 2, x // 2 % 2], colour[y % 2, x % 2]


def correlation(noise):
    """The strongest between two positions of 4 x 4."""
    phases = [noise[y::4, x::4].ravel() for y in range(4) for x in range(4)]
    return np.abs(np.corrcoef(phases) - np.eye(16)).max()


def test_four_photodiodes_are_one_binned_pixel():
    binned, single = sensor(MAIN), native(sensor(MAIN))
    assert single.shape == (2 * binned.shape[0], 2 * binned.shape[1])
    assert single.pixels.pitch_um.value == single.pixels.native_pitch_um.value == 1.6
    assert [4 * r.full_well_e.value for r in single.readouts] == [r.full_well_e.value for r in binned.readouts]
    assert 4 * single.dark.current_e_s.value == binned.dark.current_e_s.value
    assert 4 * single.pattern.dsnu_e.value**2 == pytest.approx(binned.pattern.dsnu_e.value**2)
    with pytest.raises(SensorError, match="binned 2 x 2"):
        native(sensor("small-2019-main"))
    with pytest.raises(SensorError, match="found 4 x 4"):
        native(sensor("flagship-2025-tele"))


def test_crosstalk_of_flat_colour_is_the_matrix_of_the_quad_mosaic():
    chip = native(sensor(MAIN))
    point = operating_point(chip, iso=ISO, exposure_s=TIME_S)
    colour = np.array([700.0, 300.0, 100.0])
    quad, _ = planes((136, 72))
    got = (expected(colour[quad].astype(np.float32), chip, iso=ISO, exposure_s=TIME_S) - point.black) * point.e_dn
    assert np.allclose(got, (crosstalk_matrix(chip) @ colour)[quad], rtol=1e-4), "edges included"


def test_remosaiced_flat_colour_keeps_its_colour_and_the_declared_noise():
    """Seed 31, grey light, pairs of 1024 x 1024: the variance of each colour against the frame's own noise model."""
    chip = native(sensor(MAIN))
    point = operating_point(chip, iso=ISO, exposure_s=TIME_S)
    _, bayer = planes((1024, 1024))
    for level in (0.0, 0.05, 0.3):
        mean = np.full(bayer.shape, level * point.white_e, np.float32)
        pair = [remosaiced(capture(mean, chip, iso=ISO, exposure_s=TIME_S, seed=31, frame=i)) for i in (0, 1)]
        first, second = ((f.samples.astype(float) - f.black) / (f.white - f.black) for f in pair)
        assert first.mean() == pytest.approx(level, abs=1e-4 + 0.003 * level)
        for plane in range(3):
            variance = np.var((first - second)[bayer == plane]) / 2
            assert variance == pytest.approx(float(pair[0].noise.variance(level, 1.0, plane)), rel=0.03), (level, plane)
    assert correlation(first - second) > 0.3, "neighbours share photodiodes"
    raw = [capture(mean, chip, iso=ISO, exposure_s=TIME_S, seed=31, frame=i).samples.astype(float) for i in (0, 1)]
    assert correlation(raw[0] - raw[1]) < 0.02


def test_remosaicing_is_exact_for_sloping_light_of_one_colour_and_keeps_white():
    chip = native(sensor(MAIN))
    frame = capture(np.zeros((64, 96), np.float32), chip, iso=ISO, exposure_s=TIME_S, seed=1)
    quad, bayer = planes((64, 96))
    y, x = np.mgrid[:64, :96]
    slope = 5000 + 30.0 * y + 40.0 * x
    scale = np.array([1.0, 3.0, 2.0])
    sloping = np.rint(slope * scale[quad]).astype(np.uint16)
    got = remosaiced(type(frame)(**{**vars(frame), "samples": sloping})).samples
    inner = (slice(8, -8), slice(8, -8))
    assert np.abs(got - slope * scale[bayer])[inner].max() < 3, "rounding only"
    white = np.full_like(sloping, frame.white)
    assert np.all(remosaiced(type(frame)(**{**vars(frame), "samples": white})).samples == frame.white)
    with pytest.raises(SensorError, match="multiples of 4"):
        remosaiced(type(frame)(**{**vars(frame), "samples": sloping[:62]}))
