"""The camera as one document: its modules of lens and sensor, and what neither of them says alone (TOML, `docs/twin.md`)."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from apochromat.camera.document import parse, read
from apochromat.camera.errors import CameraError
from apochromat.camera.quantity import Document, Quantity, number


class Shake(Document):
    """How a hand holds it, after its stabiliser; rotation about each of the two axes across the view, r.m.s."""

    drift_deg_s: Quantity = number(0, 10, "deg/s", "Rate of slow drift, below 1 Hz")
    tremor_deg_s: Quantity = number(0, 10, "deg/s", "Rate of the hand's tremor, 6 to 12 Hz")
    roll_deg_s: Quantity = number(0, 10, "deg/s", "Rate of slow rotation about the view")


class Module(Document):
    """One lens before one sensor."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="As in --lens: main, tele, ultra")
    lens: str = Field(min_length=1, description="A library lens, or a lens file")
    sensor: str = Field(min_length=1, description="A library sensor, or a sensor file")
    scale: Quantity | None = number(0.05, 20, "", "Times which the lens is made larger", default=None)
    f_number: Quantity | None = number(0.5, 64, "", "At which it is used, where not wide open", default=None)
    transmission: Quantity = number(0.2, 1, "", "Of the whole lens, its coatings and media, infrared cut not")
    veil: Quantity = number(0, 0.2, "", "Share of the light that the lens scatters over the whole frame (ISO 9358)")
    microlens_deg: Quantity = number(0, 60, "deg", "Chief-ray angle in the sensor's corner for which its microlenses are shifted")
    motion_limit_s: Quantity = number(1e-4, 60, "s", "Longest exposure of one frame out of the hand")


class Camera(Document):
    """A camera (see the module)."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(min_length=3)
    make: str = Field(min_length=1, description="As written in files")
    model: str = Field(min_length=1, description="As written in files")
    modules: tuple[Module, ...] = Field(min_length=1, description="Its lenses, the usual one first")
    shake: Shake

    @model_validator(mode="after")
    def _names_differ(self) -> Camera:
        names = [m.name for m in self.modules]
        if len(set(names)) != len(names):
            raise ValueError(f"expected modules of different names, found {', '.join(names)}")
        return self

    def module(self, lens: str = "") -> Module:
        """The module of a name, the first for none; another lens, by its library name or file, takes the place of the glass in the module
        that its name begins with, as "tele-achromat" in "tele". Raises CameraError where there is none."""
        if not lens:
            return self.modules[0]
        for module in self.modules:
            if lens in (module.name, module.lens):
                return module
        for module in self.modules:
            if Path(lens).stem.split("-")[0] == module.name:
                return module.model_copy(update={"lens": lens})
        if Path(lens).suffix:
            return self.modules[0].model_copy(update={"lens": lens})
        known = ", ".join(f"{m.name} ({m.lens})" for m in self.modules)
        raise CameraError(f"expected a lens of {self.name} ({known}), another for one of them (tele-NAME) or a lens file, found {lens!r}")


def camera_names() -> tuple[str, ...]:
    """Names of the built-in cameras, in alphabetical order."""
    return tuple(sorted(p.name.removesuffix(".toml") for p in _library().iterdir() if p.name.endswith(".toml")))


@cache
def camera(name_or_path: str | Path) -> Camera:
    """A camera: built in by its name, or from a TOML file. Raises CameraError in one sentence."""
    text = str(name_or_path)
    if text in camera_names():
        return parse(Camera, _library().joinpath(f"{text}.toml").read_text("utf-8"), f"{text}.toml", CameraError)
    if not text.endswith(".toml"):
        near = difflib.get_close_matches(text, camera_names(), 1, 0)
        raise CameraError(f"expected a camera ({', '.join(camera_names())}) or a file ending in .toml, found {text!r}; near it: {near[0]}")
    return read(Camera, text, CameraError)


def _library() -> Any:
    return resources.files("apochromat.camera") / "library"
