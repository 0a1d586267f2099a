"""Bad input, by name: one sentence on stderr, the right exit code, no traceback, nothing left behind."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from command import apo, assert_refused, start
from dng_samples import pixel_like, write_changed
from PIL import Image

from apochromat.raw import write_dng
from apochromat.raw.tags import Tag
from apochromat.raw.tiff_writer import LONG, RATIONAL, SHORT, SRATIONAL, UNDEFINED

OPCODES = b"".join(n.to_bytes(4, "big") for n in (1, 9, 0x01030000, 1, 1 << 30)) + bytes(16)


def changed(**changes):
    """A maker of a Pixel-like DNG with these tags changed."""
    return lambda path: write_changed(pixel_like(), path, {Tag[name]: value for name, value in changes.items()})


def cut(tenths):
    def make(path):
        whole = write_dng(pixel_like(), path).read_bytes()
        path.write_bytes(whole[: len(whole) * tenths // 10])

    return make


def looping(path):
    """The chain of directories leads back to the first one."""
    data = bytearray(write_dng(pixel_like(), path).read_bytes())
    entries = int.from_bytes(data[8:10], "little")
    data[10 + 12 * entries : 14 + 12 * entries] = (8).to_bytes(4, "little")
    path.write_bytes(data)


BAD = {
    "empty": (lambda path: path.write_bytes(b""), "found an empty file"),
    "text": (lambda path: path.write_text("No picture here.\n" * 50), "expected a RAW file"),
    "folder": (lambda path: path.mkdir(), "found a folder"),
    "missing": (lambda path: None, "No such file"),
    "pipe": (os.mkfifo, "expected a RAW file"),
    "unreadable": (lambda path: path.symlink_to("/proc/self/mem"), "expected a RAW file"),
    **{f"cut-{n}": (cut(n), "") for n in range(1, 10)},
    "wide": (changed(ImageWidth=(LONG, [1000])), "expected"),
    "tall": (changed(ImageLength=(LONG, [4000]), RowsPerStrip=(LONG, [4000])), "expected"),
    "billion": (changed(ImageWidth=(LONG, [40000]), ImageLength=(LONG, [25000])), "expected"),
    "black-above-white": (changed(BlackLevel=(SHORT, [20000] * 4)), "expected a black level below the white level"),
    "black-is-white": (changed(WhiteLevel=(SHORT, [64])), "expected a black level below the white level"),
    "singular": (changed(ColorMatrix1=(SRATIONAL, [1.0] * 9)), "found a singular one"),
    "neutral-zero": (changed(AsShotNeutral=(RATIONAL, [0.0, 1.0, 0.5])), "expected positive numbers in AsShotNeutral"),
    "neutral-negative": (changed(AsShotNeutral=(SRATIONAL, [-0.5, 1.0, 0.5])), "expected positive numbers in AsShotNeutral"),
    "opcodes-too-long": (changed(OpcodeList2=(UNDEFINED, OPCODES)), "expected"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every bad file, developed in one batch beside a sound one."""
    folder = tmp_path_factory.mktemp("bad")
    for name, (make, _) in BAD.items():
        make(folder / f"{name}.dng")
    looping(folder / "looping.dng")
    write_dng(pixel_like(), folder / "sound.dng")
    return folder


@pytest.fixture(scope="module")
def batch(folder):
    return apo("develop", *(f"{name}.dng" for name in [*BAD, "looping", "sound"]), "--json", cwd=folder)


@pytest.mark.parametrize("name", BAD)
def test_bad_file_costs_itself_and_says_why(batch, folder, name):
    outcome = next(o for o in map(json.loads, batch.stdout.splitlines()) if o["input"] == f"{name}.dng")
    assert BAD[name][1] in outcome["error"]
    assert f"{name}.dng" in outcome["error"]
    assert f"apo: {outcome['error']}" in batch.stderr.splitlines()
    assert not (folder / f"{name}.apo.jpg").exists()


