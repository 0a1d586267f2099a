"""`apo scenes`, `apo cameras`, `apo camera`: what there is to shoot, and with what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from apochromat.cli.errors import FAILED, complain
from apochromat.cli.lab import require_lab
from apochromat.cli.output import say, say_json


def scenes(json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> int:
    """List the built-in scenes."""
    require_lab("apo scenes")
    from apochromat.scene import scene_kind, scene_names

    for name in scene_names():
        kind = scene_kind(name)
        if json_lines:
            say_json({"name": name, "help": kind.help, "lux": kind.lux, "light": kind.light, "reference": kind.reference})
        else:
            say(f"{name:16} {kind.help} ({kind.lux:g} lx {kind.light} on {kind.reference})")
    return 0


def cameras(json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> int:
    """List the built-in cameras."""
    from apochromat.camera.description import camera, camera_names

    for name in camera_names():
        found = camera(name)
        modules = ", ".join(f"{m.name} ({m.lens})" for m in found.modules)
        if json_lines:
            say_json({"name": name, "title": found.title, "modules": [m.name for m in found.modules]})
        else:
            say(f"{name:16} {found.title}: {modules}")
    return 0


def camera(
    name: Annotated[str, typer.Argument(metavar="CAMERA", help="A camera, or a .toml file.", show_default=False)],
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> int:
    """Show a camera: every number with its source, its lenses and sensors."""
    from apochromat.camera.description import camera as described
    from apochromat.sensor import read_sensor, sensor, sensor_names

    try:
        found = described(name)
        sensors = {m.sensor: sensor(m.sensor) if m.sensor in sensor_names() else read_sensor(m.sensor) for m in found.modules}
    except ValueError as error:
        complain(str(error))
        return FAILED
    facts = {**found.model_dump(), "sensors": {key: value.model_dump() for key, value in sensors.items()}}
    if json_lines:
        say_json(facts)
    else:
        for line in _lines(facts, ""):
            say(line)
    return 0


def _lines(value: Any, indent: str) -> Iterator[str]:
    """A document for reading: a quantity on a line with how it is known."""
    for key, part in value.items() if isinstance(value, dict) else ((v.get("name", k), v) for k, v in enumerate(value)):
        if isinstance(part, dict) and "kind" in part:
            number = f"{part['value']:g}" if "value" in part else "a curve"
            yield f"{indent}{key}: {number} ({part['kind']}: {part['source']})"
        elif isinstance(part, dict) or (isinstance(part, list | tuple) and part and isinstance(part[0], dict)):
            yield f"{indent}{key}"
            yield from _lines(part, indent + "  ")
        elif part is not None:
            yield f"{indent}{key}: {part}"
