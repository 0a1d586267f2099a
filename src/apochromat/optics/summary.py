"""What a lens is and does, as plain numbers: first-order quantities, and where each field's rays land in every colour and configuration.

Traced in NumPy (`plain.py`), so that nothing has to be compiled for it.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from apochromat.optics.layout import acts
from apochromat.optics.lens import Lens
from apochromat.optics.opening import index_at
from apochromat.optics.plain import aimed, chief_tangents, march, matrix
from apochromat.optics.pupil import rings

RINGS, ARMS = 4, 8  # of the pupil quadrature
FIRST_ORDER = ("efl_mm", "bfl_mm", "f_number", "image_space_f_number", "entrance_pupil_mm", "total_track_mm")


class _Landed(NamedTuple):
    """Rays of F fields through P points of the stop at one wavelength, on the image (NumPy)."""

    points: np.ndarray  # (2, F, P) mm
    directions: np.ndarray  # (3, F, P)
    arrives: np.ndarray  # (F, P) clipped or not
    clear: np.ndarray  # (F, P) through every aperture


def summary(lens: Lens) -> dict[str, Any]:
    """Facts of a lens as JSON can hold them; what does not exist (a ray that is lost) is None.

    At the top: quantities of the first configuration at the primary wavelength, lengths in mm. `first_order` and `fields` have one row
    for each configuration and wavelength, and each field of them: RMS spot radii (µm) are about the centroid, `arrived` is the share of
    the pupil that reaches the image, chief rays are those through the middle of the stop. `bfl_mm` runs from the last face of glass, or
    mirror, to the paraxial focus of a distant object; `f_number` is the working one, 1 / (2 n sin u') of the real ray from the axis
    through the edge of the stop, `image_space_f_number` the focal length over the entrance pupil.
    """
    info, per_colour, per_field = lens.info, [], []
    for config, name in enumerate(info.configurations):
        tangents, columns = chief_tangents(lens, index_at(lens), config), []
        for wavelength in info.wavelengths_nm:
            place = {"configuration": name, "wavelength_nm": wavelength}
            values = {key: _plain(value) for key, value in plain_first_order(lens, wavelength, config).items()}
            per_colour.append({**place, **values})
            columns.append([{**place, **row} for row in _fields(lens, tangents, index_at(lens, wavelength), config)])
        per_field += [row for of_field in zip(*columns, strict=True) for row in of_field]
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


def plain_first_order(lens: Lens, wavelength_nm: float | None = None, config: int = 0) -> dict[str, float]:
    """First-order quantities of a configuration at a wavelength (None: the primary one), as `summary` counts them; see `first_order.py`."""
    index = index_at(lens, wavelength_nm)
    whole, front = matrix(lens, index, config), matrix(lens, index, config, lens.info.stop)
    back = whole @ np.linalg.inv(front)
    onward = (-1.0) ** sum(s.kind == "mirror" for s in lens.info.surfaces)
    thickness, vergence = np.asarray(lens.thickness, float)[config], float(np.asarray(lens.object_vergence)[config])
    efl, stop = -1 / whole[1, 0], 2 * float(np.asarray(lens.stop_radius)[config])
    entrance, diameter = front[0, 1] / front[0, 0], stop / abs(front[0, 0])
    exit_position = -back[0, 1] / (back[1, 1] / onward)
    slope = -1 / (1 + entrance * vergence)
    last = int(np.flatnonzero(acts(lens))[-1]) if acts(lens).any() else lens.S - 1
    return {
        "efl_mm": efl,
        "bfl_mm": thickness[last:].sum() - whole[0, 0] / whole[1, 0] * onward,
        "f_number": _working_f_number(lens, index, config),
        "image_space_f_number": abs(efl) / diameter,
        "entrance_pupil_mm": diameter,
        "entrance_pupil_position_mm": entrance,
        "exit_pupil_mm": stop * abs(back[0, 0] + exit_position * back[1, 0] / onward),
        "exit_pupil_position_mm": exit_position,
        "total_track_mm": thickness.sum(),
        "magnification": whole[0, 0] * (1 + slope) + whole[0, 1] * slope * vergence if vergence else 0.0,
    }


def _working_f_number(lens: Lens, index: np.ndarray, config: int) -> float:
    found = _landed(lens, np.zeros((2, 1)), np.array([[0.0, 1.0], [0.0, -1.0]]), index, config)
    sines = found.directions[1, 0]
    return 1 / float(index[-1] * abs(sines[0] - sines[1])) if found.arrives.all() else math.nan


def _landed(lens: Lens, tangents: np.ndarray, pupil: np.ndarray, index: np.ndarray, config: int) -> _Landed:
    """Rays of fields by their tangents (2, F) through points (P, 2) of the stop's unit disc."""
    goal = np.broadcast_to(pupil.T[:, None], (2, tangents.shape[1], len(pupil)))
    start = aimed(lens, tangents, goal, index, config)
    slopes = tangents[:, :, None] + start * float(np.asarray(lens.object_vergence)[config])
    points, directions, failed = march(lens, start, slopes, index[:, None, None], config)
    radius = np.hypot(*np.moveaxis(points[:-1] - np.asarray(lens.decenter)[:, :, None, None], 1, 0))
    semi, inner = (np.asarray(v, float)[:, None, None] for v in (lens.semi_diameter, lens.inner_radius))
    arrives = (failed < 0) & np.isfinite(directions).all(0)
    return _Landed(points[-1], directions, arrives, arrives & ~((radius > semi) | (radius < inner)).any(0))


def _fields(lens: Lens, tangents: np.ndarray, index: np.ndarray, config: int) -> list[dict[str, Any]]:
    """One row for each field of a configuration at one wavelength."""
    points, weights = rings(RINGS, ARMS)
    found = _landed(lens, tangents, np.concatenate([np.zeros((1, 2)), points]), index, config)
    rows = []
    for f, field in enumerate(np.asarray(lens.fields, float)):
        share = found.clear[f, 1:] * weights
        chief = found.points[:, f, 0]
        rows.append(
            {
                "field": field.tolist(),
                "angle_deg": np.degrees(np.arctan(tangents[:, f])).tolist(),
                "chief_ray_mm": [_plain(chief[0]), _plain(chief[1])],
                "chief_ray_height_mm": _plain(math.hypot(*chief)),
                "chief_ray_angle_deg": _plain(np.degrees(np.arccos(np.minimum(1.0, np.abs(found.directions[2, f, 0]))))),
                "rms_spot_um": _plain(_rms_um(found.points[:, f, 1:].T, share)),
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
