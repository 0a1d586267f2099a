"""Lateral chromatic aberration: how far red and blue lie from green along the radius, estimated from the mosaic itself.

Source: sub-pixel registration by gradients (Lucas & Kanade 1981) within blocks rich in edges, and a radial model through the blocks by
iteratively reweighted least squares (Tukey's biweight), as lens colour errors are radial about the optical centre (Mallon & Whelan 2007).
In a block, red (or blue) is taken for a straight-line function of green, displaced: R(p) = a + b G(p + d), with a Laplacian term that
takes up a difference of sharpness. The residual of each block's fit gives the weight of its displacement.

The stage changes no pixel: it hands two RadialShift to geometry, which moves red and blue in its one resampling.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development
from apochromat.light.opcodes import WarpRectilinear

CELLS = 24  # 2x2 cells along a block's side that are compared
MARGIN = 9  # cells around them for blur, interpolation and displacement
PARTS = 2  # parts along a block's side, each with a displacement of its own
ROOM = MARGIN - 3  # what is left of it beside green after blur
SIDE = CELLS + 2 * MARGIN
TILES = 16  # along the longer side of the picture, at most; each offers the block richest in edges
BLOCKS = 128  # of these are compared
LEAST_PARTS = 60  # that must show a displacement
LEAST_GAIN = 0.1  # of colour over green within a block
LARGEST_RESIDUAL = 0.2  # of a block's fit, as a share of the colour's variance
BLOCK_FLOOR = 0.02  # px: no block is believed better than this
LEAST_SHIFT = 0.1  # px: a smaller aberration is left alone
LEAST_SIGNIFICANCE = 5.0  # model over its standard error
CUBIC_SIGNIFICANCE = 3.0  # of the cubic term alone
PRIOR_PX = 2.0  # expected size of the coefficients, which keeps a picture with few edges from wild corners
SETTLED = 0.03  # px: a smaller change of the model ends the search


@dataclass(frozen=True)
class RadialShift:
    """Displacement along the radius: linear * r + cubic * r^3 px outwards at distance r, in units of `corner` px, from (y, x).

    Positions are active-area pixels.
    """

    y: float
    x: float
    corner: float
    linear: float = 0.0
    cubic: float = 0.0

    def displaced(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where a channel shows what green shows at (y, x)."""
        v, u = (y - self.y) / self.corner, (x - self.x) / self.corner
        factor = self.linear + self.cubic * (u * u + v * v)
        return y + v * factor, x + u * factor

    @property
    def largest(self) -> float:
        """Largest displacement in px between centre and corner."""
        r = np.linspace(0, 1, 65)
        return float(np.abs(self.linear * r + self.cubic * r**3).max())


class LateralCaParams(Params):
    """How lateral CA is found."""

    mode: Literal["auto", "off", "manual"] = parameter("auto", "Estimate from the picture, leave alone, or use the four values below")
    red: float = parameter(0.0, "Red, linear term: how far red lies outside green in the corner", ge=-20, le=20, unit="px")
    red_cubic: float = parameter(0.0, "Red, cubic term: the share growing with the third power of the radius", ge=-20, le=20, unit="px")
    blue: float = parameter(0.0, "Blue, linear term: how far blue lies outside green in the corner", ge=-20, le=20, unit="px")
    blue_cubic: float = parameter(0.0, "Blue, cubic term: the share growing with the third power of the radius", ge=-20, le=20, unit="px")


def run(development: Development, params: LateralCaParams) -> Development:
    """Note the displacement of red and blue for geometry; nothing where it is under 0.1 px or the file itself corrects it."""
    none = centred(development)
    if params.mode == "manual":
        shifts = [
            RadialShift(none.y, none.x, none.corner, params.red, params.red_cubic),
            RadialShift(none.y, none.x, none.corner, params.blue, params.blue_cubic),
        ]
    elif params.mode == "auto" and development.mosaic is not None and not _corrected_by_file(development):
        shifts = estimate(development)
    else:
        return development
    red, blue = (shift if shift.largest >= LEAST_SHIFT else none for shift in shifts)
    if red == none and blue == none:
        return development
    return development.with_facts(lateral_ca={"red": asdict(red), "blue": asdict(blue)})


