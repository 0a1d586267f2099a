"""A lens as a Zemax sequential file (.zmx), with all its configurations; `read_zmx` gives the same lens again.

The stop is given by its size (FLOA), clear radii as circular apertures, folds as flat dummies along the unfolded axis with a comment, the
tilt and decentre of a surface as a coordinate break before it and its inverse behind. UTF-16 with byte order mark, as the program writes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from apochromat.optics.build import to_prescription
from apochromat.optics.errors import LensError
from apochromat.optics.glass import glass
from apochromat.optics.lens import Lens
from apochromat.optics.prescription import Dispersion, ModelGlass, Prescription, SurfaceRow, at
from apochromat.optics.zmx_glass import to_stated

ANYTHING = 1e10  # mm, stands for infinity where the format has no word for it
TAIL = '0 0 0 1 1 1 0 0 "" 0'  # of an operand of the configurations
FIELD_TYPES = {"angle": 0, "real_image_height": 3}


def write_zmx(lens: Lens, path: str | Path) -> None:
    """Write a lens in all its configurations, by a temporary file. Raises LensError for a glass that the format cannot name, OSError."""
    temporary = Path(f"{path}.part")
    temporary.write_bytes(b"\xff\xfe" + zmx(lens).encode("utf-16-le"))
    os.replace(temporary, path)


def zmx(lens: Lens) -> str:
    """The text of the file."""
    p = to_prescription(lens)
    surfaces, operands = _surfaces(lens, p)
    lines = [*_system(p), *surfaces, *_configurations(p, operands)]
    return "".join(f"{line}\r\n" for line in lines)


def _system(p: Prescription) -> list[str]:
    """Records before the surfaces."""
    x, y = zip(*p.fields.points, strict=True)
    makers = dict.fromkeys(glass(s.glass).maker for s in p.surfaces if isinstance(s.glass, str) and s.glass)
    notes = [*p.notes, *([f"Source: {p.source}"] if p.source else [])]
    names = [f"Configuration {i}: {c.name}" for i, c in enumerate(p.configurations, 1) if c.name]
    count, weights = len(p.wavelengths.nm), p.wavelengths.weights or (1.0,) * len(p.wavelengths.nm)
    return [
        "VERS 210000 0 0 0",
        "MODE SEQ",
        f"NAME {_line(p.name)}",
        *(f"NOTE 0 {_line(text)}" for text in (*notes, *names)),
        "UNIT MM X W X CM MR CPMM",
        "FLOA",
        "ENVD 2.0E+1 1 0",
        f"GCAT {' '.join(makers)}",
        "RAIM 0 2 1 1 0 0 0 0 0 1",
        f"FTYP {FIELD_TYPES[p.fields.kind]} 0 {len(x)} {count} 0 0 0 {len(x)}",
        *(f"{key} {' '.join(map(_number, values))}" for key, values in (("XFLN", x), ("YFLN", y), ("FWGN", (1.0,) * len(x)))),
        *(f"{key} {' '.join(['0'] * len(x))}" for key in ("VDXN", "VDYN", "VCXN", "VCYN", "VANN")),
        *(f"WAVM {i} {_number(nm / 1000)} {_number(w)}" for i, (nm, w) in enumerate(zip(p.wavelengths.nm, weights, strict=True), 1)),
        f"PWAV {p.wavelengths.primary + 1}",
    ]


def _surfaces(lens: Lens, p: Prescription) -> tuple[list[str], list[str]]:
    """SURF blocks from the object to the image, and the operands that move them."""
    lines, operands = _object(p)
    number = 1
    for i, s in enumerate(p.surfaces):
        is_moved = any(s.tilt_deg) or any(s.decenter_mm)
        if is_moved:
            lines += _break(number, s, 1.0, 0.0)
            number += 1
        thickness = at(s.thickness, 0)
        lines += _surface(number, s, p, i, 0.0 if is_moved else thickness)
        if s.is_stop and isinstance(p.aperture.stop_radius_mm, tuple):
            operands += [f"SDIA {number} {c} {_number(v)} {TAIL}" for c, v in enumerate(p.aperture.stop_radius_mm, 1)]
        if is_moved:
            number += 1
            lines += _break(number, s, -1.0, thickness)
        if isinstance(s.thickness, tuple):
            operands += [f"THIC {number} {c} {_number(t)} {TAIL}" for c, t in enumerate(s.thickness, 1)]
        number += 1
    image = p.sensor.image_radius_mm or 0.0
    lines += [f"SURF {number}", "  TYPE STANDARD", "  CURV 0.0 0 0 0 0", "  DISZ 0", f"  DIAM {_number(image)} {1 if image else 0} 0 0 1"]
    return lines, operands


def _object(p: Prescription) -> tuple[list[str], list[str]]:
    """The object surface; an object that moves is stated by a large number where it is at infinity."""
    distances = [c.object_distance_mm for c in p.configurations]
    first = "INFINITY" if np.isinf(distances[0]) else _number(distances[0])
    moving = [f"THIC 0 {c} {_number(min(d, ANYTHING))} {TAIL}" for c, d in enumerate(distances, 1)] if len(set(distances)) > 1 else []
    return ["SURF 0", "  TYPE STANDARD", "  CURV 0.0 0 0 0 0", f"  DISZ {first}", "  DIAM 0 0 0 0 1"], moving


def _surface(number: int, s: SurfaceRow, p: Prescription, i: int, thickness: float) -> list[str]:
    """One SURF block."""
    word = s.kind if s.kind in ("cover", "filter", "fold") else ""
    comment = ": ".join(part for part in (word, _line(s.label)) if part)
    clear = ANYTHING if s.semi_diameter is None or np.isinf(s.semi_diameter) else s.semi_diameter
    size = at(p.aperture.stop_radius_mm or 0.0, 0) if s.is_stop else 0.0 if clear == ANYTHING else clear
    return [
        f"SURF {number}",
        *(["  STOP"] if s.is_stop else []),
        f"  TYPE {'EVENASPH' if any(s.even) else 'STANDARD'}",
        *([f"  COMM {comment}"] if comment else []),
        f'  CURV {_number(s.bend)} 0 0 0 0 ""',
        *([f"  CONI {_number(s.conic)}"] if s.conic else []),
        *(f"  PARM {j} {_number(v)}" for j, v in enumerate(s.even, 1) if any(s.even)),
        f"  DISZ {_number(thickness)}",
        *_glass(s, i),
        f'  DIAM {_number(size)} 1 0 0 1 ""',
        f"  CLAP {_number(s.inner_radius)} {_number(clear)} 0",
    ]


def _glass(s: SurfaceRow, i: int) -> list[str]:
    """The GLAS record of the medium behind a surface."""
    if s.kind == "mirror":
        return ["  GLAS MIRROR 0 0 1.5 40 0 0 0 0 0 0"]
    shifted = bool(s.nd_shift or s.dispersion_shift)
    if s.glass == "" and not shifted:
        return []
    if isinstance(s.glass, ModelGlass) and not shifted:
        nd, vd = to_stated(s.glass.nd, s.glass.vd, s.glass.dpgf)
        return [f"  GLAS ___BLANK 1 0 {_number(nd)} {_number(vd)} {_number(s.glass.dpgf)} 0 0 0 0 0"]
    if s.glass == "" or not isinstance(s.glass, str):
        what = "coefficients" if isinstance(s.glass, Dispersion) else "a shifted index of air or model glass"
        raise LensError(f"expected catalogue or model glass, which .zmx can say, found {what} behind surface {i + 1}.")
    real = glass(s.glass)
    nd = real.nd + s.nd_shift
    vd = (nd - 1) / ((real.nd - 1) / real.vd * (1 + s.dispersion_shift))
    name = s.glass.removeprefix(f"{real.maker} ").replace(" ", "_")
    offsets = f"{_number(s.nd_shift)} {_number(vd - real.vd)}" if shifted else "0 0"
    return [f"  GLAS {name} {4 if shifted else 0} 0 {_number(real.nd)} {_number(real.vd)} {_number(real.dpgf)} 0 0 0 {offsets}"]


def _break(number: int, s: SurfaceRow, sign: float, thickness: float) -> list[str]:
    """A coordinate break: decentre, then tilt about x, then y; its inverse (sign -1) in the opposite order."""
    values = [*s.decenter_mm, *s.tilt_deg, 0.0]
    parameters = [f"  PARM {j} {_number(sign * v)}" for j, v in enumerate(values, 1)]
    end = [f"  PARM 6 {0 if sign > 0 else 1}", f"  DISZ {_number(thickness)}", "  DIAM 0 0 0 0 1"]
    return [f"SURF {number}", "  TYPE COORDBRK", "  CURV 0.0 0 0 0 0", *parameters, *end]


def _configurations(p: Prescription, operands: list[str]) -> list[str]:
    """Multi-configuration operands, all configurations of one operand together."""
    return [f"MNUM {len(p.configurations)} 1", *operands]


def _number(value: Any) -> str:
    return repr(float(value))


def _line(text: str) -> str:
    """Text on one line."""
    return " ".join(text.split())
