"""The twin's way through the lens in parts: resampling, far light, what moves and what it hides."""

import weakref
from dataclasses import replace

import numpy as np
import pytest

from apochromat.camera.description import camera
from apochromat.camera.exposure import Exposure
from apochromat.light.scene import Layer, Scene
from apochromat.light.spectra import illuminant
from apochromat.optics import spreading
from apochromat.optics.imaging import add_veil, channel_weights, imaged
from apochromat.optics.kernels import NODES_NM
from apochromat.optics.moving import displaced
from apochromat.optics.node_transforms import independent
from apochromat.optics.psf_field import TILES, PsfField, psf_field
from apochromat.optics.resampling import prepared, sampled
from apochromat.optics.spreading import spread
from apochromat.scene import gull, make_scene
from apochromat.shoot import ideal_image, rigged, shoot

D65 = illuminant("D65")
CROP = (384, 512)


@pytest.mark.parametrize(("oversample", "bound"), [(1.25, 0.015), (1.5, 0.006), (2.0, 0.003), (3.0, 0.002)])
def test_resampling_gives_the_mean_over_a_pixel_at_any_place(oversample, bound):
    """Waves from still to the pixels' Nyquist frequency, given as means over cells, at places that fall anywhere between them."""
    cells, place = np.arange(240), np.linspace(60, 180, 977)
    for frequency in np.linspace(0, 0.5, 11) / oversample:
        wave = np.cos(2 * np.pi * frequency * cells) * np.sinc(frequency)
        plane = prepared(np.broadcast_to(wave, (1, 48, 240)).astype(np.float32), oversample)[0]
        found = sampled(plane, np.full((1, len(place)), 0.37), place[None] - 119.5, oversample)[0]
        expected = np.cos(2 * np.pi * frequency * place) * np.sinc(frequency * oversample)
        assert found == pytest.approx(expected, abs=bound)


def test_resampling_keeps_what_is_even():
    plane = prepared(np.full((1, 40, 50), 3.0, np.float32), 1.25)[0]
    y, x = np.meshgrid(np.linspace(-24, 24, 61), np.linspace(-29, 29, 61), indexing="ij")
    assert sampled(plane, y, x, 1.25) == pytest.approx(3.0, rel=2e-4)


@pytest.mark.parametrize(("by", "smear"), [(0.0, 0.0), (2.3, 0.0), (-1.6, 0.4), (3.25, 7.5), (11.0, 30.0)])
def test_what_is_displaced_keeps_its_light_and_its_middle_moves(by, smear):
    part = np.zeros((2, 3, 40))
    part[:, :, 10:14] = (1, 2, 3, 4)
    first, found = displaced(part, by, smear)
    at = np.arange(found.shape[-1]) + first
    assert found.sum(-1) == pytest.approx(10)
    assert (found * at).sum(-1) / 10 == pytest.approx((part * np.arange(40)).sum(-1) / 10 + by, abs=1e-6)
    spread = ((found - 0) * at**2).sum(-1) / 10 - ((found * at).sum(-1) / 10) ** 2
    assert spread[0, 0] == pytest.approx(1.0 + smear**2 / 12, abs=0.26)  # what is linear between cells adds a sixth to a quarter


@pytest.fixture(scope="module")
def rig():
    return rigged(camera("flagship-2025"), "tele-apo", crop=CROP)


def field_of(rig, distance_m=np.inf):
    pitch = rig.pitch_mm / rig.oversample
    frame_mm = rig.ideal_shape[0] * pitch, rig.ideal_shape[1] * pitch
    return psf_field(rig.lens, rig.seen, distance_m, frame_mm, pitch * 1e3, rig.pitch_mm * 1e3)


def point(rig, *places, distance_m=np.inf):
    plane = np.zeros((1, *rig.ideal_shape), np.float32)
    for y, x in places:
        plane[0, y, x] = 1e6
    return Layer(plane, distance_m)


