"""OpcodeList2: gain maps and vignetting against closed forms at 0.5 DN of 14 bits, and the other opcodes."""

from dataclasses import replace

import numpy as np
import pytest
from frames import frame_of, mosaic_of, scene_frame
from oracle.gain import gain as oracle

from apochromat.develop import linearise, shading
from apochromat.develop.apply_opcodes import multiply
from apochromat.light import opcodes as dng
from apochromat.light.development import Development
from apochromat.light.gain_field import GainField
from apochromat.light.raw_frame import Box, Levels

HEIGHT, WIDTH = 50, 67
HALF_DN = 0.5 / 16383


def run(frame):
    development = linearise.run(Development(frame=frame), linearise.LineariseParams())
    return shading.run(development, shading.ShadingParams())


def flat(cfa, *opcodes):
    """A frame at half scale, 14 bits, without black."""
    frame = frame_of(np.full((HEIGHT, WIDTH), 0.5), cfa, black=0, white=16383)
    return replace(frame, opcodes2=opcodes)


def active(development):
    """The mosaic less its padding."""
    oy, ox = development.origin
    return development.mosaic[-oy : -oy + HEIGHT, -ox : -ox + WIDTH]


def bilinear(opcode, plane=0):
    """Closed form of a GainMap at every pixel centre (y + 0.5) / height, (x + 0.5) / width."""
    rows, cols = opcode.gains.shape[:2]
    v = np.clip(((np.arange(HEIGHT) + 0.5) / HEIGHT - opcode.origin[0]) / opcode.spacing[0], 0, rows - 1)
    u = np.clip(((np.arange(WIDTH) + 0.5) / WIDTH - opcode.origin[1]) / opcode.spacing[1], 0, cols - 1)
    g = opcode.gains[..., plane].astype(float)
    across = np.stack([np.interp(u, np.arange(cols), line) for line in g])
    return np.stack([np.interp(v, np.arange(rows), column) for column in across.T], 1)


def random_map(area, seed, shape=(5, 6, 1), low=1.0, high=3.0):
    gains = np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)
    return dng.GainMap(area=area, spacing=(1 / (shape[0] - 1), 1 / (shape[1] - 1)), origin=(0.0, 0.0), gains=gains)


STORED_HALF = round(0.5 * 16383) / 16383


@pytest.mark.parametrize("cfa", ["RGGB", "GRBG", "GBRG", "BGGR"])
def test_one_gain_map_per_position_and_one_over_all(cfa):
    maps = [random_map(dng.Area(i, j, HEIGHT, WIDTH, row_pitch=2, col_pitch=2), 2 * i + j) for i in (0, 1) for j in (0, 1)]
    over_all = replace(random_map(dng.Area(0, 0, HEIGHT, WIDTH), 9, (3, 4, 1), 1, 1.2), spacing=(0.4, 0.3), origin=(0.1, -0.05))
    got = run(flat(cfa, *maps, over_all))
    expected = bilinear(over_all) * STORED_HALF
    for i, j in np.ndindex(2, 2):
        expected[i::2, j::2] *= bilinear(maps[2 * i + j])[i::2, j::2]
    np.testing.assert_allclose(active(got), expected, atol=HALF_DN)
    oy, ox = got.origin
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    position = 2 * ((y - oy) % 2) + (x - ox) % 2
    np.testing.assert_allclose(got.gain.at(y - oy, x - ox, position) * STORED_HALF, expected, atol=HALF_DN)


def test_a_map_over_a_part_leaves_the_rest_alone():
    opcode = random_map(dng.Area(11, 20, 34, 51), 3)
    got = active(run(flat("GRBG", opcode)))
    expected = np.full((HEIGHT, WIDTH), STORED_HALF)
    expected[11:34, 20:51] *= bilinear(opcode)[11:34, 20:51]
    np.testing.assert_allclose(got, expected, atol=HALF_DN)


@pytest.mark.parametrize("pitch", [(3, 1), (4, 4)])
def test_pitches_that_cut_across_the_mosaic(pitch):
    opcode = random_map(dng.Area(5, 2, HEIGHT, WIDTH, row_pitch=pitch[0], col_pitch=pitch[1]), 4)
    got = run(flat("BGGR", opcode))
    expected = np.full((HEIGHT, WIDTH), STORED_HALF)
    expected[5 :: pitch[0], 2 :: pitch[1]] *= bilinear(opcode)[5 :: pitch[0], 2 :: pitch[1]]
    np.testing.assert_allclose(active(got), expected, atol=HALF_DN)
    assert got.notes


def test_linear_rgb_takes_a_map_per_plane():
    opcode = random_map(dng.Area(0, 0, HEIGHT, WIDTH, planes=3), 5, (4, 4, 2))
    samples = np.full((HEIGHT, WIDTH, 3), 30000, np.uint16)
    levels = Levels(np.zeros((1, 1, 3), np.float32), np.full(3, 60000, np.float32))
    got = run(replace(flat("RGGB", opcode), samples=samples, cfa="", levels=levels))
    for plane, map_plane in enumerate((0, 1, 1)):  # the last plane of the map serves those beyond it
        np.testing.assert_allclose(got.rgb[plane], bilinear(opcode, map_plane) * 0.5, atol=HALF_DN)


