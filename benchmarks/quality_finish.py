#!/usr/bin/env python3
"""What the finishing stages do to pictures with a known answer, as Markdown: fringes, sharpening, resampling, tone, output.

    HL_NUM_THREADS=1 quality_finish.py

Fringes: an edge from 0.05 to a multiple of saturation, each channel with its own Gaussian defocus, clipped; both amounts 1. The share of
the chroma that is left, beside real colour, of which everything should be left.
Sharpening: a slanted edge under the Gaussian that is undone; and flat fields with noise of the model's size.
Resampling: a sine of 0.25 cycles/px, displaced by every eighth of a pixel; the CPU time that each mode adds to the finishing kernel on
12 MP of noise, best of five: enlarged by 0.1 % in red and blue, by 2 % in all channels, by 15 % in mode FAR.
Tone: 8-bit sRGB codes of greys at the defaults, by the scene's white. Output: the kernel's curve against that of IEC 61966-2-1.
"""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("HL_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from finishing import chroma, defocused, edge, finish, mtf50, sharpening, slanted_edge, switched
from frames import scene_frame
from oracle.encode import transfer

from apochromat.light.development import Development
from apochromat.look.tone import ToneParams
from apochromat.look.tone import run as tone_arguments
from apochromat.native import kernels

FULL = {"fringes_purple": 1.0, "fringes_green": 1.0}
PURPLE = (0.2, 0.06, 0.28)
FREQUENCY, STEPS = 0.25, np.arange(1, 8) / 8
MODES = {"red and blue": (1, 0.001), "all channels": (2, 0.02), "FAR": (3, 0.15)}  # number, change of scale


def table(*heads):
    return ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]


def fringes():
    """Markdown: chroma left of fringes, and chroma lost by real colour."""
    levels = (2.0, 4.0, 16.0)
    yield from table("defocus R, G, B (px)", *(f"chroma left, {level:.0f} times saturation" for level in levels))
    for sigmas in ((1.8, 0.8, 2.5), (0.8, 0.8, 2.0), (0.8, 2.2, 0.8)):
        cells = []
        for level in levels:
            fringed = defocused(edge(bright=(level,) * 3), sigmas)
            cells.append(f"{100 * chroma(finish(fringed, **FULL)).sum() / chroma(fringed).sum():.0f} %")
        yield f"| {', '.join(map(str, sigmas))} | {' | '.join(cells)} |"
    yield ""
    wide = changed(edge(dark=PURPLE), 0.8)
    rest = max(changed(scene, 0.6) for ground in ((0.18,) * 3, (0.05, 0.1, 0.03)) for scene in coloured(ground))
    yield f"Chroma changed of a wide purple object before clipped sky: {wide:.1f} %; of purple patches and lines: {rest:.2f} % at most."


def coloured(ground):
    """A purple patch on a ground, and thin lines of one on the other."""
    yield edge(dark=PURPLE, bright=ground)
    for line, field in ((PURPLE, ground), (ground, PURPLE)):
        scene = np.empty((64, 64, 3))
        scene[:] = field
        scene[:, np.arange(64) % 9 < 2] = line
        yield scene


def changed(scene, sigma):
    """Percent of the chroma of a scene without fringes that is changed."""
    plain = defocused(scene, (sigma,) * 3)
    return 100 * chroma(finish(plain, **FULL) - plain).sum() / chroma(plain).sum()


def sharpen():
    """Markdown: MTF50 gained, overshoot, noise."""
    yield from table("radius", "MTF50 times, amount 0.7", "amount 1", "overshoot", "noise of a flat field times, amount 1")
    for radius in (0.5, 0.65, 0.8):
        gains, over = [], []
        for amount in (0.7, 1.0):
            for low, high in ((0.1, 0.6), (0.02, 1.0)):
                blurred = slanted_edge(low, high, radius)
                result = finish(blurred, **sharpening(amount, radius))
                gains.append(mtf50(result[..., 1]) / mtf50(blurred[..., 1]))
                over.append(max(result.max() - high, low - result.min()) / (high - low))
        white, soft = (noise_gain(radius, blur) for blur in (0.0, 0.5))
        gained = [np.mean(gains[:2]), np.mean(gains[2:])]
        yield (
            f"| {radius} px | {gained[0]:.2f} | {gained[1]:.2f} | {100 * max(max(over), 0):.1f} % | white {white:.2f}, soft {soft:.2f} |"
        )


