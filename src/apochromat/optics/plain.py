"""The ray trace once more, in NumPy, for what is done once per lens: nothing is compiled, so that a lens is read in a moment.

Derivatives come by the complex step (W. Squire and G. Trapp, SIAM Review 40, 1998): the imaginary part of a trace that starts 1e-30 i
beside the ray is its derivative, to rounding. A ray that fails is nan from there on, and the surface is told. `trace.py` is the reference;
a test holds both together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from apochromat.optics.lens import Lens

STEP = 1e-30
SETTLED = 1e-9  # mm: two more steps of Newton's iteration then end it
AIMED = 1e-9  # of the stop's radius
SOLVED = 1e-12  # of a tangent: the step after it, by a slope taken over 1e-5, would be below rounding
FIELD_STEPS, CHIEF_STEPS, RAY_STEPS, HEIGHT_STEPS = 4, 4, 15, 8


@np.errstate(all="ignore")
def march(lens: Lens, start: np.ndarray, tangents: np.ndarray, index: np.ndarray, config: int, last: int | None = None) -> tuple[Any, ...]:
    """Rays (...) from `start` (2, ...) in the plane of surface 0 with slopes `tangents` (2, ...), to the image or the plane of `last`.

    index: (S + 1, ...) that broadcasts. Returns points (surfaces + 1, 2, ...), directions (3, ...) and the surface that failed (-1: none).
    """
    n = 1 / np.sqrt(1 + tangents[0] ** 2 + tangents[1] ** 2)
    position, direction = np.stack([*start, np.zeros_like(start[0])]), np.stack([tangents[0] * n, tangents[1] * n, n + 0 * start[0]])
    failed, points = np.full(start[0].shape, -1), []
    for i in range(lens.S if last is None else last):
        position, direction = _turned(lens, i, position, direction)
        position, direction, lost = _through(lens, i, position, direction, index[i] / index[i + 1])
        failed = np.where((failed < 0) & lost, i, failed)
        position, direction = _turned(lens, i, position, direction, back=True)
        points.append(position[:2])
        position = position - np.array([0, 0, lens.thickness[config][i]]).reshape(3, *[1] * start[0].ndim)
    t = -position[2] / direction[2]
    points.append((position + t * direction)[:2])
    return np.stack(points), direction, failed


def _turned(lens: Lens, i: int, position: np.ndarray, direction: np.ndarray, back: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Rays in the frame of a tilted and decentred surface, or back in that of its mount."""
    if not lens.info.is_perturbed:
        return position, direction
    (a, b), shift = np.asarray(lens.tilt[i]), np.array([*np.asarray(lens.decenter[i]), 0.0]).reshape(3, *[1] * (position.ndim - 1))
    about_x = np.array([[1, 0, 0], [0, np.cos(a), np.sin(a)], [0, -np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, -np.sin(b)], [0, 1, 0], [np.sin(b), 0, np.cos(b)]])
    turn = about_y @ about_x
    if back:
        return np.tensordot(turn.T, position, 1) + shift, np.tensordot(turn.T, direction, 1)
    return np.tensordot(turn, position - shift, 1), np.tensordot(turn, direction, 1)


