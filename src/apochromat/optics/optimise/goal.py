"""What a lens is wanted to be, as data: variables, terms of the merit, rays, and how long to search (`docs/optics/optimise.md`)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from apochromat.optics.errors import LensError

Finite = Annotated[float, Field(allow_inf_nan=False)]
Surfaces = tuple[int | str, ...]  # numbers from 0 (negative from the last), labels, or groups
VariableKind = Literal["curvature", "conic", "even", "thickness", "move", "defocus", "nd", "vd", "stop_radius"]
TermKind = Literal[
    "spot",
    "opd",
    "efl",
    "f_number",
    "entrance_pupil",
    "colour_focus",
    "spherochromatism",
    "lateral_colour",
    "distortion",
    "chief_ray_angle",
    "relative_illumination",
    "total_track",
    "folded_entry",
    "folded_length",
    "centre",
    "edge",
    "air",
    "slope",
    "image_clearance",
    "semi_diameter",
    "incidence",
    "alignment",
]


def _point(value: Any) -> Any:
    """A lone number is a point on the y axis."""
    return (0.0, value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Point = Annotated[tuple[Finite, Finite], BeforeValidator(_point)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variable(_Document):
    """Numbers of one kind that may change."""

    kind: VariableKind = Field(description="What changes; `move` shifts a group along the axis, its two air gaps keeping their sum")
    surfaces: Surfaces = Field((), description="Numbers from 0 (negative: from the last), labels or groups; none: all that can change")
    orders: tuple[Literal[2, 4, 6, 8, 10, 12, 14, 16], ...] = Field((4, 6, 8, 10), description="Powers of r of an even asphere")
    configurations: tuple[int | str, ...] = Field((), description="Names or numbers; none: all of them")
    each: bool = Field(False, description="Thickness, stop radius: a value for each configuration instead of one for all")
    low: Finite | None = Field(None, description="Least value, in the lens's units; conic, index and Abbe number have bounds of their own")
    high: Finite | None = Field(None, description="Largest value")
    tie: tuple[tuple[int, Finite], ...] = Field((), description="Pickups [surface, factor]: that surface changes factor times as much")

    @model_validator(mode="after")
    def _check(self) -> Variable:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"expected low below high, found {self.low:g} and {self.high:g}")
        if self.tie and len(self.surfaces) != 1:
            raise ValueError("expected one surface where others are tied to it")
        return self


class Term(_Document):
    """One wish: its residual is weight x (value - target) / tolerance, or the same for what lies below `low` or above `high`."""

    kind: TermKind
    weight: float = Field(1.0, ge=0, allow_inf_nan=False)
    tolerance: float | None = Field(None, gt=0, allow_inf_nan=False, description="A miss that counts one; none: that of the kind")
    target: Finite | None = None
    low: Finite | None = None
    high: Finite | None = None
    configurations: tuple[int | str, ...] = Field((), description="Names or numbers; none: all of them")
    fields: tuple[int, ...] = Field((), description="Numbers of the goal's fields; none: all of them")
    wavelengths_nm: tuple[float, ...] = Field((), description="Of colour focus and lateral colour; none: the goal's")
    surfaces: Surfaces = Field((), description="None: all to which the kind applies")


class Rays(_Document):
    """The frozen quadrature over the pupil."""

    rings: int = Field(4, ge=1, le=32, description="Rings of the Gaussian quadrature")
    arms: int = Field(6, ge=2, le=64, description="Arms over the whole pupil; half of them are traced, the other half mirrors them")
    vignetting: Literal["none", "apertures"] | tuple[tuple[Finite, Finite, Finite, Finite], ...] = Field(
        "apertures", description="Found from the clear radii at the start, or [VDX, VDY, VCX, VCY] of each field"
    )

    @model_validator(mode="after")
    def _check(self) -> Rays:
        if self.arms % 2:
            raise ValueError(f"expected an even number of arms, found {self.arms}")
        return self


class Goal(_Document):
    """What is wanted of a lens, and what may change."""

    variables: tuple[Variable, ...] = Field(min_length=1)
    terms: tuple[Term, ...] = Field(min_length=1)
    fields: tuple[Point, ...] = Field((), description="[x, y] or y alone, as the lens declares them; none: the lens's")
    field_weights: tuple[Annotated[float, Field(ge=0)], ...] = ()
    wavelengths_nm: tuple[Annotated[float, Field(gt=0)], ...] = Field((), description="None: the lens's")
    wavelength_weights: tuple[Annotated[float, Field(ge=0)], ...] = ()
    rays: Rays = Rays()
    iterations: int = Field(100, ge=1, le=100_000, description="Jacobians of a descent, at most")
    restarts: int = Field(0, ge=0, le=100_000, description="Hops of the global search after the first descent")
    spread: float = Field(1.0, gt=0, le=100, description="Size of the hops, in the variables' own units of scale")

    @model_validator(mode="after")
    def _check(self) -> Goal:
        if self.field_weights and len(self.field_weights) != len(self.fields):
            raise ValueError(f"expected {len(self.fields)} weights of fields, found {len(self.field_weights)}")
        if self.wavelength_weights and len(self.wavelength_weights) != len(self.wavelengths_nm):
            raise ValueError(f"expected {len(self.wavelengths_nm)} weights of wavelengths, found {len(self.wavelength_weights)}")
        return self


def read_goal(path: str | Path) -> Goal:
    """A goal from a TOML file; a `LensError` says what is wrong with it and where."""
    try:
        return Goal.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise LensError(f"Expected a goal file, found none that can be read at {path}: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LensError(f"Expected TOML in {path}, found this: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the goal"
        raise LensError(f"{where} in {path}: {first['msg'].removeprefix('Value error, ')}, found {str(first['input'])[:80]!r}.") from None
