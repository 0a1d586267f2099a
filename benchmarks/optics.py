#!/usr/bin/env python3
"""Measure the lens engine: rows of docs/optics/performance.md, or tables of docs/optics/validation.md.

    optics.py [--data FOLDER] [--rounds 5] [--samples 500] [--validation]

FOLDER holds published lenses (.zmx) with their reports (.txt) and cellphone80deg.json. Times are medians after compilation. Where Optiland
is installed it is timed in turn with the engine, round by round, and --validation compares the two. --validation prints one JSON object:
names of tables and their lines.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import jax
import numpy as np

from apochromat.optics.bulk import trace_bulk
from apochromat.optics.files import lens
from apochromat.optics.lens import Lens, LensInfo, SurfaceInfo
from apochromat.optics.precision import float64
from apochromat.optics.pupil import bundles, rings
from apochromat.optics.trace import OK, Ray, trace

ROOT = Path(__file__).parents[1]
INDEX = {"air": 1.0, "coc": 1.5337306, "polystyr": 1.5904773, "okp4": 1.6072782, "polycarb": 1.5854663}  # of the phone lens, 546 nm
GREEN, RAYS = 546.0, 1_000_000
LONG = 10.0  # s: a task that takes longer is warm after one call


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


def seconds(tasks, rounds):
    """Median times of tasks that take turns, after a call of each that compiles, and of short ones another that warms."""
    for task in tasks:
        if _timed(task) < LONG:
            task()
    times = [[_timed(task) for task in tasks] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def _timed(task):
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def peer():
    """The module that sets Optiland beside the engine; None where Optiland is not installed."""
    if find_spec("optiland") is None:
        return None
    sys.path.insert(0, str(ROOT))
    from benchmarks import optiland_peer

    return optiland_peer


def million(lens):
    """A million rays at 10 degrees through the first vertex's disc."""
    random = np.random.default_rng(0)
    radius, turn, slope = float(lens.stop_radius[0]) * np.sqrt(random.random(RAYS)), 2 * np.pi * random.random(RAYS), np.radians(10)
    one = np.ones(RAYS)
    ray = Ray(radius * np.cos(turn), radius * np.sin(turn), 0 * one, 0 * one, np.sin(slope) * one, np.cos(slope) * one)
    return [lambda: trace_bulk(lens, ray, GREEN), *([other.tracing(lens, ray, GREEN)] if (other := peer()) else [])]


def gradient(lens):
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

    def task():
        with float64():
            jax.block_until_ready(both(variables, rays))

    return [task]


def show(name):
    """`apo lens show NAME --json` as a process, the compilation cache warm."""
    command = [sys.executable, "-c", "from apochromat.cli import main; main()", "lens", "show", str(name), "--json"]
    return [lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)]


def certificate(lens):
    """Tests 1 to 6."""
    from apochromat.optics.certificate import certify

    return [lambda: certify(lens, as_built=False)]


def as_built(lens, samples):
    """Samples within the precision set, each refocused, against tests 2, 3 and 5 in every configuration."""
    from apochromat.optics.certificate.scope import scope_of
    from apochromat.optics.certificate.t7_as_built import severities
    from apochromat.optics.certificate.view import nominal
    from apochromat.optics.perturb import declared, errors_of

    scope, errors = scope_of(lens), errors_of(lens, declared().sets["precision"])
    draws = errors.sampled(samples, 0)

    def task():
        lenses = [nominal(lens, config, scope.pixel_um, scope.image_radius_mm) for config in range(lens.C)]
        severities(lens, errors, draws, lenses)

    return [task]


def psfs(lens):
    """PSFs of 9 fields x 3 wavelengths, 128 x 128 at the pixel pitch; Optiland's on the grid that its FFT gives, its aim paraxial."""
    from apochromat.optics.psf import psf

    part, lines = np.linspace(0, 1, 9), np.array([486.1327, 546.074, 656.2725])
    fields = part[:, None] * np.asarray(lens.fields, float)[np.argmax((np.asarray(lens.fields) ** 2).sum(1))]
    tasks = [lambda: psf(lens, fields, lines, lens.info.pixel_um, size=128)]
    if other := peer():
        with tempfile.TemporaryDirectory() as folder:
            tasks.append(other.point_spreads(other.in_configuration(lens, 0), Path(folder), part, lines))
    return tasks


