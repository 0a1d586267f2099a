"""Recipes: {stage: {parameter: value}}, partial until the chain completes them; later ones win.

A recipe comes from a sidecar beside the RAW file (`IMG_1.dng.toml`), from recipe files, from a picture this program wrote (which
carries the recipe that made it), and from single settings `stage.parameter=value`.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from apochromat.chain import stages
from apochromat.develop.stage import Stage
from apochromat.picture.errors import PictureError
from apochromat.picture.format import registry
from apochromat.picture.xmp import read_recipe

Recipe = Mapping[str, Mapping[str, Any]]


class RecipeError(ValueError):
    """A recipe that cannot be followed; one sentence: where it stands, what was expected, what was found."""


@dataclass(frozen=True)
class Declared:
    """One parameter as its stage declares it; `least` and `most` bound it where they are not None, `choices` where not empty."""

    stage: str
    name: str
    type: str
    default: Any
    least: float | None
    most: float | None
    choices: tuple[Any, ...]
    unit: str
    help: str

    @property
    def expected(self) -> str:
        """What a value has to be, in words: "a number between 0 and 1"."""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        if self.least is not None and self.most is not None:
            bounds = f" between {self.least:g} and {self.most:g}"
        elif self.least is not None or self.most is not None:
            bounds = f" of at least {self.least:g}" if self.most is None else f" of at most {self.most:g}"
        else:
            bounds = ""
        return f"{self.type}{bounds}{f' ({self.unit})' if self.unit else ''}"


TYPES = {"number": "a number", "integer": "a whole number", "boolean": "true or false", "string": "a text"}


def declared(stage: Stage) -> list[Declared]:
    """The parameters of a stage, in the order of their declaration, as its JSON schema states them."""
    schema = stage.params.model_json_schema()
    return [_declared(stage.name, name, item, schema.get("$defs", {})) for name, item in schema.get("properties", {}).items()]


def _declared(stage: str, name: str, item: dict[str, Any], shared: dict[str, Any]) -> Declared:
    if "$ref" in item:
        item = {**shared[item["$ref"].rpartition("/")[2]], **item}
    parts = item.get("prefixItems") or []
    numbers = parts[0] if parts else item
    return Declared(
        stage=stage,
        name=name,
        type=f"{len(parts)} numbers" if parts else TYPES.get(item.get("type", ""), "a value"),
        default=item.get("default"),
        least=numbers.get("minimum"),
        most=numbers.get("maximum"),
        choices=tuple(item.get("enum", ())),
        unit=item.get("unit", ""),
        help=item.get("description", ""),
    )


def merged(*recipes: Recipe) -> dict[str, dict[str, Any]]:
    """All recipes in one, parameter by parameter; later ones win."""
    result: dict[str, dict[str, Any]] = {}
    for recipe in recipes:
        for stage, values in recipe.items():
            result[stage] = {**result.get(stage, {}), **values}
    return result


def setting(text: str) -> Recipe:
    """The recipe of one `stage.parameter=value`, checked."""
    key, equals, value = text.partition("=")
    stage, dot, name = key.strip().partition(".")
    where = f"--set {' '.join(text.split())}"
    if not (equals and dot and stage and name):
        raise RecipeError(f"{where}: expected stage.parameter=value")
    return checked({stage: {name: _literal(value.strip())}}, where)


def settings(texts: Iterable[str]) -> Recipe:
    """The recipe of several settings, later ones winning."""
    return merged(*map(setting, texts))


def _literal(text: str) -> Any:
    """A TOML value, a list without its brackets, or plain text."""
    try:
        document = tomllib.loads(f"value = {text}")
        return document["value"] if len(document) == 1 else text
    except tomllib.TOMLDecodeError:
        return [_literal(part.strip()) for part in text.split(",")] if "," in text else text


def sidecar_of(raw: Path) -> Path:
    """Where the edits of a RAW file are kept: IMG_1.dng.toml for IMG_1.dng."""
    return raw.with_name(f"{raw.name}.toml")


def load(path: Path) -> Recipe:
    """The recipe in a TOML file, or in a picture that this program wrote, checked."""
    try:
        recipe = read_recipe(path) if path.suffix.lower() in registry() else tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: the recipe could not be read: {(error.strerror or str(error)).lower()}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: expected a recipe in TOML, found a file that is not: {error}") from error
    except PictureError as error:
        raise RecipeError(str(error)) from error
    return checked(recipe, str(path))


def checked(recipe: Mapping[str, Any], where: str) -> Recipe:
    """The same recipe with values of the declared types; RecipeError names the nearest right name, or the range and unit."""
    known = {stage.name: stage for stage in stages()}
    result = {}
    for name, values in recipe.items():
        if name not in known:
            raise RecipeError(f"{where}: there is no stage {name!r}; {nearest(name, known)}")
        if not isinstance(values, Mapping):
            raise RecipeError(f"{where}: expected a table of parameters for stage {name}, found {values!r}")
        result[name] = _checked_stage(known[name], values, where)
    return result


def _checked_stage(stage: Stage, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    parameters = {p.name: p for p in declared(stage)}
    for name, value in values.items():
        if name not in parameters:
            raise RecipeError(f"{where}: stage {stage.name} has no parameter {name!r}; {nearest(name, parameters)}")
        if (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, bool) and "number" in parameters[name].type):
            raise RecipeError(f"{where}: {stage.name}.{name} must be {parameters[name].expected}, found {value}")
    try:
        model = stage.params(**values)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_sentence(stage, parameters, values, error)}") from error
    return {name: getattr(model, name) for name in values}


def _sentence(stage: Stage, parameters: Mapping[str, Declared], values: Mapping[str, Any], error: ValidationError) -> str:
    """The first of pydantic's complaints in our words; a complaint about several parameters together in the stage's own."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if name not in parameters:
        return f"{stage.name}: {first['msg'].removeprefix('Value error, ')}"
    return f"{stage.name}.{name} must be {parameters[name].expected}, found {values.get(name)!r}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The right name that a wrong one probably meant, or all there are."""
    names = list(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]}?"
    return f"choose one of {', '.join(names)}" if names else "it has none"
