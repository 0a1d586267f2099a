"""The GLAS records of a Zemax lens file: model glass, catalogue glass of the makers that the file names, offsets.

The program's nd and Vd of model glass hold at 486.1, 587.6 and 656.3 nm, not at the lines F, d and C that these stand for: so say the
indices in its reports (17 model glasses of published lenses, to 3e-8). They are brought to the lines when a file is read, and back.
"""

from __future__ import annotations

import math
from typing import Any

from apochromat.optics.build import catalogue_name
from apochromat.optics.errors import LensError
from apochromat.optics.glass import Glass, UnknownGlass, glass, model_index

UNSET = [1.5, 40.0]  # nd and Vd that the program writes where it has not filled them in
STATED_NM = (486.1, 587.6, 656.3)  # where nd and Vd of its model glass hold
DECIMALS = 13, 10  # of nd and Vd read: what rounding leaves of numbers written and read again


def resolve(surfaces: list[Any], catalogues: Any) -> None:
    """Give each glass the name that our catalogue has for it, from the makers in GCAT; where two share it, the nearer nd decides.

    A glass that is not found keeps its name, for `build` to name near ones.
    """
    makers = [word.split("_")[0] for word in catalogues.words] if catalogues is not None else []
    for s in surfaces:
        if s.glass and not s.is_mirror and s.glass[0] != "___BLANK" and (found := _candidates(s.glass[0], makers)):
            stated = [_number(w) for w in s.glass[3:5]]
            best = found[0] if stated in (UNSET, []) or not stated[0] else min(found, key=lambda g: abs(g.nd - stated[0]))
            s.glass = [catalogue_name(best.name, best.maker), *s.glass[1:]]


def _candidates(name: str, makers: list[str]) -> list[Glass]:
    """Glasses of that name by the makers, or by any where none of them has it."""
    found = []
    for maker in [*makers, None]:
        try:
            found.append(glass(name, maker))
        except UnknownGlass:
            continue
    return found[:-1] if len(found) > 1 else found


def _number(word: str) -> float:
    """A word as a number; nan where it is none."""
    try:
        return float(word)
    except ValueError:
        return math.nan


def medium(s: Any, file: str) -> dict[str, Any]:
    """Medium after a surface: a model (`___BLANK`), a catalogue name, or a name with offsets of nd and Vd (mode 4)."""
    if not s.glass or s.is_mirror:
        return {}
    words = [*s.glass, *["0"] * 11]
    nd, vd, dpgf, nd_offset, vd_offset = numbers = [_number(words[i]) for i in (3, 4, 5, 9, 10)]
    if any(map(math.isnan, numbers)):
        raise LensError(f"expected numbers in GLAS, found {' '.join(s.glass)!r} at surface {s.number}, in {file}.")
    if words[0] == "___BLANK":
        nd, vd = from_stated(nd, vd, dpgf)
        return {"glass": {"nd": nd, "vd": vd, "dpgf": dpgf}}
    if words[1] != "4" or not (nd_offset or vd_offset):
        return {"glass": words[0]}
    real = glass(words[0])
    spread = (real.nd + nd_offset - 1) / (real.vd + vd_offset) / ((real.nd - 1) / real.vd)
    return {"glass": words[0], "nd_shift": nd_offset, "dispersion_shift": spread - 1}


def to_stated(nd: float, vd: float, dpgf: float) -> tuple[float, float]:
    """nd and Vd of a model glass as a file states them, from those at the lines d, F and C."""
    f, d, c = (float(model_index(nd, vd, dpgf, nm)) for nm in STATED_NM)
    return d, (d - 1) / (f - c)


def from_stated(nd: float, vd: float, dpgf: float) -> tuple[float, float]:
    """nd and Vd at the lines d, F and C, from what a file states."""
    if not (nd > 1 and vd > 5):  # no glass: the prescription says so
        return nd, vd
    real = nd, vd
    for _ in range(6):  # each gains three digits
        stated = to_stated(*real, dpgf)
        real = real[0] + nd - stated[0], real[1] + vd - stated[1]
    return round(real[0], DECIMALS[0]), round(real[1], DECIMALS[1])
