"""Analyses against closed forms: paraboloid, plane plate, thin lens, aplanatic sphere, vignetted beam; and every one of them drawn."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from apochromat.optics import layout
from apochromat.optics.analyses import analysis, names
from apochromat.optics.errors import LensError
from apochromat.optics.glass import glass, index_of
from apochromat.optics.lens import AIR, Lens, LensInfo, SurfaceInfo
from apochromat.optics.model_glass import C_NM, E_NM, F_NM
from apochromat.optics.pupil import rings
from apochromat.optics.wavefront import opds, zernike, zernike_fit

F = 100.0  # mm, focal length of the paraboloid and of the thin lens
BK7 = np.array(glass("N-BK7").coefficients)
WAVES = (486.1327, 546.074, 656.2725)
PLAIN = LensInfo("two surfaces", (SurfaceInfo(glass="N-BK7"), SurfaceInfo()), 0, WAVES, (1.0, 1.0, 1.0), 1)
MIRROR = LensInfo("paraboloid", (SurfaceInfo(kind="mirror"),), 0, WAVES, (1.0, 1.0, 1.0), 1)


def make(info, **leaves):
    """A lens of flat surfaces in air, but for the leaves given."""
    count = len(info.surfaces)
    flat = {
        "curvature": np.zeros(count),
        "conic": np.zeros(count),
        "even": np.zeros((count, 8)),
        "thickness": np.ones((1, count)),
        "object_vergence": np.zeros(1),
        "stop_radius": np.ones(1),
        "semi_diameter": np.full(count, np.inf),
        "inner_radius": np.zeros(count),
        "tilt": np.zeros((count, 2)),
        "decenter": np.zeros((count, 2)),
        "coefficients": np.tile(AIR, (count, 1)),
        "nd_shift": np.zeros(count),
        "dispersion_shift": np.zeros(count),
        "model": np.tile([1.5, 60.0, 0.0], (count, 1)),
        "fields": np.array([[0.0, 0.0], [0.0, 6.0]]),
    }
    return Lens(**{**flat, **leaves}, info=info)


def paraboloid(radius=10.0, beyond=0.0):
    """A concave mirror of focal length F with the stop on it; the image plane `beyond` mm farther than the focus."""
    return make(
        MIRROR,
        curvature=np.array([-1 / (2 * F)]),
        conic=np.array([-1.0]),
        thickness=np.array([[-F - beyond]]),
        stop_radius=np.array([radius]),
    )


def plate(thickness=10.0):
    """A plane plate of N-BK7 with the stop on its first face, 5 mm before the image."""
    return make(PLAIN, thickness=np.array([[thickness, 5.0]]), coefficients=np.array([BK7, AIR]))


def thin_lens(radius=0.5):
    """A plano-convex lens of N-BK7, hardly thick, of focal length F at 546 nm."""
    curvature = 1 / (F * (index_of(BK7, E_NM) - 1))
    thickness, radius = np.array([[1e-6, F]]), np.array([radius])
    return make(PLAIN, curvature=np.array([curvature, 0]), thickness=thickness, stop_radius=radius, coefficients=np.array([BK7, AIR]))


def compute(name, lens, **options):
    return analysis(name).compute(lens, **options)


def test_spot_of_a_defocused_paraboloid():
    spot = compute("spot", paraboloid(beyond=0.5), fields=[[0.0, 0.0]])
    h = np.sqrt((np.arange(20000) + 0.5) / 20000) * 10
    blur = 0.5 * h / (F - h**2 / (4 * F))
    assert spot.rms_um[0] == pytest.approx(1e3 * np.sqrt(np.mean(blur**2)), rel=1e-6)
    assert np.allclose(spot.centroid_mm, 0, atol=1e-12)
    assert compute("spot", paraboloid(), fields=[[0.0, 0.0]]).rms_um[0] < 1e-7


def test_ray_fan_of_a_defocused_paraboloid():
    fan = compute("ray_fan", paraboloid(beyond=0.5))
    h = 10 * fan.pupil
    assert np.allclose(fan.tangential_um[0], -500 * h / (F - h**2 / (4 * F)), atol=1e-6)
    assert np.allclose(fan.sagittal_um[0], fan.tangential_um[0], atol=1e-6)


def test_opd_fan_of_a_defocused_paraboloid():
    assert np.abs(compute("opd_fan", paraboloid()).tangential_waves[0]).max() < 1e-6
    fan = compute("opd_fan", paraboloid(), defocus_mm=0.01)
    h = 10 * fan.pupil
    sag_of_beam = 1 - np.cos(np.arctan(h / (F - h**2 / (4 * F))))  # first order in the defocus
    for i, wavelength in enumerate(WAVES):
        assert np.allclose(np.abs(fan.tangential_waves[0, i]), 0.01 * sag_of_beam / (wavelength * 1e-6), rtol=1e-3, atol=1e-6)


def test_paraboloid_with_the_stop_on_it():
    """No distortion; sagittal field flat, tangential f sin^2 before it (Coddington); chief ray as steep as the field; coma h^2 / 4 f^2."""
    lens = paraboloid()
    assert np.abs(compute("distortion", lens).distortion_percent).max() < 1e-6
    curved = compute("field_curvature", lens)
    assert np.allclose(curved.sagittal_mm, 0, atol=1e-5)
    assert np.allclose(curved.tangential_mm, -F * np.sin(np.radians(curved.field)) ** 2, atol=1e-5)
    angles = compute("chief_ray_angle", lens)
    assert np.allclose(angles.angle_deg, angles.field, atol=1e-9)
    assert np.allclose(compute("spherochromatism", lens).longitudinal_um, 0, atol=1e-5)
    sine = compute("sine_condition", lens)
    assert np.allclose(sine.osc, (10 * sine.zone) ** 2 / (4 * F**2), atol=3e-8)


def test_illumination_of_a_narrow_beam_is_cos4():
    lit = compute("relative_illumination", paraboloid(radius=1.0).replace(fields=np.array([[0.0, 0.0], [0.0, 30.0]])))
    assert np.allclose(lit.relative, np.cos(np.radians(lit.field)) ** 4, atol=1e-3)
    assert np.array_equal(lit.relative, lit.unvignetted)
    assert lit.pupil_area[0] == pytest.approx(np.pi * 0.01**2, rel=5e-3)


def tunnel():
    """Two faces 10 mm of glass apart: the stop and a clear radius, both of 1 mm."""
    return make(
        PLAIN,
        curvature=np.array([1e-4, 0]),
        thickness=np.array([[10.0, 50.0]]),
        semi_diameter=np.array([np.inf, 1.0]),
        coefficients=np.array([BK7, AIR]),
        fields=np.array([[0.0, 0.0], [0.0, 9.0]]),
    )


def shift_in_tunnel(field):
    """By how much a beam (degrees) has moved at the tunnel's end, mm."""
    return 10 * np.tan(np.arcsin(np.sin(np.radians(field)) / index_of(BK7, E_NM)))


