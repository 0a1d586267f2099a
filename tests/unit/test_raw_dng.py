"""DNG files written and read back, in every storage; tags to facts; LibRaw and dcraw as outside judges."""

import dataclasses
import shutil
import subprocess
import zlib
from dataclasses import replace

import numpy as np
import pytest
from dng_samples import pixel_like, proraw_like, samsung_like, write_changed, write_with_preview

from apochromat import raw
from apochromat.light.opcodes import UnknownOpcode
from apochromat.light.raw_frame import Box, Calibration, ColorProfile, Levels, RawFrame
from apochromat.raw.errors import DamagedError, RawError, UnsupportedError
from apochromat.raw.tags import Tag
from apochromat.raw.tiff_writer import ASCII, BYTE, LONG, RATIONAL, SHORT, SRATIONAL

X_TRANS = "GGRGGBGGBGGRBRGRBGGGBGGRGGRGGBRBGBRG"


def monochrome():
    frame = samsung_like()
    levels = Levels(np.full((1, 1, 1), 64, np.float32), np.array([4095], np.float32))
    return replace(frame, cfa="", levels=levels, profile=ColorProfile(()), noise=None)


def floating(frame):
    """The same picture in floating-point samples, white at 1."""
    white = frame.levels.white.max()
    levels = Levels(frame.levels.black / white, np.ones_like(frame.levels.white))
    return replace(frame, samples=(frame.samples / white).astype(np.float32), levels=levels)


def with_everything():
    """Every tag at once: deltas, table, calibration, analog balance, xy white, scale."""
    frame = pixel_like(border=(3, 5, 0, 0))
    height, width = frame.active.height, frame.active.width
    sets = tuple(replace(c, camera_calibration=np.diag([1.01, 1.0, 0.98])) for c in frame.profile.calibrations)
    return replace(
        frame,
        levels=Levels(
            np.arange(12, dtype=np.float32).reshape(3, 4, 1) + 0.5,
            np.array([16000, 15990, 15980, 15970], np.float32),
            delta_h=np.linspace(-1, 1, width).round(3).astype(np.float32),
            delta_v=np.linspace(0, 2, height).round(3).astype(np.float32),
            table=np.arange(16384, dtype=np.float32),
        ),
        profile=ColorProfile(sets, np.array([1.5, 1.0, 1.25]), as_shot_xy=(0.3457, 0.3585)),
        scale=(1.0, 2.0),
        orientation=5,
        baseline_exposure_ev=-0.75,
        opcodes1=(UnknownOpcode(id=77, data=b"xyz!", optional=True),),
    )


