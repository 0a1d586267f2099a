"""Scenes and spectra against closed forms and colour-science: photometry, colour, exact covers, what is refused."""

import struct
import zlib

import colour
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from apochromat.light.spaces import rgb_to_xyz
from apochromat.light.spectra import (
    SpectrumError,
    color_checker,
    illuminant,
    luminance,
    rgb_reflectances,
    training_reflectances,
    xyz,
)
from apochromat.light.spectrum import GRID_NM
from apochromat.scene import SceneError, image_scene, make_scene, scene_kind, scene_names
from apochromat.scene.basis import compact
from apochromat.scene.canvas import Frame, convex, half_plane, rectangle
from apochromat.scene.exr import read_exr
from apochromat.scene.library import branches, portrait
from apochromat.scene.library.color_checker import patch_boxes
from apochromat.scene.library.grey_steps import window_boxes
from apochromat.scene.library.night_street import NOTICE, NOTICE_SIZE, PAPER
from apochromat.scene.library.slanted_edges import BRIGHT, DARK, squares
from apochromat.scene.skin import skin_reflectance
from apochromat.scene.street import project

CHARTS = ("color-checker", "dead-leaves", "grey-steps", "siemens-star", "slanted-edges")


def seen(scene):
    """Radiance coefficients (K, H, W) of all layers, composited far to near."""
    total = np.zeros_like(scene.layers[0].coefficients)
    for layer in scene.layers:
        total *= 1 if layer.cover is None else 1 - layer.cover
        total += layer.coefficients
    return total


def seen_luminance(scene):
    return np.tensordot(luminance(scene.basis), seen(scene), 1)


def middle(scene, box):
    """Mean coefficients (K,) in the inner half of a rectangle in picture heights."""
    height, width = scene.shape
    x0, y0, x1, y1 = box
    rows = slice(int((0.75 * y0 + 0.25 * y1) * height), int((0.25 * y0 + 0.75 * y1) * height))
    columns = slice(int((0.75 * x0 + 0.25 * x1) * height + width / 2), int((0.25 * x0 + 0.75 * x1) * height + width / 2))
    return seen(scene)[:, rows, columns].mean(axis=(1, 2), dtype=float)


def chromaticity(spectrum):
    found = xyz(spectrum)
    return found[:2] / found.sum()


def test_white_under_d65_has_the_chromaticity_of_the_standard():
    assert chromaticity(illuminant("D65")) == pytest.approx([0.3127, 0.3290], abs=1e-4)


@pytest.mark.parametrize("name", ["A", "D50", "D55", "F2", "F11", "HP1", "LED-B3", "LED-V1"])
def test_lights_agree_with_colour_science(name):
    key = name.replace("F", "FL") if name[0] == "F" else name
    theirs = colour.sd_to_XYZ(colour.SDS_ILLUMINANTS[key], method="Integration")
    assert chromaticity(illuminant(name)) == pytest.approx(theirs[:2] / theirs.sum(), abs=5e-4)  # theirs at 1 nm
    assert luminance(illuminant(name)) == pytest.approx(1)


@pytest.mark.parametrize("kelvin", [4000, 5600, 6500, 9000])
def test_daylight_of_any_temperature_agrees_with_colour_science(kelvin):
    theirs = colour.sd_CIE_illuminant_D_series(colour.temperature.CCT_to_xy_CIE_D(kelvin * (1.4388 / 1.4380 if kelvin == 6500 else 1)))
    ours = illuminant(f"D{kelvin}") if kelvin != 6500 else illuminant("D65")
    expected = theirs.copy().align(colour.SpectralShape(380, 730, 5)).values
    assert ours / ours[36] == pytest.approx(expected / expected[36], abs=3e-3)


def test_black_body_peaks_where_wien_says():
    assert GRID_NM[np.argmax(illuminant("P5000"))] == pytest.approx(2.897772e6 / 5000, abs=2.5)


@pytest.mark.parametrize("name", ["D65x", "D3000", "P500", "sodium", ""])
def test_unknown_lights_are_refused_by_name(name):
    with pytest.raises(SpectrumError, match="expected a light among A, "):
        illuminant(name)


def test_rgb_reflectances_are_physical_and_give_back_srgb():
    basis = rgb_reflectances()
    assert basis.min() >= 0
    assert basis.sum(axis=0) == pytest.approx(np.ones(71), abs=1e-6)
    found = xyz(basis * illuminant("D65")).T
    assert found == pytest.approx(rgb_to_xyz("srgb"), abs=2e-3)


