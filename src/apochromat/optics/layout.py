"""Layout of a lens in the plane through its axis and its widest field: glass, stop, folds, sensor, and rays by field.

Unfolded, the axis runs to the right and a fold is a dashed line at 45 degrees. Folded, every fold turns the axis by 90 degrees, down
first and then back to the right, as a periscope does, and rays bend on the mirror itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from apochromat.optics.analyses._figure import CYCLE, INK, top_legend
from apochromat.optics.analyses._rays import Rays, across, field_labels, primary_nm, rays, require_any, tangents
from apochromat.optics.analyses._result import Result
from apochromat.optics.lens import AIR, Lens

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROBES = 41  # rays across the stop among which the drawn ones are chosen
MARGIN = 1.04  # of glass beyond the outermost ray, where no clear radius is declared
PROFILE = 41  # points of a surface's profile
BASE = (np.array([1.0, 0.0]), np.array([0.0, 1.0]))  # directions of the axis and of the height on paper


@dataclass(frozen=True)
class Element(Result):
    """A closed outline of one medium, or an open line (mirror, stop blade, fold, sensor); mm on paper."""

    kind: str  # "glass", "cover", "filter", "prism", "mirror", "stop", "fold", "sensor", "surface"
    label: str
    outline_mm: np.ndarray  # (K, 2) z, y


@dataclass(frozen=True)
class Layout(Result):
    """What stands in the drawing; mm on paper."""

    elements: tuple[Element, ...]
    rays_mm: tuple[np.ndarray, ...]  # each (K, 2)
    ray_fields: np.ndarray  # (len(rays_mm),) index of each ray's field
    field_labels: tuple[str, ...]
    folded: bool
    size_mm: np.ndarray  # (2,) of glass and sensor, along the entry axis and across it


@dataclass(frozen=True)
class _Frame:
    """Where a surface's vertex is on paper, and which way its axis and its height point."""

    origin: np.ndarray
    axis: np.ndarray
    up: np.ndarray

    def place(self, z: Any, y: Any) -> np.ndarray:
        """Points (..., 2) on paper."""
        z, y = np.broadcast_arrays(np.asarray(z, float), np.asarray(y, float))
        return self.origin + z[..., None] * self.axis + y[..., None] * self.up


@dataclass(frozen=True)
class _Drawing:
    """What the parts of a drawing are placed by."""

    kinds: tuple[str, ...]
    acts: np.ndarray  # (S,)
    thickness: np.ndarray  # (S,)
    unfolded: np.ndarray  # (S + 1,) z of each vertex and of the image along the unfolded axis
    radii: np.ndarray  # (S,) to which surfaces are drawn
    frames: tuple[tuple[_Frame, _Frame], ...]  # before and after each surface, and those of the image; they differ at a fold
    start_mm: float  # z at which rays begin
    folded: bool


def compute(lens: Lens, config: int = 0, *, folded: bool | None = None, fields: Any = None, rays_per_field: int = 5) -> Layout:
    """The drawing of one configuration, folded if the lens has a fold (or as told), with rays of fields (F, 2) (default: the lens's)."""
    fields = np.asarray(lens.fields if fields is None else fields, float).reshape(-1, 2)
    slopes = tangents(lens, fields, config)
    along = across(slopes[np.argmax((slopes**2).sum(1))][None])[0]
    found = rays(lens, slopes, primary_nm(lens), np.linspace(-1, 1, PROBES)[:, None] * along, config)
    require_any(found, lens, "a layout")
    has_fold = any(s.kind == "fold" for s in lens.info.surfaces)
    drawing = _drawing(lens, found, config, has_fold if folded is None else folded)
    elements = tuple(_elements(lens, drawing, float(np.asarray(lens.stop_radius)[config]), _image(lens, found)))
    lines, owners = _lines(lens, found, drawing, along, rays_per_field)
    solid = np.concatenate([e.outline_mm for e in elements if e.kind not in ("stop", "fold")])
    labels = tuple(field_labels(lens, fields))
    return Layout(elements, tuple(lines), np.array(owners, int), labels, drawing.folded, np.ptp(solid, axis=0))


def _drawing(lens: Lens, found: Rays, config: int, folded: bool) -> _Drawing:
    kinds, thickness = tuple(s.kind for s in lens.info.surfaces), np.asarray(lens.thickness, float)[config]
    unfolded, radii = np.concatenate([[0], np.cumsum(thickness)]), _radii(lens, found)
    acting = acts(lens)
    first = int(np.argmax(acting))
    rim = min(0.0, float(profile(lens, first, np.array([radii[first]]))[0]))
    start = unfolded[first] + rim - 0.12 * float(np.ptp(unfolded))
    return _Drawing(kinds, acting, thickness, unfolded, radii, tuple(_frames(kinds, thickness, folded)), start, folded)


