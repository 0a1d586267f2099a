"""Build the glass catalogue that ships with the package from public dispersion data.

    pip install optiland opticalglass pyyaml
    python build_catalogue.py --database SITE_PACKAGES/optiland/database/data-nk -o src/apochromat/optics/catalogue

Coefficients come from the refractiveindex.info database (public domain, CC0), which optiland carries; the index, Abbe number and PgF they
are gated against come from the makers' own data sheets, which opticalglass carries. Every dispersion formula found there (Sellmeier with an
optional constant, Schott's and Hikari's polynomials) is a special case of the catalogue's 13 coefficients, so the conversion is exact.
A glass is taken when its data reach from g to C and it passes the gate; those left out are printed with the reason. Where the
database has a formula that the data sheet contradicts, or one of another form, the data sheet's own formula is taken, and named as source.
Plastics are in `plastics.csv`, which is written by hand from the sources named there.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

MAKERS = ("SCHOTT", "OHARA", "HOYA", "CDGM", "HIKARI", "SUMITA")
POWERS = (0, 2, 4, -2, -4, -6, -8)
NOT_PRINTED = float("nan")
MORE = {  # name: maker, file, and nd, Vd (Handbook of Optics, vol. II) where the database's entry has none
    "AF32ECO": ("SCHOTT", "glass/schott/misc/AF32ECO.yml", None),
    "SF6HT": ("SCHOTT", "glass/schott/SF6.yml", None),  # the same formula, another transmission
    "D263TECO": ("SCHOTT", "glass/schott/misc/D263TECO.yml", None),
    "CAF2": ("MISC", "main/CaF2/Malitson.yml", (1.433849, 94.995854, NOT_PRINTED)),
    "F_SILICA": ("MISC", "main/SiO2/Malitson.yml", (1.458464, 67.821433, NOT_PRINTED)),
}
EARLIER = {  # SCHOTT's Zemax catalogue before 2006: B and C of Sellmeier; nd and Vd of indices in a ray tracing report of then
    "LAFN21": ((1.88298347, 9.36029744e-3, 0.240214668, 3.54026371e-2, 1.23537623, 84.3919934), (1.788309, 47.4704, NOT_PRINTED)),
    "SF53": ((1.56973534, 1.20851905e-2, 0.306366017, 5.41694051e-2, 1.03021429, 117.353733), (1.728301, 28.6867, NOT_PRINTED)),
}
TEMPERATURE_C = {"OHARA": 25, "HOYA": 20, "CDGM": 20, "HIKARI": 23, "SUMITA": 20}  # of the data sheets
AFTER_MOULDING = r"^M[CP]-|\(M\)$|-25$"  # entries for the index after precision moulding: not glasses to polish
NORMAL_LINES = {"CDGM": (0.645704, -0.00170318)}  # PgF - dPgF over Vd in CDGM's data sheet, whose PgF are older than the catalogue's dPgF
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


def plain(name: Any) -> str:
    """A glass's name without blanks, in capitals: the sheets and the database do not write it alike."""
    return str(name).replace(" ", "").upper()


def first_number(value: Any) -> float:
    found = re.match(r"[-+]?[.\d]+([eE][-+]?\d+)?", str(value).strip())
    return float(found.group()) if found else float("nan")


def read_glass(path: Path, maker: str) -> dict[str, Any]:
    """One entry of the database as a row of the catalogue, without the maker's sheet."""
    import yaml

    entry = yaml.safe_load(path.read_text(encoding="utf-8"))
    data = entry["DATA"][0]
    numbers = [float(x) for x in str(data["coefficients"]).split()] if "coefficients" in data else []
    low, high = (round(1000 * float(x), 3) for x in data["wavelength_range"].split())
    if low > 435.8 or high < 656.3:
        raise Rejected(f"its data reach from {low:g} to {high:g} nm only")
    specs = entry.get("SPECS") or {}
    row: dict[str, Any] = {"name": path.stem.replace("star", "*"), "maker": maker, "from_nm": low, "to_nm": high}
    row["source"] = source(entry["REFERENCES"])
    row["temperature_c"] = first_number(specs.get("temperature", 20))
    nd, vd, dpgf = (first_number(specs.get(key)) for key in ("nd", "Vd", "dPgF"))
    constant, slope = NORMAL_LINES.get(maker, (float("nan"), 0.0))
    row["catalogue"] = (nd, vd, constant + slope * vd + (dpgf or float("nan")))
    for expansion in specs.get("thermal_expansion") or []:
        if str(expansion["temperature_range"]).startswith("-30"):
            row["cte_e6"] = round(1e6 * first_number(expansion["coefficient"]), 3)
    for thermal in specs.get("thermal_dispersion") or []:
        if thermal["type"] == "Schott formula":
            row |= dict(zip(THERMAL, map(float, str(thermal["coefficients"]).split()), strict=True))
    try:
        row["formula"] = convert(data["type"].strip(), numbers)
    except Rejected as reason:
        row["formula"] = str(reason)
    return row