def test_training_set_is_whole():
    assert training_reflectances().shape == (190, 71)
    assert 0 <= training_reflectances().min() < training_reflectances().max() < 1.1  # three fluoresce


@pytest.mark.parametrize("light", ["D65", "A", "LED-B3"])
def test_color_checker_patches_have_the_xyz_of_colour_science(light):
    scene = make_scene("color-checker", 240, 320, light=light, lux=np.pi * 100)
    shape = colour.SpectralShape(380, 730, 5)
    lamp = colour.SDS_ILLUMINANTS[light].copy().align(shape)
    observer = colour.MSDS_CMFS["CIE 1931 2 Degree Standard Observer"].copy().align(shape)
    for name, box in patch_boxes().items():
        sd = colour.SDS_COLOURCHECKERS["BabelColor Average"][name].copy().align(shape)
        expected = colour.sd_to_XYZ(sd, observer, lamp, method="Integration")
        assert xyz(middle(scene, box) @ scene.basis) == pytest.approx(expected, abs=0.01), name


def test_color_checker_spectra_are_near_the_measured_ones():
    scene = make_scene("color-checker", 240, 320, light="E", lux=np.pi)
    white = illuminant("E")[0]
    for name, box in patch_boxes().items():
        left = (middle(scene, box) @ scene.basis) / white - color_checker()[name]
        assert np.sqrt(np.mean(left**2)) < 0.025, name


def test_a_compact_basis_keeps_colour_exactly_and_says_its_error():
    spectra = training_reflectances() * illuminant("LED-B3")
    basis, weights, error = compact(spectra)
    assert len(basis) == 8
    assert xyz(weights @ basis) == pytest.approx(xyz(spectra), abs=1e-9)
    assert 1e-3 < error < 0.03
    basis, weights, error = compact(spectra[:4])
    assert len(basis) == 4
    assert weights @ basis == pytest.approx(spectra[:4], abs=1e-12)
    assert error < 1e-12


def test_grey_steps_halve_twenty_times_from_a_perfect_white():
    scene = make_scene("grey-steps", 240, 320, lux=500.0)
    found = [float(luminance(middle(scene, box) @ scene.basis)) for box in window_boxes()]
    assert found == pytest.approx([500 / np.pi * 2.0**-i for i in range(21)], rel=1e-4)


def test_slanted_edges_have_the_luminance_of_their_reflectances():
    scene = make_scene("slanted-edges", 240, 320, lux=np.pi * 100)
    found = seen_luminance(scene)
    assert found.max() == pytest.approx(100 * BRIGHT, rel=1e-5)
    assert found.min() == pytest.approx(100 * DARK, rel=1e-5)


def test_siemens_star_has_the_mean_and_swing_declared():
    found = seen_luminance(make_scene("siemens-star", 400, 400, lux=np.pi))
    rim = found[20:60, 150:250]
    assert found[200, 200] == pytest.approx(0.4, abs=1e-3)  # frequencies beyond the cells leave their mean
    assert rim.max() == pytest.approx(0.7, abs=0.1)


@pytest.fixture(scope="module")
def night():
    return make_scene("night-street", 450, 600, seed=1)


def test_night_street_notice_is_paper_under_the_illuminance_asked_for(night):
    x, y, z = NOTICE
    left, low = project((x, y, z))
    right, high = project((x + NOTICE_SIZE[0], y + 0.28, z))  # below the lines of the timetable
    found = middle(night, (left, high, right, low)) @ night.basis
    assert luminance(found) == pytest.approx(PAPER * 3.0 / np.pi, rel=1e-3)
    assert chromaticity(found) == pytest.approx(chromaticity(night.light), abs=1e-3)


def test_night_street_spans_lamps_and_dark_corners(night):
    found = np.tensordot(luminance(night.basis), night.layers[0].coefficients, 1)
    assert 1e3 < found.max() < 1e5
    assert np.percentile(found, 5) < 0.02
    assert 0.02 < np.median(found) < 1


def test_night_street_has_a_walker_that_moves(night):
    (walker,) = [layer for layer in night.layers if layer.moves]
    assert walker.distance_m < night.layers[0].distance_m
    assert 0.01 < walker.cover.mean() < 0.1


def test_night_street_sodium_lamp_is_a_sodium_spectrum(night):
    lamp = project((-3.0, 6.4, 11.5))
    height, width = night.shape
    planes = night.layers[0].coefficients[:, int(lamp[1] * height), int(lamp[0] * height + width / 2)]
    found = planes @ night.basis
    assert found / luminance(found) == pytest.approx(illuminant("HP1"), rel=0.02, abs=2e-6)