def test_vignetting_is_the_overlap_of_two_circles():
    lit = compute("relative_illumination", tunnel())
    shift = shift_in_tunnel(lit.field)
    overlap = (2 * np.arccos(shift / 2) - shift / 2 * np.sqrt(4 - shift**2)) / np.pi
    assert overlap[-1] < 0.5
    assert np.allclose(lit.relative / lit.unvignetted, overlap, atol=5e-3)


def test_lateral_colour_of_a_plate():
    lateral = compute("lateral_colour", plate())
    sine = np.sin(np.radians(lateral.field))[:, None]
    height = 10 * np.tan(np.arcsin(sine / index_of(BK7, np.array(WAVES))))
    assert np.allclose(lateral.lateral_um, 1e3 * (height - height[:, 1:2]), atol=1e-8)
    assert lateral.spread_um[-1] == pytest.approx(np.ptp(lateral.lateral_um[-1]))


def test_distortion_of_a_plate():
    bent = compute("distortion", plate())
    angle, n = np.radians(bent.angle_deg[1:]), index_of(BK7, E_NM)
    height = 5 * np.tan(angle) + 10 * np.tan(np.arcsin(np.sin(angle) / n))
    assert bent.scale_mm == pytest.approx(5 + 10 / n, rel=1e-7)
    assert np.allclose(bent.distortion_percent[1:], 100 * (height / ((5 + 10 / n) * np.tan(angle)) - 1), atol=1e-5)


