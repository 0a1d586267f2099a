"""One resampling: lateral CA, the warps of OpcodeList3, or the lens's known distortion, and DefaultScale, composed into one displacement.

Source: DNG Specification 1.7, chapter 7 (WarpRectilinear, TrimBounds) and DefaultScale; lensfun's radial models where the file has no
warp and lensfunpy is installed. Opcodes act in the sensor's frame on the active area, before the crop and the orientation.

Every output pixel is traced back to the sensor: scale, then the list in reverse, then lateral CA per channel. The finishing kernel gets the
result as knots every 32 pixels of two cubic splines (see kernels/resample.py): `run` on output pixels and `rise` on source columns.
Pixels from beyond the sensor repeat its edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from apochromat.develop import lens_profile
from apochromat.develop.apply_opcodes import Sight, gain_field
from apochromat.develop.lateral_ca import RadialShift
from apochromat.develop.lens_profile import LensProfile
from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development
from apochromat.light.opcodes import FixVignetteRadial, GainMap, Opcode, TrimBounds, WarpRectilinear
from apochromat.light.raw_frame import Box

KNOT = 32  # pixels between knots, as in kernels/resample.py
OFF_MODE, RED_BLUE, ALL, FAR = range(4)
TAPS = 4  # px that the kernel reads beyond a displaced position, and one for rounding
BEND = 3.5  # px: the largest change of displacement from knot to knot that the kernel's dense modes take
BEYOND_USE = 1e6  # px: a displacement that no lens and no sensor has
STILL = 1e-3  # px: displacements below this are none

OFF = {
    "resample_mode": OFF_MODE,
    "resample_reach": 0,
    "resample_rise": np.zeros((3, 4, 4), np.float32),
    "resample_run": np.zeros((3, 4, 4), np.float32),
}

Step = Callable[[int, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray | float]]


class GeometryParams(Params):
    """What may move pixels."""

    opcodes: bool = parameter(True, "Apply the warps the file asks for (OpcodeList3)", label="File's warps")
    lensfun: bool = parameter(
        True, "Correct distortion from lensfun's data where the file has no warp and lensfunpy knows the lens", label="Lens data"
    )


def run(development: Development, params: GeometryParams) -> Development:
    """Gather the finishing kernel's displacement; nothing where every pixel stays. ValueError for a senseless warp."""
    opcodes = [op for op in development.frame.opcodes3 if isinstance(op, WarpRectilinear | TrimBounds)]
    warps = any(isinstance(op, WarpRectilinear) for op in opcodes)
    profile = lens_profile.find(development.frame) if params.lensfun and not warps else None
    development = development.with_facts(geometry={"opcodes": params.opcodes and warps, "lens": profile.name if profile else ""})
    steps = light_path(development, opcodes if params.opcodes else [], profile)
    if not steps:
        return development
    run_knots, rise_knots = (knots.astype(np.float32) for knots in displacement(development, steps))
    farthest = float(np.abs(run_knots).max())
    if not farthest < BEYOND_USE:
        raise ValueError(f"expected warps that move pixels by less than {BEYOND_USE:g}, found one that moves some by {farthest:g}")
    mode = _mode(run_knots, rise_knots)
    if mode == OFF_MODE:
        return development
    reach = int(np.ceil(farthest)) + TAPS
    return development.with_finish(resample_mode=mode, resample_reach=reach, resample_run=run_knots, resample_rise=rise_knots)


def picture_box(development: Development) -> Box:
    """The final picture in output pixels of the finishing kernel: DefaultCrop times DefaultScale."""
    crop, (sh, sv), (oy, ox) = development.frame.crop, development.frame.scale, development.origin
    top, left = round(crop.top * sv) - oy, round(crop.left * sh) - ox
    return Box(top, left, top + round(crop.height * sv), left + round(crop.width * sh))


def light_path(development: Development, opcodes: Sequence[Opcode], profile: LensProfile | None) -> list[Step]:
    """Steps from an output pixel back to the sensor; each maps (channel, y, x) in active-area pixels to (y, x, gain)."""
    frame = development.frame
    sight, steps = Sight(frame.active.height, frame.active.width), []
    if ca := development.facts.get("lateral_ca"):
        steps.append(lateral_step(RadialShift(**ca["red"]), RadialShift(**ca["blue"])))
    if profile is not None:
        steps.append(profile_step(profile, sight))
    for opcode in opcodes:
        steps.append(_STEPS[type(opcode)](opcode, sight))
        if isinstance(opcode, TrimBounds):
            sight = Sight(opcode.bottom - opcode.top, opcode.right - opcode.left)
    if frame.scale != (1.0, 1.0):
        steps.append(scale_step(*frame.scale))
    return steps[::-1]


