"""`apo shoot` on the command line: what it refuses, in which words, and that nothing is left behind."""

import json

import numpy as np
import pytest
import tifffile
from command import apo

from apochromat.camera.description import camera

pytest.importorskip("jax")


def refused(code, *arguments):
    """The sentence with which a command line is refused."""
    done = apo(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("apo: ") == 1
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--frames", "0"], "--frames 0: expected a number from 1 to 300"),
        (["--frames", "many"], "--frames many"),
        (["--ev", "bright"], "--ev bright: expected a number from -10 to 10"),
        (["--exposure", "1/0"], "--exposure 1/0: expected seconds"),
        (["--focus", "near"], "--focus near: expected a number"),
        (["--crop", "640"], "--crop 640: expected WIDTHxHEIGHT"),
        (["--bracket", "-1,0,1", "--frames", "2"], "names 3 frames, --frames 2"),
        (["--frames", "3", "--crop", "256x192", "-o", "one.dng"], "names one file for 3 frames"),
        (["--crop", "256x192", "-o", "one.jpg"], "expected a name ending in .dng"),
        (["--crop", "256x192", "-o", "no/such/folder.dng"], "expected a folder that exists"),
    ],
)
def test_wrong_usage_is_told_before_any_work(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert words in refused(2, "shoot", "color-checker", "--lens", "tele-apo", *arguments)
    assert not list(tmp_path.rglob("*.dng"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["night-stret"], "the nearest is night-street"),
        (["color-checker", "--camera", "flagship-2024"], "near it: flagship-202"),
        (["color-checker", "--lens", "macro"], "main (main-23)"),
        (["color-checker", "--lux", "-3"], "above 0"),
        (["color-checker", "--lux", "nan"], "above 0"),
        (["color-checker", "--light", "moon"], "expected a light among"),
        (["color-checker", "--lens", "tele-apo", "--crop", "33x32"], "expected a crop of rows and columns that are multiples of 2"),
        (["color-checker", "--lens", "tele-apo", "--full"], "expected a sensor that is binned 2 x 2, found 4 x 4"),
        (["color-checker", "--full", "--crop", "258x192"], "multiples of 4"),
        (["color-checker", "--lens", "tele-apo", "--aperture", "1.2"], "expected an f-number of 2.43 or more"),
        (["color-checker", "--lens", "tele-apo", "--iso", "1"], "expected an exposure index from 25"),
        (["missing.exr"], "missing.exr"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert words in refused(1, "shoot", *arguments, "-o", "a.dng")
    assert not list(tmp_path.iterdir())


def test_a_picture_with_pixels_that_no_light_has_is_refused(tmp_path):
    picture = np.ones((64, 96, 3), np.float32)
    for value, word in ((np.nan, "NaN"), (np.inf, "infinite"), (-0.1, "negative")):
        picture[3, 5, 1] = value
        tifffile.imwrite(tmp_path / "a.tiff", picture, photometric="rgb")
        said = refused(1, "shoot", str(tmp_path / "a.tiff"), "--lens", "tele-apo", "--crop", "64x64", "-o", str(tmp_path / "a.dng"))
        assert word in said
        assert "row 3, column 5" in said


def test_a_camera_file_with_a_wrong_number_is_refused_by_name(tmp_path):
    good = """name = "own"
title = "own camera"
make = "A"
model = "B"
[[modules]]
name = "tele"
lens = "tele-apo"
sensor = "flagship-2025-tele"
transmission = { value = 0.9, source = "test", kind = "measured" }
veil = { value = 0.01, source = "test", kind = "measured" }
microlens_deg = { value = 25, source = "test", kind = "measured" }
motion_limit_s = { value = 0.03, source = "test", kind = "measured" }
[shake]
drift_deg_s = { value = 0.1, source = "test", kind = "measured" }
tremor_deg_s = { value = 0.1, source = "test", kind = "measured" }
roll_deg_s = { value = 0.1, source = "test", kind = "measured" }
"""
    for old, new, words in (
        ("value = 0.01,", "value = 0.5,", "expected `veil` in 0 to 0.2, found 0.5"),
        ('veil = { value = 0.01, source = "test", kind = "measured" }\n', "", "expected `modules.0.veil` in 0 to 0.2, found none"),
        ("value = 25,", 'value = "wide",', "microlens_deg"),
        ('kind = "measured" }\n[shake]', 'kind = "assumed" }\n[shake]', "expected a range"),
    ):
        assert old in good
        path = tmp_path / "own.toml"
        path.write_text(good.replace(old, new))
        said = refused(1, "camera", str(path))
        assert words in said
        assert "own.toml" in said


def test_lists_and_cameras_are_data():
    scenes = [json.loads(line) for line in apo("scenes", "--json").stdout.splitlines()]
    assert {"night-street", "branches", "portrait", "color-checker"} <= {s["name"] for s in scenes}
    cameras = [json.loads(line)["name"] for line in apo("cameras", "--json").stdout.splitlines()]
    assert cameras == ["flagship-2022", "flagship-2025", "small-2019"]
    facts = json.loads(apo("camera", "small-2019", "--json").stdout)
    assert facts["sensors"]["small-2019-main"]["pixels"]["pitch_um"]["value"] == 1.4
    assert camera("flagship-2025").module("tele-achromat").sensor == "flagship-2025-tele"
