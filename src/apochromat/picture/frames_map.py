"""The map of a merged burst as a picture: how many frames count in each part, with a scale that says what its greys mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

SIDE = 4  # pixels to a cell
LEGEND = 22  # height of the scale, pixels
LEAST_WIDTH = 240  # of a map that has room for a scale
AMBER = np.array([255, 150, 0])  # where less than one frame counts: the shorter exposures of a bracket alone
PAPER, INK = (24, 24, 24), (230, 230, 230)


def frames_map(frames: np.ndarray) -> tuple[Image, str]:
    """A picture of effective numbers of frames (h, w), upright, and the sentence that explains it.

    Grey from black, where the reference alone counts, to white, where most do; amber where less than one frame does, because the reference
    clips there and shorter exposures take its place. Four pixels to a cell; a scale below, where the map is wide enough for one.
    """
    from PIL import Image

    most = float(frames.max())
    share = np.clip((frames - 1) / max(most - 1, 1e-6), 0, 1)
    codes = np.repeat(255 * share[..., None], 3, -1) + np.clip(1 - frames, 0, 1)[..., None] * AMBER
    picture = Image.fromarray(np.rint(codes).astype(np.uint8).repeat(SIDE, 0).repeat(SIDE, 1))
    short = bool(frames.min() < 0.99)
    sentence = f"effective number of frames: black 1, white {most:.1f}" + (", amber less than 1: shorter exposures only" if short else "")
    return (_with_scale(picture, most, short) if picture.width >= LEAST_WIDTH else picture), sentence


def _with_scale(picture: Image, most: float, short: bool) -> Image:
    """The picture over a scale from black to white, its ends labelled."""
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (picture.width, picture.height + LEGEND), PAPER)
    sheet.paste(picture, (0, 0))
    draw, top = ImageDraw.Draw(sheet), picture.height + 5
    at = _write(draw, 6, top, "1 frame")
    ramp = np.rint(np.linspace(0, 255, 64)).astype(np.uint8)
    sheet.paste(Image.fromarray(np.broadcast_to(ramp[None, :, None], (LEGEND - 10, 64, 3)).copy()), (at, top))
    at = _write(draw, at + 70, top, f"{most:.1f} frames")
    if short and at + 110 <= picture.width:
        draw.rectangle((at + 6, top, at + 17, top + LEGEND - 11), fill=tuple(int(n) for n in AMBER))
        _write(draw, at + 23, top, "shorter only")
    return sheet


def _write(draw: ImageDraw, left: int, top: int, text: str) -> int:
    """Write a word and return where the next thing may begin."""
    from PIL import ImageFont

    font = ImageFont.load_default()
    draw.text((left, top), text, fill=INK, font=font)
    return left + int(font.getlength(text)) + 6