def centred(development: Development) -> RadialShift:
    """No displacement, about the centre of the active area."""
    y, x = (development.frame.active.height - 1) / 2, (development.frame.active.width - 1) / 2
    return RadialShift(y, x, float(np.hypot(y, x)))


def _corrected_by_file(development: Development) -> bool:
    """True where a warp of OpcodeList3 moves the colours differently: the maker has measured the lens."""
    warps = [op.coefficients for op in development.frame.opcodes3 if isinstance(op, WarpRectilinear)]
    return any(len(c) > 1 and np.any(c != c[0]) for c in warps)


def estimate(development: Development) -> list[RadialShift]:
    """Displacement of red and of blue against green; zero coefficients where the picture does not tell.

    Reads the white-balanced RGGB mosaic and its clip mask.
    """
    assert development.mosaic is not None, "lateral CA is estimated before demosaic"
    assert development.clip is not None, "the linearise stage takes the clip mask"
    none = centred(development)
    corners = _blocks(development.mosaic, development.clip)
    if len(corners) * PARTS**2 < LEAST_PARTS:
        return [none, none]
    patches = np.stack([development.mosaic[y : y + 2 * SIDE, x : x + 2 * SIDE] for y, x in corners])
    middle = corners + (SIDE - 0.5) + np.array(development.origin) - (none.y, none.x)
    return [_colour_shift(patches, middle, none, site) for site in (0, 1)]


