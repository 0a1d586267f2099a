"""Pictures out: pixels come back, colour profiles say what the pixels mean, metadata is true, and files are whole or not there."""

import io
import os
import resource
import time

import numpy as np
import pytest
from PIL import Image, ImageCms

from apochromat.light.rendition import Rendition
from apochromat.light.spaces import PRIMARIES, conversion
from apochromat.picture import OutputExists, PictureError, UnknownFormat, codes, format_of, icc, write
from apochromat.picture.exif import Exif
from apochromat.picture.format import registry
from apochromat.picture.xmp import read_recipe, recipe_hash

METADATA = {
    "make": "Kamera",
    "model": "Größe 1",
    "lens": "Apo 50",
    "datetime": "2024:05:06 07:08:09",
    "subsec": "12",
    "offset_time": "+02:00",
    "exposure_s": 0.004,
    "f_number": 2.8,
    "iso": 102400.0,
    "focal_mm": 7.1,
    "focal_35_mm": 35.0,
    "artist": "José",
    "gps": {0: b"\2\3\0\0", 1: "N", 2: (50.0, 10.0, 30.5), 3: "E", 4: (8.0, 2.0, 3.25), 5: 0.0, 6: 120.5},
}
RECIPE = {"denoise": {"luminance": 0.5}, "output": {"space": "<&ü"}}
DISPLAY = sorted(e for e, f in registry().items() if "display" in f.depths)


@pytest.fixture
def photo():
    y, x = np.mgrid[0:34, 0:50]
    return np.stack([x * 5, y * 7, 255 - x * 3], -1).astype(np.uint8)


def rendition(pixels, space="srgb", state="display", metadata=METADATA):
    return Rendition(pixels, space, state, metadata, RECIPE)


def opened(path):
    if path.suffix != ".jxl":
        return Image.open(path)
    import imagecodecs

    return Image.fromarray((imagecodecs.jpegxl_decode(path.read_bytes()) >> 8).astype(np.uint8))


@pytest.mark.parametrize("extension", DISPLAY)
def test_pixels_come_back(photo, tmp_path, extension):
    depth = max(format_of(tmp_path / f"x{extension}").depths["display"])
    pixels = photo if depth == 8 else photo.astype(np.uint16) * 257
    path = write(rendition(pixels), tmp_path / f"a{extension}", quality=100)
    if extension in (".png", ".tif", ".tiff"):
        import tifffile

        back = tifffile.imread(path) if "tif" in extension else _png(path)
        np.testing.assert_array_equal(back, pixels)
    else:
        back = np.asarray(opened(path).convert("RGB")).astype(int)
        assert np.abs(back - photo).max() <= 3
    assert os.listdir(tmp_path) == [path.name], "a temporary file was left"


def _png(path):
    import imagecodecs

    return imagecodecs.png_decode(path.read_bytes())


def test_jpeg_has_full_colour_resolution(photo, tmp_path):
    image = Image.open(write(rendition(photo), tmp_path / "a.jpg"))
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


@pytest.mark.parametrize("extension", [".jpg", ".png", ".avif", ".tiff"])
def test_exif_is_kept_and_nothing_stale(photo, tmp_path, extension):
    image = opened(write(rendition(photo), tmp_path / f"a{extension}"))
    exif = image.getexif()
    shot, place = exif.get_ifd(0x8769), exif.get_ifd(0x8825)
    assert exif.get(0x0112, 1) == 1
    assert exif[0x0131].startswith("apochromat ")
    assert exif[0x0110].encode("latin-1").decode() == "Größe 1"
    assert shot[0x829A] == pytest.approx(0.004)
    assert shot[0x829A].numerator == 1
    assert (shot[0x9003], shot[0x9291], shot[0x9011]) == ("2024:05:06 07:08:09", "12", "+02:00")
    assert (shot[0xA002], shot[0xA003], shot[0xA001]) == (50, 34, 1)
    assert shot[0x8827] == 65535, "EXIF saturates ISO speeds above 65535"
    assert place[2] == (50.0, 10.0, 30.5)
    assert place[6] == pytest.approx(120.5)
    assert not exif.get_ifd(0x0201)
    assert 0x927C not in shot


def test_exif_leaves_out_what_it_cannot_hold():
    wild = {"exposure_s": float("inf"), "f_number": -1, "iso": "x", "make": "a\0b\nc", "gps": {6: float("nan"), 2: "x", 30: 70000.5}}
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + Exif(wild, (4, 5), "srgb").tiff())
    shot = exif.get_ifd(0x8769)
    assert not {0x829A, 0x829D, 0x8827} & set(shot)
    assert exif[0x010F] == "abc"
    assert 6 not in exif.get_ifd(0x8825)


