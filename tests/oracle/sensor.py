"""The sensor's draws, slow and obvious: Threefry-4x32 word by word, normal deviates and Poisson numbers by their inverse distributions."""

import numpy as np
from scipy.special import ndtri, pdtr

ROTATIONS = np.array([[10, 26], [11, 21], [13, 27], [23, 5], [6, 20], [17, 11], [25, 10], [18, 20]], np.uint64)
WORD = np.uint64(0xFFFFFFFF)


def threefry(counter, key, rounds=20):
    """Words (4, ...) of counters (4, ...) under a key (4,), by the paper's definition."""
    key = [np.uint64(k) for k in key]
    key.append(key[0] ^ key[1] ^ key[2] ^ key[3] ^ np.uint64(0x1BD11BDA))
    v = [(np.asarray(n, np.uint64) + k) & WORD for n, k in zip(counter, key, strict=False)]
    for n in range(rounds):
        first, second = ((0, 1), (2, 3)) if n % 2 == 0 else ((0, 3), (2, 1))
        for (a, b), by in zip((first, second), ROTATIONS[n % 8], strict=True):
            v[a] = (v[a] + v[b]) & WORD
            v[b] = (((v[b] << by) | (v[b] >> (np.uint64(32) - by))) & WORD) ^ v[a]
        if n % 4 == 3:
            step = (n + 1) // 4
            v = [(w + key[(step + i) % 5] + np.uint64(step * (i == 3))) & WORD for i, w in enumerate(v)]
    return np.stack(v)


def words(shape, top, purpose, key):
    """Words (4, H, W) of the pixels of a band."""
    y, x = np.indices(shape)
    return threefry((x, y + top, purpose + 0 * x, 0 * x), key)


def normal(word):
    """Normal deviates of words, symmetric about 1/2."""
    return ndtri((word.astype(float) + 0.5) * 2.0**-32)


def uniform48(high, low):
    """Uniform numbers of 48 bits."""
    return (high.astype(float) * 2.0**16 + (low >> np.uint64(16)).astype(float) + 0.5) * 2.0**-48


def is_poisson_quantile(found, share, mean):
    """Whether numbers are the least at which the Poisson distribution reaches a share."""
    below = np.where(found > 0, pdtr(np.maximum(found - 1, 0), mean), 0.0)
    return (below < share) & (share <= pdtr(found, mean))


def stored(charge, fixed, rows, readouts, levels, drawn):
    """Stored numbers and read-outs, and the numbers before the last rounding, of charges (H, W): read-outs from the highest gain on.

    rows (H, n): noise of rows; readouts: `Conversion`s; levels: as of `draws.numbers`, stored; drawn (4, H, W): words.
    """
    found, chosen = np.zeros(charge.shape), np.zeros(charge.shape, int)
    over = np.ones(charge.shape, bool)
    for index, r in enumerate(readouts):
        signal = np.minimum(charge, r.full_well_e) + fixed + rows[:, index : index + 1] + r.pixel_sigma_e * normal(drawn[index])
        electrons = (np.clip(np.rint(signal / r.e_dn + r.offset_dn), 0, r.most_dn) - r.offset_dn) * r.e_dn
        found[over], chosen[over] = electrons[over], index
        over &= found >= r.trusted_e
    dither = ((drawn[3] >> np.uint64(16)).astype(float) - (drawn[3] & np.uint64(0xFFFF)).astype(float)) / 65536
    exact = (found - levels["dark_e"]) * levels["per_e"] + levels["black"] + dither
    return np.where(over, levels["white"], np.clip(np.rint(exact), 0, levels["white"])), chosen
