"""`apo develop`: RAW files into finished pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apochromat.cli.errors import FAILED, UsageError, complain
from apochromat.cli.output import say, say_json
from apochromat.cli.progress import Progress, Steps

if TYPE_CHECKING:
    from apochromat.batch import Options, Outcome, Task
    from apochromat.bursts import Burst


def develop(
    files: Annotated[list[Path], typer.Argument(help="RAW files.", show_default=False, readable=False)],
    output: Annotated[str, typer.Option("--output", "-o", help="A picture file (.jpg .tiff .png .avif .jxl), or a folder.")] = "",
    settings: Annotated[list[str], typer.Option("--set", metavar="STAGE.PARAMETER=VALUE", help="Set a parameter; may repeat.")] = [],  # noqa: B006
    recipes: Annotated[
        list[Path], typer.Option("--recipe", help="A recipe (TOML), or a picture made by apo; may repeat.", readable=False)
    ] = [],  # noqa: B006
    until: Annotated[str, typer.Option(metavar="STAGE", help="Leave after this stage, linear, as .tiff.")] = "",
    rendering: Annotated[str, typer.Option(help="natural, or neutral for measuring.")] = "natural",
    space: Annotated[str, typer.Option(help="Colour space of the picture: srgb or display-p3.", show_default="srgb")] = "",
    quality: Annotated[int, typer.Option(min=1, max=100, help="Quality of JPEG, AVIF and JPEG XL.")] = 92,
    depth: Annotated[int, typer.Option(help="Bits a sample: 8, 16, or 32 (float, linear).", show_default="by format")] = 0,
    explain: Annotated[str, typer.Option(metavar="PAGE.html", help="Also write a page that shows every step of this one file.")] = "",
    merge: Annotated[
        bool, typer.Option("--merge", help="Merge the files' bursts first: one picture of each; folders are searched.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Files developed at the same time.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, notes or summary on stderr.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line and file on stdout, instead of paths.")] = False,
) -> int:
    """Develop RAW files into pictures.

    IMG_1.apo.jpg beside each IMG_1.dng, unless -o says otherwise.

    Edits are read from IMG_1.dng.toml beside a file, then --recipe, then --set; later ones win.
    """
    from apochromat import batch
    from apochromat.native.pages import keep_pages

    keep_pages()
    options = _options(settings, recipes, until, rendering, space, quality, depth, overwrite)
    bursts, unusable = _bursts(files, output, quiet) if merge else (None, 0)
    tasks = _tasks(files, output, explain, options) if bursts is None else _burst_tasks(bursts, output, explain, options)
    if output.endswith(os.sep):
        _make_folder(Path(output))
    progress = Progress(len(tasks), quiet)
    failed = unusable
    outcomes = batch.run(tasks, jobs)
    try:
        for outcome in outcomes:
            failed += bool(outcome.error)
            progress.clear()
            _report(outcome, quiet, json_lines)
            progress.advance(outcome.task.raw, failed)
    finally:
        progress.clear()
        outcomes.close()  # type: ignore[attr-defined]
    progress.summarise(failed)
    return FAILED if failed else 0


def _options(
    settings: list[str], recipes: list[Path], until: str, rendering: str, space: str, quality: int, depth: int, overwrite: bool
) -> Options:
    """Everything but the files, checked before any work begins."""
    from apochromat import chain, recipe
    from apochromat.batch import Options

    _one_of("--until", until or None, [stage.name for stage in chain.stages()])
    _one_of("--rendering", rendering, chain.RENDERINGS)
    try:
        spaces = recipe.checked({"output": {"space": space}}, f"--space {space}") if space else {}
        files = recipe.merged(*map(recipe.load, recipes))
        chosen = recipe.merged(spaces, recipe.settings(settings))
    except recipe.RecipeError as error:
        raise UsageError(str(error)) from error
    return Options(files, chosen, until or None, rendering, quality, depth or None, overwrite)


def _one_of(option: str, value: str | None, known: Iterable[str]) -> None:
    from apochromat.recipe import nearest

    if value is not None and value not in known:
        raise UsageError(f"{option} {value}: there is no such {option.lstrip('-').replace('until', 'stage')}; {nearest(value, known)}")


def _tasks(files: list[Path], output: str, explain: str, options: Options) -> list[Task]:
    """One task a file, checked: every output's format is known, no two outputs are the same, none is an input."""
    from apochromat.batch import Task

    outputs = _outputs(files, output, options.until)
    if explain and len(files) > 1:
        raise UsageError(f"--explain shows one file, found {len(files)}")
    if explain and not explain.lower().endswith((".html", ".htm")):
        raise UsageError(f"--explain {explain}: expected the name of a page, ending in .html")
    _check_formats(outputs, options)
    _check_apart(files, [*outputs, *([Path(explain)] if explain else [])])
    return [Task(raw, picture, options, Path(explain) if explain else None) for raw, picture in zip(files, outputs, strict=True)]