def test_a_lamp_has_a_round_glow_that_falls_with_the_cube_of_the_distance(rig):
    """Rings that cross the rim of the kernel's square: no step at its edge, none at its corners."""
    weights = channel_weights(D65[None], rig.response)
    middle = [n // 2 for n in rig.ideal_shape]
    light = imaged([point(rig, middle)], {np.inf: field_of(rig)}, weights)[1]
    y, x = (np.arange(n) - m for n, m in zip(light.shape, middle, strict=True))
    radius, angle = np.hypot(y[:, None], x), np.arctan2(y[:, None], x)
    diagonal = np.abs(np.abs(np.sin(2 * angle))) > 0.7
    rings = [(radius >= r) & (radius < r + 6) for r in (16, 22, 28, 34, 40, 60, 90)]
    for ring in rings:
        assert light[ring & diagonal].mean() == pytest.approx(light[ring & ~diagonal].mean(), rel=0.25)
    fall = [np.log(light[ring].mean()) for ring in rings]
    slopes = np.diff(fall) / np.diff([np.log(radius[ring].mean()) for ring in rings])
    assert slopes == pytest.approx(-3, abs=0.8)


def test_nothing_shines_through_what_is_opaque(rig):
    """A black board before a wall, two of its kernels' widths from the edge: of the wall only the light that falls far."""
    weights, (height, width) = channel_weights(D65[None], rig.response), rig.ideal_shape
    cover = np.zeros((height, width), np.float32)
    cover[60:-60, 60:-60] = 1
    wall = np.zeros((1, height, width), np.float32)
    wall[:, 200:-200, 200:-200] = 1
    field = field_of(rig)
    light = imaged([Layer(wall, 100.0), Layer(cover[None] * 0, 5.0, cover)], {100.0: field, 5.0: field}, weights)
    assert light[:, 190:-190, 190:-190].max() <= 1e-7 * weights.sum()


def test_nothing_shines_through_where_kernels_move_apart(rig):
    """Kernels whose light lies ever farther out, as coma and lateral colour have it: a cover thins out by 3 %, and hides all the same."""
    weights, (height, width) = channel_weights(D65[None], rig.response), rig.ideal_shape
    rows, columns = TILES
    kernels = np.zeros((rows + 1, columns + 1, len(NODES_NM), 15, 15), np.float32)
    for i, j in np.ndindex(rows + 1, columns + 1):
        for axis, (place, count) in enumerate(((i, rows), (j, columns))):
            moved = 0.015 * (height, width)[axis] / 2 * place / count  # cells
            low, part = int(moved), moved - int(moved)
            line = np.zeros(15)
            line[7 + low], line[8 + low] = 1 - part, part
            kernels[i, j] = line[:, None] if axis == 0 else kernels[i, j] * line
    field = PsfField(kernels, np.zeros((rows + 1, columns + 1, len(NODES_NM)), np.float32), 1.0)
    cover = np.zeros((height, width), np.float32)
    cover[60:-60, 60:-60] = 1
    layers = [Layer(np.ones((1, height, width), np.float32), 100.0), Layer(cover[None] * 0, 5.0, cover)]
    light = imaged(layers, {100.0: field, 5.0: field}, weights)
    assert light[:, 90:-90, 90:-90].max() <= 1e-7 * weights.sum()
    assert light[:, :30].min() > 0.9 * weights.sum(-1).min()


def test_veil_is_taken_from_where_it_is_scattered(rig):
    light = np.zeros((3, *rig.ideal_shape), np.float32)
    light[:, 100, 120] = 5.0
    add_veil(light, 0.02)
    assert light.sum((1, 2), dtype=float) == pytest.approx([5, 5, 5], rel=1e-4)
    assert light[:, 100, 120] == pytest.approx(5 * 0.98, rel=1e-3)


def board_before_lamp(rig, left, lamp_is=1e5):
    """A dark board, 80 x 120 cells, that walks from `left` cells beside a lamp in a wall that is 1; and the lamp's cell."""
    height, width = rig.ideal_shape
    wall, cover = np.full((1, height, width), 1.0, np.float32), np.zeros((height, width), np.float32)
    lamp = height // 2, width // 2 + 40
    wall[0, lamp[0], lamp[1]] = lamp_is
    cover[lamp[0] - 60 : lamp[0] + 60, lamp[1] + left : lamp[1] + left + 80] = 1
    board = Layer(cover[None] * np.float32(0.2), 5.0, cover, moves=True)
    return Scene("walk", D65[None] * 30.0, (Layer(wall, np.inf), board), 100.0, "the wall", D65), lamp


def mean_electrons(ideal, rig, count=1, exposure_s=1e-3):
    exposure = Exposure(exposure_s, rig.sensor.converter.base_iso.value, count, 0.0)
    return list(shoot(ideal, rig, [exposure] * count, still=True))


def test_a_subject_that_has_left_the_picture_leaves_what_is_behind(rig):
    """The last of three long frames is, but for noise, one without anybody."""
    ideal = ideal_image(board_before_lamp(rig, -240, lamp_is=1)[0], rig)
    first, _, last = mean_electrons(ideal, rig, 3, exposure_s=0.3)
    alone = mean_electrons(replace(ideal, movers=()), rig, exposure_s=0.3)[0]
    assert last.subjects_px[0] > rig.shape[1]
    assert np.array_equal(last.mean, alone.mean)
    assert not np.array_equal(first.mean, alone.mean)


def test_movement_of_a_subject_is_that_of_its_edges(rig):
    """The board's middle in noise-free greens, over the wall without it, beside what is told: 0.1 pixel."""
    scene, _ = board_before_lamp(rig, -240, lamp_is=1)
    ideal = ideal_image(scene, rig)
    wall = mean_electrons(replace(ideal, movers=()), rig)[0].mean
    shots = mean_electrons(ideal, rig, 3)
    row = np.s_[rig.shape[0] // 2 - 30 : rig.shape[0] // 2 - 10]
    across, middles = np.arange(rig.shape[1]), []
    for shot in shots:
        dark = 1 - (shot.mean / wall)[row].mean(0)
        middles.append(float((dark * across).sum() / dark.sum()))
    told = [shot.subjects_px[0] for shot in shots]
    assert np.diff(told).min() > 2
    assert np.diff(middles) == pytest.approx(np.diff(told), abs=0.1)


def test_a_lamp_behind_what_moves_is_gone_with_its_glow(rig):
    """Beside the board the lamp is a thousand times the board; behind it, what is seen there is the board."""
    unveiled = replace(rig, module=rig.module.model_copy(update={"veil": rig.module.veil.model_copy(update={"value": 0.0})}))
    seen = {}
    for left in (20, -40):
        scene, lamp = board_before_lamp(rig, left)
        y, x = (int((n - m / 2) / rig.oversample + size / 2) for n, m, size in zip(lamp, rig.ideal_shape, rig.shape, strict=True))
        mean = mean_electrons(ideal_image(scene, unveiled), unveiled, exposure_s=1e-5)[0].mean
        seen[left] = mean[y - 2 : y + 3, x - 2 : x + 3].max()
        board = np.median(mean[y - 20 : y + 20, x - 20 : x + 20])
    assert seen[20] > 1000 * board
    assert seen[-40] < 2.5 * board  # colours of the mosaic


def sharp_field(rig, glow=0.0):
    """A lens that spreads nothing but a share, which falls by the cube of the distance."""
    kernels = np.zeros((TILES[0] + 1, TILES[1] + 1, len(NODES_NM), 63, 63), np.float32)
    y, x = np.mgrid[-31:32, -31:32]
    tail = (x**2 + y**2 + 1.0) ** -1.5
    kernels[:] = glow * tail / tail.sum()
    kernels[..., 31, 31] += 1 - glow
    return PsfField(kernels, np.zeros(kernels.shape[:3]), rig.pitch_mm * 1e3 / rig.oversample)


def test_full_resolution_is_four_photodiodes_of_each_pixel():
    """A wall that brightens to the right: each photodiode has a quarter of the electrons; the file has the colours of a 2 x 2 mosaic,
    numbers of the binned frame, and twice its noise."""
    frames, signal = {}, {}
    for full, crop in ((False, (192, 256)), (True, (384, 512))):
        rig = rigged(camera("flagship-2025"), "main", crop=crop, full=full)
        height, width = rig.ideal_shape
        wall = np.broadcast_to(0.3 + 0.2 * (np.arange(width) - width / 2) / width, (1, height, width)).astype(np.float32)
        scene = Scene("wall", D65[None] * 30.0, (Layer(wall, np.inf),), 100.0, "the wall", D65)
        (shot,) = mean_electrons(ideal_image(scene, rig, {np.inf: sharp_field(rig)}), rig, exposure_s=2e-3)
        frames[full], signal[full] = shot, shot.noise_free(rig) - shot.captured.black
    assert frames[True].captured.samples.shape == (384, 512)
    assert frames[True].mean.sum() == pytest.approx(frames[False].mean.sum(), rel=5e-3)
    for phase in (np.s_[0::2, 0::2], np.s_[0::2, 1::2], np.s_[1::2, 1::2]):
        assert signal[True][phase].mean() == pytest.approx(signal[False][phase].mean(), rel=0.02)
        captured = frames[True].captured
        off = (captured.samples.astype(float) - captured.black - signal[True])[phase] / (captured.white - captured.black)
        plane = 0 if phase == np.s_[0::2, 0::2] else 2 if phase == np.s_[1::2, 1::2] else 1
        expected = captured.noise.variance(signal[True][phase] / (captured.white - captured.black), 1.0, plane).mean()
        assert off.var() == pytest.approx(expected, rel=0.1)


def test_layers_painted_on_demand_make_the_same_picture():
    """The portrait, whose layers are then never held together."""
    rig = rigged(camera("flagship-2025"), "main", crop=(96, 128))
    fields = dict.fromkeys((60.0, 4.0, gull.AWAY, 1.2), sharp_field(rig))
    at_once, by_layers = (
        ideal_image(make_scene("portrait", *rig.ideal_shape, painted=painted), rig, fields, truth=True) for painted in (True, False)
    )
    assert (at_once.signals == by_layers.signals).all()
    assert (at_once.xyz == by_layers.xyz).all()
    assert sorted(set(by_layers.depth_m.ravel().tolist())) == pytest.approx([1.2, 4.0, 60.0])


def test_strips_are_every_row_once_and_the_light_is_that_of_the_whole(rig):
    """Of a part of the frame, from whose tiles only some are lit: all of its light, and no row twice."""
    field, weights = field_of(rig), channel_weights(D65[None], rig.response)
    height, width = rig.ideal_shape
    part = np.random.default_rng(5).random((height // 2, width // 3)).astype(np.float32)
    corner, seen, whole = (height // 5, width // 2), np.zeros(height, int), np.zeros((3, height, width), np.float32)

    def take(strip):
        seen[strip.box[0]] += 1
        whole[:, *strip.box] += strip.planes

    spread([part], field, weights, 2, lambda _: None, rig.ideal_shape, corner, take)
    first, last = corner[0], corner[0] + len(part)
    pad = field.kernels.shape[-1] // 2
    assert (seen[max(first - pad, 0) : last + pad] == 1).all()
    assert seen.sum() == min(last + pad, height) - max(first - pad, 0)
    held = 1 - np.einsum("kcw,ijw->cij", weights, field.lost).mean((1, 2)) / weights.sum((0, 2))
    assert whole.sum((1, 2), dtype=float) == pytest.approx(part.sum(dtype=float) * weights.sum((0, 2)) * held, rel=2e-3)


def test_large_frames_are_spread_in_smaller_tiles_to_the_same_light(rig, monkeypatch):
    weights = channel_weights(D65[None], rig.response)
    plane = np.random.default_rng(6).random((1, *rig.ideal_shape)).astype(np.float32)
    field, found = field_of(rig), []
    for largest in (spreading.LARGEST, 35):
        monkeypatch.setattr(spreading, "LARGEST", largest)
        found.append(imaged([Layer(plane, np.inf)], {np.inf: field}, weights))
    assert found[1] == pytest.approx(found[0], abs=1e-5 * float(found[0].max()))


def test_beside_a_lamp_no_pixel_is_darker_than_those_farther_off(rig):
    """A square lamp ten thousand times its wall, through a sharp lens that leaves a glow about it: from it outwards light only falls."""
    height, width = rig.ideal_shape
    wall = np.full((1, height, width), 1.0, np.float32)
    wall[0, 210:251, 300:343] = 1e4
    scene = Scene("lamp", D65[None] * 30.0, (Layer(wall, np.inf),), 100.0, "the wall", D65)
    unveiled = replace(rig, module=rig.module.model_copy(update={"veil": rig.module.veil.model_copy(update={"value": 0.0})}))
    ideal = ideal_image(scene, unveiled, {np.inf: sharp_field(rig, 0.04)})
    greens = mean_electrons(ideal, unveiled, exposure_s=1e-5)[0].mean[0::2, 1::2]
    lit = np.argwhere(greens > 0.5 * greens.max())
    for row in greens[lit[:, 0].min() + 3 : lit[:, 0].max() - 2]:
        onward = row[np.flatnonzero(row > 0.5 * row.max())[-1] :][:8]
        assert (onward[1:] <= 1.05 * onward[:-1]).all(), onward


def test_a_layer_is_let_go_before_the_next_is_painted(rig):
    """By weak references to the coefficients of those before."""
    field, alive = sharp_field(rig), []

    def painted():
        for distance_m in (8.0, 4.0, 2.0):
            assert not [one for one in alive if one() is not None]
            cover = np.zeros(rig.ideal_shape, np.float32)
            cover[100:200, 100:200] = 1
            layer = Layer(np.ones((1, *rig.ideal_shape), np.float32), distance_m, None if distance_m == 8 else cover)
            alive.append(weakref.ref(layer.coefficients))
            yield layer
            del layer

    imaged(painted(), dict.fromkeys((8.0, 4.0, 2.0), field), channel_weights(D65[None], rig.response))
    assert len(alive) == 3


def test_planes_that_depend_on_one_another_are_transformed_as_fewer():
    """Eight spectra on three surfaces, one of them ten thousand times darker: three planes, and the same light in every channel."""
    rng = np.random.default_rng(8)
    surfaces = rng.integers(0, 3, (60, 70))[None] == np.arange(3)[:, None, None]
    planes = np.einsum("sk,shw->khw", rng.normal(0, 1, (3, 8)) * [[1], [1e-4], [0.3]], surfaces).astype(np.float32)
    mixing = rng.random((8, 3, 10)).astype(np.float32)
    fewer, mixed = independent(planes, mixing)
    assert len(fewer) == len(mixed) == 3
    one, other = (np.einsum("khw,kcm->cmhw", *pair) for pair in ((planes, mixing), (fewer, mixed)))
    assert other == pytest.approx(one, abs=1e-5)
    full = planes + rng.normal(0, 1e-3, planes.shape).astype(np.float32)
    assert independent(full, mixing)[0] is full


def test_many_spectra_give_the_light_of_each_by_itself(rig):
    """Through kernels of every wavelength, as those of one spectrum at a time through theirs."""
    spectra = np.stack([illuminant(name) / illuminant(name).max() for name in ("A", "D65", "F11", "LED-B3", "HP1")])
    planes = np.random.default_rng(9).random((5, *rig.ideal_shape)).astype(np.float32)
    field, weights = field_of(rig), channel_weights(spectra, rig.response)
    together = imaged([Layer(planes, np.inf)], {np.inf: field}, weights)
    alone = sum(imaged([Layer(planes[k : k + 1], np.inf)], {np.inf: field}, weights[k : k + 1]) for k in range(5))
    assert together == pytest.approx(alone, abs=2e-6 * float(alone.max()))
