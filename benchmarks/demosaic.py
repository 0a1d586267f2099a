#!/usr/bin/env python3
"""Demosaicing quality beside LibRaw's methods, and cost: CPSNR in dB, ms/MP on one thread.

    HL_NUM_THREADS=1 demosaic.py [--data FOLDER] [--json]

Means over the 24 Kodak pictures in FOLDER/kodak, 12 pixels of border left out:
codes      the sRGB codes taken as linear, rounded to 8 bits (the protocol of the literature)
camera     un-processed to white-balanced camera RGB: codes made linear, sRGB to camera by the inverse of CAMERA, rows scaled so that
           white is (1, 1, 1); compared there, in linear light
displayed  the same, compared after going back to sRGB codes
saturated  codes with their distance from luma multiplied by 1.8, clipped to 0..1
and over slanted edges between saturated colours (blur of 0.5 pixels, 64 x 64 pixels, 8 pixels of border left out):
edges      red / blue, green / magenta, red / white, cyan / orange at 5, 20, 40 and 85 degrees
LibRaw demosaics the same mosaics, scaled to 14 bits, through an opened file of FOLDER/raw whose samples are overwritten.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("HL_NUM_THREADS", "1")

import imageio.v3 as imageio
import numpy as np
import rawpy
from scipy.special import erf

from apochromat.develop.demosaic import demosaic

CAMERA = np.array([[1.0405, -0.3755, -0.1270], [-0.5461, 1.3787, 0.1793], [-0.1040, 0.2015, 0.6785]])  # XYZ to camera: LibRaw's D850
SRGB = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])  # to XYZ
TO_CAMERA = CAMERA @ SRGB / (CAMERA @ SRGB).sum(1, keepdims=True)
LUMA = np.array([0.299, 0.587, 0.114])
PAIRS = (((0.8, 0.05, 0.05), (0.05, 0.05, 0.8)), ((0.05, 0.6, 0.1), (0.7, 0.1, 0.6)), ((0.8, 0.05, 0.05), (0.9, 0.9, 0.9)))
PAIRS += (((0.1, 0.7, 0.8), (0.9, 0.45, 0.05)),)
LIBRAW = ("AHD", "AAHD")


def mosaic_of(picture):
    """RGGB samples of an RGB picture."""
    mosaic = picture[..., 1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = picture[::2, ::2, 0], picture[1::2, 1::2, 2]
    return np.ascontiguousarray(mosaic, np.float32)


def linear(codes):
    return np.where(codes <= 0.04045, codes / 12.92, ((np.maximum(codes, 0) + 0.055) / 1.055) ** 2.4)


def coded(light):
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055)


def displayed(camera):
    return coded(np.clip(camera, 0, 1) @ np.linalg.inv(TO_CAMERA).T)


def rounded(codes):
    return np.round(codes * 255) / 255


def slanted_edges():
    y, x = np.mgrid[:64, :64] - 31.5
    for first, second in PAIRS:
        for angle in np.deg2rad([5, 20, 40, 85]):
            share = (1 + erf((x * np.cos(angle) + y * np.sin(angle)) / 0.5 / np.sqrt(2)))[..., None] / 2
            yield np.array(first) + (np.array(second) - np.array(first)) * share


def scenes(folder):
    """{row: (pictures, border, how found and true pictures are brought to what is compared)}"""
    codes = [imageio.imread(path)[..., :3] / 255 for path in sorted((folder / "kodak").glob("*.png"))]
    camera = [linear(picture) @ TO_CAMERA.T for picture in codes]
    luma = [(picture @ LUMA)[..., None] for picture in codes]
    vivid = [np.clip(y + 1.8 * (picture - y), 0, 1) for picture, y in zip(codes, luma, strict=True)]
    return {
        "codes": (codes, 12, rounded),
        "camera": (camera, 12, np.asarray),
        "displayed": (camera, 12, displayed),
        "saturated": (vivid, 12, np.asarray),
        "edges": (list(slanted_edges()), 8, np.asarray),
    }


def cpsnr(found, truth, border):
    error = (np.clip(found, 0, 1) - truth)[border:-border, border:-border]
    return -10 * np.log10(np.mean(np.square(error)))


class LibRaw:
    """One of LibRaw's methods, linear and in camera colour."""

    def __init__(self, folder, method):
        self.file, self.method = str(folder / "raw/CRW_0305.CRW"), rawpy.DemosaicAlgorithm[method]

    def __call__(self, mosaic):
        with rawpy.imread(self.file) as raw:
            samples, (height, width) = raw.raw_image_visible, mosaic.shape
            top, left = np.argwhere(raw.raw_colors_visible[:2, :2] == 0)[0]
            around = np.pad(mosaic, 16, "reflect")  # LibRaw does worse along the frame's edges
            window = np.s_[top : top + height + 32, left : left + width + 32]
            samples[:] = 0
            samples[window] = np.clip(np.round(around * 16000), 0, 16000)
            rgb = raw.postprocess(
                demosaic_algorithm=self.method,
                output_color=rawpy.ColorSpace.raw,
                output_bps=16,
                gamma=(1, 1),
                no_auto_bright=True,
                adjust_maximum_thr=0,
                user_wb=[1, 1, 1, 1],
                user_black=0,
                user_sat=16000,
                user_flip=0,
            )
        return rgb[window][16:-16, 16:-16] / 65535


def quality(methods, folder):
    """{row: {method: dB}}"""
    table = {}
    for row, (pictures, border, compared) in scenes(folder).items():
        table[row] = {
            name: float(np.mean([cpsnr(compared(method(mosaic_of(t))), compared(t), border) for t in pictures]))
            for name, method in methods.items()
        }
    return table


def cost(rounds=7):
    """Best CPU ms/MP on 12 MP of noise."""
    mosaic = np.random.default_rng(0).random((3072, 4096), np.float32)
    spent = []
    for _ in range(rounds + 1):
        start = time.process_time()
        demosaic(mosaic)
        spent.append(time.process_time() - start)
    return min(spent[1:]) * 1e9 / mosaic.size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    methods = {"apochromat": demosaic, **{f"LibRaw {name}": LibRaw(arguments.data, name) for name in LIBRAW}}
    table, ms = quality(methods, arguments.data), cost()
    if arguments.json:
        print(json.dumps({"cpsnr_db": table, "ms_per_mp": ms}))
        return
    print("| | " + " | ".join(methods) + " |\n|" + " --- |" * (len(methods) + 1))
    for row, found in table.items():
        print(f"| {row} | " + " | ".join(f"{db:.2f}" for db in found.values()) + " |")
    print(f"\n{ms:.1f} ms/MP on {os.environ['HL_NUM_THREADS']} thread(s)")


if __name__ == "__main__":
    main()
