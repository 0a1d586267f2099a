"""A picture between RAW file and rendition: what each stage takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from apochromat.light.gain_field import GainField
from apochromat.light.noise import NoiseModel
from apochromat.light.raw_frame import RawFrame


@dataclass(frozen=True)
class Development:
    """The state a stage reads and returns.

    Arrays held here belong to the chain: a stage may overwrite `mosaic`, `clip` and `rgb` in place and hand them on, so a caller who
    wants an earlier state must copy it. `frame.samples` belongs to the caller and is never written.

    mosaic: (H, W) float32, 1.0 = saturation before gains, black 0 (negatives kept); H, W even and the pattern always RGGB: odd
        phases and sizes are padded by mirrored rows and columns, and `origin` is the active-area position of mosaic pixel (0, 0)
        (so 0 or -1). The same frame of reference holds for clip, gain and rgb.
    clip: (H/2, W/2) uint8; bit p is set where CFA position p = 2*(y%2) + (x%2) was saturated in the file.
    saturation: (4,) clip level per CFA position in the units of mosaic before `gain` and `wb`: 1, or lower where the file shows that
        the sensor saturates below its stated white level.
    gain: every spatial gain applied to the mosaic so far (lens shading), never including white balance.
    noise: per colour, in units of the mosaic before `gain` and `wb`.
    wb: white-balance gains R, G, B applied to the mosaic so far (ones until the white_balance stage).
    rgb: (3, H, W) float32 camera RGB, white balanced, from the demosaic stage on.
    finish: arguments gathered for the finishing kernel, which the chain calls once at the end or at a tap.
    """

    frame: RawFrame
    mosaic: np.ndarray | None = None
    clip: np.ndarray | None = None
    origin: tuple[int, int] = (0, 0)
    saturation: np.ndarray = field(default_factory=lambda: np.ones(4))
    gain: GainField = field(default_factory=GainField.unity)
    noise: NoiseModel | None = None
    wb: np.ndarray = field(default_factory=lambda: np.ones(3))
    rgb: np.ndarray | None = None
    finish: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)  # what stages found out, for --explain and info: plain values only
    notes: tuple[str, ...] = ()

    def with_finish(self, **arguments: Any) -> Development:
        """The same picture with more arguments for the finishing kernel."""
        return replace(self, finish={**self.finish, **arguments})

    def with_facts(self, **facts: Any) -> Development:
        return replace(self, facts={**self.facts, **facts})

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the arrays in hand."""
        return self.planes[0].shape[0], self.planes[0].shape[1]

    @property
    def planes(self) -> list[np.ndarray]:
        """The mosaic, or the planes R, G, B: (H, W) each, views."""
        return [self.mosaic] if self.mosaic is not None else list(self.rgb if self.rgb is not None else ())

    def proxy(self, factor: int = 8) -> np.ndarray:
        """Small white-balanced camera RGB picture (h, w, 3) float32 by averaging blocks of `factor` pixels (even)."""
        h, w = (n // factor * factor for n in self.shape)
        if self.mosaic is None:
            return np.stack([p[:h, :w].reshape(h // factor, factor, w // factor, factor).mean((1, 3)) for p in self.planes], -1)
        cells = self.mosaic[:h, :w].reshape(h // factor, factor // 2, 2, w // factor, factor // 2, 2).mean((1, 4))
        return np.stack([cells[:, 0, :, 0], (cells[:, 0, :, 1] + cells[:, 1, :, 0]) / 2, cells[:, 1, :, 1]], -1)