@pytest.mark.parametrize("center", [(0.5, 0.5), (0.42, 0.61)])
def test_vignette_radial(center):
    opcode = dng.FixVignetteRadial(coefficients=np.array([0.5, 0.3, -0.1, 0.2, 0.1]), center=center)
    got = run(flat("GBRG", opcode))
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    cx, cy = center[0] * WIDTH, center[1] * HEIGHT
    farthest = np.hypot(max(cx, WIDTH - cx), max(cy, HEIGHT - cy))
    r = np.hypot(y - cy, x - cx) / farthest
    expected = STORED_HALF * (1 + sum(k * r ** (2 * i + 2) for i, k in enumerate(opcode.coefficients)))
    np.testing.assert_allclose(active(got), expected, atol=HALF_DN)


@pytest.mark.parametrize("size", [(8, 8), (34, 50), (62, 130)])
def test_gain_oracle(size):
    rng = np.random.default_rng(1)
    mosaic = rng.normal(0.3, 0.3, size).astype(np.float32)
    field = GainField(np.array([-4.0, 3.3, 20, 90]), np.array([2.0, 11.5, 70]), rng.uniform(0.5, 4, (4, 4, 3)).astype(np.float32))
    expected = oracle(mosaic, field)
    multiply(mosaic, field)
    np.testing.assert_allclose(mosaic, expected, atol=1e-5)


def test_product_of_fields_is_refined():
    rng = np.random.default_rng(2)
    a = GainField(np.array([0.0, 30, 60]), np.array([0.0, 50, 80]), rng.uniform(1, 4, (4, 3, 3)).astype(np.float32))
    b = GainField(np.array([5.0, 41]), np.array([-3.0, 33, 90]), rng.uniform(1, 4, (4, 2, 3)).astype(np.float32))
    y, x = np.mgrid[:60, :80]
    np.testing.assert_allclose(a.times(b).at(y, x, 1), a.at(y, x, 1) * b.at(y, x, 1), atol=5e-5)


def test_value_maps_take_the_clip_level_with_them():
    square = dng.MapPolynomial(area=dng.Area(0, 0, HEIGHT, WIDTH), coefficients=np.array([0.0, 0.5, 0.5]))
    halve = dng.MapTable(area=dng.Area(0, 0, 0, 0), table=(np.arange(65536) // 2).astype(np.uint16))
    got = run(flat("GRBG", square, halve))
    np.testing.assert_allclose(got.mosaic, 0.5 * (0.5 * STORED_HALF + 0.5 * STORED_HALF**2), atol=HALF_DN)
    np.testing.assert_allclose(got.saturation, 0.5, atol=HALF_DN)


def test_bad_pixels_are_listed_in_active_area_coordinates():
    frame = flat("BGGR", dng.FixBadPixelsList(phase=3, points=np.array([[7, 9]]), boxes=np.zeros((0, 4), int)))
    frame.samples[7, 9] = 16383
    np.testing.assert_allclose(active(run(frame)), STORED_HALF, atol=1e-6)


@pytest.mark.parametrize("box", [Box(3, 6, 41, 60), Box(4, 5, 42, 61)])
def test_trim_bounds_keeps_phase_levels_and_gain(box):
    rgb = np.random.default_rng(3).uniform(0, 1, (HEIGHT, WIDTH, 3))
    frame = frame_of(mosaic_of(rgb, "GRBG"), "GRBG")
    opcode = random_map(dng.Area(0, 0, HEIGHT, WIDTH), 6)
    whole = active(run(replace(frame, opcodes2=(opcode,))))
    got = run(replace(frame, opcodes2=(opcode, dng.TrimBounds(top=box.top, left=box.left, bottom=box.bottom, right=box.right))))
    oy, ox = got.origin
    kept = np.s_[box.top : box.bottom, box.left : box.right]
    np.testing.assert_array_equal(got.mosaic[-oy : -oy + box.height, -ox : -ox + box.width], whole[kept])
    assert (got.frame.active.height, got.frame.active.width) == (box.height, box.width)
    assert got.clip.shape == tuple(n // 2 for n in got.mosaic.shape)
    y, x = np.mgrid[: box.height, : box.width]
    np.testing.assert_allclose(got.gain.at(y - oy, x - ox, 0), bilinear(opcode)[kept], atol=1e-5)


@pytest.mark.parametrize(
    "opcode",
    [
        dng.UnknownOpcode(id=99, data=b""),
        dng.FixBadPixelsConstant(constant=0, phase=0),
        dng.WarpRectilinear(coefficients=np.array([[1.0, 0, 0, 0, 0, 0]]), center=(0.5, 0.5)),
    ],
)
def test_what_cannot_be_done_is_an_error_unless_optional(opcode):
    with pytest.raises(ValueError, match="not optional"):
        run(flat("RGGB", opcode))
    assert "left out" in run(flat("RGGB", replace(opcode, optional=True))).notes[0]


def test_impossible_opcodes_are_refused():
    good = random_map(dng.Area(0, 0, HEIGHT, WIDTH), 1)
    for bad in (
        replace(good, gains=np.full((2, 2, 1), np.nan, np.float32)),
        replace(good, spacing=(0.0, 0.1)),
        replace(good, area=dng.Area(-1, 0, 9, 9)),
        dng.TrimBounds(top=0, left=0, bottom=HEIGHT + 1, right=9),
    ):
        with pytest.raises(ValueError, match="expected"):
            run(flat("RGGB", bad))


def test_without_opcodes_the_mosaic_passes_through():
    development = linearise.run(Development(frame=scene_frame(32, 32)), linearise.LineariseParams())
    assert shading.run(development, shading.ShadingParams()).mosaic is development.mosaic
