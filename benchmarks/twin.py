#!/usr/bin/env python3
"""Measure `apo shoot`: docs/twin-performance.md, and a row of docs/twin-validation.md.

    twin.py [--rounds 3] [--edges | --memory]

Each figure is of a whole process, start, scene and files included, with its point spread functions kept from a run before. A further
frame is a quarter of what a burst of five takes more than one frame. Medians of the rounds. --memory prints instead the peak memory of
every built-in scene, truth written too, at 12 and 50 megapixels, and without point spread functions at hand. --edges prints the response
of slanted edges in the middle and the corner of the whole telephoto sensor beside lens times pixel.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from apochromat.scene import scene_names

ROOT = Path(__file__).parents[1]
APO = [sys.executable, "-c", "from apochromat.cli import main; main()"]
FURTHER = 4
LIMIT_MIB = {12: 2.5e9 / 2**20, 50: 6e9 / 2**20}
FIGURES = (  # what, scene, lens, at least and aim in s of the first frame and of each further one
    ("one layer, one spectrum, tele", "slanted-edges", "tele", ("10", "4"), ("2", "1")),
    ("one layer, one spectrum, main", "slanted-edges", "main", ("10", "4"), ("2", "1")),
    ("one layer, eight spectra, main", "color-checker", "main", ("10", "4"), ("2", "1")),
    ("portrait, main", "portrait", "main", ("reported", "15"), ("reported", "")),
)


def taken(scene, lens, *options, env=None):
    """Wall s, CPU s and peak MiB of one shooting; of the largest of its processes, which do not work at the same time."""
    with tempfile.TemporaryDirectory() as folder:
        wish = ["shoot", scene, "--lens", lens, *options, "-q", "-o", f"{folder}/"]
        start, process = time.perf_counter(), subprocess.Popen([*APO, *wish], stdout=subprocess.DEVNULL, env=env)
        _, status, use = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"twin: apo {' '.join(wish)} failed")
        return time.perf_counter() - start, use.ru_utime + use.ru_stime, use.ru_maxrss / 1024


def rows(rounds):
    """Markdown lines of the figures of time."""
    yield "| 12.6 MP | frame | wall s | CPU s | at least, s | aim, s | peak MiB |"
    yield "|" + " --- |" * 7
    for what, scene, lens, first, further in FIGURES:
        burst_of = ("--no-truth", "--frames", str(1 + FURTHER))
        taken(scene, lens, "--no-truth")  # point spread functions, compiled code
        pairs = [(taken(scene, lens, "--no-truth"), taken(scene, lens, *burst_of)) for _ in range(rounds)]
        one, burst = ([statistics.median(column) for column in zip(*side, strict=True)] for side in zip(*pairs, strict=True))
        each = [(b - a) / FURTHER for a, b in zip(one, burst, strict=True)]
        yield f"| {what} | first | {one[0]:.1f} | {one[1]:.1f} | {first[0]} | {first[1]} | {one[2]:.0f} |"
        yield f"| | each further | {each[0]:.1f} | {each[1]:.1f} | {further[0]} | {further[1]} | {burst[2]:.0f} |"


def memory():
    """Markdown lines of the figures of memory."""
    yield "| scene, `flagship-2025` main, with truth | 12.6 MP, peak MiB | 50 MP (`--full`), peak MiB |"
    yield "| --- | --- | --- |"
    for scene in scene_names():
        cells = [taken(scene, "main", *more)[2] for more in ((), ("--full",))]
        yield f"| {scene} | {cells[0]:.0f} | {cells[1]:.0f} |"
    with tempfile.TemporaryDirectory() as cache:
        cold = [taken("portrait", "main", *more, env={**os.environ, "XDG_CACHE_HOME": cache})[2] for more in ((), ("--full",))]
    yield f"| portrait, point spread functions made anew | {cold[0]:.0f} | {cold[1]:.0f} |"
    yield f"| asked: at most | {LIMIT_MIB[12]:.0f} | {LIMIT_MIB[50]:.0f} |"


def edges():
    """Markdown lines: largest differences of the response of slanted edges from the lens's times the pixel's, whole sensor."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "physics")]
    from test_twin import frames, sfr_beside_lens

    from apochromat.camera.description import camera
    from apochromat.scene import make_scene
    from apochromat.shoot import ideal_image, rigged

    yield "| `--oversample` | edge | up to 0.3 cycles a pixel | up to Nyquist | lens times pixel at Nyquist |"
    yield "|" + " --- |" * 5
    for oversample in (1.25, 2):
        rig = rigged(camera("flagship-2025"), "tele-apo", oversample=oversample)
        scene = make_scene("slanted-edges", *rig.ideal_shape)
        mosaic = frames(ideal_image(scene, rig), rig)[0].mean
        for name, corner in (("middle", False), ("corner", True)):
            frequency, found, expected = sfr_beside_lens(rig, mosaic, scene, corner)
            apart = np.abs(found - expected)
            yield f"| {oversample} | {name} | {apart[frequency <= 0.3].max():.3f} | {apart.max():.3f} | {expected[-1]:.2f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--edges", action="store_true", help="transfer over the whole sensor instead of time")
    parser.add_argument("--memory", action="store_true", help="peak memory instead of time")
    arguments = parser.parse_args()
    print(f"Load of the machine at the start {os.getloadavg()[0]:.1f}, {len(os.sched_getaffinity(0))} processors.\n")
    for line in edges() if arguments.edges else memory() if arguments.memory else rows(arguments.rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