def test_exif_fits_a_segment_whatever_the_file_says():
    long = dict.fromkeys(["make", "model", "lens", "lens_make", "serial", "artist", "copyright", "description", "subsec"], "ü€" * 40000)
    assert len(Exif({**long, "gps": dict.fromkeys(range(70000), "x" * 70000)}, (4, 5), "srgb").tiff()) < 65000


@pytest.mark.parametrize("extension", sorted(registry()))
def test_recipe_can_be_read_back(photo, tmp_path, extension):
    path = write(rendition(photo), tmp_path / f"a{extension}")
    assert read_recipe(path) == RECIPE
    assert recipe_hash(RECIPE).encode() in path.read_bytes()


def test_recipe_hash_ignores_order_and_sees_every_value():
    assert recipe_hash({"a": {"x": 1, "y": 2}, "b": {}}) == recipe_hash({"b": {}, "a": {"y": 2, "x": 1}})
    assert recipe_hash({"a": {"x": 1}}) != recipe_hash({"a": {"x": 2}})


def test_picture_without_recipe(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg")
    with pytest.raises(PictureError, match="holds no recipe"):
        read_recipe(tmp_path / "a.jpg")


@pytest.mark.parametrize("space", ["srgb", "display-p3"])
def test_profile_means_its_space(space):
    """Little CMS converts from our profile to its own sRGB as the primaries and the curve say."""
    colors = np.random.default_rng(1).integers(60, 196, (16, 16, 3)).astype(np.uint8)
    ours = ImageCms.ImageCmsProfile(io.BytesIO(icc.profile(space, "display")))
    turned = ImageCms.profileToProfile(Image.fromarray(colors), ours, ImageCms.createProfile("sRGB"), renderingIntent=1)
    linear = _decoded(colors / 255)
    matrix = conversion(space, "srgb")
    wanted = 255 * _encoded(np.clip(linear @ matrix.T, 0, 1))
    assert np.abs(np.asarray(turned) - wanted).max() <= 1.0


def _decoded(v):
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def _encoded(v):
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


def test_linear_profile_means_rec2020():
    """Linear Rec.2020 mid-grey and a mild colour through Little CMS to sRGB."""
    rgb = np.array([[[0.2, 0.2, 0.2], [0.3, 0.25, 0.2]]])
    ours = ImageCms.ImageCmsProfile(io.BytesIO(icc.profile("rec2020", "linear")))
    image = Image.fromarray(np.rint(rgb * 255).astype(np.uint8))
    turned = np.asarray(ImageCms.profileToProfile(image, ours, ImageCms.createProfile("sRGB"), renderingIntent=1))
    wanted = 255 * _encoded(np.rint(rgb * 255) / 255 @ conversion("rec2020", "srgb").T)
    assert np.abs(turned - wanted).max() <= 1.0


def test_profile_colorants_add_up_to_white():
    for space in PRIMARIES:
        np.testing.assert_allclose(icc.colorants(space).sum(1), icc.PCS_WHITE, atol=1e-6)


def test_profiles_are_labelled(photo, tmp_path):
    image = Image.open(write(rendition(photo, "display-p3"), tmp_path / "a.jpg"))
    assert "Display P3" in ImageCms.getProfileDescription(io.BytesIO(image.info["icc_profile"]))
    assert image.getexif().get_ifd(0x8769)[0xA001] == 0xFFFF


def test_camera_space_carries_no_profile(tmp_path):
    pixels = np.linspace(-0.1, 2, 48, dtype=np.float32).reshape(6, 8)
    image = Image.open(write(rendition(pixels, "camera", "linear"), tmp_path / "a.tiff"))
    assert "icc_profile" not in image.info
    np.testing.assert_array_equal(np.asarray(image), pixels)


def test_linear_is_float_or_sixteen_bits(tmp_path):
    import tifffile

    pixels = np.linspace(-0.1, 1.1, 6 * 8 * 3, dtype=np.float32).reshape(6, 8, 3)
    a = write(rendition(pixels, "rec2020", "linear"), tmp_path / "a.tiff")
    b = write(rendition(pixels, "rec2020", "linear"), tmp_path / "b.tiff", depth=16)
    np.testing.assert_array_equal(tifffile.imread(a), pixels)
    np.testing.assert_array_equal(tifffile.imread(b), np.rint(np.clip(pixels, 0, 1) * 65535))


@pytest.mark.parametrize("extension", [".jpg", ".png", ".avif", ".jxl"])
def test_linear_needs_tiff(tmp_path, extension):
    with pytest.raises(PictureError, match="cannot hold linear"):
        write(rendition(np.zeros((4, 4, 3), np.float32), "rec2020", "linear"), tmp_path / f"a{extension}")
    assert not list(tmp_path.iterdir())


def test_grey_pictures(tmp_path):
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for extension in (".jpg", ".png", ".tiff"):
        image = Image.open(write(rendition(grey), tmp_path / f"a{extension}", quality=100))
        assert image.mode == "L"
        assert np.abs(np.asarray(image).astype(int) - grey).max() <= 1
        assert ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])).profile.xcolor_space.strip() == "GRAY"


