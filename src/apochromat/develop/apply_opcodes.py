"""DNG opcodes on pixels: what lists 1 and 2 have in common.

Source: DNG Specification 1.7, chapter 7 ("Opcode List Processing"). Rows and columns count from the top left pixel of the image that
the list sees; relative coordinates run from 0 at its top left edge to 1 at its bottom right edge, so that the centre of pixel
(y, x) lies at ((y + 0.5) / height, (x + 0.5) / width).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

import numpy as np

from apochromat.develop.bad_pixels import listed_points, repair
from apochromat.light.gain_field import GainField
from apochromat.light.opcodes import Area, FixBadPixelsList, FixVignetteRadial, GainMap, MapPolynomial, MapTable, Opcode
from apochromat.light.raw_frame import Box, Levels, RawFrame
from apochromat.native import kernels

Map = MapTable | MapPolynomial
_FIELD_TOLERANCE = 1e-5  # of unit gain, for gains that are not bilinear


@dataclass(frozen=True)
class Sight:
    """The image an opcode list sees: its height and width, and its position of array pixel (0, 0), which may be -1 where padded."""

    height: int
    width: int
    origin: tuple[int, int] = (0, 0)


def refuse(opcode: Opcode, place: str, path: str) -> str:
    """A note that an optional opcode was left out; ValueError where it is not optional."""
    name = f"opcode {opcode.id}" if hasattr(opcode, "id") else type(opcode).__name__
    if opcode.optional:
        return f"{name} in {place} was left out: it is optional and not supported there"
    raise ValueError(f"expected opcodes this program carries out in {place}, found {name}, which is not optional: {path}")


def is_gain(opcode: Opcode) -> TypeGuard[GainMap | FixVignetteRadial]:
    """True for an opcode whose gain a GainField can hold."""
    return isinstance(opcode, FixVignetteRadial) or (isinstance(opcode, GainMap) and is_phased(opcode.area))


def carry_out(opcode: Opcode, planes: Sequence[np.ndarray], sight: Sight, unit: float, is_mosaic: bool) -> bool:
    """Carry out on the planes, in place, an opcode that means the same in lists 1 and 2 and is no GainField; False for any other.

    unit: see `mapped`.
    """
    if isinstance(opcode, FixBadPixelsList):
        for plane in planes:
            repair(plane, listed_points(opcode, sight.height, sight.width) - sight.origin, is_mosaic)
    elif isinstance(opcode, MapTable | MapPolynomial):
        area = covered(opcode.area, sight)
        for plane in planes[opcode.area.plane : opcode.area.plane + opcode.area.planes]:
            plane[area] = mapped(plane[area], opcode, unit)
    elif isinstance(opcode, GainMap):
        for plane in planes[opcode.area.plane : opcode.area.plane + opcode.area.planes]:
            multiply_sparse(plane, opcode, sight)
    else:
        return False
    return True


def covered(area: Area, sight: Sight) -> tuple[slice, slice]:
    """Rows and columns of the array that the area selects; an empty area means the whole image."""
    box, (oy, ox) = _box(area, sight), sight.origin
    return slice(box.top - oy, box.bottom - oy, area.row_pitch), slice(box.left - ox, box.right - ox, area.col_pitch)


def _box(area: Area, sight: Sight) -> Box:
    """The area's rectangle inside the image; ValueError where it lies outside or its pitch is not positive."""
    if area.bottom <= area.top or area.right <= area.left:
        return Box(0, 0, sight.height, sight.width)
    if min(area.top, area.left) < 0 or min(area.row_pitch, area.col_pitch) < 1:
        raise ValueError(f"expected an opcode area with non-negative corner and positive pitch, found {area}")
    return Box(area.top, area.left, min(area.bottom, sight.height), min(area.right, sight.width))


def is_phased(area: Area) -> bool:
    """True where the area's pitches single out whole CFA positions, so that a GainField can hold the gain."""
    return area.row_pitch in (1, 2) and area.col_pitch in (1, 2)


def gain_field(opcode: GainMap | FixVignetteRadial, sight: Sight, plane: int = 0) -> GainField:
    """The opcode's gain on colour plane `plane`, in array pixels; unity where the opcode does not touch the plane."""
    return _vignette_field(opcode, sight) if isinstance(opcode, FixVignetteRadial) else _map_field(opcode, sight, plane)


