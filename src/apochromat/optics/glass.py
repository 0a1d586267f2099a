"""Optical glasses and moulding plastics by name: index, Abbe number, partial dispersion, range, thermal data and source (NumPy only).

The catalogue is `catalogue/*.csv`, built from public data by `examples/lenses/build_catalogue.py`: indices relative to air at the
temperature of the data sheet, every formula brought to the 13 coefficients of `index_of`. Reading it takes a few milliseconds, once per
process.
"""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import numpy as np

from apochromat.optics.errors import LensError
from apochromat.optics.model_glass import C_NM, D_NM, F_NM, G_NM, model_index, normal_pgf
from apochromat.optics.thermal import ASSUMED_GLASS, ASSUMED_PLASTIC, Thermal

__all__ = ["Glass", "UnknownGlass", "constants", "glass", "glasses", "index_of", "model_index", "near", "nearest", "normal_pgf"]

COEFFICIENTS = (*(f"c{i}" for i in range(7)), "B1", "C1", "B2", "C2", "B3", "C3")
ND_WEIGHT, VD_WEIGHT, DPGF_WEIGHT = 1 / 0.01, 1 / 1.0, 1 / 0.001  # of `nearest`: these differences count alike


class UnknownGlass(LensError):
    """A glass that the catalogue does not have, or a wavelength that its data do not reach."""


def index_of(coefficients: Any, wavelength_nm: Any) -> Any:
    """Index by dispersion coefficients (..., 13) at wavelengths that broadcast against the leading axes.

    n^2 = c0 + c1 w^2 + c2 w^4 + c3 w^-2 + c4 w^-4 + c5 w^-6 + c6 w^-8 + sum of three B w^2 / (w^2 - C), w in µm: Schott's polynomial,
    Hikari's and Sellmeier's formula in one.
    """
    w2 = (np.asarray(wavelength_nm, float) / 1000) ** 2
    c = np.moveaxis(np.asarray(coefficients, float), -1, 0)
    square = c[0] + w2 * (c[1] + w2 * c[2]) + (c[3] + (c[4] + (c[5] + c[6] / w2) / w2) / w2) / w2
    return np.sqrt(square + sum(c[i] * w2 / (w2 - c[i + 1]) for i in (7, 9, 11)))


@dataclass(frozen=True)
class Glass:
    """One glass or plastic. Indices are relative to air; nd, Vd, PgF and dPgF are computed from the formula, not copied."""

    name: str
    maker: str
    coefficients: tuple[float, ...]  # 13, see `index_of`
    range_nm: tuple[float, float]  # of the published data
    thermal: Thermal
    cte_per_k: float | None  # linear expansion, -30 to 70 °C; None: not published
    moulded: bool  # a plastic for injection moulding
    listed: bool  # in the maker's recent data sheet
    source: str
    sheet: tuple[float, float, float]  # nd, Vd, PgF as the maker prints them; nan: not printed

    def index(self, wavelength_nm: Any, temperature_c: float | None = None) -> Any:
        """Index relative to air at wavelengths in nm, at a temperature in °C (none: that of the data sheet).

        A wavelength outside the published range is an `UnknownGlass` error.
        """
        wavelength = np.asarray(wavelength_nm, float)
        low, high = self.range_nm
        beyond = ~((wavelength >= low) & (wavelength <= high))
        if beyond.any():
            raise UnknownGlass(
                f"{self.name} ({self.maker}) has data from {low:g} to {high:g} nm, not at {wavelength[beyond].flat[0]:g} nm."
            )
        n = index_of(self.coefficients, wavelength)
        n = n if temperature_c is None else n + self.thermal.shift(n, wavelength, temperature_c)
        return n if wavelength.ndim else float(n)

    @property
    def nd(self) -> float:
        """Index at 587.56 nm."""
        return self._constants[0]

    @property
    def vd(self) -> float:
        """Abbe number (nd - 1) / (nF - nC)."""
        return self._constants[1]

    @property
    def pgf(self) -> float:
        """Relative partial dispersion (ng - nF) / (nF - nC)."""
        return self._constants[2]

    @property
    def dpgf(self) -> float:
        """Distance of PgF from the normal line through K7 and F2."""
        return self._constants[3]

    @property
    def dn_dt(self) -> float:
        """Change of the index relative to air, 1/K, at d and 20 °C; `thermal.status` says whether it is published or assumed."""
        return float(self.thermal.shift(self.nd, D_NM, 20.5) - self.thermal.shift(self.nd, D_NM, 19.5))

    @cached_property
    def _constants(self) -> tuple[float, float, float, float]:
        nd, vd, pgf, dpgf = constants(self.coefficients)
        return float(nd), float(vd), float(pgf), float(dpgf)


def constants(coefficients: Any) -> tuple[Any, Any, Any, Any]:
    """nd, Vd, PgF and dPgF of dispersion coefficients (..., 13)."""
    g, f, d, c = (index_of(coefficients, line) for line in (G_NM, F_NM, D_NM, C_NM))
    vd, pgf = (d - 1) / (f - c), (g - f) / (f - c)
    return d, vd, pgf, pgf - normal_pgf(vd)


def glass(name: str, maker: str | None = None) -> Glass:
    """The glass of that name, in any case: "N-BK7", "s-fpl53"; "HOYA E-F2" or `maker` where makers share a name.

    A Schott name without its "N-" finds the successor where the old glass is not in the catalogue ("BK7" is N-BK7). Anything else is an
    `UnknownGlass` error that names near ones.
    """
    row = _find(name, maker)
    if row is None:
        close = near(name)
        hint = f"; near it: {', '.join(close)}" if close else ""
        raise UnknownGlass(f"{name!r} is not in the glass catalogue{f' of {maker}' if maker else ''}{hint}.")
    return _glass(row)


