#!/usr/bin/env python3
"""Design a wide phone lens of the library again, from powers and bendings: `python examples/lenses/wide.py ultra-14 -o ultra-14.toml`.

A folder's `recipe.toml` says what it starts from and what is wanted. Damped least squares follows the lens while aperture and field grow
together from a small share, on a merit whose trace loses no ray (`wide_trace.py`); a step that leaves the lens behind is taken back and
halved. The zones of the surfaces follow the rays, and higher orders join as they grow. Written down, the surfaces are even aspheres.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from wide_document import document, focused
from wide_merit import RIM, SCALE, SHIFT, Form, Numbers, Seen, WideMerit, centroids, illumination
from wide_trace import BASIS, sag

from apochromat.optics.files import write_toml
from apochromat.optics.glass import glass
from apochromat.optics.lens import TERMS
from apochromat.optics.optimise.beams import half_pupil
from apochromat.optics.optimise.least_squares import descend
from apochromat.optics.precision import float64

HERE = Path(__file__).parent
ORDERS = {0.0: 2, 0.35: 3, 0.5: 4, 0.68: 5, 0.84: 6, 0.97: 7}  # share of the field from which so many terms of a surface are free
FRONT = 1.1  # zone of surfaces before the stop over their clear radius, where aimed rays may start
OVER = 1.015  # aperture while designing over that of the lens, so that the rim of the pupil is sound
DEEPEST = 1.35  # zone over clear radius, at most, to hold rays where they cross the plane of the vertex


@dataclass(frozen=True)
class Recipe:
    """What a lens starts from and what is wanted: `recipe.toml`. Lengths in mm."""

    notes: list[str]
    efl: float  # of the start
    f_number: float
    glass: list[str]  # of each element
    power: list[float]  # over that of the lens
    bend: list[float]  # (c1 + c2) / (c1 - c2)
    centre: list[float]
    air: list[float]  # behind each element
    stop_behind: int  # so many elements
    angles_deg: list[float]  # fields while it is designed, the last a little beyond the corner
    field_weights: list[float]
    vignetting: list[float]  # VCY of each field
    aims: dict[str, Any]
    heights: list[float]  # fields of the lens, on the image
    pixel_um: float
    near_mm: list[float] = field(default_factory=list)  # distances of the further configurations
    centres: tuple[float, float] = (0.32, 1.6)  # least and largest
    airs: tuple[float, float] = (0.03, 1.8)
    plate_gap: tuple[float, float] = (0.2, 1.2)  # from the filter to the image
    first: float = 0.3  # share of aperture and field at the start
    step: float = 0.1
    last: tuple[int, ...] = (30, 40, 50, 50)  # Jacobians of the descents at the end, the zones renewed between them


@dataclass
class Draft:
    """A lens on its way: filter of 0.21 mm and stop included."""

    recipe: Recipe
    kinds: list[str]  # "lens", "stop", "filter"
    media: list[str]
    thickness: np.ndarray
    shapes: np.ndarray  # (S, TERMS) of (r / zone)^2 ...
    zone: np.ndarray
    clear: np.ndarray
    wavelengths: tuple[float, ...] = (445.0, 546.074, 645.0)
    colours: tuple[float, ...] = (0.6, 1.0, 0.8)
    rays: tuple[int, int] = (8, 10)  # rings and arms; fewer leave gaps that surfaces of order 16 use
    merit: float = np.inf
    whole: bool = False  # whether the corner's height counts

    def form(self) -> Form:
        """What of its merit is compiled in."""
        lens = tuple(i for i, k in enumerate(self.kinds) if k == "lens")
        spaces = []
        for i in lens:
            last = i + 1 + (self.kinds[i + 1] == "stop")
            kind = "edge" if self.media[i] else "air" if self.kinds[last] == "lens" else "back"
            spaces.append((i, last, kind))
        primary = int(np.argmin(np.abs(np.array(self.wavelengths) - 546.074)))
        return Form(len(self.kinds), self.kinds.index("stop"), primary, lens, tuple(spaces), len(half_pupil(*self.rays)[0]))

    def merit_at(self, share: float) -> WideMerit:
        """Its merit for a share of aperture and field."""
        r, (points, weights) = self.recipe, half_pupil(*self.rays)
        aims: dict[str, Any] = {k: np.asarray(v, float) for k, v in r.aims.items()}
        aims["distortion"] = aims["distortion"] * np.array([min(1.0, 1.05 * share**2), 1.0])
        aims["whole"] = float(self.whole)
        every = np.concatenate([points, [[0.0, 0.0]], np.stack([np.cos(RIM), np.sin(RIM)], -1)])
        squeeze = np.stack([np.ones(len(r.vignetting)), 1 - np.array(r.vignetting)], -1)
        index = [[1.0, *(float(glass(m).index(nm)) if m else 1.0 for m in self.media)] for nm in self.wavelengths]
        numbers = Numbers(
            index=np.array(index),
            zone=self.zone,
            clear=self.clear,
            tangents=np.tan(np.radians(r.angles_deg) * share),
            pupil=squeeze[:, None] * every,
            pupil_weights=weights,
            field_weights=np.array(r.field_weights),
            colours=np.array(self.colours) / sum(self.colours),
            aperture=np.asarray(share * OVER / (2 * r.f_number)),
            aims=aims,
        )
        return WideMerit(self.form(), numbers)

    def variables(self) -> np.ndarray:
        """Its variables."""
        shapes = np.linalg.solve(BASIS.T, self.shapes[[k == "lens" for k in self.kinds]].T).T
        return np.concatenate([shapes.ravel() / SCALE, self.thickness / SHIFT])

    def bounds(self, orders: int) -> tuple[np.ndarray, np.ndarray]:
        """Least and largest variables, higher terms held."""
        x = self.variables()
        count = len(x) - len(self.kinds)
        held = np.arange(count) % TERMS >= orders
        gaps = np.array([self._gap(i) for i in range(len(self.kinds))]).T / SHIFT
        low, high = np.where(held, x[:count], -1e5), np.where(held, x[:count], 1e5)
        return np.concatenate([low, gaps[0]]), np.concatenate([high, gaps[1]])

    def _gap(self, i: int) -> tuple[float, float]:
        """Least and largest thickness behind a surface; around the stop the two add up."""
        r = self.recipe
        if self.kinds[i] == "filter":
            return (float(self.thickness[i]),) * 2 if self.media[i] else r.plate_gap
        if self.media[i]:
            return r.centres
        return (-0.9, 1.2) if "stop" in self.kinds[i : i + 2] else r.airs

    def take(self, x: np.ndarray) -> None:
        """Become what variables say."""
        lens = [k == "lens" for k in self.kinds]
        self.shapes[lens] = SCALE * x[: -len(self.kinds)].reshape(-1, TERMS) @ BASIS
        self.thickness = SHIFT * x[-len(self.kinds) :]

    @float64
    def rezone(self, share: float, orders: int) -> None:
        """Zones that hold the rays of a share of aperture and field, the surfaces fitted on them."""
        u = np.sqrt(np.arange(1, 161) / 160)
        terms = (BASIS @ u ** (2 * np.arange(1, TERMS + 1)[:, None])).T
        before = np.arange(len(self.kinds)) < self.kinds.index("stop")
        for _ in range(2):
            seen = self.merit_at(share).seen(self.variables())
            hit, start = np.hypot(seen.met[0], seen.met[1]).max((1, 2)), seen.met[4].max((1, 2))
            need = np.maximum(hit * np.where(before, FRONT, 1.03), np.minimum(start * 1.02, hit * DEEPEST))
            zone = np.clip(np.maximum(need, 0.15), self.zone / 1.6, self.zone * 1.25)
            for i in np.flatnonzero([k == "lens" for k in self.kinds]):
                ratio = zone[i] / self.zone[i]
                weight, free = np.where(u * ratio <= 1, 3.0, 1.0), orders if ratio > 1.0001 else TERMS
                height = np.asarray(sag((u * ratio) ** 2, self.shapes[i])[0])
                found = np.linalg.lstsq(terms[:, :free] * weight[:, None], height * weight, rcond=None)[0]
                self.shapes[i] = found @ BASIS[:free]
            self.zone, self.clear = zone, np.minimum(hit * 1.02, zone)

    def descend(self, share: float, jacobians: int, orders: int, renew: bool = True) -> Draft:
        """Renew the zones, if asked, and follow the descent."""
        if renew:
            self.rezone(share, orders)
        bounds = self.bounds(orders)
        found = descend(self.merit_at(share), np.clip(self.variables(), *bounds), bounds, jacobians)
        self.take(found.x)
        self.merit = found.merit
        return self

    def copy(self) -> Draft:
        """Another that may go its own way."""
        return replace(self, shapes=self.shapes.copy())


def started(r: Recipe) -> Draft:
    """Thin elements' powers and bendings as surfaces, with stop and filter."""
    rows: list[tuple[str, str, float, float]] = []  # kind, medium, thickness, curvature
    for i, (name, power, bend) in enumerate(zip(r.glass, r.power, r.bend, strict=True)):
        difference = power / r.efl / (glass(name).nd - 1)
        rows += [("lens", name, r.centre[i], difference * (bend + 1) / 2), ("lens", "", r.air[i], difference * (bend - 1) / 2)]
        if i + 1 == r.stop_behind:
            rows[-1] = (*rows[-1][:2], 0.1, rows[-1][3])
            rows.append(("stop", "", r.air[i] - 0.1, 0.0))
    rows += [("filter", "N-BK7", 0.21, 0.0), ("filter", "", 0.3, 0.0)]
    kinds, media, thickness, curvature = (list(column) for column in zip(*rows, strict=True))
    zone, shapes = np.full(len(rows), r.efl / 2 / r.f_number), np.zeros((len(rows), TERMS))
    shapes[:, 0] = np.array(curvature) / 2 * zone**2
    return Draft(r, kinds, media, np.array(thickness), shapes, zone, zone.copy())


