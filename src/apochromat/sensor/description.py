"""The sensor as a document: every number of a read-out mode with its source (TOML, `docs/sensor.md`).

A document describes one mode of one sensor, the one that makes the 2 x 2 mosaic of a compatible RAW file: a pixel is a pixel as read
(after binning), and wells, noises and rates are those of that pixel unless the help says "of one conversion".
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from apochromat.camera.document import parse, read
from apochromat.camera.quantity import Curve, Document, Quantity, is_whole, number
from apochromat.sensor.errors import SensorError


class Pixels(Document):
    """The array as read."""

    rows: Quantity = number(2, 20000, "", "Rows of pixels as read, even")
    columns: Quantity = number(2, 20000, "", "Columns of pixels as read, even")
    pitch_um: Quantity = number(0.3, 50, "µm", "Distance between pixels as read")
    native_pitch_um: Quantity = number(0.3, 50, "µm", "Distance between photodiodes")

    @model_validator(mode="after")
    def _even(self) -> Pixels:
        for name in ("rows", "columns"):
            value = getattr(self, name).value
            if not is_whole(value) or round(value) % 2:
                raise ValueError(f"expected an even whole number of {name}, found {value:g}")
        return self


class Binning(Document):
    """How photodiodes become a pixel as read: charge first (one conversion, one read noise), then numbers (a read noise for each)."""

    charge: Quantity = number(1, 8, "", "Photodiodes a side whose charge is summed before conversion")
    digital: Quantity = number(1, 8, "", "Conversions a side whose numbers are summed")

    @model_validator(mode="after")
    def _whole(self) -> Binning:
        for name in ("charge", "digital"):
            if not is_whole(getattr(self, name).value):
                raise ValueError(f"expected a whole number for `{name}`, found {getattr(self, name).value:g}")
        return self


class QuantumEfficiency(Document):
    """Electrons per photon on a pixel of each colour, its filter and microlens included, IR-cut not; over nm."""

    red: Curve = number(0, 1, "", "Of a red pixel")
    green: Curve = number(0, 1, "", "Of a green pixel")
    blue: Curve = number(0, 1, "", "Of a blue pixel")


class Crosstalk(Document):
    """Share of a pixel's electrons that ends in its neighbours."""

    side: Quantity = number(0, 0.1, "", "To each of the four neighbours beside it")
    corner: Quantity = number(0, 0.1, "", "To each of the four diagonal neighbours")


class Pattern(Document):
    """What differs from pixel to pixel and stays from frame to frame (standard deviations, normal)."""

    prnu: Quantity = number(0, 0.1, "", "Photo response non-uniformity, share of the signal")
    dsnu_e: Quantity = number(0, 100, "e-", "Dark signal non-uniformity")


class Dark(Document):
    """Electrons that no light made."""

    current_e_s: Quantity = number(0, 1e5, "e-/s", "Dark current at 25 degrees Celsius")
    doubling_c: Quantity = number(3, 20, "K", "Warming that doubles it")


class Readout(Document):
    """One conversion of the charge, from the highest gain to the lowest; noises are those of one conversion."""

    name: Literal["single", "HCG", "LCG", "LOFIC"]
    full_well_e: Quantity = number(100, 1e8, "e-", "Charge at which it saturates, of the pixel as read")
    conversion_e_dn: Quantity = number(1e-3, 1e4, "e-/DN", "Electrons a number of the converter at unit analogue gain")
    read_noise_e: Quantity = number(0, 1000, "e-", "Noise before the amplifier, r.m.s.")
    converter_noise_dn: Quantity = number(0, 100, "DN", "Noise behind the amplifier, without rounding, r.m.s.")
    row_noise_e: Quantity = number(0, 100, "e-", "Noise common to a row, new in each frame, r.m.s.")
    ktc_noise_e: Quantity | None = number(0, 5000, "e-", "Reset noise of the overflow capacitor, only of LOFIC", default=None)

    @model_validator(mode="after")
    def _ktc(self) -> Readout:
        if (self.name == "LOFIC") != (self.ktc_noise_e is not None):
            raise ValueError(f"expected `ktc_noise_e` (0 to 5000 e-) for LOFIC and for nothing else, found {self.name}")
        return self