def test_field_curvature_of_a_thin_lens():
    """Stop at a thin lens: sagittal and tangential curvature of the third order, -(1 + 1/n) and -(3 + 1/n) over the focal length."""
    curved = compute("field_curvature", thin_lens().replace(fields=np.array([[0.0, 1.0]])))
    n, y = index_of(BK7, E_NM), F * np.tan(np.radians(1.0))
    assert curved.sagittal_mm[-1] - curved.sagittal_mm[0] == pytest.approx(-(y**2) / (2 * F) * (1 + 1 / n), rel=5e-3)
    assert curved.tangential_mm[-1] - curved.tangential_mm[0] == pytest.approx(-(y**2) / (2 * F) * (3 + 1 / n), rel=5e-3)


def test_aplanatic_sphere():
    """A beam aimed R (1 + n) behind a sphere is focused at R (1 + n) / n in the glass, free of aberration and of coma."""
    n, radius = index_of(BK7, E_NM), 20.0
    info = replace(PLAIN, wavelengths_nm=(E_NM,), weights=(1.0,), primary=0)
    lens = make(
        info,
        curvature=np.array([1 / radius, 0]),
        thickness=np.array([[5.0, radius * (1 + n) / n - 5]]),
        object_vergence=np.array([-1 / (radius * (1 + n))]),
        stop_radius=np.array([8.0]),
        coefficients=np.array([BK7, BK7]),
        fields=np.zeros((1, 2)),
    )
    assert np.abs(compute("spherochromatism", lens).longitudinal_um).max() < 1e-4
    assert np.abs(compute("sine_condition", lens).osc).max() < 1e-7


def test_colour_of_a_thin_lens():
    """The focal length goes as 1 / (n - 1)."""
    lens = thin_lens()
    curve = compute("colour_focus", lens)
    focal = F * (index_of(BK7, E_NM) - 1) / (index_of(BK7, curve.wavelengths_nm) - 1)
    fair = focal[(curve.wavelengths_nm >= 450) & (curve.wavelengths_nm <= 656)]
    assert np.allclose(curve.focus_um, 1e3 * (focal - (fair.max() + fair.min()) / 2), atol=0.3)
    assert curve.depth_um == pytest.approx(2 * E_NM * 1e-3 * (F / 1.0) ** 2, rel=1e-3)

    spectrum = compute("secondary_spectrum", lens)
    f, e, c = (F * (index_of(BK7, E_NM) - 1) / (index_of(BK7, w) - 1) for w in (F_NM, E_NM, C_NM))
    assert spectrum.primary_um == pytest.approx(1e3 * (f - c), abs=0.1)
    assert spectrum.secondary_um == pytest.approx(1e3 * (e - (f + c) / 2), abs=0.1)
    assert spectrum.ordinary_um == pytest.approx(1e3 * F / 2000, rel=1e-4)


def test_mtf_of_a_slow_thin_lens_on_axis_is_that_of_a_perfect_lens():
    found = compute("mtf_frequency", thin_lens())
    share = np.mean([_circle(w / WAVES[1] / 2) for w in WAVES])  # at half the cut-off of the middle wavelength
    assert found.perfect[[0, -1]] == pytest.approx([1, share], abs=1e-9)
    assert np.allclose(found.sagittal[0], found.perfect, atol=0.01)
    assert np.allclose(found.tangential[0], found.perfect, atol=0.01)
    over_field = compute("mtf_field", thin_lens())
    shares = [np.mean([_circle(part * w / WAVES[1]) for w in WAVES]) for part in (0.05, 0.1, 0.2)]
    assert np.allclose(over_field.tangential[0], shares, atol=0.01)


