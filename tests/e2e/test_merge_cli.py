"""`apo merge` and `apo develop --merge` as users meet them: what is written where, what is said, what can be relied on."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from burst_scenes import burst, hand, light_of, truth, write_burst
from command import apo
from merge_runs import SCENE, at, files_of, merge, psnr
from PIL import Image

from apochromat import raw


@pytest.fixture
def shots(tmp_path):
    """A folder with four frames of one burst: frame_00.dng and so on."""
    write_burst(burst(SCENE, hand(4)), tmp_path)
    return tmp_path


def test_one_file(shots):
    done = merge("frame_00.dng", "frame_01.dng", "frame_02.dng", "frame_03.dng", "-o", "night.dng", cwd=shots)
    assert (done.returncode, done.stdout, done.stderr) == (0, "night.dng\n", "")
    assert files_of(shots) == ["frame_00.dng", "frame_01.dng", "frame_02.dng", "frame_03.dng", "night.dng"]
    assert psnr(shots / "night.dng") > psnr(shots / "frame_00.dng") + 4.5


def test_beside_the_reference_and_into_folders(shots):
    assert merge("frame_00.dng", "frame_01.dng", cwd=shots).stdout == "frame_00.merged.dng\n"
    assert merge("frame_00.dng", "frame_01.dng", "-o", "new/deep/", cwd=shots).stdout == "new/deep/frame_00.merged.dng\n"
    assert merge("frame_00.dng", "frame_01.dng", "-o", "new", cwd=shots).stdout == "new/frame_00.merged.dng\n"


def test_a_folder_of_several_bursts(shots):
    """Told apart by a pause; each becomes a file of its own, a single frame too."""
    for n, frame in enumerate([*at(burst(SCENE, hand(3)), 10), *at(burst(SCENE, hand(1)), 20)]):
        raw.write_dng(frame, shots / f"later_{n}.dng")
    done = merge(".", "-o", "out/", cwd=shots)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["out/frame_00.merged.dng", "out/later_0.merged.dng", "out/later_3.merged.dng"]
    assert done.stderr == "apo: note: one frame only: nothing was merged\n"
    assert [raw.read(shots / p).metadata["composite"]["used"] for p in done.stdout.split()] == [4, 3, 1]


def test_order_and_threads_change_nothing(shots):
    """The same bytes from files in any order, on one thread and on two."""
    names = [f"frame_{n:02d}.dng" for n in range(4)]
    for target, order, threads in (("a.dng", names, "1"), ("b.dng", names, "2"), ("c.dng", names[::-1], "3")):
        assert merge(*order, "-o", target, cwd=shots, HL_NUM_THREADS=threads).returncode == 0
    assert (shots / "a.dng").read_bytes() == (shots / "b.dng").read_bytes()
    assert (shots / "a.dng").read_bytes() == (shots / "c.dng").read_bytes()


def test_map_and_json(shots):
    done = merge(".", "-o", "night.dng", "--map", "motion.png", "--json", cwd=shots)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["reference"] == "frame_00.dng"
    assert facts["written"] == ["night.dng", "motion.png"]
    assert list(facts["believed"]) == [f"frame_{n:02d}.dng" for n in range(4)]
    assert all(0.5 < share <= 1 for share in facts["believed"].values())
    assert 3 < facts["effective_frames"]["median"] <= 4
    assert (facts["notes"], facts["errors"]) == ([], [])
    shown = np.asarray(Image.open(shots / "motion.png"))
    assert shown.shape == (40, 52, 3)
    assert np.median(shown) > 200


def test_the_map_is_upright(tmp_path):
    write_burst([replace(f, orientation=6) for f in burst(SCENE, hand(3))], tmp_path)
    assert merge(".", "-o", "night.dng", "--map", "motion.png", cwd=tmp_path).returncode == 0
    assert np.asarray(Image.open(tmp_path / "motion.png")).shape == (52, 40, 3)
    assert raw.read(tmp_path / "night.dng").orientation == 6


def test_one_frame_says_so(shots):
    done = merge("frame_02.dng", cwd=shots)
    assert (done.returncode, done.stdout) == (0, "frame_02.merged.dng\n")
    assert done.stderr == "apo: note: one frame only: nothing was merged\n"
    one, other = light_of(raw.read(shots / "frame_02.merged.dng")), light_of(raw.read(shots / "frame_02.dng"))
    assert np.abs(one - other).max() < 1 / 65535
    assert merge("frame_02.dng", "-q", "--overwrite", cwd=shots).stderr == ""


def test_compressions_hold_the_same_picture(shots):
    frames = []
    for name in ("none", "ljpeg", "jpegxl"):
        assert merge("frame_00.dng", "frame_01.dng", "-o", f"{name}.dng", "--compression", name, cwd=shots).returncode == 0
        frames.append(raw.read(shots / f"{name}.dng"))
    for frame in frames[1:]:
        np.testing.assert_array_equal(frame.samples, frames[0].samples)
        np.testing.assert_array_equal(frame.noise.frames, frames[0].noise.frames)


def test_develop_merges_on_the_way(shots):
    """One picture of the burst, named after its first file; the same as by way of a file."""
    assert apo("develop", ".", "--merge", cwd=shots).stdout == "frame_00.apo.jpg\n"
    assert apo("develop", ".", "--merge", "-o", "one.tiff", "--until", "denoise", cwd=shots).stdout == "one.tiff\n"
    assert merge("frame_00.dng", "frame_01.dng", "frame_02.dng", "frame_03.dng", "-o", "night.dng", cwd=shots).returncode == 0
    assert apo("develop", "night.dng", "-o", "two.tiff", "--until", "denoise", cwd=shots).returncode == 0
    one, two = (tifffile.imread(shots / name).astype(float) for name in ("one.tiff", "two.tiff"))
    noise = one - truth(SCENE)
    assert np.square(one - two).mean() < 1e-4 * np.square(noise).mean()


def test_develop_makes_a_picture_of_each_burst(shots):
    for n, frame in enumerate(at(burst(SCENE, hand(2)), 30)):
        raw.write_dng(frame, shots / f"later_{n}.dng")
    (shots / "frame_02.dng").write_bytes(b"")
    done = apo("develop", ".", "--merge", "-o", "out/", cwd=shots)
    assert done.returncode == 1
    assert done.stdout.split() == ["out/frame_00.apo.jpg", "out/later_0.apo.jpg"]
    assert "frame_02.dng: expected a RAW file, found an empty file" in done.stderr
