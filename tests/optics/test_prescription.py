"""The lens document: TOML out and in, what is refused and in which words, and the numbers that `build` finds, against closed forms."""

import math
import os
import tomllib
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from lens_samples import ZOOM, assert_same

from apochromat.optics import plain
from apochromat.optics.build import build, to_prescription
from apochromat.optics.errors import LensError
from apochromat.optics.files import read_lens, read_toml, toml, write_toml
from apochromat.optics.precision import float64
from apochromat.optics.prescription import Prescription, checked
from apochromat.optics.pupil import bundle, field_angles
from apochromat.optics.trace import trace_points

F = 100.0  # focal length of the paraboloid


def document(**parts):
    """A biconvex lens behind its stop."""
    surfaces = [{"kind": "stop", "thickness": 1}, {"radius": 50, "thickness": 3, "glass": "N-BK7"}, {"radius": -50, "thickness": 48}]
    base = {"aperture": {"f_number": 8}, "fields": {"points": [0, 5]}, "wavelengths": {"nm": [587.5618]}, "surface": surfaces}
    return {**base, **parts}


def paraboloid(aperture, **parts):
    """A concave paraboloid, its own stop; the focus is stigmatic for an object at infinity."""
    mirror = {"kind": "mirror", "stop": True, "radius": -2 * F, "conic": -1, "thickness": -F, "semi_diameter": math.inf}
    return build(checked(document(aperture=aperture, surface=[mirror], **parts), "mirror"))


def test_toml_out_and_in_gives_the_same_document():
    prescription = checked(tomllib.loads(ZOOM), "zoom")
    again = checked(tomllib.loads(toml(prescription)), "zoom")
    assert again == prescription
    assert again.surfaces[2].thickness == (2.0, 1.0)
    assert again.fields.points == ((0.0, 0.0), (0.0, 3.5), (2.0, 5.0))


def test_the_example_of_the_documentation_is_a_lens():
    page = (Path(__file__).parents[2] / "docs" / "optics" / "prescription.md").read_text(encoding="utf-8")
    example = "\n".join(line[4:] for line in page.split("book")[1].split("Lengths are")[0].splitlines() if line.startswith("    "))
    lens = build(checked(tomllib.loads(example), "page"))
    assert lens.info.configurations == ("infinity", "1 m")
    assert lens.thickness[:, 1].tolist() == [2, 1]
    assert np.isfinite(lens.semi_diameter).all()


def test_every_key_of_the_document_is_described():
    models = [Prescription]
    for model in models:
        for name, field in model.model_fields.items():
            nested = [t for t in (field.annotation, *getattr(field.annotation, "__args__", ())) if hasattr(t, "model_fields")]
            models += [t for t in nested if t not in models]
            assert field.description or nested or name in ("name", "label", "notes"), f"{model.__name__}.{name}"


@pytest.mark.parametrize(
    ("aperture", "height"),
    [
        ({"entrance_pupil_mm": 50}, 25),
        ({"f_number": 1}, 2 * F * math.tan(math.radians(15))),  # sin u' = 1/2, and tan(u'/2) = h / 2f for a paraboloid
        ({"paraxial_f_number": 2}, F / 4),
        ({"paraxial_working_f_number": 2.5}, F / 5),
        ({"stop_radius_mm": 7}, 7),
    ],
)
def test_stop_radius_from_the_aperture(aperture, height):
    assert paraboloid(aperture).stop_radius == pytest.approx([height], rel=1e-12)


def test_aperture_of_a_near_object_and_a_fixed_stop():
    near = [{"name": "infinity"}, {"name": "near", "object_distance_mm": 400}]
    assert paraboloid({"object_na": 0.1}, configuration=near[1:]).stop_radius == pytest.approx([400 * math.tan(math.asin(0.1))])
    free = paraboloid({"paraxial_working_f_number": 2}, configuration=near)
    # The ray from the object at 400 mm comes back steeper by the law of the mirror: u' = h (1/f - 1/d).
    assert free.stop_radius == pytest.approx([F / 4, 1 / (4 * (1 / F - 1 / 400))])
    fixed = paraboloid({"paraxial_working_f_number": 2, "fixed_stop": True}, configuration=near)
    assert fixed.stop_radius == pytest.approx([F / 4, F / 4])


