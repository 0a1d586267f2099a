"""`apo lens` as users and programs meet it."""

import json
import math
import subprocess
import sys
from types import SimpleNamespace

import pytest
from command import apo, assert_refused
from lens_samples import TWO_DISTANCES

import apochromat
from apochromat.cli.app import run

SINGLET = (
    """\
name = "a singlet"

[aperture]
entrance_pupil_mm = 5

[fields]
points = [0, 2]

[wavelengths]
nm = [486.1327, 587.5618, 656.2725]
"""
    + TWO_DISTANCES
    + """
[[surface]]
radius = 50
thickness = 4
glass = "N-BK7"
stop = true

[[surface]]
radius = -50
thickness = [47.5, 49.9]
"""
)


@pytest.fixture(scope="module")
def singlet(tmp_path_factory):
    path = tmp_path_factory.mktemp("lenses") / "singlet.toml"
    path.write_text(SINGLET)
    return path


@pytest.fixture(scope="module")
def shown(singlet):
    """`apo lens show --json` of the singlet."""
    process = apo("lens", "show", singlet, "--json")
    assert (process.returncode, process.stderr) == (0, "")
    return json.loads(process.stdout)


def test_show_states_the_thick_lens_formula(shown):
    index, radius, thickness = 1.5168000, 50.0, 4.0  # N-BK7 at d, by its maker
    power = (index - 1) * (2 / radius - (index - 1) * thickness / (index * radius**2))
    assert shown["efl_mm"] == pytest.approx(1 / power, rel=2e-6)
    assert shown["bfl_mm"] == pytest.approx((1 - (index - 1) * thickness / (index * radius)) / power, rel=2e-6)
    assert shown["image_space_f_number"] == pytest.approx(1 / power / 5, rel=2e-6)
    assert shown["entrance_pupil_mm"] == pytest.approx(5, rel=1e-9)
    assert shown["total_track_mm"] == 51.5


def test_show_has_every_field_colour_and_configuration(shown):
    rows = shown["fields"]
    assert {(r["configuration"], r["wavelength_nm"], r["field"][1]) for r in rows} == {
        (c, w, y) for c in ("infinity", "1 m") for w in shown["wavelengths_nm"] for y in (0, 2)
    }
    assert len(shown["first_order"]) == 6
    assert all(r["arrived"] == pytest.approx(1) for r in rows if r["field"][1] == 0)
    assert shown["image_height_mm"] == pytest.approx(shown["efl_mm"] * math.tan(math.radians(2)), rel=0.02)


def test_export_and_read_again(singlet, tmp_path, shown):
    out = tmp_path / "singlet.zmx"
    process = apo("lens", "export", singlet, "-o", out)
    assert (process.returncode, process.stdout) == (0, f"{out}\n"), process.stderr
    again = json.loads(apo("lens", "show", out, "--json").stdout)
    for key in ("efl_mm", "bfl_mm", "f_number", "total_track_mm"):
        assert again[key] == pytest.approx(shown[key], rel=1e-12)
    assert_refused(apo("lens", "export", singlet, "-o", out), 2, "exists; --overwrite replaces it")


def test_optimise_lowers_the_spot_and_the_same_seed_gives_the_same_lens(singlet, tmp_path):
    goal = tmp_path / "goal.toml"
    goal.write_text("""\
iterations = 10

[[variables]]
kind = "curvature"

[[terms]]
kind = "efl"
target = 48.8

[[terms]]
kind = "spot"
""")
    texts = []
    for name in ("a.toml", "b.toml"):
        process = apo("lens", "optimize", singlet, "--goal", goal, "-o", tmp_path / name, "--seed", "3")
        assert process.returncode == 0, process.stderr
        start, found = (float(word.rstrip(",")) for word in process.stderr.replace(",", "").split() if word[0].isdigit())
        assert found < start
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]


def test_unknown_tolerance_set_is_refused(singlet):
    assert_refused(apo("lens", "tolerance", singlet, "--set", "wishful"), 1, "wishful")


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 1)])
def test_certify_exits_with_its_verdict(singlet, monkeypatch, capsys, passed, code):
    asked = {}

    def certify(lens, **options):
        asked.update(options, surfaces=lens.S)
        return SimpleNamespace(passed=passed, to_json=lambda: '{\n  "lens": "a singlet"\n}', text=lambda: "in words")

    monkeypatch.setattr("apochromat.optics.certificate.certify", certify)
    arguments = ["lens", "certify", str(singlet), "--design-only", "--samples", "7"]
    assert run(arguments) == code
    assert capsys.readouterr().out == "in words\n"
    assert run([*arguments, "--json"]) == code
    assert json.loads(capsys.readouterr().out) == {"lens": "a singlet"}
    assert asked == {"samples": 7, "as_built": False, "surfaces": 2}


def broken(replaced, by):
    assert replaced in SINGLET
    return SINGLET.replace(replaced, by)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (broken("stop = true", ""), "expected one stop among the surfaces, found none"),
        (broken("points = [0, 2]", "points = []"), "fields points"),
        (broken('"N-BK7"', '"N-BK8"'), "N-BK7"),
        (broken("radius = 50\n", "radius = nan\n"), "radius"),
        (broken("thickness = 4", "thickness = -4"), "cross"),
        (broken("656.2725", "9000"), "found 9000 nm"),
        (broken("entrance_pupil_mm = 5", "entrance_pupil_mm = 500"), "surface"),
        (broken("radius = 50\n", "radius = 50\nradios = 3\n"), "radios"),
        ("[[[", "expected TOML"),
    ],
    ids=["no stop", "no field", "unknown glass", "nan", "crossing", "wavelength", "no ray", "unknown key", "not TOML"],
)
def test_bad_documents_are_refused_in_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    assert_refused(apo("lens", "show", path), 1, sentence)


def test_wrong_usage(singlet, tmp_path):
    assert_refused(apo("lens", "show", "no-such-lens"), 1, "expected a lens file or a library lens, found 'no-such-lens'")
    assert_refused(apo("lens", "show", tmp_path / "none.zmx"), 1, "no such file")
    assert_refused(apo("lens", "export", singlet, "-o", tmp_path / "a.png"), 2, "ending in .toml or .zmx")
    assert_refused(apo("lens", "show", singlet, "-o", tmp_path / "no" / "a.html"), 2, "a folder that exists")
    assert_refused(apo("lens", "optimize", singlet, "--goal", tmp_path / "none.toml", "-o", tmp_path / "a.toml"), 1, "goal")


def test_missing_extra_says_the_command_that_installs_it():
    code = (
        "import importlib.util as u, sys; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'jax' else find(name, *a)\n"
        "from apochromat.cli import main; sys.argv = ['apo', 'lens', 'list']; main()"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert_refused(process, 2, "apo lens needs jax, not installed: pip install 'apochromat[lab]'")


def test_python_names(singlet):
    lens = apochromat.lens(singlet)
    assert lens.S == 2
    assert lens.C == 2