def test_branches_sky_is_the_overcast_sky_of_its_illuminance():
    scene = make_scene("branches", 300, 400, seed=2, lux=5000.0)
    found = np.tensordot(luminance(scene.basis), scene.layers[0].coefficients[:, :150], 1)
    frame = Frame(300, 400)
    expected = 5000 / np.pi * branches.sky_luminance(frame.x, branches.HORIZON - frame.y[:150])
    assert np.mean(found / expected) == pytest.approx(1, abs=0.06)


def test_overcast_sky_formula_integrates_to_its_illuminance():
    gamma = (np.arange(2000) + 0.5) / 2000 * np.pi / 2
    relative = branches.sky_luminance(np.zeros(2000), branches.FOCAL * np.tan(gamma))
    assert np.sum(relative * np.sin(gamma) * np.cos(gamma)) * 2 * np.pi * (np.pi / 4000) == pytest.approx(np.pi, rel=1e-3)


def test_branches_have_twigs_of_half_a_cell_and_glints_that_clip():
    scene = make_scene("branches", 300, 400, seed=2)
    cover = scene.layers[1].cover
    assert 0.02 < np.mean((cover > 0.05) & (cover < 0.5)) < 0.3
    assert np.mean(cover > 0.99) > 0.01
    assert seen_luminance(scene).max() > 20 * np.median(seen_luminance(scene))


def test_portrait_menu_is_paper_under_the_illuminance_asked_for():
    scene = make_scene("portrait", 300, 400, lux=100.0)
    x0, _, x1, y1 = portrait.MENU
    assert luminance(middle(scene, (x0, 0.74, x1, y1 - 0.015)) @ scene.basis) == pytest.approx(portrait.PAPER * 100 / np.pi, rel=1e-3)
    assert [layer.distance_m for layer in scene.layers] == [60.0, 4.0, 1.2]


def test_skin_shows_blood_and_darkens_with_melanin():
    fair, dark = skin_reflectance(0.02), skin_reflectance(0.2)
    assert (dark < fair).all()
    at = {nm: fair[int(np.argmin(np.abs(GRID_NM - nm)))] for nm in (505, 540, 560, 575, 640)}
    assert at[540] < at[505] * 1.1
    assert at[540] < at[560]
    assert at[575] < at[560]
    assert at[640] > 1.2 * at[575]


def area(corners):
    """Signed area of a polygon (n, 2)."""
    x, y = np.asarray(corners).T
    return (np.sum(x * np.roll(y, -1)) - np.sum(np.roll(x, -1) * y)) / 2


def clipped_cell(distance, nx, ny):
    """Area of the unit cell where n.p + distance > 0, by cutting the square's polygon (Sutherland and Hodgman)."""
    square, kept = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)], []
    for p, q in zip(square, square[1:] + square[:1], strict=True):
        a, b = nx * p[0] + ny * p[1] + distance, nx * q[0] + ny * q[1] + distance
        if a > 0:
            kept.append(p)
        if a * b < 0:
            kept.append(tuple(np.add(p, np.subtract(q, p) * a / (a - b))))
    return abs(area(kept)) if len(kept) > 2 else 0.0


def test_half_plane_is_the_exact_area_of_a_cut_cell():
    rng = np.random.default_rng(3)
    for angle, distance in zip(rng.uniform(0, 2 * np.pi, 300), rng.uniform(-0.8, 0.8, 300), strict=True):
        nx, ny = np.cos(angle), np.sin(angle)
        assert half_plane(np.array(distance), nx, ny) == pytest.approx(clipped_cell(distance, nx, ny), abs=1e-9)


def test_covers_keep_the_area_of_the_shape():
    frame = Frame(200, 300)
    square = squares(1.5)[7]
    box = frame.box(*square.min(axis=0), *square.max(axis=0))
    assert convex(frame, box, square).sum() / 200**2 == pytest.approx(abs(area(square)), rel=2e-3)
    box = frame.box(-0.1234, 0.2, 0.3456, 0.777)
    assert rectangle(frame, box, -0.1234, 0.2, 0.3456, 0.777).sum() / 200**2 == pytest.approx(0.469 * 0.577, rel=1e-4)


def test_every_scene_declares_itself():
    assert set(CHARTS) <= set(scene_names())
    for name in scene_names():
        kind = scene_kind(name)
        assert kind.help
        assert kind.reference
        assert kind.lux > 0
        assert luminance(illuminant(kind.light)) == pytest.approx(1)


