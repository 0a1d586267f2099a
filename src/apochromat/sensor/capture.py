"""Mean photo-electrons to stored numbers: crosstalk, shot noise, wells, read-outs, converter, combination.

The model is that of the EMVA 1288 standard (release 4.0, section 2) with more than one read-out: shot noise is Poisson's, all other
noise normal. Storing is dithered with triangular noise (S. P. Lipshitz, R. A. Wannamaker, J. Vanderkooy, "Quantization and dither:
a theoretical survey", J. Audio Eng. Soc. 40, 1992): the converter's numbers, rounded once more, would else have a mean and a variance
that depend on where the two scales meet. Bands of rows go through compiled kernels (`draws.py`) one by one, so that what they need stays
in the cache; the result does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from apochromat.light.noise import NoiseModel
from apochromat.sensor import draws
from apochromat.sensor.description import Sensor
from apochromat.sensor.errors import SensorError
from apochromat.sensor.operating_point import Conversion, conversion, dark_signal, operating_point

_BLOCK = 32  # rows of a band


@dataclass(frozen=True)
class Captured:
    """A frame as stored, and what the sensor knows of it.

    samples (H, W) uint16; black and white in the same numbers; noise on (sample - black) / (white - black), valid below switches[0];
    switches: that signal up to which each read-out of `readouts` is used; chosen (H, W) uint8: which one each pixel is from.
    """

    samples: np.ndarray
    black: int
    white: int
    noise: NoiseModel
    readouts: tuple[str, ...]
    switches: tuple[float, ...]
    chosen: np.ndarray
    electrons_at_white: float


def capture(
    mean: np.ndarray,
    sensor: Sensor,
    *,
    iso: float,
    exposure_s: float,
    seed: int,
    frame: int = 0,
    temperature_c: float = 25.0,
    threads: int = 2,
) -> Captured:
    """A frame of the sensor.

    mean (H, W): mean photo-electrons of each pixel of the RGGB mosaic during the exposure (efficiency, IR-cut and microlens included,
    crosstalk not), even, at most the sensor's size; a smaller one is a sensor cut to that width. seed and frame: whole numbers from
    0. The same arguments give the same samples on any number of threads. Raises SensorError for pixels that are negative or not
    finite, a wrong shape, and what `operating_point` refuses.
    """
    point = operating_point(sensor, iso=iso, exposure_s=exposure_s, temperature_c=temperature_c)
    mean = _checked(mean, sensor)
    samples, chosen = np.empty(mean.shape, np.uint16), np.empty(mean.shape, np.uint8)
    levels = {"dark_e": point.dark_e, "per_e": 1 / point.e_dn, "black": point.black, "white": point.white}

    def work(block: int) -> None:
        found = _numbers(mean, sensor, block, point.dark_e, point.conversions, levels, (seed, frame), is_stored=True)
        rows = slice(block * _BLOCK, (block + 1) * _BLOCK)
        samples[rows], chosen[rows] = found[:, 0], found[:, 1]

    _for_blocks(work, mean.shape[0], threads)
    return Captured(
        samples=samples,
        black=point.black,
        white=point.white,
        noise=point.noise,
        readouts=tuple(c.name for c in point.conversions),
        switches=point.switches,
        chosen=chosen,
        electrons_at_white=point.white_e,
    )


def capture_readout(
    mean: np.ndarray,
    sensor: Sensor,
    name: str,
    *,
    exposure_s: float,
    seed: int,
    frame: int = 0,
    analogue_gain: float = 1.0,
    temperature_c: float = 25.0,
    threads: int = 2,
) -> np.ndarray:
    """Numbers (H, W) uint16 of the converter for one read-out alone ("single", "HCG", "LCG" or "LOFIC"), before any combination.

    What photon transfer is measured on; the dark signal is still in it. Arguments and errors as in `capture` and `conversion`.
    """
    readout = conversion(sensor, name, analogue_gain)
    dark_e = dark_signal(sensor, exposure_s, temperature_c)
    mean = _checked(mean, sensor)
    samples = np.empty(mean.shape, np.uint16)

    levels = {"dark_e": 0.0, "per_e": 1 / readout.e_dn, "black": readout.offset_dn, "white": readout.most_dn}

    def work(block: int) -> None:
        found = _numbers(mean, sensor, block, dark_e, (readout,), levels, (seed, frame), is_stored=False)
        samples[block * _BLOCK : (block + 1) * _BLOCK] = found[:, 0]

    _for_blocks(work, mean.shape[0], threads)
    return samples


def expected(mean: np.ndarray, sensor: Sensor, *, iso: float, exposure_s: float, temperature_c: float = 25.0) -> np.ndarray:
    """The mosaic (H, W) float32 that `capture` scatters about, in stored numbers: crosstalk, black and clipping, but neither noise nor
    fixed pattern. Arguments and errors as in `capture`."""
    point = operating_point(sensor, iso=iso, exposure_s=exposure_s, temperature_c=temperature_c)
    mean = _checked(mean, sensor)
    found = np.empty(mean.shape, np.float32)
    for block in range(-(-mean.shape[0] // _BLOCK)):
        found[block * _BLOCK : (block + 1) * _BLOCK] = _crosstalk(mean, sensor, block)
    found *= np.float32(1 / point.e_dn)
    found += np.float32(point.black)
    return np.minimum(found, np.float32(point.white), out=found)


def _checked(mean: np.ndarray, sensor: Sensor) -> np.ndarray:
    mean = np.asarray(mean)
    rows, columns = sensor.shape
    good = mean.ndim == 2 and mean.size and not any(n % 2 for n in mean.shape) and mean.shape[0] <= rows and mean.shape[1] <= columns
    if not good:
        raise SensorError(f"expected electrons of an even shape of at most {rows} x {columns} ({sensor.name}), found shape {mean.shape}")
    if mean.dtype.kind not in "fiu":
        raise SensorError(f"expected electrons as real numbers, found {mean.dtype}")
    return mean.astype(np.float32, copy=False)


def _for_blocks(work: Callable[[int], None], rows: int, threads: int) -> None:
    blocks = range(-(-rows // _BLOCK))
    if threads < 1:
        raise SensorError(f"expected at least 1 thread, found {threads}")
    if threads == 1:
        for block in blocks:
            work(block)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, blocks))


def _crosstalk(mean: np.ndarray, sensor: Sensor, block: int) -> np.ndarray:
    """Electrons (rows, W) of a block after its pixels' neighbours have had their share; mirrored at the edges, colours kept."""
    height, width = mean.shape
    top, bottom = block * _BLOCK, min((block + 1) * _BLOCK, height)
    edge = 2 if sensor.cfa == "quad RGGB" else 1
    around = np.arange(top - 1, bottom + 1)
    around[0], around[-1] = around[0] if top else edge, around[-1] if bottom < height else height - 1 - edge
    padded = np.empty((len(around), width + 2), np.float32)
    padded[:, 1:-1] = mean[around]
    padded[:, 0], padded[:, -1] = padded[:, 1 + edge], padded[:, -2 - edge]
    if not (padded.min() >= 0 and np.isfinite(padded.max())):
        raise SensorError(f"expected finite electrons of at least 0 in each pixel, found others in rows {top} to {bottom - 1}")
    side, corner = sensor.crosstalk.side.value, sensor.crosstalk.corner.value
    columns = padded[:-2] + padded[2:]
    found = np.float32(1 - 4 * (side + corner)) * padded[1:-1, 1:-1]
    found += np.float32(side) * (columns[:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:])
    found += np.float32(corner) * (columns[:, :-2] + columns[:, 2:])
    return found


def _numbers(
    mean: np.ndarray,
    sensor: Sensor,
    block: int,
    dark_e: float,
    readouts: tuple[Conversion, ...],
    levels: dict[str, float],
    seeds: tuple[int, int],
    *,
    is_stored: bool,
) -> np.ndarray:
    """Numbers and the read-outs they are from, (rows, 2, W), of a block."""
    electrons, top = _crosstalk(mean, sensor, block), block * _BLOCK
    drawn = draws.charge(electrons, sensor, dark_e, seeds, top)
    rows = draws.row_noise(readouts, len(electrons), seeds, top)
    return draws.numbers(drawn, readouts, rows, levels, seeds, top, is_stored=is_stored)[:, :, : electrons.shape[1]]
