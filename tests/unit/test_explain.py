"""What the page of steps shows: true colours, the right place, and text that cannot break out of the page."""

import numpy as np
import pytest

from apochromat.develop.stage import Params, Stage, parameter
from apochromat.explain import Step, page, view
from apochromat.light.raw_frame import Box, Calibration, ColorProfile, Levels, RawFrame


@pytest.mark.parametrize("cfa", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_half_size_takes_each_cell_for_one_pixel(cfa):
    rgb = np.random.default_rng(0).random((3, 4, 3))
    mosaic = np.empty((6, 8))
    for k, colour in enumerate(cfa):
        mosaic[k // 2 :: 2, k % 2 :: 2] = rgb[..., "RGB".index(colour)]
    np.testing.assert_allclose(view.half_size(mosaic, cfa), rgb)
    np.testing.assert_allclose(view.half_size(np.pad(mosaic, ((0, 1), (0, 1))), cfa), rgb)


def test_shrunk_averages():
    pixels = np.arange(7 * 9 * 3, dtype=np.float32).reshape(7, 9, 3)
    small = view.shrunk(pixels, 3)
    np.testing.assert_allclose(small[1, 2], pixels[3:6, 6:9].mean((0, 1)))
    assert small.shape == (2, 3, 3)
    assert view.shrunk(pixels, 1) is pixels
    assert view.shrunk(pixels.astype(np.uint8), 3).dtype == np.uint8


def test_detail_is_where_the_contrast_is():
    pixels = np.full((400, 600, 3), 0.2, np.float32)
    pixels[300:360:2, 450:520] = 0.6
    place = view.busiest(pixels, 100)
    part = view.around(pixels, place, 100)
    assert part.shape == (100, 100, 3)
    assert part.std() > 0.1


@pytest.mark.parametrize("place", [(0.0, 0.0), (1.0, 1.0), (0.5, 0.0)])
def test_detail_stays_inside(place):
    assert view.around(np.zeros((50, 80, 3)), place, 30).shape == (30, 30, 3)
    assert view.around(np.zeros((20, 80, 3)), place, 30).shape == (20, 30, 3)


def test_white_stays_white():
    white = np.ones((1, 1, 3), np.float32)
    np.testing.assert_allclose(view.to_srgb(white, "rec2020"), white, atol=1e-5)
    assert view.to_srgb(white, "camera") is white
    np.testing.assert_allclose(view.srgb_curve(np.array([-1, 0, 0.5, 1, 3])), [0, 0, 0.735357, 1, 1], atol=1e-6)


class Words(Params):
    word: str = parameter("<b>", "Words & <signs>")


def test_page_is_safe_against_what_files_say():
    frame = RawFrame(
        np.zeros((2, 2), np.uint16),
        "RGGB",
        Levels(np.zeros((1, 1, 1), np.float32), np.ones(4, np.float32)),
        Box(0, 0, 2, 2),
        Box(0, 0, 2, 2),
        ColorProfile((Calibration(21, np.eye(3)),)),
        metadata={"make": "<script>alert(1)</script>", "exposure_s": 0.004, "f_number": 2.0},
        path="/x/<img>.dng",
        notes=("a <note>",),
    )
    stage = Stage("words", 1, "Summary & <more>", Words, run=lambda development, params: development, source="Smith <2001>")
    text = page.render(frame, [Step(stage, Words(word="<i>"), {"found <x>": 0.123456}, b"o", b"d")])
    for bad in ("<script>alert", "<img>", "<note>", "<more>", "<2001>", "<signs>", "<i>", "<b>", "<x>"):
        assert bad not in text, bad
    assert "1/250 s" in text
    assert "0.1235" in text
    assert '<td class="changed">&lt;i&gt;</td>' in text


def test_values_read_as_a_photographer_would_write_them():
    facts = {
        "temperature_k": 5022.4,
        "exposure_ev": 0.437,
        "geometry": {"opcodes": False, "lens": ""},
        "white_xy": (0.34, 0.36),
        "lens": "",
    }
    text = page._definitions(facts)
    for part in ("temperature</dt><dd>5022 K<", "exposure</dt><dd>0.437 EV<", "<dd>opcodes false<", "white xy</dt><dd>0.34, 0.36<"):
        assert part in text, text
    assert text.count("<dt>") == 4
    assert page._text(0.65, "px") == "0.65 px"
    assert page._text([0.45, 0.1], "share") == "0.45, 0.1 share"
    assert page._text("auto", "K") == "auto"