@pytest.fixture(scope="module")
def scenes():
    return {name: make_scene(name, 150, 200, seed=4) for name in scene_names()}


def test_scenes_are_radiance_in_layers_far_to_near(scenes):
    for name, scene in scenes.items():
        assert scene.basis.shape[1] == 71, name
        assert len(scene.basis) <= 8, name
        assert scene.shape == (150, 200)
        distances = [layer.distance_m for layer in scene.layers]
        assert distances == sorted(distances, reverse=True), name
        assert scene.layers[0].cover is None, name
        for layer in scene.layers:
            assert layer.coefficients.dtype == np.float32, name
            assert np.isfinite(layer.coefficients).all(), name
            assert layer.cover is None or (layer.cover.dtype == np.float32 and 0 <= layer.cover.min() <= layer.cover.max() <= 1), name
        radiance = np.tensordot(scene.basis.T, seen(scene)[:, ::7, ::7], 1)
        assert radiance.min() > -0.02 * np.abs(radiance).max(), name
        assert seen_luminance(scene).min() >= 0, name


def test_the_same_seed_gives_the_same_scene_and_lux_only_scales_it(scenes):
    for name, scene in scenes.items():
        again = make_scene(name, 150, 200, seed=4, lux=7.0)
        for a, b in zip(scene.layers, again.layers, strict=True):
            assert np.array_equal(a.coefficients, b.coefficients), name
        assert again.basis == pytest.approx(scene.basis * 7.0 / scene.illuminance_lx), name
        assert again.illuminance_lx == 7.0


@pytest.mark.parametrize("name", ["dead-leaves", "night-street", "branches", "portrait"])
def test_another_seed_gives_another_scene(scenes, name):
    if name not in scenes:
        pytest.skip(f"no scene {name}")
    other = make_scene(name, 150, 200, seed=5)
    assert not np.array_equal(other.layers[0].coefficients, scenes[name].layers[0].coefficients)


def test_another_size_shows_the_same_picture(scenes):
    for name, scene in scenes.items():
        larger = make_scene(name, 450, 600, seed=4)
        mean = seen_luminance(larger).reshape(150, 3, 200, 3).mean(axis=(1, 3))
        ours = seen_luminance(scene)
        scale = np.median(ours) + 0.05 * ours.mean()
        assert np.median(np.abs(mean - ours)) < 0.05 * scale, name
        assert np.corrcoef(np.log(mean + 0.01 * scale).ravel(), np.log(ours + 0.01 * scale).ravel())[0, 1] > 0.95, name


@pytest.mark.parametrize("shape", [(16, 16), (97, 61), (40, 210)])
def test_any_size_and_aspect_can_be_made(shape):
    for name in scene_names():
        for layer in make_scene(name, *shape, seed=7).layers:
            assert layer.coefficients.shape[1:] == shape, name
            assert np.isfinite(layer.coefficients).all(), name


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: make_scene("night-stret", 64, 64), "expected a scene among .*'night-stret'"),
        (lambda: make_scene("grey-steps", 64, 64, lux=0), "expected an illuminance above 0"),
        (lambda: make_scene("grey-steps", 64, 64, lux=float("nan")), "expected an illuminance above 0"),
        (lambda: make_scene("grey-steps", 4, 64), "expected at least 16 x 16"),
    ],
)
def test_impossible_scenes_are_refused_in_one_sentence(call, words):
    with pytest.raises(SceneError, match=words):
        call()


def test_a_picture_under_d65_keeps_its_colour_and_gets_its_luminance(tmp_path):
    rgb = np.zeros((20, 30, 3), np.float32)
    rgb[:] = (0.5, 0.2, 4.0)
    tifffile.imwrite(tmp_path / "a.tif", rgb)
    scene = image_scene(tmp_path / "a.tif", 40, 40, white_luminance=200.0)
    assert scene.illuminance_lx == pytest.approx(200 * np.pi)
    found = xyz(scene.layers[0].coefficients[:, 20, 20] @ scene.basis)
    assert found == pytest.approx(200 * rgb_to_xyz("srgb") @ [0.5, 0.2, 4.0], rel=5e-3)


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_coded_pictures_are_decoded_from_srgb(tmp_path, ending):
    Image.fromarray(np.full((16, 16, 3), 188, np.uint8)).save(tmp_path / f"a.{ending}", **({"quality": 95} if ending == "jpg" else {}))
    scene = image_scene(tmp_path / f"a.{ending}", 16, 16, lux=np.pi)
    assert seen_luminance(scene) == pytest.approx(((188 / 255 + 0.055) / 1.055) ** 2.4, rel=0.01)


