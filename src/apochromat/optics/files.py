"""Lens files in and out: TOML documents, Zemax files, and the built-in library by name."""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from apochromat.optics.build import build
from apochromat.optics.errors import LensError
from apochromat.optics.lens import Lens
from apochromat.optics.prescription import Prescription, checked
from apochromat.optics.temperature import at_temperature
from apochromat.optics.zmx_read import read_zmx

MOST_BYTES = 50_000_000


def library() -> tuple[str, ...]:
    """Names of the built-in lenses."""
    folder = files("apochromat.optics") / "library"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))) if folder.is_dir() else ()


def lens(name_or_path: str | Path, temperature_c: float | None = None) -> Lens:
    """A lens, ready to trace: of the library by its name, or from a file (.toml, .zmx). Raises LensError, OSError.

    temperature_c: -40 to 80 °C, for indices and sizes (`temperature.at_temperature`); None: as declared, which is 20 °C.
    """
    found = build(read_lens(name_or_path))
    return found if temperature_c is None else at_temperature(found, temperature_c)


def read_lens(name_or_path: str | Path) -> Prescription:
    """The prescription of a library lens or of a file (.toml, .zmx). Raises LensError, and OSError for a file that cannot be read."""
    text = str(name_or_path)
    if text in library():
        path = files("apochromat.optics") / "library" / f"{text}.toml"
        return _parsed(path.read_text(encoding="utf-8"), text)
    path = Path(name_or_path)
    if not path.suffix and not path.exists():
        close = ", ".join(difflib.get_close_matches(text, library(), 3, 0.4))
        raise LensError(f"expected a lens file or a library lens, found {text!r}{f'; near it: {close}' if close else ''}.")
    if path.suffix.lower() not in (".toml", ".zmx"):
        raise LensError(f"expected a lens file ending in .toml or .zmx, found {text}.")
    if path.exists() and not path.is_file():
        raise LensError(f"expected a lens file, found {'a folder' if path.is_dir() else 'no ordinary file'}, in {text}.")
    if path.stat().st_size > MOST_BYTES:
        raise LensError(f"expected a lens file of at most {MOST_BYTES // 1_000_000} MB, found {path.stat().st_size} bytes, in {text}.")
    return read_zmx(path) if path.suffix.lower() == ".zmx" else read_toml(path)


def read_toml(path: str | Path) -> Prescription:
    """A prescription from its TOML document. Raises LensError, OSError."""
    try:
        return _parsed(Path(path).read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise LensError(f"expected text in UTF-8, found other bytes, in {path}.") from None


def _parsed(text: str, file: str) -> Prescription:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LensError(f"expected TOML, found an error: {error}, in {file}.") from None
    return checked(document, file)


def write_toml(prescription: Prescription, path: str | Path) -> None:
    """Write a prescription's document, by a temporary file; `read_toml` gives the same prescription again. Raises OSError."""
    temporary = Path(f"{path}.part")
    temporary.write_text(toml(prescription), encoding="utf-8")
    os.replace(temporary, path)


def toml(prescription: Prescription) -> str:
    """The TOML text of a prescription, what is as usual left out."""
    document = prescription.model_dump(by_alias=True, exclude_defaults=True)
    document["fields"]["points"] = [y if x == 0 else [x, y] for x, y in document["fields"]["points"]]
    plain = [f"{key} = {_value(value)}" for key, value in document.items() if not _is_table(value)]
    tables = [_table(key, value) for key, value in document.items() if _is_table(value)]
    return "\n\n".join(part for part in ("\n".join(plain), *tables) if part) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, tuple | list) and bool(value) and isinstance(value[0], dict))


def _table(key: str, value: Any) -> str:
    """One table, or an array of tables."""
    rows, heading = ([value], f"[{key}]") if isinstance(value, dict) else (value, f"[[{key}]]")
    return "\n\n".join("\n".join([heading, *(f"{k} = {_value(v)}" for k, v in row.items())]) for row in rows)


def _value(value: Any) -> str:
    """A TOML value; floats so that they read back exactly."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(_escaped(c) for c in value) + '"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < 1e15 else repr(float(value))


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character >= " " and character != "\x7f" else f"\\u{ord(character):04x}"
