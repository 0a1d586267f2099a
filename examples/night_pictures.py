#!/usr/bin/env python3
"""The pictures of docs/night.md: simulated bursts out of the hand; one frame, the plain aligned mean and the merged burst.

night_pictures.py FOLDER [--into docs/images]      # FOLDER keeps the bursts and the whole pictures; the sheets of crops go into docs/images

The plain mean lays every frame where the aligner finds it, lets it count in full everywhere and restores nothing. All are developed
alike.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import apochromat as apo
from apochromat.develop.burst.merge import Merge, exposed

FRAMES = 8
LUX = (0.3, 1, 3, 10)
GAP = 4  # px
SHEETS = {  # bursts, the part of each that is shown (left, top), and its size
    "night-merge": ([("night-street", lux) for lux in LUX], (2310, 1290), (420, 330)),
    "portrait-merge": ([("portrait", 40)], (2260, 400), (640, 560)),
}


class PlainMean(Merge):
    """Every frame counts in full wherever it lies."""

    def add(self, frame, gain=1.0):
        shown, flow = self._aligned(exposed(frame, gain))
        self.sums.add(shown.samples, 2 * flow, np.ones(self.tiles))
        return 1.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--into", type=Path, help="folder of the sheets")
    arguments = parser.parse_args()
    for name, (bursts, (left, top), (width, height)) in SHEETS.items():
        rows = []
        for scene, lux in bursts:
            pictures = developed(shot(arguments.folder / f"{scene}-{lux}", scene, lux))
            for kind, picture in pictures.items():
                picture.save(arguments.folder / f"{scene}-{lux}-{kind}.jpg", quality=92)
            rows.append([picture.crop((left, top, left + width, top + height)) for picture in pictures.values()])
        sheet(rows).save((arguments.into or arguments.folder) / f"{name}.jpg", quality=88, subsampling=0)


def shot(folder, scene, lux):
    """Files of a burst of a scene, taken unless they are there already."""
    if not list(folder.glob("*.dng")):
        command = [sys.executable, "-m", "apochromat", "shoot", scene, "--lux", str(lux), "--frames", str(FRAMES), "--no-truth"]
        subprocess.run([*command, "-o", f"{folder}/"], check=True)
    return sorted(folder.glob("*.dng"))


def developed(files):
    """One frame, the plain mean and the merged burst as pictures."""
    pictures = {}
    for kind, method, count in (("one", Merge, 1), ("mean", PlainMean, FRAMES), ("merged", Merge, FRAMES)):
        merge = method(apo.read(files[0]))
        for file in files[1:count]:
            merge.add(apo.read(file))
        pictures[kind] = Image.fromarray(apo.develop(merge.result().frame).pixels)
    return pictures


def sheet(rows):
    """Pictures of one size beside and below one another."""
    width, height = rows[0][0].size
    page = Image.new("RGB", (len(rows[0]) * (width + GAP) - GAP, len(rows) * (height + GAP) - GAP), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            page.paste(picture, (x * (width + GAP), y * (height + GAP)))
    return page


if __name__ == "__main__":
    main()
