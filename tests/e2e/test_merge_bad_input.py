"""What `apo merge` does with bad input: who is named, what it costs, that nothing is left behind; memory and interruption."""

import json
import os
import pty
import signal
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from burst_scenes import Pose, Scene, burst, hand, light_of, truth, write_burst
from command import APO, apo, assert_refused
from dng_samples import proraw_like
from merge_runs import SCENE, at, files_of, merge, psnr

from apochromat import raw


@pytest.fixture
def shots(tmp_path):
    """A folder with four frames of one burst: frame_00.dng and so on."""
    write_burst(burst(SCENE, hand(4)), tmp_path)
    return tmp_path


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
    assert_refused(merge("frame_00.dng", "frame_01.dng", "-o", "night.dng", cwd=shots), 1, "night.dng exists already")
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


@pytest.mark.parametrize("level", [0.0, 6.0], ids=["dark", "clipped"])
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


def test_a_second_run_takes_only_what_the_camera_wrote(shots):
    """Merged files in the folder are no frames: the same photons would be counted twice."""
    assert merge(".", cwd=shots).stdout == "frame_00.merged.dng\n"
    first = (shots / "frame_00.merged.dng").read_bytes()
    done = merge(".", "--overwrite", "--json", cwd=shots)
    assert list(json.loads(done.stdout)["believed"]) == [f"frame_{n:02d}.dng" for n in range(4)]
    assert (shots / "frame_00.merged.dng").read_bytes() == first
    assert apo("develop", ".", "--merge", cwd=shots).stdout == "frame_00.apo.jpg\n"


def test_an_input_is_never_replaced(shots):
    before = (shots / "frame_01.dng").read_bytes()
    assert_refused(merge("frame_00.dng", "frame_01.dng", "-o", "frame_01.dng", "--overwrite", cwd=shots), 2, "frame_01.dng is an input")
    assert (shots / "frame_01.dng").read_bytes() == before


@pytest.mark.parametrize("name", ["there.png", "missing/motion.png"])
def test_a_map_that_cannot_be_written_does_not_hide_the_picture(shots, name):
    """Either nothing is written or what is written is named; the complaint names the map."""
    (shots / "there.png").write_text("mine")
    done = merge("frame_00.dng", "frame_01.dng", "-o", "night.dng", "--map", name, cwd=shots)
    assert done.returncode == 1
    assert name in done.stderr
    assert done.stdout.split() == [f for f in files_of(shots) if f == "night.dng"]
    assert (shots / "there.png").read_text() == "mine"
