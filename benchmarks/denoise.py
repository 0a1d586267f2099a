#!/usr/bin/env python3
"""Noise reduction, fast and best, beside BM3D, as Markdown: on frames with a known answer, two stops under at about ISO 3200.

    HL_NUM_THREADS=1 denoise.py [--data FOLDER] [--seed 31 --seed 32] [--no-bm3d]

settings    frames of 3 MP (FOLDER/../bench/burst.py) of the seeds given: PSNR of the mosaic, MTF50 of the slanted edges over that of the
            noise-free frame, noise variance left in the flat patch
crops       PSNR of parts of two frames beside GAT + BM3D: generalised Anscombe transform, BM3D (`pip install bm3d`; left out where it is
            not there) of each CFA plane, and of the four planes turned so that the first is the brightness of grey, which it matches
            blocks in; the exact unbiased inverse. And the acutance of dead leaves over that of the noise-free frame
cost        CPU ms/MP on one thread and peak memory, each in a process of its own: the stage alone, 12 MP, best of three
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("HL_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from oracle.denoise import cells, mosaicked
from oracle.denoise_best import unbiased_inverse
from quality_mosaic import DATA, Burst, table

from apochromat.develop import denoise
from apochromat.develop.demosaic import demosaic
from apochromat.develop.denoise_variance import stabilisation
from apochromat.native import built_isas

FULL = {"luminance": 1.0}
SETTINGS = tuple({"quality": q, **more} for q in ("fast", "best") for more in ({}, FULL, {**FULL, "detail": 0.0}, {**FULL, "detail": 1.0}))
CROPS = {  # seed of a 3 MP frame; top, bottom, left, right
    "raft on white water": (11, 680, 1128, 760, 1208),
    "half-timbered houses": (11, 396, 652, 360, 736),
    "face": (12, 460, 908, 820, 1268),
    "sails and sky": (12, 930, 1378, 760, 1208),
    "dead leaves": (11, 44, 332, 1372, 1628),
    "dead leaves, others": (12, 416, 704, 40, 296),
    "text, light on dark": (11, 1170, 1456, 370, 630),
    "flat": (11, 432, 688, 1720, 1944),
}
BORDER = 16  # px of a crop that do not count
PITCH_DEGREES = np.degrees(25.4 / 96 / 600)  # a pixel at 100 % on a screen of 96 px/in, seen from 60 cm
COST = """
import json, sys, time
from dataclasses import replace
sys.path.insert(0, sys.argv[1])
import numpy as np
from frames import PHONE, frame_of
from apochromat.develop import denoise
from apochromat.light.development import Development
signal = np.random.default_rng(0).normal(0.05, 0.012, (3000, 4000)).astype(np.float32)
given = Development(frame_of(np.zeros((8, 8))), mosaic=signal, noise=PHONE)
params = denoise.DenoiseParams(quality=sys.argv[2])
denoise.run(replace(given, mosaic=signal[:64, :64].copy()), params)
status = lambda key: int(open("/proc/self/status").read().partition(key + ":")[2].split()[0]) / 1024
open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
base, spent = status("VmRSS"), []
for _ in range(3):
    start = time.process_time()
    denoise.run(given, params)
    spent.append(time.process_time() - start)
