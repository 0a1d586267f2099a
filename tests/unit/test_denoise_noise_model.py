"""The noise model's numbers of frames: variance relative to the median cell, kept by whatever changes the model."""

import numpy as np
import pytest

from apochromat.light.noise import NoiseModel

UNIFORM = NoiseModel(np.array([2e-4, 1e-4, 3e-4]), np.array([1e-6, 2e-6, 3e-6]))


def merged(frames):
    return NoiseModel(UNIFORM.scale, UNIFORM.offset, np.asarray(frames, np.float32))


def test_relative_variance_is_the_median_count_over_the_cells():
    relative = merged([[8, 8, 4], [8, 1, 8]]).relative_variance()
    assert relative.dtype == np.float32
    assert np.array_equal(relative, [[1, 1, 2], [1, 8, 1]])


def test_uniform_noise_is_one_cell():
    assert np.array_equal(UNIFORM.relative_variance(), [[1]])


def test_scaled_keeps_the_map():
    half = merged([[8, 1]]).scaled(0.5)
    assert np.array_equal(half.frames, [[8, 1]])
    assert np.allclose(half.scale, UNIFORM.scale / 2, rtol=1e-12)
    assert np.allclose(half.offset, UNIFORM.offset / 2, rtol=1e-12)


def test_shares_may_differ_per_plane():
    assert np.allclose(UNIFORM.scaled(np.array([1, 0.5, 0.25])).offset, [1e-6, 1e-6, 0.75e-6], rtol=1e-12)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan])
def test_a_count_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match="above 0"):
        merged([[8, wrong]]).relative_variance()
