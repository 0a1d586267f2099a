"""A camera's module made ready to take a picture: its lens focused before its sensor, and what follows from both.

Radiance L of the scene becomes irradiance pi tau L T / (4 N^2) on the sensor, photons of energy h c / lambda, and electrons by the quantum
efficiency; T is the lens's relative illumination times the microlens's share.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from apochromat.camera.description import Camera, Module
from apochromat.camera.exposure import MID_EXPOSURE_LX_S, MID_GREY, Exposure
from apochromat.light.spectra import illuminant
from apochromat.light.spectrum import GRID_NM
from apochromat.optics.files import lens as read_lens
from apochromat.optics.focused import Mapping, focused, mapping, scaled
from apochromat.optics.lens import Lens
from apochromat.sensor import Sensor, read_sensor, sensor_names
from apochromat.sensor import sensor as built_in_sensor
from apochromat.sensor.native import native
from apochromat.sensor.response import highlight_headroom_ev, microlens_share, quantum_efficiency

PHOTON_NM = 1.98644586e-16  # J nm: Planck's constant times the velocity of light
SATURATION_LX_S = 78.0  # on the sensor, of white at exposure index 1: saturation-based speed, ISO 12232:2019
OVERSAMPLE = 1.25  # cells of the scene per pixel: those with which edges are right up to Nyquist
LEAST_OVERSAMPLE, MOST_OVERSAMPLE = OVERSAMPLE, 3.0
EDGE = 24  # pixels beyond the sensor's view that blur or tremor may bring in


@dataclass(frozen=True)
class Rig:
    """A camera's module made ready: its lens focused before its sensor, or before the middle of it."""

    camera: Camera
    module: Module
    lens: Lens
    seen: Mapping
    sensor: Sensor
    shape: tuple[int, int]  # rows and columns that are read
    oversample: float = OVERSAMPLE  # cells of the scene per pixel, either way

    @property
    def is_quad(self) -> bool:
        """Whether it reads photodiodes of a quad-Bayer sensor, which are remosaiced."""
        return self.sensor.cfa == "quad RGGB"

    @cached_property
    def pitch_mm(self) -> float:
        """Between pixels."""
        return self.sensor.pixels.pitch_um.value * 1e-3

    @cached_property
    def ideal_shape(self) -> tuple[int, int]:
        """Rows and columns of the scene that the sensor sees, with a margin."""
        half = np.array(self.shape) / 2 * self.pitch_mm
        ratio = max(float(self.seen.ideal(r) / r) for r in np.linspace(0.3, 1, 8) * np.hypot(*half))
        rows, columns = (2 * int(np.ceil((h / self.pitch_mm * ratio + EDGE) * self.oversample)) for h in half)
        return rows, columns

    @cached_property
    def truth_shape(self) -> tuple[int, int]:
        """Rows and columns, in pixels, of the scene as a lens without distortion would place it."""
        rows, columns = (int(n / self.oversample) // 2 * 2 for n in self.ideal_shape)
        return rows, columns

    @cached_property
    def response(self) -> np.ndarray:
        """Electrons a second of R, G and B pixels on axis per W / (sr m^2) of the scene (3, 71)."""
        photons = GRID_NM / PHOTON_NM * np.pi * self.module.transmission.value / (4 * self.seen.f_number**2) * (self.pitch_mm * 1e-3) ** 2
        return quantum_efficiency(self.sensor) * photons

    @cached_property
    def shading(self) -> np.ndarray:
        """Share (3, n) of the light on axis that pixels get at the heights `seen.real_mm`."""
        rows, columns = self.sensor.shape
        corner = np.hypot(rows, columns) / 2 * self.pitch_mm
        shifted = self.module.microlens_deg.value * self.seen.real_mm / corner
        share = microlens_share(self.sensor, self.seen.chief_ray_deg - shifted)
        return np.broadcast_to(self.seen.illumination * share, (3, len(share)))

    @cached_property
    def covers(self) -> float:
        """Share of the way from the middle to the corner that the lens lights."""
        return min(1.0, float(self.seen.real_mm[-1] / (np.hypot(*self.shape) / 2 * self.pitch_mm)))

    def baseline_ev(self, exposure: Exposure) -> float:
        """By how much a developer has to lift the file so that mid grey under a metered exposure is mid grey."""
        metered = np.log2(MID_GREY * SATURATION_LX_S / MID_EXPOSURE_LX_S)
        return highlight_headroom_ev(self.sensor, exposure.iso, illuminant("D55")) + float(metered)


def rigged(
    camera: Camera,
    lens: str = "",
    *,
    focus_m: float = np.inf,
    f_number: float | None = None,
    crop: tuple[int, int] | None = None,
    oversample: float = OVERSAMPLE,
    full: bool = False,
) -> Rig:
    """A camera's module, its lens focused and stopped down, reading the sensor or a crop (rows, columns) from its middle.

    full: every photodiode of a sensor that bins 2 x 2 of them, remosaiced.

    lens: a module's name, a lens for one of them, or nothing: see `Camera.module`. Raises CameraError, LensError, SensorError, ValueError.
    """
    if not LEAST_OVERSAMPLE <= oversample <= MOST_OVERSAMPLE:
        raise ValueError(f"expected {LEAST_OVERSAMPLE} to {MOST_OVERSAMPLE} cells of the scene per pixel, found {oversample:g}")
    module = camera.module(lens)
    sensor = built_in_sensor(module.sensor) if module.sensor in sensor_names() else read_sensor(module.sensor)
    sensor = native(sensor) if full else sensor
    shape, step = sensor.shape if crop is None else crop, 4 if full else 2
    if any(n % step or not 32 <= n <= most for n, most in zip(shape, sensor.shape, strict=True)):
        most, asked = (f"{rows} x {columns}" for rows, columns in (sensor.shape, shape))
        raise ValueError(f"expected a crop of rows and columns that are multiples of {step}, from 32 x 32 to {most}, found {asked}")
    glass = read_lens(module.lens)
    if module.scale is not None:
        glass = scaled(glass, module.scale.value)
    if f_number is None and module.f_number is not None:
        f_number = module.f_number.value
    glass = focused(glass, focus_m, f_number)
    corner = np.hypot(*shape) / 2 * sensor.pixels.pitch_um.value * 1e-3
    return Rig(camera, module, glass, mapping(glass, corner), sensor, shape, oversample)


def lens_name(rig: Rig) -> str:
    """As a file's metadata names it."""
    return f"{Path(rig.module.lens).stem} {rig.seen.scale_mm:.2f} mm f/{rig.seen.f_number:.2f}"