def _radii(lens: Lens, found: Rays) -> np.ndarray:
    """Radius (S,) to which each surface is drawn: the clear one, or the outermost ray's and a margin."""
    ok = found.ok[..., None]
    reach = np.where(ok, np.hypot(found.points[..., 0], found.points[..., 1])[..., :-1], 0).max((0, 1, 2)) * MARGIN
    declared = np.asarray(lens.semi_diameter, float)
    return np.where(np.isfinite(declared), declared, reach)


def _image(lens: Lens, found: Rays) -> float:
    """Half the height to which the sensor is drawn."""
    reach = np.where(found.ok, np.hypot(found.points[..., -1, 0], found.points[..., -1, 1]), 0).max() * MARGIN
    return float(lens.info.image_radius_mm or reach)


def _turned(vector: np.ndarray) -> np.ndarray:
    """A direction on paper after a mirror at 45 degrees: to the right becomes down, down becomes to the right."""
    return np.array([-vector[1], -vector[0]])


def _frames(kinds: tuple[str, ...], thickness: np.ndarray, folded: bool) -> list[tuple[_Frame, _Frame]]:
    """Frames before and after each surface, and those of the image plane: they differ at a fold."""
    frame, frames = _Frame(np.zeros(2), *BASE), []
    for kind, t in zip(kinds, thickness, strict=True):
        after = replace(frame, axis=_turned(frame.axis), up=_turned(frame.up)) if folded and kind == "fold" else frame
        frames.append((frame, after))
        frame = replace(after, origin=after.origin + t * after.axis)
    return [*frames, (frame, frame)]


def profile(lens: Lens, surface: int, y: np.ndarray) -> np.ndarray:
    """Sag (mm) of a surface at heights y; beyond the end of a conic, its last value."""
    c, k, even = (np.asarray(v)[surface] for v in (lens.curvature, lens.conic, lens.even))
    limit = 1 / (c * c * (1 + k)) if c and 1 + k > 0 else np.inf
    r2 = np.minimum(y * y, 0.999 * limit)
    return c * r2 / (1 + np.sqrt(np.maximum(1 - (1 + k) * c * c * r2, 0))) + sum(a * r2 ** (j + 1) for j, a in enumerate(even))


