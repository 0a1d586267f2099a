"""`apo shoot` while it runs: a burst with a moving subject and its truth, interruption, folders that cannot be written, no fork."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from command import apo, start

import apochromat

pytest.importorskip("jax")

SMALL = ("--lens", "tele-apo", "--crop", "256x192")
NO_FORK = "import os; os.fork = None; from apochromat.cli import main; main()"


@pytest.fixture(scope="module")
def burst(tmp_path_factory):
    """Three frames of the street, taken by a process that cannot fork: JAX's threads would not survive it."""
    folder = tmp_path_factory.mktemp("burst")
    wish = ["shoot", "night-street", *SMALL, "--frames", "3", "--exposure", "1/100", "-o", f"{folder}{os.sep}", "--json", "-q"]
    done = subprocess.run([sys.executable, "-c", NO_FORK, *wish], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return folder, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_burst_is_numbered_frames_and_their_truth(burst):
    folder, told = burst
    names = [f"night-street-{k:02d}" for k in (1, 2, 3)]
    assert [line["file"] for line in told] == [str(folder / f"{name}.dng") for name in names]
    assert sorted(p.name for p in folder.iterdir()) == [*(f"{name}.dng" for name in names), "truth"]
    truth = {p.name for p in (folder / "truth").iterdir()}
    assert truth == {"scene.tiff", "depth.tiff", "shots.json", *(f"{name}.mosaic.tiff" for name in names)}
    scene, depth = (tifffile.imread(folder / "truth" / f"{name}.tiff") for name in ("scene", "depth"))
    assert scene.shape == (*depth.shape, 3)
    assert all(n >= m for n, m in zip(depth.shape, (192, 256), strict=True))
    assert np.isfinite(scene).all()


def test_truth_tells_how_hand_and_subject_move(burst):
    """The subject walks at 1.3 m/s, at its distance, through the middle of each exposure; the hand moves by pixels a frame, not more."""
    folder, _ = burst
    facts = json.loads((folder / "truth" / "shots.json").read_text())
    frames = facts["frames"]
    middle_s = [f["start_s"] + f["exposure_s"] / 2 for f in frames]
    walked = [f["subjects_right_px"][0] for f in frames]
    rates = np.array(walked) / middle_s
    assert rates == pytest.approx(rates[0], rel=1e-6)
    distance_m = 1.3 * facts["mapping"]["scale_mm"] / (rates[0] * 2.24e-3)
    assert 3 < distance_m < 12
    moved = np.hypot(np.diff([f["right_px"] for f in frames]), np.diff([f["down_px"] for f in frames]))
    assert 0.02 < moved.min() <= moved.max() < 20


def test_mosaic_of_the_truth_is_the_frame_without_its_noise(burst):
    folder, _ = burst
    frame = apochromat.read(folder / "night-street-02.dng")
    clean = tifffile.imread(folder / "truth" / "night-street-02.mosaic.tiff")
    black, white = float(frame.levels.black.ravel()[0]), float(frame.levels.white[0])
    inside = clean < 0.9 * white
    signal = np.maximum(clean - black, 0) / (white - black)
    for plane, phase in enumerate((np.s_[0::2, 0::2], np.s_[0::2, 1::2], np.s_[1::2, 1::2])):
        off = ((frame.samples - clean)[phase] / (white - black))[inside[phase]]
        expected = frame.noise.variance(signal[phase][inside[phase]], 1.0, plane)
        assert np.mean(off**2 / expected) == pytest.approx(1, abs=0.3)  # PRNU and DSNU are in the frame, not in the profile


def test_ctrl_c_leaves_whole_frames_alone(tmp_path):
    running = start("shoot", "slanted-edges", *SMALL, "--frames", "300", "-o", f"{tmp_path}{os.sep}", "-q")
    first = [running.stdout.readline().strip() for _ in range(2)]
    os.killpg(running.pid, signal.SIGINT)
    rest, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert said == "apo: interrupted\n"
    written = [*first, *rest.split()]
    assert 2 <= len(written) < 300
    found = sorted(tmp_path.rglob("*"))
    assert {p.suffix for p in found if p.is_file()} == {".dng", ".tiff"}
    frames = sorted(str(p) for p in tmp_path.glob("*.dng"))
    assert frames[: len(written)] == written
    for path in (frames[0], frames[-1]):
        assert apochromat.read(path).samples.shape == (192, 256)


def test_a_folder_that_cannot_be_written_is_told_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    done = apo("shoot", "slanted-edges", *SMALL, "-o", f"{tmp_path}/file/burst/")
    assert done.returncode == 1
    assert "expected a folder that can be written" in done.stderr
    assert done.stderr.count("\n") == 1


def test_truth_that_is_there_is_not_replaced_unasked(tmp_path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "depth.tiff").write_text("mine")
    done = apo("shoot", "slanted-edges", *SMALL, "-o", f"{tmp_path}{os.sep}", "-q")
    assert done.returncode == 1
    assert "depth.tiff exists already" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["truth"]
