"""Real files: facts read with exiftool beforehand, samples against LibRaw."""

import numpy as np
import pytest

from apochromat import raw
from apochromat.light.opcodes import GainMap, WarpRectilinear
from apochromat.light.raw_frame import Box
from apochromat.raw.errors import RawError
from apochromat.raw.facts import plain

GOPRO = ("GOPR0024.DNG", "GOPR8508.DNG", "GOPR9231.DNG", "GPFR7066.DNG")
CANON = ("CRW_0101.CRW", "CRW_0112.CRW", "CRW_0305.CRW")


@pytest.mark.parametrize("name", GOPRO + CANON)
def test_samples_are_libraws(name, shared):
    import rawpy

    path = shared / "data/raw" / name
    frame = raw.read(path)
    with rawpy.imread(str(path)) as other:
        np.testing.assert_array_equal(frame.samples, other.raw_image)
        assert "".join("RGBG"[i] for i in other.raw_pattern.ravel()) == frame.cfa
        assert frame.levels.white.tolist() == [other.white_level] * 4
        np.testing.assert_allclose(np.broadcast_to(frame.levels.black[:, :, 0], (2, 2)).ravel(), other.black_level_per_channel)
        gains = np.array(other.camera_whitebalance)[:3]
        np.testing.assert_allclose(frame.profile.as_shot_neutral, gains[1] / gains, rtol=1e-4)


def test_a_hero7_file_in_facts(shared):
    frame = raw.read(shared / "data/raw/GOPR8508.DNG")
    assert frame.orientation == 2
    assert frame.active == frame.crop == Box(0, 0, 3000, 4000)
    assert [c.illuminant for c in frame.profile.calibrations] == [3, 23]
    assert frame.profile.calibrations[0].color_matrix[0].tolist() == pytest.approx([1.8331, -0.8166, -0.2478])
    assert frame.profile.calibrations[1].color_matrix[2].tolist() == pytest.approx([0.0093, 0.1058, 0.5541])
    assert frame.noise.scale.tolist() == pytest.approx([0.000417055358411744] * 3)
    assert frame.noise.offset.tolist() == pytest.approx([1.30296470501889e-07] * 3)
    assert [type(o) for o in frame.opcodes2] == [GainMap] * 4
    assert [(o.area.top, o.area.left, o.area.row_pitch, o.area.col_pitch) for o in frame.opcodes2] == [
        (y, x, 2, 2) for y in (0, 1) for x in (0, 1)
    ]
    assert {key: frame.metadata[key] for key in ("make", "model", "datetime", "iso", "focal_mm", "focal_35_mm")} == {
        "make": "GoPro",
        "model": "HERO7 Black",
        "datetime": "2020:10:28 08:54:19",
        "iso": 267.0,
        "focal_mm": 3.0,
        "focal_35_mm": 15.0,
    }
    assert frame.metadata["exposure_s"] == pytest.approx(1 / 240)


def test_a_fusion_file_has_its_warp_and_place(shared):
    frame = raw.read(shared / "data/raw/GPFR7066.DNG")
    (warp,) = frame.opcodes3
    assert isinstance(warp, WarpRectilinear)
    assert frame.metadata["gps"][1] == "N"
    assert frame.metadata["gps"][2] == pytest.approx((33.0, 7.0, 35.9072399))


def test_a_powershot_file_in_facts(shared):
    frame = raw.read(shared / "data/raw/CRW_0101.CRW")
    assert frame.active == Box(6, 12, 1726, 2324)
    assert frame.crop == Box(8, 20, 1712, 2292)  # the camera's 2272 x 1704
    assert frame.levels.black.ravel().tolist() == [32.0] * 4
    assert [c.illuminant for c in frame.profile.calibrations] == [21]
    assert frame.metadata["make"] == "Canon"
    assert frame.metadata["model"] == "Canon PowerShot S40"
    assert frame.metadata["datetime"] == "2021:04:08 14:51:12"
    assert frame.metadata["iso"] == 50
    assert frame.notes == ()


@pytest.mark.parametrize("name", ["GPFR7066.DNG", "CRW_0305.CRW"])
def test_the_child_process_gives_the_same_frame(name, shared):
    path = shared / "data/raw" / name
    apart, here = raw.read_isolated(path), raw.read(path)
    np.testing.assert_array_equal(apart.samples, here.samples)
    assert plain(apart) == plain(here)


def test_a_canon_file_becomes_a_dng_that_libraw_develops_alike(shared, tmp_path):
    import rawpy

    source = shared / "data/raw/CRW_0101.CRW"
    copy = raw.write_dng(raw.read(source), tmp_path / "a.dng")
    pictures = []
    for path in (source, copy):
        with rawpy.imread(str(path)) as other:
            pictures.append(other.postprocess(use_camera_wb=True, no_auto_bright=True, user_flip=0).astype(float))
    height, width = (min(p.shape[i] for p in pictures) for i in (0, 1))
    means = [p[:height, :width].mean((0, 1)) for p in pictures]
    assert np.abs(means[0] - means[1]).max() < 1.5


@pytest.mark.parametrize("name", ["GOPR8508.DNG", "CRW_0101.CRW"])
def test_a_real_file_cut_at_each_tenth_is_refused(name, shared, tmp_path):
    data = (shared / "data/raw" / name).read_bytes()
    cut = tmp_path / name
    for tenth in range(10):
        cut.write_bytes(data[: len(data) * tenth // 10])
        with pytest.raises(RawError):
            raw.read_isolated(cut)
