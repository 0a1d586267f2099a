#!/usr/bin/env python3
"""Merged bursts against truth, peers and the clock.

    burst.py [--data FOLDER] [--seeds 1 2 3] [--keep FOLDER]   synthetic 8 x 12 MP bursts: still for the first seed, a mover in the others
    burst.py --alignment [--data FOLDER]                       displacements: of the synthetic bursts' known motion, and of a real hand

FOLDER holds the measuring scripts and data (default: `shared` beside the checkout). CPU seconds leave out decoding and writing.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from scipy import ndimage

import apochromat as apo
from apochromat.develop.burst.align import align
from apochromat.develop.burst.merge import Merge, exposed
from apochromat.develop.burst.planes import planes
from apochromat.develop.denoise_variance import stabilisation
from apochromat.light.noise import NoiseModel
from apochromat.native.pages import keep_pages

ROOT = Path(__file__).parents[1]
GRID = (7, 9)  # patches of the real burst
PATCH, MARGIN = 512, 64  # pixels; the hand's displacements stay within the margin
JPEG_NOISE = 1.5  # codes
LOUD = NoiseModel(np.full(3, 1e9), np.full(3, 1e9))  # nothing stands out as a hot pixel
NAMES = ("all", "rest", "mover", "mtf50_ratio", "variance_ratio", "lag2")
HEADINGS = (
    *("gap to the ideal mean, dB", "without the mover, dB", "mover against one frame, dB", "MTF50 ratio", "variance ratio"),
    *("lag-2 correlation", "CPU s", "peak MiB"),
)


def make(script, folder, seed, mover):
    """A synthetic burst in `folder`, unless it is there already."""
    if not (folder / "burst.json").exists():
        command = [sys.executable, script, "make", folder, "--seed", str(seed), *(["--mover"] if mover else [])]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def merged(folder):
    """The merged frame of a burst, and the CPU seconds it took without decoding."""
    files, cpu, under_way = sorted(folder.glob("frame_*.dng")), 0.0, None
    for file in files:
        frame = apo.read(file)
        start = time.process_time()
        if under_way is None:
            under_way = Merge(frame)
        else:
            under_way.add(frame)
        cpu += time.process_time() - start
    start = time.process_time()
    result = under_way.result()
    return result, cpu + time.process_time() - start


def score(script, folder, result):
    """Figures of the bench script for a merged frame, as gaps in dB to the ideal mean (mover: gain over one frame)."""
    with tempfile.TemporaryDirectory() as scratch:
        path = apo.write_dng(result.frame, Path(scratch) / "merged.dng", compression="none")
        told = json.loads(subprocess.run([sys.executable, script, "score", folder, path, "--json"], check=True, capture_output=True).stdout)
    mine, ideal, one = told["merged"], told["ideal mean"], told["one frame"]
    figures = {n: ideal[n] - mine[n] for n in ("all", "rest") if n in mine}
    if "mover" in mine:
        figures["mover"] = mine["mover"] - one["mover"]
    return {**figures, **{n: mine[n] for n in NAMES[3:]}}


def motion_error(folder):
    """RMS error in pixels of the displacements of textured tiles against the known motion, per frame."""
    facts, files = json.loads((folder / "burst.json").read_text()), sorted(folder.glob("frame_*.dng"))
    width, height = facts["size"]
    frames = [exposed(apo.read(file), 1.0) for file in files]
    transform = stabilisation(frames[0].noise)
    shown = [planes(f.mosaic, transform, f.noise) for f in frames]
    rows, columns = height // 32, width // 32
    y, x = (np.indices((rows, columns)) * 32 + 15.5)[[0, 1]]
    grey = shown[0].pyramid[0][32 : 32 + rows * 16, 32 : 32 + columns * 16]
    slope = np.square(np.diff(grey, axis=1, append=0)).reshape(rows, 16, columns, 16).mean((1, 3)) - 2
    textured = slope > np.median(slope)
    errors = []
    for other, (dx, dy, degrees) in zip(shown[1:], facts["poses_dx_dy_px_rotation_deg"][1:], strict=True):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        u, v = x - (width - 1) / 2 - dx, y - (height - 1) / 2 - dy
        truth = np.stack([c * u + s * v + (width - 1) / 2 - x, -s * u + c * v + (height - 1) / 2 - y], -1)
        found = 2 * align(shown[0], other).at_tiles(rows, columns, 16)
        errors.append(float(np.sqrt(np.square(found - truth).sum(-1)[textured].mean())))
    return errors


def real_hand(data):
    """Shifts (n,) in pixels that phase correlation still finds between the reference and each aligned frame of a real burst, by patches."""
    greys = [np.asarray(iio.imread(p), np.float32).mean(-1) for p in sorted((data / "burst").glob("*.JPG"))]
    height, width = (n // 4 * 4 for n in greys[0].shape)
    transform = np.tile(np.float32([[4.0, 1.0]]), (4, 1))
    shown = [planes(np.square(g[:height, :width] / JPEG_NOISE) / 4, transform, LOUD) for g in greys]  # whose root has noise of about 1
    left = []
    for grey, other in zip(greys[1:], shown[1:], strict=True):
        flow = 2 * align(shown[0], other).at_tiles(height // 16, width // 16, 8)
        for top in np.linspace(MARGIN, height - PATCH - MARGIN, GRID[0]).astype(int):
            for start in np.linspace(MARGIN, width - PATCH - MARGIN, GRID[1]).astype(int):
                here = greys[0][top : top + PATCH, start : start + PATCH]
                left.append(np.hypot(*phase_shift(here, aligned(grey, flow, top, start))))
    return np.array(left)


def aligned(grey, flow, top, start):
    """A patch of a frame brought to the reference by the displacements (pixels) of its tiles of 16 pixels, each pixel by its own."""
    y, x = np.mgrid[top : top + PATCH, start : start + PATCH].astype(float)
    across, down = (ndimage.map_coordinates(flow[..., n], [(y - 7.5) / 16, (x - 7.5) / 16], order=1, mode="nearest") for n in (0, 1))
    around = grey[top - MARGIN : top + PATCH + MARGIN, start - MARGIN : start + PATCH + MARGIN]
    return ndimage.map_coordinates(around, [y + down - top + MARGIN, x + across - start + MARGIN], order=3)


def phase_shift(one, other):
    """Shift (y, x) in pixels of the phase correlation's peak, by a parabola through it along both axes."""
    window = np.outer(np.hanning(PATCH), np.hanning(PATCH))
    a, b = (np.fft.fft2((p - p.mean()) * window) for p in (one, other))
    cross = np.conj(a) * b
    smooth = np.exp(-np.square(np.hypot(*np.meshgrid(np.fft.fftfreq(PATCH), np.fft.fftfreq(PATCH))) / 0.15))
    peak = np.fft.ifft2(cross / np.maximum(np.abs(cross), 1e-9) * smooth).real
    i, j = np.unravel_index(np.argmax(peak), peak.shape)
    found = []
    for axis, place in ((0, i), (1, j)):
        below, here, above = (np.roll(peak, -k, axis)[i, j] for k in (-1, 0, 1))
        found.append((place + PATCH // 2) % PATCH - PATCH // 2 + (below - above) / (2 * (below - 2 * here + above)))
    return found


def main():
    keep_pages()  # as the command does
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--keep", type=Path, help="folder in which the synthetic bursts stay")
    parser.add_argument("--alignment", action="store_true")
    arguments = parser.parse_args()
    script = arguments.data / "bench/burst.py"
    if not arguments.alignment:
        print("| " + " | ".join(("seed", *HEADINGS)) + " |\n|" + " --- |" * (len(HEADINGS) + 1))
    with tempfile.TemporaryDirectory() as scratch:
        for n, seed in enumerate(arguments.seeds):
            folder = (arguments.keep or Path(scratch)) / f"{seed}{'-mover' if n else ''}"
            folder.mkdir(parents=True, exist_ok=True)
            make(script, folder, seed, mover=n > 0)
            if arguments.alignment:
                print(f"seed {seed}: error px " + ", ".join(f"{e:.3f}" for e in motion_error(folder)))
                continue
            result, cpu = merged(folder)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            told = score(script, folder, result)
            cells = [f"{told[name]:.3f}" if name in told else "" for name in NAMES]
            print(f"| {seed} | {' | '.join(cells)} | {cpu:.2f} | {peak:.0f} |", flush=True)
    if arguments.alignment:
        left = real_hand(arguments.data / "data")
        print(f"real hand: {len(left)} patches, median {np.median(left):.3f}, 90 % below {np.quantile(left, 0.9):.3f} px")


if __name__ == "__main__":
    main()
