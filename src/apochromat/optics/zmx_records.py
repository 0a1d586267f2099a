"""The lines of a Zemax lens file as records, in the order that gives them their meaning."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apochromat.optics.errors import LensError

PERIPHERAL = re.compile(  # records about display, analysis, tolerancing or bookkeeping
    "VERS|PFIL|LANG|GFAC|RAIM|PUSH|SDMA|ROPD|PICB|POLS|GLRS|GSTD|NSCD|COFN|BLNK|MOFF|HIDE|MIRR|SLAB|FIMP|POPS|GCAT|DMFS|SCOL|"
    "MEMA|VVAR|VCON|VPAR"
)
SYSTEM = re.compile("MODE|NAME|NOTE|UNIT|ENPD|FNUM|OBNA|FLOA|ENVD|FTYP|XFLN|YFLN|FWGN|VDXN|VDYN|VCXN|VCYN|VANN|WAVM|PWAV|MNUM|TOL")
SURFACE = re.compile("TYPE|COMM|CURV|STOP|PARM|XDAT|DISZ|GLAS|CONI|DIAM|FLAP|CLAP|OBSC|PZUP|TCOM|TOLE|MAZH")


@dataclass(frozen=True)
class Record:
    """One line: its keyword, the words after it, and where it stands."""

    key: str
    words: list[str]
    text: str
    line: int
    file: str

    def number(self, i: int, default: float | None = None) -> float:
        """Word i as a number. Raises LensError where it is none."""
        if i >= len(self.words) and default is not None:
            return default
        word = self.words[i] if i < len(self.words) else ""
        try:
            value = float(word)
        except ValueError:
            value = math.inf if word.upper() == "INFINITY" else math.nan
        if math.isnan(value):
            raise LensError(f"expected a number as word {i + 1} of {self.key}, found {word!r}, in line {self.line} of {self.file}.")
        return value

    def whole(self, i: int, default: int | None = None) -> int:
        """Word i as a whole number. Raises LensError where it is none."""
        value = self.number(i, default)
        if not abs(value) < 1e9:
            raise LensError(f"expected a whole number as word {i + 1} of {self.key}, found {value:g}, in line {self.line} of {self.file}.")
        return int(value)


@dataclass
class Surface:
    """One SURF block, in mm."""

    number: int
    unit: float  # mm in a lens unit
    type: str = "STANDARD"
    comment: str = ""
    stop: bool = False
    curvature: float = 0.0
    conic: float = 0.0
    parameters: dict[int, float] = field(default_factory=dict)  # PARM
    extra: dict[int, float] = field(default_factory=dict)  # XDAT
    thickness: Any = 0.0  # mm, then one for each configuration
    glass: list[str] = field(default_factory=list)
    diameter: float = 0.0  # half of it: what DIAM says
    is_fixed: bool = False  # not set by the program from the rays
    clear: float | None = None
    inner: float = 0.0
    solve: Record | None = None  # of the thickness
    curvature_from: int | None = None

    @property
    def is_mirror(self) -> bool:
        """Whether light is reflected."""
        return bool(self.glass) and self.glass[0].upper() == "MIRROR"


class Notes:
    """What was read but not followed; keywords that are not understood are counted."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.unknown: Counter[str] = Counter()

    def add(self, text: str) -> None:
        if text not in self.texts:
            self.texts.append(text)

    def listed(self) -> list[str]:
        counts = [f"{key} ({count} lines)" if count > 1 else key for key, count in sorted(self.unknown.items())]
        return self.texts + ([f"not understood and not followed: {', '.join(counts)}"] if counts else [])


def decoded(path: Path) -> str:
    """The text, by its byte order mark; without one UTF-16 shows by its zeros, else UTF-8 or Latin 1."""
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    if data[1:4:2] == b"\0\0":
        return data.decode("utf-16-le", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def records(text: str, file: str) -> tuple[list[Record], list[list[Record]], list[Record]]:
    """Records of the system, those of each surface, and those after the surfaces (merit function, configurations)."""
    system: list[Record] = []
    blocks: list[list[Record]] = []
    after: list[Record] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not (words := line.split()):
            continue
        record = Record(words[0].upper(), words[1:], line.strip()[len(words[0]) :].strip(), number, file)
        if record.key == "SURF":
            if record.whole(0) != len(blocks):
                raise LensError(f"expected SURF {len(blocks)}, found {line.strip()!r}, in line {number} of {file}.")
            blocks.append([])
        elif SYSTEM.fullmatch(record.key):
            (after if record.key in ("MNUM", "TOL") else system).append(record)
        elif blocks and not after and (line[0].isspace() or SURFACE.fullmatch(record.key)):
            blocks[-1].append(record)
        else:
            (after if blocks else system).append(record)
    if not any(r.key in ("MODE", "UNIT", "FTYP") for r in system) and not blocks:
        raise LensError(f"expected a Zemax lens file, found none of its records, in {file}.")
    return system, blocks, after


def last(system: list[Record], key: str) -> Record | None:
    return next((r for r in reversed(system) if r.key == key), None)
