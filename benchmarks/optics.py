#!/usr/bin/env python3
"""Measure the lens engine and print the rows of docs/optics/performance.md.

    optics.py [--data FOLDER] [--rounds 5] [--samples 500]

FOLDER holds published lenses (.zmx) with their reports (.txt) and cellphone80deg.json. Times are medians after compilation.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np

from apochromat.optics.build import build
from apochromat.optics.bulk import trace_bulk
from apochromat.optics.files import lens, library, read_lens
from apochromat.optics.first_order import first_order
from apochromat.optics.lens import AIR, Lens, LensInfo, SurfaceInfo
from apochromat.optics.precision import float64
from apochromat.optics.prescription import Dispersion
from apochromat.optics.pupil import bundle, bundles, rings
from apochromat.optics.trace import OK, Ray, trace

ROOT = Path(__file__).parents[1]
INDEX = {"air": 1.0, "coc": 1.5337306, "polystyr": 1.5904773, "okp4": 1.6072782, "polycarb": 1.5854663}  # of the phone lens, 546 nm
GREEN, RAYS = 546.0, 1_000_000


def phone(path):
    """The 13-surface phone lens, one index per material: curvature, conic and r^2 to r^12 of each asphere."""
    document = json.loads(path.read_text())
    rows = document["surfaces"]
    count, even, media = len(rows), np.zeros((len(rows), 8)), np.zeros((len(rows), 13))
    for i, row in enumerate(rows):
        even[i, :6] = [row.get(f"ai{2 * j}", 0) for j in range(1, 7)]
        media[i, 0] = INDEX[row["mat2"]] ** 2
    zero, pairs = np.zeros(count), np.zeros((count, 2))
    return Lens(
        curvature=np.array([r["c"] for r in rows]),
        conic=np.array([r.get("k", 0.0) for r in rows]),
        even=even,
        thickness=np.array([[*(r["d_next"] for r in rows[:-1]), document["d_sensor"] - rows[-1]["d"]]]),
        object_vergence=np.zeros(1),
        stop_radius=np.array([rows[0]["r"]]),
        semi_diameter=10 * np.array([r["r"] for r in rows]),
        inner_radius=zero,
        tilt=pairs,
        decenter=pairs,
        coefficients=media,
        nd_shift=zero,
        dispersion_shift=zero,
        model=np.tile([1.5, 60.0, 0.0], (count, 1)),
        fields=np.array([[0, y] for y in (0.0, 7.6, 15.2, 22.8, 30.4, 38.0)]),
        info=LensInfo("phone", tuple(SurfaceInfo() for _ in rows), 0, (GREEN,), (1.0,), 0),
    )


def seconds(task, rounds):
    """Median time of a task after two calls that compile and warm."""
    task(), task()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def million(lens, rounds):
    """A million rays at 10 degrees through the first vertex's disc."""
    random = np.random.default_rng(0)
    radius, turn, slope = float(lens.stop_radius[0]) * np.sqrt(random.random(RAYS)), 2 * np.pi * random.random(RAYS), np.radians(10)
    one = np.ones(RAYS)
    ray = Ray(radius * np.cos(turn), radius * np.sin(turn), 0 * one, 0 * one, np.sin(slope) * one, np.cos(slope) * one)
    return seconds(lambda: trace_bulk(lens, ray, GREEN), rounds)


def gradient(lens, rounds):
    """Merit (mean square spot radius of 6 fields x 381 rays) and its gradient by curvature, conic and r^2 to r^12 of 12 aspheres."""
    points = rings(127, 3)[0]
    with float64():
        rays = bundles(lens, lens.fields, GREEN, points)

        def merit(variables, rays):
            moved = lens.replace(curvature=variables[:, 0], conic=variables[:, 1], even=lens.even.at[:, :6].set(variables[:, 2:]))
            end = trace(moved, rays, moved.index(GREEN))
            good = end.status == OK
            x, y = end.x, end.y - end.y.mean(1, keepdims=True)
            return jax.numpy.where(good, x * x + y * y, 0.0).mean()

        lens = lens.replace(even=jax.numpy.asarray(lens.even))
        variables = jax.numpy.column_stack([lens.curvature, lens.conic, lens.even[:, :6]])
        both = jax.jit(jax.value_and_grad(merit))
        return seconds(lambda: jax.block_until_ready(both(variables, rays)), rounds)


def show(name, rounds):
    """Wall time of `apo lens show NAME --json` as a process, the compilation cache warm."""
    command = [sys.executable, "-c", "from apochromat.cli import main; main()", "lens", "show", str(name), "--json"]
    return seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), rounds)


def certificate(lens, rounds):
    """Tests 1 to 6."""
    from apochromat.optics.certificate import certify

    return seconds(lambda: certify(lens, as_built=False), rounds)


def yields(lens, samples):
    """Monte Carlo with refocus: RMS wavefront errors of every field and colour."""
    from apochromat.optics.tolerance import monte_carlo, wavefront_errors

    return seconds(lambda: monte_carlo(lens, wavefront_errors, 1.0, samples=samples), 1)


