"""The command line as users and programs meet it: where pictures go, what is printed where, what can be relied on."""

import json
import os
import pty
import re
import subprocess

import numpy as np
import pytest
import tifffile
from command import APO, apo, cpu_seconds
from dng_samples import pixel_like, proraw_like, samsung_like
from PIL import Image

from apochromat import chain
from apochromat.raw import write_dng


@pytest.fixture
def photos(tmp_path):
    """Three RAW files of three makers, one of them held upright."""
    for name, frame in (("a.dng", pixel_like()), ("b.dng", samsung_like()), ("c.dng", proraw_like())):
        write_dng(frame, tmp_path / name)
    return tmp_path


def test_pictures_lie_beside_their_raw_files(photos):
    process = apo("develop", "a.dng", "b.dng", "c.dng", cwd=photos)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == ["a.apo.jpg", "b.apo.jpg", "c.apo.jpg"]
    assert process.stderr.splitlines()[-1].startswith("3 of 3 developed in ")
    assert Image.open(photos / "a.apo.jpg").size == (120, 88)
    assert Image.open(photos / "b.apo.jpg").size == (96, 128), "orientation 6 turns the picture"
    exif = Image.open(photos / "b.apo.jpg").getexif()
    assert exif[0x0112] == 1
    assert exif.get_ifd(0x8769)[0x9003] == "2024:05:17 18:22:09"


@pytest.mark.parametrize("folder", ["out/", "new/deep/", "there"])
def test_output_folder(photos, folder):
    (photos / "out").mkdir()
    (photos / "there").mkdir()
    process = apo("develop", "a.dng", "b.dng", "-q", "-o", folder, cwd=photos)
    assert (process.returncode, process.stderr) == (0, "")
    assert [os.path.normpath(line) for line in process.stdout.splitlines()] == [
        os.path.join(os.path.normpath(folder), name) for name in ("a.apo.jpg", "b.apo.jpg")
    ]
    assert len(list((photos / folder).iterdir())) == 2


@pytest.mark.parametrize(("name", "dtype"), [("x.tiff", np.uint16), ("x.png", np.uint8), ("x.avif", np.uint8), ("x.jpeg", np.uint8)])
def test_format_by_extension(photos, name, dtype):
    assert apo("develop", "a.dng", "-o", name, cwd=photos).stdout == f"{name}\n"
    pixels = tifffile.imread(photos / name) if name.endswith("tiff") else np.asarray(Image.open(photos / name))
    assert (pixels.shape, pixels.dtype) == ((88, 120, 3), dtype)
    assert pixels.std() > 0.05 * np.iinfo(dtype).max


def test_depth_and_space(photos):
    process = apo("develop", "a.dng", "-o", "x.png", "--depth", "16", "--space", "display-p3", cwd=photos)
    assert process.returncode == 0, process.stderr
    assert (photos / "x.png").read_bytes()[24] == 16
    assert "Display P3".encode("utf-16-be") in Image.open(photos / "x.png").info["icc_profile"]


def test_every_tap_can_be_left(photos):
    """Linear float pictures at every stage but the last, which is finished."""
    names = [stage.name for stage in chain.stages()]
    for name in names[:-1]:
        process = apo("develop", "a.dng", "--until", name, cwd=photos)
        assert process.stdout == f"a.apo.{name}.tiff\n", process.stderr
        pixels = tifffile.imread(photos / f"a.apo.{name}.tiff")
        assert pixels.dtype == np.float32
        assert np.isfinite(pixels).all()
        assert pixels.ndim == (3 if names.index(name) >= names.index("demosaic") else 2), name
    assert apo("develop", "a.dng", "--until", names[-1], "-o", "x.jpg", cwd=photos).returncode == 0


def test_sixteen_bits_linear(photos):
    assert apo("develop", "a.dng", "--until", "demosaic", "--depth", "16", "-o", "x.tif", cwd=photos).returncode == 0
    assert tifffile.imread(photos / "x.tif").dtype == np.uint16


def test_settings_change_the_picture_and_later_ones_win(photos):
    def mean(*arguments):
        process = apo("develop", "a.dng", "--overwrite", "-o", "x.png", *arguments, cwd=photos)
        assert process.returncode == 0, process.stderr
        return np.asarray(Image.open(photos / "x.png")).mean((0, 1))

    plain, warm = mean(), mean("--set", "white_balance.mode=temperature", "--set", "white_balance.temperature=12000")
    assert warm[0] / warm[2] > 1.1 * plain[0] / plain[2]
    (photos / "a.dng.toml").write_text('[white_balance]\nmode = "temperature"\ntemperature = 12000\n')
    np.testing.assert_array_equal(mean(), warm)
    (photos / "plain.toml").write_text('[white_balance]\nmode = "as_shot"\n')
    np.testing.assert_array_equal(mean("--recipe", "plain.toml"), plain)
    np.testing.assert_array_equal(mean("--recipe", "plain.toml", "--set", "white_balance.mode=temperature"), warm)


def test_a_picture_can_be_made_again_from_itself(photos):
    """The recipe in the first picture's XMP makes the second one, byte for byte."""
    assert apo("develop", "a.dng", "-o", "1.jpg", "--set", "white_balance.tint=20", "--rendering", "neutral", cwd=photos).returncode == 0
    assert apo("develop", "a.dng", "-o", "2.jpg", "--recipe", "1.jpg", cwd=photos).returncode == 0
    assert (photos / "1.jpg").read_bytes() == (photos / "2.jpg").read_bytes()


