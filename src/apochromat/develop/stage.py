"""What a stage is: a name, a place in the chain, parameters declared once, and a pure function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from apochromat.light.development import Development


class Params(BaseModel):
    """Base of every stage's parameters: unknown names, values out of range, NaN and infinity are errors; all values are plain data."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


def parameter(default: Any, help: str, *, ge: float | None = None, le: float | None = None, unit: str = "", label: str = "") -> Any:
    """Declare one parameter: default, range, unit and help; command line, docs and web are derived from it."""
    return Field(default, ge=ge, le=le, description=help, title=label or None, json_schema_extra={"unit": unit})


@dataclass(frozen=True)
class Stage:
    """One stage of the chain.

    name: tap name and parameter prefix (`--set name.parameter=value`, `--until name`).
    order: place in the chain; stages run by rising order.
    neutral: parameter values under `--rendering neutral` where they differ from the defaults.
    run: (development, parameters) -> development.
    """

    name: str
    order: int
    summary: str
    params: type[Params]
    run: Callable[[Development, Any], Development]
    source: str = ""
    neutral: dict[str, Any] | None = None
