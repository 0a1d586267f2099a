"""A development at any stage as two small sRGB pictures: the whole, and a part at full size where there is most detail.

A mosaic is shown at half size, one colour pixel for each 2x2 cell. Linear pictures are made visible by one gain for all steps before
the exposure stage and by the sRGB curve; camera colours are shown as they are, Rec.2020 is converted.
"""

from __future__ import annotations

import numpy as np

from apochromat import chain
from apochromat.develop.stage import Stage
from apochromat.light.development import Development
from apochromat.light.rendition import Rendition
from apochromat.light.spaces import PRIMARIES, conversion
from apochromat.picture import codes

OVERVIEW, DETAIL = 720, 288  # pixels: longest side at most, and side
BRIGHT = 0.8  # where the brightest greens of a linear picture are shown, before the curve


class View:
    """The same view of all steps: its gain and the place of the detail are found at the first one."""

    def __init__(self) -> None:
        self.gain: float | None = None
        self.place: tuple[float, float] | None = None
        self.exposed = False

    def of(self, stage: Stage, development: Development) -> tuple[bytes, bytes]:
        """JPEG files: overview and detail."""
        self.exposed |= stage.name == "exposure"
        rendition, step = picture(stage, development)
        if self.gain is None or self.place is None:
            self.gain = BRIGHT / max(float(np.percentile(rendition.pixels[::4, ::4, 1], 98)), 1e-4)
            self.place = busiest(rendition.pixels, DETAIL // step)
        small = shrunk(rendition.pixels, -(-max(rendition.pixels.shape[:2]) // OVERVIEW))
        part = around(rendition.pixels, self.place, DETAIL // step)
        return self._jpeg(small, rendition), self._jpeg(np.repeat(np.repeat(part, step, 0), step, 1), rendition)

    def _jpeg(self, pixels: np.ndarray, rendition: Rendition) -> bytes:
        import simplejpeg

        if rendition.state == "linear":
            gain = 1.0 if self.exposed or self.gain is None else self.gain
            pixels = srgb_curve(to_srgb(pixels * np.float32(gain), rendition.space))
        return simplejpeg.encode_jpeg(np.ascontiguousarray(codes(pixels, 8)), 88, "RGB", "444")


def picture(stage: Stage, development: Development) -> tuple[Rendition, int]:
    """The upright RGB picture after a stage, and how many pixels of the sensor one of its pixels stands for, per side."""
    if development.rgb is not None:
        rendition = chain.rendition(development, stage)
        pixels = rendition.pixels if rendition.pixels.ndim == 3 else np.repeat(rendition.pixels[..., None], 3, -1)
        return Rendition(pixels, rendition.space, rendition.state), 1
    frame, (top, left) = development.frame, development.origin
    mosaic, cfa = (development.mosaic, "RGGB") if development.mosaic is not None else (stored(development), frame.cfa)
    if not frame.is_mosaic:
        full = mosaic if mosaic.ndim == 3 else np.repeat(mosaic[..., None], 3, -1)
        return Rendition(chain.upright(full, frame.orientation), "camera", "linear"), 1
    y, x = (frame.crop.top - top) // 2, (frame.crop.left - left) // 2
    cells = half_size(mosaic, cfa)[y : y + frame.crop.height // 2, x : x + frame.crop.width // 2]
    return Rendition(chain.upright(cells, frame.orientation), "camera", "linear"), 2


def stored(development: Development) -> np.ndarray:
    """The active area's samples as stored, over the highest white level, before any stage has turned them into light."""
    frame, area = development.frame, development.frame.active
    return frame.samples[area.top : area.bottom, area.left : area.right].astype(np.float32) / np.float32(np.max(frame.levels.white))


def half_size(mosaic: np.ndarray, cfa: str) -> np.ndarray:
    """(H/2, W/2, 3) from a mosaic (H, W) by taking each 2x2 cell for one pixel."""
    h, w = (n // 2 * 2 for n in mosaic.shape)
    planes = {colour: [mosaic[k // 2 : h : 2, k % 2 : w : 2] for k in range(4) if cfa[k] == colour] for colour in "RGB"}
    return np.stack([sum(found) / np.float32(len(found)) for found in planes.values()], -1)


def shrunk(pixels: np.ndarray, factor: int) -> np.ndarray:
    """(H, W, 3) averaged over blocks of `factor` pixels; the picture itself where it is small already."""
    if factor <= 1:
        return pixels
    h, w = (n // factor for n in pixels.shape[:2])
    blocks = pixels[: h * factor, : w * factor].reshape(h, factor, w, factor, 3)
    mean = blocks.mean((1, 3), dtype=np.float32)
    return mean if pixels.dtype.kind == "f" else np.rint(mean).astype(pixels.dtype)


def busiest(pixels: np.ndarray, side: int) -> tuple[float, float]:
    """Where the square block of most local contrast has its middle, as shares of height and width."""
    tones = np.sqrt(np.clip(pixels[..., 1], 0, None))
    activity = np.abs(np.diff(tones, axis=0))[:, :-1] + np.abs(np.diff(tones, axis=1))[:-1]
    rows, cols = (max(1, n // side) for n in activity.shape)
    h, w = activity.shape[0] // rows, activity.shape[1] // cols
    blocks = activity[: rows * h, : cols * w].reshape(rows, h, cols, w).mean((1, 3))
    row, col = np.unravel_index(np.argmax(blocks), blocks.shape)
    return (float(row) + 0.5) / rows, (float(col) + 0.5) / cols


def around(pixels: np.ndarray, place: tuple[float, float], side: int) -> np.ndarray:
    """The block of `side` pixels around a place, moved inside the picture and smaller where the picture is."""
    starts = [min(max(0, round(share * n) - side // 2), max(0, n - side)) for share, n in zip(place, pixels.shape, strict=False)]
    return pixels[starts[0] : starts[0] + side, starts[1] : starts[1] + side]


def to_srgb(pixels: np.ndarray, space: str) -> np.ndarray:
    """Linear sRGB from linear Rec.2020; camera RGB as it is."""
    if space not in PRIMARIES:
        return pixels
    return pixels @ conversion(space, "srgb").T.astype(np.float32)


def srgb_curve(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1 encoding of values clipped to 0..1."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