def test_jobs_and_threads_change_nothing(photos):
    one = apo("develop", "a.dng", "b.dng", "c.dng", "-q", "-o", "one/", cwd=photos)
    two = apo("develop", "a.dng", "b.dng", "c.dng", "-q", "-o", "two/", "--jobs", "2", cwd=photos)
    three = apo("develop", "a.dng", "b.dng", "c.dng", "-q", "-o", "three/", cwd=photos, HL_NUM_THREADS="1")
    assert (one.returncode, two.returncode, three.returncode) == (0, 0, 0)
    assert sorted(two.stdout.splitlines()) == [f"two/{n}.apo.jpg" for n in "abc"]
    for name in os.listdir(photos / "one"):
        content = (photos / "one" / name).read_bytes()
        assert (photos / "two" / name).read_bytes() == content
        assert (photos / "three" / name).read_bytes() == content


def test_json_lines(photos):
    (photos / "bad.dng").write_bytes(b"")
    process = apo("develop", "a.dng", "bad.dng", "--json", "-q", cwd=photos)
    good, bad = map(json.loads, process.stdout.splitlines())
    assert process.returncode == 1
    assert (good["input"], good["written"]) == ("a.dng", ["a.apo.jpg"])
    assert re.fullmatch("[0-9a-f]{64}", good["recipe_hash"])
    assert good["recipe_hash"].encode() in (photos / "a.apo.jpg").read_bytes()
    assert good["seconds"] > 0
    assert (bad["input"], bad["error"]) == ("bad.dng", "bad.dng: expected a RAW file, found an empty file")


def test_explain_is_one_page_with_every_step(photos):
    process = apo("develop", "a.dng", "--explain", "page.html", "--set", "white_balance.tint=12.5", cwd=photos)
    assert process.stdout.splitlines() == ["a.apo.jpg", "page.html"], process.stderr
    page = (photos / "page.html").read_text()
    for stage in chain.stages():
        assert f'<section id="{stage.name}">' in page
    assert page.count("data:image/jpeg;base64,") == 2 * len(chain.stages())
    assert '<td class="changed">12.5</td>' in page
    assert not re.search(r'(src|href)="(?!data:|#)', page), "the page loads something from elsewhere"


def test_explain_refuses_many_files_and_existing_pages(photos):
    assert apo("develop", "a.dng", "b.dng", "--explain", "page.html", cwd=photos).returncode == 2
    (photos / "page.html").write_text("mine")
    process = apo("develop", "a.dng", "--explain", "page.html", cwd=photos)
    assert process.returncode == 1
    assert "page.html exists already" in process.stderr
    assert sorted(os.listdir(photos)) == ["a.dng", "b.dng", "c.dng", "page.html"]


def test_info(photos):
    facts = json.loads(apo("info", "a.dng", "--json", cwd=photos).stdout)
    assert facts["camera"]["make"] == "Google"
    assert facts["cfa"] == "RGGB"
    assert len(facts["opcodes"]["opcodes2"]) == 4
    text = apo("info", "a.dng", cwd=photos).stdout
    assert "make: Google" in text
    assert "name: GainMap" in text


def test_info_on_several_files(photos):
    (photos / "bad.dng").write_bytes(b"")
    process = apo("info", "a.dng", "bad.dng", "b.dng", "--json", cwd=photos)
    assert [json.loads(line)["file"] for line in process.stdout.splitlines()] == ["a.dng", "b.dng"]
    assert process.stderr == "apo: bad.dng: expected a RAW file, found an empty file\n"
    assert process.returncode == 1


def test_stages_lists_every_parameter():
    listed = [json.loads(line) for line in apo("stages", "--json").stdout.splitlines()]
    assert [stage["stage"] for stage in listed] == [stage.name for stage in chain.stages()]
    for stage, declared in zip(listed, chain.stages(), strict=True):
        assert [p["name"] for p in stage["parameters"]] == list(declared.params.model_fields)
        assert all({"type", "default", "range", "choices", "unit", "help"} <= set(p) for p in stage["parameters"])
    assert "white_balance.temperature=5500.0  a number between 1700 and 50000 (K)." in apo("stages").stdout


def test_progress_line_on_a_terminal(photos):
    """Redrawn in place on a terminal, taken away before anything else is printed; `test_bad_input` sees that files get none."""
    ours, theirs = pty.openpty()
    subprocess.run([*APO, "develop", "a.dng", "b.dng"], cwd=photos, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "\r\x1b[K0/2 " in shown
    assert "\r\x1b[K1/2 a.dng" in shown
    assert shown.splitlines()[-1].startswith("\r\x1b[K2 of 2 developed") or "2 of 2 developed" in shown


def test_quiet_says_nothing(photos):
    process = apo("develop", "a.dng", "b.dng", "-q", cwd=photos)
    assert (process.returncode, process.stderr) == (0, "")


def test_reader_of_the_paths_may_leave(photos):
    command = f"{' '.join(map(repr, APO[:1]))} -c '{APO[2]}' develop a.dng b.dng c.dng -q | true"
    process = subprocess.run(["sh", "-c", command], cwd=photos, capture_output=True, text=True)
    assert "Traceback" not in process.stderr


def test_version_and_help():
    assert re.fullmatch(r"apochromat \d+\.\d+\.\d+\n", apo("--version").stdout)
    process = apo("--help")
    assert process.returncode == 0
    for verb in ("develop", "info", "stages"):
        assert f"  {verb} " in process.stdout
        assert apo(verb, "--help").returncode == 0


def test_help_comes_at_once():
    """The whole process, in processor time, best of five."""
    assert min(cpu_seconds("--help") for _ in range(5)) < 0.15