def source(references: str) -> str:
    """The maker's catalogue named in an entry's references, without the markup."""
    text = re.sub(r"<[^>]+>|^1\) ", "", references.split("(obtained")[0].split("<br>")[0]).strip()
    return text.rstrip(".")


Sheet = tuple[tuple[float, float, float], list[float] | None]  # printed nd, Vd, PgF; 13 coefficients of the sheet's own formula


def sheets() -> dict[tuple[str, str], Sheet]:
    """What the makers' spreadsheets print of every glass."""
    from opticalglass import cdgm, hikari, ohara, schott, sumita

    readers: dict[str, tuple[Any, str, str, Any, str]] = {  # heading of Vd, of PgF; formula, heading of its first coefficient
        "SCHOTT": (schott.SchottCatalog, "vd", "P g,F", None, ""),
        "OHARA": (ohara.OharaCatalog, "\N{GREEK SMALL LETTER NU}d", "θg,F", ohara_sellmeier, "A1"),
        "CDGM": (cdgm.CDGMCatalog, "vd", "Pg,F", schott_polynomial, "A0"),
        "HIKARI": (hikari.HikariCatalog, "vd", "g-F/ F-C", refraction_terms, "\N{FULLWIDTH LATIN CAPITAL LETTER P}1"),
        "SUMITA": (sumita.SumitaCatalog, "vd", "gF", schott_polynomial, "A0"),
    }
    out = hoya_sheet()
    for maker, (reader, abbe, pgf, formula, first) in readers.items():
        table = reader().df
        at = [heading(table, abbe), heading(table, pgf)]
        terms = slice(start := heading(table, first), start + 6) if formula else slice(0)
        for name, nd, row in zip(table.index, table["refractive indices"]["d"], table.itertuples(index=False), strict=True):
            own = formula([first_number(x) for x in row[terms]]) if formula else None
            out[maker, plain(name)] = ((first_number(nd), first_number(row[at[0]]), first_number(row[at[1]])), own)
    return out


def heading(table: Any, text: str) -> int:
    """Column of a spreadsheet by its heading."""
    return next(i for i, column in enumerate(table.columns) if text in [str(part).strip() for part in column])


def schott_polynomial(a: list[float]) -> list[float]:
    """A0 + A1 w^2 + A2 w^-2 + A3 w^-4 + A4 w^-6 + A5 w^-8."""
    return [*a[:2], 0.0, *a[2:], *[0.0] * 6]


def ohara_sellmeier(a: list[float]) -> list[float]:
    """A1, A2, A3, B1, B2, B3: Sellmeier's strengths first."""
    return [1.0, *[0.0] * 6, a[0], a[3], a[1], a[4], a[2], a[5]]


def refraction_terms(a: list[float]) -> list[float] | None:
    """(n^2 - 1) / (n^2 + 2) = sum of P w^2 / (w^2 - Q), brought to Sellmeier's form by partial fractions: exact, n^2 = 1 at w = 0."""
    if not np.isfinite(a).all():
        return None
    denominator = np.poly(a[1::2])
    numerator = sum(p * np.polymul([1.0, 0.0], np.poly([q for q in a[1::2] if q != pole])) for p, pole in zip(a[::2], a[1::2], strict=True))
    above, below = denominator + 2 * numerator, denominator - numerator
    poles = np.roots(below)
    if np.iscomplex(poles).any():
        return None
    strengths = np.polyval(above, poles) / np.polyval(np.polyder(below), poles) / poles
    return [1.0, *[0.0] * 6, *(float(x) for pair in zip(strengths, poles, strict=True) for x in pair)]


def hoya_sheet() -> dict[tuple[str, str], Sheet]:
    """HOYA's spreadsheet, read by its columns: coefficients stand as mantissa and power of ten."""
    import opticalglass
    import pandas

    table = pandas.read_excel(Path(opticalglass.__file__).parent / "data" / "HOYA.xlsx", header=None)
    out: dict[tuple[str, str], Sheet] = {}
    for row in table.iloc[4:].dropna(subset=[2, 4, 5, 56]).itertuples(index=False):
        terms = [float(x) * 10.0**p for x, p in zip(row[28:40:2], row[29:40:2], strict=True)]
        printed = (first_number(row[4]), first_number(row[5]), first_number(row[56]))
        out["HOYA", plain(row[2])] = (printed, schott_polynomial(terms))
    return out


