"""`apo merge` and `apo develop --merge` as users meet them: what is written where, what is said, what bad input costs."""

import json
import os
import pty
import signal
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from burst_scenes import Pose, Scene, burst, hand, light_of, truth, write_burst
from command import APO, apo, assert_refused
from dng_samples import proraw_like
from PIL import Image

from apochromat import raw

SCENE = Scene(160, 208)


def files_of(folder):
    """Names of all files below a folder, hidden ones too."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def psnr(path, pose=None):
    """Of a merged file against the truth, borders aside."""
    error = light_of(raw.read(path)) - truth(SCENE, pose)
    return -10 * np.log10(np.mean(np.square(error[24:-24, 24:-24])))


@pytest.fixture
def shots(tmp_path):
    """A folder with four frames of one burst: frame_00.dng and so on."""
    write_burst(burst(SCENE, hand(4)), tmp_path)
    return tmp_path


def merge(*arguments, cwd, **settings):
    return apo("merge", *arguments, cwd=cwd, **settings)


def at(frames, second, **facts):
    """The frames as taken at another second of the same night."""
    return [replace(f, metadata={**f.metadata, "datetime": f"2026:03:01 22:11:{second:02d}", **facts}) for f in frames]


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
    assert shown.shape == (40, 52)
    assert np.median(shown) > 200


def test_the_map_is_upright(tmp_path):
    write_burst([replace(f, orientation=6) for f in burst(SCENE, hand(3))], tmp_path)
    assert merge(".", "-o", "night.dng", "--map", "motion.png", cwd=tmp_path).returncode == 0
    assert np.asarray(Image.open(tmp_path / "motion.png")).shape == (52, 40)
    assert raw.read(tmp_path / "night.dng").orientation == 6


def test_one_frame_says_so(shots):
    done = merge("frame_02.dng", cwd=shots)
    assert (done.returncode, done.stdout) == (0, "frame_02.merged.dng\n")
    assert done.stderr == "apo: note: one frame only: nothing was merged\n"
    one, other = light_of(raw.read(shots / "frame_02.merged.dng")), light_of(raw.read(shots / "frame_02.dng"))
    assert np.abs(one - other).max() < 1 / 65535
    assert merge("frame_02.dng", "-q", "--overwrite", cwd=shots).stderr == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [({"model": "Other"}, "Test Other, 208 x 160, RGGB"), ({"height": 128}, "Test Burst, 208 x 128, RGGB")],
    ids=["cameras", "sizes"],
)
def test_two_cameras_or_sizes_are_no_picture(shots, change, words):
    scene = Scene(change.pop("height", 160), 208)
    raw.write_dng(burst(scene, [Pose()], **change)[0], shots / "strange.dng")
    before = files_of(shots)
    done = merge(".", "-o", "night.dng", cwd=shots)
    assert_refused(done, 1, "expected frames of one camera and size")
    assert "frame_00.dng" in done.stderr
    assert "strange.dng" in done.stderr
    assert words in done.stderr
    assert files_of(shots) == before


@pytest.mark.parametrize("number", [0, 2])
def test_a_corrupt_frame_costs_itself_only(shots, number):
    path = shots / f"frame_{number:02d}.dng"
    path.write_bytes(path.read_bytes()[:20000])
    done = merge(".", "-o", "night.dng", cwd=shots)
    assert done.returncode == 1
    assert done.stdout == "night.dng\n"
    assert len(done.stderr.splitlines()) == 1
    assert f"frame_{number:02d}.dng" in done.stderr
    assert raw.read(shots / "night.dng").metadata["composite"] == {"given": 3, "used": 3}
    pose = hand(4)[1] if number == 0 else None
    assert psnr(shots / "night.dng", pose) > psnr(shots / "frame_03.dng", hand(4)[3]) + 3.5


def test_nothing_readable_writes_nothing(tmp_path):
    for name, content in (("a.dng", b""), ("b.dng", b"II*\0" + bytes(100)), ("c.dng", os.urandom(3000))):
        (tmp_path / name).write_bytes(content)
    done = merge("a.dng", "b.dng", "c.dng", "missing.dng", "-o", "night.dng", cwd=tmp_path)
    assert_refused(done, 1, "a.dng", "b.dng", "c.dng", "missing.dng")
    assert files_of(tmp_path) == ["a.dng", "b.dng", "c.dng"]


def test_a_linear_dng_is_refused_by_name(shots):
    raw.write_dng(proraw_like(), shots / "linear.dng")
    done = merge("linear.dng", "frame_00.dng", "frame_01.dng", "-o", "night.dng", cwd=shots)
    assert (done.returncode, done.stdout) == (1, "night.dng\n")
    assert done.stderr.startswith("apo: ")
    assert "expected a frame with a mosaic to merge, found linear or monochrome samples: linear.dng" in done.stderr


def test_an_existing_output_is_kept(shots):
    (shots / "night.dng").write_text("mine")
    assert_refused(merge("frame_00.dng", "frame_01.dng", "-o", "night.dng", cwd=shots), 1, "night.dng: expected a new file name")
    assert (shots / "night.dng").read_text() == "mine"
    (shots / "night.dng").unlink()
    assert merge("frame_00.dng", "frame_01.dng", "-o", "night.dng", cwd=shots).returncode == 0
    first = (shots / "night.dng").read_bytes()
    assert merge("frame_00.dng", "frame_01.dng", "frame_02.dng", "-o", "night.dng", "--overwrite", cwd=shots).returncode == 0
    assert (shots / "night.dng").read_bytes() != first


@pytest.mark.parametrize("output", ["missing/night.dng", "/proc/night.dng"])
def test_no_place_to_write(shots, output):
    before = files_of(shots)
    assert_refused(merge(".", "-o", output, cwd=shots), 1, "night.dng: expected a place to write to")
    assert files_of(shots) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        (["empty"], "expected RAW files, found none in empty"),
        ([".", "-o", "night.jpg"], "-o night.jpg: expected a name ending in .dng"),
        ([".", "-o", "frame_00.dng/x/"], "the folder could not be made"),
        ([".", "--map", "motion.jpg"], "--map motion.jpg: expected a name ending in .png"),
        ([".", "--compression", "zip"], "--compression zip: expected none, ljpeg or jpegxl"),
        ([".", "--mpa", "x.png"], "--mpa"),
    ],
)
def test_wrong_usage_is_told_before_any_work(shots, arguments, words):
    (shots / "empty").mkdir()
    before = files_of(shots)
    assert_refused(merge(*arguments, cwd=shots), 2, words)
    assert files_of(shots) == before


def test_a_map_shows_one_burst(shots):
    raw.write_dng(at(burst(SCENE, hand(1)), 40)[0], shots / "later.dng")
    before = files_of(shots)
    assert_refused(merge(".", "--map", "motion.png", cwd=shots), 2, "--map motion.png shows one burst, found 2")
    assert files_of(shots) == before


@pytest.mark.parametrize("compression", ["none", "ljpeg", "jpegxl"])
def test_compressions_hold_the_same_picture(shots, compression):
    assert merge(".", "-o", "out/", "--compression", compression, cwd=shots).returncode == 0
    assert merge("frame_00.dng", "frame_01.dng", "frame_02.dng", "frame_03.dng", "-o", "x.dng", cwd=shots).returncode == 0
    one, other = (raw.read(shots / name) for name in ("out/frame_00.merged.dng", "x.dng"))
    np.testing.assert_array_equal(one.samples, other.samples)
    np.testing.assert_array_equal(one.noise.frames, other.noise.frames)


@pytest.mark.parametrize("level", [6.0], ids=["clipped"])
def test_total_darkness_and_all_clipped(tmp_path, level):
    write_burst(burst(Scene(160, 208, level=level, kind="flat"), hand(3)), tmp_path)
    done = merge(".", "-o", "night.dng", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "night.dng\n", "")
    frame = raw.read(tmp_path / "night.dng")
    assert frame.noise is not None
    assert light_of(frame).mean() == pytest.approx(1.0 if level else 0.0, abs=2e-3)
    assert apo("develop", "night.dng", cwd=tmp_path).returncode == 0


def test_no_noise_profile(tmp_path):
    write_burst([replace(f, noise=None) for f in burst(SCENE, hand(4))], tmp_path)
    done = merge(".", "-o", "night.dng", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert raw.read(tmp_path / "night.dng").noise is not None
    assert psnr(tmp_path / "night.dng") > psnr(tmp_path / "frame_00.dng") + 3.5


def test_different_iso_is_one_burst(tmp_path):
    """Frames of half the exposure by ISO: on one scale of light."""
    frames = burst(SCENE, hand(4), gains=[1.0, 1.0, 2.0, 2.0])
    frames = [
        replace(f, metadata={**f.metadata, "exposure_s": 1 / 30, "iso": 3200.0 / g}) for f, g in zip(frames, (1, 1, 2, 2), strict=True)
    ]
    write_burst(frames, tmp_path)
    done = merge(".", "-o", "night.dng", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert min(json.loads(done.stdout)["believed"].values()) > 0.5
    frame = raw.read(tmp_path / "night.dng")
    error = light_of(frame) * 2.0**frame.baseline_exposure_ev - truth(SCENE)
    assert -10 * np.log10(np.mean(np.square(error[24:-24, 24:-24]))) > psnr(tmp_path / "frame_00.dng") + 3.5


def test_frames_of_something_else_are_left_out_and_named(shots):
    strange = burst(replace(SCENE, seed=70), [Pose()])[0]
    raw.write_dng(replace(strange, metadata={**strange.metadata, "subsec": "900"}), shots / "strange.dng")
    done = merge(".", "-o", "night.dng", cwd=shots)
    assert (done.returncode, done.stdout) == (0, "night.dng\n")
    assert done.stderr == "apo: note: strange.dng was left out: it shows something else than frame_00.dng\n"
    assert raw.read(shots / "night.dng").metadata["composite"] == {"given": 5, "used": 4}


def peak_mib(folder, arguments):
    """Most memory that a run held at any time."""
    process = subprocess.Popen([*APO, "merge", *arguments], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss / 1024


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path):
    """300 tiny frames, whose planes together would be 100 MiB."""
    names = write_burst(burst(Scene(64, 96), hand(3, step=0.5)), tmp_path)
    for n in range(3, 300):
        os.link(names[n % 3], tmp_path / f"frame_{n:03d}.dng")
    small = peak_mib(tmp_path, [*(path.name for path in names), "-o", "out/"])
    assert peak_mib(tmp_path, [".", "-o", "many.dng"]) < small + 12
    assert np.median(raw.read(tmp_path / "many.dng").noise.frames) > 200


def test_ctrl_c_leaves_nothing_half_written(tmp_path):
    """Interrupted while frames are merged: exit code 130, one sentence, no file, no process."""
    names = write_burst(burst(Scene(384, 512), hand(2)), tmp_path)
    for n in range(2, 200):
        os.link(names[n % 2], tmp_path / f"frame_{n:03d}.dng")
    before, (ours, theirs) = files_of(tmp_path), pty.openpty()
    command = [*APO, "merge", ".", "-o", "night.dng"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, text=True, start_new_session=True)
    os.close(theirs)
    said = ""
    while "merging" not in said:
        said += os.read(ours, 4096).decode()
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    said += os.read(ours, 100_000).decode()
    os.close(ours)
    assert (process.returncode, out) == (130, "")
    assert said.splitlines()[-1].endswith("apo: interrupted")
    assert "Traceback" not in said
    assert files_of(tmp_path) == before


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
