"""The command `apo`: one file per verb, nothing loaded before it is needed."""

import sys


def main() -> None:
    """Run `apo` with the command line's arguments and exit: 0 all done, 1 some failed, 2 wrong usage, 130 Ctrl-C."""
    try:
        from apochromat.cli.app import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