def psfs(lens, rounds):
    """PSFs of 9 fields x 3 wavelengths, 128 x 128 at the pixel pitch."""
    from apochromat.optics.psf import psf

    part = np.linspace(0, 1, 9)[:, None]
    fields = part * np.asarray(lens.fields, float)[np.argmax((np.asarray(lens.fields) ** 2).sum(1))]
    wavelengths = np.array([486.1327, 546.074, 656.2725])
    return seconds(lambda: psf(lens, fields, wavelengths, lens.info.pixel_um or 1.6, size=128), rounds)


def published(folder):
    """Rows: EFL, BFL and f-number of published lenses with their reports' indices, against the reports."""
    rows = ["| lens | EFL: traced, report | BFL | f-number | largest relative difference |", "|" + " --- |" * 5]
    for path in sorted(folder.glob("*.zmx")):
        report, document = path.with_suffix(".txt").read_text(encoding="utf-8"), read_lens(path)
        traced_lens = build(with_indices(document, report))
        found, info = first_order(traced_lens), traced_lens.info
        rim = bundle(traced_lens, [0, 0], info.wavelengths_nm[info.primary], [[0, 1]])  # the report's f-number is by the real ray
        glass = max(i for i, s in enumerate(document.surfaces) if s.glass)  # a report counts BFL from behind the last glass
        behind = sum(document.thicknesses(0)[glass + 1 : -1])
        traced = [float(found.efl_mm), float(found.bfl_mm) + behind, float(found.efl_mm) / (2 * float(rim.y[0]))]
        said = [stated(report, key) for key in ("Effective Focal Length", "Back Focal Length", "Image Space F/#")]
        cells = [f"{t:.7g}, {s:.7g}" for t, s in zip(traced, said, strict=True)]
        worst = max(abs(t / s - 1) for t, s in zip(traced, said, strict=True))
        rows.append(f"| {path.stem} | {' | '.join(cells)} | {worst:.1e} |")
    return rows


def stated(report, name):
    """A value of a report's system data."""
    return float(re.search(rf"^{re.escape(name)}\s*:\s*([-+.\de]+)", report, re.M)[1])


def with_indices(document, report):
    """The document with media of exactly the report's indices at its three wavelengths, and without clear radii."""
    table = report.split("INDEX OF REFRACTION DATA")[1].split("THERMAL")[0]
    number = r"([-+\d.e]+)"
    found = re.findall(rf"^ +(\d+)\s.*?1\.00\s+{number}\s+{number}\s+{number}\s*$", table, re.M)
    indices = np.array([[float(v) for v in row[1:]] for row in found])
    w2 = (np.array(document.wavelengths.nm) / 1000) ** 2
    surfaces = []
    for surface, index in zip(document.surfaces, indices[1:], strict=False):
        c0, c1, c3 = np.linalg.solve(np.stack([w2**0, w2, 1 / w2], -1), index**2)
        medium = Dispersion(coefficients=(c0, c1, 0, c3, *AIR[4:])) if surface.glass else ""
        surfaces.append(surface.model_copy(update={"glass": medium, "semi_diameter": np.inf}))
    return document.model_copy(update={"surfaces": tuple(surfaces)})


def figures(folder, rounds, samples):
    """(what, seconds, at least, aim) of every figure that can be measured here."""
    wide = phone(folder / "cellphone80deg.json")
    yield "1e6 rays, 13 even-asphere surfaces, float64, flags and apertures", million(wide, rounds), 0.5, 0.25
    yield "merit of 6 fields x 381 rays and exact gradient, 96 variables", gradient(wide, 20 * rounds), 0.010, 0.003
    name = "tele-apo" if "tele-apo" in library() else next(iter(library()))
    tele = lens(name)
    yield f"PSF grid of {name}, 9 fields x 3 wavelengths, 128 x 128", psfs(tele, rounds), 0.3, 0.1
    yield f"`apo lens show {name} --json`, warm cache", show(name, rounds), 2.5, 1.5
    yield f"certificate of {name}, tests 1 to 6, {tele.C} configurations", certificate(tele, min(3, rounds)), 20, 5
    per_sample = yields(tele, samples) / samples
    yield f"Monte Carlo of {name}, wavefront errors with refocus, 500 samples (measured on {samples})", 500 * per_sample, 90, 30


def page(folder, rounds, samples):
    """Markdown lines of the figures and of the published lenses."""
    lines = ["| what | s | at least | aim |", "| --- | --- | --- | --- |"]
    for what, took, least, aim in figures(folder, rounds, samples):
        lines.append(f"| {what} | {took:.3g} | {least:g} | {aim:g} |")
    return [*lines, "", "## Published lenses", "", *published(folder)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "lens")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=500)
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        raise SystemExit(f"optics: expected published lenses in {arguments.data}, found no folder; say --data FOLDER")
    print(f"{os.cpu_count()} cores\n")
    print("\n".join(page(arguments.data, arguments.rounds, arguments.samples)))


if __name__ == "__main__":
    main()
