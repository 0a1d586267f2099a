"""Highlights: kernels against oracles, what must not change, and what clipped light becomes."""

from dataclasses import replace

import numpy as np
import pytest
from frames import NEUTRAL, frame_of, mosaic_of
from oracle import highlights as oracle
from scipy.ndimage import minimum_filter

from apochromat.develop import highlights, linearise, white_balance
from apochromat.light.development import Development
from apochromat.light.gain_field import GainField
from apochromat.light.raw_frame import Levels
from apochromat.native import kernels


def balanced(rgb, cfa="RGGB", **facts):
    """Linear, white-balanced mosaic of a scene given in balanced camera RGB, 1 = clip level of green."""
    return through(frame_of(mosaic_of(np.minimum(rgb * NEUTRAL, 1), cfa), cfa, **facts))


def through(frame):
    """The frame linear and white-balanced."""
    development = linearise.run(Development(frame=frame), linearise.LineariseParams())
    return white_balance.run(development, white_balance.WhiteBalanceParams())


def rebuilt(development, **params):
    copy = replace(development, mosaic=development.mosaic.copy())
    return highlights.run(copy, highlights.HighlightsParams(**params)).mosaic


def colors(mosaic):
    return np.stack([mosaic[0::2, 0::2], (mosaic[0::2, 1::2] + mosaic[1::2, 0::2]) / 2, mosaic[1::2, 1::2]], -1)