def assert_same(found, expected, name="frame"):
    """Equal to the last bit in samples, to 32-bit fractions elsewhere; path and notes aside."""
    if dataclasses.is_dataclass(expected):
        assert type(found) is type(expected), name
        for field in dataclasses.fields(expected):
            if not (isinstance(expected, RawFrame) and field.name in ("path", "notes")):
                assert_same(getattr(found, field.name), getattr(expected, field.name), f"{name}.{field.name}")
    elif isinstance(expected, np.ndarray):
        assert found.shape == expected.shape, name
        assert found.dtype == expected.dtype, name
        tolerance = {"rtol": 1e-6, "atol": 1e-6} if name != "frame.samples" else {"rtol": 0, "atol": 0}
        np.testing.assert_allclose(found, expected, **tolerance, err_msg=name)
    elif isinstance(expected, tuple | list):
        assert len(found) == len(expected), name
        for i, (a, b) in enumerate(zip(found, expected, strict=True)):
            assert_same(a, b, f"{name}[{i}]")
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), name
        for key in expected:
            assert_same(found[key], expected[key], f"{name}[{key}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-5), name
    else:
        assert found == expected, name


EXACT = [
    *[(pixel_like, {"compression": c, "tile": t, "bits": b}) for c in ("none", "ljpeg", "jpegxl") for t in (0, 32) for b in (14, 16)],
    (samsung_like, {"compression": "none", "bits": 12}),
    (lambda: samsung_like(bits=10), {"compression": "none", "bits": 10}),
    (samsung_like, {}),
    *[(proraw_like, {"compression": c, "tile": t}) for c in ("none", "ljpeg", "jpegxl") for t in (0, 64)],
    (lambda: proraw_like(bits=8), {"compression": "ljpeg", "bits": 8}),
    (monochrome, {"compression": "none"}),
    (monochrome, {"compression": "ljpeg", "tile": 48}),
    *[(lambda: floating(pixel_like()), {"compression": c, "tile": t}) for c in ("none", "deflate") for t in (0, 32)],
    (lambda: floating(monochrome()), {"compression": "deflate"}),
    (with_everything, {}),
]


@pytest.mark.parametrize(("build", "options"), EXACT)
def test_a_frame_written_and_read_is_the_same_frame(build, options, tmp_path):
    frame = build()
    assert_same(raw.read(raw.write_dng(frame, tmp_path / "a.dng", **options)), frame)


@pytest.mark.parametrize("compression", ["none", "ljpeg", "jpegxl"])
def test_tiles_are_the_same_on_any_number_of_threads(compression, tmp_path):
    frame = proraw_like()
    files = [raw.write_dng(frame, tmp_path / f"{n}.dng", compression=compression, tile=32, threads=n) for n in (1, 2, 5)]
    assert len({path.read_bytes() for path in files}) == 1
    assert_same(raw.read(files[0]), frame)


def test_lossy_jpeg_keeps_the_picture(tmp_path):
    frame = proraw_like(bits=8)
    found = raw.read(raw.write_dng(frame, tmp_path / "a.dng", compression="jpeg"))
    difference = found.samples.astype(int) - frame.samples
    assert found.samples.shape == frame.samples.shape
    assert np.sqrt(np.mean(difference**2)) < 2
    assert np.all(np.abs(difference.mean((0, 1))) < 0.2)


@pytest.mark.parametrize("options", [{}, {"tile": 32}, {"compression": "none"}, {"compression": "none", "bits": 14}])
def test_libraw_opens_what_we_write_and_sees_the_same_mosaic(options, tmp_path):
    import rawpy

    frame = pixel_like()
    path = raw.write_dng(frame, tmp_path / "a.dng", **options)
    with rawpy.imread(str(path)) as other:
        np.testing.assert_array_equal(other.raw_image, frame.samples)
        assert "".join("RGBG"[i] for i in other.raw_pattern.ravel()) == frame.cfa
        assert other.white_level == 16383
        assert sorted(other.black_level_per_channel) == [63, 64, 64, 65]


def test_libraw_opens_our_floating_point_and_linear_files(tmp_path):
    import rawpy

    for frame, options in ((floating(pixel_like()), {"compression": "deflate"}), (proraw_like(), {})):
        path = raw.write_dng(frame, tmp_path / "a.dng", overwrite=True, **options)
        with rawpy.imread(str(path)) as other:
            picture = other.postprocess(output_bps=16)
            assert picture.shape[2] == 3
            assert picture.std() > 1000


@pytest.mark.skipif(shutil.which("dcraw") is None, reason="dcraw is not installed")
def test_dcraw_opens_what_we_write(tmp_path):
    frame = pixel_like(border=(0, 0, 0, 0))
    path = raw.write_dng(frame, tmp_path / "a.dng")
    pgm = subprocess.run(["dcraw", "-c", "-D", "-4", str(path)], capture_output=True, check=True).stdout
    pixels = np.frombuffer(pgm[-frame.samples.size * 2 :], ">u2").reshape(frame.samples.shape)
    np.testing.assert_array_equal(pixels, frame.samples)


def test_a_preview_before_the_raw_picture_is_passed_over(tmp_path):
    frame = pixel_like()
    assert_same(raw.read(write_with_preview(frame, tmp_path / "a.dng")), replace(frame, metadata={**frame.metadata}))


def test_pixels_deflated_with_integer_predictors_are_read(tmp_path):
    frame = samsung_like()
    width = frame.samples.shape[1]
    for predictor, back in ((1, 0), (2, 1), (34892, 2), (34893, 4)):
        stored = frame.samples.copy()
        stored[:, back:] -= frame.samples[:, : width - back] if back else np.zeros_like(stored)
        changes = {Tag.Compression: (SHORT, 8), Tag.Predictor: (SHORT, predictor)}
        path = write_changed(frame, tmp_path / "a.dng", changes, segments=[zlib.compress(stored.astype("<u2").tobytes())])
        np.testing.assert_array_equal(raw.read(path).samples, frame.samples)


def test_half_and_24_bit_floats_are_read(tmp_path):
    frame = floating(monochrome())
    halves = frame.samples.astype(np.float16)
    segments = [halves.astype("<f2").tobytes()]
    path = write_changed(frame, tmp_path / "a.dng", {Tag.BitsPerSample: (SHORT, 16)}, segments=segments)
    np.testing.assert_array_equal(raw.read(path).samples, halves.astype(np.float32))
    # 24 bits: 1 sign, 7 exponent biased by 64, 16 mantissa (DNG 1.4): 1.5 is 0x40_8000, -0.25 is 0xBE_0000, 2^-64 is 0x00_8000.
    codes = {0x408000: 1.5, 0xBE0000: -0.25, 0x000000: 0.0, 0x008000: 2.0**-64}
    values = np.resize(np.array(list(codes.values()), np.float32), frame.samples.shape)
    octets = b"".join(code.to_bytes(3, "little") for code in np.resize(list(codes), frame.samples.size).tolist())
    path = write_changed(frame, tmp_path / "a.dng", {Tag.BitsPerSample: (SHORT, 24)}, segments=[octets])
    np.testing.assert_array_equal(raw.read(path).samples, values)


def test_interleaved_rows_and_columns_are_put_back(tmp_path):
    frame = samsung_like()
    fields = np.concatenate([frame.samples[i::2] for i in (0, 1)])
    fields = np.concatenate([fields[:, i::2] for i in (0, 1)], axis=1)
    changes = {Tag.RowInterleaveFactor: (LONG, 2), Tag.ColumnInterleaveFactor: (LONG, 2)}
    path = write_changed(frame, tmp_path / "a.dng", changes, segments=[fields.astype("<u2").tobytes()])
    np.testing.assert_array_equal(raw.read(path).samples, frame.samples)


def test_defaults_of_missing_tags(tmp_path):
    gone = (Tag.BlackLevel, Tag.BlackLevelRepeatDim, Tag.WhiteLevel, Tag.ActiveArea, Tag.DefaultCropOrigin, Tag.DefaultCropSize)
    more = (Tag.DefaultScale, Tag.Orientation, Tag.AnalogBalance, Tag.AsShotNeutral, Tag.BaselineExposure, Tag.CFAPlaneColor)
    frame = raw.read(write_changed(samsung_like(), tmp_path / "a.dng", dict.fromkeys((*gone, *more)), bits=12))
    assert frame.levels.black.tolist() == [[[0.0]]]
    assert frame.levels.white.tolist() == [4095.0] * 4
    assert frame.active == frame.crop == Box(0, 0, 96, 128)
    assert (frame.scale, frame.orientation, frame.baseline_exposure_ev) == ((1.0, 1.0), 1, 0.0)
    assert frame.profile.as_shot_neutral is None
    assert frame.profile.analog_balance.tolist() == [1.0, 1.0, 1.0]


def test_user_crop_lies_inside_the_default_crop(tmp_path):
    changes = {
        Tag.DefaultCropOrigin: (RATIONAL, [8.4, 6.0]),
        Tag.DefaultCropSize: (RATIONAL, [100, 80]),
        Tag.DefaultUserCrop: (RATIONAL, [0.25, 0.1, 0.75, 0.6]),
    }
    assert raw.read(write_changed(samsung_like(), tmp_path / "a.dng", changes)).crop == Box(26, 18, 66, 68)


def test_baseline_exposure_and_its_offset_add_up(tmp_path):
    path = write_changed(pixel_like(), tmp_path / "a.dng", {Tag.BaselineExposureOffset: (SRATIONAL, -0.1)})
    assert raw.read(path).baseline_exposure_ev == pytest.approx(0.25)


def test_camera_calibration_counts_only_under_the_profiles_signature(tmp_path):
    frame = with_everything()
    other = raw.read(write_changed(frame, tmp_path / "a.dng", {Tag.CameraCalibrationSignature: (ASCII, "someone")}, compression="ljpeg"))
    assert all(c.camera_calibration is None for c in other.profile.calibrations)
    signed = {Tag.CameraCalibrationSignature: (ASCII, "us"), Tag.ProfileCalibrationSignature: (ASCII, "us")}
    same = raw.read(write_changed(frame, tmp_path / "b.dng", signed, compression="ljpeg"))
    assert all(c.camera_calibration is not None for c in same.profile.calibrations)


def test_one_pair_of_noise_numbers_serves_all_colours_and_bad_ones_are_noted(tmp_path):
    one = raw.read(write_changed(pixel_like(), tmp_path / "a.dng", {Tag.NoiseProfile: (12, [1e-4, 2e-7])}))
    assert one.noise.scale.tolist() == [1e-4] * 3
    assert one.noise.offset.tolist() == [2e-7] * 3
    for bad in ([np.nan, 0.0], [-1e-4, 1e-7], [0.0, 0.0], [1e-4, 1e-7, 1e-4, 1e-7]):
        frame = raw.read(write_changed(pixel_like(), tmp_path / "b.dng", {Tag.NoiseProfile: (12, bad)}))
        assert frame.noise is None
        assert "NoiseProfile" in frame.notes[0]


def test_a_file_without_a_matrix_is_read_with_a_note(tmp_path):
    changes = dict.fromkeys((Tag.ColorMatrix1, Tag.ColorMatrix2))
    frame = raw.read(write_changed(pixel_like(), tmp_path / "a.dng", changes))
    assert len(frame.profile.calibrations) == 1
    assert "no colour matrix" in frame.notes[0]


@pytest.mark.parametrize("cfa", ["RGGB", "BGGR", "GRBG", "GBRG"])
@pytest.mark.parametrize("border", [(4, 8, 2, 6), (3, 8, 3, 6), (4, 7, 2, 7), (3, 7, 3, 7)])
def test_the_pattern_is_that_of_the_active_areas_corner(cfa, border, tmp_path):
    import rawpy

    path = raw.write_dng(pixel_like(cfa=cfa, border=border), tmp_path / "a.dng")
    frame = raw.read(path)
    assert frame.cfa == cfa
    with rawpy.imread(str(path)) as other:
        corner = other.raw_colors[frame.active.top : frame.active.top + 2, frame.active.left : frame.active.left + 2]
        assert "".join("RGBG"[i] for i in corner.ravel()) == cfa


def test_an_x_trans_mosaic_becomes_camera_rgb_through_libraw(tmp_path):
    """Against the scene: smooth, so that any demosaic must find it to 1 %, and unbiased to 0.1 %."""
    y, x = np.meshgrid(np.linspace(0, 3, 540), np.linspace(0, 4, 600), indexing="ij")
    scene = np.stack([0.3 + 0.2 * np.sin(x + k) * np.cos(y - k) for k in range(3)], -1)
    codes = np.array(["RGB".index(c) for c in X_TRANS]).reshape(6, 6)
    signal = np.take_along_axis(scene, np.tile(codes, (90, 100))[..., None], 2)[..., 0]
    whole = Box(0, 0, 540, 600)
    levels = Levels(np.full((1, 1, 1), 64, np.float32), np.full(4, 4095, np.float32))
    samples = np.rint(signal * (4095 - 64) + 64).astype(np.uint16)
    frame = replace(samsung_like(), samples=samples, levels=levels, active=whole, crop=whole)
    changes = {Tag.CFARepeatPatternDim: (SHORT, [6, 6]), Tag.CFAPattern: (BYTE, bytes(codes.ravel().tolist()))}
    found = raw.read(write_changed(frame, tmp_path / "a.dng", changes))
    error = (found.samples / found.levels.white - scene)[8:-8, 8:-8]
    assert found.cfa == ""
    assert "LibRaw's own demosaic" in found.notes[0]
    assert (found.orientation, found.crop) == (6, whole)
    assert np.abs(error).max() < 0.01
    assert np.abs(error.mean((0, 1))).max() < 0.001


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({Tag.BlackLevelRepeatDim: (SHORT, [1, 1]), Tag.BlackLevel: (LONG, 5000)}, DamagedError, "black level below the white level"),
        ({Tag.WhiteLevel: (LONG, 0)}, DamagedError, "black level below the white level"),
        ({Tag.ColorMatrix1: (SRATIONAL, [1.0] * 9)}, DamagedError, "ColorMatrix1 that can be inverted"),
        ({Tag.ForwardMatrix2: (SRATIONAL, [0.0] * 9)}, DamagedError, "ForwardMatrix2 that can be inverted"),
        ({Tag.ColorMatrix1: (SRATIONAL, [1.0] * 12)}, UnsupportedError, "9 numbers in ColorMatrix1"),
        ({Tag.AsShotNeutral: (RATIONAL, [0.5, 0.0, 0.5])}, DamagedError, "positive numbers in AsShotNeutral"),
        ({Tag.AsShotNeutral: (SRATIONAL, [0.5, 1.0, -0.5])}, DamagedError, "positive numbers in AsShotNeutral"),
        ({Tag.AsShotNeutral: (RATIONAL, [0.5, np.nan, 0.5])}, DamagedError, "positive numbers in AsShotNeutral"),
        ({Tag.AsShotNeutral: None, Tag.AsShotWhiteXY: (RATIONAL, [0.9, 0.9])}, DamagedError, "chromaticity of a white"),
        ({Tag.AnalogBalance: (RATIONAL, [1.0, 0.0, 1.0])}, DamagedError, "positive numbers in AnalogBalance"),
        ({Tag.BaselineExposure: (SRATIONAL, 1000.0)}, DamagedError, "BaselineExposure within 20 EV"),
        ({Tag.ImageWidth: (LONG, 10**9)}, UnsupportedError, "at most 300 megapixels"),
        ({Tag.ImageWidth: (LONG, 40000), Tag.ImageLength: (LONG, 25000)}, UnsupportedError, "claim of 40000 x 25000"),
        ({Tag.ImageLength: (LONG, 0)}, DamagedError, "a picture with pixels"),
        ({Tag.ImageWidth: (LONG, 4000), Tag.ActiveArea: None}, DamagedError, "bytes of pixels in segment 1"),
        ({Tag.ActiveArea: (LONG, [0, 0, 97, 128])}, DamagedError, "ActiveArea inside 128 x 96"),
        ({Tag.DefaultCropOrigin: (LONG, [500, 500])}, DamagedError, "DefaultCrop inside 128 x 96"),
        ({Tag.DefaultUserCrop: (RATIONAL, [0.5, 0.5, 0.5, 0.6])}, DamagedError, "DefaultUserCrop between 0 and 1"),
        ({Tag.DefaultScale: (RATIONAL, [1.0, np.nan])}, DamagedError, "DefaultScale"),
        ({Tag.CFAPattern: (BYTE, b"\0\1\1")}, DamagedError, "CFAPattern of 2 x 2"),
        ({Tag.CFAPattern: (BYTE, b"\0\0\1\2")}, UnsupportedError, "Bayer or X-Trans"),
        ({Tag.CFAPattern: (BYTE, b"\0\1\1\3")}, UnsupportedError, "red, green and blue"),
        ({Tag.CFALayout: (SHORT, 2)}, UnsupportedError, "staggered"),
        ({Tag.Compression: (SHORT, 9)}, UnsupportedError, "found 9"),
        ({Tag.BitsPerSample: (SHORT, 32)}, UnsupportedError, "bits per integer sample, found 32"),
        ({Tag.SamplesPerPixel: (SHORT, 4)}, UnsupportedError, "1 or 3 samples"),
        ({Tag.PhotometricInterpretation: (SHORT, 2)}, UnsupportedError, "full-size RAW picture"),
        ({Tag.NewSubfileType: (LONG, 1)}, UnsupportedError, "full-size RAW picture"),
        ({Tag.RowsPerStrip: (LONG, 1)}, DamagedError, "expected 96 strips or tiles"),
        ({Tag.BlackLevelDeltaH: (SRATIONAL, [1.0] * 5)}, DamagedError, "128 finite numbers in BlackLevelDeltaH"),
    ],
)
def test_what_cannot_be_developed_is_refused_in_one_sentence(changes, kind, words, tmp_path):
    path = write_changed(samsung_like(), tmp_path / "a.dng", changes)
    with pytest.raises(kind, match=words) as caught:
        raw.read(path)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert "\n" not in str(caught.value)


