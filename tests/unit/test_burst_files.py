"""Merged DNGs written and read, by us and by others; files told apart into bursts; which frame leads and which are left out."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from burst_scenes import NIGHT, Mover, Pose, Scene, as_frame, burst, hand, light_of, photographed, truth, write_burst
from dng_samples import write_directory

from apochromat import bursts, raw
from apochromat.develop.burst.survey import blurred, look, reference
from apochromat.raw.dng_writer import dng_directory
from apochromat.raw.tags import Tag

SCENE = Scene(200, 264)
LOOK = look(burst(Scene(32, 32), [Pose()])[0])
MOVER = Mover(120.0, 90.0, 20.0, (9.0, 3.0))


@pytest.fixture(scope="module")
def merged(tmp_path_factory):
    """A merged burst with a mover, and its file."""
    folder = tmp_path_factory.mktemp("burst")
    seen, _ = bursts.survey(write_burst(burst(SCENE, hand(5), mover=MOVER), folder))
    result = bursts.merge_burst(bursts.together(seen))
    return result, raw.write_dng(result.merged.frame, folder / "merged.dng")


def test_the_map_comes_back_to_a_256th(merged):
    result, path = merged
    frames = raw.read(path).noise.frames
    assert frames.shape == (13, 17)
    assert np.abs(frames - result.merged.frames).max() <= 0.5 / 256 + 1e-6
    assert frames.min() < 3 < 4.9 < frames.max()


def test_the_map_is_low_where_something_moved_and_full_elsewhere(merged):
    frames, region = merged[0].merged.frames, MOVER.region(200, 264, 5)
    cells = np.add.reduceat(np.add.reduceat(region, range(0, 200, 16), 0), range(0, 264, 16), 1)
    assert frames[cells > 200].mean() < 2.5
    around = np.array([[cells[max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3].max() for j in range(17)] for i in range(13)])
    assert np.median(frames[around == 0]) > 4.5


def test_samples_noise_and_levels_come_back(merged):
    frame, read = merged[0].merged.frame, raw.read(merged[1])
    np.testing.assert_array_equal(read.samples, frame.samples)
    np.testing.assert_allclose(read.noise.scale, frame.noise.scale, rtol=1e-9)
    np.testing.assert_allclose(read.noise.offset, frame.noise.offset, rtol=1e-9)
    assert read.levels.black.max() >= 6 * np.sqrt(NIGHT.offset[0]) * 65535
    assert (read.noise.scale * np.median(read.noise.frames) / NIGHT.scale) == pytest.approx(1, rel=1e-3)


def test_exif_says_of_what_the_picture_is_made(merged):
    read = raw.read(merged[1])
    assert read.metadata["composite"] == {"given": 5, "used": 5}
    assert read.metadata["exposure_s"] == pytest.approx(1 / 30)
    assert read.metadata["iso"] == 3200
    with tifffile.TiffFile(merged[1]) as file:
        exif = file.pages[0].tags["ExifTag"].value
    assert exif["CompositeImage"] == 2
    assert exif["SourceImageNumberCompositeImage"] == (5, 5)
    times = struct.unpack("<14IHH10I", exif["SourceExposureTimesCompositeImage"])
    assert times[:2] == (0, 0)
    assert times[2] / times[3] == pytest.approx(5 / 30, rel=1e-4)
    assert times[14:16] == (1, 5)
    assert times[16] / times[17] == pytest.approx(1 / 30, rel=1e-4)


def test_other_readers_see_the_same_mosaic(merged):
    import rawpy

    frame = merged[0].merged.frame
    with rawpy.imread(str(merged[1])) as other:
        np.testing.assert_array_equal(other.raw_image, frame.samples)
        assert other.white_level == 65535
        assert set(other.black_level_per_channel) == {int(frame.levels.black[0, 0, 0])}
        assert "".join("RGBG"[i] for i in other.raw_pattern.ravel()) == "RGGB"
        assert other.postprocess(half_size=True).shape == (100, 132, 3)
    with tifffile.TiffFile(merged[1]) as file:
        assert len(file.pages) == 1
        np.testing.assert_array_equal(file.pages[0].asarray(), frame.samples)


def rewritten(path, change, target):
    """The merged file with its map's directory changed."""
    directory = dng_directory(raw.read(path), "none")
    change(directory.children[Tag.ApochromatFrames][0])
    return write_directory(directory, target)