def published(folder):
    """Rows: what `apo lens show --json` says of published lenses, against the reports that were published with them."""
    from apochromat.optics.summary import summary

    rows = ["| lens | EFL mm: shown, report | BFL mm | working f-number | largest relative difference |", "|" + " --- |" * 5]
    for path in sorted(folder.glob("*.zmx")):
        report, shown = path.with_suffix(".txt").read_text(encoding="utf-8"), summary(lens(path))
        pairs = [(shown[key], stated(report, name)) for key, name in SHOWN.items()]
        worst = max(abs(here / there - 1) for here, there in pairs)
        rows.append(f"| {path.stem} | {' | '.join(f'{here:.7g}, {there:.7g}' for here, there in pairs)} | {worst:.0e} |")
    return rows


SHOWN = {"efl_mm": "Effective Focal Length", "bfl_mm": "Back Focal Length", "f_number": "Working F/#"}


def beside_optiland(folder):
    """Rows: largest differences between the engine and Optiland over the pupil, two fields and five wavelengths."""
    other = peer()
    rows = ["| lens | EFL, relative | ray height mm | OPD waves | colour focus µm | lateral colour µm |", "|" + " --- |" * 6]
    for name, config in (("tele-apo", 0), ("tele-apo", 1), ("tele-apo", 2), ("classic-petzval-50", 0), (folder / "10281683.zmx", 0)):
        subject = other.in_configuration(lens(name), config)
        with tempfile.TemporaryDirectory() as temporary:
            d = other.compare(subject, Path(temporary))
        found = (d.efl_relative, d.height_mm, d.opd_waves, d.focus_um, d.lateral_um)
        label = Path(name).stem + (f", configuration {config + 1}" if name == "tele-apo" else "")
        rows.append(f"| {label} | {' | '.join(f'{value:.0e}' for value in found)} |")
    return rows


def stated(report, name):
    """A value of a report's system data."""
    return float(re.search(rf"^{re.escape(name)}\s*:\s*([-+.\de]+)", report, re.M)[1])


def figures(folder, rounds, samples):
    """(what, tasks that take turns, rounds, at least, aim) of every figure about time, the engine's task first."""
    wide, tele = phone(folder / "cellphone80deg.json"), lens("tele-apo")
    yield "1e6 rays, 13 even-asphere surfaces, float64, flags and apertures", million(wide), rounds, 0.5, 0.25
    yield "merit of 6 fields x 381 rays and exact gradient, 96 variables", gradient(wide), 20 * rounds, 0.010, 0.003
    yield "PSF grid of tele-apo, 9 fields x 3 wavelengths, 128 x 128", psfs(tele), rounds, 0.3, 0.1
    yield "`apo lens show tele-apo --json`, warm cache", show("tele-apo"), rounds, 2.5, 1.5
    yield f"certificate of tele-apo, tests 1 to 6, {tele.C} configurations", certificate(tele), min(3, rounds), 20, 5
    what = f"Monte Carlo of tele-apo, tests 2, 3 and 5 with refocus, {tele.C} configurations, {samples} samples"
    yield what, as_built(tele, samples), 1, 90, 30


def page(folder, rounds, samples):
    """Markdown lines of the figures."""
    lines = ["| what | s | at least | aim | Optiland, s | ratio |", "|" + " --- |" * 6]
    for what, tasks, turns, least, aim in figures(folder, rounds, samples):
        took, *other = seconds(tasks, turns)
        beside = f"{other[0]:.3g} | {took / other[0]:.2g}" if other else " | "
        lines.append(f"| {what} | {took:.3g} | {least:g} | {aim:g} | {beside} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "lens")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--validation", action="store_true", help="compare with reports and Optiland instead of measuring time")
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        raise SystemExit(f"optics: expected published lenses in {arguments.data}, found no folder; say --data FOLDER")
    if arguments.validation:
        tables = {"published": published(arguments.data)}
        print(json.dumps(tables | ({"optiland": beside_optiland(arguments.data)} if peer() else {})))
    else:
        print("\n".join(page(arguments.data, arguments.rounds, arguments.samples)))


if __name__ == "__main__":
    main()
