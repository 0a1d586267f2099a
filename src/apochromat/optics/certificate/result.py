"""What a certificate holds, as typed data: checks, tests, verdicts, the curves of its figure; and its JSON schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Check(_Frozen):
    """One number against its limit, in one configuration."""

    name: str = Field(description="What was measured, in words")
    configuration: str
    value: float
    limit: float
    unit: str
    sense: Literal["at most", "at least"] = "at most"

    @property
    def margin(self) -> float:
        """How far the value is on the right side of the limit, in its unit; negative: on the wrong one."""
        return self.limit - self.value if self.sense == "at most" else self.value - self.limit

    @property
    def passed(self) -> bool:
        """Whether the value keeps its limit."""
        return self.margin >= 0

    @property
    def severity(self) -> float:
        """Share of the limit that is used up: above 1 fails."""
        share = self.value / self.limit
        return share if self.sense == "at most" else 2 - share


class Measured(_Frozen):
    """A check with its margin and its outcome."""

    name: str
    configuration: str
    value: float
    limit: float
    unit: str
    sense: Literal["at most", "at least"]
    margin: float
    passed: bool = Field(alias="pass")

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    @classmethod
    def of(cls, check: Check) -> Measured:
        """The record of a check."""
        return cls(**check.model_dump(), margin=check.margin, passed=check.passed)


class TestResult(_Frozen):
    """One of the seven tests. Value, limit, margin and unit are those of the check that decides it."""

    __test__ = False
    number: int = Field(ge=1, le=7)
    title: str
    passed: bool = Field(alias="pass")
    value: float
    limit: float
    margin: float
    unit: str
    sentence: str
    checks: tuple[Measured, ...]

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class Verdict(_Frozen):
    """Pass or fail, and why in one sentence."""

    passed: bool = Field(alias="pass")
    sentence: str

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class ColourFocus(_Frozen):
    """Focus of each wavelength from the common plane, of one configuration."""

    configuration: str
    f_number: float = Field(description="Working f-number traced on axis at 546.1 nm")
    dof_um: float = Field(description="Depth of focus 2 lambda N^2, half range, µm")
    wavelengths_nm: tuple[float, ...]
    shift_um: tuple[float, ...]


class Sensitivity(_Frozen):
    """What one tolerance at its limit does to the nominal lens."""

    parameter: str
    severity: float = Field(description="Share of a limit of its test used with it, in the worst configuration")
    nominal: float = Field(description="The same of the nominal lens")
    test: int = Field(description="The one of tests 2, 3 and 5 that it makes worst")


class AsBuilt(_Frozen):
    """Yields of a tolerance set."""

    tolerances: str
    samples: int
    seed: int
    yield_fraction: float = Field(ge=0, le=1)
    failures: dict[str, int] = Field(description="Samples that fail each of the tests; one sample may fail several")
    reached: dict[str, float] = Field(description="Share of the limits of each test that the wanted part of the samples stays within")


class Certificate(_Frozen):
    """The APO certificate of a lens (`docs/optics/certificate.md`)."""

    specification: str = Field(description="Version of the thresholds")
    lens: str
    source: str
    configurations: tuple[str, ...]
    pixel_um: float
    image_radius_mm: float
    sensor: str
    notes: tuple[str, ...] = Field(description="Defaults used, what was not declared, what could not be covered")
    design: Verdict = Field(description="Tests 1 to 6")
    as_built: Verdict | None = Field(description="Test 7; null: not asked for")
    tests: tuple[TestResult, ...]
    yields: tuple[AsBuilt, ...] = ()
    top_sensitivity: Sensitivity | None = None
    sensitivities: tuple[Sensitivity, ...] = ()
    colour_focus: tuple[ColourFocus, ...]

    @property
    def passed(self) -> bool:
        """Whether every verdict that was asked for is a pass."""
        return self.design.passed and (self.as_built is None or self.as_built.passed)

    def to_json(self) -> str:
        """The certificate as JSON, of the form that `certificate.schema.json` states."""
        return self.model_dump_json(by_alias=True, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """A certificate read back. Raises pydantic's ValidationError for other JSON."""
        return cls.model_validate_json(text)

    def text(self) -> str:
        """The certificate in words, one line a test."""
        head = f"APO certificate {self.specification} of {self.lens or 'the lens'}"
        verdicts = [f"Design: {self.design.sentence}"] + ([f"As built: {self.as_built.sentence}"] if self.as_built else [])
        return "\n".join([head, *verdicts, *(t.sentence for t in self.tests), *self.notes])

    def figure(self) -> Figure:
        """Colour focus against depth of focus, one panel a configuration."""
        from apochromat.optics.certificate.figure import draw

        return draw(self)


def schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of `Certificate.to_json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Certificate.model_json_schema(mode="serialization")}


def schema_text() -> str:
    """The schema as it is kept in `certificate.schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
