"""Geometry and vignetting: closed forms, composition, what is left alone."""

from dataclasses import replace

import numpy as np
import pytest
from finishing import finish
from frames import scene_frame
from oracle import geometry as oracle
from oracle import resample as kernel_oracle

from apochromat.develop import geometry, lens_profile, vignetting
from apochromat.develop.geometry import GeometryParams
from apochromat.develop.lateral_ca import RadialShift
from apochromat.develop.lens_profile import LensProfile
from apochromat.develop.vignetting import VignettingParams
from apochromat.light.development import Development
from apochromat.light.gain_field import GainField
from apochromat.light.opcodes import Area, FixVignetteRadial, GainMap, MapPolynomial, TrimBounds, UnknownOpcode, WarpRectilinear
from apochromat.light.raw_frame import Box

SIZE = (480, 640)
BARREL = np.array([[1.01, -0.12, 0.05, -0.01, 0.002, -0.003]])
PER_PLANE = np.array([[1.001, -0.002, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0], [0.999, 0.003, 0, 0, 0, 0]])
FALLOFF = np.array([0.6, 0.3, -0.1, 0.05, 0.02])
OFF_CENTRE = (0.47, 0.54)


def warp(coefficients=BARREL, center=OFF_CENTRE):
    return WarpRectilinear(coefficients=np.asarray(coefficients, float), center=center)


def developed(*opcodes, rgb=None, origin=(0, 0), size=SIZE, **facts):
    """A development at the point where geometry begins."""
    active = Box(0, 0, size[0] + origin[0], size[1] + origin[1])
    frame = scene_frame(*size, opcodes3=opcodes, active=active, crop=active, **facts)
    return Development(frame=frame, rgb=np.ones((3, *size), np.float32) if rgb is None else rgb, origin=origin)


def after(development):
    """The development after geometry and vignetting."""
    return vignetting.run(geometry.run(development, GeometryParams()), VignettingParams())


def source_points(development, channel, points):
    """Source (y, x) that the kernel's splines give for output points, by following its two passes."""
    run, rise = (development.finish[name][channel] for name in ("resample_run", "resample_rise"))
    found = []
    for y, x in points:
        u = x + kernel_oracle.spline(run, np.array(y), np.array(x))
        found.append((y + kernel_oracle.spline(rise, np.array(y), u), u))
    return np.array(found, float)


def sample_points(size=SIZE, step=37):
    return [(y, x) for y in range(0, size[0], step) for x in range(0, size[1], step)]


@pytest.mark.parametrize("origin", [(0, 0), (-1, -1)])
@pytest.mark.parametrize("coefficients", [BARREL, PER_PLANE], ids=["barrel", "per plane"])
def test_warp_follows_the_closed_form(coefficients, origin):
    """Within 0.01 px of DNG's formula everywhere the source lies inside the picture."""
    development = after(developed(warp(coefficients), origin=origin))
    active = (SIZE[0] + origin[0], SIZE[1] + origin[1])
    points = sample_points()
    for channel in range(3):
        plane = coefficients[min(channel, len(coefficients) - 1)]
        exact = np.array([oracle.warp_rectilinear(y + origin[0], x + origin[1], active, plane, OFF_CENTRE) for y, x in points]) - origin
        inside = (exact >= 0).all(1) & (exact[:, 0] <= SIZE[0] - 1) & (exact[:, 1] <= SIZE[1] - 1)
        assert inside.sum() > 100
        np.testing.assert_allclose(source_points(development, channel, points)[inside], exact[inside], atol=0.01)


def test_warped_picture_shows_each_place_where_the_formula_puts_it():
    """A smooth picture of known values: the warped pixels are those of the source point, as for a shift of less than 0.05 px."""

    def scene(y, x):
        return 0.5 + 0.2 * np.sin(0.11 * x) + 0.2 * np.cos(0.09 * y)

    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    rgb = np.repeat(scene(y, x)[..., None], 3, -1)
    development = after(developed(warp()))
    out = finish(rgb, **development.finish)
    for at in sample_points():
        exact = oracle.warp_rectilinear(*at, SIZE, BARREL[0], OFF_CENTRE)
        if 3 < exact[0] < SIZE[0] - 4 and 3 < exact[1] < SIZE[1] - 4:
            np.testing.assert_allclose(out[at], scene(*exact), atol=0.05 * 0.02)  # 0.05 px on a slope of 0.02 a pixel


