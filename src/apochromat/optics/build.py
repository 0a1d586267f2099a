"""From the document to the numbers and back: glass looked up, stop and clear radii found from real rays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from apochromat.optics.errors import LensError
from apochromat.optics.glass import UnknownGlass, glass
from apochromat.optics.lens import AIR, TERMS, Lens, LensInfo, SurfaceInfo
from apochromat.optics.opening import clear_radii, field_points, stop_radii
from apochromat.optics.prescription import Dispersion, ModelGlass, Prescription, SurfaceRow, checked

NO_MODEL = (1.0, 60.0, 0.0)


def build(prescription: Prescription) -> Lens:
    """The lens that a prescription describes.

    The stop's radius comes from the aperture by a real trace on axis, in every configuration; clear radii that are left out come from the
    real rays of all fields and configurations. Raises LensError (UnknownGlass for a glass): a wavelength beyond the data of a glass, an
    aperture that no ray reaches, rays that all fail, with the surface.
    """
    lens = _bare(prescription)
    lens = lens.replace(stop_radius=stop_radii(lens, prescription))
    lens = lens.replace(fields=field_points(lens, prescription))
    return lens.replace(semi_diameter=clear_radii(lens, prescription))


def _bare(p: Prescription) -> Lens:
    """The lens before its stop, fields and clear radii are known: stop radius 1, fields as the document has them, no clear radii."""
    count, rows = len(p.configurations), p.surfaces
    media = _media(p)
    distances = [c.object_distance_mm for c in p.configurations]
    return Lens(
        curvature=np.array([s.bend for s in rows]),
        conic=np.array([s.conic for s in rows]),
        even=np.array([[*s.even, *[0.0] * (TERMS - len(s.even))] for s in rows]),
        thickness=np.array([p.thicknesses(c) for c in range(count)]),
        object_vergence=np.array([0.0 if math.isinf(d) else 1 / d for d in distances]),
        stop_radius=np.ones(count),
        semi_diameter=np.full(len(rows), np.inf),
        inner_radius=np.array([s.inner_radius for s in rows]),
        tilt=np.radians([s.tilt_deg for s in rows]),
        decenter=np.array([s.decenter_mm for s in rows], float),
        coefficients=np.array([m[1] for m in media]),
        nd_shift=np.array([s.nd_shift for s in rows]),
        dispersion_shift=np.array([s.dispersion_shift for s in rows]),
        model=np.array([m[2] for m in media]),
        fields=np.array(p.fields.points),
        info=_info(p, [m[0] for m in media]),
    )


def _info(p: Prescription, names: list[str]) -> LensInfo:
    """The facts of the lens."""
    surfaces = tuple(
        SurfaceInfo(s.kind, name, isinstance(_medium(p, i), ModelGlass), _is_moulded(s, name), s.group, s.label)
        for i, (s, name) in enumerate(zip(p.surfaces, names, strict=True))
    )
    return LensInfo(
        name=p.name,
        surfaces=surfaces,
        stop=next(i for i, s in enumerate(p.surfaces) if s.is_stop),
        wavelengths_nm=p.wavelengths.nm,
        weights=p.wavelengths.weights or (1.0,) * len(p.wavelengths.nm),
        primary=p.wavelengths.primary,
        field_kind="image_height" if p.fields.kind == "real_image_height" else "angle",
        configurations=tuple(c.name for c in p.configurations),
        pixel_um=p.sensor.pixel_um,
        image_radius_mm=p.sensor.image_radius_mm,
        notes=p.notes,
        source=p.source,
        is_perturbed=any(any(s.tilt_deg) or any(s.decenter_mm) for s in p.surfaces),
    )


def _medium(p: Prescription, i: int) -> str | ModelGlass | Dispersion:
    """What is behind surface i: mirrors and folds keep the medium before them."""
    while i >= 0 and p.surfaces[i].kind in ("mirror", "fold") and not p.surfaces[i].glass:
        i -= 1
    return p.surfaces[i].glass if i >= 0 else ""


def _media(p: Prescription) -> list[tuple[str, tuple[float, ...], tuple[float, float, float]]]:
    """Name, dispersion coefficients and (nd, Vd, dPgF) of the medium behind each surface."""
    return [_looked_up(_medium(p, i), i, p) for i in range(len(p.surfaces))]


def _looked_up(medium: str | ModelGlass | Dispersion, i: int, p: Prescription) -> tuple[str, tuple[float, ...], tuple[float, float, float]]:
    if medium == "":
        return "", AIR, NO_MODEL
    if isinstance(medium, ModelGlass):
        return "", AIR, (medium.nd, medium.vd, medium.dpgf)
    if isinstance(medium, Dispersion):
        return medium.name, medium.coefficients, NO_MODEL
    try:
        found = glass(medium)
    except UnknownGlass as error:
        raise UnknownGlass(f"{str(error).rstrip('.')}, for the medium behind surface {i + 1}{_in(p)}.") from None
    low, high = found.range_nm
    for nm in p.wavelengths.nm:
        if not low <= nm <= high:
            place = f"{found.name} behind surface {i + 1}"
            raise LensError(f"expected wavelengths from {low:g} to {high:g} nm, where {place} has data, found {nm:g} nm{_in(p)}.")
    return catalogue_name(found.name, found.maker), found.coefficients, NO_MODEL


def catalogue_name(name: str, maker: str) -> str:
    """A name by which the catalogue finds this glass again: with its maker where another has the same name."""
    return name if glass(name).maker == maker else f"{maker} {name}"


def _is_moulded(s: SurfaceRow, name: str) -> bool:
    if s.moulded is not None:
        return s.moulded
    return bool(name) and isinstance(s.glass, str) and glass(name).moulded


def _in(p: Prescription) -> str:
    return f", in {p.file}" if p.file else ""


def to_prescription(lens: Lens) -> Prescription:
    """The document of a lens, from which `build` makes the same lens again.

    The stop is given by its radius, all clear radii are stated, and fields by paraxial image or object height have become angles.
    """
    info = lens.info
    thickness, stop, vergence = (np.asarray(v, float) for v in (lens.thickness, lens.stop_radius, lens.object_vergence))
    document: dict[str, Any] = {
        "name": info.name,
        "source": info.source,
        "notes": info.notes,
        "aperture": {"stop_radius_mm": _moving(stop)},
        "fields": {
            "kind": "angle" if info.field_kind == "angle" else "real_image_height",
            "points": [tuple(map(float, point)) for point in np.asarray(lens.fields)],
        },
        "wavelengths": {"nm": info.wavelengths_nm, "weights": info.weights, "primary_nm": info.wavelengths_nm[info.primary]},
        "sensor": {"pixel_um": info.pixel_um, "image_radius_mm": info.image_radius_mm},
        "configuration": [
            {"name": name, "object_distance_mm": math.inf if v == 0 else float(1 / v)}
            for name, v in zip(info.configurations, vergence, strict=True)
        ],
        "surface": [_row(lens, i, _moving(thickness[:, i])) for i in range(lens.S)],
    }
    return checked(document, "")


def _moving(values: np.ndarray) -> float | tuple[float, ...]:
    """One number where all configurations agree."""
    numbers = tuple(float(v) for v in values)
    return numbers[0] if len(set(numbers)) == 1 else numbers


def _row(lens: Lens, i: int, thickness: float | tuple[float, ...]) -> dict[str, Any]:
    """One surface as a document, what is as usual left out."""
    surface = lens.info.surfaces[i]
    even = tuple(float(v) for v in np.trim_zeros(np.asarray(lens.even[i]), "b"))
    tilt, decenter = np.degrees(np.asarray(lens.tilt[i])), np.asarray(lens.decenter[i])
    row: dict[str, Any] = {"kind": surface.kind, "label": surface.label, "group": surface.group, "thickness": thickness}
    row["stop"] = i == lens.info.stop and surface.kind != "stop"
    row |= {"conic": float(lens.conic[i]), "even": even, "semi_diameter": float(lens.semi_diameter[i])}
    row |= {"inner_radius": float(lens.inner_radius[i]), "nd_shift": float(lens.nd_shift[i])}
    row |= {"dispersion_shift": float(lens.dispersion_shift[i]), "glass": _glass(lens, i)}
    row |= {"tilt_deg": tuple(map(float, tilt)), "decenter_mm": tuple(map(float, decenter))}
    listed = isinstance(row["glass"], str) and bool(row["glass"]) and glass(row["glass"]).moulded
    row["moulded"] = None if surface.moulded == listed else surface.moulded
    return row | _bend(float(lens.curvature[i]))


def _bend(curvature: float) -> dict[str, float]:
    """The shortest radius that gives a curvature back exactly, else the curvature itself."""
    if not curvature:
        return {}
    for digits in range(2, 16):
        if (radius := round(1 / curvature, digits)) and 1 / radius == curvature:
            return {"radius": radius}
    return {"curvature": curvature}


def _glass(lens: Lens, i: int) -> str | dict[str, Any]:
    """The medium behind a surface: model, catalogue name if the catalogue has these very numbers, else coefficients."""
    surface, coefficients = lens.info.surfaces[i], tuple(float(v) for v in lens.coefficients[i])
    if surface.is_model:
        return dict(zip(("nd", "vd", "dpgf"), map(float, lens.model[i]), strict=True))
    if coefficients == AIR and not surface.glass:
        return ""
    try:
        is_listed = bool(surface.glass) and glass(surface.glass).coefficients == coefficients
    except LensError:
        is_listed = False
    return surface.glass if is_listed else {"coefficients": coefficients, "name": surface.glass}