def _map_field(opcode: GainMap, sight: Sight, plane: int) -> GainField:
    """Bilinear map on the CFA positions and rows and columns of its area, gain 1 elsewhere."""
    area, gains = opcode.area, np.asarray(opcode.gains, np.float64)
    if not area.plane <= plane < area.plane + area.planes:
        return GainField.unity()
    if gains.ndim != 3 or not gains.size or not np.all(np.isfinite(gains)):
        raise ValueError(f"expected finite GainMap gains (points_v, points_h, planes), found an array of shape {gains.shape}")
    whole = GainField(
        _knots(opcode.origin[0], opcode.spacing[0], gains.shape[0], sight.height, sight.origin[0]),
        _knots(opcode.origin[1], opcode.spacing[1], gains.shape[1], sight.width, sight.origin[1]),
        np.repeat(_at_least_two(gains[..., min(plane - area.plane, gains.shape[2] - 1)])[None], 4, axis=0).astype(np.float32),
    )
    rows, columns = covered(area, sight)
    y = _with_steps(whole.knots_y, rows, sight.height, sight.origin[0])
    x = _with_steps(whole.knots_x, columns, sight.width, sight.origin[1])
    inside = _between(y, rows)[:, None] & _between(x, columns)
    on = [(p // 2 - rows.start) % rows.step == 0 and (p % 2 - columns.start) % columns.step == 0 for p in range(4)]
    return GainField(y, x, np.where(inside & np.array(on)[:, None, None], whole._on(y, x), 1).astype(np.float32))


def _knots(origin: float, spacing: float, points: int, size: int, first: int) -> np.ndarray:
    """Positions of a map's points in array pixels; a map of one point is constant."""
    if points > 1 and not spacing > 0:
        raise ValueError(f"expected a positive GainMap spacing, found {spacing}")
    step = spacing if points > 1 else 1.0
    return (origin + np.arange(max(points, 2)) * step) * size - 0.5 - first


def _at_least_two(gains: np.ndarray) -> np.ndarray:
    """The map with its last row and column repeated where it has just one."""
    return np.pad(gains, [(0, max(2 - n, 0)) for n in gains.shape], "edge")


def _with_steps(knots: np.ndarray, chosen: slice, size: int, first: int) -> np.ndarray:
    """Knots, with a pair around each end of the chosen pixels beyond which the image goes on: the gain steps between pixel centres."""
    last, steps = chosen.stop - 1, []
    if chosen.start - chosen.step + first >= 0:
        steps += [chosen.start - 0.75, chosen.start - 0.25]
    if last + 1 + first < size:
        steps += [last + 0.25, last + 0.75]
    return np.union1d(knots, steps)


def _between(knots: np.ndarray, chosen: slice) -> np.ndarray:
    """True for knots that govern chosen pixels; outermost knots always do where no step was put in."""
    low, high = chosen.start - 0.5, chosen.stop - 0.5
    return ((knots > low) | ~np.any(knots == chosen.start - 0.75)) & ((knots < high) | ~np.any(knots == chosen.stop - 0.25))


def _vignette_field(opcode: FixVignetteRadial, sight: Sight) -> GainField:
    """Radial gain on a grid so fine that bilinear interpolation stays within tolerance."""
    cy, cx = opcode.center[1] * sight.height, opcode.center[0] * sight.width
    radius = np.hypot(max(cy, sight.height - cy), max(cx, sight.width - cx))
    powers = np.arange(2, 12, 2)
    bend = np.sum(np.abs(opcode.coefficients) * powers * (powers - 1))  # bound of the second derivative over the unit radius
    cell = radius * np.sqrt(4 * _FIELD_TOLERANCE / max(bend, 1e-6))

    def knots(size: int, first: int) -> np.ndarray:
        return np.linspace(0, size - 1, max(2, int(np.ceil(size / cell)) + 1)) - first

    y, x = knots(sight.height, sight.origin[0]), knots(sight.width, sight.origin[1])
    r2 = ((y + sight.origin[0] + 0.5 - cy)[:, None] ** 2 + (x + sight.origin[1] + 0.5 - cx) ** 2) / radius**2
    gain = 1 + sum(k * r2 ** (i + 1) for i, k in enumerate(opcode.coefficients))
    return GainField(y, x, np.repeat(np.asarray(gain, np.float32)[None], 4, axis=0))


def multiply(plane: np.ndarray, field: GainField) -> None:
    """Multiply an array (H, W) float32 by a gain field, in place."""
    if not field.is_unity:
        kernels.gain(lines=field.lines(plane.shape[1]), knot=field.rows_table(plane.shape[0]), mosaic=plane)


def multiply_sparse(plane: np.ndarray, opcode: GainMap, sight: Sight) -> None:
    """Multiply the pixels of an area whose pitches cut across the CFA, in place."""
    rows, columns = covered(opcode.area, sight)
    everywhere = replace(opcode, area=replace(opcode.area, top=0, left=0, bottom=0, right=0, row_pitch=1, col_pitch=1))
    field = gain_field(everywhere, sight, opcode.area.plane)
    y, x = np.arange(plane.shape[0])[rows], np.arange(plane.shape[1])[columns]
    plane[rows, columns] *= field.at(y[:, None], x[None], 0)


def mapped(values: np.ndarray, opcode: Map, unit: float) -> np.ndarray:
    """Values through a MapTable or MapPolynomial, float32.

    unit: the value that stands for the table's code 65535: 65535 in list 1, which maps stored numbers, 1 in list 2. A polynomial takes
    the values as they are. A table maps negative values by point symmetry about its value at 0.
    """
    if isinstance(opcode, MapPolynomial):
        return np.polynomial.polynomial.polyval(values, opcode.coefficients).astype(np.float32)
    table = np.asarray(opcode.table, np.float64)
    if not table.size:
        raise ValueError("expected a MapTable with at least one entry, found an empty one")
    codes = np.abs(values) * (65535 / unit)
    through = np.interp(codes, np.arange(len(table)), table)
    return (np.where(values < 0, 2 * table[0] - through, through) * (unit / 65535)).astype(np.float32)


def trimmed(frame: RawFrame, kept: Box) -> RawFrame:
    """The frame with its active area reduced to `kept`, given in active-area pixels: pattern, levels and crop follow."""
    cfa = frame.cfa
    if cfa:
        rows = [cfa[:2], cfa[2:]][:: -1 if kept.top % 2 else 1]
        cfa = "".join(row[:: -1 if kept.left % 2 else 1] for row in rows)
    a, c = frame.active, frame.crop
    active = Box(a.top + kept.top, a.left + kept.left, a.top + kept.bottom, a.left + kept.right)
    crop = _intersection(Box(c.top - kept.top, c.left - kept.left, c.bottom - kept.top, c.right - kept.left), kept.height, kept.width)
    return replace(frame, cfa=cfa, active=active, crop=crop, levels=_trimmed_levels(frame.levels, kept, bool(cfa)))


def _intersection(box: Box, height: int, width: int) -> Box:
    both = Box(max(box.top, 0), max(box.left, 0), min(box.bottom, height), min(box.right, width))
    if both.height <= 0 or both.width <= 0:
        raise ValueError("expected TrimBounds to keep a part of the picture, found that it keeps none")
    return both


def _trimmed_levels(levels: Levels, kept: Box, is_mosaic: bool) -> Levels:
    white = levels.white
    if is_mosaic:
        white = np.roll(white.reshape(2, 2), (-kept.top, -kept.left), (0, 1)).ravel()
    return replace(
        levels,
        black=np.roll(levels.black, (-kept.top, -kept.left), (0, 1)),
        white=white,
        delta_h=None if levels.delta_h is None else levels.delta_h[kept.left : kept.right],
        delta_v=None if levels.delta_v is None else levels.delta_v[kept.top : kept.bottom],
    )


def within(opcode_box: Box, sight: Sight, path: str) -> Box:
    """The bounds of a TrimBounds, checked to lie inside the image."""
    b = opcode_box
    if not (0 <= b.top < b.bottom <= sight.height and 0 <= b.left < b.right <= sight.width):
        raise ValueError(f"expected TrimBounds inside {sight.height} x {sight.width} pixels, found {b}: {path}")
    return b