def _blocks(mosaic: np.ndarray, clip: np.ndarray) -> np.ndarray:
    """Top left corners (n, 2), even, of blocks rich in edges and free of clipped samples, spread over the picture."""
    height, width = mosaic.shape
    rows, columns = ((size // 2 - 2 * MARGIN) // CELLS for size in (height, width))
    if rows < 1 or columns < 1:
        return np.zeros((0, 2), int)
    inner = np.s_[MARGIN : MARGIN + rows * CELLS, MARGIN : MARGIN + columns * CELLS]
    green = mosaic[::2, 1::2][inner][::4].reshape(rows, -1, columns, CELLS)
    edges = np.abs(np.diff(green, axis=3)).max(3).mean(1) / np.sqrt(np.abs(green.mean((1, 3))) + 0.01)  # against shot noise
    edges[clip[inner].reshape(rows, CELLS, columns, CELLS).any((1, 3))] = -1
    tile = -(-max(rows, columns) // TILES)
    best = []
    for top in range(0, rows, tile):
        for left in range(0, columns, tile):
            part = edges[top : top + tile, left : left + tile]
            y, x = np.unravel_index(np.argmax(part), part.shape)
            best.append((part[y, x], top + y, left + x))
    best = sorted((b for b in best if b[0] >= 0), reverse=True)[:BLOCKS]
    return np.array([(y, x) for _, y, x in best], int).reshape(-1, 2) * (2 * CELLS)


def _colour_shift(patches: np.ndarray, middle: np.ndarray, none: RadialShift, site: int) -> RadialShift:
    """Fit the radial model to one colour: site 0 is red, 1 is blue. Green is moved by the model so far and the rest found again."""
    colour, green = _colour_and_green(patches, site)
    distance = np.hypot(*middle.T)
    outwards = middle / np.maximum(distance, 1)[:, None]
    r = np.repeat(distance / none.corner, PARTS**2)
    linear = cubic = 0.0
    for _ in range(3):
        expected = linear * r + cubic * r**3
        (shift, across), error = _block_shifts(colour, _moved(green, -outwards * expected[:: PARTS**2, None] / 2), outwards)
        before, (linear, cubic, trusted) = (linear, cubic), _radial_fit(r, expected + shift, across, error)
        if not trusted:
            return none
        if max(abs(linear - before[0]), abs(cubic - before[1])) < SETTLED:
            break
    return RadialShift(none.y, none.x, none.corner, linear, cubic)


def _colour_and_green(patches: np.ndarray, site: int) -> tuple[np.ndarray, np.ndarray]:
    """One colour at its own sites (n, CELLS, CELLS), and green there from its four neighbours with margins, after the same blur."""

    def at(dy: int, dx: int) -> np.ndarray:
        rows, columns = (slice(2 + site + d, 2 * SIDE - 2 + site + d, 2) for d in (dy, dx))
        return patches[:, rows, columns]

    colour, green = _blurred(at(0, 0)), _blurred((at(-1, 0) + at(1, 0) + at(0, -1) + at(0, 1)) * np.float32(0.25))
    return colour[:, ROOM:-ROOM, ROOM:-ROOM], green


def _blurred(image: np.ndarray) -> np.ndarray:
    """Binomial blur 1 4 6 4 1 in both directions, two cells narrower on every side."""
    for _ in range(2):
        a = image.swapaxes(1, 2)
        image = (a[:, :-4] + a[:, 4:] + 4 * (a[:, 1:-3] + a[:, 3:-1]) + 6 * a[:, 2:-2]) * np.float32(1 / 16)
    return image


def _moved(green: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Each block read at position + shift (n, 2) in cells, (n, CELLS + 2, CELLS + 2), by the six-tap spline of kernels/resample.py."""
    whole = np.clip(np.floor(shift), 3 - ROOM, ROOM - 4).astype(int)
    fraction = np.clip(shift - whole, 0, 1).astype(np.float32)
    start, size = ROOM - 3 + whole, CELLS + 7
    window = np.stack([block[y : y + size, x : x + size] for block, (y, x) in zip(green, start, strict=True)])
    for axis in (0, 1):
        window = window.swapaxes(1, 2)
        weights = _spline_weights(fraction[:, 1 - axis])
        window = sum(weights[j][:, None, None] * window[:, j : j + CELLS + 2] for j in range(6))
    return window


def _spline_weights(t: np.ndarray) -> np.ndarray:
    """Weights (6, n) of the samples -2..3 at fraction t of a cubic Hermite spline with slopes 0.8 (f1 - f-1) - 0.15 (f2 - f-2)."""
    start, end, before, after = 2 * t**3 - 3 * t**2 + 1, 3 * t**2 - 2 * t**3, t**3 - 2 * t**2 + t, t**3 - t**2
    a, b = np.float32(0.8), np.float32(-0.15)
    return np.stack([-b * before, -a * before - b * after, start - a * after, end + a * before, b * before + a * after, b * after])


def _block_shifts(colour: np.ndarray, green: np.ndarray, outwards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Displacement of colour against green outwards and across (2, n), px, and its standard error; infinite error where it fails."""
    middle, up, down = green[:, 1:-1, 1:-1], green[:, :-2, 1:-1], green[:, 2:, 1:-1]
    left, right = green[:, 1:-1, :-2], green[:, 1:-1, 2:]
    gy, gx = (down - up) / 2, (right - left) / 2
    v, u = outwards.T.astype(np.float32)[:, :, None, None]
    x = np.stack([middle, v * gy + u * gx, u * gy - v * gx, up + down + left + right - 4 * middle, colour], 1)
    x = x.reshape(-1, 5, PARTS, CELLS // PARTS, PARTS, CELLS // PARTS).transpose(0, 2, 4, 1, 3, 5).reshape(len(x) * PARTS**2, 5, -1)
    x -= x.mean(2, keepdims=True)
    products = np.matmul(x, x.swapaxes(1, 2)).astype(np.float64)
    normal, right_side, energy = products[:, :4, :4], products[:, :4, 4:], products[:, 4, 4]
    inverse = np.linalg.inv(normal + np.eye(4) * (1e-9 * np.trace(normal, axis1=1, axis2=2) + 1e-20)[:, None, None])
    slope = (inverse @ right_side)[..., 0]
    residual = np.maximum(energy - np.einsum("ni,ni->n", slope, right_side[..., 0]), 1e-6 * energy)
    gain = slope[:, 0]
    fits = (gain > LEAST_GAIN) & (residual < LARGEST_RESIDUAL * energy)
    safe = np.where(fits, gain, 1.0)
    error = 2 * np.sqrt(residual / x.shape[2] * np.abs(inverse[:, 1, 1])) / safe
    return np.where(fits, -2 * slope[:, 1:3].T / safe, 0.0), np.where(fits, np.hypot(error, BLOCK_FLOOR), np.inf)


def _radial_fit(r: np.ndarray, shift: np.ndarray, across: np.ndarray, error: np.ndarray) -> tuple[float, float, bool]:
    """Coefficients of r and r^3 through the displacements outwards, and whether they are well supported.

    A radial aberration moves nothing across the radius, so what a fit finds there measures how far the scene's own colours deceive.
    """
    found = np.isfinite(error)
    if np.count_nonzero(found) < LEAST_PARTS:
        return 0.0, 0.0, False
    (linear, cubic), significance = _polynomial(r[found], shift[found], error[found])
    deceit = _polynomial(r[found], across[found], error[found])[1]
    return linear, cubic, significance > LEAST_SIGNIFICANCE * max(1.0, deceit / 2)


def _polynomial(r: np.ndarray, shift: np.ndarray, error: np.ndarray) -> tuple[tuple[float, float], float]:
    """Coefficients of r and r^3, and the largest ratio of the model to its standard error.

    The cubic term is taken only where it is itself significant: extrapolated to the corners it would cost more than it gives.
    """
    powers = np.stack([r, r**3], -1)
    both, covariance = _robust_fit(powers, shift, error)
    if abs(both[1]) < CUBIC_SIGNIFICANCE * np.sqrt(covariance[1, 1]):
        linear, variance = _robust_fit(powers[:, :1], shift, error)
        both, covariance = np.array([linear[0], 0.0]), np.diag([variance[0, 0], 0.0])
    at = np.linspace(0.2, 1, 9)[:, None] ** (1, 3)
    deviation = np.sqrt(np.einsum("ni,ij,nj->n", at, covariance, at))
    return (float(both[0]), float(both[1])), float((np.abs(at @ both) / deviation).max())


def _robust_fit(model: np.ndarray, shift: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and their covariance by least squares with Tukey's biweight.

    Blocks scatter by more than their own errors, because colours in a scene have edges of their own; that scatter is estimated along.
    """
    size = model.shape[1]
    weight, scatter = 1 / (np.square(error) + 0.1), 0.0
    coefficients, covariance = np.zeros(size), np.eye(size)
    for _ in range(30):
        covariance = np.linalg.inv((model.T * weight) @ model + np.eye(size) / PRIOR_PX**2)
        coefficients = covariance @ (model.T @ (weight * shift))
        off = np.abs(shift - model @ coefficients)
        scatter = max(np.square(1.4826 * np.median(off)) - np.median(np.square(error)), 0.0)
        variance = np.square(error) + scatter
        last, weight = weight, np.square(1 - np.minimum(np.square(off) / (4.7**2 * variance), 1)) / variance
        if np.abs(weight - last).max() < 1e-3 * last.max():
            break
    return coefficients, covariance


STAGE = Stage(
    name="lateral_ca",
    order=80,
    summary="Lateral chromatic aberration found from the mosaic, corrected by geometry",
    params=LateralCaParams,
    run=run,
    source="Lucas & Kanade 1981; Mallon & Whelan 2007",
)
