"""What an exposure index makes of a sensor, in closed form: read-outs in use, gains, levels, noise.

White falls with the exposure index: white_e = white_e(base) * base_iso / iso. Read-outs whose range white no longer needs are dropped;
one whose own range is more than white is amplified before its converter, as far as white allows and the amplifier can; what is
left of the index is a gain on the stored numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from apochromat.light.noise import NoiseModel
from apochromat.sensor.description import Readout, Sensor
from apochromat.sensor.errors import SensorError

WHITE = 65535
_MARGIN_SIGMA = 6.0  # a read-out is trusted up to this many sigma of its own noise below saturation
_BLACK_SIGMA = 8.0
_BLACK_STEP = 64
_STORING_VARIANCE = 0.25  # DN^2: rounding after triangular dither of two units' width


@dataclass(frozen=True)
class Conversion:
    """A read-out at one analogue gain, as summed over the conversions of a pixel; electrons of the pixel as read.

    e_dn: electrons a number; offset_dn and most_dn: lowest signal's and highest number; pixel_sigma_e: noise of a pixel before the
    last rounding; row_sigma_e: noise common to a row.
    """

    name: str
    full_well_e: float
    analogue_gain: float
    e_dn: float
    offset_dn: float
    most_dn: float
    pixel_sigma_e: float
    row_sigma_e: float

    @property
    def sigma_e(self) -> float:
        """Temporal noise without light and dark current, rounding included, e- r.m.s."""
        return math.sqrt(self.pixel_sigma_e**2 + self.row_sigma_e**2 + self.e_dn**2 / 12)

    @property
    def saturation_e(self) -> float:
        """Charge at which it saturates: that of the well or that of the converter."""
        return min(self.full_well_e, (self.most_dn - self.offset_dn) * self.e_dn)

    @property
    def trusted_e(self) -> float:
        """Charge up to which it is used."""
        return self.saturation_e - _MARGIN_SIGMA * self.sigma_e


@dataclass(frozen=True)
class OperatingPoint:
    """Levels and noise of stored frames (see the module).

    conversions: read-outs in use, highest gain first; e_dn: electrons a stored number; white_e: electrons at white; dark_e: mean dark
    signal, taken off as the optical black is; noise: below the first switch, R, G, B; switches: signal, black at 0 and white at 1, up
    to which each read-out is used.
    """

    conversions: tuple[Conversion, ...]
    e_dn: float
    black: int
    white: int
    white_e: float
    dark_e: float
    noise: NoiseModel
    switches: tuple[float, ...]


def conversion(sensor: Sensor, name: str, analogue_gain: float = 1.0) -> Conversion:
    """The read-out `name` of a sensor at an analogue gain of 1 to the sensor's highest; SensorError otherwise."""
    most = sensor.converter.most_analogue_gain.value
    if not 1 <= analogue_gain <= most:
        raise SensorError(f"expected an analogue gain of 1 to {most:g} ({sensor.name}), found {analogue_gain:g}")
    for readout in sensor.readouts:
        if readout.name == name:
            return _converted(sensor, readout, analogue_gain)
    raise SensorError(f"expected a read-out of {sensor.name} ({', '.join(r.name for r in sensor.readouts)}), found {name!r}")


def _converted(sensor: Sensor, readout: Readout, gain: float) -> Conversion:
    side = sensor.binning.digital.value
    count, e_dn = side * side, readout.conversion_e_dn.value / gain
    ktc = readout.ktc_noise_e.value if readout.ktc_noise_e is not None else 0.0
    one = readout.read_noise_e.value**2 + ktc**2 + (readout.converter_noise_dn.value * e_dn) ** 2
    return Conversion(
        name=readout.name,
        full_well_e=readout.full_well_e.value,
        analogue_gain=gain,
        e_dn=e_dn,
        offset_dn=count * sensor.converter.offset_dn.value,
        most_dn=count * (2**sensor.converter.bits.value - 1),
        pixel_sigma_e=math.sqrt(count * one + (count - 1) * e_dn**2 / 12),  # all roundings but the one that is done
        row_sigma_e=side**1.5 * readout.row_noise_e.value,  # each of `side` rows counts in `side` conversions
    )


