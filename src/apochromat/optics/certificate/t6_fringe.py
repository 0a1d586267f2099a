"""Test 6: on the sensor. Sharpness of R and B at the best focus of G, and the coloured zone at an overexposed edge."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from apochromat.optics.certificate.pupil_function import GRID, PupilFunction, fitted, line_spreads
from apochromat.optics.certificate.result import Check
from apochromat.optics.certificate.sensor import Sensor, stand_in
from apochromat.optics.certificate.thresholds import line, thresholds
from apochromat.optics.certificate.view import View

TITLE = "sharpness and fringes on the sensor"
SAMPLES = 384  # across the line spread
SEARCH_STEP_DOF = 0.5
FREQUENCIES = 160


class Spreads(NamedTuple):
    """Line spreads (Z, W, X) per mm at planes z (Z,) in mm from the common focus and distances y (X,) in mm."""

    y_mm: np.ndarray
    z_mm: np.ndarray
    light: np.ndarray


def measure(view: View) -> list[Check]:
    """MTF50 of R and B at G's best focus, and the widest coloured zone."""
    table, sensor = thresholds()["test_6"], stand_in()
    pupils = pupil_functions(view, sensor)
    edges_at = np.array(table["defocus_dof"]) * view.dof_mm
    lens, twin = (spreads(view, sensor, p, edges_at, SAMPLES) for p in (pupils, [pupils[_green(sensor)]] * len(pupils)))
    zone, plane, polarity = widest_zone(view, sensor, lens, twin)
    checks = _sharpness(view, sensor, pupils)
    name = f"coloured zone at an edge {table['overexposure_stops']:g} stops over ({polarity}, {plane / view.dof_mm:+g} DOF)"
    return [*checks, Check(name=name, configuration=view.name, value=zone * 1e3, limit=table["zone_um"], unit="µm")]


def _green(sensor: Sensor) -> int:
    return int(np.abs(sensor.wavelengths_nm - line("e")).argmin())


def pupil_functions(view: View, sensor: Sensor) -> list[PupilFunction]:
    """One for each wavelength of the sensor, on axis about the common focus; the wavelength next to 546.1 nm has that line's own."""
    axis, (x, y, z) = view.focus, view.common
    rows = [axis.near(w) for w in sensor.wavelengths_nm]
    rows[_green(sensor)] = axis.near(line("e"))
    full, functions = np.ones((1, 1)), []
    for i in rows:
        path = axis.path[i] + axis.L[i] * x + axis.M[i] * y + axis.N[i] * z
        functions.append(fitted(axis.L[i], axis.M[i], float(np.sign(axis.N[i, 0])), path - path.mean(), axis.pupil, full))
    return functions


def spreads(view: View, sensor: Sensor, pupils: list[PupilFunction], z_mm: np.ndarray, samples: int) -> Spreads:
    """Line spreads at the sensor's wavelengths, over less than the period that the pupil's grid has."""
    width = GRID * sensor.wavelengths_nm.min() * 1e-6 * view.f_number * 0.85
    y = (np.arange(samples) - (samples - 1) / 2) * width / samples
    each = [line_spreads(p, float(w), y, z_mm) for p, w in zip(pupils, sensor.wavelengths_nm, strict=True)]
    return Spreads(y, z_mm, np.stack(each, 1))


