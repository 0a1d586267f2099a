"""One self-contained HTML page about a lens: layout, first-order values, prescription, and the figure of every analysis."""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from apochromat import __version__
from apochromat.optics import layout
from apochromat.optics.analyses import analysis, names
from apochromat.optics.analyses._figure import STYLE
from apochromat.optics.analyses._rays import field_labels
from apochromat.optics.errors import LensError
from apochromat.optics.lens import Lens
from apochromat.optics.summary import plain_first_order

MINUS = "\N{MINUS SIGN}"
INK_IN_FIGURES = "#010203"  # replaced by the page's own colour, so that figures follow light and dark
FIRST_ORDER = (
    ("efl_mm", "Focal length (mm)"),
    ("bfl_mm", "Back focus (mm)"),
    ("f_number", "Working f-number"),
    ("image_space_f_number", "EFL by entrance pupil"),
    ("entrance_pupil_mm", "Entrance pupil (mm)"),
    ("entrance_pupil_position_mm", "from first surface (mm)"),
    ("exit_pupil_mm", "Exit pupil (mm)"),
    ("exit_pupil_position_mm", "from image (mm)"),
    ("total_track_mm", "Total track (mm)"),
    ("magnification", "Magnification"),
)


def write_report(
    lens: Lens, path: str | Path, *, configurations: Sequence[int] | None = None, analyses: Iterable[str] | None = None
) -> None:
    """Write the page (see `html`) to a file, in one piece."""
    text, path = html(lens, configurations=configurations, analyses=analyses), Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def html(lens: Lens, *, configurations: Sequence[int] | None = None, analyses: Iterable[str] | None = None) -> str:
    """The page. configurations: those whose figures are shown (default: all); analyses: names of them (default: all).

    Tables cover every configuration. Raises LensError for a configuration that the lens does not have or an unknown analysis.
    """
    shown = tuple(range(lens.C) if configurations is None else configurations)
    for config in shown:
        if not 0 <= config < lens.C:
            raise LensError(f"Expected a configuration from 0 to {lens.C - 1}, found {config}, in {lens.info.source or lens.info.name}.")
    wanted = tuple(names() if analyses is None else analyses)
    title, style = lens.info.name or "Lens", files("apochromat.optics").joinpath("report_style.css").read_text("utf-8")
    sections = [_first_order(lens), _prescription(lens), *(_figures(lens, config, wanted) for config in shown), _remarks(lens)]
    places = ["first-order", "prescription", *(f"figures-{c}" for c in shown)]
    links = " ".join(f'<a href="#{p}">{escape(_place(lens, p, len(shown)))}</a>' for p in places)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, '
        f'initial-scale=1">\n<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n'
        f"<p>{_facts(lens)}</p>\n<nav>{links}</nav>\n{''.join(sections)}"
        f'<p class="soft">Apochromat {escape(__version__)}</p>\n</body>\n</html>\n'
    )


def _place(lens: Lens, place: str, shown: int) -> str:
    if not place.startswith("figures"):
        return {"first-order": "First-order values", "prescription": "Prescription"}[place]
    return "Figures" if shown == 1 else f"Figures: {_name(lens, int(place.split('-')[1]))}"


def _name(lens: Lens, config: int) -> str:
    """Name of a configuration, its number where it has none."""
    return lens.info.configurations[config] or f"configuration {config + 1}"


def _facts(lens: Lens) -> str:
    """The lens in one line."""
    values, fields = plain_first_order(lens), field_labels(lens, lens.fields)
    facts = [f"focal length {values['efl_mm']:.4g} mm", f"f/{values['f_number']:.3g}", f"fields to {fields[-1]}"]
    facts += [f"image radius {lens.info.image_radius_mm:g} mm"] if lens.info.image_radius_mm else []
    facts += [f"{lens.info.pixel_um:g} µm pixels"] if lens.info.pixel_um else []
    return escape(", ".join(facts))


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]], words: int = 1) -> str:
    """A table that scrolls sideways where it is too wide; the first `words` columns are text."""

    def cells(row: Sequence[Any], tag: str) -> str:
        return "".join(f"<{tag}{_word(i < words)}>{escape(str(cell))}</{tag}>" for i, cell in enumerate(row))

    body = "".join(f"<tr>{cells(row, 'td')}</tr>\n" for row in rows)
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{cells(head, "th")}</tr></thead><tbody>\n{body}</tbody></table></div>\n'


def _word(is_word: bool) -> str:
    return ' class="word"' if is_word else ""


def _number(value: float, digits: int = 5) -> str:
    return "∞" if np.isinf(value) else "none" if np.isnan(value) else f"{value:.{digits}g}".replace("-", MINUS)


def _first_order(lens: Lens) -> str:
    """First-order values of each configuration and wavelength."""
    rows = []
    for config in range(lens.C):
        for wavelength in lens.info.wavelengths_nm:
            values = plain_first_order(lens, wavelength, config)
            rows.append([_name(lens, config), f"{wavelength:.1f}", *(_number(float(values[key])) for key, _ in FIRST_ORDER)])
    table = _table(["Configuration", "nm", *(label for _, label in FIRST_ORDER)], rows)
    return f'<section id="first-order"><h2>First-order values</h2>\n{table}</section>\n'