print(json.dumps([min(spent) * 1e3 / 12, status("VmHWM") - base]))
"""


def filtered(burst, **setting):
    return denoise.run(burst.frame, denoise.DenoiseParams(**setting)).mosaic


def settings(bursts):
    """Markdown: whole frames by setting, means over the frames."""
    yield from table("setting", "PSNR", "MTF50", "variance")
    flat = [b.variance(b.frame.mosaic) for b in bursts]
    least = [b.psnr(b.frame.mosaic) for b in bursts]
    yield f"| none | {np.mean(least):.2f} dB | {np.mean([b.mtf50(b.frame.mosaic) for b in bursts]):.3f} | 1 |"
    for setting in SETTINGS:
        after = [filtered(b, **setting) for b in bursts]
        gain = np.mean([b.psnr(m) for b, m in zip(bursts, after, strict=True)]) - np.mean(least)
        edge = np.mean([b.mtf50(m) for b, m in zip(bursts, after, strict=True)])
        left = np.mean([b.variance(m) / n for b, m, n in zip(bursts, after, flat, strict=True)])
        name = ", ".join(f"`{k}` {v}" for k, v in setting.items())
        yield f"| {name} | {gain:+.2f} dB | {edge:.3f} | {left:.4f} |"


def crops(bursts, peer):
    """Markdown: parts of frames beside GAT + BM3D."""
    names = (
        "none",
        "fast",
        "best",
        *(("BM3D, planes", "BM3D, turned", "best over it") if peer else ()),
        "acutance: fast, best, best by default",
    )
    yield from table("part, `luminance` 1", *names)
    for name, (seed, top, bottom, left, right) in CROPS.items():
        burst, part = bursts[seed], np.s_[top:bottom, left:right]
        given, truth = np.ascontiguousarray(burst.frame.mosaic[part]), burst.truth[part]
        ways = {"none": given}
        for quality in ("fast", "best"):
            cut = replace(burst.frame, mosaic=given)
            ways[quality] = denoise.run(cut, denoise.DenoiseParams(quality=quality, **FULL)).mosaic
        natural = denoise.run(cut, denoise.DenoiseParams(quality="best")).mosaic
        if peer:
            ways |= bm3d_ways(given, burst)
        row = [-10 * np.log10(np.mean(np.square(m - truth)[BORDER:-BORDER, BORDER:-BORDER])) for m in ways.values()]
        more = [f"{row[2] - max(row[3:]):+.2f}"] if peer else []
        sharp = [f"{acutance(m, truth, burst):.2f}" for m in (ways["fast"], ways["best"], natural)] if "leaves" in name else ["-"]
        yield f"| {name} | " + " | ".join([*(f"{x:.2f}" for x in row), *more, ", ".join(sharp)]) + " |"


def bm3d_ways(mosaic, burst):
    """The mosaic after GAT + BM3D: by planes, and turned."""
    from bm3d import bm3d

    slope, shift = stabilisation(burst.frame.noise).astype(np.float64).T[:, :, None, None]
    z = np.sqrt(np.maximum(slope * cells(mosaic.astype(np.float64)) + shift, 0))
    turn = turned(burst.score.NEUTRAL[[0, 1, 1, 2]])
    planes = np.stack([bm3d(plane, 1.0) for plane in z])
    together = bm3d(np.moveaxis(np.tensordot(turn, z, 1), 0, -1), [1.0] * 4)
    results = {"planes": planes, "turned": np.tensordot(turn.T, np.moveaxis(together, -1, 0), 1)}
    return {name: mosaicked(unbiased_inverse(found, slope, shift, 1.0)) for name, found in results.items()}


def turned(neutral):
    """Rotation (4, 4) whose first row is the direction in which the stabilised samples of grey lie."""
    rows = []
    for row in (np.sqrt(neutral), [0, 1, -1, 0], [1, 0, 0, -1], [1, -1, -1, 1]):
        row = row - sum((np.dot(row, q) * q for q in rows), np.zeros(4))
        rows.append(row / np.linalg.norm(row))
    return np.stack(rows)


def acutance(mosaic, truth, burst):
    """Contrast kept of the noise-free frame's luma after demosaicing, over frequency weighted by the eye's sensitivity (ISO 19567-2)."""
    kept, true = (luma(m, burst) for m in (mosaic, truth))
    window = np.outer(*(np.hanning(n) for n in true.shape))
    kept, true = (np.fft.rfft2((a - a.mean()) * window) for a in (kept, true))
    frequency = np.hypot(np.fft.fftfreq(len(true))[:, None], np.fft.rfftfreq(window.shape[1]))
    edges = np.arange(0.01, 0.51, 0.01)
    seen, total = 0.0, 0.0
    for low in edges[:-1]:
        ring, degrees = (frequency >= low) & (frequency < low + 0.01), (low + 0.005) / PITCH_DEGREES
        weight = degrees**0.8 * np.exp(-0.2 * degrees)
        seen += weight * np.sum(kept[ring] * true[ring].conj()).real / np.sum(np.abs(true[ring]) ** 2)
        total += weight
    return seen / total


def luma(mosaic, burst):
    """White-balanced luma (H, W) after demosaicing, without the border."""
    gains = cells(np.ones(mosaic.shape)) / burst.score.NEUTRAL[[0, 1, 1, 2], None, None]
    rgb = demosaic((mosaic * mosaicked(gains)).astype(np.float32))
    rgb = rgb if len(rgb) == 3 else np.moveaxis(rgb, -1, 0)
    return np.tensordot([0.2627, 0.678, 0.0593], rgb, 1)[BORDER:-BORDER, BORDER:-BORDER]


def costs():
    """Markdown: CPU and memory of the stage on every instruction set."""
    yield from table("quality", *(f"{isa}: ms/MP" for isa in reversed(built_isas())), "memory at 12 MP (MiB)")
    tests = str(Path(__file__).parents[1] / "tests")
    for quality in ("fast", "best"):
        runs = []
        for isa in reversed(built_isas()):
            environment = {**os.environ, "APO_ISA": isa, "HL_NUM_THREADS": "1"}
            found = subprocess.run([sys.executable, "-c", COST, tests, quality], env=environment, check=True, capture_output=True)
            runs.append(json.loads(found.stdout))
        yield f"| `{quality}` | " + " | ".join([*(f"{cpu:.0f}" for cpu, _ in runs), f"{runs[0][1]:.0f}"]) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--no-bm3d", action="store_true")
    arguments = parser.parse_args()
    bench = arguments.data.parent / "bench"
    peer = not arguments.no_bm3d and importlib.util.find_spec("bm3d") is not None
    for name, lines in (
        ("Cost", costs()),
        ("Whole frames", settings([Burst(bench, seed, 3) for seed in arguments.seed or (31, 32)])),
        ("Parts of frames", crops({seed: Burst(bench, seed, 3) for seed in (11, 12)}, peer)),
    ):
        print("\n".join([f"### {name}", "", *lines, ""]), flush=True)


if __name__ == "__main__":
    main()
