"""The chain as a whole: taps, orientation, CFA phase, determinism, renderings."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from frames import detailed_scene, frame_of, mosaic_of, scene_frame
from pydantic import ValidationError

from apochromat import chain
from apochromat.light.noise import NoiseModel
from apochromat.light.raw_frame import Box

STAGES = [s.name for s in chain.stages()]
FIXED = {"exposure": {"mode": "camera"}, "lateral_ca": {"mode": "off"}}
NOISY = NoiseModel(np.full(3, 4e-4), np.full(3, 2e-6))


def test_the_chain_has_the_stages_in_the_documented_order():
    documented = """opcodes1 linearise shading bad_pixels denoise white_balance highlights lateral_ca demosaic color geometry vignetting
    fringes sharpen exposure tone gamut output"""
    assert documented.split() == STAGES


@pytest.mark.parametrize("until", STAGES)
def test_every_tap_yields_a_finite_picture_of_the_crop(until):
    frame = scene_frame(crop=Box(4, 6, 250, 312))
    picture = chain.develop(frame, until=until)
    assert np.isfinite(picture.pixels.astype(np.float64)).all()
    if until != "opcodes1":
        assert picture.pixels.shape[:2] == (246, 306)
    assert picture.state == ("display" if until == "output" else "linear")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_turns_the_same_pixels(orientation):
    frame = scene_frame(128, 160)
    stored = chain.develop(frame, FIXED).pixels
    turned = chain.develop(replace(frame, orientation=orientation), FIXED).pixels
    undo = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.swapaxes(0, 1),
            6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: lambda a: np.rot90(a, -1)}[orientation]  # fmt: skip
    np.testing.assert_array_equal(undo(turned), stored)


@pytest.mark.parametrize(("dy", "dx"), [(0, 1), (1, 0), (1, 1), (2, 2)])
def test_cfa_phase_the_same_pixels_in_the_overlap(dy, dx):
    """One RAW re-cropped by (dy, dx) develops to the same linear pixels away from the borders."""
    frame = frame_of(mosaic_of(detailed_scene(300, 340)), noise=NOISY)
    pattern = np.array(list(frame.cfa)).reshape(2, 2)
    shifted = "".join(np.roll(pattern, (-dy, -dx), (0, 1)).ravel())
    cut = frame.samples[dy:, dx:]
    whole = Box(0, 0, *cut.shape)
    again = replace(frame, samples=cut, cfa=shifted, active=whole, crop=whole)
    one = chain.develop(frame, FIXED, until="sharpen").pixels[dy:, dx:]
    two = chain.develop(again, FIXED, until="sharpen").pixels
    margin = np.s_[64:-64, 64:-64]
    np.testing.assert_allclose(one[margin], two[margin], atol=1e-4)


def digest(threads, isa):
    """Development of a noisy scene in a process of its own: the codes at 16 bits."""
    code = (
        "import sys, numpy as np; sys.path.insert(0, sys.argv[1]); from frames import *; from apochromat import chain\n"
        "from apochromat.light.noise import NoiseModel\n"
        "f = frame_of(mosaic_of(detailed_scene(300, 340)), noise=NoiseModel(np.full(3, 4e-4), np.full(3, 2e-6)))\n"
        "sys.stdout.buffer.write(chain.develop(f, bits=16).pixels.tobytes())"
    )
    env = {**os.environ, "HL_NUM_THREADS": str(threads), "APO_ISA": isa}
    out = subprocess.run([sys.executable, "-c", code, str(Path(__file__).parents[1])], capture_output=True, env=env)
    assert out.returncode == 0, out.stderr.decode()
    return np.frombuffer(out.stdout, np.uint16).astype(int)


def test_the_result_does_not_depend_on_threads(tested_isas):
    np.testing.assert_array_equal(digest(1, tested_isas[-1]), digest(2, tested_isas[-1]))


def test_the_result_does_not_depend_on_the_instruction_set(tested_isas):
    results = [digest(2, isa) for isa in tested_isas]
    for other in results[1:]:
        assert np.abs(results[0] - other).max() <= 1


def test_black_frame_stays_zero_mean():
    """Default noise reduction included, to 0.05 DN of 14 bits."""
    frame = frame_of(np.zeros((512, 512)), noise=NoiseModel(np.full(3, 1e-4), np.full(3, 1e-5)), seed=3)
    truth = (frame.samples.astype(np.float64) - 256).mean() / 3839
    linear = chain.develop(frame, FIXED, until="denoise").pixels
    assert abs(linear.mean(dtype=np.float64) - truth) < 0.05 / 16383


def test_neutral_rendering_is_linear_in_the_samples():
    bright = chain.develop(frame_of(mosaic_of(detailed_scene(128, 160))), rendering="neutral", until="sharpen").pixels
    dark = chain.develop(frame_of(mosaic_of(detailed_scene(128, 160)) / 2), rendering="neutral", until="sharpen").pixels
    np.testing.assert_allclose(dark * 2, bright, atol=6e-3)


def test_unknown_names_and_values_are_refused():
    frame = scene_frame(32, 32)
    with pytest.raises(KeyError, match="demosiac"):
        chain.develop(frame, until="demosiac")
    with pytest.raises(KeyError, match="tonne"):
        chain.develop(frame, {"tonne": {}})
    with pytest.raises(ValidationError, match="contrasst"):
        chain.develop(frame, {"tone": {"contrasst": 1}})
    with pytest.raises(ValueError, match="rendering"):
        chain.develop(frame, rendering="vivid")


@pytest.mark.parametrize("shape", [(16, 16), (17, 33), (34, 50), (64, 31)])
def test_small_and_odd_frames_develop(shape):
    picture = chain.develop(scene_frame(*shape))
    assert picture.pixels.shape == (*shape, 3)
