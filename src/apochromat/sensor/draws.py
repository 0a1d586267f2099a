"""What chance does in a band of rows: the charge that pixels collect, and the numbers that the read-outs make of it.

Random numbers belong to a pixel, by a counter-based generator (`kernels/sensor_random.py`) keyed by (seed, frame), and by the sensor's
serial number for what is fixed in it: neither bands nor threads change them. Poisson's numbers are those of the inverse distribution.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apochromat.native import kernels
from apochromat.sensor.description import Sensor
from apochromat.sensor.errors import SensorError
from apochromat.sensor.operating_point import Conversion

LANES = 64  # bands are filled up to a multiple of so many columns: whole vectors of any processor
READOUTS = 3  # that the kernel takes
BITS = 48  # of a uniform number


def key(*whole: int) -> np.ndarray:
    """The generator's key (4,) uint32 for a seed and more whole numbers from 0; SensorError for others."""
    return _seeds(*whole).generate_state(4)


def _seeds(*whole: int) -> np.random.SeedSequence:
    if any(k != int(k) or k < 0 for k in whole):
        raise SensorError(f"expected a seed and a frame that are whole numbers from 0, found {' and '.join(map(str, whole[:2]))}")
    return np.random.SeedSequence(int(whole[0]), spawn_key=tuple(map(int, whole[1:])))


def charge(electrons: np.ndarray, sensor: Sensor, dark_e: float, seeds: tuple[int, int], top: int) -> np.ndarray:
    """Pixels of a band, (rows, 5, W'): charge (whole electrons), fixed dark offset in e-, its mean, and two that only serve here.

    electrons (rows, W): means with crosstalk, float32; top: the sensor's row that is the first; seeds: (seed, frame). W' is W, filled up.
    """
    rows, width = electrons.shape
    full = np.zeros((rows, -(-width // LANES) * LANES), np.float32)
    full[:, :width] = electrons
    drawn = np.empty((rows, 5, full.shape[1]), np.float32)
    kernels.sensor_charge(
        electrons=full,
        key=key(*seeds),
        copy=key(sensor.serial),
        top=top,
        prnu=sensor.pattern.prnu.value,
        dsnu_e=sensor.pattern.dsnu_e.value,
        dark_e=dark_e,
        most_e=4 * sensor.readouts[-1].full_well_e.value,  # far beyond it all is white
        drawn=drawn,
    )
    asked = np.nonzero(drawn[:, 0] < 0)
    mean, high, low = (drawn[:, plane][asked].astype(float) for plane in (2, 3, 4))
    drawn[:, 0][asked] = poisson_quantile((high * 2.0 ** (BITS // 2) + low + 0.5) * 2.0**-BITS, mean)
    return drawn


def poisson_quantile(share: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The least whole numbers (n,) whose Poisson distribution for a mean (n,) from 0 reaches a share (n,) above 0 and below 1."""
    from scipy.special import pdtr, pdtrik

    found = np.nan_to_num(np.ceil(pdtrik(share, mean)))  # right, or beside it
    while (low := pdtr(found, mean) < share).any():
        found += low
    while (high := (found > 0) & (pdtr(np.maximum(found - 1, 0), mean) >= share)).any():
        found -= high
    return found


def row_noise(readouts: Sequence[Conversion], rows: int, seeds: tuple[int, int], top: int) -> np.ndarray:
    """(rows, 3) e-, new in each frame, for each read-out; 0 for those that are not there."""
    chance = np.random.Generator(np.random.SFC64(_seeds(*seeds, top)))
    sigma = [readout.row_sigma_e for readout in readouts] + [0.0] * (READOUTS - len(readouts))
    return chance.standard_normal((rows, READOUTS), np.float32) * np.array(sigma, np.float32)


def numbers(
    drawn: np.ndarray,
    readouts: Sequence[Conversion],
    rows: np.ndarray,
    levels: dict[str, float],
    seeds: tuple[int, int],
    top: int,
    *,
    is_stored: bool,
) -> np.ndarray:
    """Numbers and their read-outs (rows, 2, W') uint16, of `charge`'s pixels.

    readouts: one to three, the highest gain first; rows: `row_noise`; levels: dark_e, which is taken off; per_e, numbers an electron;
    black; white. is_stored: as a frame is stored, dithered, and white where no read-out is trusted; else as the last converter gave it.
    """
    found = np.empty((len(drawn), 2, drawn.shape[2]), np.uint16)
    table = np.zeros((READOUTS, 7), np.float32)
    for row, r in zip(table, readouts, strict=False):
        trusted_e = r.trusted_e if is_stored else np.finfo(np.float32).max
        row[:] = r.full_well_e, r.pixel_sigma_e, 1 / r.e_dn, r.offset_dn, r.most_dn, r.e_dn, trusted_e
    given = {"drawn": drawn, "rows": rows, "readouts": table, "count": len(readouts), "key": key(*seeds), "top": top}
    kernels.sensor_numbers(**given, **levels, dither=float(is_stored), numbers=found)
    return found
