#!/usr/bin/env python3
"""Measure everything and write docs/performance.md, docs/quality.md, docs/twin-performance.md, docs/optics/performance.md and the tables of
its validation.md and of docs/night.md.

    run.py [--data FOLDER] [--rounds 5] [--page performance|quality|optics|night|twin]

FOLDER holds the measuring scripts and the data they need (default: `shared` beside the checkout); without it only the figures that
need no data are measured, and nothing is written.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

from apochromat.native.isa import machine_isas

ROOT = Path(__file__).parents[1]
RAWS = ("GOPR0024.DNG", "CRW_0101.CRW")
APO = str(Path(sys.executable).parent / "apo")


def run(*command, **extra):
    """stdout of a command; stops the benchmark with its stderr if it fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env={**os.environ, **extra})
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def heading():
    """The machine and the commit that the figures belong to."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    commit = run("git", "-C", ROOT, "rev-parse", "--short", "HEAD").strip()
    model = cpu[1] if cpu else platform.processor()
    return f"Measured {date.today()} at commit {commit}: {os.cpu_count()} x {model}, Python {platform.python_version()}."


def whole_process(command, rounds):
    """Medians of wall s, CPU s and peak MiB of a command."""
    figures = []
    for _ in range(rounds + 1):
        start, process = time.perf_counter(), subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, _, use = os.wait4(process.pid, 0)
        figures.append((time.perf_counter() - start, use.ru_utime + use.ru_stime, use.ru_maxrss / 1024))
    return [statistics.median(column) for column in zip(*figures[1:], strict=True)]


def stage_table(raw, rounds):
    """Markdown rows: ms/MP of every stage on one thread, on each instruction set of this processor."""
    isas, costs = machine_isas()[::-1], []
    for isa in isas:
        told = run(sys.executable, ROOT / "benchmarks/stages.py", raw, "--rounds", rounds, "--json", HL_NUM_THREADS="1", APO_ISA=isa)
        stages, shares = (json.loads(told)[part] for part in ("stages", "shares"))
        costs.append({**stages, **{f"- of which {name}": cost for name, cost in shares.items() if cost >= 0.5}})
    shown = [name for name, cost in costs[0].items() if cost >= 0.05]
    rows = [f"| {name} | {' | '.join(f'{of.get(name, 0):.1f}' for of in costs)} |" for name in shown]
    return ["| CPU ms/MP, one thread | " + " | ".join(isas) + " |", "|" + " --- |" * (len(isas) + 1), *rows]


def performance(data, rounds):
    """docs/performance.md"""
    lines = ["# Performance", "", heading(), "", "Written by `make bench`; ratios below 1 mean Apochromat is faster or leaner.", ""]
    lines += ["## A whole develop, RAW file to JPEG quality 92, beside other developers", ""]
    raws = [data / "data/raw" / name for name in RAWS]
    lines += [run(sys.executable, data / "bench/peers.py", *raws, "--rounds", rounds, "--apo", APO, PYTHONPATH="").strip(), ""]
    lines += ["## Each stage", "", f"{raws[0].name}, default settings.", "", *stage_table(raws[0], rounds), ""]
    large = json.loads(run(sys.executable, ROOT / "benchmarks/memory.py", "--json"))
    lines += ["## Memory", "", "| frame | peak MiB | CPU s |", "| --- | --- | --- |"]
    lines += [f"| {row['megapixels']:.0f} MP | {row['peak_mib']:.0f} | {row['cpu_s']:.2f} |" for row in large] + [""]
    wall, cpu, peak = whole_process([APO, "--help"], 11)
    lines += ["## Start", "", f"`apo --help`: {wall:.2f} s wall, {cpu:.2f} s CPU, {peak:.0f} MiB.", ""]
    (ROOT / "docs/performance.md").write_text("\n".join(lines))


def colour_rows(data):
    """ΔE00 of every chart, neutral rendering."""
    rows = ["| RAW | exposure: mean / median / max | exposure + neutral: mean / median / max |", "| --- | --- | --- |"]
    for chart in sorted((data / "bench/charts").glob("*.json")):
        raw = next((data / "data/raw").glob(f"{chart.stem}.*"))
        out = ROOT / "build" / f"{chart.stem}.tif"
        out.parent.mkdir(exist_ok=True)
        run(APO, "develop", raw, "--rendering", "neutral", "--overwrite", "-o", out)
        told = json.loads(run(sys.executable, data / "bench/colorchecker.py", out, chart, "--json"))["dE2000"]
        cells = ["{mean:.2f} / {median:.2f} / {max:.2f}".format(**told[way]) for way in ("exposure", "exposure + neutral")]
        rows.append(f"| {raw.name} | {cells[0]} | {cells[1]} |")
    return rows


def quality(data):
    """docs/quality.md"""
    lines = ["# Quality", "", heading(), "", "Written by `make bench`.", ""]
    table = run(sys.executable, ROOT / "benchmarks/demosaic.py", "--data", data / "data", HL_NUM_THREADS="1").strip()
    lines += ["## Demosaicing: CPSNR in dB", "", "`benchmarks/demosaic.py --help` says what each row is.", "", table, ""]
    lines += ["## Stages before demosaicing", "", "`benchmarks/quality_mosaic.py --help` says what each figure is.", ""]
    lines += [run(sys.executable, ROOT / "benchmarks/quality_mosaic.py", "--data", data / "data", HL_NUM_THREADS="1").strip(), ""]
    lines += ["## Stages of the finishing kernel", "", "`benchmarks/quality_finish.py --help` says what each figure is.", ""]
    lines += [run(sys.executable, ROOT / "benchmarks/quality_finish.py", HL_NUM_THREADS="1").strip(), ""]
    lines += ["## Colour: CIEDE2000 of ColorChecker charts, `--rendering neutral`", "", *colour_rows(data), ""]
    (ROOT / "docs/quality.md").write_text("\n".join(lines))


def optics(data, rounds):
    """docs/optics/performance.md, and the tables of docs/optics/validation.md"""
    load = f"Load of the machine at the start {os.getloadavg()[0]:.1f}, where 0 is quiet."
    said = f"Written by `make bench`; seconds, medians after compilation, Optiland in turn with the engine. {load}"
    lines = ["# Performance of the lens engine", "", heading(), "", said, ""]
    command = [sys.executable, ROOT / "benchmarks/optics.py", "--data", data / "data/lens"]
    (ROOT / "docs/optics/performance.md").write_text("\n".join([*lines, run(*command, "--rounds", rounds).strip(), ""]))
    fill(ROOT / "docs/optics/validation.md", json.loads(run(*command, "--validation").splitlines()[-1]))


def night(data):
    """The table of docs/night.md"""
    told = run(sys.executable, ROOT / "benchmarks/burst.py", "--data", data).strip().splitlines()
    found = run(sys.executable, ROOT / "benchmarks/burst.py", "--data", data, "--alignment").strip().splitlines()
    fill(ROOT / "docs/night.md", {"burst": [heading(), "", *told, "", *(f"- {line}" for line in found)]})


def twin(rounds):
    """docs/twin-performance.md"""
    command = [sys.executable, ROOT / "benchmarks/twin.py"]
    lines = ["# Time and memory of the twin", "", heading(), ""]
    lines += ["Written by `make bench`: whole processes of `apo shoot`, start, scene and files included.", ""]
    lines += ["## Time", "", "Point spread functions kept from before; half of the CPU seconds is what two free processors could do.", ""]
    lines += [run(*command, "--rounds", rounds).strip(), "", "## Memory", "", run(*command, "--memory").strip(), ""]
    (ROOT / "docs/twin-performance.md").write_text("\n".join(lines))


def fill(page, tables):
    """Put the lines of tables between the page's marks of their names; a table that is not given stays as it was."""
    text = page.read_text()
    for name, rows in tables.items():
        text = re.sub(f"(<!-- {name} -->\n).*?(<!-- end -->)", lambda m, rows=rows: m[1] + "\n".join(rows) + "\n" + m[2], text, flags=re.S)
    page.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--page", choices=("performance", "quality", "optics", "night", "twin"), help="write only this page")
    arguments = parser.parse_args()
    if not (arguments.data / "bench").is_dir():
        raise SystemExit(f"bench: expected measuring scripts and data in {arguments.data}, found no folder bench there; say --data FOLDER")
    if arguments.page in (None, "performance"):
        performance(arguments.data, arguments.rounds)
        print("docs/performance.md")
    if arguments.page in (None, "quality"):
        quality(arguments.data)
        print("docs/quality.md")
    if arguments.page in (None, "optics"):
        optics(arguments.data, arguments.rounds)
        print("docs/optics/performance.md and docs/optics/validation.md")
    if arguments.page in (None, "night"):
        night(arguments.data)
        print("docs/night.md")
    if arguments.page in (None, "twin"):
        twin(arguments.rounds)
        print("docs/twin-performance.md")


if __name__ == "__main__":
    main()
