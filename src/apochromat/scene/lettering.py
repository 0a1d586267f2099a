"""Words as covers, drawn with Pillow's own scalable font at four times the size and averaged."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from apochromat.scene.canvas import Box, Frame

OVER = 4  # samples a cell, each way


@cache
def word(text: str, pixels: int, stroke: float = 0.0) -> np.ndarray:
    """Cover (h, w) float32 of a word whose lines are `pixels` high; `stroke` > 0: the outline alone, that share of the height wide."""
    font = ImageFont.load_default(size=pixels * OVER)
    width = round(stroke * pixels * OVER)
    draw = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = draw.multiline_textbbox((0, 0), text, font=font, stroke_width=width, spacing=0)
    size = (-(-int(right - left) // OVER) * OVER, -(-int(bottom - top) // OVER) * OVER)
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    draw.multiline_text((-left, -top), text, 255, font=font, stroke_width=width, align="center", spacing=0)
    if width:
        draw.multiline_text((-left, -top), text, 0, font=font, align="center", spacing=0)
    return np.asarray(image.reduce(OVER), np.float32) / 255


def placed(frame: Frame, text: str, box: tuple[float, float, float, float], stroke: float = 0.0) -> tuple[Box, np.ndarray]:
    """A word fitted into x0, y0, x1, y1 (picture heights): the cells it covers and how much of each."""
    mask = word(text, max(8, min(400, round((box[3] - box[1]) * frame.height / (1 + text.count("\n"))))), stroke)
    return pasted(frame, mask, box)


def pasted(frame: Frame, mask: np.ndarray, box: tuple[float, float, float, float]) -> tuple[Box, np.ndarray]:
    """A cover fitted into x0, y0, x1, y1 with its proportions, as cells and their shares."""
    x0, y0, x1, y1 = box
    scale = min((x1 - x0) / mask.shape[1], (y1 - y0) / mask.shape[0])
    half_x, half_y = mask.shape[1] * scale / 2, mask.shape[0] * scale / 2
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    cells = frame.box(cx - half_x, cy - half_y, cx + half_x, cy + half_y)
    left, top = frame.columns(cx - half_x), frame.rows(cy - half_y)
    per = 1 / (scale * frame.height)  # mask pixels a cell
    source = ((cells[1].start - left) * per, (cells[0].start - top) * per, (cells[1].stop - left) * per, (cells[0].stop - top) * per)
    pad = int(np.ceil(2 * per)) + 2
    padded = Image.fromarray(np.pad(mask, pad))
    size = (cells[1].stop - cells[1].start, cells[0].stop - cells[0].start)
    if min(size) < 1:
        return cells, np.zeros(size[::-1], np.float32)
    left, top, right, bottom = (float(np.clip(v + pad, 0, padded.size[i % 2])) for i, v in enumerate(source))
    return cells, np.clip(np.asarray(padded.resize(size, Image.Resampling.BILINEAR, (left, top, right, bottom)), np.float32), 0, 1)
