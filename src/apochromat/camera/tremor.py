"""How a hand moves a camera: rotation about three axes over time, a sum of many sines of a measured-like spectrum.

Slow drift, its rate falling off above 1 Hz, and a broad resonance at 6 to 12 Hz, the band of physiological tremor (R. N. Stiles and
J. E. Randall, J. Appl. Physiol. 23, 1967); the amplitudes are the camera's, assumed with a range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apochromat.camera.description import Shake

DRIFT_HZ, TREMOR_HZ, TREMOR_WIDTH_HZ = 1.0, 9.0, 1.5
LOWEST_HZ, HIGHEST_HZ, SINES = 0.05, 20.0, 160


@dataclass(frozen=True)
class Tremor:
    """Angles in radians at a time: yaw (moves the picture right), pitch (down) and roll (clockwise), each the sum of its sines."""

    frequency_hz: np.ndarray  # (n,)
    amplitude: np.ndarray  # (3, n) radians
    phase: np.ndarray  # (3, n)

    def at(self, time_s: np.ndarray) -> np.ndarray:
        """Angles (3, ...) at times (...), less those at time 0."""
        turns = 2 * np.pi * np.multiply.outer(np.asarray(time_s, float), self.frequency_hz)
        waves = np.sin(turns[..., None, :] + self.phase) - np.sin(self.phase)
        return np.moveaxis((waves * self.amplitude).sum(-1), -1, 0)


def tremor(shake: Shake, seed: int) -> Tremor:
    """The movement of one hand, the same for the same seed."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(77,)))
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, SINES + 1)
    frequency = np.sqrt(edges[1:] * edges[:-1])
    band = np.diff(edges)
    drift = 1 / (1 + (frequency / DRIFT_HZ) ** 4) * band
    shiver = np.exp(-0.5 * ((frequency - TREMOR_HZ) / TREMOR_WIDTH_HZ) ** 2) * band
    power = [  # of the rate, (deg/s)^2 in each band
        shake.drift_deg_s.value**2 * drift / drift.sum() + shake.tremor_deg_s.value**2 * shiver / shiver.sum(),
        shake.drift_deg_s.value**2 * drift / drift.sum() + shake.tremor_deg_s.value**2 * shiver / shiver.sum(),
        shake.roll_deg_s.value**2 * drift / drift.sum(),
    ]
    amplitude = np.radians(np.sqrt(2 * np.array(power))) / (2 * np.pi * frequency)
    return Tremor(frequency, amplitude * rng.rayleigh(np.sqrt(0.5), amplitude.shape), rng.uniform(0, 2 * np.pi, amplitude.shape))
