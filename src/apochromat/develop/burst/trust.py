"""How far each part of a displaced frame is to be believed: fully where it shows what the reference shows, not at all elsewhere.

Source: the robustness of Wronski et al., "Handheld multi-frame super-resolution" (ACM Trans. Graphics 38, 2019), here as two tests
against the noise model: the mean square of the difference over a tile, which finds things, and the mean difference of each colour,
which finds faint shadows. Aliasing and what is left of misalignment grow with the local gradient; its share is allowed for.
"""

from __future__ import annotations

import numpy as np

from apochromat.develop.burst.planes import BORDER, Planes
from apochromat.native import kernels

TILE = 8  # cells along a tile's side
SQUARE, GRADIENT = 0.4, 0.35  # excess of the mean square that is allowed: of noise alone, and per root of the squared gradient
MEAN = 0.5  # sum of the three squared mean differences that noise reaches once in a thousand tiles of 8 x 8
Each = float | np.ndarray  # one number, or one for every tile
SPAN = 2.0  # at this multiple of what is allowed a tile counts nothing


def grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of tiles that cover a mosaic (height, width)."""
    return -(-height // (2 * TILE)), -(-width // (2 * TILE))


def trust(
    reference: Planes, frame: Planes, flow: np.ndarray, own: Each = 1.0, noise: Each = 1.0, patience: Each = 1.0, slack: Each = 0.0
) -> np.ndarray:
    """Weight 0..1 of each tile (rows, columns) of a frame displaced by `flow` (rows, columns, 2) cells.

    own, noise: variance of the reference's planes and of the frame's, each one number or that of every tile. patience: how many
    times as far as usual the two may differ. slack: by how many cells edges may lie apart beyond that.
    """
    facts = np.empty((*flow.shape[:2], 6), np.float32)
    kernels.burst_trust(reference=reference.colors, frame=frame.colors, flow=np.ascontiguousarray(flow, np.float32), facts=facts)
    square, gradient, covered = facts[..., 0], facts[..., 4], facts[..., 5]
    expected = own + noise * _noise_kept(flow[..., 0]) * _noise_kept(flow[..., 1])
    scale = (own + noise) / 2
    apart = np.square(slack) * gradient
    unlike = (square - expected) / (patience * (SQUARE * scale + GRADIENT * np.sqrt(scale * gradient)) + apart)
    shifted = np.square(facts[..., 1:4] - _bias(reference, own, noise)).sum(-1) / (patience * MEAN * scale + 3 * apart)
    weight = _falling(unlike) * _falling(shifted * np.maximum(covered, 0.1)) * (covered > 0.1)
    return np.minimum(weight, _lowest_around(weight)).astype(np.float32)


def _bias(reference: Planes, own: Each, noise: Each) -> np.ndarray | float:
    """Mean difference (rows, columns, 3) of two planes that show the same with different noise: a root's mean falls by v / 2z."""
    if np.all(own == noise):
        return 0.0
    inner = reference.colors[:, BORDER:-BORDER, BORDER:-BORDER]
    root = np.stack([tile_means(color, TILE) for color in inner], -1)
    return np.asarray(own - noise)[..., None] / (2 * np.maximum(root, 1))


def tile_means(picture: np.ndarray, side: int) -> np.ndarray:
    """Mean of each tile of a picture (H, W), those at the border of what they hold."""
    rows, columns = (np.arange(0, n, side) for n in picture.shape)
    total = np.add.reduceat(np.add.reduceat(picture, rows, axis=0), columns, axis=1)
    counts = (np.minimum(n + side, size) - n for n, size in zip((rows, columns), picture.shape, strict=True))
    return total / np.multiply.outer(*counts)


def _falling(excess: np.ndarray) -> np.ndarray:
    """1 up to an excess of 1, 0 from SPAN."""
    return np.clip((SPAN - excess) / (SPAN - 1), 0, 1)


def _noise_kept(shift: np.ndarray) -> np.ndarray:
    """Share of white noise's variance that Keys' interpolation keeps at a displacement, along one axis."""
    t = shift - np.floor(shift)
    weights = (((-0.5 * t + 1) * t - 0.5) * t, (1.5 * t - 2.5) * t * t + 1, ((-1.5 * t + 2) * t + 0.5) * t, (0.5 * t - 0.5) * t * t)
    return sum(np.square(w) for w in weights)


def _lowest_around(weight: np.ndarray) -> np.ndarray:
    """The lowest weight of a tile's eight neighbours and itself, since what moved seldom ends at a tile's border."""
    return np.min(_around(weight), axis=0)


def highest_around(tiles: np.ndarray) -> np.ndarray:
    """The highest value of a tile's eight neighbours and itself."""
    highest: np.ndarray = np.max(_around(tiles), axis=0)
    return highest


def _around(tiles: np.ndarray) -> list[np.ndarray]:
    """A map shifted to each of the eight neighbours, and itself, its border repeated."""
    edge = np.pad(tiles, 1, mode="edge")
    height, width = tiles.shape
    return [edge[i : i + height, j : j + width] for i in range(3) for j in range(3)]
