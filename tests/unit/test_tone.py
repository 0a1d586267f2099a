"""Tone: against the oracle; grey, black and hue kept; monotonic; fades to white."""

import numpy as np
import pytest
from finishing import finish
from frames import scene_frame
from oracle.opponent import split
from oracle.tone import tone as oracle

from apochromat.light.development import Development
from apochromat.look.tone import ToneParams, run

STEEP = {"contrast": 2.0, "shadows": 0.1, "highlights": 1.0}
FLAT = {"contrast": 0.7, "shadows": 1.5, "highlights": 0.05}


def curve_of(white=1.5, **params):
    """Kernel arguments of the tone stage for a scene whose white is `white`."""
    start = Development(scene_frame(8, 8)).with_facts(scene_white=white)
    return run(start, ToneParams(**params)).finish


def tone(rgb, **arguments):
    return finish(rgb, **arguments)


def wild(shape=(34, 50), seed=0):
    """Colours of every size, negatives and out-of-gamut ones among them."""
    rng = np.random.default_rng(seed)
    return (rng.normal(0.3, 0.6, (*shape, 3)) * 10 ** rng.uniform(-3, 1, (*shape, 1))).astype(np.float32)


@pytest.mark.parametrize("shape", [(8, 16), (34, 50), (51, 67)])
@pytest.mark.parametrize("settings", [{}, {"contrast": 1.8, "shadows": 0.2, "highlights": 0.1, "richness": 1.0}])
def test_kernel_matches_oracle(shape, settings, isa):
    rgb, arguments = wild(shape), curve_of(**settings)
    expected = oracle(rgb.astype(float), 1.3, **{k: v for k, v in arguments.items() if k != "tone_on"})
    np.testing.assert_allclose(tone(rgb, exposure_gain=1.3, **arguments), expected, atol=1e-4)


def test_off_is_bit_exact():
    rgb = wild()
    np.testing.assert_array_equal(tone(rgb), rgb)
    assert "tone_on" not in curve_of(enabled=False)


@pytest.mark.parametrize("white", [0.5, 1.0, 1.5, 4.0])
@pytest.mark.parametrize("settings", [{}, STEEP, FLAT])
def test_greys_stay_grey_and_rise(white, settings):
    ramp = np.repeat(np.geomspace(1e-5, 8, 2048).reshape(8, 256, 1), 3, -1)
    out = tone(ramp, **curve_of(white, **settings))
    assert np.ptp(out, axis=-1).max() < 2e-6
    assert np.diff(out[..., 1].ravel()).min() > -3e-6
    assert out.max() <= 1 + 1e-6


def test_anchors():
    greys = np.repeat(np.array([0, 0.18, 1.0, 2.0, 50.0]), 16).reshape(5, 16, 1).repeat(3, -1)
    black, grey, diffuse, white, beyond = tone(greys, **curve_of(2.0))[:, 0, 1]
    assert black == 0
    assert grey == pytest.approx(0.21, abs=1e-5)
    assert 0.65 < diffuse < 0.85
    assert white == pytest.approx(1, abs=1e-5)
    assert beyond == pytest.approx(1, abs=1e-5)


def test_hue_is_kept():
    """Chroma keeps its direction in the opponent space wherever no cone is driven below zero."""
    rgb = np.random.default_rng(4).uniform(0.02, 1, (34, 50, 3)) ** 2
    before, after = split(rgb)[1], split(tone(rgb, **curve_of()).astype(float))[1]
    cosine = (before * after).sum(-1) / np.maximum(np.linalg.norm(before, axis=-1) * np.linalg.norm(after, axis=-1), 1e-9)
    assert cosine[np.linalg.norm(before, axis=-1) > 0.02].min() > 1 - 1e-5


def test_bright_colours_fade_to_white():
    red = np.array([0.8, 0.05, 0.02]) * np.geomspace(0.1, 100, 16)[None, :, None]
    lightness, chroma = split(tone(np.repeat(red, 8, 0), **curve_of()).astype(float))
    assert np.all(np.diff(lightness[0]) >= -1e-6)
    assert np.all(np.isfinite(chroma))


def test_wild_input_stays_finite():
    extremes = np.array([-1e6, -1, -1e-9, 0, 1e-9, 0.18, 1, 1e3, 1e6])
    cube = np.stack(np.meshgrid(extremes, extremes, extremes), -1).reshape(27, 27, 3)
    out = tone(cube, **curve_of())
    assert np.isfinite(out).all()
