"""The lens as a document: what a lens table says, in TOML that a person can read and write (`docs/optics/prescription.md`).

Lengths mm, wavelengths nm, angles degrees. A number that moves between configurations (a thickness, the aperture) is a list with one
value for each; everything else is the same in all of them.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from apochromat.optics.errors import LensError

MOST_SURFACES = 120
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PerConfiguration = Finite | tuple[Finite, ...]
ApertureKind = Literal["entrance_pupil_mm", "f_number", "paraxial_f_number", "paraxial_working_f_number", "object_na", "stop_radius_mm"]
FieldKind = Literal["angle", "paraxial_image_height", "real_image_height", "object_height"]


def _number(value: float) -> float:
    if math.isnan(value):
        raise ValueError("expected a number, found nan")
    return value


Number = Annotated[float, AfterValidator(_number)]  # may be infinite


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ModelGlass(_Document):
    """A glass by its index, Abbe number and departure from the normal line of PgF; for design, never for a certificate."""

    nd: float = Field(ge=1, le=4, allow_inf_nan=False, description="Index at 587.5618 nm")
    vd: float = Field(gt=5, le=200, allow_inf_nan=False, description="Abbe number")
    dpgf: Finite = Field(0.0, description="Departure of PgF from the normal line of K7 and F2")


class Dispersion(_Document):
    """A medium by its dispersion coefficients, in the order that `Lens.coefficients` states (µm)."""

    coefficients: tuple[Finite, ...] = Field(min_length=13, max_length=13, description="c0 ... c6, B1, C1, B2, C2, B3, C3")
    name: str = ""


class SurfaceRow(_Document):
    """One row of the lens table: a surface, the distance from it to the next, and the medium between them."""

    kind: Literal["standard", "mirror", "fold", "stop", "cover", "filter"] = Field(
        "standard", description="What it is; a fold is a flat mirror at 45 degrees, described along the unfolded axis"
    )
    label: str = ""
    group: str = Field("", description="Name of the group of surfaces that it moves with")
    stop: bool = Field(False, description="This surface is the aperture stop; a surface of kind `stop` always is")
    radius: Number = Field(math.inf, description="Radius of curvature, mm; inf is flat")
    curvature: Finite | None = Field(None, description="1 / radius, instead of it, 1/mm")
    conic: Finite = Field(0.0, description="Conic constant")
    even: tuple[Finite, ...] = Field((), max_length=8, description="Coefficients of r^2, r^4, ... r^16, in powers of 1/mm")
    thickness: PerConfiguration = Field(0.0, description="To the next surface or the image, mm; a list: one for each configuration")
    glass: str | ModelGlass | Dispersion = Field("", description="Medium behind it: name, nd and vd, or coefficients; left out: air")
    moulded: bool | None = Field(None, description="Moulded, so that an asphere costs nothing; left out: as the catalogue says")
    semi_diameter: Number | None = Field(None, gt=0, description="Clear radius, mm; inf: none; left out: found from the rays")
    inner_radius: float = Field(0.0, ge=0, allow_inf_nan=False, description="Radius of a central obscuration, mm")
    nd_shift: Finite = Field(0.0, description="Added to the index")
    dispersion_shift: Finite = Field(0.0, description="Relative change of n - nd")
    tilt_deg: tuple[Finite, Finite] = Field((0.0, 0.0), description="Tilt about x, then y, of this surface alone about its vertex")
    decenter_mm: tuple[Finite, Finite] = Field((0.0, 0.0), description="Decentre in x and y of this surface alone")

    @model_validator(mode="after")
    def _check(self) -> SurfaceRow:
        if self.radius == 0:
            raise ValueError("expected a radius other than 0 (inf is flat)")
        if self.curvature is not None and "radius" in self.model_fields_set:
            raise ValueError("expected a radius or a curvature, found both")
        if self.kind == "fold" and (self.bend or any(self.even)):
            raise ValueError("expected a flat fold mirror")
        return self

    @property
    def bend(self) -> float:
        """Curvature, 1/mm."""
        return 1 / self.radius if self.curvature is None else self.curvature

    @property
    def is_stop(self) -> bool:
        """Whether the aperture stop is here."""
        return self.stop or self.kind == "stop"


class ApertureRow(_Document):
    """How wide the lens is open: exactly one of the quantities, or a list with one value for each configuration."""

    entrance_pupil_mm: PerConfiguration | None = Field(None, description="Diameter of the entrance pupil")
    f_number: PerConfiguration | None = Field(None, description="1 / (2 n sin u') of the real marginal ray on axis")
    paraxial_f_number: PerConfiguration | None = Field(None, description="Focal length over entrance pupil diameter")
    paraxial_working_f_number: PerConfiguration | None = Field(None, description="1 / (2 n tan u') of the paraxial marginal ray")
    object_na: PerConfiguration | None = Field(None, description="n sin u of the marginal ray at the object")
    stop_radius_mm: PerConfiguration | None = Field(None, description="Radius of the stop itself")
    fixed_stop: bool = Field(False, description="The stop keeps the radius found for the first configuration in all others")

    @model_validator(mode="after")
    def _check(self) -> ApertureRow:
        given = {k: getattr(self, k) for k in get_args(ApertureKind) if getattr(self, k) is not None}
        if len(given) != 1:
            raise ValueError(f"expected exactly one aperture quantity, found {', '.join(given) or 'none'}")
        if any(v <= 0 for v in listed(next(iter(given.values())))):
            raise ValueError("expected an aperture above 0")
        return self

    @property
    def kind(self) -> ApertureKind:
        """Name of the quantity that is given."""
        return next(k for k in get_args(ApertureKind) if getattr(self, k) is not None)


def _point(value: Any) -> Any:
    """A lone number is a point on the y axis."""
    return (0.0, value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class FieldRows(_Document):
    """Points of the object that are looked at."""

    kind: FieldKind = Field("angle", description="Degrees at the object, or mm on the image (chief ray, paraxial or real) or object")
    points: tuple[Annotated[tuple[Finite, Finite], BeforeValidator(_point)], ...] = Field(
        min_length=1, description="[x, y] each, or y alone"
    )
    vignetting: tuple[tuple[Finite, Finite, Finite, Finite, Finite], ...] = Field(
        (), description="Zemax factors VDX, VDY, VCX, VCY, VAN of each point: used where a clear radius is found from the rays"
    )

    @model_validator(mode="after")
    def _check(self) -> FieldRows:
        if self.vignetting and len(self.vignetting) != len(self.points):
            raise ValueError(f"expected vignetting of {len(self.points)} field points, found {len(self.vignetting)}")
        if self.kind == "angle" and any(abs(v) >= 90 for point in self.points for v in point):
            raise ValueError("expected field angles below 90 degrees")
        return self


class WavelengthRow(_Document):
    """Wavelengths, their weights, and the one that first-order data are for."""

    nm: tuple[Annotated[float, Field(ge=100, le=20000)], ...] = Field(min_length=1, description="Wavelengths, any order")
    weights: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = Field((), description="Left out: all 1")
    primary_nm: float | None = Field(None, description="One of `nm`; left out: the middle one")

    @model_validator(mode="after")
    def _check(self) -> WavelengthRow:
        if self.weights and len(self.weights) != len(self.nm):
            raise ValueError(f"expected weights of {len(self.nm)} wavelengths, found {len(self.weights)}")
        if self.weights and not any(self.weights):
            raise ValueError("expected a weight above 0")
        if self.primary_nm is not None and self.primary_nm not in self.nm:
            raise ValueError(f"expected primary_nm to be one of {list(self.nm)}, found {self.primary_nm}")
        return self

    @property
    def primary(self) -> int:
        """Index of the primary wavelength."""
        return len(self.nm) // 2 if self.primary_nm is None else self.nm.index(self.primary_nm)


class SensorRow(_Document):
    """What the image falls on."""

    pixel_um: Positive | None = Field(None, description="Native pixel pitch")
    image_radius_mm: Positive | None = Field(None, description="Half the diagonal of the image")


class ConfigurationRow(_Document):
    """A zoom position or focus distance."""

    name: str = ""
    object_distance_mm: float = Field(math.inf, gt=0, description="From the object to the first surface; inf: infinity")


class Prescription(_Document):
    """A lens table with all that a trace needs."""

    name: str = ""
    source: str = Field("", description="Where the numbers come from")
    notes: tuple[str, ...] = ()
    file: str = Field("", exclude=True, description="File it was read from")
    aperture: ApertureRow
    fields: FieldRows
    wavelengths: WavelengthRow
    sensor: SensorRow = SensorRow()
    configurations: tuple[ConfigurationRow, ...] = Field((ConfigurationRow(),), alias="configuration", min_length=1)
    surfaces: tuple[SurfaceRow, ...] = Field(alias="surface", min_length=1, max_length=MOST_SURFACES)

    @model_validator(mode="after")
    def _check(self) -> Prescription:
        stops = [i + 1 for i, s in enumerate(self.surfaces) if s.is_stop]
        if len(stops) != 1:
            raise ValueError(f"expected one stop among the surfaces, found {'none' if not stops else f'it at {stops}'}")
        for name, value in self._moving():
            if isinstance(value, tuple) and len(value) != len(self.configurations):
                raise ValueError(f"expected one {name} for each of {len(self.configurations)} configurations, found {len(value)}")
        for config in range(len(self.configurations)):
            self._check_order(config)
        if self.fields.kind == "object_height" and any(math.isinf(c.object_distance_mm) for c in self.configurations):
            raise ValueError("expected an object at a finite distance for fields by object height")
        return self

    def _moving(self) -> list[tuple[str, Any]]:
        """Names and values of what may differ between configurations."""
        aperture = getattr(self.aperture, self.aperture.kind)
        return [(self.aperture.kind, aperture), *((f"thickness of surface {i + 1}", s.thickness) for i, s in enumerate(self.surfaces))]

    def thicknesses(self, config: int) -> list[float]:
        """Thickness of each surface in one configuration, mm."""
        return [at(s.thickness, config) for s in self.surfaces]

    def _check_order(self, config: int) -> None:
        """Real surfaces stand in the order of light; a flat dummy in one medium (a stop, say) may lie anywhere."""
        forward, z, last, name, medium = 1, 0.0, -math.inf, 1, ""
        for i, (s, t) in enumerate(zip(self.surfaces, self.thicknesses(config), strict=True)):
            after = medium if s.kind in ("mirror", "fold") else s.glass
            if s.bend or any(s.even) or after != medium or s.kind == "mirror":
                if forward * (z - last) < -1e-12:
                    raise ValueError(f"expected surface {i + 1} behind surface {name}, found it {abs(z - last):g} mm before, so they cross")
                last, name = z, i + 1
            forward = -forward if s.kind == "mirror" else forward
            z, medium = z + t, after  # type: ignore[assignment]
        if forward * (z - last) < -1e-12:
            raise ValueError(f"expected the image behind surface {name}, found it {abs(z - last):g} mm before")


def listed(value: PerConfiguration) -> tuple[float, ...]:
    """A value of each configuration as a tuple, one value alone as a tuple of one."""
    return value if isinstance(value, tuple) else (value,)


def at(value: PerConfiguration, config: int) -> float:
    """The value in one configuration."""
    return value[config] if isinstance(value, tuple) else value


def checked(document: dict[str, Any], file: str) -> Prescription:
    """A document as a Prescription. Raises LensError: the first thing that is wrong, where, and in which file."""
    try:
        return Prescription.model_validate({**document, "file": file})
    except ValidationError as error:
        raise LensError(_sentence(error, file)) from None


def _sentence(error: ValidationError, file: str) -> str:
    """The first error in one sentence; surfaces count from 1, as in a lens table."""
    errors = error.errors(include_url=False)
    inside = [e for e in errors if _place(e["loc"])[: len(_place(errors[0]["loc"]))] == _place(errors[0]["loc"])]
    first = max(inside, key=lambda e: len(_place(e["loc"])))  # of a union, the branch that understood most
    place = " ".join(_place(first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    found = "" if first["type"] in ("missing", "value_error") else f", found {str(first['input'])[:60]!r}"
    return f"{place + ': ' if place else ''}{message[0].lower() + message[1:]}{found}, in {file or 'the prescription'}."


def _place(location: tuple[int | str, ...]) -> list[str]:
    return [str(p + 1) if isinstance(p, int) else p for p in location if not _is_branch(p)]


def _is_branch(part: int | str) -> bool:
    """Whether a part of pydantic's location names a branch of a union, which says nothing to a reader."""
    return isinstance(part, str) and part.startswith(("float", "str", "ModelGlass", "Dispersion", "tuple[", "constrained", "function-"))
