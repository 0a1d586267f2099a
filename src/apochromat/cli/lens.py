"""`apo lens`: lenses shown, certified, optimised, toleranced, exported."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apochromat.cli.errors import FAILED, INTERRUPTED, UsageError, complain
from apochromat.cli.lab import require_lab
from apochromat.cli.output import say, say_json

if TYPE_CHECKING:
    from apochromat.optics.lens import Lens

app = typer.Typer(help="Show, certify, optimise, tolerance and export lenses.", no_args_is_help=True)
LensArgument = Annotated[str, typer.Argument(metavar="LENS", help="A lens of the library, or a .toml or .zmx file.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")]
TemperatureOption = Annotated[
    float | None,
    typer.Option("--temperature", metavar="C", help="Of the lens and its housing, -40 to 80 °C; left out: 20 °C, as declared."),
]
ENDINGS = (".toml", ".zmx")


def _verb(function: Callable[..., int]) -> Callable[..., int]:
    """Register a verb: optics' own errors become one sentence, a missing extra the command that installs it."""

    @wraps(function)
    def told(*args: Any, **kwargs: Any) -> int:
        require_lab("apo lens")
        from apochromat.optics.errors import LensError
        from apochromat.optics.precision import compile_quickly

        compile_quickly()
        try:
            return function(*args, **kwargs)
        except LensError as error:
            complain(str(error))
        except OSError as error:
            complain(f"{error.filename or 'a file'}: {(error.strerror or str(error)).lower()}")
        return FAILED

    return app.command(function.__name__.strip("_"))(told)


def _open(path: Path | None, overwrite: bool, endings: tuple[str, ...]) -> None:
    """Refuse, before any work, an output that cannot be: unknown ending, no folder, an existing file."""
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise UsageError(f"expected an output ending in {' or '.join(endings)}, found {path}")
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"expected an output file in a folder that exists, found {path}")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists; --overwrite replaces it")


def _read(name: str, temperature_c: float | None = None) -> Lens:
    from apochromat.optics.files import lens

    return lens(name, temperature_c)


def _wrote(path: Path) -> None:
    say(str(path))


@_verb
def _list(json_lines: JsonOption = False) -> int:
    """List the lenses of the library."""
    from apochromat.optics.files import library, read_lens

    for name in library():
        prescription = read_lens(name)
        facts = {"name": name, "surfaces": len(prescription.surfaces), "notes": list(prescription.notes), "source": prescription.source}
        if json_lines:
            say_json(facts)
        else:
            say(f"{name:24} {next(iter(prescription.notes), prescription.name)}")
    return 0


