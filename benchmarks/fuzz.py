#!/usr/bin/env python3
"""Damage small RAW files in every way and develop them: nothing may crash, hang, bloat, or leave half a picture.

fuzz.py [--count 2000] [--seed 1] [--keep FOLDER]

Each file is made from its number and the seed alone, so a failure can be repeated; files that failed are kept in FOLDER.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

from dng_samples import pixel_like, proraw_like, samsung_like, write_with_preview  # noqa: E402

from apochromat.raw import write_dng  # noqa: E402

APO = [sys.executable, "-c", "from apochromat.cli import main; main()"]
SECONDS, MEMORY_MIB, BATCH = 20, 2048, 100
ODD = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000, 3)


def sound_files(folder, data=ROOT.parent / "shared" / "data" / "raw"):
    """The files to be damaged, as bytes: phone-like DNGs in every compression, and the heads and tails of real files where they are."""
    makers = {
        "pixel": lambda path: write_dng(pixel_like(noise_seed=1), path),
        "plain": lambda path: write_dng(pixel_like(), path, compression="none"),
        "tiled": lambda path: write_dng(pixel_like(), path, tile=32),
        "samsung": lambda path: write_dng(samsung_like(), path, bits=12, compression="none"),
        "preview": lambda path: write_with_preview(pixel_like(), path),
        "linear": lambda path: write_dng(proraw_like(), path),
        "jpegxl": lambda path: write_dng(proraw_like(), path, compression="jpegxl"),
        "lossy": lambda path: write_dng(proraw_like(bits=8), path, compression="jpeg"),
    }
    files = []
    for name, make in makers.items():
        path = Path(folder) / f"{name}.dng"
        make(path)
        files.append((".dng", path.read_bytes()))
        path.unlink()
    for path in sorted(data.iterdir()) if data.is_dir() else []:
        content = path.read_bytes()
        files.append((path.suffix, content[:40_000] + content[-40_000:]))  # the directories and a little of the picture
    return files


def flip_bits(data, rng):
    """A few bits anywhere."""
    for place in rng.integers(0, len(data), rng.integers(1, 16)):
        data[place] ^= 1 << int(rng.integers(8))


def odd_numbers(data, rng):
    """Numbers that are off by much, where directories usually are."""
    for place in rng.integers(0, min(len(data) - 4, 4000), rng.integers(1, 6)):
        width = int(rng.choice((1, 2, 4)))
        data[place : place + width] = (int(rng.choice(ODD)) & ((1 << 8 * width) - 1)).to_bytes(width, "little")


def odd_entries(data, rng):
    """A directory entry's type, count or value replaced, its tag left alone."""
    start = int.from_bytes(data[4:8], "little") % max(1, len(data) - 14)
    count = max(1, min(int.from_bytes(data[start : start + 2], "little"), (len(data) - start) // 12 - 1))
    for index in rng.integers(0, count, rng.integers(1, 4)):
        entry = start + 2 + 12 * int(index)
        place, width = [(entry + 2, 2), (entry + 4, 4), (entry + 8, 4)][rng.integers(3)]
        value = int(rng.choice(ODD)) if rng.random() < 0.5 else int(rng.integers(0, 2 * len(data)))
        data[place : place + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")


def cut(data, rng):
    """Nothing after some place."""
    del data[int(rng.integers(0, len(data))) :]


def move(data, rng):
    """A stretch taken out, doubled, or written over another."""
    start, size = int(rng.integers(0, len(data))), int(rng.integers(1, 2000))
    piece, place = data[start : start + size], int(rng.integers(0, len(data)))
    match rng.integers(3):
        case 0:
            del data[start : start + size]
        case 1:
            data[place:place] = piece
        case _:
            data[place : place + len(piece)] = piece


def noise(data, rng):
    """A stretch of anything."""
    start = int(rng.integers(0, len(data)))
    piece = rng.bytes(int(rng.integers(1, 200)))
    data[start : start + len(piece)] = piece


DAMAGE = (flip_bits, odd_numbers, odd_numbers, odd_entries, odd_entries, odd_entries, cut, move, noise)


def damaged(files, number, seed):
    """File `number` of the run: suffix and bytes."""
    rng = np.random.default_rng([seed, number])
    suffix, content = files[number % len(files)]
    data = bytearray(content)
    for _ in range(rng.integers(1, 3)):
        if len(data) > 16:
            DAMAGE[rng.integers(len(DAMAGE))](data, rng)
    return suffix, bytes(data)


@dataclass
class Report:
    """What a run found: sentences about failures, and how it went."""

    failures: list[str] = field(default_factory=list)
    developed: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    peak_mib: float = 0.0


def run(count, seed, keep):
    """Develop `count` damaged files in batches of one process each."""
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        files = sound_files(folder)
        for first in range(0, count, BATCH):
            batch = Path(folder) / f"{first}"
            batch.mkdir()
            for number in range(first, min(first + BATCH, count)):
                suffix, content = damaged(files, number, seed)
                (batch / f"{number:05}{suffix}").write_bytes(content)
            todo = sorted(batch.iterdir())
            while todo:
                todo = develop(todo, report, keep)
            shutil.rmtree(batch)
    return report


def develop(paths, report, keep):
    """Develop files in one process and judge it; the files that it did not get to, if it died or hung."""
    command = [*APO, "develop", *map(str, paths), "--json", "--quiet"]
    with open(paths[0].parent / "stderr", "w+") as complaints:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True)
        outcomes = list(_lines(process, len(paths)))
        _, status, use = os.wait4(process.pid, 0)
        complaints.seek(0)
        said = complaints.read()
    Path(complaints.name).unlink()
    found = []
    for path, outcome in zip(paths, outcomes, strict=False):
        found += [(path, fault) for fault in faults(path, outcome)]
        report.developed += "error" not in outcome
        report.refused += "error" in outcome
        report.slowest_s = max(report.slowest_s, outcome["seconds"])
    left = paths[len(outcomes) :]
    if left:
        found.append((left[0], f"the process ended with status {status} (signal {status & 0x7F}), or took over {SECONDS} s"))
    report.peak_mib = max(report.peak_mib, use.ru_maxrss / 1024)
    if use.ru_maxrss / 1024 > MEMORY_MIB:
        found.append((paths[0], f"this or a later file of its batch took {use.ru_maxrss / 1024:.0f} MiB"))
    if "Traceback" in said:
        found.append((paths[0], "this or a later file of its batch printed a traceback"))
    for name in os.listdir(paths[0].parent):
        if name.endswith(".part"):
            found.append((paths[0], f"{name} was left behind"))
    for path, fault in found:
        keep.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, keep)
        report.failures.append(f"{keep / path.name}: {fault}")
    return left[1:]


def _lines(process, count):
    """Outcomes as they come; the process is killed when one keeps us waiting."""
    for _ in range(count):
        clock = threading.Timer(SECONDS + 5, process.kill)
        clock.start()
        line = process.stdout.readline()
        clock.cancel()
        if not line:
            return
        yield json.loads(line)
    process.stdout.read()


def faults(path, outcome):
    """What is wrong with the outcome of one file."""
    picture = path.with_name(f"{path.stem}.apo.jpg")
    if outcome["input"] != str(path):
        yield f"its outcome was missing, found that of {outcome['input']}"
    if outcome["seconds"] > SECONDS:
        yield f"it took {outcome['seconds']:.0f} s"
    if "error" in outcome:
        if picture.exists():
            yield "a picture was left of a failed file"
        if "inside the program" in outcome["error"]:
            yield outcome["error"]
        if "\n" in outcome["error"] or path.name not in outcome["error"]:
            yield f"its error is not one sentence that names the file: {outcome['error']}"
    elif not is_whole(picture):
        yield "its picture is missing or incomplete"


def is_whole(picture):
    """Whether a JPEG is there and decodes to its end."""
    try:
        content = picture.read_bytes()
        Image.open(io.BytesIO(content)).load()
    except OSError:
        return False
    return content.endswith(b"\xff\xd9")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"))
    arguments = parser.parse_args()
    start = time.monotonic()
    report = run(arguments.count, arguments.seed, arguments.keep)
    print(*report.failures, sep="\n", end="\n" if report.failures else "")
    print(
        f"{arguments.count} damaged files in {time.monotonic() - start:.0f} s: {report.developed} developed, {report.refused} refused, "
        f"{len(report.failures)} failures; slowest {report.slowest_s:.1f} s, peak {report.peak_mib:.0f} MiB"
    )
    sys.exit(bool(report.failures))


if __name__ == "__main__":
    main()
