"""`apochromat.merge` as programs call it, and the map of what counted where."""

import numpy as np
import pytest
from burst_scenes import Pose, Scene, burst, hand, light_of, psnr, truth, write_burst
from PIL import Image

import apochromat as apo
from apochromat import bursts
from apochromat.picture.frames_map import AMBER, LEGEND, frames_map

SCENE = Scene(160, 208)


def test_files_in_any_order_or_their_folder(tmp_path):
    """The same frame of less noise; what a file cannot give is noted; it develops."""
    paths = write_burst(burst(SCENE, hand(4)), tmp_path)
    one, other = apo.merge(tmp_path), apo.merge(reversed([str(path) for path in paths]))
    np.testing.assert_array_equal(one.samples, other.samples)
    assert psnr(light_of(one), truth(SCENE)) > psnr(light_of(apo.read(paths[0])), truth(SCENE)) + 4.5
    assert (one.metadata["composite"]["used"], one.notes) == ([True] * 4, ())
    assert apo.develop(one).pixels.shape == (160, 208, 3)


def test_a_damaged_file_is_noted(tmp_path):
    paths = write_burst(burst(SCENE, hand(3)), tmp_path)
    paths[1].write_bytes(paths[1].read_bytes()[:9000])
    frame = apo.merge(paths)
    assert len(frame.notes) == 1
    assert "frame_01.dng" in frame.notes[0]
    assert frame.noise.frames.max() > 1.9


@pytest.mark.parametrize(("paths", "words"), [([], "found none in an empty list"), (["missing.dng"], "missing.dng")])
def test_nothing_to_merge(paths, words):
    with pytest.raises(bursts.BurstError, match=words):
        apo.merge(paths)


def test_two_cameras_are_refused(tmp_path):
    frames = burst(Scene(96, 96), [Pose()] * 2)
    frames[1].metadata["model"] = "Other"
    with pytest.raises(ValueError, match="expected frames of one camera and size"):
        apo.merge(write_burst(frames, tmp_path))


def test_the_map_tells_movers_from_lamps():
    """Black where the reference alone counts, white where all do, amber where shorter exposures take its place; greys on the scale."""
    frames = np.full((30, 80), 4.0, np.float32)
    frames[:5], frames[5:10], frames[10:15] = 1.0, 0.25, 2.5
    picture, sentence = frames_map(frames)
    shown = np.asarray(picture)
    assert shown.shape == (30 * 4 + LEGEND, 320, 3)
    assert shown[2, 2].tolist() == [0, 0, 0]
    np.testing.assert_allclose(shown[22, 2], 0.75 * AMBER, atol=1)
    np.testing.assert_allclose(shown[42, 2], [128] * 3, atol=1)
    assert shown[100, 2].tolist() == [255] * 3
    assert sentence == "effective number of frames: black 1, white 4.0, amber less than 1: shorter exposures only"
    assert np.ptp(shown[120:], axis=(0, 1)).min() > 200


def test_a_written_map_explains_itself(tmp_path):
    seen, _ = bursts.survey(write_burst(burst(SCENE, hand(3)), tmp_path))
    result = bursts.merge_burst(bursts.together(seen))
    with Image.open(bursts.write_map(result.merged, tmp_path / "map.png")) as picture:
        assert picture.text["Description"] == f"effective number of frames: black 1, white {result.merged.frames.max():.1f}"