@pytest.mark.parametrize(
    "change",
    [
        lambda child: child.put(Tag.ImageWidth, 4, 18),
        lambda child: child.put(Tag.ImageLength, 4, 2**31),
        lambda child: child.segments.__setitem__(0, bytes(len(child.segments[0]))),
        lambda child: child.fields.pop(Tag.ImageWidth),
    ],
    ids=["too wide", "too high", "all zero", "no width"],
)
def test_a_damaged_map_is_passed_over(merged, tmp_path, change):
    read = raw.read(rewritten(merged[1], change, tmp_path / "a.dng"))
    assert read.noise.frames is None
    np.testing.assert_array_equal(read.samples, merged[0].merged.frame.samples)


@pytest.mark.parametrize("offset", [0, 3, 2**31, 2**32 - 1])
def test_a_pointer_to_nowhere_is_passed_over(merged, tmp_path, offset):
    data = bytearray(Path(merged[1]).read_bytes())
    with tifffile.TiffFile(merged[1]) as file:
        at = file.pages[0].tags[int(Tag.ApochromatFrames)].offset
    data[at + 8 : at + 12] = struct.pack("<I", offset)
    (tmp_path / "a.dng").write_bytes(data)
    read = raw.read(tmp_path / "a.dng")
    assert read.noise.frames is None
    np.testing.assert_array_equal(read.samples, merged[0].merged.frame.samples)


def test_an_intact_map_survives_the_same_rewriting(merged, tmp_path):
    """Negative control of the two above."""
    read = raw.read(rewritten(merged[1], lambda child: None, tmp_path / "a.dng"))
    np.testing.assert_array_equal(read.noise.frames, raw.read(merged[1]).noise.frames)


def test_development_uses_the_map(merged):
    """A picture developed with the map differs from one without it where fewer frames count, in noise reduction alone."""
    from apochromat import chain

    frame = raw.read(merged[1])
    plain = replace(frame, noise=replace(frame.noise, frames=None))
    one, other = (chain.develop(f, until="denoise").pixels for f in (frame, plain))
    few = frame.noise.frames.repeat(16, 0).repeat(16, 1)[:200, :264] < 2
    difference = np.abs(np.asarray(one, float) - np.asarray(other, float)).reshape(200, 264, -1).max(-1)
    assert difference[few].mean() > 2 * difference[~few].mean()


def seen(n, start_s=0.0, camera="A", size=(10, 10), exposure_s=0.1, settings=(1.8, 6.9, 1)):
    """A file that was looked at."""
    shown = replace(LOOK, path=f"{n}.dng", kind=(camera, size, "RGGB"))
    return bursts.Seen(Path(f"{n}.dng"), shown, start_s, exposure_s, settings)


def names(found):
    return [[one.path.stem for one in burst.files] for burst in found]


def test_pauses_and_settings_end_a_burst():
    assert names(bursts.split([seen(1, 0), seen(2, 0.2), seen(3, 2.2), seen(4, 5.0)])) == [["1", "2", "3"], ["4"]]
    assert names(bursts.split([seen(1, 0, exposure_s=4.0), seen(2, 5.5, exposure_s=4.0)])) == [["1", "2"]]
    assert names(bursts.split([seen(1, 0), seen(2, 0.2, camera="B"), seen(3, 0.4, camera="B")])) == [["1"], ["2", "3"]]
    assert names(bursts.split([seen(1, 0), seen(2, 0.2, size=(10, 12))])) == [["1"], ["2"]]
    assert names(bursts.split([seen(1, 0), seen(2, 0.2, settings=(2.8, 6.9, 1))])) == [["1"], ["2"]]
    assert names(bursts.split([seen(1, 0), seen(2, 0.2, settings=(1.8, 6.9, 6))])) == [["1"], ["2"]]


