"""What every RAW frame must satisfy before anything is computed from it."""

from __future__ import annotations

import numpy as np

from apochromat.light.opcodes import UnknownOpcode
from apochromat.light.raw_frame import ColorProfile, Levels, RawFrame
from apochromat.raw.errors import DamagedError, UnsupportedError
from apochromat.raw.opcodes import NAMES


def check(frame: RawFrame) -> RawFrame:
    """The frame itself, if it can be developed; else a RawError that says why not."""
    _check_levels(frame.levels)
    _check_profile(frame.profile)
    if not np.isfinite(frame.baseline_exposure_ev) or abs(frame.baseline_exposure_ev) > 20:
        raise DamagedError(f"expected a BaselineExposure within 20 EV, found {frame.baseline_exposure_ev:g}")
    for opcode in (*frame.opcodes1, *frame.opcodes2, *frame.opcodes3):
        if isinstance(opcode, UnknownOpcode) and not opcode.optional:
            name = NAMES.get(opcode.id, f"number {opcode.id}")
            raise UnsupportedError(f"expected opcodes this program can carry out, found {name}, not marked optional")
    return frame


def _check_levels(levels: Levels) -> None:
    black = float(levels.black.max())
    for deltas in (levels.delta_h, levels.delta_v):
        black += float(deltas.max(initial=0)) if deltas is not None else 0.0
    white = float(levels.white.min())
    if not (np.isfinite(black) and np.isfinite(white) and black < white):
        raise DamagedError(f"expected a black level below the white level, found black {black:g} and white {white:g}")


def _check_profile(profile: ColorProfile) -> None:
    for number, calibration in enumerate(profile.calibrations, 1):
        for name in ("color_matrix", "forward_matrix", "camera_calibration"):
            matrix = getattr(calibration, name)
            if matrix is not None and not _is_regular(matrix):
                title = name.title().replace("_", "")
                raise DamagedError(f"expected a {title}{number} that can be inverted, found a singular one")
    for name, values in (("AsShotNeutral", profile.as_shot_neutral), ("AnalogBalance", profile.analog_balance)):
        if values is not None and not (np.all(np.isfinite(values)) and values.min() > 0):
            raise DamagedError(f"expected positive numbers in {name}, found {', '.join(f'{v:g}' for v in values)}")
    if profile.as_shot_xy is not None:
        x, y = profile.as_shot_xy
        if not (0 < x < 1 and 0 < y < 1 and x + y <= 1):
            raise DamagedError(f"expected the chromaticity of a white in AsShotWhiteXY, found {x:g}, {y:g}")


def _is_regular(matrix: np.ndarray) -> bool:
    return bool(np.all(np.isfinite(matrix)) and np.linalg.cond(matrix) < 1e5)