def test_fields_by_image_and_object_height_become_angles():
    heights = paraboloid({"entrance_pupil_mm": 10}, fields={"kind": "paraxial_image_height", "points": [0, 10]})
    assert np.abs(heights.fields[1, 1]) == pytest.approx(math.degrees(math.atan(10 / F)))
    near = [{"object_distance_mm": 400}]
    objects = paraboloid({"entrance_pupil_mm": 10}, fields={"kind": "object_height", "points": [0, -40]}, configuration=near)
    assert objects.fields[1, 1] == pytest.approx(math.degrees(math.atan(40 / 400)))
    images = paraboloid({"entrance_pupil_mm": 10}, fields={"kind": "paraxial_image_height", "points": [0, 10]}, configuration=near)
    assert np.abs(images.fields[1, 1]) == pytest.approx(math.degrees(math.atan(10 / F)))  # the chief ray through the vertex


def test_clear_radii_are_found_from_the_rays_of_all_fields():
    plate = {"thickness": 10, "glass": "N-BK7"}
    surfaces = [{"kind": "stop", "thickness": 20}, plate, {"thickness": 50}]
    lens = build(checked(document(aperture={"stop_radius_mm": 3}, fields={"points": [0, 20]}, surface=surfaces), "plate"))
    n = 1.5168000345
    at_plate = 3 + 20 * math.tan(math.radians(20))
    behind = at_plate + 10 * math.tan(math.asin(math.sin(math.radians(20)) / n))
    assert lens.semi_diameter == pytest.approx([3, at_plate, behind], rel=2.1e-3)
    assert (lens.semi_diameter > [3, at_plate, behind]).all()


def test_a_lens_becomes_a_document_and_the_same_lens_again(zoom, tmp_path):
    write_toml(to_prescription(zoom), tmp_path / "zoom.toml")
    again = build(read_toml(tmp_path / "zoom.toml"))
    assert_same(again, zoom)


@pytest.fixture(scope="module")
def zoom():
    return build(checked(tomllib.loads(ZOOM), "zoom"))


@pytest.mark.parametrize("config", [0, 1])
def test_plain_trace_is_the_trace(zoom, config):
    """The NumPy trace that reads a lens against the compiled one: aim, points on every surface, fields by image height."""
    heights = zoom.replace(info=replace(zoom.info, field_kind="image_height"), fields=np.array([[0, 0], [1, 2], [0, 3.0]]))
    pupil = np.array([[0, 0], [0.5, 0.2], [-0.9, 0.4]])
    with float64():
        index = np.asarray(zoom.index(jnp.asarray(587.5618)))
        angles = np.asarray(field_angles(heights, config))
        rays = bundle(zoom, jnp.asarray([2.0, 5.0]), 587.5618, pupil, config)
        points, _ = trace_points(zoom, rays, index, config, apertures=False)
        points, rays = np.asarray(points), np.asarray(rays)
    tangents = plain.chief_tangents(heights, index, config)
    np.testing.assert_allclose(np.degrees(np.arctan(tangents)).T, angles, atol=1e-9)
    slopes = np.tan(np.radians([[2.0], [5.0]]))
    start = plain.aimed(zoom, slopes, pupil.T[:, None], index, config)
    np.testing.assert_allclose(start[:, 0], rays[:2], atol=1e-8)
    exact = rays[:2, None], (rays[3:5] / rays[5])[:, None]
    marched, _, failed = plain.march(zoom, *exact, index[:, None, None], config)
    assert (failed == -1).all()
    np.testing.assert_allclose(marched[:, :, 0], points[..., :2].transpose(0, 2, 1), atol=1e-11)


