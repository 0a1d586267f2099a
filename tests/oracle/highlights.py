"""Oracles of the two highlight kernels: NumPy, float64, written for reading."""

import numpy as np

BLOCK, TRUST = 8, 0.7
COLOR = np.array([[0, 1], [1, 2]])


def rim(mosaic, clip, level):
    """Weights of the pairs RG, GB, BR and their weighted root differences over every other row of blocks of 8 x 8 cells: (6, h, w).

    mosaic, level (H, W): white-balanced samples and their clip levels. clip (H/2, W/2): bits.
    """

    def cells(image):
        return np.stack([image[0::2, 0::2], (image[0::2, 1::2] + image[1::2, 0::2]) / 2, image[1::2, 1::2]]).astype(np.float64)

    value, root = cells(mosaic), np.sqrt(np.maximum(cells(mosaic), 0))
    share = value / np.stack([level[0::2, 0::2], level[0::2, 1::2], level[1::2, 1::2]])
    padded = np.pad(clip, 2, "edge")
    near = np.bitwise_or.reduce([padded[i : i + clip.shape[0], j : j + clip.shape[1]] for i in range(5) for j in range(5)])
    sums = []
    for i, j in ((0, 1), (1, 2), (2, 0)):
        brighter = np.clip(np.maximum(share[i], share[j]), 0, 1)
        bits = (1, 6, 8)[i] | (1, 6, 8)[j]
        weight = np.where(near & bits, 0, np.minimum((1 - brighter) * 8, 1) * brighter**4)
        sums.append((weight, weight * (root[j] - root[i])))
    return np.stack([blocks(part) for parts in zip(*sums, strict=True) for part in parts])


def blocks(cells):
    h, w = cells.shape
    padded = np.zeros((-(-h // BLOCK) * BLOCK, -(-w // BLOCK) * BLOCK))
    padded[:h, :w] = cells
    return padded.reshape(padded.shape[0] // BLOCK, BLOCK, padded.shape[1] // BLOCK, BLOCK)[:, ::2].sum((1, 3))


def rebuild(mosaic, clip, level, chroma):
    """White-balanced mosaic (H, W) with its clipped samples rebuilt; chroma (3, H, W): surrounding root differences at every pixel."""
    value = mosaic.astype(np.float64)
    height, width = value.shape
    y, x = np.mgrid[:height, :width]
    bit = (clip[y // 2, x // 2] >> (2 * (y % 2) + x % 2)) & 1
    trust = np.where(bit, 0, smooth((level - value) / (level * (1 - TRUST))))
    root = np.sqrt(np.maximum(value, 0))
    known = np.where(bit, level, value)
    color = COLOR[y % 2, x % 2]
    trusts, roots, knowns = (spread(image, color) for image in (trust, trust * root, known))
    total = trusts.sum(0)
    base = (roots - trusts * chroma).sum(0) / np.maximum(total, 1e-4)
    own = np.take_along_axis(chroma, color[None], 0)[0]
    colored, neutral = np.maximum(base + own, 0) ** 2, knowns.max(0)
    rebuilt = neutral + smooth(2 * total) * (colored - neutral)
    return np.where(bit, np.maximum(rebuilt, np.minimum(value, known)), value)


def spread(image, color):
    """The samples of each colour averaged with the tent [1 2 1] x [1 2 1] over those of that colour: (3, H, W)."""
    tent = np.outer([1, 2, 1], [1, 2, 1])
    planes = []
    for c in range(3):
        mask = np.pad((color == c).astype(float), 1, "reflect")
        padded = np.pad(image, 1, "reflect") * mask
        h, w = image.shape
        window = [(tent[i, j], padded[i : i + h, j : j + w], mask[i : i + h, j : j + w]) for i in range(3) for j in range(3)]
        planes.append(sum(t * p for t, p, _ in window) / sum(t * m for t, _, m in window))
    return np.stack(planes)


def smooth(t):
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