def random_case(size, seed=0):
    rng = np.random.default_rng(seed)
    mosaic = rng.uniform(-0.05, 2, size).astype(np.float32)
    clip = rng.integers(0, 16, (size[0] // 2, size[1] // 2)).astype(np.uint8) * (rng.random((size[0] // 2, size[1] // 2)) < 0.2)
    level = GainField(np.array([-2.0, 13, 90]), np.array([1.0, 40]), rng.uniform(1.2, 2.2, (4, 3, 2)).astype(np.float32))
    y, x = np.mgrid[: size[0], : size[1]]
    return mosaic, clip.astype(np.uint8), level, level.at(y, x, 2 * (y % 2) + x % 2)


@pytest.mark.parametrize("size", [(18, 20), (34, 50), (70, 130)])
def test_rim_oracle(size):
    mosaic, clip, level, levels = random_case(size)
    expected = oracle.rim(mosaic, clip, levels)
    sums = np.empty(expected.shape, np.float32)
    kernels.highlights_rim(mosaic=mosaic, clip=clip, lines=level.lines(size[1]), knot=level.rows_table(size[0]), sums=sums)
    np.testing.assert_allclose(sums, expected, atol=1e-4 * 64)


@pytest.mark.parametrize("size", [(8, 8), (34, 50), (70, 130)])
def test_rebuild_oracle(size):
    mosaic, clip, level, levels = random_case(size)
    lines = np.random.default_rng(1).uniform(-0.2, 0.2, (3, 4, size[1])).astype(np.float32)
    share = np.linspace(0, 3, size[0]).astype(np.float32)
    k = np.minimum(share.astype(int), 2)
    chroma = lines[:, k] * (1 - (share - k))[:, None] + lines[:, k + 1] * (share - k)[:, None]
    expected = oracle.rebuild(mosaic, clip, levels, chroma)
    for top, bottom in ((0, size[0]), (2, size[0] - 2)):
        output = np.empty((bottom - top, size[1]), np.float32)
        kernels.highlights(
            mosaic=mosaic,
            clip=clip,
            lines=level.lines(size[1]),
            knot=level.rows_table(size[0]),
            chroma=lines,
            chroma_line=share[top:bottom].copy(),
            top=top,
            output=output,
        )
        np.testing.assert_allclose(output, expected[top:bottom], atol=1e-4)


def glow(height=192, width=256, color=(1.0, 1.0, 1.0), peak=4.0):
    """A lamp: a bright blob of one colour on a dim ground of the same."""
    y, x = np.mgrid[:height, :width]
    shape = 0.15 + peak * np.exp(-((y - height / 2) ** 2 + (x - width / 2) ** 2) / (2 * 30.0**2))
    return shape[..., None] * np.array(color)


def test_unclipped_samples_stay_bit_identical():
    development = balanced(glow())
    got = rebuilt(development)
    bits = np.stack([(development.clip >> p) & 1 for p in range(4)]).reshape(2, 2, *development.clip.shape)
    clipped = bits.transpose(2, 0, 3, 1).reshape(got.shape).astype(bool)
    assert 0.02 < clipped.mean() < 0.5
    np.testing.assert_array_equal(got[~clipped], development.mosaic[~clipped])
    assert np.all(got[clipped] >= development.mosaic[clipped] - 1e-6)


def test_nothing_clipped_costs_nothing():
    development = balanced(glow(peak=0.4))
    assert highlights.run(development, highlights.HighlightsParams()) is development
    assert highlights.run(balanced(glow()), highlights.HighlightsParams(mode="off")).mosaic.max() <= 1 / NEUTRAL.min() + 1e-6


@pytest.mark.parametrize("cfa", ["RGGB", "GRBG", "GBRG", "BGGR"])
def test_a_white_lamp_stays_white(cfa):
    development, truth = balanced(glow(), cfa), balanced(glow() / 8, cfa).mosaic * 8
    got = rebuilt(development)
    known = truth < 1 / NEUTRAL.min()  # where red, which has the highest clip level, still tells the brightness
    np.testing.assert_allclose(got[known], truth[known], rtol=0.04)
    middle = colors(got)[~known.reshape(known.shape[0] // 2, 2, -1, 2).any((1, 3))]
    np.testing.assert_allclose(middle[len(middle) // 2], 1 / NEUTRAL.min(), rtol=1e-3)
    assert middle.min() > 0.95 / NEUTRAL.min()  # no dark ring


def test_a_warm_lamp_keeps_its_colour_at_the_rim_and_goes_to_white():
    color = np.array([1.4, 1.0, 0.6])
    development = balanced(glow(color=color, peak=6.0))
    picture = colors(rebuilt(development))
    middle = picture[48, 64]
    np.testing.assert_allclose(middle / middle.max(), 1, atol=0.01)
    only_green = development.clip == 6
    assert only_green.sum() > 100
    hue = picture[only_green] / picture[only_green].sum(-1, keepdims=True)
    np.testing.assert_allclose(hue.mean(0), color / color.sum(), atol=0.02)


def test_missing_green_is_put_back_without_pink():
    """A cloud in a blue sky that clips green alone: the classic pink cloud."""
    y, x = np.mgrid[:192, :256]
    cloud = np.exp(-((y - 96) ** 2 + (x - 128) ** 2) / (2 * 40.0**2))[..., None]
    truth = (1 - cloud) * np.array([0.5, 0.6, 0.8]) + cloud * np.array([1.35, 1.38, 1.4])
    development = balanced(truth)
    assert set(np.unique(development.clip)) <= {0, 2, 4, 6}
    assert np.any(development.clip == 6)
    got, expected = colors(rebuilt(development)), colors(mosaic_of(truth))
    clipped = development.clip == 6
    assert np.abs(got - expected)[clipped].max() < 0.12
    pink = got[..., 1] / ((got[..., 0] + got[..., 2]) / 2)
    before = colors(development.mosaic)
    assert (before[..., 1] / ((before[..., 0] + before[..., 2]) / 2))[clipped].min() < 0.8
    assert pink[clipped].min() > 0.93


def test_color_off_is_neutral_where_little_is_known():
    development = balanced(glow(color=(1.6, 1.0, 0.5)))
    vivid, plain = (colors(rebuilt(development, color=c)) for c in (1.0, 0.0))
    clipped = development.clip == 15
    deep = minimum_filter(clipped, 5)
    assert deep.any()
    np.testing.assert_allclose(plain[deep], vivid[deep], atol=1e-5)
    partly = (development.clip > 0) & ~clipped
    assert np.std(plain[partly], axis=-1).mean() < np.std(vivid[partly], axis=-1).mean()


def test_result_hardly_depends_on_where_bands_and_blocks_begin():
    development = balanced(glow(height=320, color=(0.9, 1.0, 1.3)))
    got = rebuilt(development)
    shift = replace(
        development,
        mosaic=np.ascontiguousarray(development.mosaic[16:]),
        clip=np.ascontiguousarray(development.clip[8:]),
        gain=development.gain,
    )
    np.testing.assert_allclose(rebuilt(shift)[64:], got[80:], atol=0.02)


def test_linear_rgb():
    rgb = np.minimum(glow(color=(1.0, 1.0, 1.0)) * NEUTRAL, 1)
    levels = Levels(np.zeros((1, 1, 3), np.float32), np.full(3, 65535, np.float32))
    frame = replace(frame_of(np.zeros((8, 8))), samples=np.rint(rgb * 65535).astype(np.uint16), cfa="", levels=levels)
    frame = replace(frame, active=frame_of(rgb[..., 0]).active, crop=frame_of(rgb[..., 0]).crop)
    got = highlights.run(through(frame), highlights.HighlightsParams()).rgb
    spread = (got.max(0) - got.min(0)) / got.max(0)
    assert spread.max() < 0.02
    assert got.max() == pytest.approx(1 / NEUTRAL.min(), rel=0.01)