def test_radiance_hdr_is_linear(tmp_path):
    rgb = np.full((8, 16, 3), 20.0, np.float32)
    (tmp_path / "a.hdr").write_bytes(imagecodecs.rgbe_encode(rgb, header=True))
    assert seen_luminance(image_scene(tmp_path / "a.hdr", 8, 16, white_luminance=1.0)) == pytest.approx(20, rel=0.01)


def exr_bytes(rgb, compression=0, lines=1):
    """A scan-line OpenEXR file of half floats, written from the layout's description."""
    height, width, _ = rgb.shape
    channels = b"".join(name + b"\0" + struct.pack("<iiii", 1, 0, 1, 1) for name in (b"B", b"G", b"R")) + b"\0"
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = [
        (b"channels", b"chlist", channels),
        (b"compression", b"compression", bytes([compression])),
        (b"dataWindow", b"box2i", box),
    ]
    head = struct.pack("<2I", 20000630, 2)
    head += b"".join(n + b"\0" + t + b"\0" + struct.pack("<i", len(v)) + v for n, t, v in attributes) + b"\0"
    blocks = []
    for y in range(0, height, lines):
        raw = np.moveaxis(rgb[y : y + lines, :, ::-1].astype("<f2"), 2, 1).tobytes()
        if compression == 3:
            values = np.frombuffer(raw, np.uint8)
            raw = zlib.compress(_differences(np.concatenate([values[0::2], values[1::2]]).astype(int)))
        blocks.append(struct.pack("<2i", y, len(raw)) + raw)
    table, at = b"", len(head) + 8 * len(blocks)
    for block in blocks:
        table += struct.pack("<Q", at)
        at += len(block)
    return head + table + b"".join(blocks)


def _differences(values):
    """Bytes as OpenEXR predicts them: the first as it is, then differences plus 128."""
    found = values.copy()
    found[1:] = (values[1:] - values[:-1] + 128) % 256
    return found.astype(np.uint8).tobytes()


@pytest.mark.parametrize(("compression", "lines"), [(0, 1), (3, 16)])
def test_openexr_gives_back_what_was_written(compression, lines):
    rgb = np.linspace(0, 50, 37 * 64 * 3).reshape(37, 64, 3).astype(np.float16).astype(np.float32)
    assert np.array_equal(read_exr(exr_bytes(rgb, compression, lines)), rgb)


def test_real_openexr_files_are_read(shared):
    expected = {"StillLife": (846, 1240), "Desk": (874, 644), "CandleGlass": (810, 1000)}
    for name, shape in expected.items():
        path = shared / "data" / "scene" / f"{name}.exr"
        if not path.exists():
            pytest.skip(f"no {path.name}")
        picture = read_exr(path.read_bytes())
        assert picture.shape == (*shape, 3)
        steps = np.abs(np.diff(np.log(np.maximum(picture, 1e-3)), axis=1))
        assert np.median(steps) < 0.1, "a wrongly decoded picture looks like noise"


@pytest.mark.parametrize(("value", "word"), [(np.nan, "1 NaN"), (np.inf, "1 infinite"), (-0.5, "1 negative")])
def test_pixels_that_are_no_light_are_refused(tmp_path, value, word):
    rgb = np.ones((9, 9, 3), np.float32)
    rgb[4, 5, 1] = value
    tifffile.imwrite(tmp_path / "a.tif", rgb)
    with pytest.raises(SceneError, match=f"a.tif: expected finite .* {word} values, the first in G at row 4, column 5"):
        image_scene(tmp_path / "a.tif", 9, 9, lux=10)


@pytest.mark.parametrize("given", [{}, {"lux": 3.0, "white_luminance": 1.0}])
def test_a_picture_needs_one_statement_of_luminance(tmp_path, given):
    with pytest.raises(SceneError, match="either lux or white_luminance"):
        image_scene(tmp_path / "a.png", 8, 8, **given)


@pytest.mark.parametrize(
    ("name", "data"), [("a.png", b"no picture"), ("a.exr", b"v/1\x01" + b"\xff" * 40), ("a.txt", b""), ("a.hdr", b"#?RAD")]
)
def test_files_that_are_no_pictures_are_named(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SceneError, match=name):
        image_scene(tmp_path / name, 8, 8, lux=1)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(SceneError, match=r"gone\.png: expected a readable picture"):
        image_scene(tmp_path / "gone.png", 8, 8, lux=1)
