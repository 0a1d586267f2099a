"""The Typer application: verbs, and one place where errors become a sentence on stderr and an exit code."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from typing import Annotated, Any, NoReturn

import typer

from apochromat import __version__
from apochromat.cli import cameras, develop, info, lens, merge, output, shoot, stages
from apochromat.cli.errors import FAILED, INTERRUPTED, WRONG_USAGE, UsageError, complain

app = typer.Typer(
    name="apo",
    help="Develop RAW files into finished photographs; merge bursts; shoot scenes with described cameras; show, certify and design lenses.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (develop.develop, merge.merge, shoot.shoot, info.info, stages.stages, cameras.scenes, cameras.cameras, cameras.camera):
    app.command()(verb)
app.add_typer(lens.app, name="lens")


def _print_version(wanted: bool) -> None:
    if wanted:
        output.say(f"apochromat {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _apo(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(WRONG_USAGE)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    output.prepare()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, _terminate)
    debug = bool(os.environ.get("APO_DEBUG"))
    if not debug:
        warnings.simplefilter("ignore")
    usage_errors: Any = typer.BadParameter.__base__  # the base of all complaints about the command line, not exported by name
    status = WRONG_USAGE
    try:
        status = app(arguments, prog_name="apo", standalone_mode=False) or 0
    except UsageError as error:
        complain(str(error))
    except usage_errors as error:
        complain(_usage_sentence(error))
    except typer.Abort:
        status = INTERRUPTED
    except BrokenPipeError:  # whoever read the paths has gone
        output.abandon()
        status = FAILED
    except output.OutputError as error:
        output.abandon()
        complain(str(error))
        status = FAILED
    except Exception as error:
        complain(f"an error inside the program ({type(error).__name__}: {error}); APO_DEBUG=1 shows where")
        if debug:
            traceback.print_exc()
        status = FAILED
    if status == INTERRUPTED:  # Typer turns Ctrl-C into this status, or into Abort
        complain("interrupted")
    return status


def _usage_sentence(error: Any) -> str:
    verb = getattr(getattr(error, "ctx", None), "command_path", "apo")
    return f"{error.format_message().rstrip('.')}; see {verb} --help"


def _terminate(number: int, *_: Any) -> NoReturn:
    """End by way of every clean-up, as a shell reports it."""
    raise SystemExit(128 + number)
