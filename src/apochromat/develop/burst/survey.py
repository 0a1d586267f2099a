"""A first look at the frames of a burst: what each shows of itself, which one the others are laid on, and which are hopeless."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apochromat.light.raw_frame import RawFrame

BLURRED = 0.3  # of the sharpest frame's detail: less is a frame that moved too far while it was taken
SHARPER = 1.1  # times sharper a later frame has to be to become the reference
CLIPPED = 0.02  # share of clipped samples that a reference may have, where a shorter frame has fewer


@dataclass(frozen=True)
class Look:
    """What one frame shows: its kind (camera, size, pattern), exposure in s x ISO (None where unknown), detail and share clipped.

    `detail` is the mean squared slope of green, above the noise, in squares of the mean signal, so that exposures compare.
    """

    path: str
    kind: tuple[str, tuple[int, ...], str]
    exposure: float | None
    detail: float
    doubt: float  # of the detail, by noise
    clipped: float


def look(frame: RawFrame) -> Look:
    """Look at a frame. Raises ValueError for frames without a mosaic, whose samples others have already mixed."""
    if not frame.is_mosaic:
        raise ValueError(f"expected a frame with a mosaic to merge, found linear or monochrome samples: {frame.path}")
    facts, a = frame.metadata, frame.active
    camera = " ".join(str(facts[k]) for k in ("make", "model") if k in facts) or "an unnamed camera"
    row, column = divmod(frame.cfa.index("G"), 2)
    green = frame.samples[a.top + row : a.bottom : 2, a.left + column : a.right : 2]
    green = green.astype(np.float32) - float(frame.levels.black.mean())
    span = float(frame.levels.white.mean() - frame.levels.black.mean())
    signal = max(float(green.mean()), 1e-3 * span)
    slopes = [np.square(green[2:] - green[:-2]).mean(), np.square(green[:, 2:] - green[:, :-2]).mean()]
    noise = np.square(green[1:-1] - (green[:-2] + green[2:]) / 2)
    quiet = float(np.partition(noise[::4, ::4], noise[::4, ::4].size // 2, axis=None)[noise[::4, ::4].size // 2]) / 0.4549 / 1.5
    exposure_s, iso = (float(facts.get(key, 0)) for key in ("exposure_s", "iso"))
    return Look(
        path=frame.path,
        kind=(camera, (a.height, a.width), frame.cfa),
        exposure=exposure_s * iso if exposure_s > 0 and iso > 0 else None,
        detail=max(float(np.sum(slopes)) - 4 * quiet, 0.0) / signal**2,
        doubt=0.2 * 4 * quiet / signal**2,
        clipped=float(np.mean(green[::4, ::4] >= 0.98 * span)),
    )


def reference(looks: list[Look]) -> int:
    """Index of the frame that the others are laid on: the first of the sharpest, a much sharper one only instead of it.

    Of frames of several exposures those with little clipped are considered, the longest of them first.
    """
    choice = [i for i, seen in enumerate(looks) if seen.clipped <= CLIPPED] or list(range(len(looks)))
    known = [looks[i].exposure for i in choice]
    if None not in known:
        longest = max(e for e in known if e is not None)
        choice = [i for i, e in zip(choice, known, strict=True) if e is not None and e > 0.7 * longest]
    best = choice[0]
    for i in choice[1:]:
        if looks[i].detail > SHARPER**2 * looks[best].detail:
            best = i
    return best


def blurred(looks: list[Look], chosen: int) -> list[int]:
    """Frames of the reference's exposure with so much less detail that they can only soften the picture."""
    of = looks[chosen]
    if of.detail < 5 * of.doubt:
        return []
    alike = [i for i, seen in enumerate(looks) if seen.exposure == of.exposure and i != chosen]
    return [i for i in alike if looks[i].detail < BLURRED**2 * of.detail]
