"""Recipes: what stages declare is what is accepted, wrong words are answered by the right ones, later recipes win."""

import json

import numpy as np
import pytest

from apochromat import chain, recipe
from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.rendition import Rendition
from apochromat.picture import write
from apochromat.recipe import RecipeError


class Loose(Params):
    amount: float = parameter(0.5, "How much", ge=0, le=1, unit="share")
    count: int = parameter(3, "How many", ge=1)
    on: bool = parameter(True, "Whether")
    name: str = parameter("plain", "Which")


LOOSE = Stage("loose", 1, "A stage for tests", Loose, run=lambda development, params: development)


def test_declarations_say_what_is_expected():
    words = {p.name: p.expected for p in recipe.declared(LOOSE)}
    assert words == {
        "amount": "a number between 0 and 1 (share)",
        "count": "a whole number of at least 1",
        "on": "true or false",
        "name": "a text",
    }
    assert [p.default for p in recipe.declared(LOOSE)] == [0.5, 3, True, "plain"]


def test_every_parameter_of_every_stage_has_type_and_help():
    for stage in chain.stages():
        for p in recipe.declared(stage):
            assert p.help, f"{stage.name}.{p.name}"
            assert p.type != "a value", f"{stage.name}.{p.name}"
            if p.type in ("a number", "a whole number"):
                assert p.least is not None, f"{stage.name}.{p.name}"
                assert p.most is not None, f"{stage.name}.{p.name}"


def test_every_default_is_accepted_as_a_setting():
    for stage in chain.stages():
        for p in recipe.declared(stage):
            value = ",".join(map(str, p.default)) if isinstance(p.default, list) else str(p.default)
            again = recipe.setting(f"{stage.name}.{p.name}={value}")[stage.name][p.name]
            assert (list(again) if isinstance(again, tuple) else again) == p.default


@pytest.mark.parametrize(
    ("text", "value"),
    [("temperature=4500", 4500.0), ("temperature=4.5e3", 4500.0), ("tint=+3", 3.0), ("tint=-.5", -0.5), ("mode=auto", "auto")],
)
def test_settings_are_typed(text, value):
    assert recipe.setting(f"white_balance.{text}") == {"white_balance": {text.partition("=")[0]: value}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("white_balence.tint=1", "there is no stage 'white_balence'; did you mean white_balance?"),
        ("qqq.tint=1", "there is no stage 'qqq'; choose one of opcodes1, "),
        ("white_balance.temprature=5000", "no parameter 'temprature'; did you mean temperature?"),
        ("white_balance.zzz=5000", "choose one of mode, temperature, tint, patch"),
        ("white_balance.temperature=9", r"must be a number between 1700 and 50000 \(K\), found 9"),
        ("exposure.ev=true", r"must be a number between -5 and 5 \(EV\), found True"),
        ("white_balance.temperature=warm", r"must be a number between 1700 and 50000 \(K\), found 'warm'"),
        ("white_balance.tint=nan", "must be a number between -150 and 150, found nan"),
        ("white_balance.tint=inf", "must be a number between -150 and 150, found inf"),
        ("white_balance.mode=sunny", "must be one of as_shot, auto, temperature, patch, found 'sunny'"),
        ("white_balance.patch=1,2", "must be 4 numbers between 0 and 1"),
        ("white_balance.patch=0,0,1,2", "must be 4 numbers between 0 and 1"),
        ("white_balance.tint", "expected stage.parameter=value"),
        ("tint=1", "expected stage.parameter=value"),
        (".tint=1", "expected stage.parameter=value"),
        ("=", "expected stage.parameter=value"),
    ],
)
def test_wrong_settings_get_one_helpful_sentence(text, message):
    with pytest.raises(RecipeError, match=message) as caught:
        recipe.setting(text)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"--set {text}: ")


def test_setting_of_two_lines_is_one_value():
    """No second line is taken for TOML and forgotten."""
    with pytest.raises(RecipeError, match=r"^--set exposure.ev=1 x = 2: exposure.ev must be .* found '1\\nx = 2'$"):
        recipe.setting("exposure.ev=1\nx = 2")


def test_later_recipes_win_by_parameter():
    first = {"white_balance": {"tint": 1.0, "mode": "auto"}}
    assert recipe.merged(first, {"white_balance": {"tint": 2.0}, "x": {}}) == {"white_balance": {"tint": 2.0, "mode": "auto"}, "x": {}}
    assert first["white_balance"]["tint"] == 1.0


def test_files_hold_recipes(tmp_path):
    path = tmp_path / "warm.toml"
    path.write_text('[white_balance]\nmode = "temperature"\ntemperature = 3200\n')
    assert recipe.load(path) == {"white_balance": {"mode": "temperature", "temperature": 3200.0}}


def test_sidecar_lies_beside_the_raw_file(tmp_path):
    assert recipe.sidecar_of(tmp_path / "IMG_1.dng") == tmp_path / "IMG_1.dng.toml"


def test_pictures_hold_recipes(tmp_path):
    complete = {name: p.model_dump(mode="json") for name, p in chain.parameters({"white_balance": {"tint": 7.0}}).items()}
    path = write(Rendition(np.zeros((8, 8, 3), np.uint8), "srgb", "display", {}, complete), tmp_path / "a.jpg")
    again = recipe.load(path)
    assert again["white_balance"]["tint"] == 7.0
    assert json.loads(json.dumps(again)) == complete


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[white_balance\n", "expected a recipe in TOML"),
        (b"\xff\xfe\x00", "expected a recipe in TOML"),
        (b"white_balance = 3\n", "expected a table of parameters for stage white_balance, found 3"),
        (b"[white_balance]\ntint = 1000\n", "between -150 and 150, found 1000"),
        (b"[sharpn]\nx = 1\n", "there is no stage 'sharpn'"),
    ],
)
def test_damaged_recipe_files_are_named(tmp_path, content, message):
    path = tmp_path / "r.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=message) as caught:
        recipe.load(path)
    assert str(path) in str(caught.value)


def test_missing_recipe_file(tmp_path):
    with pytest.raises(RecipeError, match="could not be read: no such file"):
        recipe.load(tmp_path / "none.toml")
