"""Pictures as scenes: colour, luminance, file formats, and what is refused."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from apochromat.light.spaces import rgb_to_xyz
from apochromat.light.spectra import (
    luminance,
    xyz,
)
from apochromat.scene import SceneError, image_scene
from apochromat.scene.exr import read_exr


def seen_luminance(scene):
    """Luminance (H, W) of a scene of one layer."""
    return np.tensordot(luminance(scene.basis), scene.layers[0].coefficients, 1)


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