MILD = BARREL * 0.1 + [[0.9, 0, 0, 0, 0, 0]]
HALF = [[0.5, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize(("opcode", "mode"), [(warp(PER_PLANE), 1), (warp(MILD), 2), (warp(HALF), 3)])
def test_the_cheapest_mode_that_is_exact_is_chosen(opcode, mode):
    assert after(developed(opcode)).finish["resample_mode"] == mode


def test_nothing_to_move_gathers_nothing():
    development = after(developed(warp([[1, 0, 0, 0, 0, 0]])))
    assert not development.finish


def test_lateral_ca_under_a_warp_is_read_at_the_warped_place():
    shift = RadialShift(239.5, 319.5, 400.0, 1.5, -0.7)
    facts = {"red": shift.__dict__, "blue": replace(shift, linear=-1.0).__dict__}
    development = after(developed(warp()).with_facts(lateral_ca=facts))
    points = [p for p in sample_points() if 40 < p[0] < 440 and 40 < p[1] < 600]
    for channel, moved in ((0, shift), (2, replace(shift, linear=-1.0))):
        exact = []
        for y, x in points:
            v, u = oracle.warp_rectilinear(y, x, SIZE, BARREL[0], OFF_CENTRE)
            exact.append(moved.displaced(np.float64(v), np.float64(u)))
        np.testing.assert_allclose(source_points(development, channel, points), exact, atol=0.01)


def test_lateral_ca_alone_leaves_green_the_same_bits():
    rgb = np.random.default_rng(0).random((*SIZE, 3)).astype(np.float32)
    shift = RadialShift(239.5, 319.5, 400.0, 1.5).__dict__
    development = after(developed().with_facts(lateral_ca={"red": shift, "blue": shift}))
    out = finish(rgb, **development.finish)
    np.testing.assert_array_equal(out[..., 1], rgb[..., 1])
    assert np.abs(out[..., 0] - rgb[..., 0]).max() > 0.1


def test_vignette_follows_the_closed_form():
    """Within 0.5 DN of 14 bits at full scale."""
    development = after(developed(FixVignetteRadial(coefficients=FALLOFF, center=OFF_CENTRE)))
    out = finish(np.full((*SIZE, 3), 0.6), **development.finish)
    for at in sample_points():
        np.testing.assert_allclose(out[at], 0.6 * oracle.vignette_gain(*at, SIZE, FALLOFF, OFF_CENTRE), atol=0.5 / 16383)


def test_gain_before_a_warp_is_read_at_the_warped_place_and_after_it_where_it_is():
    vignette = FixVignetteRadial(coefficients=FALLOFF, center=OFF_CENTRE)
    before, behind = (after(developed(*ops)).finish["vignette_gain"] for ops in ((vignette, warp()), (warp(), vignette)))
    for y, x in [(32, 64), (224, 320), (416, 576)]:
        i, j = y // 32 + 2, x // 32 + 2
        source = oracle.warp_rectilinear(y, x, SIZE, BARREL[0], OFF_CENTRE)
        np.testing.assert_allclose(before[:, i, j], oracle.vignette_gain(*source, SIZE, FALLOFF, OFF_CENTRE), rtol=1e-6)
        np.testing.assert_allclose(behind[:, i, j], oracle.vignette_gain(y, x, SIZE, FALLOFF, OFF_CENTRE), rtol=1e-6)


def gain_map(planes=3, seed=0):
    gains = 1 + np.random.default_rng(seed).random((5, 7, planes)).astype(np.float32)
    return GainMap(area=Area(0, 0, *SIZE, planes=planes), spacing=(0.25, 1 / 6), origin=(0.0, 0.0), gains=gains)


def test_opening_gain_map_is_exact_and_the_noise_model_knows_it():
    opcode = gain_map()
    development = after(developed(opcode))
    y, x = np.arange(SIZE[0])[:, None], np.arange(SIZE[1])[None]
    for channel in range(3):
        knots_y, knots_x = np.arange(5) / 4 * SIZE[0] - 0.5, np.arange(7) / 6 * SIZE[1] - 0.5
        field = GainField(knots_y, knots_x, np.repeat(opcode.gains[None, ..., channel], 4, 0))
        np.testing.assert_allclose(development.rgb[channel], field.at(y, x, 0), atol=0.5 / 16383)
    np.testing.assert_allclose(development.gain.at(100, 200, 3), development.rgb[2, 100, 200], rtol=1e-4)
    assert "vignette_gain" not in development.finish


def test_value_map_sees_values_without_white_balance():
    squared = MapPolynomial(area=Area(0, 0, *SIZE, plane=0, planes=3), coefficients=np.array([0.0, 0.0, 1.0]))
    wb = np.array([2.0, 1.0, 1.6])
    rgb = np.repeat(np.float32([1.0, 0.5, 0.8])[:, None, None], SIZE[0], 1).repeat(SIZE[1], 2)
    development = after(replace(developed(squared, rgb=rgb), wb=wb))
    np.testing.assert_allclose(development.rgb[:, 5, 5], [0.5, 0.25, 0.4], rtol=1e-6)


def test_trimmed_picture_starts_at_its_bounds():
    development = after(developed(TrimBounds(top=6, left=10, bottom=400, right=600), warp([[1, 0, 0, 0, 0, 0]])))
    rgb = np.random.default_rng(1).random((*SIZE, 3)).astype(np.float32)
    np.testing.assert_array_equal(finish(rgb, **development.finish)[:394, :590], rgb[6:400, 10:600])


def test_default_scale_stretches_one_direction():
    """Half the rows sampled, as in cameras with oblong pixels: twice as many rows come out."""
    development = developed(size=(64, 96), scale=(1.0, 2.0))
    box = geometry.picture_box(development)
    assert (box.height, box.width) == (128, 96)
    run, rise = geometry.displacement(development, geometry.light_path(development, [], None))
    y = (np.arange(rise.shape[1]) - 2) * 32
    np.testing.assert_allclose(y + rise[0, :, 2], (y + 0.5) / 2 - 0.5, atol=1e-9)
    np.testing.assert_allclose(run, 0, atol=1e-9)


def test_parameters_turn_warps_and_gains_off():
    vignette = FixVignetteRadial(coefficients=FALLOFF, center=OFF_CENTRE)
    still = geometry.run(developed(warp(), vignette), GeometryParams(opcodes=False))
    assert not still.finish
    dim = vignetting.run(still, VignettingParams(opcodes=False))
    assert not dim.finish
    lit = vignetting.run(still, VignettingParams()).finish["vignette_gain"]
    np.testing.assert_allclose(lit[1, 3, 4], oracle.vignette_gain(32, 64, SIZE, FALLOFF, OFF_CENTRE), rtol=1e-6)


def test_unsupported_opcodes_are_refused_or_noted():
    with pytest.raises(ValueError, match="opcode 99"):
        after(developed(UnknownOpcode(id=99, data=b"")))
    assert "opcode 99" in after(developed(UnknownOpcode(id=99, data=b"", optional=True))).notes[0]


def test_a_warp_that_folds_over_stays_finite():
    """A polynomial that turns back beyond the image circle must not break the inversion."""
    development = after(developed(warp([[1, 0, -1.2, 0, 0, 0]], (0.5, 0.5))))
    rgb = np.random.default_rng(2).random((*SIZE, 3))
    out = finish(rgb, **development.finish)
    assert np.isfinite(out).all()
    exact = oracle.warp_rectilinear(240, 400, SIZE, [1, 0, -1.2, 0, 0, 0], (0.5, 0.5))
    np.testing.assert_allclose(source_points(development, 1, [(240, 400)])[0], exact, atol=0.01)


def test_profile_moves_and_lifts_at_the_source_radius(monkeypatch):
    radius = np.arange(1.0, 420)
    profile = LensProfile("a lens", radius, radius * (1 - 4e-7 * radius**2), np.array([1.0, -0.3, 0.0, 0.0]), 400.0)
    monkeypatch.setattr(lens_profile, "find", lambda frame: profile)
    development = after(developed())
    y, x = 239.5 + 120, 319.5 + 160  # 200 px from the centre
    source = source_points(development, 1, [(y, x)])[0]
    np.testing.assert_allclose(np.hypot(*(source - (239.5, 319.5))), 200 * (1 - 4e-7 * 200**2), atol=0.01)
    gain = kernel_oracle.spline(development.finish["vignette_gain"][1], np.array(y), np.array(x))
    np.testing.assert_allclose(gain, 1 / (1 - 0.3 * (200 * (1 - 4e-7 * 200**2) / 400) ** 2), rtol=1e-4)
    assert not geometry.run(developed(), GeometryParams(lensfun=False)).finish


def test_lensfun_knows_a_fixed_lens_by_its_camera():
    pytest.importorskip("lensfunpy")
    facts = {"make": "Canon", "model": "Canon PowerShot G2", "focal_mm": 7.0, "f_number": 2.8}
    profile = lens_profile.find(scene_frame(*SIZE, metadata=facts))
    assert "PowerShot" in profile.name
    assert 0.01 < 1 - profile.scale_at(390.0) / profile.scale_at(10.0) < 0.1  # barrel distortion of a few per cent
    assert lens_profile.find(scene_frame(*SIZE, metadata={**facts, "model": "Unheard Of"})) is None
