"""Files of handheld bursts: looked at, split into bursts, each merged into one frame. A file that is damaged costs itself only."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from apochromat import __version__
from apochromat.develop.burst.merge import HOPELESS, Merge, Merged
from apochromat.develop.burst.survey import Look, blurred, look, reference
from apochromat.light.raw_frame import RawFrame
from apochromat.raw import RawError, read_isolated

PAUSE_S = 2.0  # between the end of one frame and the start of the next: longer ends the burst
RAW_ENDINGS = (
    *(".dng", ".crw", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".sr2", ".raf", ".rw2", ".orf", ".pef"),
    *(".srw", ".gpr", ".3fr", ".fff", ".iiq", ".mos", ".mrw", ".x3f", ".erf", ".kdc", ".dcr"),
)
ENDING = ".merged.dng"
Report = Callable[[str, float], None]


class BurstError(ValueError):
    """Frames that cannot become one picture; the message is a sentence that names the files."""


@dataclass(frozen=True)
class Seen:
    """A file that was looked at: when it was taken (s since midnight of year 1, None where unknown), and what it shows."""

    path: Path
    look: Look
    start_s: float | None
    exposure_s: float
    settings: tuple[float | None, ...]


@dataclass(frozen=True)
class Burst:
    """Files of one burst in the order in which they were taken, and the sentences about those that are not part of it."""

    files: tuple[Seen, ...]
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """A merged burst: the frame and its maps, the reference's file, and sentences about what was left out and what was noticed."""

    merged: Merged
    reference: Path
    complaints: tuple[str, ...]
    notes: tuple[str, ...]


def raw_files(paths: Iterable[Path]) -> list[Path]:
    """The paths, folders replaced by the RAW files in them, by name, except what was merged earlier."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if _is_taken(p))
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _is_taken(path: Path) -> bool:
    name = path.name.lower()
    return path.suffix.lower() in RAW_ENDINGS and not name.startswith(".") and not name.endswith(ENDING)


def survey(paths: Sequence[Path], report: Report = lambda *_: None) -> tuple[list[Seen], list[str]]:
    """Look at every file; those that cannot be read or merged come back as sentences."""
    seen, complaints = [], []
    for i, path in enumerate(paths):
        report(f"looking at {path.name}", i / len(paths))
        try:
            seen.append(_seen(path))
        except (RawError, ValueError) as error:
            complaints.append(_named(path, error))
    return seen, complaints


def _seen(path: Path) -> Seen:
    frame = read_isolated(path)
    facts = frame.metadata
    if "composite" in facts:
        raise ValueError(f"expected a frame as it was taken, found one merged of {facts['composite']['used']} frames: {path}")
    settings = tuple(facts.get(key) for key in ("f_number", "focal_mm"))
    return Seen(path, look(frame), _start_s(facts), float(facts.get("exposure_s", 0.0)), (*settings, frame.orientation))


def _start_s(facts: dict) -> float | None:
    """When a frame was taken, by the camera's clock."""
    try:
        when = datetime.strptime(facts["datetime"], "%Y:%m:%d %H:%M:%S")
    except (KeyError, ValueError):
        return None
    digits = "".join(c for c in str(facts.get("subsec", "")) if c.isdigit())
    return (when - datetime.min).total_seconds() + (float(f"0.{digits}") if digits else 0.0)


def split(seen: Sequence[Seen]) -> list[Burst]:
    """Bursts among the files: a pause, another camera, size, aperture or lens begins a new one. Files without a time keep their order."""
    if all(s.start_s is not None for s in seen):
        seen = sorted(seen, key=lambda s: (s.start_s, s.path.name))
    bursts: list[list[Seen]] = []
    for one in seen:
        if bursts and _follows(bursts[-1][-1], one):
            bursts[-1].append(one)
        else:
            bursts.append([one])
    return [Burst(tuple(files)) for files in bursts]


def _follows(before: Seen, after: Seen) -> bool:
    if before.look.kind != after.look.kind or before.settings != after.settings:
        return False
    if before.start_s is None or after.start_s is None:
        return True
    return after.start_s - before.start_s <= before.exposure_s + PAUSE_S


def together(seen: Sequence[Seen]) -> Burst:
    """All files as one burst. Raises BurstError where two of them come from different cameras or have different sizes."""
    for other in seen[1:]:
        if other.look.kind != seen[0].look.kind:
            raise BurstError(
                f"expected frames of one camera and size, found {seen[0].path} ({_kind(seen[0])}) and {other.path} ({_kind(other)})"
            )
    files = sorted(seen, key=lambda s: (s.start_s, s.path.name)) if all(s.start_s is not None for s in seen) else seen
    return Burst(tuple(files))


