"""What a lens is and does, as plain numbers: first-order quantities, and where each field's rays land in every colour and configuration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from apochromat.optics.analyses._rays import rays, tangents
from apochromat.optics.first_order import first_order
from apochromat.optics.lens import Lens
from apochromat.optics.pupil import rings

RINGS, ARMS = 4, 8  # of the pupil quadrature: 32 rays, one batch of the trace that the analyses share
FIRST_ORDER = ("efl_mm", "bfl_mm", "f_number", "entrance_pupil_mm", "total_track_mm")


def summary(lens: Lens) -> dict[str, Any]:
    """Facts of a lens as JSON can hold them; what does not exist (a ray that is lost) is None.

    At the top: quantities of the first configuration at the primary wavelength, lengths in mm. `first_order` and `fields` have one row
    for each configuration and wavelength, and each field of them: RMS spot radii (µm) are about the centroid, `arrived` is the share of
    the pupil that reaches the image, chief rays are those through the middle of the stop.
    """
    info, per_colour, per_field = lens.info, [], []
    for config, name in enumerate(info.configurations):
        for wavelength in info.wavelengths_nm:
            found = first_order(lens, wavelength, config)
            values = {key: _plain(value) for key, value in found._asdict().items()}
            per_colour.append({"configuration": name, "wavelength_nm": wavelength, **values})
        per_field += _fields(lens, config)
    top, first = per_colour[info.primary], per_field[: len(per_field) // lens.C]
    return {
        "name": info.name,
        "source": info.source,
        **{key: top[key] for key in FIRST_ORDER},
        "image_height_mm": _largest(row["chief_ray_height_mm"] for row in first if row["wavelength_nm"] == top["wavelength_nm"]),
        "surfaces": lens.S,
        "configurations": list(info.configurations),
        "wavelengths_nm": list(info.wavelengths_nm),
        "first_order": per_colour,
        "fields": per_field,
        "notes": list(info.notes),
    }


def _fields(lens: Lens, config: int) -> list[dict[str, Any]]:
    """One row for each field and wavelength of a configuration."""
    points, weights = rings(RINGS, ARMS)
    slopes, waves = tangents(lens, lens.fields, config), lens.info.wavelengths_nm
    pupil = rays(lens, slopes, waves, points, config)
    chief = rays(lens, slopes, waves, np.zeros((1, 2)), config, apertures=False)
    rows = []
    for f, field in enumerate(np.asarray(lens.fields, float)):
        for w, wavelength in enumerate(waves):
            landed, share = pupil.landed[f, w], pupil.ok[f, w] * weights
            x, y = chief.landed[f, w, 0]
            rows.append(
                {
                    "configuration": lens.info.configurations[config],
                    "wavelength_nm": wavelength,
                    "field": field.tolist(),
                    "angle_deg": np.degrees(np.arctan(slopes[f])).tolist(),
                    "chief_ray_mm": [_plain(x), _plain(y)],
                    "chief_ray_height_mm": _plain(math.hypot(x, y)),
                    "chief_ray_angle_deg": _plain(math.degrees(math.acos(min(1.0, abs(chief.N[f, w, 0]))))),
                    "rms_spot_um": _plain(_rms_um(landed, share)),
                    "arrived": _plain(share.sum()),
                }
            )
    return rows


def _rms_um(landed: np.ndarray, share: np.ndarray) -> float:
    """RMS distance (µm) of points (P, 2) mm from their weighted mean; nan without any."""
    if not share.sum():
        return math.nan
    landed, share = np.nan_to_num(landed), share / share.sum()
    return 1e3 * math.sqrt(float(share @ ((landed - share @ landed) ** 2).sum(1)))


def _largest(values: Any) -> float | None:
    return max((v for v in values if v is not None), default=None)


def _plain(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