def gate(row: dict[str, Any], sheet: Sheet | None) -> None:
    """Hold the computed constants against what the maker prints: in the database's catalogue where that gives PgF, else in the data sheet.

    Where the database's formula disagrees with the data sheet, and the sheet's own formula agrees with it, the latter is taken.
    """
    catalogue = row.pop("catalogue")
    row["listed"] = int(sheet is not None and not re.search(AFTER_MOULDING, row["name"]))
    printed, own = sheet if sheet and np.isnan(catalogue[2]) else (catalogue, sheet[1] if sheet else None)
    row["sheet"] = "data sheet" if sheet and printed is sheet[0] else "catalogue"
    failure = misses(row["formula"], printed)
    if failure and sheet and own and not misses(own, sheet[0]):
        row["formula"], row["source"], failure = own, f"{row['maker']} data sheet, as in opticalglass", ""
        printed, row["sheet"] = sheet[0], "data sheet"
    if failure:
        raise Rejected(f"{failure} in the {row['sheet']}")
    row |= dict(zip(("sheet_nd", "sheet_vd", "sheet_pgf"), ("" if np.isnan(x) else round(x, 6) for x in printed), strict=True))
    row |= dict(zip(COLUMNS[-13:], row.pop("formula"), strict=True))


def misses(formula: list[float] | str, printed: tuple[float, ...]) -> str:
    """Which constant a formula misses, "" if none; or why there is no formula."""
    if isinstance(formula, str):
        return formula
    if not np.isfinite(printed[:2]).all():
        return "nd and Vd are not given"
    for key, value, target, tolerance in zip(("nd", "Vd", "PgF"), constants(formula), printed, (1e-5, 0.1, 5e-4), strict=True):
        if abs(value - target) > tolerance:
            return f"{key} comes to {value:.6g} but is {target:.6g}"
    return ""


def collect(database: Path) -> list[dict[str, Any]]:
    """All glasses that pass, makers in order of preference, names in alphabetical order; then the materials of no catalogue."""
    printed = sheets()
    wanted = [(maker, path.stem, path) for maker in MAKERS for path in sorted((database / "glass" / maker.lower()).glob("*.yml"))]
    wanted += [(maker, name, database / file) for name, (maker, file, _) in MORE.items()]
    rows = []
    for maker, name, path in wanted:
        try:
            row = read_glass(path, maker)
            if name in MORE:
                row |= {"name": name, "catalogue": MORE[name][2] or row["catalogue"]}
            gate(row, printed.get((maker, plain(row["name"]))))
        except Rejected as reason:
            print(f"{maker} {name} is left out: {reason}", file=sys.stderr)
        else:
            rows.append(row)
    found = {(row["maker"], plain(row["name"])) for row in rows}
    return rows + earlier() + newer(found, {plain(name) for _, name, _ in wanted}, printed)


def earlier() -> list[dict[str, Any]]:
    """Glasses that the recent catalogue no longer has, from h to t: the range of their data was not found."""
    rows = []
    for name, (terms, constants_printed) in EARLIER.items():
        row = {"name": name, "maker": "SCHOTT", "from_nm": 404.7, "to_nm": 1013.9, "temperature_c": 20, "catalogue": constants_printed}
        row |= {"source": "SCHOTT Zemax catalog before 2006", "formula": [1.0, *[0.0] * 6, *terms]}
        gate(row, None)
        rows.append(row)
    return rows


def newer(taken: set[tuple[str, str]], known: set[str], printed: dict[tuple[str, str], Sheet]) -> list[dict[str, Any]]:
    """Glasses that only the data sheets have, by the sheets' own formulas, from h to t where the sheets print indices."""
    rows = []
    for (maker, name), (constants_printed, own) in printed.items():
        if (maker, name) in taken or name in known or not own or misses(own, constants_printed):
            continue
        row = {"name": name, "maker": maker, "from_nm": 404.7, "to_nm": 1013.9, "temperature_c": TEMPERATURE_C[maker], "formula": own}
        row |= {"source": f"{maker} data sheet, as in opticalglass", "catalogue": (NOT_PRINTED,) * 3}
        gate(row, (constants_printed, own))
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
