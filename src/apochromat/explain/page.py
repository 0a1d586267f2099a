"""The page as HTML: nothing loaded from anywhere, light or dark as the reader's system is."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apochromat import __version__
from apochromat.light.raw_frame import RawFrame
from apochromat.raw.facts import plain
from apochromat.recipe import Declared, declared

if TYPE_CHECKING:
    from apochromat.explain import Step

STYLE = """
:root { color-scheme: light dark; --ink: #1d1f21; --soft: #6b7075; --line: #dcdfe3; --paper: #fbfbfa; --mark: #b3541e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e5e6; --soft: #9aa0a6; --line: #35393e; --paper: #17191b; --mark: #f0a36b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 6rem; max-width: 78rem; font: 16px/1.55 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.25rem; margin: 0; } p { margin: .3rem 0; }
.soft, dt, th { color: var(--soft); font-weight: 400; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; padding: 1rem 0; margin: 1rem 0 2rem; border-block: 1px solid var(--line); }
a { color: inherit; text-decoration-color: var(--mark); text-underline-offset: .2em; }
section { padding: 1.8rem 0; border-bottom: 1px solid var(--line); scroll-margin-top: 1rem; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; margin: .9rem 0; }
figure { margin: 0; } figcaption { font-size: .85rem; color: var(--soft); }
img { display: block; max-width: 100%; border-radius: 3px; cursor: crosshair; } .overview img { max-height: 26rem; }
.detail img { width: 18rem; height: auto; image-rendering: pixelated; }
table { border-collapse: collapse; font-size: .92rem; } th, td { text-align: left; padding: .15rem 1.2rem .15rem 0; vertical-align: top; }
code { font: .92em ui-monospace, monospace; } .changed { color: var(--mark); }
@media (max-width: 44rem) {
  body { padding: 1.2rem 1rem 4rem; } table, tbody { display: block; } tr:has(th) { display: none; }
  tr { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: .5rem 0; } td { padding: 0; } td:nth-child(n+3) { flex-basis: 100%; }
  td:nth-child(3) { color: var(--soft); }
}
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem; margin: .6rem 0; font-size: .92rem; }
dd { margin: 0; overflow-wrap: anywhere; }
"""

# How the name of a fact ends that has a unit.
UNITS = {"k": "K", "ev": "EV", "px": "px", "mm": "mm", "um": "µm", "s": "s"}

# Holding the pointer on a picture shows the same picture of the step before.
SCRIPT = """
for (const kind of ["overview", "detail"]) {
  const pictures = [...document.querySelectorAll(`.${kind} img`)];
  pictures.forEach((picture, i) => {
    const own = picture.src, before = pictures[Math.max(0, i - 1)].src;
    picture.addEventListener("pointerenter", () => { picture.src = before; });
    picture.addEventListener("pointerleave", () => { picture.src = own; });
  });
}
"""


def render(frame: RawFrame, steps: Sequence[Step]) -> str:
    """The page of one picture and its steps."""
    title = escape(Path(frame.path).name or "RAW frame")
    links = "".join(f'<a href="#{escape(step.stage.name)}">{escape(step.stage.name)}</a>' for step in steps)
    sections = "".join(_section(number, step) for number, step in enumerate(steps, 1))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}, step by step</title><style>{STYLE}</style></head><body>"
        f"<header><h1>{title}, step by step</h1>{_definitions(_shot(frame))}{_notes(frame.notes)}"
        f'<p class="soft">The whole picture, then a part of it at full size; hold the pointer on one to see the step before. '
        f"Steps before the exposure are brightened by one gain for all; a mosaic is shown at half size.</p>"
        f'<p class="soft">apochromat {__version__}</p></header>'
        f"<nav>{links}</nav><main>{sections}</main><script>{SCRIPT}</script></body></html>\n"
    )


def _shot(frame: RawFrame) -> dict[str, Any]:
    """Camera and exposure, as a photographer would say them."""
    known = frame.metadata
    exposure = known.get("exposure_s")
    facts = {
        "camera": " ".join(str(known[key]) for key in ("make", "model") if key in known),
        "lens": known.get("lens"),
        "taken": str(known.get("datetime") or "").replace(":", "-", 2),
        "exposure": exposure and (f"1/{1 / exposure:.0f} s" if exposure < 0.3 else f"{exposure:g} s"),
        "aperture": known.get("f_number") and f"f/{known['f_number']:g}",
        "ISO": known.get("iso") and f"{known['iso']:g}",
        "focal length": known.get("focal_mm") and f"{known['focal_mm']:g} mm",
        "size": f"{frame.crop.width} x {frame.crop.height} pixels",
    }
    return {name: value for name, value in facts.items() if value}


def _notes(notes: Iterable[str]) -> str:
    return "".join(f"<p>{escape(note)}</p>" for note in notes)


def _section(number: int, step: Step) -> str:
    stage = step.stage
    source = f'<p class="soft">{escape(stage.source)}</p>' if stage.source else ""
    return (
        f'<section id="{escape(stage.name)}"><h2>{number} {escape(stage.name)}</h2><p>{escape(stage.summary)}</p>{source}'
        f'<div class="pictures">{_figure("overview", step.overview)}{_figure("detail", step.detail)}</div>'
        f"{_table(step)}{_definitions(step.facts)}</section>"
    )


def _figure(kind: str, jpeg: bytes) -> str:
    return f'<figure class="{kind}"><img alt="{kind}" src="data:image/jpeg;base64,{b64encode(jpeg).decode()}"></figure>'


def _table(step: Step) -> str:
    """Parameters with the values used; those that are not the default are marked."""
    rows = "".join(_row(parameter, plain(getattr(step.params, parameter.name))) for parameter in declared(step.stage))
    return f"<table><tr><th>parameter</th><th>value</th><th>may be</th><th>meaning</th></tr>{rows}</table>" if rows else ""


def _row(parameter: Declared, value: Any) -> str:
    changed = ' class="changed"' if value != plain(parameter.default) else ""
    cells = f"<td><code>{escape(parameter.name)}</code></td><td{changed}>{escape(_text(value, parameter.unit))}</td>"
    return f"<tr>{cells}<td>{escape(parameter.expected)}</td><td>{escape(parameter.help)}</td></tr>"


def _definitions(facts: Mapping[str, Any]) -> str:
    """Names with what is known under them; `exposure_ev` is the exposure in EV, and what is empty says nothing."""
    items = ""
    for name, value in facts.items():
        words = name.split("_")
        unit = UNITS.get(words[-1], "") if len(words) > 1 else ""
        text = _text(plain(value), unit)
        label = " ".join(words[:-1] if unit else words)
        items += f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" if text else ""
    return f"<dl>{items}</dl>" if items else ""


def _text(value: Any, unit: str = "") -> str:
    """A value in words, with its unit where it is a number or several."""
    ending = f" {unit}" if unit else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}{ending}"
    if isinstance(value, list):
        return f"{', '.join(map(_text, value))}{ending}" if value else ""
    if isinstance(value, Mapping):
        parts = ((key.replace("_", " "), _text(part)) for key, part in value.items())
        return ", ".join(f"{key} {part}" for key, part in parts if part)
    return f"{value}{ending}" if isinstance(value, int) else str(value)
