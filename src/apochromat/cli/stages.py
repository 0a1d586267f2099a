"""`apo stages`: every stage and parameter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apochromat.cli.output import say, say_json

if TYPE_CHECKING:
    from apochromat.develop.stage import Stage


def stages(
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line and stage.")] = False,
) -> int:
    """List every stage and parameter.

    Stages in the order in which they run; parameters with default, range, unit and meaning.
    """
    from apochromat import chain

    for stage in chain.stages():
        if json_lines:
            say_json(_facts(stage))
        else:
            say(_table(stage))
    return 0


def _facts(stage: Stage) -> dict[str, Any]:
    from apochromat.recipe import declared

    parameters = [
        {
            "name": p.name,
            "type": p.type,
            "default": p.default,
            "range": [p.least, p.most],
            "choices": list(p.choices),
            "unit": p.unit,
            "help": p.help,
        }
        for p in declared(stage)
    ]
    return {"stage": stage.name, "summary": stage.summary, "source": stage.source, "neutral": stage.neutral or {}, "parameters": parameters}


def _table(stage: Stage) -> str:
    from apochromat.recipe import declared

    lines = [f"{stage.name}: {stage.summary}"]
    for p in declared(stage):
        default = json.dumps(p.default) if isinstance(p.default, bool | list) else p.default
        lines.append(f"  {stage.name}.{p.name}={default}  {p.expected}. {p.help}.")
    return "\n".join(lines)