def test_files_are_put_into_the_order_in_which_they_were_taken():
    assert names(bursts.split([seen(3, 0.4), seen(1, 0.0), seen(2, 0.2)])) == [["1", "2", "3"]]
    assert names([bursts.together([seen(3, 0.4), seen(1, 0.0)])]) == [["1", "3"]]
    assert names(bursts.split([seen(3, None), seen(1, 0.0), seen(2, None)])) == [["3", "1", "2"]]
    assert names(bursts.split([])) == []


def test_two_cameras_or_sizes_cannot_be_one_picture():
    for other in (seen(2, camera="B"), seen(2, size=(12, 10))):
        with pytest.raises(bursts.BurstError, match=r"expected frames of one camera and size, found 1.dng .* and 2.dng"):
            bursts.together([seen(1), other])


def test_folders_are_searched_and_named_twice_is_once(tmp_path):
    for name in ("b.DNG", "a.dng", "c.jpg", ".d.dng", "e.CR3"):
        (tmp_path / name).touch()
    assert [p.name for p in bursts.raw_files([tmp_path])] == ["a.dng", "b.DNG", "e.CR3"]
    assert bursts.raw_files([tmp_path / "a.dng", tmp_path / "a.dng", tmp_path]) == bursts.raw_files([tmp_path])


def shaken(scene, radius):
    """A frame whose exposure saw the hand go round in a circle."""
    around = [Pose(radius * np.cos(a), radius * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 12, endpoint=False)]
    signal = np.mean([truth(scene, pose) for pose in around], 0)
    return as_frame(photographed(signal, NIGHT, np.random.default_rng(3)), NIGHT, 0)


def test_the_sharpest_frame_leads_and_blurred_ones_are_left_out(tmp_path):
    scene = Scene(256, 320, level=0.3)
    sharp = burst(scene, hand(4))
    soft = [shaken(scene, 12.0), *sharp[1:]]
    looks = [look(f) for f in soft]
    assert reference(looks) != 0
    assert 0 in blurred(looks, reference(looks))
    assert blurred([look(f) for f in sharp], 0) == []
    found, _ = bursts.survey(write_burst(soft, tmp_path))
    result = bursts.merge_burst(bursts.together(found))
    assert any("frame_00.dng was left out: it is blurred" in note for note in result.notes)
    assert result.merged.frame.metadata["composite"]["used"].count(True) == 3


def test_equally_sharp_frames_leave_the_lead_to_the_first():
    assert reference([look(f) for f in burst(Scene(256, 320), hand(6))]) == 0


def test_a_frame_without_a_mosaic_is_not_looked_at(tmp_path):
    from dng_samples import proraw_like

    path = raw.write_dng(proraw_like(), tmp_path / "linear.dng")
    found, complaints = bursts.survey([path, tmp_path / "missing.dng"])
    assert not found
    assert "expected a frame with a mosaic to merge" in complaints[0]
    assert "linear.dng" in complaints[0]
    assert "missing.dng" in complaints[1]


def test_frames_without_a_noise_profile_are_measured(tmp_path):
    """The result states about the noise that it has."""
    frames = [replace(f, noise=None) for f in burst(Scene(256, 384, level=0.15), hand(6))]
    found, _ = bursts.survey(write_burst(frames, tmp_path))
    frame = bursts.merge_burst(bursts.together(found)).merged.frame
    scene = Scene(256, 384, level=0.15)
    rows, columns = scene.flat()
    patch = np.s_[rows.start + 12 : rows.stop - 12, columns.start + 12 : columns.stop - 12]
    error = (light_of(frame) - truth(scene))[patch]
    assert np.mean(error**2) == pytest.approx(frame.noise.variance(truth(scene)[patch], 1.0, 1).mean(), rel=0.35)