@_verb
def show(
    name: LensArgument,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A page (.html) with every analysis.")] = None,
    configuration: Annotated[list[str] | None, typer.Option(help="Draw this one only; may be repeated. Left out: all.")] = None,
    temperature: TemperatureOption = None,
    json_object: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> int:
    """Show a lens: first-order values, fields, spots; all analyses with -o."""
    _open(output, overwrite, (".html",))
    from apochromat.optics.summary import summary

    lens = _read(name, temperature)
    chosen = [_numbered(lens, wanted) for wanted in configuration or []]
    if output is not None:
        from apochromat.optics.report import write_report

        write_report(lens, output, configurations=chosen or None)
        _wrote(output)
    if json_object:
        say_json(summary(lens))
    elif output is None:
        say("\n".join(_lines(summary(lens))))
    return 0


def _numbered(lens: Lens, wanted: str) -> int:
    """Which configuration has this name, or this number, counted from 1, where none has the name."""
    from apochromat.optics.errors import LensError

    names = lens.info.configurations
    numbers = {str(i + 1): i for i in range(len(names))}
    if wanted not in names and wanted not in numbers:
        known = ", ".join(name or str(i + 1) for i, name in enumerate(names))
        raise LensError(f"expected a configuration out of {known}, found {wanted!r}, in {lens.info.source or lens.info.name}.")
    return names.index(wanted) if wanted in names else numbers[wanted]


def _lines(facts: dict[str, Any]) -> list[str]:
    """A summary as text: the whole lens, then one line for each field at the primary wavelength of each configuration."""
    names = {
        "efl_mm": "focal length",
        "bfl_mm": "back focal length",
        "f_number": "f-number",
        "entrance_pupil_mm": "entrance pupil",
        "image_height_mm": "image height",
        "total_track_mm": "total track",
    }
    lines = [facts["name"] or "lens"]
    lines += [f"  {label:18} {_number(facts[key])}{' mm' if key.endswith('_mm') else ''}" for key, label in names.items()]
    lines += ["  configuration, field, nm: chief ray mm, spot RMS µm, pupil that arrives"]
    for row in facts["fields"]:
        where = f"{row['configuration'] or '-'}, {row['field'][0]:g} {row['field'][1]:g}, {row['wavelength_nm']:g}"
        lines.append(f"  {where:30} {_number(row['chief_ray_height_mm'])}, {_number(row['rms_spot_um'])}, {row['arrived']:.0%}")
    return lines + [f"  note: {note}" for note in facts["notes"]]


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


@_verb
def certify(
    name: LensArgument,
    json_object: JsonOption = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The certificate's figure (.png, .svg or .pdf).")] = None,
    design_only: Annotated[bool, typer.Option("--design-only", help="Tests 1 to 6 only, no samples as built.")] = False,
    samples: Annotated[int | None, typer.Option(min=1, max=100_000, help="Samples of test 7; left out: as the specification says.")] = None,
    temperature: TemperatureOption = None,
    overwrite: OverwriteOption = False,
) -> int:
    """Certify a lens as apochromatic, or say which test fails and by how much.

    Exits with 0 if every verdict is a pass, with 1 if not.
    """
    _open(output, overwrite, (".png", ".svg", ".pdf"))
    from apochromat.optics.certificate import certify as run

    certificate = run(_read(name, temperature), samples=samples, as_built=not design_only)
    say(json.dumps(json.loads(certificate.to_json())) if json_object else certificate.text())
    if output is not None:
        certificate.figure().savefig(output)
        if not json_object:
            _wrote(output)
    return 0 if certificate.passed else FAILED


@_verb
def optimize(
    start: LensArgument,
    goal: Annotated[Path, typer.Option(help="What is wanted, a .toml file (docs/optics/optimise.md).", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="The better lens (.toml or .zmx).", show_default=False)],
    seed: Annotated[int, typer.Option(help="Of the search; the same seed gives the same lens.")] = 0,
    overwrite: OverwriteOption = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> int:
    """Optimise a lens for a goal. Ctrl-C keeps the best lens so far."""
    _open(output, overwrite, ENDINGS)
    from apochromat.optics.optimise import optimise, read_goal

    found = optimise(_read(start), read_goal(goal), seed, None if quiet else _show_merit)
    _write(found.lens, output)
    if not quiet:
        complain(f"merit {found.start_merit:.6g} at the start, {found.merit:.6g} now")
    _wrote(output)
    return INTERRUPTED if found.interrupted else 0


def _show_merit(gains: int, merit: float) -> None:
    """The progress line on a terminal."""
    import sys

    if sys.stderr.isatty():
        print(f"\r\x1b[K{gains} gains, merit {merit:.6g}", end="", file=sys.stderr, flush=True)


@_verb
def tolerance(
    name: LensArgument,
    samples: Annotated[int, typer.Option(min=1, max=100_000, help="Lenses built at random.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Of the samples.")] = 1,
    within: Annotated[str, typer.Option("--set", help="Tolerance set: precision or ordinary.")] = "precision",
    json_object: JsonOption = False,
) -> int:
    """Tolerance a lens: yield, worst offenders, compensators."""
    from apochromat.optics.tolerance_report import tolerance_report

    report = tolerance_report(_read(name), samples=samples, seed=seed, tolerances=within)
    say(report.to_json() if json_object else report.text())
    return 0


@_verb
def export(
    name: LensArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .zmx or .toml file.", show_default=False)],
    overwrite: OverwriteOption = False,
) -> int:
    """Write a lens as a Zemax file or as a lens document."""
    _open(output, overwrite, ENDINGS)
    _write(_read(name), output)
    _wrote(output)
    return 0


def _write(lens: Lens, path: Path) -> None:
    """A lens as a file of the kind that its ending names."""
    from apochromat.optics.build import to_prescription
    from apochromat.optics.files import write_toml
    from apochromat.optics.zmx_write import write_zmx

    if path.suffix.lower() == ".zmx":
        write_zmx(lens, path)
    else:
        write_toml(to_prescription(lens), path)