def glasses(maker: str | None = None) -> tuple[Glass, ...]:
    """All glasses and plastics, or a maker's."""
    return tuple(_glass(i) for i, row in enumerate(_rows()) if maker is None or row["maker"] == maker.upper())


def near(name: str, k: int = 5) -> list[str]:
    """Up to k catalogue names that look like a misspelt one, the nearest first."""
    plain = {_plain(row["name"]): row["name"] for row in reversed(_rows())}
    return [plain[match] for match in difflib.get_close_matches(_plain(name), plain, k, 0.6)]


def nearest(
    nd: float, vd: float, dpgf: float = 0.0, k: int = 5, makers: tuple[str, ...] | None = None, moulded: bool = False
) -> list[Glass]:
    """The k real glasses nearest to a model glass, for substitution; those in the makers' recent data sheets only.

    Distance is the root of the sum of squares of the differences in nd / 0.01, Vd / 1 and dPgF / 0.001. `moulded` asks for plastics
    instead of glass.
    """
    table = _table()
    distance = np.hypot(np.hypot((table[0] - nd) * ND_WEIGHT, (table[1] - vd) * VD_WEIGHT), (table[3] - dpgf) * DPGF_WEIGHT)
    rows = _rows()
    wanted = [r["listed"] == "1" and (r["moulded"] == "1") == moulded and (makers is None or r["maker"] in makers) for r in rows]
    order = np.argsort(np.where(wanted, distance, np.inf), kind="stable")[: min(k, sum(wanted))]
    return [_glass(int(i)) for i in order]


def _plain(name: str) -> str:
    """A name without case, blanks, hyphens and underscores."""
    return name.upper().translate(str.maketrans("", "", " -_"))


def _find(name: str, maker: str | None) -> int | None:
    """The row of a name: as it stands, without punctuation, with the maker before it, or as Schott's successor."""
    names, makers = _names(), {row["maker"] for row in _rows()}
    words = name.split()
    if len(words) == 2 and words[0].upper() in makers:
        maker, name = words
    scope = "" if maker is None else maker.upper()
    for candidate in (name.strip(), "N-" + name.strip()):
        if (row := names.get((scope, _plain(candidate)))) is not None:
            return row
    return None


@cache
def _rows() -> list[dict[str, str]]:
    """The catalogue's rows as text, glasses first; a glass's source is spelt out when the glass is asked for."""
    folder = files("apochromat.optics") / "catalogue"
    out: list[dict[str, str]] = []
    for file in ("glasses.csv", "plastics.csv"):
        lines = (folder / file).read_text(encoding="utf-8").splitlines()
        heading = lines[0].split(",")
        plastic = {"moulded": "1" if file == "plastics.csv" else ""}
        out += [dict(zip(heading, line, strict=True)) | plastic for line in csv.reader(lines[1:])]
    return out


@cache
def _names() -> dict[tuple[str, str], int]:
    """Row by ("" or maker, plain name); where makers share a name the first in the catalogue has it, listed glasses before old ones."""
    out: dict[tuple[str, str], int] = {}
    rows = _rows()
    for i in sorted(range(len(rows)), key=lambda i: (rows[i]["listed"] != "1", i)):
        plain = _plain(rows[i]["name"])
        for key in (("", plain), (rows[i]["maker"].upper(), plain), *(("", _plain(a)) for a in rows[i].get("aliases", "").split())):
            out.setdefault(key, i)
    return out


@cache
def _sources() -> list[str]:
    text = (files("apochromat.optics") / "catalogue" / "sources.csv").read_text(encoding="utf-8")
    return [line[0] for line in csv.reader(text.splitlines()[1:])]


@cache
def _table() -> Any:
    """nd, Vd, PgF and dPgF of every row, (4, rows)."""
    coefficients = np.array([[float(row[c] or 0) for c in COEFFICIENTS] for row in _rows()])
    return np.stack(constants(coefficients))


def _number(text: str) -> float:
    return float(text) if text else 0.0


@cache
def _glass(i: int) -> Glass:
    row = _rows()[i]
    source, moulded = row["source"], row["moulded"] == "1"
    return Glass(
        name=row["name"],
        maker=row["maker"],
        coefficients=tuple(_number(row[c]) for c in COEFFICIENTS),
        range_nm=(float(row["from_nm"]), float(row["to_nm"])),
        thermal=_thermal(row, moulded),
        cte_per_k=float(row["cte_e6"]) * 1e-6 if row["cte_e6"] else None,
        moulded=moulded,
        listed=row["listed"] == "1",
        source=_sources()[int(source)] if source.isdigit() else source,
        sheet=tuple(float(row[c] or "nan") for c in ("sheet_nd", "sheet_vd", "sheet_pgf")),  # type: ignore[arg-type]
    )


def _thermal(row: dict[str, str], moulded: bool) -> Thermal:
    """Schott's constants where published (plastics have the first alone), else the assumed slope."""
    schott = tuple(_number(row.get(c, "")) for c in ("D0", "D1", "D2", "E0", "E1", "Ltk"))
    assumed = ASSUMED_PLASTIC if moulded else ASSUMED_GLASS
    return Thermal(float(row["temperature_c"]), schott if any(schott) else None, assumed)
