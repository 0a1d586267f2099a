"""Zemax sequential lens files (.zmx) as prescriptions.

The format is not published; the meaning of each record is that of the files and of the program's own reports on them. What is read but
not followed, and what is not understood, is listed in the prescription's notes; what would change the lens in a way that cannot be
followed is an error.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from apochromat.optics.errors import LensError
from apochromat.optics.prescription import MOST_SURFACES, Prescription, checked
from apochromat.optics.zmx_breaks import rows
from apochromat.optics.zmx_glass import resolve
from apochromat.optics.zmx_records import PERIPHERAL, SURFACE, SYSTEM, Notes, Record, Surface, decoded, last, records
from apochromat.optics.zmx_zoom import configure, solve

UNITS = {"MM": 1.0, "CM": 10.0, "IN": 25.4, "METER": 1000.0, "M": 1000.0}
FIELD_KINDS = {0: "angle", 1: "object_height", 2: "paraxial_image_height", 3: "real_image_height"}
MOST_FIELDS = 1000
FAR = 1e9  # in lens units: an object at least so far is at infinity


def read_zmx(path: str | Path) -> Prescription:
    """A .zmx file as a prescription; its `notes` list what was not followed. Raises LensError, OSError."""
    file = str(path)
    system, blocks, after = records(decoded(Path(path)), file)
    scale, notes = _unit(system, file), Notes()
    if not 3 <= len(blocks) <= MOST_SURFACES + 2:
        expected = f"an object, 1 to {MOST_SURFACES} surfaces and an image"
        raise LensError(f"expected {expected}, found {len(blocks)} surfaces in all, in {file}.")
    surfaces = [_surface(i, block, scale, notes, file) for i, block in enumerate(blocks)]
    _check_ends(surfaces, file)
    zoom = configure(surfaces, system, after, scale, notes, file)
    solve(surfaces, notes, file)
    resolve(surfaces, last(system, "GCAT"))
    document: dict[str, Any] = {
        "name": " ".join(r.text for r in system if r.key == "NAME"),
        "source": " ".join(m[1] for r in system if r.key == "NOTE" and (m := re.match(r"\d+\s+Source: (.*)", r.text))),
        "aperture": _aperture(system, surfaces, scale, zoom, file),
        "fields": _fields(system, scale, notes, file),
        "wavelengths": _wavelengths(system, file),
        "surface": rows(surfaces[1:-1], notes, file),
        "sensor": {"image_radius_mm": surfaces[-1].diameter} if surfaces[-1].is_fixed and surfaces[-1].diameter > 0 else {},
        "configuration": _configurations(system, surfaces[0], zoom.count),
    }
    _system_notes(system, after, notes, file)
    return checked({**document, "notes": tuple(notes.listed())}, file)


def _unit(system: list[Record], file: str) -> float:
    """Millimetres in a lens unit."""
    mode, unit = last(system, "MODE"), last(system, "UNIT")
    if mode and mode.words[:1] != ["SEQ"]:
        raise LensError(f"expected a sequential lens (MODE SEQ), found MODE {mode.text}, in {file}.")
    if unit and unit.words[:1] and unit.words[0].upper() not in UNITS:
        raise LensError(f"expected lens units {', '.join(UNITS)}, found {unit.words[0]}, in {file}.")
    return UNITS[unit.words[0].upper()] if unit and unit.words else 1.0


def _surface(number: int, block: list[Record], scale: float, notes: Notes, file: str) -> Surface:
    """One SURF block, its lengths in mm."""
    s = Surface(number, scale)
    for r in block:
        if SURFACE.fullmatch(r.key):
            _take(s, r, scale, notes)
        elif not PERIPHERAL.fullmatch(r.key):
            notes.unknown[r.key] += 1
    if s.type == "XASPHERE":
        _extended(s, file)
    elif s.type == "EVENASPH":
        s.parameters = {i: v / scale ** (2 * i - 1) for i, v in s.parameters.items()}
    elif s.type == "COORDBRK":
        s.parameters = {i: v * scale if i <= 2 else v for i, v in s.parameters.items()}
    elif s.type != "STANDARD":
        raise LensError(f"expected surfaces STANDARD, EVENASPH, XASPHERE or COORDBRK, found {s.type} at surface {number}, in {file}.")
    elif any(s.parameters.values()):
        notes.add(f"surface {number}: parameters of a STANDARD surface are not followed")
    return s


def _take(s: Surface, r: Record, scale: float, notes: Notes) -> None:
    """One record of a surface."""
    match r.key:
        case "TYPE":
            s.type = r.words[0].upper() if r.words else ""
        case "COMM":
            s.comment = r.text
        case "STOP":
            s.stop = True
        case "CURV":
            s.curvature = r.number(0) / scale
            _curvature_solve(s, r, notes)
        case "CONI":
            s.conic = r.number(0)
        case "DISZ":
            s.thickness = r.number(0) * scale
        case "PARM":
            s.parameters[r.whole(0)] = r.number(1)
        case "XDAT":
            s.extra[r.whole(0)] = r.number(1)
        case "GLAS":
            s.glass = r.words
        case "DIAM":
            s.diameter, s.is_fixed = r.number(0) * scale, r.number(1, 0.0) > 0
        case "FLAP" | "CLAP" | "OBSC":
            _opening(s, r, scale, notes)
        case _:  # a solve of the thickness
            s.solve = r


def _opening(s: Surface, r: Record, scale: float, notes: Notes) -> None:
    """A clear opening between two radii, or an obscuration between two."""
    first, second = r.number(0) * scale, r.number(1) * scale
    if r.key != "OBSC":
        s.clear, s.inner = second, max(s.inner, first)
        return
    if first > 0:
        notes.add(f"surface {s.number}: the obscuration is taken as a full disc, not from {first:g} mm on")
    s.inner = max(s.inner, second)


def _curvature_solve(s: Surface, r: Record, notes: Notes) -> None:
    """Solves on curvature keep the value that the file states; a pickup (code 4) is kept to find cycles."""
    code = r.whole(1, 0) if len(r.words) > 1 and re.fullmatch(r"[-+\d.eE]+", r.words[1]) else 0
    if code == 4:
        s.curvature_from = r.whole(2, 0)
    if code > 1:
        notes.add(f"surface {s.number}: the curvature is solved for in the file; its value there is kept")


def _extended(s: Surface, file: str) -> None:
    """An extended even asphere, XDAT 1 terms, XDAT 2 the normalising radius, as an even asphere."""
    count, norm = s.extra.get(1, 0.0), (s.extra.get(2) or 1.0) * s.unit
    terms = {i: s.extra.get(i + 2, 0.0) * s.unit / norm ** (2 * i) for i in range(1, len(s.extra) + 1) if i <= count}
    if any(v for i, v in terms.items() if i > 8):
        raise LensError(f"expected even terms up to r^16, found an XASPHERE with {count:g} terms at surface {s.number}, in {file}.")
    s.type, s.parameters = "EVENASPH", {i: v for i, v in terms.items() if i <= 8}


def _check_ends(surfaces: list[Surface], file: str) -> None:
    """Object and image are planes; without an image the last surface would be one of the lens."""
    first, last = surfaces[0], surfaces[-1]
    if last.glass or last.stop or last.curvature or any(last.parameters.values()):
        raise LensError(f"expected a flat image after the last surface, found surface {last.number} of the lens, in {file}.")
    if first.glass or first.curvature or first.stop:
        raise LensError(f"expected a flat object in air as surface 0, found glass, curvature or the stop there, in {file}.")
    stops = [s.number for s in surfaces if s.stop]
    if len(stops) != 1:
        raise LensError(f"expected one stop (STOP), found {'none' if not stops else f'it at surfaces {stops}'}, in {file}.")


def _aperture(system: list[Record], surfaces: list[Surface], scale: float, zoom: Any, file: str) -> dict[str, Any]:
    """The aperture document; APER moves its value between configurations, SDIA that of the stop itself."""
    stop = next(s for s in surfaces if s.stop)
    found = [r for r in system if r.key in ("ENPD", "FNUM", "OBNA", "FLOA")]
    if not found:
        raise LensError(f"expected an aperture (ENPD, FNUM, OBNA or FLOA), found none, in {file}.")
    r = found[-1]
    if r.key == "FLOA":
        return {"stop_radius_mm": zoom.stop_radius or stop.diameter}
    value = zoom.aperture or (r.number(0),)
    if r.key == "ENPD":
        return {"entrance_pupil_mm": tuple(v * scale for v in value)[: zoom.count] if len(value) > 1 else value[0] * scale}
    if r.key == "OBNA" and r.number(1, 0.0) == 1:
        value = tuple(math.sin(math.radians(v)) for v in value)
    key = "object_na" if r.key == "OBNA" else "paraxial_working_f_number" if r.number(1, 0.0) == 1 else "paraxial_f_number"
    return {key: value if len(value) > 1 else value[0]}


def _fields(system: list[Record], scale: float, notes: Notes, file: str) -> dict[str, Any]:
    """Field points, as many as FTYP says, with their vignetting factors."""
    kind = last(system, "FTYP")
    count = kind.whole(2, 0) if kind else 0
    if kind is None or not 1 <= count <= MOST_FIELDS:
        raise LensError(f"expected 1 to {MOST_FIELDS} fields (FTYP), found {count or 'none'}, in {file}.")
    if kind.number(0) not in FIELD_KINDS:
        raise LensError(f"expected fields of type 0 to 3 in FTYP, found {kind.words[0]}, in {file}.")
    if kind.number(1, 0.0) or kind.number(6, 0.0):
        raise LensError(f"expected a lens neither telecentric in object space nor afocal, found FTYP {kind.text}, in {file}.")
    name = FIELD_KINDS[kind.whole(0)]
    x, y, weights = (_column(system, key, count, default) for key, default in (("XFLN", 0.0), ("YFLN", 0.0), ("FWGN", 1.0)))
    if len(set(weights)) > 1:
        notes.add(f"weights of the fields are not followed: {weights}")
    unit = 1.0 if name == "angle" else scale
    factors = np.array([_column(system, key, count, 0.0) for key in ("VDXN", "VDYN", "VCXN", "VCYN", "VANN")]).T
    document: dict[str, Any] = {"kind": name, "points": tuple((a * unit, b * unit) for a, b in zip(x, y, strict=True))}
    if factors.any():
        document["vignetting"] = tuple(map(tuple, factors.tolist()))
        notes.add("vignetting factors: the rays are cut by the clear radii that these factors give")
    return document


def _column(system: list[Record], key: str, count: int, default: float) -> list[float]:
    r = last(system, key)
    return [r.number(i, default) if r else default for i in range(count)]


def _wavelengths(system: list[Record], file: str) -> dict[str, Any]:
    """Wavelengths, as many as FTYP says: the rows of WAVM after them are padding."""
    kind, primary = last(system, "FTYP"), last(system, "PWAV")
    slots = {r.whole(0): (r.number(1) * 1000, r.number(2, 1.0)) for r in system if r.key == "WAVM"}
    count = kind.whole(3, len(slots)) if kind else 0
    used = [slots[i] for i in sorted(slots) if 1 <= i <= count]
    if not used or len(used) < count:
        raise LensError(f"expected {max(count, 1)} wavelengths (WAVM), found {len(used)}, in {file}.")
    reference = primary.whole(0) if primary else 1
    if not 1 <= reference <= count:
        raise LensError(f"expected a primary wavelength from 1 to {count}, found PWAV {reference}, in {file}.")
    nm = tuple(round(w, 9) for w, _ in used)
    weights = tuple(weight for _, weight in used)
    return {"nm": nm, "primary_nm": nm[reference - 1], "weights": weights if any(weights) else ()}


def _configurations(system: list[Record], surface: Surface, count: int) -> list[dict[str, Any]]:
    """Object distances and names; the writer keeps a name in a note `Configuration 2: 3 m`."""
    notes = [m for r in system if r.key == "NOTE" and (m := re.match(r"\d+\s+Configuration (\d+): (.*)", r.text))]
    names = {int(m[1]): m[2].strip() for m in notes}
    distances = np.broadcast_to(np.asarray(surface.thickness, float), count)
    return [
        {"name": names.get(i + 1, "" if count == 1 else str(i + 1)), "object_distance_mm": math.inf if d >= FAR else float(d)}
        for i, d in enumerate(distances)
    ]


def _system_notes(system: list[Record], after: list[Record], notes: Notes, file: str) -> None:
    """The author's own notes, the environment, and what was left aside."""
    for r in system:
        if r.key == "NOTE" and not re.match(r"\d+\s+(Configuration \d+|Source):", r.text):
            notes.add(re.sub(r"^\d+\s*", "", r.text))
        if r.key == "ENVD" and (r.number(0), r.number(1, 1.0)) != (20.0, 1.0):
            notes.add(f"temperature {r.number(0):g} °C and pressure {r.number(1, 1.0):g} atm are not followed (20 °C, 1 atm)")
        if not (SYSTEM.fullmatch(r.key) or PERIPHERAL.fullmatch(r.key)):
            notes.unknown[r.key] += 1
    tolerances = sum(r.key == "TOL" and r.words[:1] != ["TOFF"] for r in after)
    first = next((i for i, r in enumerate(after) if r.key in ("TOL", "MNUM")), len(after))
    merit = sum(not PERIPHERAL.fullmatch(r.key) for r in after[:first])
    for count, what in ((merit, "merit function"), (tolerances, "tolerances")):
        if count:
            notes.add(f"{what}: {count} operands are not followed")