def grown(draft: Draft) -> Draft:
    """Follow the descent from a small share of aperture and field to all of both."""
    share, step = draft.recipe.first, draft.recipe.step
    draft.descend(share, 30, 2)
    while share < 1:
        kept, wider = draft.copy(), min(1.0, share + step)
        orders, enough = max(n for s, n in ORDERS.items() if wider >= s), max(30 + 100 * wider, 2 * kept.merit)
        for jacobians in (10, 8):
            draft.descend(wider, jacobians, orders)
            if draft.merit < enough:
                break
        if draft.merit < enough:
            share, step = wider, min(1.3 * step, draft.recipe.step)
            told(draft, share)
        else:
            draft, step = kept, step / 2
        if step < 0.003:
            raise SystemExit(f"stuck at {share:.3f} of aperture and field")
    return polished(draft)


def polished(draft: Draft) -> Draft:
    """All orders, and the image as high as it should be; zones are renewed as long as that gains."""
    first, *more = draft.recipe.last
    draft = replace(draft, whole=True).descend(1.0, first, TERMS)
    for count in more:
        renewed = draft.copy().descend(1.0, count, TERMS)
        draft = renewed if renewed.merit < draft.merit else draft.descend(1.0, count, TERMS, renew=False)
        told(draft, 1.0)
    return draft


@float64
def told(draft: Draft, share: float) -> None:
    """Say how far it is: RMS spots (µm) of the fields, focal length, and the corner's illumination."""
    merit = draft.merit_at(share)
    form, n, s = merit.form, merit.numbers, merit.seen(draft.variables())
    rms = np.round(spots(form, s, n), 1).tolist()
    figures = f"merit {draft.merit:.4g} f {s.efl:.3f} illumination {illumination(s)[-1]:.2f} track {draft.thickness.sum():.2f}"
    print(f"share {share:.3f}: {figures} spots {rms}", file=sys.stderr, flush=True)


def spots(form: Form, s: Seen, n: Numbers) -> np.ndarray:
    """RMS spot radii (F,) µm about the polychromatic centroids."""
    y = s.y[..., : form.points] - np.asarray(centroids(form, s, n))[:, None]
    return 1e3 * np.sqrt(np.einsum("wfp,w,p->f", s.x[..., : form.points] ** 2 + y**2, n.colours, n.pupil_weights))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=("main-23", "ultra-14"))
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = Recipe(**tomllib.loads((HERE / arguments.name / "recipe.toml").read_text()))
    write_toml(focused(document(grown(started(recipe)), arguments.name), recipe.efl, recipe.near_mm), arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