def _bursts(files: list[Path], output: str, quiet: bool) -> tuple[list[Burst], int]:
    """The bursts among the files, all as one where -o names one picture, and how many files cannot be used."""
    from apochromat.cli.merge import find_bursts, is_folder

    return find_bursts(files, one=bool(output) and not is_folder(output), steps=Steps(quiet))


def _burst_tasks(bursts: list[Burst], output: str, explain: str, options: Options) -> list[Task]:
    """One task a burst, named after its first file."""
    firsts = [burst.files[0].path for burst in bursts]
    return [replace(task, burst=burst) for task, burst in zip(_tasks(firsts, output, explain, options), bursts, strict=True)]


def _outputs(files: list[Path], output: str, until: str | None) -> list[Path]:
    """The picture of each file: beside it, in a folder, or as named."""
    ending = f".apo.{until}.tiff" if until else ".apo.jpg"
    if not output:
        return [raw.with_name(raw.stem + ending) for raw in files]
    if output.endswith(os.sep) or os.path.isdir(output):
        return [Path(output) / (raw.stem + ending) for raw in files]
    if len(files) > 1:
        raise UsageError(f"-o {output} names one file for {len(files)} inputs; a folder ends in {os.sep}")
    return [Path(output)]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"-o {folder}{os.sep}: the folder could not be made: {(error.strerror or str(error)).lower()}") from error


def _check_formats(outputs: list[Path], options: Options) -> None:
    from apochromat import chain
    from apochromat.picture import PictureError, UnknownFormat, format_of

    finished = options.until in (None, chain.stages()[-1].name)
    for path in outputs:
        try:
            format_of(path).depth("display" if finished else "linear", options.depth)
        except UnknownFormat as error:
            raise UsageError(str(error) if path.suffix else f"{error}, or a folder ending in {os.sep}") from error
        except PictureError as error:
            raise UsageError(f"{path}: {error}") from error


def _check_apart(files: list[Path], outputs: list[Path]) -> None:
    """Raise UsageError if two outputs are one file, or an output is an input."""
    inputs = {os.path.realpath(raw) for raw in files}
    taken: dict[str, Path] = {}
    for index, path in enumerate(outputs):
        real, source = os.path.realpath(path), files[min(index, len(files) - 1)]
        if real in inputs:
            raise UsageError(f"{path} is an input; choose another output")
        if real in taken:
            raise UsageError(f"{taken[real]} and {source} would both be written to {path}; develop them one by one with -o")
        taken[real] = source


def _report(outcome: Outcome, quiet: bool, json_lines: bool) -> None:
    """Paths or JSON on stdout, complaints and notes on stderr."""
    if outcome.error:
        complain(outcome.error)
    elif not quiet:
        for note in outcome.notes:
            complain(f"{outcome.task.raw}: note: {note}")
    if json_lines:
        say_json(_facts(outcome))
    else:
        for path in outcome.written:
            say(str(path))


def _facts(outcome: Outcome) -> dict[str, Any]:
    facts: dict[str, Any] = {"input": str(outcome.task.raw), "seconds": round(outcome.seconds, 3)}
    if outcome.error and not outcome.written:
        return {**facts, "error": outcome.error}
    if outcome.error:
        facts["error"] = outcome.error
    written = [str(path) for path in outcome.written]
    return {**facts, "written": written, "recipe_hash": outcome.recipe_hash, "notes": list(outcome.notes)}