def test_mtf_through_focus_is_best_where_the_image_lies():
    """The plane moved away by one depth of focus: the best of the curve lies as far on the other side."""
    lens = thin_lens()
    depth = compute("colour_focus", lens).depth_um
    moved = lens.replace(thickness=lens.thickness + np.array([0, depth * 1e-3]))
    curve = compute("mtf_focus", moved, fields=[[0.0, 0.0], [0.0, 6.0]])
    assert curve.focus_um[curve.sagittal[0].argmax()] == pytest.approx(-depth, abs=np.diff(curve.focus_um)[0])
    assert curve.sagittal[0].max() > 2 * curve.sagittal[0][-1]


def test_zernike_terms_of_a_defocused_paraboloid():
    """Defocus of w waves at the rim is w / sqrt(12) of term 4, with a quarter of a thousandth of the fourth order."""
    found = compute("zernike_terms", paraboloid(beyond=0.02), fields=[[0.0, 0.0], [0.0, 6.0]])
    edge = 0.02 * (1 - np.cos(np.arctan(10 / (F - 100 / (4 * F))))) / (WAVES[1] * 1e-6)
    assert abs(found.waves[0, 3]) == pytest.approx(edge / np.sqrt(12), rel=5e-3)
    assert np.abs(np.delete(found.waves[0], [0, 3])).max() < 5e-3 * abs(found.waves[0, 3])
    assert found.residual_waves[0] < 1e-6


def test_zernike_terms_of_a_whole_beam_are_those_over_the_stop():
    lens = tunnel().replace(semi_diameter=np.full(2, np.inf))
    found = compute("zernike_terms", lens)
    disc, weights = rings(10, 24)
    waves, _ = opds(lens, lens.fields, [WAVES[1]], disc, apertures=False)
    assert np.allclose(found.waves, zernike_fit(waves[:, 0], disc, weights), atol=1e-9)
    assert np.array_equal(found.pupil_half_axes, np.ones((2, 2)))
    assert np.array_equal(found.pupil_middle, np.zeros((2, 2)))


def test_zernike_terms_of_a_clipped_beam_are_those_of_what_is_left():
    """Of the whole beam's wavefront over the ellipse of two overlapping circles: its extremes along the field and across it."""
    found, whole = (compute("zernike_terms", lens) for lens in (tunnel(), tunnel().replace(semi_diameter=np.full(2, np.inf))))
    assert np.allclose(found.waves[0], whole.waves[0], atol=1e-9)
    shift, disc = shift_in_tunnel(9.0), rings(10, 24)[0]
    assert found.pupil_half_axes[1] == pytest.approx([1 - shift / 2, np.sqrt(1 - shift**2 / 4)], abs=2e-3)
    assert found.pupil_middle[1] == pytest.approx([0, -shift / 2], abs=2e-3)
    ellipse = found.pupil_middle[1] + disc * found.pupil_half_axes[1, ::-1]
    expected = zernike_fit(zernike(ellipse) @ whole.waves[1], disc)
    assert np.abs(expected).max() > 1
    assert np.allclose(found.waves[1], expected, atol=1e-5)


def test_a_field_without_light_has_no_zernike_terms():
    found = compute("zernike_terms", tunnel(), fields=[[0.0, 0.0], [0.0, 25.0]])
    assert np.isfinite(found.waves[0]).all()
    assert np.isnan(found.waves[1]).all()
    assert json.loads(found.to_json())["residual_waves"][1] is None