def _amplified(sensor: Sensor, readout: Readout, white_e: float) -> Conversion:
    """A read-out at the highest gain at which it is still trusted up to `white_e`; at 1 where it is not even then."""
    unit = _converted(sensor, readout, 1.0)
    if unit.trusted_e <= white_e:
        return unit
    count = sensor.binning.digital.value**2
    span = (unit.most_dn - unit.offset_dn) * unit.e_dn
    behind = _MARGIN_SIGMA**2 * unit.e_dn**2 * count * (readout.converter_noise_dn.value**2 + 1 / 12)
    before = _MARGIN_SIGMA**2 * unit.sigma_e**2 - behind
    # span u - white = sqrt(before + behind u^2) with u = 1 / gain: the larger root
    a, b, c = span**2 - behind, -span * white_e, white_e**2 - before
    inverse = (-b + math.sqrt(max(b * b - a * c, 0.0))) / a
    return _converted(sensor, readout, min(max(1 / inverse, 1.0), sensor.converter.most_analogue_gain.value))


def dark_signal(sensor: Sensor, exposure_s: float, temperature_c: float = 25.0) -> float:
    """Mean dark signal of a pixel, e-: doubles each `doubling_c`."""
    return sensor.dark.current_e_s.value * exposure_s * 2.0 ** ((temperature_c - 25) / sensor.dark.doubling_c.value)


def operating_point(sensor: Sensor, *, iso: float, exposure_s: float, temperature_c: float = 25.0) -> OperatingPoint:
    """Read-outs, levels and noise at an exposure index (base_iso to most_iso of the sensor), an exposure of 1e-6 to 3600 s and a
    temperature of -40 to 100 degrees Celsius; SensorError for others and for an exposure that dark current alone fills."""
    _check("ISO", iso, sensor.converter.base_iso.value, sensor.converter.most_iso.value, sensor)
    _check("exposure in s", exposure_s, 1e-6, 3600, sensor)
    _check("temperature in degrees Celsius", temperature_c, -40, 100, sensor)
    white_e = _converted(sensor, sensor.readouts[-1], 1.0).trusted_e * sensor.converter.base_iso.value / iso
    conversions = _in_use(sensor, white_e)
    dark_e = dark_signal(sensor, exposure_s, temperature_c)
    if dark_e > 0.5 * min(conversions[-1].trusted_e, conversions[0].trusted_e):
        raise SensorError(f"expected a dark signal below half the range of {sensor.name}, found {dark_e:.0f} e- in {exposure_s:g} s")
    sigma_e = math.sqrt(conversions[0].sigma_e ** 2 + dark_e)
    black = _black(sensor, white_e, sigma_e)
    steps = WHITE - black
    offset = (sigma_e / white_e) ** 2 + _STORING_VARIANCE / steps**2
    return OperatingPoint(
        conversions=conversions,
        e_dn=white_e / steps,
        black=black,
        white=WHITE,
        white_e=white_e,
        dark_e=dark_e,
        noise=NoiseModel(np.full(3, 1 / white_e), np.full(3, offset)),
        switches=tuple(min((c.trusted_e - dark_e) / white_e, 1.0) for c in conversions),
    )


def _in_use(sensor: Sensor, white_e: float) -> tuple[Conversion, ...]:
    """Read-outs from the highest gain to the first that is trusted up to white."""
    found = []
    for readout in sensor.readouts:
        found.append(_amplified(sensor, readout, white_e))
        if found[-1].trusted_e >= white_e * (1 - 1e-9):
            break
    return tuple(found)


def _black(sensor: Sensor, white_e: float, sigma_e: float) -> int:
    """Stored black, raised to 8 sigma of the dark (temporal and fixed) where the declared one is less."""
    black = round(sensor.converter.black_level.value)
    spread_e = math.hypot(sigma_e, sensor.pattern.dsnu_e.value)
    needed = _BLACK_SIGMA * math.hypot(spread_e / white_e * (WHITE - black), math.sqrt(_STORING_VARIANCE))
    if needed > black:
        black = math.ceil(needed / _BLACK_STEP) * _BLACK_STEP
    if black > WHITE // 2:
        raise SensorError(f"expected an exposure with noise below 1/16 of white ({sensor.name}), found {spread_e:.1f} of {white_e:.0f} e-")
    return black


def _check(what: str, value: float, low: float, high: float, sensor: Sensor) -> None:
    if not low <= value <= high:
        raise SensorError(f"expected {what} of {low:g} to {high:g} ({sensor.name}), found {value:g}")
