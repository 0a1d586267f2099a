"""RGB spaces: derived matrices against published ones."""

import numpy as np
import pytest

from apochromat.light.spaces import D50_XYZ, D65_XYZ, bradford, conversion, rgb_to_cones, rgb_to_xyz


@pytest.mark.parametrize(
    ("space", "published"),
    [
        ("srgb", [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]),  # IEC 61966-2-1
        ("rec2020", [[0.6370, 0.1446, 0.1689], [0.2627, 0.6780, 0.0593], [0.0000, 0.0281, 1.0610]]),  # ITU-R BT.2020
        ("display-p3", [[0.4866, 0.2657, 0.1982], [0.2290, 0.6917, 0.0793], [0.0000, 0.0451, 1.0439]]),  # SMPTE EG 432-1, D65
    ],
)
def test_matrices_are_the_published_ones(space, published):
    np.testing.assert_allclose(rgb_to_xyz(space), published, atol=1e-4)


def test_white_stays_white():
    np.testing.assert_allclose(conversion("rec2020", "srgb").sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(rgb_to_cones("srgb").sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(bradford(D50_XYZ, D65_XYZ) @ D50_XYZ, D65_XYZ, atol=1e-12)


def test_bradford_is_that_of_the_icc():
    published = [[0.9555766, -0.0230393, 0.0631636], [-0.0282895, 1.0099416, 0.0210077], [0.0122982, -0.0204830, 1.3299098]]  # Lindbloom
    np.testing.assert_allclose(bradford(D50_XYZ, D65_XYZ), published, atol=3e-4)