def _prescription(lens: Lens) -> str:
    """The lens table, with the thicknesses of every configuration, and the aspheres' coefficients in a table of their own."""
    curvature, thickness = np.asarray(lens.curvature, float), np.asarray(lens.thickness, float)
    moving = np.ptp(thickness, axis=0) > 0
    head = ["", "Surface", "Medium behind", "Radius (mm)", "Thickness (mm)", "Clear radius (mm)", "Conic"]
    rows = []
    for i in range(lens.S):
        radius = np.inf if curvature[i] == 0 else 1 / curvature[i]
        apart = " / ".join(_number(v) for v in (thickness[:, i] if moving[i] else thickness[:1, i]))
        clear = _number(float(np.asarray(lens.semi_diameter)[i]), 4)
        conic = _number(float(np.asarray(lens.conic)[i]))
        rows.append([i + 1, _surface(lens, i), _medium(lens, i), _number(radius, 6), apart, clear, conic])
    several = f'<p class="soft">Where a thickness changes: {escape(" / ".join(_name(lens, c) for c in range(lens.C)))}.</p>\n'
    parts = [_table(head, rows, 3), several if moving.any() else "", _aspheres(lens)]
    return f'<section id="prescription"><h2>Prescription</h2>\n{"".join(parts)}</section>\n'


def _surface(lens: Lens, i: int) -> str:
    """What a surface is, in words."""
    s = lens.info.surfaces[i]
    words = [s.label, "" if s.kind == "standard" else s.kind, "stop" if i == lens.info.stop else ""]
    return ", ".join(dict.fromkeys(w for w in words if w))


def _medium(lens: Lens, i: int) -> str:
    s = lens.info.surfaces[i]
    nd, vd, _ = np.asarray(lens.model, float)[i]
    return f"model {nd:.4f}, {vd:.2f}" if s.is_model else s.glass or "air"


def _aspheres(lens: Lens) -> str:
    even = np.asarray(lens.even, float)
    used, powers = np.flatnonzero(even.any(1)), np.flatnonzero(even.any(0))
    if not len(used):
        return ""
    rows = [[i + 1, *(f"{even[i, j]:.6g}".replace("-", MINUS) for j in powers)] for i in used]
    head = [f"r{_raised(2 * j + 2)} (mm{_raised(-2 * j - 1)})" for j in powers]
    return "<h3>Aspheric coefficients</h3>\n" + _table(["Surface", *head], rows)


def _raised(power: Any) -> str:
    return str(power).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))


def _figures(lens: Lens, config: int, wanted: Iterable[str]) -> str:
    """Layout and analyses of one configuration."""
    drawn = layout.compute(lens, config)
    width, height = drawn.size_mm
    caption = f"Section through the axis and the widest field; {width:.4g} by {height:.4g} mm from first surface to sensor."
    wide = f'<figure class="wide scroll" tabindex="0">{svg(layout.draw, drawn, layout.size_in(drawn), f"layout {config}")}'
    wide += f"<figcaption>{caption}</figcaption></figure>"
    parts = [_analysed(lens, config, name) for name in wanted]
    title = "Figures" if lens.C == 1 else f"Figures: {_name(lens, config)}"
    return f'<section id="figures-{config}"><h2>{escape(title)}</h2>\n{wide}\n<div class="figures">\n{"".join(parts)}</div></section>\n'


def _analysed(lens: Lens, config: int, name: str) -> str:
    """One analysis: title, figure, what it shows; or the reason why there is none."""
    module = analysis(name)
    caption = (module.__doc__ or "").split("\n\n")[0].partition(": ")[2].replace("\n", " ")
    caption = escape(caption[:1].upper() + caption[1:])
    try:
        result = module.compute(lens, config)
    except LensError as error:
        return f"<figure><h3>{escape(module.TITLE)}</h3><p>{escape(str(error))}</p></figure>\n"
    picture = svg(module.draw, result, module.size_in(result), f"{name} {config}")
    return f"<figure><h3>{escape(module.TITLE)}</h3>{picture}<figcaption>{caption}</figcaption></figure>\n"


def svg(draw: Callable[..., None], result: Any, size_in: tuple[float, float], salt: str) -> str:
    """A figure as an SVG element in the page's own text colour; the same input gives the same text."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    ink = dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK_IN_FIGURES)
    settings: Any = {**STYLE, **ink, "svg.hashsalt": salt}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=size_in)
        draw(result, figure)
        stream = io.StringIO()
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    body = text[text.index("<svg") :].replace(INK_IN_FIGURES, "currentColor").replace("#000000", "currentColor")
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", body)
    return body.replace("fill: #ffffff", "fill: none").replace("stroke: #ffffff", "stroke: none")  # no ground of its own


def _remarks(lens: Lens) -> str:
    """Source and notes."""
    lines = [f"Source: {lens.info.source}"] if lens.info.source else []
    text = "".join(f"<p>{escape(line)}</p>\n" for line in (*lines, *lens.info.notes))
    return f"<section><h2>Notes</h2>\n{text}</section>\n" if text else ""