def trace(steps: Sequence[Step], channel: int, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Source position and gain of output positions (y, x), active-area pixels, for channel 0, 1 or 2."""
    y, x = np.broadcast_arrays(y, x)
    gain = np.ones(y.shape)
    for step in steps:
        y, x, factor = step(channel, y, x)
        gain = gain * factor
    return y, x, gain


def warp_step(opcode: WarpRectilinear, sight: Sight) -> Step:
    """DNG WarpRectilinear: radial k_r0..k_r3 and tangential k_t0, k_t1 about a centre, radius 1 at the farthest corner."""
    cy, cx, m = centre(opcode.center, sight)

    def step(channel: int, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        k0, k1, k2, k3, t0, t1 = opcode.coefficients[min(channel, len(opcode.coefficients) - 1)]
        v, u = (y - cy) / m, (x - cx) / m
        r2 = u * u + v * v
        radial = k0 + r2 * (k1 + r2 * (k2 + r2 * k3))
        u_source = radial * u + t0 * 2 * u * v + t1 * (r2 + 2 * u * u)
        v_source = radial * v + t1 * 2 * u * v + t0 * (r2 + 2 * v * v)
        return cy + m * v_source, cx + m * u_source, 1.0

    return step


def vignette_step(opcode: FixVignetteRadial, sight: Sight) -> Step:
    """DNG FixVignetteRadial: gain 1 + k0 r^2 + ... + k4 r^10."""
    cy, cx, m = centre(opcode.center, sight)

    def step(channel: int, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        r2 = ((y - cy) ** 2 + (x - cx) ** 2) / m**2
        return y, x, np.polynomial.polynomial.polyval(r2, [1.0, *opcode.coefficients])

    return step


def gain_map_step(opcode: GainMap, sight: Sight) -> Step:
    """DNG GainMap on the planes it names."""
    fields = [gain_field(opcode, sight, channel) for channel in range(3)]
    return lambda channel, y, x: (y, x, fields[channel].at(y, x, 0))


def centre(relative: tuple[float, float], sight: Sight) -> tuple[float, float, float]:
    """Pixel position (y, x) of an opcode's centre and the distance from it to the farthest corner of the image."""
    cx, cy = relative[0] * sight.width, relative[1] * sight.height
    return cy - 0.5, cx - 0.5, float(np.hypot(max(cy, sight.height - cy), max(cx, sight.width - cx)))


def profile_step(profile: LensProfile, sight: Sight) -> Step:
    """A lens profile's distortion, and its vignetting at the source position."""
    cy, cx = (sight.height - 1) / 2, (sight.width - 1) / 2

    def step(channel: int, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        scale = profile.scale_at(np.hypot(y - cy, x - cx))
        v, u = (y - cy) * scale, (x - cx) * scale
        return cy + v, cx + u, profile.gain_at(np.hypot(v, u))

    return step


def lateral_step(red: RadialShift, blue: RadialShift) -> Step:
    """Lateral CA: what green shows at a place, red and blue show displaced along the radius."""

    def step(channel: int, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        return (y, x, 1.0) if channel == 1 else (*(red if channel == 0 else blue).displaced(y, x), 1.0)

    return step


def scale_step(horizontal: float, vertical: float) -> Step:
    """DefaultScale: the output has this many pixels for one."""
    return lambda channel, y, x: ((y + 0.5) / vertical - 0.5, (x + 0.5) / horizontal - 0.5, 1.0)


def trim_step(opcode: TrimBounds, sight: Sight) -> Step:
    """TrimBounds: pixel (0, 0) of what comes after is (top, left) of what came before."""
    return lambda channel, y, x: (y + opcode.top, x + opcode.left, 1.0)


_STEPS: dict[type[Opcode], Callable[[Any, Sight], Step]] = {
    WarpRectilinear: warp_step,
    FixVignetteRadial: vignette_step,
    GainMap: gain_map_step,
    TrimBounds: trim_step,
}


def knots(size: int) -> np.ndarray:
    """Positions of the spline's knots for `size` pixels: two before the first cell, three beyond the last."""
    return (np.arange(-(-size // KNOT) + 5) - 2.0) * KNOT


def displacement(development: Development, steps: Sequence[Step]) -> tuple[np.ndarray, np.ndarray]:
    """(run, rise), each (3, knot rows, knot columns): source x - x on output pixels; source y - y on source columns and output rows."""
    height, width = development.shape
    oy, ox = development.origin
    sh, sv = development.frame.scale
    y = knots(round(height * sv))[:, None] + oy
    x, u = knots(round(width * sh))[None] + ox, knots(width)[None] + ox
    run_knots, rise_knots = [], []
    for channel in range(3):
        source_x = trace(steps, channel, y, x)[1]
        run_knots.append(source_x - x)
        found = _invert(steps, channel, y, u, x, source_x)
        rise_knots.append(np.clip(trace(steps, channel, y, found)[0] - y, -2 * height, 2 * height))
    return np.stack(run_knots), np.stack(rise_knots)


def _invert(steps: Sequence[Step], channel: int, y: np.ndarray, u: np.ndarray, x: np.ndarray, source_x: np.ndarray) -> np.ndarray:
    """Output x, row by row, whose source x is u, by interpolation in source_x at x and then Newton's method.

    A warp that folds over is followed as far as it rises.
    """
    rising = np.maximum.accumulate(source_x, axis=1)
    found = np.stack([np.interp(u[0], row, x[0]) for row in rising])
    found = found + np.minimum(u - rising[:, :1], 0) + np.maximum(u - rising[:, -1:], 0)
    for _ in range(3):
        here, before, after = (trace(steps, channel, y, found + d)[1] for d in (0, -1, 1))
        found = found + np.clip((u - here) / np.maximum((after - before) / 2, 0.1), -KNOT, KNOT)
    return found


def _mode(run_knots: np.ndarray, rise_knots: np.ndarray) -> int:
    """The cheapest kernel mode that is exact for this displacement."""
    moves = np.maximum(np.abs(run_knots).max((1, 2)), np.abs(rise_knots).max((1, 2)))
    if moves.max() < STILL:
        return OFF_MODE
    bends = max(np.abs(np.diff(k, axis=2)).max() for k in (run_knots, rise_knots))
    if bends > BEND:
        return FAR
    return RED_BLUE if moves[1] < STILL else ALL


STAGE = Stage(
    name="geometry",
    order=110,
    summary="Lateral CA, the file's warps or the lens's known distortion, in one resampling",
    params=GeometryParams,
    run=run,
    source="DNG Specification 1.7, chapter 7; lensfun",
)
