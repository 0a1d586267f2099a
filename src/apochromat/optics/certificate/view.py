"""One configuration of a lens as the tests see it: its rays, traced once, its depth of focus and its common focus."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from apochromat.optics.certificate.rays import (
    Exit,
    Launch,
    Paraxial,
    bare,
    best_points,
    exits,
    fine_pupil,
    launch,
    paraxial,
    refuse_lost,
    ring_pupil,
    working_f_number,
)
from apochromat.optics.certificate.thresholds import focus_wavelengths, line, line_wavelengths, thresholds
from apochromat.optics.errors import LensError
from apochromat.optics.lens import Lens
from apochromat.optics.pupil import field_angles
from apochromat.optics.trace import CLIPPED, OK

LEAST_LIGHT = 0.05  # of the pupil, at every field


@dataclass(frozen=True)
class View:
    """Rays of one configuration and what is measured on them."""

    name: str
    pixel_um: float
    image_radius_mm: float
    f_number: float  # working, on axis at 546.1 nm
    focus: Exit  # (W, P) on axis, wavelengths over the visible
    axis: Exit  # (W, P) on axis, the lines and between
    fields: Exit  # (F, W, P), the lines and between, vignetted
    mask: np.ndarray  # (K, K) what vignetting leaves of the pupil at the MTF's field

    @property
    def dof_mm(self) -> float:
        """Depth of focus, half range."""
        table = thresholds()["depth_of_focus"]
        return float(table["factor"] * table["wavelength_nm"] * 1e-6 * self.f_number**2)

    @cached_property
    def foci_mm(self) -> np.ndarray:
        """Points (W, 3) of least RMS wavefront at `focus`'s wavelengths."""
        return best_points(self.focus)

    @cached_property
    def shifts_mm(self) -> np.ndarray:
        """Focus (W,) from the plane that makes the largest shift over test 2's range least."""
        return np.asarray(self.foci_mm[:, 2] - self.common[2])

    @cached_property
    def common(self) -> np.ndarray:
        """The common focus (3,): that plane, and in it the best point at 546.1 nm."""
        low, high = thresholds()["test_2"]["range_nm"]
        inside = (self.focus.wavelengths_nm >= low - 1e-6) & (self.focus.wavelengths_nm <= high + 1e-6)
        z = self.foci_mm[inside, 2]
        return np.array([*self.foci_mm[self.focus.near(line("e")), :2], (z.max() + z.min()) / 2])


@dataclass(frozen=True)
class Launched:
    """Rays in front of the lens for one configuration, and the field angles (F, 2) in degrees that they come from."""

    config: int
    focus: Launch
    fine: Launch
    fields: Launch
    angles: np.ndarray


@dataclass(frozen=True)
class Nominal:
    """The nominal lens in one configuration."""

    view: View
    launched: Launched
    limits: Paraxial  # at the wavelengths of `view.focus`


def nominal(lens: Lens, config: int, pixel_um: float, image_radius_mm: float) -> Nominal:
    """Aim and trace every ray that tests 1 to 6 need. Raises LensError when the full pupil does not pass."""
    axis = np.zeros((1, 2))
    table = thresholds()["test_5"]
    angles = _angles(lens, config, image_radius_mm)
    of_mtf = angles[[table["fields"].index(table["mtf_field"])]]
    started = Launched(
        config=config,
        focus=launch(lens, axis, focus_wavelengths(), ring_pupil(), config),
        fine=launch(lens, axis, line_wavelengths(), fine_pupil(), config),
        fields=launch(lens, angles, line_wavelengths(), ring_pupil(), config),
        angles=angles,
    )
    focus, fine = (exits(lens, rays, config, apertures=False).at(0) for rays in (started.focus, started.fine))
    name = lens.info.configurations[config]
    for rays in (focus, fine):
        refuse_lost(rays, name)
    fields = exits(lens, started.fields, config, apertures=True)
    _refuse_dark(fields, name)
    open_pupil = exits(lens, launch(lens, of_mtf, [line("e")], fine_pupil(), config), config, apertures=True).at(0)
    view = View(name, pixel_um, image_radius_mm, working_f_number(fine, line("e")), focus, fine, fields, _mask(open_pupil))
    return Nominal(view, started, paraxial(lens, focus.wavelengths_nm, config))


def _angles(lens: Lens, config: int, image_radius_mm: float) -> np.ndarray:
    """Angles (F, 2) at the object whose chief rays meet the image at test 5's shares of its radius."""
    heights = np.array([[0.0, share * image_radius_mm] for share in thresholds()["test_5"]["fields"]])
    lens = bare(lens)
    by_height = lens.replace(fields=heights, info=replace(lens.info, field_kind="image_height"))
    return np.asarray(field_angles(by_height, config))


def _refuse_dark(fields: Exit, name: str) -> None:
    """Raise LensError for a field from which too little light, or no chief ray, arrives."""
    passing = (fields.status == OK).mean(2).min(1).tolist()
    chief = np.all(arrived(fields.status[..., -1]), axis=1).tolist()
    for share, part, has_chief in zip(thresholds()["test_5"]["fields"], passing, chief, strict=True):
        if part < LEAST_LIGHT or not has_chief:
            where = f" in configuration {name!r}" if name else ""
            found = f"{part:.0%} of the rays" if has_chief else "no chief ray"
            raise LensError(f"Expected light at {share:g} of the image radius{where}, found {found} arriving.")


def _mask(rays: Exit) -> np.ndarray:
    """(K, K) grid over the stop, 1 where rays of the square grid pass and 0 where they are stopped, rows along y."""
    count = thresholds()["sampling"]["pupil_across"]
    mask = np.ones((count, count))
    on_grid = rays.weights > 0
    cell = ((rays.pupil[on_grid] + 1) / 2 * count).astype(int)
    mask[cell[:, 1], cell[:, 0]] = rays.status[0, on_grid] == OK
    return mask


def arrived(status: np.ndarray) -> np.ndarray:
    """Which rays reach the image plane, clipped or not."""
    return np.asarray((status == OK) | (status == CLIPPED))
