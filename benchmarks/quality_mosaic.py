#!/usr/bin/env python3
"""What the stages before demosaicing do to frames with a known answer, as Markdown: noise reduction, noise, lateral CA, highlights.

    HL_NUM_THREADS=1 quality_mosaic.py [--data FOLDER]

denoise     a synthetic frame of 12 MP (FOLDER/../bench/burst.py make --seed 1), two stops under, NoiseProfile 2.5e-3 2e-5: PSNR of the
            mosaic, MTF50 of its slanted edges over that of the noise-free frame, noise variance of its flat patch
noise       standard deviation found from one frame over the true one: two such frames, the 24 Kodak pictures with noise of that size;
            and the spread of what three frames of two PowerShots give
lateral_ca  largest difference at any radius between what is found and the truth: dead leaves, and 12 MP of Kodak pictures
highlights  cost by the share of rows and of samples that are clipped, best of five
chosen      what the stages find and choose for the sample files in FOLDER/raw, default settings
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("HL_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import imageio.v3 as iio
import numpy as np
from frames import PHONE, balanced_development, exposed, frame_of, mosaic_of, noise_ratio
from oracle.lateral_ca import displaced, leaves

from apochromat import chain
from apochromat.develop import denoise, highlights, lateral_ca
from apochromat.develop.demosaic import demosaic
from apochromat.develop.noise_estimate import estimate_noise
from apochromat.light.development import Development
from apochromat.light.gain_field import GainField
from apochromat.raw import read

DATA = Path(__file__).parents[2] / "shared/data"
SETTINGS = ({}, {"detail": 1.0}, {"detail": 0.0}, {"luminance": 1.0}, {"luminance": 1.0, "detail": 0.0})
LEVELS = (0.02, 0.1, 0.4)
R = np.linspace(0, 1, 33)


def table(*heads):
    return ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]


def before(frame, stage, rendering="natural"):
    """A development of the frame as `stage` gets it."""
    chosen = chain.parameters(rendering=rendering)
    development = Development(frame=frame, noise=frame.noise)
    for s in chain.stages():
        if s.name == stage:
            return development
        development = s.run(development, chosen[s.name])
    raise KeyError(stage)


class Burst:
    """One synthetic frame, its truth, and the scores of burst.py."""

    def __init__(self, bench, seed, megapixels):
        sys.path.insert(0, str(bench))
        import burst

        self.score = burst
        with tempfile.TemporaryDirectory() as folder:
            make = [sys.executable, bench / "burst.py", "make", folder, "--seed", seed, "--frames", 1, "--mp", megapixels]
            subprocess.run([str(word) for word in make], check=True, stdout=subprocess.DEVNULL)
            self.frame = before(read(Path(folder) / "frame_00.dng"), "denoise")
            self.truth, self.rgb = (iio.imread(f"{folder}/truth_{kind}.tif") / 65535.0 for kind in ("mosaic", "rgb"))
            self.charts = json.loads((Path(folder) / "burst.json").read_text())["charts"]

    def psnr(self, mosaic):
        return self.score.psnr(np.mean((mosaic - self.truth)[64:-64, 64:-64] ** 2))

    def mtf50(self, mosaic):
        return np.mean([self.score.mtf50(mosaic, e) / self.score.mtf50(self.truth, e) for e in self.charts["edges"]])

    def variance(self, mosaic):
        return self.score.flat_noise(mosaic - self.truth, self.charts["flat"], self.truth)[0]

    def demosaicked(self, mosaic):
        """(PSNR of RGB, PSNR of the colour differences) after demosaicing, white balanced."""
        gains = 1 / self.score.NEUTRAL
        error = demosaic((mosaic * mosaic_of(np.broadcast_to(gains, self.rgb.shape))).astype(np.float32))
        error = (error.transpose(1, 2, 0) if len(error) == 3 else error) - self.rgb * gains
        error = error[64:-64, 64:-64]
        return self.score.psnr(np.mean(error**2)), self.score.psnr(np.mean((error[..., ::2] - error[..., 1:2]) ** 2))

    def contrast(self, mosaic, low, high):
        """Share of the true green's contrast that is kept between two frequencies, cycles/px."""
        kept, true = (np.fft.rfft2(m[::2, 1::2] - m[::2, 1::2].mean()) for m in (mosaic, self.truth))
        frequency = np.hypot(np.fft.fftfreq(len(kept))[:, None], np.fft.rfftfreq(mosaic.shape[1] // 2)) / 2
        ring = (frequency >= low) & (frequency < high)
        return np.sum(kept[ring] * true[ring].conj()).real / np.sum(np.abs(true[ring]) ** 2)


def noise_reduction(burst, settings):
    """Markdown: what denoise does to a synthetic frame."""
    noisy = burst.frame.mosaic
    least, flat = burst.psnr(noisy), burst.variance(noisy)
    yield from table("setting", "PSNR", "MTF50", "variance")
    yield f"| none | {least:.2f} dB | {burst.mtf50(noisy):.3f} | 1 |"
    for setting in settings:
        clean = denoise.run(burst.frame, denoise.DenoiseParams(**setting)).mosaic
        name = ", ".join(f"`{k}` {v:g}" for k, v in setting.items()) or "default"
        yield f"| {name} | {burst.psnr(clean) - least:+.2f} dB | {burst.mtf50(clean):.3f} | {burst.variance(clean) / flat:.2f} |"
    clean = denoise.run(burst.frame, denoise.DenoiseParams()).mosaic
    gains = np.subtract(burst.demosaicked(clean), burst.demosaicked(noisy))
    kept = [burst.contrast(clean, f - 0.01, f + 0.01) for f in (0.08, 0.23)]
    yield f"\nDefault, after demosaicing: {gains[0]:+.1f} dB RGB, {gains[1]:+.1f} dB colour differences."
    yield f"Contrast of green kept at 0.08 and 0.23 cycles/px: {100 * kept[0]:.0f} and {100 * kept[1]:.0f} %."


def noise_found(data, bursts):
    """Markdown: the noise that is found from one frame."""
    ratios = []
    for burst in bursts:
        found = estimate_noise(burst.frame.mosaic, GainField.unity())
        ratios += [noise_ratio(found, burst.frame.noise, level) for level in LEVELS]
    yield from table("frames", "standard deviation found over the true one")
    yield f"| synthetic frames, signal 0.02 to 0.4 | {np.min(ratios):.2f} to {np.max(ratios):.2f} |"
    kodak = []
    for path in sorted((data / "kodak").glob("*.png")):
        image = (iio.imread(path) / 255.0) ** 2.2 * 0.5
        found = estimate_noise(exposed(mosaic_of(image), PHONE, 5).astype(np.float32), GainField.unity())
        kodak.append(np.mean([noise_ratio(found, PHONE, level) for level in np.quantile(image, [0.25, 0.5, 0.75])]))
    yield f"| Kodak pictures | median {np.median(kodak):.2f}, {np.min(kodak):.2f} to {np.max(kodak):.2f} |"
    names = ("CRW_0101.CRW", "CRW_0112.CRW", "CRW_0305.CRW")
    shot = [np.sqrt(estimate_noise(before(read(data / "raw" / n), "bad_pixels").mosaic, GainField.unity()).scale) for n in names]
    shot /= np.mean(shot)
    yield f"| three frames of two PowerShots, shot noise beside their mean | {shot.min():.2f} to {shot.max():.2f} |"


def lateral(data, bench):
    """Markdown: how near the truth lateral CA is found."""
    sys.path.insert(0, str(bench))
    from scene import photographs

    yield from table("scene", "aberration in the corner (px): red, blue", "largest error (px): red, blue")
    cases = (((1.5, 0.0), (-1.0, 0.0)), ((0.5, -2.0), (0.3, 1.5)), ((4.0, 0.0), (-3.0, -1.0)))
    scenes = {"dead leaves, 1.4 MP": leaves(1000, 1400), "Kodak, 12 MP": photographs(np.random.default_rng(0), 3000, 4000)}
    for name, scene in scenes.items():
        for red, blue in cases:
            aberrated = displaced(scene, red, blue)
            errors = np.max([_errors(aberrated, red, blue, noise) for noise in (0.003, 0.05)], axis=0)
            yield f"| {name} | {_formula(red)}, {_formula(blue)} | {errors[0]:.2f}, {errors[1]:.2f} |"
    yield ""
    yield from table("file", "found after noise reduction (px): red, blue", "found without")
    for path in sorted((data / "raw").iterdir()):
        found = [lateral_ca.estimate(before(read(path), "lateral_ca", rendering)) for rendering in ("natural", "neutral")]
        yield "| " + " | ".join([path.name, *(", ".join(_formula((s.linear, s.cubic)) for s in shifts) for shifts in found)]) + " |"


def _errors(scene, red, blue, noise):
    found = lateral_ca.estimate(balanced_development(scene, noise))
    truths = zip(found, (red, blue), strict=True)
    return [np.abs((shift.linear - linear) * R + (shift.cubic - cubic) * R**3).max() for shift, (linear, cubic) in truths]


def _formula(terms):
    linear, cubic = (round(float(term), 2) for term in terms)
    return f"{linear:g} r {cubic:+g} r³" if cubic else f"{linear:g} r"


def rebuilding(data):
    """Markdown: what rebuilding highlights costs."""
    yield from table("frame", "rows with clipped cells", "clipped cells", "CPU ms/MP, one thread")
    y, x = np.mgrid[:3000, :4000] / 1500
    lamp = np.exp(-((y - 1) ** 2) - (x - 4 / 3) ** 2)
    for peak in (0.8, 1.05, 1.6, 3.0):
        yield _costs("lamp", before(frame_of(np.minimum(peak * lamp, 1)), "highlights", "neutral"))
    yield _costs("GOPR0024.DNG", before(read(data / "raw/GOPR0024.DNG"), "highlights"))


def _costs(name, development):
    clipped = development.clip > 0
    return f"| {name} | {100 * clipped.any(1).mean():.0f} % | {100 * clipped.mean():.0f} % | {cost(development):.2f} |"


def cost(development, rounds=5):
    """Best CPU ms/MP of the highlights stage."""
    spent = []
    for _ in range(rounds + 1):
        copy = replace(development, mosaic=development.mosaic.copy())
        start = time.process_time()
        highlights.run(copy, highlights.HighlightsParams())
        spent.append(time.process_time() - start)
    return min(spent[1:]) * 1e9 / development.mosaic.size


def chosen(data):
    """Markdown: what the stages find and choose for the sample files."""
    yield from table("file", "saturation of R, G, G, B", "pixels replaced", "white as shot, `auto` (K)", "exposure: automatic share (EV)")
    for path in sorted((data / "raw").iterdir()):
        frame = read(path)
        found, repaired = (before(frame, stage) for stage in ("bad_pixels", "denoise"))
        balance = chain.stage("white_balance")
        whites = []
        for mode in ("as_shot", "auto"):
            copy = replace(repaired, mosaic=repaired.mosaic.copy())
            whites.append(str(balance.run(copy, balance.params(mode=mode)).facts.get("temperature_k", "-")))
        ev = before(frame, "tone").facts["auto_ev"]
        levels = ", ".join(f"{level:.3f}" for level in found.saturation)
        yield f"| {path.name} | {levels} | {np.sum(found.mosaic != repaired.mosaic)} | {', '.join(whites)} | {ev:+.2f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    data = parser.parse_args().data
    bench = data.parent / "bench"
    large, small = Burst(bench, 1, 12), Burst(bench, 5, 3)
    for name, lines in (
        ("denoise, 12 MP", noise_reduction(large, SETTINGS)),
        ("denoise, 3 MP (seed 5)", noise_reduction(small, SETTINGS[:1])),
        ("Noise found from one frame", noise_found(data, (large, small))),
        ("lateral_ca", lateral(data, bench)),
        ("highlights", rebuilding(data)),
        ("Found and chosen for the sample files", chosen(data)),
    ):
        print("\n".join([f"### {name}", "", *lines, ""]), flush=True)


if __name__ == "__main__":
    main()
