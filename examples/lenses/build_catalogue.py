"""Build the glass catalogue that ships with the package from public dispersion data.

    pip install optiland opticalglass pyyaml
    python build_catalogue.py --database SITE_PACKAGES/optiland/database/data-nk -o src/apochromat/optics/catalogue

Coefficients come from the refractiveindex.info database (public domain, CC0), which optiland carries; the index, Abbe number and PgF they
are gated against come from the makers' own data sheets, which opticalglass carries. Every dispersion formula found there (Sellmeier with an
optional constant, Schott's and Hikari's polynomials) is a special case of the catalogue's 13 coefficients, so the conversion is exact.
A glass is taken when its data reach from g to C and it passes the gate; those left out are printed with the reason. Plastics are in
`plastics.csv`, which is written by hand from the sources named there.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

MAKERS = ("SCHOTT", "OHARA", "HOYA", "CDGM", "HIKARI", "SUMITA")
POWERS = (0, 2, 4, -2, -4, -6, -8)
THERMAL = ("D0", "D1", "D2", "E0", "E1", "Ltk")
COLUMNS = (
    *("name", "maker", "listed", "from_nm", "to_nm", "source", "sheet_nd", "sheet_vd", "sheet_pgf", "sheet", "temperature_c", "cte_e6"),
    *THERMAL,
    *(f"c{i}" for i in range(7)),
    *("B1", "C1", "B2", "C2", "B3", "C3"),
)


class Rejected(Exception):
    """Why a glass is not taken."""


def convert(kind: str, numbers: list[float]) -> list[float]:
    """The 13 coefficients of one of the database's formulas: 1 and 2 (Sellmeier), 3 (polynomial in powers of w)."""
    out = [0.0] * 13
    if kind == "formula 3":
        out[0] = numbers[0]
        for value, power in zip(numbers[1::2], numbers[2::2], strict=True):
            if int(power) not in POWERS and value:
                raise Rejected(f"its formula has a term in w^{power:g}")
            if value:
                out[POWERS.index(int(power))] += value
    elif kind in ("formula 1", "formula 2"):
        out[0] = 1 + numbers[0]
        terms = [(b, c**2 if kind == "formula 1" else c) for b, c in zip(numbers[1::2], numbers[2::2], strict=True)]
        if len(terms) > 3:
            raise Rejected("its formula has more than three resonances")
        for i, (b, c) in enumerate(terms):
            out[7 + 2 * i : 9 + 2 * i] = [b, c]
    else:
        raise Rejected(f"its data are of the kind {kind}")
    return out


def index(coefficients: list[float], wavelength_nm: float) -> float:
    """Index by the 13 coefficients, written out term by term, apart from the package's own."""
    w = wavelength_nm / 1000
    square = sum(c * w**p for c, p in zip(coefficients[:7], POWERS, strict=True))
    square += sum(b * w**2 / (w**2 - c) for b, c in zip(coefficients[7::2], coefficients[8::2], strict=True))
    return float(np.sqrt(square))


def constants(coefficients: list[float]) -> tuple[float, float, float]:
    """nd, Vd and PgF."""
    g, f, d, c = (index(coefficients, line) for line in (435.8343, 486.1327, 587.5618, 656.2725))
    return d, (d - 1) / (f - c), (g - f) / (f - c)


def first_number(value: Any) -> float:
    found = re.match(r"[-+.\deE]+", str(value).strip())
    return float(found.group()) if found else float("nan")


def read_glass(path: Path, maker: str) -> dict[str, Any]:
    """One entry of the database as a row of the catalogue, without the maker's sheet."""
    entry = yaml.safe_load(path.read_text(encoding="utf-8"))
    data = entry["DATA"][0]
    numbers = [float(x) for x in str(data["coefficients"]).split()] if "coefficients" in data else []
    coefficients = convert(data["type"].strip(), numbers)
    low, high = (round(1000 * float(x), 3) for x in data["wavelength_range"].split())
    if low > 435.8 or high < 656.3:
        raise Rejected(f"its data reach from {low:g} to {high:g} nm only")
    specs = entry.get("SPECS") or {}
    row: dict[str, Any] = {"name": path.stem.replace("star", "*"), "maker": maker, "from_nm": low, "to_nm": high}
    row["source"] = source(entry["REFERENCES"])
    row["temperature_c"] = first_number(specs.get("temperature", 20))
    row["database"] = (specs.get("nd"), specs.get("Vd"), None)
    for expansion in specs.get("thermal_expansion") or []:
        if str(expansion["temperature_range"]).startswith("-30"):
            row["cte_e6"] = round(1e6 * first_number(expansion["coefficient"]), 3)
    for thermal in specs.get("thermal_dispersion") or []:
        if thermal["type"] == "Schott formula":
            row |= dict(zip(THERMAL, map(float, str(thermal["coefficients"]).split()), strict=True))
    row |= dict(zip(COLUMNS[-13:], coefficients, strict=True))
    return row


