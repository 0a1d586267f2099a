"""The result of `apo lens tolerance`: yield, worst offenders and refocus in words and numbers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np

from apochromat.optics.lens import Lens
from apochromat.optics.perturb import declared
from apochromat.optics.tolerance import SEED, monte_carlo, sensitivity, wavefront_and_focus

MARECHAL = 1 / 14  # waves of RMS wavefront error: diffraction-limited
ALLOWED = 1.25  # times the design's own error, where that is larger
OFFENDERS = 10


@dataclass(frozen=True)
class Beam:
    """RMS wavefront error (waves) of one beam: as designed, its limit, what half and 90 % of the samples stay below, share that fails."""

    configuration: str
    field: tuple[float, float]
    wavelength_nm: float
    nominal: float
    limit: float
    median: float
    p90: float
    failing: float


@dataclass(frozen=True)
class Report:
    """Yield of a lens built within a set of tolerances, each sample refocused; offenders: label and rise of the worst beam in limits."""

    lens: str
    tolerances: str
    version: str
    status: str
    samples: int
    seed: int
    passing: float
    beams: tuple[Beam, ...]
    offenders: tuple[tuple[str, float], ...]
    refocus_um: tuple[float, float]  # what the image plane moves by: standard deviation, largest

    def to_json(self) -> str:
        """One JSON object; `yield` is `passing`."""
        fields = asdict(self)
        return json.dumps({"yield": fields.pop("passing")} | fields)

    def text(self) -> str:
        """A page of text."""
        lines = [
            f"{self.lens}: {100 * self.passing:.1f} % of {self.samples} samples pass ({self.tolerances} set {self.version}, {self.status}; "
            f"seed {self.seed}).",
            f"A sample passes where no beam's RMS wavefront error exceeds 1/14 wave, or {ALLOWED:g} times the design's where that is more.",
            f"Refocus: standard deviation {self.refocus_um[0]:.1f} um, largest {self.refocus_um[1]:.1f} um.",
            "",
            "Worst offenders, alone at an end of their range: rise of a beam's error in parts of its limit",
            *(f"  {label:<46} {rise:8.3f}" for label, rise in self.offenders),
            "",
            "configuration    field          nm   design  limit  median    90 %  failing",
            *(
                f"{b.configuration[:14]:<14} {b.field[0]:6.2f} {b.field[1]:6.2f} {b.wavelength_nm:9.1f} {b.nominal:7.3f} {b.limit:6.3f} "
                f"{b.median:7.3f} {b.p90:7.3f} {100 * b.failing:6.1f} %"
                for b in self.beams
            ),
        ]
        return "\n".join(lines)


def tolerance_report(lens: Lens, samples: int = 500, seed: int = SEED, tolerances: str = "precision") -> Report:
    """Monte Carlo and sensitivities of RMS wavefront errors over the lens's fields, wavelengths and configurations.

    tolerances: a declared set, see `perturb.declared`. Raises LensError for another name, or where nothing can err.
    """
    alone = sensitivity(lens, wavefront_and_focus, tolerances)
    count = len(alone.nominal) - lens.C
    limits = np.maximum(MARECHAL, ALLOWED * alone.nominal)
    limits[count:] = np.inf  # refocus is free
    drawn = monte_carlo(lens, wavefront_and_focus, limits, tolerances, samples=samples, seed=seed)
    rise = (alone.change / limits).max(1)
    order = np.argsort(-rise, kind="stable")[:OFFENDERS]
    moves = (drawn.values - drawn.nominal)[:, count:] * 1e3
    info, set_ = lens.info, declared()
    which = [(c, f, w) for c in info.configurations for f in np.asarray(lens.fields) for w in info.wavelengths_nm]
    columns = (drawn.nominal, limits, drawn.quantile(0.5), drawn.quantile(0.9), drawn.failing)
    values = zip(which, *(column[:count] for column in columns), strict=True)
    beams = tuple(Beam(c, (float(f[0]), float(f[1])), w, *(float(v) for v in numbers)) for (c, f, w), *numbers in values)
    offenders = tuple((alone.labels[k], float(rise[k])) for k in order)
    spread = (float(moves.std()), float(np.abs(moves).max()))
    return Report(info.name, tolerances, set_.version, set_.status, samples, seed, drawn.passing, beams, offenders, spread)