def _through(lens: Lens, i: int, position: np.ndarray, direction: np.ndarray, ratio: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rays on surface i, their directions behind it, and whether they are lost there."""
    t, more = -position[2] / direction[2], 2
    for _ in range(30):
        at = position + t * direction
        height, slope, root2 = _sag(lens, i, at[0] ** 2 + at[1] ** 2)
        step = (at[2] - height) / (direction[2] - 2 * slope * (at[0] * direction[0] + at[1] * direction[1]))
        t, settled = t - step, not np.nanmax(np.abs(step), initial=0.0) > SETTLED
        more -= settled
        if more < 0:
            break
    at = position + t * direction
    _, slope, root2 = _sag(lens, i, at[0] ** 2 + at[1] ** 2)
    normal = np.stack([-2 * slope * at[0], -2 * slope * at[1], np.ones_like(at[0])]) / np.sqrt(4 * slope**2 * (at[0] ** 2 + at[1] ** 2) + 1)
    cos_in = (normal * direction).sum(0)
    square = 1 - ratio**2 * (1 - cos_in**2)
    if lens.info.surfaces[i].kind == "mirror":
        ratio, cos_out, lost = 1.0, -cos_in, root2.real <= 0
    else:
        cos_out, lost = np.sign(cos_in.real) * np.sqrt(square), (root2.real <= 0) | (square.real <= 0)
    bent = ratio * direction + (cos_out - ratio * cos_in) * normal
    lost = lost | ~np.isfinite(bent).all(0) | (np.abs(step) > SETTLED)
    return np.where(lost, np.nan, at), np.where(lost, np.nan, bent), lost


def _sag(lens: Lens, i: int, r2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Height, its derivative by the squared radius, and the square under the conic's root."""
    c, even = float(lens.curvature[i]), np.asarray(lens.even[i])
    root2 = 1 - (1 + float(lens.conic[i])) * c**2 * r2
    root = np.sqrt(root2)
    height, slope = c * r2 / (1 + root), c / (2 * root)
    if even.any():
        value, steep = even[-1], 0.0  # Horner's scheme for the polynomial over r2 and its derivative
        for coefficient in even[-2::-1]:
            value, steep = value * r2 + coefficient, steep * r2 + value
        height, slope = height + value * r2, slope + steep * r2 + value
    return height, slope, root2


def matrix(lens: Lens, index: np.ndarray, config: int, last: int | None = None) -> np.ndarray:
    """(2, 2): height and direction cosine M at the image (or the plane of `last`) by height and slope at surface 0, on axis."""
    y, slope = np.array([STEP * 1j, 0]), np.array([0, STEP * 1j])
    points, direction, _ = march(lens, np.stack([0 * y, y]), np.stack([0 * y, slope]), index[:, None], config, last)
    return np.stack([points[-1, 1], direction[1]]).imag / STEP


def aimed(lens: Lens, tangents: np.ndarray, pupil: np.ndarray, index: np.ndarray, config: int) -> np.ndarray:
    """Points (2, F, P) in the plane of surface 0 of rays of fields (2, F) that pass `stop_radius` x pupil (2, F, P) at the stop."""
    front = matrix(lens, index, config, lens.info.stop)
    radius, entrance, scale = float(lens.stop_radius[config]), front[0, 1] / front[0, 0], 1 / front[0, 0]
    slopes, offset = tangents[:, :, None], np.zeros((*tangents.shape, 1))
    for step in range(1, FIELD_STEPS + 1):
        part = slopes * step / FIELD_STEPS
        chief = _newton(lens, part, 0.0 * part, offset - part * entrance, index, config, radius * abs(scale), CHIEF_STEPS)
        offset = chief + part * entrance
    return _newton(lens, slopes, radius * pupil, chief + radius * scale * pupil, index, config, radius * abs(scale), RAY_STEPS)


@np.errstate(all="ignore")
def _newton(lens: Lens, tangents: Any, goal: Any, points: Any, index: Any, config: int, longest: float, steps: int) -> np.ndarray:
    """Points (2, ...) from which rays reach the goal (2, ...) in the plane of the stop."""
    vergence = float(lens.object_vergence[config])
    beside = np.array([[STEP * 1j, 0], [0, STEP * 1j]])  # of each start, of each coordinate
    for _ in range(steps):
        start = points[:, None] + beside.T.reshape(2, 2, *[1] * (points.ndim - 1))
        reached = march(lens, start, tangents[:, None] + start * vergence, _spread(index, start), config, lens.info.stop)[0][-1]
        (a, b), (c, d) = reached.imag / STEP
        miss = reached[:, 0].real - goal
        determinant = a * d - b * c
        move = np.stack([d * miss[0] - b * miss[1], a * miss[1] - c * miss[0]]) / np.where(np.abs(determinant) < 1e-9, 1e-9, determinant)
        points = points - move * np.minimum(1, longest / (np.hypot(*move) + 1e-300))
        if not np.nanmax(np.abs(miss), initial=0.0) > AIMED * longest:
            break
    return points


def _spread(index: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Indices (S + 1,) that broadcast against rays."""
    return index.reshape(len(index), *[1] * (like.ndim - 1))


def chief_tangents(lens: Lens, index: np.ndarray, config: int) -> np.ndarray:
    """Tangents (2, F) of the lens's fields at the object; those by real image height are solved for."""
    fields = np.asarray(lens.fields, float).T
    if lens.info.field_kind == "angle":
        return np.tan(np.radians(fields))
    delta, whole = 1e-5, matrix(lens, index, config)
    front = matrix(lens, index, config, lens.info.stop)
    tangents = fields / (whole[0, 1] - whole[0, 0] * front[0, 1] / front[0, 0])
    for _ in range(HEIGHT_STEPS):
        shifted = tangents[:, None] + delta * np.array([[0, 1, 0], [0, 0, 1]])[:, :, None]
        every = shifted.reshape(2, -1)
        start = aimed(lens, every, np.zeros((*every.shape, 1)), index, config)
        slopes = every[:, :, None] + start * float(lens.object_vergence[config])
        height = march(lens, start, slopes, _spread(index, start), config)[0][-1].reshape(2, 3, -1)
        (a, b), (c, d) = (height[:, 1] - height[:, 0]) / delta, (height[:, 2] - height[:, 0]) / delta
        miss = height[:, 0] - fields
        determinant = a * d - b * c
        move = np.stack([d * miss[0] - c * miss[1], a * miss[1] - b * miss[0]]) / determinant
        tangents = tangents - move
        if not np.nanmax(np.abs(move), initial=0.0) > SOLVED:
            break
    return tangents
