"""Numbers with their source: the value, where it comes from, how it is known and, where it is assumed, how far it may be off."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal["measured", "published", "assumed"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Limits = tuple[float, float, str]


class Document(BaseModel):
    """A part of a document; a number outside the limits that its declaration states is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="after")
    def _inside_limits(self) -> Document:
        for name in type(self).model_fields:
            limits, found = limits_of(type(self), name), getattr(self, name)
            if limits is None or found is None:
                continue
            low, high, unit = limits
            outside = [v for v in found.numbers() if not low <= v <= high]
            if outside:
                raise ValueError(f"expected `{name}` in {span(low, high, unit)}, found {outside[0]:g}")
        return self


def limits_of(model: type[BaseModel], name: str) -> Limits | None:
    """Lowest and highest legal value and unit of a declared number; None for a field that is no number."""
    field = model.model_fields.get(name)
    extra = field.json_schema_extra if field is not None else None
    return (extra["low"], extra["high"], extra["unit"]) if isinstance(extra, dict) and "low" in extra else None  # type: ignore[return-value]


def span(low: float, high: float, unit: str) -> str:
    """A range in words."""
    return f"{low:g} to {high:g} {unit}".rstrip()


def number(low: float, high: float, unit: str, help: str, **more: Any) -> Any:
    """Declare a number (or a curve of numbers) of a document: legal range, unit ("" for a pure number) and what it is."""
    return Field(description=help, json_schema_extra={"low": low, "high": high, "unit": unit}, **more)


class Sourced(Document):
    """What every number carries. `range`: for an assumed number the interval it may be in; for a curve, factors on all of it."""

    source: str = Field(min_length=3, description="Where it comes from")
    kind: Kind = Field(description=f"How it is known: {', '.join(get_args(Kind))}")
    range: tuple[Finite, Finite] | None = Field(None, description="Lowest and highest credible value; an assumed number must have it")

    @model_validator(mode="after")
    def _assumed_has_range(self) -> Sourced:
        if self.kind == "assumed" and self.range is None:
            raise ValueError("expected a range [low, high] beside an assumed number, found none")
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError(f"expected a range [low, high] that rises, found {list(self.range)}")
        return self


class Quantity(Sourced):
    """One number: `{ value, source, kind, range }`."""

    value: Finite

    @model_validator(mode="after")
    def _inside_range(self) -> Quantity:
        if self.range is not None and not self.range[0] <= self.value <= self.range[1]:
            raise ValueError(f"expected a value inside its own range {list(self.range)}, found {self.value:g}")
        return self

    def numbers(self) -> tuple[float, ...]:
        """What the legal limits are applied to."""
        return (self.value,)


class Curve(Sourced):
    """Numbers over an abscissa: a table (`at` rising, `values`; linear in between, its end values beyond) or a sum of Gaussian lobes.

    A lobe is [height, centre, sigma below the centre, sigma above it], in units of the value and of the abscissa.
    """

    at: tuple[Finite, ...] = Field((), description="Abscissae of the table, rising")
    values: tuple[Finite, ...] = Field((), description="Values of the table")
    lobes: tuple[tuple[Finite, Finite, Finite, Finite], ...] = Field((), description="[height, centre, sigma below, sigma above] each")

    @model_validator(mode="after")
    def _one_form(self) -> Curve:
        if bool(self.lobes) == bool(self.at):
            raise ValueError("expected either a table (at, values) or lobes")
        if len(self.at) != len(self.values) or any(b <= a for a, b in pairwise(self.at)):
            raise ValueError(f"expected rising abscissae, one a value, found {len(self.at)} for {len(self.values)} values")
        if any(min(lobe[2:]) <= 0 for lobe in self.lobes):
            raise ValueError("expected lobes with a sigma above 0")
        return self

    def __call__(self, x: np.ndarray | float) -> np.ndarray:
        """Values at `x`, float64 of its shape."""
        x = np.asarray(x, float)
        if self.at:
            return np.interp(x, self.at, self.values)
        found = np.zeros(x.shape)
        for height, centre, below, above in self.lobes:
            found += height * np.exp(-0.5 * np.square((x - centre) / np.where(x < centre, below, above)))
        return found

    def numbers(self) -> tuple[float, ...]:
        """What the legal limits are applied to: the table, or the curve at the centre of each lobe."""
        return self.values or tuple(float(self(lobe[1])) for lobe in self.lobes)


def is_whole(value: float) -> bool:
    """Whether a number counts something."""
    return math.isclose(value, round(value), abs_tol=1e-9)
