"""What a certificate covers: which media it accepts, which sensor and image it assumes, which configurations it was shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from apochromat.optics.certificate.rays import exits, launch, ring_pupil
from apochromat.optics.certificate.thresholds import line, thresholds
from apochromat.optics.errors import LensError
from apochromat.optics.first_order import first_order
from apochromat.optics.glass import UnknownGlass, glass, index_of
from apochromat.optics.lens import AIR, REFERENCE_C, Lens
from apochromat.optics.temperature import coefficients_at

SAME_INDEX = 1e-4  # between a lens's medium and the catalogue's glass of that name


@dataclass(frozen=True)
class Scope:
    """Pixel pitch and image radius that the tests use, and the sentences that say where they come from and what is missing."""

    pixel_um: float
    image_radius_mm: float
    notes: tuple[str, ...]


def scope_of(lens: Lens) -> Scope:
    """Declared or default image, with notes. Raises LensError for media without catalogued dispersion."""
    refuse_uncatalogued(lens)
    celsius = lens.info.temperature_c
    notes = [] if celsius == REFERENCE_C else [f"Tested at {celsius:g} °C: the lens is declared at {REFERENCE_C:g} °C."]
    notes += _missing_configurations(lens)
    kinds = {s.kind for s in lens.info.surfaces}
    notes += [
        f"No {what} is declared: tested without." for kind, what in (("cover", "cover glass"), ("filter", "filter")) if kind not in kinds
    ]
    pixel = lens.info.pixel_um
    if pixel is None:
        pixel = float(thresholds()["defaults"]["pixel_um"])
        notes.append(f"No pixel pitch is declared: {pixel:g} µm is assumed.")
    radius, note = _image_radius(lens)
    return Scope(pixel, radius, (*notes, *([note] if note else [])))


def refuse_uncatalogued(lens: Lens) -> None:
    """Raise LensError for model glass, for a medium that no catalogue has, and for one that is not what its name says."""
    where = f", in {lens.info.source}" if lens.info.source else ""
    lines = np.array([line(name) for name in "gFeC"])
    for i, surface in enumerate(lens.info.surfaces):
        coefficients = np.asarray(lens.coefficients)[i]
        if surface.is_model:
            raise LensError(f"Expected real, catalogued glass for a certificate, found model glass behind surface {i + 1}{where}.")
        if not surface.glass and np.allclose(coefficients, AIR):
            continue
        try:
            listed = coefficients_at(glass(surface.glass), lens.info.temperature_c)
        except UnknownGlass:
            name = repr(surface.glass) if surface.glass else "a medium without a name"
            raise LensError(f"Expected catalogued glass for a certificate, found {name} behind surface {i + 1}{where}.") from None
        if np.abs(index_of(coefficients, lines) - index_of(listed, lines)).max() > SAME_INDEX:
            raise LensError(
                f"Expected the catalogue's dispersion of {surface.glass} for a certificate, found another behind surface {i + 1}{where}."
            )


def _image_radius(lens: Lens) -> tuple[float, str]:
    """Radius (mm) of the image, and a note when it is not declared."""
    if lens.info.image_radius_mm is not None:
        return float(lens.info.image_radius_mm), ""
    fields = np.asarray(lens.fields, float).reshape(-1, 2)
    largest = fields[np.linalg.norm(fields, axis=1).argmax()] if len(fields) else np.zeros(2)
    if not largest.any():
        share = thresholds()["defaults"]["image_radius_per_focal_length"]
        radius = share * abs(float(first_order(lens).efl_mm))
        return (
            radius,
            f"Neither image radius nor a field off the axis is declared: {radius:.3g} mm is assumed, {share:g} of the focal length.",
        )
    if lens.info.field_kind == "image_height":
        radius = float(np.linalg.norm(largest))
    else:
        chief = exits(lens, launch(lens, largest[None], [line("e")], ring_pupil(), 0), 0, apertures=False)
        radius = float(np.hypot(chief.x[0, 0, -1], chief.y[0, 0, -1]))
    return radius, f"No image radius is declared: {radius:.3g} mm is used, the image of the largest field."


def _missing_configurations(lens: Lens) -> Iterator[str]:
    """What the certificate asks for and the lens does not declare."""
    table, vergence = thresholds()["configurations"], np.asarray(lens.object_vergence)
    middle = 1 / table["middle_mm"]
    if not (vergence == 0).any():
        yield "No configuration focuses at infinity: infinity is not covered."
    if not (np.abs(vergence / middle - 1) <= table["middle_tolerance"]).any():
        yield "No configuration focuses at 3 m: 3 m is not covered."
    if not (vergence > middle * (1 + table["middle_tolerance"])).any():
        yield "No configuration is nearer than 3 m: the nearest focus is not covered."
    positions = int((vergence == 0).sum())
    if 1 < positions < table["zoom_positions"]:
        yield f"Only {positions} zoom positions are declared: the certificate asks for at least {table['zoom_positions']}."
