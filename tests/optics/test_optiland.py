"""Optional: written lenses opened in Optiland, its rays, wavefronts and colours beside ours; skipped where it is not installed."""

from functools import cache

import pytest

pytest.importorskip("optiland.fileio")

from apochromat.optics.files import lens
from benchmarks import optiland_peer as peer

CONFIGURATIONS = [("tele-apo", 0), ("tele-apo", 1), ("tele-apo", 2), ("classic-petzval-50", 0), ("classic-soft-90", 0)]
PHONE = "10281683.zmx"  # even aspheres, model glass


@cache
def configured(path, config):
    return peer.in_configuration(lens(path), config)


@pytest.mark.parametrize(("name", "config"), CONFIGURATIONS)
def test_a_written_lens_reopened_has_the_same_focal_length_and_skew_ray(name, config, tmp_path):
    """Optiland's own glass data, its own launch and aim of the ray; a fold is described unfolded, so that it reads as a flat dummy."""
    subject = configured(name, config)
    optic = peer.opened(subject, tmp_path)
    assert peer.index_difference(optic, subject) < 1e-12
    assert peer.efl_relative(optic, subject) < 1e-9
    assert peer.skew_ray(optic, subject) < 1e-9


@pytest.mark.parametrize("name", ["tele-apo", "classic-petzval-50", PHONE])
def test_rays_wavefronts_and_colours_agree(name, tmp_path, request):
    path = request.getfixturevalue("shared") / "data" / "lens" / name if name == PHONE else name
    found = peer.compare(configured(path, 0), tmp_path)
    assert found.efl_relative < 1e-9
    assert found.height_mm < 1e-8
    assert found.stop_mm < 1e-8
    assert found.opd_waves < 1e-3
    assert found.focus_um < 0.01
    assert found.lateral_um < 0.01
