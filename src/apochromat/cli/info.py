"""`apo info`: what a RAW file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from apochromat.cli.errors import FAILED, complain
from apochromat.cli.output import say, say_json


def info(
    files: Annotated[list[Path], typer.Argument(help="RAW files.", show_default=False, readable=False)],
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line and file.")] = False,
) -> int:
    """Show what RAW files hold.

    Camera, exposure, levels, CFA, matrices, noise profile, opcodes, orientation.
    """
    from apochromat.raw import RawError, describe, read_isolated

    failed = 0
    for path in files:
        try:
            facts = describe(read_isolated(path))
        except RawError as error:
            complain(str(error))
            failed += 1
            continue
        if json_lines:
            say_json(facts)
        else:
            say("\n".join(_lines(facts)))
    return FAILED if failed else 0


def _lines(facts: dict[str, Any], indent: str = "") -> list[str]:
    """Facts as indented lines `name: value`; what the file does not say is left out."""
    lines = []
    for name, value in facts.items():
        label = f"{indent}{name.replace('_', ' ')}:"
        if isinstance(value, dict) and value:
            lines += [label, *_lines(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(label)
            for item in value:
                head, *rest = _lines(item, indent + "    ")
                lines += [f"{indent}  - {head.strip()}", *rest]
        elif value not in (None, "", [], {}):
            lines.append(f"{label} {_text(value)}")
    return lines


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return str(value)