def _kind(seen: Seen) -> str:
    camera, (height, width), pattern = seen.look.kind
    return f"{camera}, {width} x {height}, {pattern}"


def merge(paths: str | os.PathLike | Iterable[str | os.PathLike], report: Report = lambda *_: None) -> RawFrame:
    """Merge the files of one handheld burst, or bracket, into one RAW frame of less noise, reading one file at a time.

    paths: RAW files of one camera and size, or a folder of them, in any order. report: called with what is being done and how far it is,
    0..1. Returns the merged frame, 16 bits, with the reference's geometry, colour and metadata, its noise model and the number of frames
    that count in each part: for `apochromat.develop`, or `apochromat.write_dng`. Its `notes` name files that could not be read or were
    left out. Raises BurstError, a ValueError, where there is nothing to merge or two files come from different cameras.
    """
    given = [Path(paths)] if isinstance(paths, (str, os.PathLike)) else [Path(p) for p in paths]
    seen, complaints = survey(raw_files(given), report)
    if not seen:
        named = ", ".join(map(str, given)) or "an empty list"
        raise BurstError("; ".join(complaints) or f"expected RAW files to merge, found none in {named}")
    result = merge_burst(together(seen), report)
    frame = result.merged.frame
    return replace(frame, notes=(*frame.notes, *complaints, *result.complaints, *result.notes))


def merge_burst(burst: Burst, report: Report = lambda *_: None) -> Result:
    """Merge a burst, reading one frame at a time. Raises RawError or ValueError where the reference can no longer be read."""
    looks = [s.look for s in burst.files]
    chosen = reference(looks)
    soft = set(blurred(looks, chosen))
    gains = [_gain(looks[chosen], other) for other in looks]
    base = burst.files[chosen]
    under_way = Merge(read_isolated(base.path), shortest=max(gains))
    complaints, notes = list(burst.complaints), []
    for i, seen in enumerate(burst.files):
        report(f"merging {seen.path.name}", i / len(burst.files))
        if i in soft:
            notes.append(f"{seen.path} was left out: it is blurred")
        elif i != chosen:
            try:
                share = under_way.add(read_isolated(seen.path), gains[i])
            except (RawError, ValueError) as error:
                complaints.append(_named(seen.path, error))
                continue
            if share < HOPELESS:
                notes.append(f"{seen.path} was left out: it shows something else than {base.path.name}")
    merged = under_way.result()
    used = [s for s in burst.files if merged.share.get(str(s.path), 0) > 0]
    if len(burst.files) == 1:
        notes.append("one frame only: nothing was merged")
    merged = _metered(_described(merged, burst.files, used), looks[chosen], looks)
    return Result(merged, base.path, tuple(complaints), tuple(notes))


def _gain(base: Look, other: Look) -> float:
    """What brings a frame's light to the reference's scale, by its exposure and ISO; 1 where a file does not say."""
    if base.exposure is None or other.exposure is None or base.exposure == other.exposure:
        return 1.0
    return base.exposure / other.exposure


def _metered(merged: Merged, base: Look, looks: Sequence[Look]) -> Merged:
    """The merged frame as bright as the burst's middle exposure, the one that was metered, whichever frame leads."""
    exposures = sorted(e for e in (seen.exposure for seen in looks) if e is not None)
    if base.exposure is None or not exposures:
        return merged
    brighter = math.log2(exposures[len(exposures) // 2] / base.exposure)
    ev = merged.frame.baseline_exposure_ev + brighter
    return replace(merged, frame=replace(merged.frame, baseline_exposure_ev=ev))


def _described(merged: Merged, given: Sequence[Seen], used: Sequence[Seen]) -> Merged:
    """The merged frame with what EXIF says of composite pictures."""
    facts = {
        **merged.frame.metadata,
        "software": f"Apochromat {__version__}",
        "composite": {"exposures_s": [s.exposure_s for s in given], "used": [s in used for s in given]},
    }
    return replace(merged, frame=replace(merged.frame, metadata=facts))


def write_map(merged: Merged, path: Path, overwrite: bool = False) -> Path:
    """A PNG of the effective number of frames, upright, four pixels to a cell of 16, with a scale. Raises PictureError."""
    from apochromat.chain import upright
    from apochromat.picture.files import new_file
    from apochromat.picture.frames_map import frames_map

    picture, sentence = frames_map(upright(merged.frames, merged.frame.orientation))
    with new_file(path, overwrite) as file:
        from PIL.PngImagePlugin import PngInfo

        facts = PngInfo()
        facts.add_text("Description", sentence)
        picture.save(file, format="PNG", pnginfo=facts)
    return path


def _named(path: Path, error: Exception) -> str:
    sentence = " ".join(str(error).split())
    return sentence if str(path) in sentence else f"{os.fspath(path)}: {sentence}"