def test_looping_directories_end(batch, folder):
    """A directory chain that bites its tail: refused or developed, but over in no time."""
    outcome = next(o for o in map(json.loads, batch.stdout.splitlines()) if o["input"] == "looping.dng")
    assert outcome["seconds"] < 20
    assert ("error" in outcome) != (folder / "looping.apo.jpg").exists()


def test_batch_goes_on_and_sums_up(batch, folder):
    assert batch.returncode == 1
    assert "Traceback" not in batch.stderr
    assert Image.open(folder / "sound.apo.jpg").size == (120, 88)
    assert not list(folder.glob(".*"))
    failed = sum("error" in json.loads(line) for line in batch.stdout.splitlines())
    last = batch.stderr.splitlines()[-1]
    assert last.startswith(f"{len(BAD) + 2 - failed} of {len(BAD) + 2} developed")
    assert last.endswith(f"{failed} failed")


def test_every_bad_file_gets_one_line(batch):
    """Errors, notes and the summary: no line that is none of these."""
    for line in batch.stderr.splitlines()[:-1]:
        assert line.startswith("apo: "), line


def test_real_file_cut_at_each_tenth(shared, tmp_path):
    """A Canon CRW, which LibRaw reads; a cut may only ever cost a sentence."""
    whole = (shared / "data/raw/CRW_0112.CRW").read_bytes()
    for n in range(1, 10):
        (tmp_path / f"{n}.CRW").write_bytes(whole[: len(whole) * n // 10])
    process = apo("info", *sorted(tmp_path.iterdir()), "--json")
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert len(process.stdout.splitlines()) + len(process.stderr.splitlines()) == 9


@pytest.fixture
def raw(tmp_path):
    return write_dng(pixel_like(), tmp_path / "a.dng")


@pytest.mark.parametrize(("output", "sentence"), [("/proc/a.jpg", "could not be written"), ("a.dng/a.jpg", "could not be written")])
def test_unwritable_output(raw, tmp_path, output, sentence):
    assert_refused(apo("develop", "a.dng", "-q", "-o", output, cwd=tmp_path), 1, sentence)
    assert os.listdir(tmp_path) == ["a.dng"]


def test_existing_output_is_kept(raw, tmp_path):
    (tmp_path / "a.apo.jpg").write_text("mine")
    assert_refused(apo("develop", raw, "-q"), 1, "exists already; give --overwrite")
    assert (tmp_path / "a.apo.jpg").read_text() == "mine"


def test_full_disk(raw, tmp_path):
    """A file system of 32 kB, mounted for this process only; what is left on it would be listed on stdout."""
    full = tmp_path / "full"
    full.mkdir()
    script = f"mount -t tmpfs -o size=32k none '{full}' && {{ \"$@\"; code=$?; ls -A '{full}'; exit $code; }}"
    prefix = ["unshare", "-rm", "sh", "-c", script, "sh"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    process = apo("develop", raw, "-q", "-o", full / "a.tiff", prefix=prefix)
    assert_refused(process, 1, f"{full}/a.tiff could not be written: no space left on device")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "denoize.luminance=1"], "did you mean denoise?"),
        (["--set", "white_balance.temprature=5000"], "did you mean temperature?"),
        (["--set", "white_balance.temperature=5"], "between 1700 and 50000 (K), found 5"),
        (["--set", "white_balance.temperature=warm"], "must be a number"),
        (["--set", "white_balance"], "expected stage.parameter=value"),
        (["--until", "demosiac"], "did you mean demosaic?"),
        (["--rendering", "neutrl"], "did you mean neutral?"),
        (["--space", "display-p4"], "srgb, display-p3"),
        (["--qualty", "90"], "--quality"),
        (["--quality", "0"], "--quality"),
        (["--quality", "high"], "--quality"),
        (["--jobs", "0"], "--jobs"),
        (["--depth", "12"], "JPEG holds 8 bits a sample"),
        (["-o", "a.jpgg"], "did you mean .jpg?"),
        (["-o", "a.tiff", "--depth", "32"], "TIFF holds 8 or 16 bits a sample for display pixels"),
        (["--until", "demosaic", "-o", "a.jpg"], "JPEG cannot hold linear pixels"),
        (["--recipe", "none.toml"], "none.toml: the recipe could not be read"),
        (["-o", "a.dng"], "not a picture format"),
        (["-o", "a.dng/"], "a.dng/: the folder could not be made: file exists"),
        (["-o", "/proc/x/"], "/proc/x/: the folder could not be made"),
    ],
)
def test_wrong_usage(raw, tmp_path, arguments, sentence):
    assert_refused(apo("develop", "a.dng", *arguments, cwd=tmp_path), 2, sentence)
    assert os.listdir(tmp_path) == ["a.dng"]