def _circle(part):
    """MTF of a circular pupil at a share of its cut-off frequency."""
    return 2 / np.pi * (np.arccos(part) - part * np.sqrt(1 - part**2))


def test_throughput_of_a_plate():
    n = index_of(BK7, 550.0)
    options = {"low_nm": 550.0, "high_nm": 550.0, "count": 1}
    bare = compute("throughput", plate(), coating="uncoated", **options)
    assert bare.total[0] == pytest.approx((1 - ((n - 1) / (n + 1)) ** 2) ** 2, rel=1e-9)
    assert bare.without_data == ("N-BK7",)
    film = compute("throughput", plate(), coating="mgf2", **options)
    assert film.total[0] == pytest.approx((1 - ((1.38**2 - n) / (1.38**2 + n)) ** 2) ** 2, rel=1e-9)
    stated = compute("throughput", plate(), coating=0.005, internal={"N-BK7": [(500, 0.99), (600, 0.97)]}, **options)
    assert stated.total[0] == pytest.approx(0.995**2 * 0.98, rel=1e-9)
    assert stated.without_data == ()


def test_brewster_angle_lets_half_the_light_through_unreflected():
    """At arctan n only the perpendicular polarisation is reflected, by sin^2 of the difference of the angles."""
    angle = np.arctan(1.5)
    share = analysis("throughput").reflectance("uncoated", np.array(1.0), np.array(1.5), np.cos(angle), np.array(550.0))
    assert share == pytest.approx(np.sin(angle - (np.pi / 2 - angle)) ** 2 / 2, rel=1e-12)


@pytest.mark.parametrize("coating", ["silver", 1.0, -0.1])
def test_unknown_coating_is_refused(coating):
    with pytest.raises(LensError, match="Expected the coating"):
        compute("throughput", plate(), coating=coating)


@pytest.mark.parametrize("name", ["spots", "_rays", "../spot"])
def test_unknown_analysis_is_refused(name):
    with pytest.raises(LensError, match="Expected an analysis out of"):
        analysis(name)


def test_rays_that_all_fail_are_told_with_their_surface():
    with pytest.raises(LensError, match="at surface 2 they are clipped"):
        compute("spot", plate().replace(inner_radius=np.array([0.0, 50.0])))


@pytest.mark.parametrize("name", names())
def test_every_analysis_is_drawn_and_written(name):
    from matplotlib.figure import Figure

    module = analysis(name)
    result = module.compute(thin_lens())
    document = json.loads(result.to_json())
    assert set(document) == {f.name for f in fields(result)}
    figure = Figure(figsize=module.size_in(result))
    module.draw(result, figure)
    labels = [a.get_xlabel() for a in figure.axes] + [figure.get_supxlabel()]
    assert any(labels)
    assert all("(" in label or "Relative" in label for label in labels if label)


def test_folded_layout_keeps_every_ray_as_long():
    kinds = (SurfaceInfo(glass="N-BK7"), SurfaceInfo(kind="fold", glass="N-BK7"), SurfaceInfo())
    lens = make(
        LensInfo("prism", kinds, 0, (E_NM,), (1.0,), 0),
        thickness=np.array([[4.0, 6.0, 10.0]]),
        stop_radius=np.array([2.0]),
        coefficients=np.array([BK7, BK7, AIR]),
    )
    straight, folded = layout.compute(lens, folded=False), layout.compute(lens)
    assert folded.folded
    for one, other in zip(straight.rays_mm, folded.rays_mm, strict=True):
        bend = other[2]
        assert bend[0] - 4 == pytest.approx(-bend[1])  # on the mirror at 45 degrees
        assert _length(other) == pytest.approx(_length(one), abs=1e-9)
        assert other[-1][1] == pytest.approx(-16)  # the sensor lies 16 mm below the entry axis
    assert {e.kind for e in folded.elements} == {"prism", "fold", "stop", "sensor"}


def _length(path):
    return np.hypot(*np.diff(path, axis=0).T).sum()