STOP = {"kind": "stop", "thickness": 1}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"surface": [{"radius": 50, "thickness": 3}]}, "expected one stop among the surfaces, found none"),
        ({"surface": [STOP, STOP]}, r"found it at \[1, 2\]"),
        ({"surface": [{**STOP, "radius": math.nan}]}, "surface 1 radius: expected a number, found nan"),
        ({"surface": [{**STOP, "thickness": math.nan}]}, "surface 1 thickness: .* finite number, found 'nan'"),
        ({"surface": [{**STOP, "glas": "BK7"}]}, "surface 1 glas: extra inputs are not permitted"),
        ({"surface": [{**STOP, "glass": {"nd": 0.2, "vd": 60}}]}, "surface 1 glass nd: .* greater than or equal to 1, found '0.2'"),
        ({"surface": [{**STOP, "thickness": [1, 2]}]}, "expected one thickness of surface 1 for each of 1 configurations, found 2"),
        ({"surface": [STOP, {"radius": 9, "thickness": -2}, {"radius": 8, "thickness": 9}]}, "surface 3 behind surface 2, .* cross"),
        ({"surface": [{"radius": 9, "stop": True, "thickness": -2}]}, "expected the image behind surface 1, found it 2 mm before"),
        ({"surface": [{**STOP, "radius": 9, "curvature": 0.1}]}, "expected a radius or a curvature, found both"),
        ({"fields": {"points": []}}, "fields points: .* at least 1 item"),
        ({"fields": {"points": [95]}}, "expected field angles below 90 degrees"),
        ({"wavelengths": {"nm": [500], "primary_nm": 501}}, "expected primary_nm to be one of"),
        ({"aperture": {"f_number": 2, "stop_radius_mm": 3}}, "expected exactly one aperture quantity, found f_number, stop_radius_mm"),
        ({"aperture": {"f_number": -2}}, "expected an aperture above 0"),
    ],
)
def test_a_wrong_document_is_one_sentence_that_names_place_and_file(parts, words):
    with pytest.raises(LensError, match=words) as caught:
        checked(document(**parts), "wrong.toml")
    assert str(caught.value).endswith("in wrong.toml.")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"wavelengths": {"nm": [3000]}}, "expected wavelengths from 300 to 2500 nm, where N-BK7 behind surface 2 has data, found 3000 nm"),
        ({"surface": [STOP, {"radius": 50, "glass": "N-BK77", "thickness": 9}]}, "'N-BK77' is not in the glass catalogue; near it: N-BK7"),
        ({"aperture": {"f_number": 0.52}}, "expected an f-number that the lens reaches, found 0.52 where it reaches .* fail at surface 3"),
        ({"aperture": {"entrance_pupil_mm": 120}}, "marginal ray of entrance_pupil_mm 120 to pass, found it failing at surface 2"),
    ],
)
def test_a_lens_that_cannot_be_built_says_why(parts, words):
    with pytest.raises(LensError, match=words):
        build(checked(document(**parts), "wrong.toml"))


@pytest.mark.parametrize("clear", [None, 6.0], ids=["clear radii found", "clear radii stated"])
def test_rays_that_all_fail_are_told_with_their_surface(clear):
    blocked = [{"kind": "stop", "thickness": 1}, {"radius": 50, "thickness": 3, "glass": "N-BK7", "inner_radius": 40}]
    rows = [{**row, "semi_diameter": clear} for row in (*blocked, {"radius": -50, "thickness": 48})]
    with pytest.raises(LensError, match="expected rays that reach the image, found that all fail, the first of them at surface 2"):
        build(checked(document(surface=rows), "wrong.toml"))


def test_files_that_are_no_lens(tmp_path):
    (tmp_path / "a.toml").write_text("name = [")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "c.txt").write_text("")
    for name, words in (("a.toml", "expected TOML"), ("b.toml", "expected text in UTF-8"), ("c.txt", "ending in .toml or .zmx")):
        with pytest.raises(LensError, match=words):
            read_lens(tmp_path / name)
    with pytest.raises(LensError, match="expected a lens file or a library lens, found 'no-such-lens'"):
        read_lens("no-such-lens")
    os.mkfifo(tmp_path / "pipe.zmx")
    with pytest.raises(LensError, match="expected a lens file, found no ordinary file"):
        read_lens(tmp_path / "pipe.zmx")
    with pytest.raises(OSError, match="missing"):
        read_lens(tmp_path / "missing.toml")