def noise_gain(radius, blur):
    """Largest growth of the standard deviation of flat fields, their noise blurred by a Gaussian."""
    growth = []
    for level in (0.01, 0.2, 2.0):
        noise = np.random.default_rng(6).normal(0, 1, (96, 96, 1))
        noise = defocused(noise, (blur,), np.inf) if blur else noise
        rgb = level + np.sqrt(1e-4 * level + 1e-6) * np.repeat(noise, 3, -1)
        growth.append(finish(rgb, **sharpening(1.0, radius, 1e-4, 1e-6))[..., 1].std() / rgb[..., 1].std())
    return max(growth)


def displaced(rise, run):
    """Kernel arguments for knots of displacement."""
    return {"resample_rise": np.float32(rise), "resample_run": np.float32(run), "resample_reach": int(np.ceil(np.abs(run).max())) + 4}


def kept(response, shift):
    """(contrast, px off) of a sine that comes out as the phasor `response` where exp(2 pi i f shift) is right."""
    off = response * np.exp(-2j * np.pi * FREQUENCY * shift)
    return abs(off), abs(np.angle(off)) / (2 * np.pi * FREQUENCY)


def resampled(shift):
    """Phasor of a displaced sine, measured on the kernel."""
    x, amplitude = np.arange(128), 0.3
    rgb = np.broadcast_to(1 + amplitude * np.cos(2 * np.pi * FREQUENCY * x)[None, :, None], (40, 128, 3))
    out = finish(rgb, resample_mode=2, **displaced(np.zeros((3, 4, 4)), np.full((3, 4, 4), shift)))
    return 2 / amplitude * np.mean((out[20, 16:112, 0] - 1) * np.exp(-2j * np.pi * FREQUENCY * x[16:112]))


def keys(shift):
    """The same for cubic convolution with four taps (Keys 1981)."""
    at = np.arange(-1, 3)
    d = np.abs(at - shift)
    taps = np.where(d <= 1, 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2)
    return taps @ np.exp(2j * np.pi * FREQUENCY * at)


def resample():
    """Markdown: what interpolation loses, and what it costs."""
    yield from table("interpolation", f"contrast kept at {FREQUENCY} cycles/px, worst phase", "position error there")
    for name, response in (("this one", resampled), ("Keys 1981, four taps", keys)):
        contrast, off = zip(*(kept(response(shift), shift) for shift in STEPS), strict=True)
        yield f"| {name} | {min(contrast, key=lambda c: -abs(c - 1)):.3f} | {max(off):.3f} px |"
    yield from ["", *table("mode", "CPU ms/MP that it adds, one thread")]
    rgb = np.random.default_rng(0).random((3, 3000, 4000), np.float32)
    off = cost(rgb, 0, 0.0)
    for name, (mode, scale) in MODES.items():
        yield f"| {name} | {cost(rgb, mode, scale) - off:.1f} |"


def cost(rgb, mode, scale, rounds=5):
    """Best CPU ms/MP of the finishing kernel with nothing on but the resampling, which enlarges about the centre."""
    height, width = rgb.shape[1:]
    y, x = np.meshgrid(*((np.arange(-(-n // 32) + 5) - 2) * 32.0 - n / 2 for n in (height, width)), indexing="ij")
    arguments = switched(resample_mode=mode, **displaced(np.stack([y * scale] * 3), np.stack([x * scale] * 3)))
    out, spent = np.empty((height, width, 3), np.float32), []
    for _ in range(rounds + 1):
        start = time.process_time()
        kernels.finish_f32(rgb=rgb, left=0, top=0, output=out, **arguments)
        spent.append(time.process_time() - start)
    return min(spent[1:]) * 1e9 / (height * width)


def tone():
    """Markdown: how bright greys are shown."""
    greys, on = (0.03, 0.18, 0.5, 1.0), {"encode_on": 1, "encode_working_to_output": np.eye(3, dtype=np.float32)}
    yield from table("scene's white", *(f"grey {grey:g}" for grey in greys))
    rgb = np.broadcast_to(np.array(greys)[:, None, None], (4, 16, 3))
    for white in (1.0, 1.5, 4.0):
        arguments = tone_arguments(Development(scene_frame(8, 8)).with_facts(scene_white=white), ToneParams()).finish
        yield f"| {white:g} | " + " | ".join(f"{255 * code:.0f}" for code in finish(rgb, **arguments, **on)[:, 0, 1]) + " |"
    ramp = np.linspace(0, 1, 1 << 16).reshape(256, 256, 1).repeat(3, -1)
    error = np.abs(finish(ramp, **on) - transfer(np.float32(ramp).astype(float))).max()
    yield f"\nLargest error of the output curve: {65535 * error:.2f} of a 16-bit code."


def main():
    for name, lines in (("fringes", fringes()), ("sharpen", sharpen()), ("geometry", resample()), ("tone and output", tone())):
        print("\n".join([f"### {name}", "", *lines, ""]))


if __name__ == "__main__":
    main()