class Converter(Document):
    """From charge to stored numbers."""

    bits: Quantity = number(8, 16, "bit", "Of the analogue to digital converter")
    offset_dn: Quantity = number(0, 4096, "DN", "Number of the converter without charge")
    most_analogue_gain: Quantity = number(1, 256, "", "Highest gain of the amplifier before it")
    black_level: Quantity = number(64, 16384, "DN", "Number stored for no light, of 16 bits; raised where 8 sigma of the dark are more")
    base_iso: Quantity = number(1, 3200, "", "Exposure index of the lowest gain")
    most_iso: Quantity = number(50, 1e6, "", "Highest exposure index")
    read_time_s: Quantity = number(0, 1, "s", "From the first row's read-out to the last's (rolling shutter)")


class Sensor(Document):
    """A sensor in one read-out mode (see the module). `serial` seeds what is fixed in this copy of it: PRNU and DSNU."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(min_length=3)
    format: str = Field(min_length=1, description="Optical format, such as 1 inch")
    cfa: Literal["RGGB", "quad RGGB"] = Field(description="Pattern of the mosaic as read; quad: each letter is 2 x 2 pixels")
    serial: int = Field(ge=0, lt=2**63)
    pixels: Pixels
    binning: Binning
    qe: QuantumEfficiency
    ir_cut: Curve = number(0, 1, "", "Transmission of the infrared cut filter, over nm")
    microlens: Curve = number(0, 1, "", "Share of the light that a pixel keeps, over degrees of chief-ray angle off the one it is for")
    crosstalk: Crosstalk
    pattern: Pattern
    dark: Dark
    readouts: tuple[Readout, ...] = Field(min_length=1, max_length=3)
    converter: Converter

    @model_validator(mode="after")
    def _check(self) -> Sensor:
        native = self.pixels.native_pitch_um.value * self.binning.charge.value * self.binning.digital.value
        if abs(native / self.pixels.pitch_um.value - 1) > 0.01:
            raise ValueError(f"expected binning that makes the pitch {self.pixels.pitch_um.value:g} µm, found one that makes {native:g} µm")
        wells = [r.full_well_e.value for r in self.readouts]
        if wells != sorted(set(wells)):
            raise ValueError(f"expected read-outs with rising full wells, found {wells}")
        if 4 * (self.crosstalk.side.value + self.crosstalk.corner.value) >= 0.5:
            raise ValueError("expected a pixel that keeps more than half of its electrons, found more crosstalk")
        if self.converter.most_iso.value < self.converter.base_iso.value:
            raise ValueError(f"expected `most_iso` of at least base_iso = {self.converter.base_iso.value:g}, found less")
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns as read."""
        return round(self.pixels.rows.value), round(self.pixels.columns.value)


def sensor_names() -> tuple[str, ...]:
    """Names of the built-in sensors, in alphabetical order."""
    return tuple(sorted(p.name.removesuffix(".toml") for p in _library().iterdir() if p.name.endswith(".toml")))


@cache
def sensor(name: str) -> Sensor:
    """A built-in sensor by its name; SensorError names those there are."""
    if name not in sensor_names():
        raise SensorError(f"expected a sensor ({', '.join(sensor_names())}), found {name!r}")
    return parse(Sensor, _library().joinpath(f"{name}.toml").read_text("utf-8"), f"{name}.toml", SensorError)


def read_sensor(path: str | Path) -> Sensor:
    """A sensor from a TOML file; SensorError in one sentence: which number, what range, what was found, in which file."""
    return read(Sensor, path, SensorError)


def _library() -> Any:
    return resources.files("apochromat.sensor") / "library"