def test_two_inputs_one_output(raw, tmp_path):
    (tmp_path / "a.CRW").write_bytes(raw.read_bytes())
    both = "a.dng and a.CRW would both be written to a.apo.jpg"
    assert_refused(apo("develop", "a.dng", "a.CRW", cwd=tmp_path), 2, both)
    assert_refused(apo("develop", "a.dng", "a.dng", cwd=tmp_path), 2, "would both be written")
    assert_refused(apo("develop", "a.dng", "a.CRW", "-o", "b.jpg", cwd=tmp_path), 2, "names one file for 2 inputs")
    assert sorted(os.listdir(tmp_path)) == ["a.CRW", "a.dng"]


def test_input_is_never_an_output(tmp_path):
    write_dng(pixel_like(), tmp_path / "a.tif")
    before = (tmp_path / "a.tif").read_bytes()
    assert_refused(apo("develop", "a.tif", "-o", "a.tif", "--overwrite", cwd=tmp_path), 2, "a.tif is an input")
    assert (tmp_path / "a.tif").read_bytes() == before


def test_damaged_sidecar_costs_its_file(raw, tmp_path):
    (tmp_path / "a.dng.toml").write_text("[white_balance]\ntint = 1000\n")
    assert_refused(apo("develop", raw, "-q"), 1, "a.dng.toml: white_balance.tint must be a number between -150 and 150, found 1000")


def test_wrong_verb_and_no_verb():
    assert_refused(apo("devlop"), 2, "Did you mean 'develop'?")
    nothing = apo()
    assert nothing.returncode == 2
    assert "Usage: apo" in nothing.stderr


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("everybody", [True, False], ids=["group", "parent"])
def test_ctrl_c(tmp_path, jobs, everybody):
    """Interrupted in the middle of a batch: exit code 130, whole pictures or none, and every process gone."""
    write_dng(pixel_like(np.random.default_rng(0).uniform(0, 0.5, (384, 512, 3))), tmp_path / "000.dng")
    names = [f"{n:03}.dng" for n in range(200)]
    for name in names[1:]:
        os.link(tmp_path / "000.dng", tmp_path / name)
    process = start("develop", *names, "--jobs", jobs, cwd=tmp_path)
    process.stdout.readline()
    (os.killpg if everybody else os.kill)(process.pid, signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaints.splitlines()[-1] == "apo: interrupted"
    assert "Traceback" not in complaints
    done = list(tmp_path.glob("*.apo.jpg"))
    assert 0 < len(done) < len(names)
    for path in done:
        Image.open(path).load()
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]
    assert not living(process.pid)


def living(group, patience_s=10):
    """Processes of a group that are still at work after some patience; dead ones that nobody has asked after do not count."""
    deadline = time.monotonic() + patience_s
    while True:
        fields = [line.rpartition(")")[2].split() for line in map(status_of, os.listdir("/proc")) if line]
        alive = [f for f in fields if int(f[2]) == group and f[0] != "Z"]
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.05)


def status_of(pid):
    """A process's line of /proc, empty where there is none (any more)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text() if pid.isdigit() else ""
    except OSError:
        return ""