def _sharpness(view: View, sensor: Sensor, pupils: list[PupilFunction]) -> list[Check]:
    """MTF50 of R and B at G's best focus, as a part of their own best."""
    table = thresholds()["test_6"]
    steps = round(table["search_dof"] / SEARCH_STEP_DOF)
    planes = np.arange(-steps, steps + 1) * SEARCH_STEP_DOF * view.dof_mm
    found = mtf50(view, sensor, spreads(view, sensor, pupils, planes, SAMPLES // 2))
    best = [_peak(planes, values) for values in found]
    checks = []
    for channel, name in ((0, "R"), (2, "B")):
        there = _parabola(planes, found[channel], best[1][0])
        checks.append(
            Check(
                name=f"MTF50 of {name} at G's best focus as a part of its own best",
                configuration=view.name,
                value=min(there / best[channel][1], 1.0),
                limit=table["mtf50_of_best"],
                unit="",
                sense="at least",
            )
        )
    return checks


def mtf50(view: View, sensor: Sensor, lines: Spreads) -> np.ndarray:
    """Frequency (3, Z) in cycles/mm at which the MTF of R, G and B, with the pixel's aperture, falls to one half."""
    frequencies = np.linspace(0, 1e3 / view.pixel_um, FREQUENCIES)
    step = lines.y_mm[1] - lines.y_mm[0]
    kernel = np.exp(-2j * np.pi * np.outer(lines.y_mm, frequencies)) * step
    aperture = np.sinc(frequencies * view.pixel_um * 1e-3 * sensor.pixel_aperture)
    channels = np.tensordot(sensor.weights, lines.light, (1, 1))  # (3, Z, X)
    mtf = np.abs(channels @ kernel) * aperture
    mtf[..., 0] = 1  # the whole light: the tails beyond the window belong to it
    below = (mtf < 0.5).argmax(-1)
    high, low = (np.take_along_axis(mtf, (below - k)[..., None], -1)[..., 0] for k in (1, 0))
    return np.asarray(frequencies[below - 1] + (high - 0.5) / (high - low) * frequencies[1])


def _peak(planes: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Place and height of the maximum, by the parabola through the three highest neighbours."""
    i = int(np.clip(values.argmax(), 1, len(planes) - 2))
    a, b, c = values[i - 1 : i + 2]
    bend = a - 2 * b + c
    shift = float(np.clip((a - c) / (2 * bend), -1, 1)) if bend < 0 else 0.0
    place = planes[i] + shift * (planes[1] - planes[0])
    return float(place), max(float(values.max()), _parabola(planes, values, place))


def _parabola(planes: np.ndarray, values: np.ndarray, place: float) -> float:
    """The value at a place, by the parabola through the three nearest planes."""
    i = int(np.clip(np.abs(planes - place).argmin(), 1, len(planes) - 2))
    t = (place - planes[i]) / (planes[1] - planes[0])
    a, b, c = values[i - 1 : i + 2]
    return float(b + t * (c - a) / 2 + t * t * (a - 2 * b + c) / 2)


def widest_zone(view: View, sensor: Sensor, lens: Spreads, twin: Spreads) -> tuple[float, float, str]:
    """Width (mm) over which lens and twin differ in chroma by more than the limit; the plane (mm) and the polarity where it is widest."""
    table = thresholds()["test_6"]
    bright, dark = 2.0 ** table["overexposure_stops"], table["dark_side"]
    pairs = [edges(view, sensor, lines) for lines in (lens, twin)]
    step, widest = lens.y_mm[1] - lens.y_mm[0], (0.0, 0.0, "bright side up")
    for polarity, turned in (("bright side up", False), ("bright side down", True)):
        ab = [sensor.chroma_plane(dark + (bright - dark) * (1 - e if turned else e)) for e in pairs]
        zones = (np.linalg.norm(ab[0] - ab[1], axis=0) > table["chroma"]).sum(-1) * step
        at = int(zones.argmax())
        widest = max(widest, (float(zones[at]), float(lens.z_mm[at]), polarity), key=lambda w: w[0])
    return widest


def edges(view: View, sensor: Sensor, lines: Spreads) -> np.ndarray:
    """What pixels of every phase see of an edge from 0 to 1: (3, Z, X)."""
    step = lines.y_mm[1] - lines.y_mm[0]
    channels = np.tensordot(sensor.weights, lines.light, (1, 1))
    beyond = (1 - channels.sum(-1, keepdims=True) * step) / 2  # tails outside the window, half on each side
    edge = np.clip(beyond + (np.cumsum(channels, -1) - channels / 2) * step, 0, 1)
    half = view.pixel_um * 1e-3 * sensor.pixel_aperture / 2
    return np.apply_along_axis(_averaged, -1, edge, lines.y_mm, half)


def _averaged(edge: np.ndarray, y: np.ndarray, half: float) -> np.ndarray:
    """Mean (X,) over y - half to y + half; outside the window the edge stays as at its ends."""
    step = y[1] - y[0]
    far = np.concatenate([[y[0] - 2 * half - step], y, [y[-1] + 2 * half + step]])
    level = np.concatenate([edge[:1], edge, edge[-1:]])
    integral = np.concatenate([[0], np.cumsum((level[1:] + level[:-1]) / 2 * np.diff(far))])
    return np.asarray((np.interp(y + half, far, integral) - np.interp(y - half, far, integral)) / (2 * half))