def source(references: str) -> str:
    """The maker's catalogue named in an entry's references, without the markup."""
    text = re.sub(r"<[^>]+>", "", references.split("(obtained")[0].split("<br>")[0]).strip()
    return text.rstrip(".")


def sheets() -> dict[tuple[str, str], tuple[float, float, float]]:
    """nd, Vd and PgF of every glass as printed in the makers' spreadsheets."""
    from opticalglass import cdgm, hikari, ohara, schott, sumita

    readers = {
        "SCHOTT": (schott.SchottCatalog, "P g,F"),
        "OHARA": (ohara.OharaCatalog, "θg,F"),
        "CDGM": (cdgm.CDGMCatalog, "Pg,F"),
        "HIKARI": (hikari.HikariCatalog, "g-F/ F-C"),
        "SUMITA": (sumita.SumitaCatalog, "gF"),
    }
    out = hoya_sheet()
    for maker, (reader, heading) in readers.items():
        table = reader().df
        at = next(i for i, column in enumerate(table.columns) if heading in [str(part).strip() for part in column])
        values = zip(table["refractive indices"]["d"], table["abbe number"]["vd"], table.iloc[:, at], strict=True)
        for name, row in zip(table.index, values, strict=True):
            out[maker, str(name).strip().upper()] = tuple(first_number(x) for x in row)
    return out


def hoya_sheet() -> dict[tuple[str, str], tuple[float, float, float]]:
    """HOYA's spreadsheet, read by its columns."""
    import opticalglass
    import pandas

    table = pandas.read_excel(Path(opticalglass.__file__).parent / "data" / "HOYA.xlsx", header=None)
    rows = table.iloc[4:, [2, 4, 5, 56]].dropna().itertuples(index=False)
    return {("HOYA", str(name).strip().upper()): tuple(first_number(x) for x in rest) for name, *rest in rows}


def gate(row: dict[str, Any], sheet: tuple[float, float, float] | None) -> None:
    """Hold the computed constants against the maker's sheet, or against the database's own copy of them; note which it was."""
    printed = sheet or tuple(float(x) if x is not None else float("nan") for x in row.pop("database"))
    row.pop("database", None)
    row["listed"], row["sheet"] = (1, "maker") if sheet else (0, "database")
    computed = constants([row[c] for c in COLUMNS[-13:]])
    for key, value, target, tolerance in zip(("nd", "Vd", "PgF"), computed, printed, (1e-5, 0.1, 5e-4), strict=True):
        if abs(value - target) > tolerance:
            raise Rejected(f"{key} comes to {value:.6g}, the {row['sheet']} says {target:.6g}")
        row[f"sheet_{key.lower()}"] = "" if np.isnan(target) else target
    if np.isnan(printed[0]) or np.isnan(printed[1]):
        raise Rejected("neither the maker's sheet nor the database gives nd and Vd")


def collect(database: Path) -> list[dict[str, Any]]:
    """All glasses that pass, makers in order of preference, names in alphabetical order."""
    printed = sheets()
    rows = []
    for maker in MAKERS:
        for path in sorted((database / "glass" / maker.lower()).glob("*.yml")):
            try:
                row = read_glass(path, maker)
                gate(row, printed.get((maker, row["name"].upper())))
            except Rejected as reason:
                print(f"{maker} {path.stem} is left out: {reason}", file=sys.stderr)
            else:
                rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--database", type=Path, required=True, help="the folder data-nk of refractiveindex.info")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder that receives glasses.csv and sources.csv")
    options = parser.parse_args()
    rows = collect(options.database)
    sources = sorted({row["source"] for row in rows})
    for row in rows:
        row["source"] = sources.index(row["source"])
    with (options.output / "glasses.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([compact(row.get(column, "")) for column in COLUMNS] for row in rows)
    with (options.output / "sources.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([["source"], *([name] for name in sources)])
    print(f"{len(rows)} glasses from {len(sources)} catalogues")


def compact(value: Any) -> str:
    """A number in its shortest exact form, nothing for zero."""
    if isinstance(value, float):
        return "" if value == 0 else f"{int(value)}" if value.is_integer() else repr(value)
    return str(value)


if __name__ == "__main__":
    main()
