"""Exposure: one gain on linear light, from the camera alone or chosen for the picture.

`auto` goes half the way from the scene's log-average luminance (E. Reinhard et al., "Photographic tone reproduction for digital images",
SIGGRAPH 2002) to that of an average scene, and half the way from the brightest hundredth of the scene to diffuse white, as far as the
highlights bear it. So night stays dark, snow bright, and a chart on white paper is not made grey.

A burst merged in the dark has no noise that would forbid lifting it to daylight, which is what an over-processed night picture is. Such
a picture is aimed at a darker average, as the adapted eye sees it (Ferwerda et al., "A model of visual adaptation for realistic image
synthesis", SIGGRAPH 1996: the eye's own gain does not make up for the dark), and keeps more range for lamps, so that they keep colour.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from apochromat.develop.stage import Params, Stage, parameter
from apochromat.light.development import Development
from apochromat.light.raw_frame import RawFrame
from apochromat.light.spaces import rgb_to_xyz

OFF = {"exposure_gain": 1.0}
_AVERAGE = 0.14  # log-average luminance of an average scene, exposed for middle grey 0.18
_FLOOR = 1 / 500  # of the highlights: what is darker, such as the surround of a fisheye picture, does not count
_HIGHLIGHTS = 1.6  # where the brightest hundredth may go, against diffuse white 1
_MARGIN = 1.3  # of the scene's white over its brightest thousandth
_MOST_DOWN = 0.5  # EV
_NIGHT_EV = (7.0, 3.0)  # exposure value at ISO 100 of a lit room, where night begins, and of a lit street, where it is full
_NIGHT_DARKER = 1.5  # EV by which a night scene's average is darker
_NIGHT_WHITE = 0.9998  # quantile of the luminance that the tone curve takes to white at night
_BLOCK, _STEP = 16, 4  # samples every _STEP pixels, averaged over blocks of _BLOCK


class ExposureParams(Params):
    mode: Literal["auto", "camera"] = parameter("auto", "auto: within 2 EV of the camera's exposure; camera: BaselineExposure alone")
    ev: float = parameter(0.0, "Brighter or darker than the mode chosen", ge=-5, le=5, unit="EV")
    night: float = parameter(1.0, "How far bursts merged in the dark are rendered as night: darker, with coloured lamps", ge=0, le=1)


def run(development: Development, params: ExposureParams) -> Development:
    """Give the finishing kernel its gain, and record it with the scene's white for the tone curve."""
    camera = development.frame.baseline_exposure_ev
    luminance = scene_luminance(development) * 2**camera
    night = params.night * darkness(development.frame) if params.mode == "auto" else 0.0
    automatic = auto_ev(luminance, 2**camera, night) if params.mode == "auto" else 0.0
    chosen = automatic + params.ev
    white = scene_white(luminance, 2**camera, night) * 2**chosen
    facts = {
        "night": round(night, 3),
        "exposure_ev": round(camera + chosen, 3),
        "auto_ev": round(automatic, 3),
        "scene_white": round(white, 4),
    }
    return development.with_finish(exposure_gain=float(2 ** (camera + chosen))).with_facts(**facts)


def scene_luminance(development: Development) -> np.ndarray:
    """Luminance (n,) of the picture's blocks on the camera's scale, 1.0 = the sensor's white; finite, negatives kept."""
    assert development.rgb is not None, "exposure runs after demosaic"
    matrix = development.finish.get("camera_to_working", np.eye(3))
    weights = (rgb_to_xyz("rec2020")[1] @ matrix).astype(np.float32)
    # Channel by channel: a matrix product would wake the linear algebra library's threads, which then spin for a while.
    sparse = sum(weight * plane for weight, plane in zip(weights, development.rgb[:, ::_STEP, ::_STEP], strict=True))
    n = _BLOCK // _STEP
    h, w = (max(size // n, 1) for size in sparse.shape)
    blocks = sparse[: h * n, : w * n]
    return blocks.reshape(h, -1, w, blocks.shape[1] // w).mean((1, 3)).ravel()


def darkness(frame: RawFrame) -> float:
    """How dark the scene of a merged burst is, 0..1, by the exposure that the camera chose; 0 for single frames, 1 where it is unknown."""
    if frame.noise is None or frame.noise.frames is None:
        return 0.0
    exposure_s, iso = (float(frame.metadata.get(key, 0)) for key in ("exposure_s", "iso"))
    if exposure_s <= 0 or iso <= 0:
        return 1.0
    f_number = float(frame.metadata.get("f_number", 0)) or 1.8
    value = np.log2(f_number**2 / exposure_s * 100 / iso)
    return float(np.clip((_NIGHT_EV[0] - value) / (_NIGHT_EV[0] - _NIGHT_EV[1]), 0, 1))


def auto_ev(luminance: np.ndarray, sensor_white: float = 1.0, night: float = 0.0) -> float:
    """Gain in EV, -2..2, for a natural rendering of a scene with these luminances (n,); above the sensor's white they are guesses.

    night: 0..1, how far a darker average is aimed at.
    """
    bright = min(max(float(np.quantile(luminance, 0.99)), 1e-6), sensor_white)
    lit = luminance[luminance > bright * _FLOOR]
    average = 2 ** float(np.mean(np.log2(lit))) if lit.size else _AVERAGE
    wanted = (np.log2(_AVERAGE / average) + np.log2(1 / bright)) / 2 - night * _NIGHT_DARKER
    headroom = np.log2(_HIGHLIGHTS / bright)
    return float(np.clip(min(wanted, max(headroom, 0.0)), -_MOST_DOWN, 2.0))


def scene_white(luminance: np.ndarray, sensor_white: float, night: float = 0.0) -> float:
    """Luminance that the tone curve takes to white: the brightest thousandth (at night less), with a margin where nothing clipped."""
    brightest = float(np.quantile(luminance, 0.999 + night * (_NIGHT_WHITE - 0.999)))
    return max(brightest, min(_MARGIN * brightest, sensor_white))


STAGE = Stage(
    name="exposure",
    order=150,
    summary="Exposure from the camera, or chosen for the picture",
    params=ExposureParams,
    run=run,
    source="Reinhard et al. 2002",
    neutral={"mode": "camera"},
)
