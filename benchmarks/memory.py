#!/usr/bin/env python3
"""Peak memory and CPU seconds of `apo develop` on synthetic frames of 12 and 50 megapixels.

memory.py [--json]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import apochromat as apo
from apochromat.light.raw_frame import Box, Calibration, ColorProfile, Levels, RawFrame

SIZES = ((3000, 4000), (6120, 8160))


def noisy_gradient(height, width):
    """A frame with colour, gradients and noise everywhere, 14 bits over black 512."""
    rng = np.random.default_rng(1)
    y, x = np.meshgrid(np.linspace(0, 1, height, dtype=np.float32), np.linspace(0, 1, width, dtype=np.float32), indexing="ij")
    signal = 0.05 + 0.6 * y * x + 0.1 * np.sin(x * 900) * np.sin(y * 700)
    signal += rng.standard_normal(signal.shape, np.float32) * np.sqrt(2e-4 * np.maximum(signal, 0) + 1e-6)
    samples = np.clip(signal * 15871 + 512, 0, 16383).astype(np.uint16)
    matrix = np.array([[0.78, -0.22, -0.08], [-0.42, 1.28, 0.15], [-0.08, 0.21, 0.62]])
    profile = ColorProfile((Calibration(21, matrix),), as_shot_neutral=np.array([0.55, 1.0, 0.62]))
    levels = Levels(np.full((1, 1, 1), 512, np.float32), np.full(4, 16383, np.float32))
    whole = Box(0, 0, height, width)
    return RawFrame(samples, "RGGB", levels, whole, whole, profile)


def develop(path, out):
    """(peak MiB, CPU s) of one develop in a process of its own."""
    process = subprocess.Popen([str(Path(sys.executable).parent / "apo"), "develop", path, "-o", out], stdout=subprocess.DEVNULL)
    _, status, use = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"memory: apo develop {path} failed")
    return use.ru_maxrss / 1024, use.ru_utime + use.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for height, width in SIZES:
            path = f"{folder}/{height}.dng"
            apo.write_dng(noisy_gradient(height, width), path)
            peak, cpu = develop(path, f"{folder}/{height}.jpg")
            rows.append({"megapixels": height * width / 1e6, "peak_mib": peak, "cpu_s": cpu})
    if arguments.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['megapixels']:.0f} MP: {row['peak_mib']:.0f} MiB, {row['cpu_s']:.2f} CPU s")


if __name__ == "__main__":
    main()
