"""`apo merge`: handheld bursts into DNGs of less noise, one for each burst."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apochromat.cli.errors import FAILED, UsageError, complain
from apochromat.cli.output import say, say_json
from apochromat.cli.progress import Steps

if TYPE_CHECKING:
    from apochromat.bursts import Burst, Result


def merge(
    files: Annotated[list[Path], typer.Argument(help="RAW files of a burst, or a folder of bursts.", show_default=False, readable=False)],
    output: Annotated[str, typer.Option("--output", "-o", help="A DNG for all the files as one burst, or a folder.")] = "",
    motion_map: Annotated[str, typer.Option("--map", metavar="MOTION.png", help="Also show where how many frames counted.")] = "",
    compression: Annotated[str, typer.Option(help="none, ljpeg (lossless JPEG) or jpegxl (lossless).")] = "ljpeg",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress or notes on stderr.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line and burst on stdout, instead of paths.")] = False,
) -> int:
    """Merge a handheld burst into one DNG.

    IMG_1.merged.dng beside the frame that the others are laid on, unless -o says otherwise.

    Bursts are told apart by pauses and settings; exposures within one may differ (bracketing).
    """
    from apochromat.native.pages import keep_pages

    keep_pages()
    _check(output, motion_map, compression)
    named = [name for name in (output, motion_map) if name and not is_folder(name)]
    _check_apart(files, named)
    if taken := [name for name in named if os.path.lexists(name) and not overwrite]:
        complain(f"{taken[0]} exists already; give --overwrite to replace it")
        return FAILED
    steps = Steps(quiet)
    try:
        bursts, failed = find_bursts(files, one=bool(output) and not is_folder(output), steps=steps)
        if motion_map and len(bursts) > 1:
            raise UsageError(f"--map {motion_map} shows one burst, found {len(bursts)}")
        for burst in bursts:
            failed += _merge_one(burst, output, motion_map, compression, overwrite, json_lines, steps)
    finally:
        steps.clear()
    return FAILED if failed else 0


def is_folder(output: str) -> bool:
    """Whether -o names a folder."""
    return output.endswith(os.sep) or os.path.isdir(output)


def _check(output: str, motion_map: str, compression: str) -> None:
    if output and not is_folder(output) and Path(output).suffix.lower() != ".dng":
        raise UsageError(f"-o {output}: expected a name ending in .dng, or a folder ending in {os.sep}")
    if motion_map and Path(motion_map).suffix.lower() != ".png":
        raise UsageError(f"--map {motion_map}: expected a name ending in .png")
    if compression not in ("none", "ljpeg", "jpegxl"):
        raise UsageError(f"--compression {compression}: expected none, ljpeg or jpegxl")
    if output.endswith(os.sep):
        try:
            Path(output).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"-o {output}: the folder could not be made: {(error.strerror or str(error)).lower()}") from error


def _check_apart(files: list[Path], outputs: list[str]) -> None:
    """Raise UsageError where an output is an input."""
    from apochromat.bursts import raw_files

    inputs = {os.path.realpath(path) for path in raw_files(files)}
    for name in outputs:
        if os.path.realpath(name) in inputs:
            raise UsageError(f"{name} is an input; choose another output")


def find_bursts(files: list[Path], one: bool, steps: Steps) -> tuple[list[Burst], int]:
    """The bursts among files and folders, all of them as one if so asked; complaints go to stderr and are counted.

    Raises UsageError where nothing is given.
    """
    from apochromat import bursts

    paths = bursts.raw_files(files)
    if not paths:
        raise UsageError(f"expected RAW files, found none in {', '.join(map(str, files))}")
    seen, complaints = bursts.survey(paths, steps.tell)
    steps.clear()
    found: list[Burst] = []
    try:
        found = [bursts.together(seen)] if one and seen else bursts.split(seen)
    except bursts.BurstError as error:
        complaints.append(str(error))
    for sentence in complaints:
        complain(sentence)
    return found, len(complaints)


def _merge_one(
    burst: Burst, output: str, motion_map: str, compression: str, overwrite: bool, json_lines: bool, steps: Steps
) -> int:  # fmt: skip
    """Merge one burst, write it and say so; the number of things that went wrong."""
    from apochromat import bursts
    from apochromat.picture import PictureError
    from apochromat.raw import RawError

    try:
        result = bursts.merge_burst(burst, steps.tell)
        steps.tell("writing", 1.0)
        written = [_write(result, output, compression, overwrite)]
    except (RawError, PictureError, ValueError) as error:
        steps.clear()
        complain(str(error))
        return 1
    complaints = list(result.complaints)
    if motion_map:
        try:
            written.append(bursts.write_map(result.merged, Path(motion_map), overwrite))
        except PictureError as error:  # the DNG is there all the same
            complaints.append(str(error))
    steps.clear()
    for sentence in complaints:
        complain(sentence)
    for sentence in result.notes:
        steps.note(f"apo: note: {sentence}")
    if json_lines:
        say_json(_facts(result, written, complaints))
    else:
        for path in written:
            say(str(path))
    return len(complaints)


def _write(result: Result, output: str, compression: Any, overwrite: bool) -> Path:
    from apochromat.bursts import ENDING
    from apochromat.raw import write_dng

    name = result.reference.stem + ENDING
    target = result.reference.with_name(name) if not output else Path(output) / name if is_folder(output) else Path(output)
    return write_dng(result.merged.frame, target, compression=compression, overwrite=overwrite)


def _facts(result: Result, written: list[Path], complaints: list[str]) -> dict[str, Any]:
    used = {path: round(share, 4) for path, share in result.merged.share.items()}
    counts = result.merged.frames
    return {
        "reference": str(result.reference),
        "written": [str(path) for path in written],
        "believed": used,
        "effective_frames": {"median": float(round(float(sorted(counts.ravel())[counts.size // 2]), 3)), "least": float(counts.min())},
        "notes": list(result.notes),
        "errors": complaints,
    }
