"""What surrounds the command: streams that are closed or full, names that are no text, files that may not be touched."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from command import APO, apo, assert_refused, start
from dng_samples import pixel_like

from apochromat.raw import write_dng

LOCKED_OUT = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]  # root, without root's right to open every file


@pytest.fixture
def raw(tmp_path):
    return write_dng(pixel_like(), tmp_path / "a.dng")


@pytest.fixture
def locked_out():
    """A command prefix under which file modes count."""
    if os.geteuid():
        return []
    if not shutil.which("setpriv") or subprocess.run([*LOCKED_OUT, "true"], capture_output=True).returncode:
        pytest.skip("root cannot give up its rights here")
    return LOCKED_OUT


def in_shell(line, cwd, **settings):
    """Run a shell line in which "$@" is `apo`; stdout and stderr as bytes."""
    return subprocess.run(["sh", "-c", line, "sh", *APO], cwd=cwd, env={**os.environ, **settings}, capture_output=True, timeout=300)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_cost_nothing(raw, tmp_path, closed):
    """A closed stream's number is not given to a file of ours."""
    process = in_shell(f'"$@" develop a.dng {closed}', tmp_path)
    assert process.returncode == 0
    assert (tmp_path / "a.apo.jpg").exists()
    assert not process.stderr
    process = in_shell(f'"$@" develop none.dng {closed}', tmp_path)
    assert process.returncode == 1
    assert not process.stdout


@pytest.mark.parametrize("verb", ["develop a.dng", "develop a.dng --json", "info a.dng", "info a.dng --json", "stages", "--version"])
def test_full_stdout(raw, tmp_path, verb):
    process = in_shell(f'"$@" {verb} -q >/dev/full' if verb.startswith("develop") else f'"$@" {verb} >/dev/full', tmp_path)
    assert process.returncode == 1
    assert process.stderr == b"apo: standard output could not be written: no space left on device\n"


@pytest.mark.parametrize("suffix", ["dng", "CRW"])
def test_name_that_is_no_text(shared, tmp_path, suffix):
    """Bytes that are no UTF-8 come out as they went in; in JSON, escaped."""
    name = b"caf\xe9." + suffix.encode()
    if suffix == "dng":
        write_dng(pixel_like(), tmp_path / os.fsdecode(name))
    else:
        shutil.copyfile(shared / "data/raw/CRW_0112.CRW", tmp_path / os.fsdecode(name))
    process = in_shell('"$@" develop caf* -q', tmp_path, PYTHONIOENCODING="utf-8:strict")
    assert process.stdout == b"caf\xe9.apo.jpg\n", process.stderr
    process = in_shell('"$@" develop caf*.' + suffix + " -q --json --overwrite --explain p.html", tmp_path, PYTHONIOENCODING="utf-8:strict")
    assert process.returncode == 0, process.stderr
    written = json.loads(process.stdout.decode())["written"]
    assert [os.fsencode(path) for path in written] == [b"caf\xe9.apo.jpg", b"p.html"]


@pytest.mark.parametrize("name", ["Übung 写真.dng", "two words.dng", "new\nline.dng", "[red]x.dng"])
def test_unusual_names(raw, tmp_path, name):
    raw.rename(tmp_path / name)
    process = apo("develop", name, "-q", cwd=tmp_path)
    assert process.stdout == name.replace(".dng", ".apo.jpg\n")
    assert process.returncode == 0


def test_unreadable_file_costs_itself(raw, tmp_path, locked_out):
    shutil.copyfile(raw, tmp_path / "no.dng")
    (tmp_path / "no.dng").chmod(0)
    process = apo("develop", "no.dng", "a.dng", "-q", cwd=tmp_path, prefix=locked_out)
    assert process.returncode == 1
    assert process.stdout == "a.apo.jpg\n"
    assert process.stderr == "apo: no.dng: expected a RAW file that can be read, found none (Permission denied)\n"
    assert_refused(apo("info", "no.dng", cwd=tmp_path, prefix=locked_out), 1, "no.dng: expected a RAW file that can be read")


def test_unreadable_recipe(raw, tmp_path, locked_out):
    (tmp_path / "r.toml").touch(0)
    process = apo("develop", "a.dng", "--recipe", "r.toml", cwd=tmp_path, prefix=locked_out)
    assert_refused(process, 2, "r.toml: the recipe could not be read: permission denied")


def test_folder_that_is_shut(raw, tmp_path, locked_out):
    (tmp_path / "shut").mkdir(mode=0)
    process = apo("develop", "shut/a.dng", "-q", "-o", "b.jpg", cwd=tmp_path, prefix=locked_out)
    assert_refused(process, 1, "shut/a.dng: expected a RAW file that can be read, found none (Permission denied)")
    process = apo("develop", "a.dng", "-q", "-o", "shut/b.jpg", cwd=tmp_path, prefix=locked_out)
    assert_refused(process, 1, "shut/b.jpg could not be written: permission denied")


def test_picture_stays_where_its_page_fails(raw, tmp_path):
    """The picture was written before the page could not be: both are told."""
    process = apo("develop", "a.dng", "-q", "--json", "--explain", "none/p.html", cwd=tmp_path)
    outcome = json.loads(process.stdout)
    assert process.returncode == 1
    assert outcome["written"] == ["a.apo.jpg"]
    assert outcome["error"] == "none/p.html could not be written: no such file or directory"
    assert (tmp_path / "a.apo.jpg").exists()


def test_outputs_that_are_misnamed(raw, tmp_path):
    assert_refused(apo("develop", "a.dng", "--explain", "p.png", cwd=tmp_path), 2, "--explain p.png: expected the name of a page")
    assert_refused(apo("develop", "a.dng", "-o", "out", cwd=tmp_path), 2, "out: expected a name that ends in .avif")
    process = apo("develop", "a.dng", "-o", "x.jpg", "--until", "demosaic", cwd=tmp_path)
    assert_refused(process, 2, "x.jpg: JPEG cannot hold linear pixels")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_ended_by_another_signal(tmp_path, sent):
    """Whole pictures or none, and nothing temporary, also where a terminal is closed."""
    for n in range(60):
        write_dng(pixel_like(), tmp_path / f"{n}.dng") if n == 0 else os.link(tmp_path / "0.dng", tmp_path / f"{n}.dng")
    process = start("develop", *(f"{n}.dng" for n in range(60)), cwd=tmp_path)
    process.stdout.readline()
    time.sleep(0.05)
    process.send_signal(sent)
    process.communicate(timeout=60)
    assert process.returncode == 128 + sent
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".part")]