def test_codes_round_and_keep():
    eight = np.arange(256, dtype=np.uint8)
    assert codes(eight, 8) is eight
    np.testing.assert_array_equal(codes(codes(eight, 16), 8), eight)
    np.testing.assert_array_equal(codes(np.array([-1, 0, 0.5, 1, 9], np.float32), 8), [0, 0, 128, 255, 255])


def test_existing_output_is_kept(photo, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"mine")
    with pytest.raises(OutputExists, match=r"a\.jpg exists already; give --overwrite"):
        write(rendition(photo), path)
    assert path.read_bytes() == b"mine"
    write(rendition(photo), path, overwrite=True)
    assert path.read_bytes()[:2] == b"\xff\xd8"


def test_output_that_appears_meanwhile_is_kept(photo, tmp_path):
    from apochromat.picture.files import new_file

    def write_slowly():
        with new_file(tmp_path / "a.jpg") as file:
            file.write(b"ours")
            (tmp_path / "a.jpg").write_bytes(b"mine")

    with pytest.raises(OutputExists):
        write_slowly()
    assert (tmp_path / "a.jpg").read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_failure_leaves_nothing(photo, tmp_path):
    from apochromat.picture.files import new_file

    def interrupted():
        with new_file(tmp_path / "a.jpg") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(tmp_path.iterdir())


def test_full_disk_is_one_sentence(photo, tmp_path):
    """A limit on file sizes stands for the full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(PictureError, match=r"a\.tiff could not be written: file too large"):
            write(rendition(photo), tmp_path / "a.tiff")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "message"), [("no/a.jpg", "could not be written: no such"), ("f/a.jpg", "not a directory"), ("d.jpg", "is a folder")]
)
def test_unwritable_places_are_named(photo, tmp_path, name, message):
    (tmp_path / "f").write_text("a file")
    (tmp_path / "d.jpg").mkdir()
    with pytest.raises(PictureError, match=message) as caught:
        write(rendition(photo), tmp_path / name, overwrite=True)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(("name", "near"), [("a.jpgg", ".jpg"), ("a.tifff", ".tiff"), ("a", "name that ends"), ("a.doc", "choose one of")])
def test_unknown_formats_name_the_nearest(photo, tmp_path, name, near):
    with pytest.raises(UnknownFormat, match=near):
        write(rendition(photo), tmp_path / name)


def test_other_refusals(photo, tmp_path):
    with pytest.raises(PictureError, match="quality must be between 1 and 100, found 101"):
        write(rendition(photo), tmp_path / "a.jpg", quality=101)
    with pytest.raises(PictureError, match="JPEG holds 8 bits"):
        write(rendition(photo), tmp_path / "a.jpg", depth=16)
    with pytest.raises(PictureError, match="written in srgb only, found display-p3"):
        write(rendition(photo, "display-p3"), tmp_path / "a.jxl")
    with pytest.raises(PictureError, match="at most 65500 pixels a side"):
        write(rendition(np.zeros((1, 65501, 3), np.uint8)), tmp_path / "a.jpg")


def test_writing_jpeg_costs_little_more_than_encoding(tmp_path):
    """Best of several, in processor time: metadata and file handling add less than a fifth."""
    import simplejpeg

    pixels = np.random.default_rng(0).integers(0, 60, (1000, 1500, 3)).astype(np.uint8)
    own, bare = [], []
    for _ in range(5):
        start = time.process_time()
        simplejpeg.encode_jpeg(pixels, 92, "RGB", "444")
        bare.append(time.process_time() - start)
        start = time.process_time()
        write(rendition(pixels), tmp_path / "a.jpg", overwrite=True)
        own.append(time.process_time() - start)
    assert min(own) < 1.2 * min(bare) + 0.005
