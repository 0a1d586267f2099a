"""Output: codes against the standard's curve, both spaces, and the finishing group as a whole."""

import numpy as np
import pytest
from finishing import finish
from frames import scene_frame
from oracle.encode import encode as oracle
from oracle.encode import transfer

from apochromat.chain import _stage_modules
from apochromat.light.development import Development
from apochromat.light.spaces import conversion
from apochromat.look import gamut, output, tone
from apochromat.native import kernels


def encoded(rgb, space="srgb"):
    matrix = np.ascontiguousarray(conversion("rec2020", space), np.float32)
    return finish(rgb, encode_on=1, encode_working_to_output=matrix)


def natural(space="srgb"):
    """Kernel arguments of tone, gamut and output at their defaults."""
    state = Development(scene_frame(8, 8)).with_facts(scene_white=1.5)
    for module, params in ((tone, {}), (gamut, {}), (output, {"space": space})):
        state = module.run(state, module.STAGE.params(**params))
    assert state.facts["output_space"] == space
    return state.finish


@pytest.mark.parametrize("space", ["srgb", "display-p3"])
@pytest.mark.parametrize("shape", [(8, 16), (34, 50), (51, 67)])
def test_kernel_matches_oracle(shape, space, isa):
    rgb = np.random.default_rng(8).normal(0.4, 0.5, (*shape, 3))
    np.testing.assert_allclose(encoded(rgb, space), oracle(rgb.astype(np.float32), space), atol=1.5e-5)


def test_curve_is_exact_to_a_sixteen_bit_code():
    ramp = np.concatenate([np.linspace(0, 1, 60000), np.geomspace(1e-6, 0.01, 5536)]).astype(np.float32)
    codes = finish(np.repeat(ramp.reshape(256, 256, 1), 3, -1), encode_on=1)
    assert np.abs(codes[..., 1].ravel() - transfer(ramp.astype(float))).max() < 0.25 / 65535
    assert np.all(np.diff(codes[..., 1].ravel()[:60000]) >= 0)
    assert codes.min() == 0
    assert codes.max() == 1


def test_off_is_bit_exact():
    rgb = np.random.default_rng(9).normal(0.5, 1, (34, 50, 3)).astype(np.float32)
    np.testing.assert_array_equal(finish(rgb), rgb)


@pytest.mark.parametrize("space", ["srgb", "display-p3"])
def test_whole_rendering_keeps_grey_black_and_range(space, isa):
    ramp = np.repeat(np.concatenate([[0], np.geomspace(1e-6, 100, 2047)]).reshape(8, 256, 1), 3, -1)
    codes = finish(ramp, **natural(space))
    assert np.ptp(codes, axis=-1).max() < 2e-6
    assert codes[0, 0, 0] == 0
    assert codes[-1, -1, 0] == 1
    assert np.diff(codes[..., 1].ravel()).min() > -1e-6
    extremes = np.array([-1e6, -1, -1e-9, 0, 1e-9, 0.18, 1, 1e3, 1e6])
    cube = np.stack(np.meshgrid(extremes, extremes, extremes), -1).reshape(27, 27, 3)
    wild = finish(cube, **natural(space))
    assert np.isfinite(wild).all()
    assert wild.min() >= 0
    assert wild.max() <= 1


def test_eight_bit_codes_are_the_rounded_ones():
    rgb = np.random.default_rng(10).uniform(0, 1.2, (34, 50, 3)).astype(np.float32)
    off = {name: value for module in _stage_modules() for name, value in getattr(module, "OFF", {}).items()}
    codes = np.empty((34, 50, 3), np.uint8)
    planes = np.ascontiguousarray(rgb.transpose(2, 0, 1))
    arguments = {**off, **natural(), "camera_to_working": np.eye(3, dtype=np.float32)}
    kernels.finish_u8(rgb=planes, left=0, top=0, output=codes, **arguments)
    assert np.abs(codes - finish(rgb, **natural()) * 255).max() < 0.5001


def test_instruction_sets_agree(tested_isas, monkeypatch):
    rgb = np.random.default_rng(11).normal(0.4, 0.5, (34, 50, 3)).astype(np.float32)
    results = []
    for isa in tested_isas:
        monkeypatch.setenv("APO_ISA", isa)
        results.append(finish(rgb, **natural()))
    for result in results:
        assert np.abs(result - results[-1]).max() < 1 / 65535