def _face(lens: Lens, surface: int, radius: float, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """z and y of a face from bottom to top, flat beyond its clear radius up to the element's edge."""
    y = np.linspace(-radius, radius, PROFILE)
    z = profile(lens, surface, y)
    return np.concatenate([z[:1], z, z[-1:]]), np.concatenate([[-edge], y, [edge]])


def _elements(lens: Lens, drawing: _Drawing, stop: float, image: float) -> list[Element]:
    """All outlines: media between surfaces, mirrors, folds, the stop, the sensor."""
    out = []
    faces = [i for i in np.flatnonzero(drawing.acts).tolist() if drawing.kinds[i] != "fold"]
    for first, last in pairwise(faces):
        if _is_solid(lens, first):
            out.append(_body(lens, drawing, first, last))
    for i, s in enumerate(lens.info.surfaces):
        before = drawing.frames[i][0]
        if s.kind == "mirror":
            out.append(Element("mirror", s.label, before.place(*_face(lens, i, drawing.radii[i], drawing.radii[i]))))
        if s.kind == "fold":
            h = _fold_height(drawing, i)
            out.append(Element("fold", s.label, before.place(np.array([h, -h]), np.array([-h, h]))))
    i, blade = lens.info.stop, np.array([stop, stop + 0.15 * max(stop, 0.3 * drawing.radii.max())])
    z = profile(lens, i, blade[:1])
    out += [Element("stop", "stop", drawing.frames[i][0].place(z, side * blade)) for side in (1, -1)]
    out.append(Element("sensor", "image", drawing.frames[-1][0].place(0.0, np.array([-image, image]))))
    return out


def _is_solid(lens: Lens, surface: int) -> bool:
    """Whether there is glass, not air, behind a surface."""
    s = lens.info.surfaces[surface]
    return s.is_model or not np.allclose(np.asarray(lens.coefficients)[surface], AIR)


def _body(lens: Lens, drawing: _Drawing, first: int, last: int) -> Element:
    """Outline of the medium between two faces, with folds between them or none."""
    s, radii, frames = lens.info.surfaces[first], drawing.radii, drawing.frames
    edge = max(radii[first], radii[last])
    entry = frames[first][1].place(*_face(lens, first, radii[first], edge))
    leave = frames[last][0].place(*_face(lens, last, radii[last], edge))
    folds = [i for i in range(first + 1, last) if drawing.kinds[i] == "fold"]
    kind = "prism" if folds else s.kind if s.kind in ("cover", "filter") else "glass"
    if len(folds) != 1 or not drawing.folded:
        return Element(kind, s.glass or s.label, np.concatenate([entry, leave[::-1]]))
    # Along the roof to the mirror and down it to the exit face, and back round the inner corner.
    h, fold = _fold_height(drawing, folds[0]), frames[folds[0]][0]
    roof, inner = fold.place(np.array([-h, h]), np.array([h, -h])), fold.place(np.array([-h]), np.array([-h]))
    return Element(kind, s.glass or s.label, np.concatenate([entry, roof, leave, inner]))


def _fold_height(drawing: _Drawing, fold: int) -> float:
    """Half the mirror's size across the axis: its radius, no more than the way to its neighbours."""
    before, after = drawing.thickness[fold - 1] if fold else np.inf, drawing.thickness[fold]
    return float(min([drawing.radii[fold], *(abs(v) for v in (before, after) if v)]))


def acts(lens: Lens) -> np.ndarray:
    """(S,) whether a surface does something to a ray: it is a mirror or a fold, or the medium changes at it."""
    media = [(s.is_model, tuple(row)) for s, row in zip(lens.info.surfaces, np.asarray(lens.coefficients), strict=True)]
    before = [(False, AIR), *media[:-1]]
    kinds = [s.kind in ("mirror", "fold") for s in lens.info.surfaces]
    return np.array(kinds) | np.array([a != b for a, b in zip(before, media, strict=True)])


def _lines(lens: Lens, found: Rays, drawing: _Drawing, along: np.ndarray, count: int) -> tuple[list[np.ndarray], list[int]]:
    """Rays on paper and the field of each: those that arrive, evenly over what the apertures leave of the stop."""
    lines, owners = [], []
    for f in range(len(found.points)):
        arrive = np.flatnonzero(found.ok[f, 0])
        for p in arrive[np.linspace(0, len(arrive) - 1, min(count, len(arrive))).round().astype(int)] if len(arrive) else []:
            start, points = found.start[f, 0, p], found.points[f, 0, p]
            lines.append(_line(drawing, (start[3:5] @ along) / start[5], points[:, :2] @ along, points[:, 2]))
            owners.append(f)
    return lines, owners


def _line(drawing: _Drawing, slope: float, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """One ray on paper, from in front of the lens to the image by the surfaces that act on it, bent on the mirrors where folded."""
    acting = [*np.flatnonzero(drawing.acts).tolist(), len(y) - 1]
    first = acting[0]
    lead = z[first] + drawing.unfolded[first] - drawing.start_mm
    before = (z[first] - lead, y[first] - lead * slope)
    path = [drawing.frames[first][0].place(*before)]
    for k, i in enumerate(acting):
        if drawing.folded and i < len(y) - 1 and drawing.kinds[i] == "fold":
            z0, y0 = (z[acting[k - 1]] - drawing.unfolded[i] + drawing.unfolded[acting[k - 1]], y[acting[k - 1]]) if k else before
            z1, y1 = z[acting[k + 1]] + drawing.unfolded[acting[k + 1]] - drawing.unfolded[i], y[acting[k + 1]]
            part = (z0 + y0) / ((z0 + y0) - (z1 + y1))
            path.append(drawing.frames[i][0].place(z0 + part * (z1 - z0), y0 + part * (y1 - y0)))
        else:
            path.append(drawing.frames[i][0].place(z[i], y[i]))
    return np.stack(path)


FILLS = {"glass": "#8fb4d8", "prism": "#8fb4d8", "cover": "#b9bec4", "filter": "#9fd0b4"}
WIDTHS = {"sensor": 2.2, "stop": 2.0}  # of lines, points


def draw(result: Layout, figure: Figure) -> None:
    """The section to scale, mm on both axes."""
    axes = figure.subplots()
    for ray, owner in zip(result.rays_mm, result.ray_fields, strict=True):
        axes.plot(*ray.T, color=CYCLE[owner % 6], linewidth=0.7, zorder=2)
    for element in result.elements:
        _draw_element(axes, element)
    for i, label in enumerate(result.field_labels):
        axes.plot([], [], color=CYCLE[i % 6], label=label)
    axes.set(aspect="equal", xlabel="Along the entry axis (mm)" if result.folded else "Along the axis (mm)", ylabel="Height (mm)")
    top_legend(figure, 5)


def _draw_element(axes: Any, element: Element) -> None:
    outline = element.outline_mm
    if element.kind in FILLS:
        axes.fill(*outline.T, facecolor=FILLS[element.kind], alpha=0.45, edgecolor="none", zorder=1)
        axes.plot(*np.concatenate([outline, outline[:1]]).T, color=INK, linewidth=0.8, zorder=3)
    elif element.kind == "fold":
        axes.plot(*outline.T, color=INK, linewidth=1.2, linestyle="--", zorder=3)
    else:
        axes.plot(*outline.T, color="black", linewidth=WIDTHS.get(element.kind, 1.4), zorder=3, solid_capstyle="butt")


def size_in(result: Layout) -> tuple[float, float]:
    """Width and height in inches of a figure that suits the drawing's proportions."""
    extent = np.concatenate([*result.rays_mm, *(e.outline_mm for e in result.elements)])
    width, height = np.ptp(extent, axis=0)
    return 5.2, float(np.clip(4.5 * height / width + 1.0, 2.2, 6.5))
