"""Typed TOML documents, each number with its source; complaints in one sentence that name the number and its legal range."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from apochromat.camera.quantity import Limits, limits_of, span

LARGEST_FILE = 1_000_000  # bytes
D = TypeVar("D", bound=BaseModel)


def read(model: type[D], path: str | Path, error: type[Exception]) -> D:
    """A document from a TOML file; raises `error` with one sentence."""
    what = model.__name__.lower()
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as trouble:
        raise error(f"expected a {what} file that can be read, found {trouble.strerror or trouble} ({path})") from None
    if len(data) > LARGEST_FILE:
        raise error(f"expected a {what} file of at most {LARGEST_FILE} bytes, found more ({path})")
    try:
        return parse(model, data.decode("utf-8"), str(path), error)
    except UnicodeDecodeError:
        raise error(f"expected a {what} file in UTF-8, found other bytes ({path})") from None


def parse(model: type[D], text: str, path: str, error: type[Exception]) -> D:
    """A document from its text; `path` is named in complaints."""
    try:
        return model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as trouble:
        raise error(f"expected a {model.__name__.lower()} in TOML, found {trouble} ({path})") from None
    except ValidationError as trouble:
        raise error(f"{_sentence(model, trouble)} ({path})") from None


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    """The first complaint: which entry, its legal range where it is a number, what was found."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    limits = _limits_at(model, first["loc"])
    legal = f" in {span(*limits)}" if limits else ""
    if first["type"] == "missing":
        return f"expected `{where}`{legal}, found none"
    if first["type"] == "extra_forbidden":
        return f"expected only known entries, found `{where}`"
    if first["msg"].startswith("Input should be"):
        return f"expected `{where}` to be{first['msg'].removeprefix('Input should be')}{legal}, found {str(first['input'])[:40]!r}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{message} at `{where or model.__name__.lower()}`{f' (legal: {span(*limits)})' if limits else ''}"


def _limits_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> Limits | None:
    """Legal range of the number at a place in a document, or of the number that the place is inside."""
    for part in (p for p in loc if isinstance(p, str)):
        limits = limits_of(model, part)
        if limits is not None:
            return limits
        field = model.model_fields.get(part)
        inner = _model_in(field.annotation) if field is not None else None
        if inner is None:
            return None
        model = inner
    return None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The document that a field holds, alone or in a tuple."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
