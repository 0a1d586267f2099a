"""Full resolution: a quad-Bayer sensor read photodiode by photodiode, and remosaiced to the 2 x 2 mosaic that raw developers read.

Remosaicing is linear: where a photodiode has not the colour that the mosaic wants there, that colour is estimated by local regression of
first order (H. Takeda, S. Farsiu, P. Milanfar, "Kernel regression for image processing and reconstruction", IEEE TIP 16, 2007) and given
half of the detail of the colour that is there (as H. Malvar, L. He, R. Cutler, "High-quality linear interpolation for demosaicing of
Bayer-patterned color images", ICASSP 2004, do). Its noise is therefore correlated from pixel to pixel.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from apochromat.light.noise import NoiseModel
from apochromat.sensor.capture import Captured
from apochromat.sensor.description import Sensor
from apochromat.sensor.errors import SensorError

_COLOUR = np.array([[0, 1], [1, 2]])  # of an RGGB mosaic: planes R, G, B
_REACH = 4
_SIGMA = 0.8  # pixels, of the regression's weights
_DETAIL = 0.5


def native(sensor: Sensor) -> Sensor:
    """The same part with 2 x 2 binning undone: its mosaic is quad-Bayer, `capture` takes and gives (2H, 2W).

    Wells, dark current and electrons are a quarter, DSNU half, PRNU twice (independent photodiodes), crosstalk twice (twice the edge for
    the area); conversions and read-out time stay. SensorError for a sensor that is not binned 2 x 2.
    """
    side = sensor.binning.charge.value * sensor.binning.digital.value
    if side != 2:
        raise SensorError(f"expected a sensor that is binned 2 x 2, found {side:g} x {side:g} ({sensor.name})")
    document = sensor.model_dump()
    document["name"], document["title"] = f"{sensor.name}-native", f"{sensor.title}, photodiode by photodiode"
    document["cfa"] = "quad RGGB"
    for place, entry, factor in (
        ("pixels", "rows", 2), ("pixels", "columns", 2), ("pixels", "pitch_um", 0.5), ("dark", "current_e_s", 0.25),
        ("pattern", "dsnu_e", 0.5), ("pattern", "prnu", 2), ("crosstalk", "side", 2), ("crosstalk", "corner", 2),
    ):  # fmt: skip
        document[place][entry] = _scaled(document[place][entry], factor)
    for entry in ("charge", "digital"):
        document["binning"][entry] = {"value": 1.0, "source": "photodiode by photodiode", "kind": "published"}
    for readout in document["readouts"]:
        readout["full_well_e"] = _scaled(readout["full_well_e"], 0.25)
    return Sensor.model_validate(document)


def _scaled(number: dict[str, Any], factor: float) -> dict[str, Any]:
    span = number["range"] and tuple(factor * v for v in number["range"])
    return {**number, "value": factor * number["value"], "range": span, "source": f"{number['source']}; times {factor:g} for a photodiode"}


def remosaiced(frame: Captured) -> Captured:
    """A quad-Bayer frame (H, W both multiples of 4 and at least 8) as a 2 x 2 RGGB frame of the same size and levels.

    The noise is that of flat grey light, the mean over the positions of each colour; it is correlated. `chosen` and `switches` stay
    those of the photodiodes. Saturated photodiodes stay white.
    """
    found = remosaic(frame.samples, frame.white)
    np.rint(found, out=found)
    share = np.array([np.mean([_noise_share(y, x) for y, x in _phases(plane)]) for plane in range(3)])
    noise = NoiseModel(frame.noise.scale * share, frame.noise.offset * share)
    return replace(frame, samples=found.astype(frame.samples.dtype), noise=noise)


def remosaic(quad: np.ndarray, white: float) -> np.ndarray:
    """Numbers (H, W) of a quad-Bayer mosaic as a 2 x 2 RGGB mosaic float32, within 0 and white; what is white stays so."""
    height, width = quad.shape
    if height % 4 or width % 4 or min(height, width) < 8:
        raise SensorError(f"expected a quad-Bayer frame of multiples of 4 and at least 8 x 8, found {height} x {width}")
    padded = quad[np.ix_(_mirrored(height), _mirrored(width))]
    out = np.empty(quad.shape, np.float32)
    for y in range(4):
        for x in range(4):
            found = np.zeros((height // 4, width // 4), np.float32)
            for (dy, dx), weight in _weights(y, x).items():
                top, left = y + dy + _REACH, x + dx + _REACH
                found += np.float32(weight) * padded[top : top + height : 4, left : left + width : 4][: height // 4, : width // 4]
            own = quad[y::4, x::4]
            out[y::4, x::4] = np.where(own >= white, own, np.clip(found, 0, white))
    return out


def _mirrored(length: int) -> np.ndarray:
    """Indices of a padded axis: mirrored about the middle of the outermost photodiode pairs, so that colours stay in phase."""
    index = np.arange(-_REACH, length + _REACH)
    return np.where(index < 0, 1 - index, np.where(index >= length, 2 * length - 3 - index, index))


def _wanted(y: int, x: int) -> int:
    return int(_COLOUR[y % 2, x % 2])


def _there(y: int, x: int) -> int:
    return int(_COLOUR[y // 2 % 2, x // 2 % 2])


def _phases(plane: int) -> list[tuple[int, int]]:
    """Positions within 4 x 4 at which a mosaic wants a colour."""
    return [(y, x) for y in range(4) for x in range(4) if _wanted(y, x) == plane]


@cache
def _weights(y: int, x: int) -> dict[tuple[int, int], float]:
    """Offsets and weights whose sum is the wanted colour at a position within 4 x 4."""
    if _wanted(y, x) == _there(y, x):
        return {(0, 0): 1.0}
    weights = dict(_regression(y, x, _wanted(y, x)))
    for offset, weight in _regression(y, x, _there(y, x)).items():
        weights[offset] = weights.get(offset, 0.0) - _DETAIL * weight
    weights[0, 0] = weights.get((0, 0), 0.0) + _DETAIL
    return weights


def _regression(y: int, x: int, plane: int) -> dict[tuple[int, int], float]:
    """Weights of the photodiodes of a colour whose sum is their plane of least squares at (y, x)."""
    reach = range(-_REACH + 1, _REACH)
    offsets = [(dy, dx) for dy in reach for dx in reach if _there(y + dy, x + dx) == plane]
    dy, dx = np.array(offsets, float).T
    near = np.exp(-(dy**2 + dx**2) / (2 * _SIGMA**2))
    design = np.stack([np.ones_like(dy), dy, dx], axis=1)
    solved = np.linalg.solve(design.T @ (near[:, None] * design), (near[:, None] * design).T)
    return dict(zip(offsets, solved[0].tolist(), strict=True))


def _noise_share(y: int, x: int) -> float:
    """Variance at a position for variance 1 of each photodiode."""
    return sum(w * w for w in _weights(y, x).values())