def test_an_opcode_nobody_knows_is_refused_unless_it_is_optional(tmp_path):
    for optional in (True, False):
        opcode = UnknownOpcode(id=12, data=bytes(8), optional=optional)
        path = raw.write_dng(replace(pixel_like(), opcodes2=(opcode,)), tmp_path / f"{optional}.dng")
        if optional:
            assert raw.read(path).opcodes2 == (opcode,)
        else:
            with pytest.raises(UnsupportedError, match="found ScalePerRow, not marked optional"):
                raw.read(path)


def test_writing_refuses_what_would_be_lost_and_leaves_nothing_behind(tmp_path):
    frame, path = samsung_like(), tmp_path / "a.dng"
    with pytest.raises(RawError, match="fit into 10 bits"):
        raw.write_dng(frame, path, bits=10)
    with pytest.raises(RawError, match="expected a compression among none"):
        raw.write_dng(frame, path, compression="zip")
    with pytest.raises(RawError, match="float32 samples, found ljpeg"):
        raw.write_dng(floating(frame), path)
    with pytest.raises(RawError, match="at least 1 thread, found 0"):
        raw.write_dng(frame, path, threads=0)
    with pytest.raises(RawError, match="expected a place to write to"):
        raw.write_dng(frame, tmp_path / "missing" / "a.dng")
    assert list(tmp_path.iterdir()) == []
    raw.write_dng(frame, path)
    before = path.read_bytes()
    with pytest.raises(RawError, match="found an existing file"):
        raw.write_dng(frame, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.dng"]


def test_describe_is_json_and_names_the_opcodes(tmp_path):
    import json

    facts = json.loads(json.dumps(raw.describe(raw.read(raw.write_dng(pixel_like(), tmp_path / "a.dng")))))
    assert facts["kind"] == "mosaic"
    assert facts["cfa"] == "RGGB"
    assert [o["name"] for o in facts["opcodes"]["opcodes2"]] == ["GainMap"] * 4
    assert facts["opcodes"]["opcodes2"][0]["gains"]["max"] == pytest.approx(1.6)
    assert facts["opcodes"]["opcodes3"][0]["coefficients"][0][:2] == pytest.approx([0.99, 0.01])
    assert facts["color"]["calibrations"][1]["illuminant"] == 21
    assert facts["shot"]["exposure_s"] == pytest.approx(0.008)
    assert facts["size"] == {
        "stored": [142, 102],
        "active": {"top": 4, "left": 8, "bottom": 100, "right": 136},
        "crop": {"top": 4, "left": 4, "bottom": 92, "right": 124},
        "scale": [1.0, 1.0],
    }


def test_calibrations_of_one_illuminant_alone_are_kept(tmp_path):
    frame = replace(samsung_like(), profile=ColorProfile((Calibration(23, np.eye(3)),), as_shot_neutral=np.ones(3)))
    assert_same(raw.read(raw.write_dng(frame, tmp_path / "a.dng")), frame)
