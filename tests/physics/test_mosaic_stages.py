"""Laws the mosaic stages must keep: black stays zero-mean, clipped neutral stays neutral, variance follows gain, phase does not matter."""

from dataclasses import replace

import numpy as np
import pytest
from dng_samples import gain_maps
from frames import NEUTRAL, frame_of, mosaic_of

from apochromat.develop import bad_pixels, highlights, linearise, opcodes1, shading, white_balance
from apochromat.light.development import Development
from apochromat.light.noise import NoiseModel
from apochromat.light.opcodes import Area, GainMap

MOSAIC_STAGES = (opcodes1, linearise, shading, bad_pixels, white_balance, highlights)


def through(frame, stages=MOSAIC_STAGES):
    development = Development(frame=frame, noise=frame.noise)
    for module in stages:
        development = module.STAGE.run(development, module.STAGE.params())
    return development


def test_black_frames_stay_zero_mean():
    """Mean of a black frame of 4 MP within 0.05 DN of zero; sigma 2 DN, so that the mean itself is known to 0.002 DN (2 sigma)."""
    noise = NoiseModel(np.full(3, 1e-4), np.full(3, (2 / 3839) ** 2))
    development = through(frame_of(np.zeros((2000, 2000)), noise=noise, seed=3), (opcodes1, linearise, shading, bad_pixels, white_balance))
    for p in range(4):
        mean_dn = development.mosaic[p // 2 :: 2, p % 2 :: 2].mean(dtype=float) / development.wb[[0, 1, 1, 2]][p] * 3839
        assert abs(mean_dn) < 0.05
    assert development.mosaic.min() < -5 / 3839


def colored_maps(height, width):
    """Four different maps that rise towards the corners, red more than blue, as phones have them."""
    maps = gain_maps(height, width, 1.5)
    return tuple(replace(m, gains=m.gains * np.float32(s)) for m, s in zip(maps, (1.1, 1.0, 1.01, 0.95), strict=True))


@pytest.mark.parametrize("cfa", ["RGGB", "BGGR"])
def test_clipped_neutral_wall_through_a_gain_map_stays_neutral(cfa):
    """Every sample saturated: after four different maps and white balance each reads the brightest clip level there, to 0.1 %."""
    frame = replace(frame_of(np.ones((600, 840)), cfa), opcodes2=colored_maps(600, 840))
    development = through(frame)
    y, x = np.mgrid[: development.mosaic.shape[0], : development.mosaic.shape[1]]
    levels = [development.gain.at(y, x, p) * development.wb[c] for p, c in ((0, 0), (1, 1), (2, 1), (3, 2))]
    inner = np.s_[2:-2, 2:-2]  # at the very edge one colour has neighbours on one side only
    np.testing.assert_allclose(development.mosaic[inner], np.max(levels, axis=0)[inner], rtol=1e-3)


def test_partly_clipped_neutral_wall_stays_neutral():
    """A grey wall that brightens past the clip level of green, then blue, then red, seen through four different maps."""
    height, width = 240, 320
    wall = np.tile(0.5 + 1.6 * np.arange(width) / width, (height, 1))
    frame = replace(frame_of(mosaic_of(np.minimum(wall[..., None] * NEUTRAL, 1))), opcodes2=gain_maps(height, width, 1.5))
    mosaic = through(frame).mosaic
    cells = np.stack([mosaic[0::2, 0::2], (mosaic[0::2, 1::2] + mosaic[1::2, 0::2]) / 2, mosaic[1::2, 1::2]], -1)
    spread = (cells.max(-1) - cells.min(-1)) / cells.mean(-1)
    slope = 1.6 / width / 0.5 + 2 * 1.5 / width  # what one pixel of offset between the colours makes
    assert np.quantile(spread[4:-4, 4:-4], 0.99) < 0.02 + 2 * slope


def test_variance_after_gain():
    """Predicted g a s + g^2 b against measured variance within 5 %, 4 % of which is 4 sigma of the estimate from 20,000 pixels."""
    noise = NoiseModel(np.full(3, 3e-4), np.full(3, 4e-6))
    gain = GainMap(area=Area(0, 0, 300, 300), spacing=(1.0, 1.0), origin=(0.0, 0.0), gains=np.full((1, 1, 1), 2.5, np.float32))
    for level in (0.02, 0.3):
        frame = replace(frame_of(np.full((300, 300), level), noise=noise, white=16383.0), opcodes2=(gain,))
        development = through(frame, (opcodes1, linearise, shading))
        measured = development.mosaic[0::2, 0::2].var(dtype=float)
        predicted = development.noise.variance(2.5 * level, 2.5, 0)
        assert measured == pytest.approx(predicted, rel=0.05)


def test_phase_does_not_matter():
    """One sensor read from four corners: the same pixels in the overlap to 1e-4, 64 pixels from the border."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:322, :386]
    light = 0.3 + 1.5 * np.exp(-((y - 150) ** 2 + (x - 200) ** 2) / 5000.0)
    rgb = np.minimum(light[..., None] * NEUTRAL * rng.uniform(0.98, 1.02, (322, 386, 1)), 1)
    whole = through(frame_of(mosaic_of(rgb)))
    inner = np.s_[64:-64, 64:-64]
    for dy, dx, cfa in ((0, 1, "GRBG"), (1, 0, "GBRG"), (1, 1, "BGGR")):
        frame = frame_of(mosaic_of(rgb)[dy:, dx:])
        part = through(replace(frame, cfa=cfa))
        got = part.mosaic[-part.origin[0] :, -part.origin[1] :][: 322 - dy, : 386 - dx]
        np.testing.assert_allclose(got[inner], whole.mosaic[dy:, dx:][inner], atol=1e-4)
