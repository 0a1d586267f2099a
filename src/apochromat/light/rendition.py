"""A finished picture, or a linear step on the way to it, ready to be written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Rendition:
    """Pixels (H, W, 3) or (H, W), upright (orientation already applied).

    state "display": encoded for `space` ("srgb" or "display-p3"), uint8 or float32 0..1. state "linear": scene-linear float32,
    1.0 = diffuse white (or sensor white at taps before exposure), `space` "rec2020" or "camera".
    """

    pixels: np.ndarray
    space: str
    state: str
    metadata: dict[str, Any] = field(default_factory=dict)  # as RawFrame.metadata
    recipe: dict[str, Any] = field(default_factory=dict)  # stage -> parameter -> value, as used
    notes: tuple[str, ...] = ()

    def save(self, path: str | Path, *, quality: int = 92, overwrite: bool = False) -> Path:
        """Write as the extension says (.jpg, .tif, .png ...); see `apochromat.picture.write`."""
        from apochromat.picture import write

        return write(self, path, quality=quality, overwrite=overwrite)
