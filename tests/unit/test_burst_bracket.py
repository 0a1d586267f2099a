"""Bursts of several exposures: which frame leads, one scale of light, highlights from the short frames, noise from the long ones."""

from dataclasses import replace

import numpy as np
import pytest
from burst_scenes import NIGHT, Mover, Pose, Scene, burst, hand, light_of, truth, write_burst
from frames import NEUTRAL

from apochromat import bursts
from apochromat.light.noise import NoiseModel

LAMPS = ((120.0, 90.0, 18.0, 40.0), (250.0, 160.0, 25.0, 12.0), (300.0, 60.0, 14.0, 60.0))
SCENE = Scene(256, 384, lamps=LAMPS)
GAINS = {"falling": [1.0, 4.0, 16.0], "mixed": [16.0, 1.0, 4.0], "pairs": [4.0, 4.0, 1.0, 1.0, 16.0, 16.0]}


def merged_files(frames, folder):
    """The result of merging the frames' files as one burst."""
    seen, complaints = bursts.survey(write_burst(frames, folder))
    assert not complaints
    return bursts.merge_burst(bursts.together(seen))


def light_in(result):
    """Light (H, W) of a merged bracket on the reference's scale."""
    return light_of(result.merged.frame) * 2.0**result.merged.frame.baseline_exposure_ev


@pytest.fixture(scope="module", params=GAINS, ids=str)
def bracket(request, tmp_path_factory):
    """Light (H, W) of a merged bracket on the reference's scale, the truth on it, where that looks, its gain, and the result."""
    gains = GAINS[request.param]
    poses = hand(len(gains))
    result = merged_files(burst(SCENE, poses, gains=gains), tmp_path_factory.mktemp("bracket"))
    n = int(result.reference.stem[-2:])
    return light_in(result), truth(SCENE, poses[n]) / gains[n], poses[n], gains[n], result


def distance(pose, lamp):
    x, y = pose.places(SCENE.height, SCENE.width)
    return np.hypot(x - lamp[0], y - lamp[1])


def test_the_longest_frame_with_few_clipped_samples_leads(bracket):
    _, _, _, gain, result = bracket
    assert gain == 4.0
    assert not result.complaints


def test_the_scale_holds_the_brightest_light(bracket):
    """A quarter of the reference's exposure was the shortest: two stops more above white, and BaselineExposure says so."""
    light, _, _, _, result = bracket
    assert result.merged.frame.baseline_exposure_ev == pytest.approx(2.0, abs=1e-3)
    assert light.max() > 1.5
    assert result.merged.frame.samples.max() < 65535


@pytest.mark.parametrize("lamp", LAMPS, ids=str)
def test_highlights_are_right_to_two_percent(bracket, lamp):
    light, expected, pose, _, _ = bracket
    inside = distance(pose, lamp) < lamp[2] - 6
    assert light[inside].mean() / expected[inside].mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("lamp", LAMPS, ids=str)
def test_edges_of_highlights_are_neither_doubled_nor_rimmed(bracket, lamp):
    """Within 4 px of a lamp's edge no more is wrong than where the shortest frame, taken alone, looks a pixel off; nothing is darker than
    the dark side or brighter than the lamp, by three times the reference's noise or, where that clips, by the shortest frame's."""
    light, expected, pose, gain, _ = bracket
    ring, shorter = np.abs(distance(pose, lamp) - lamp[2]) < 4, 16.0 / gain
    sigma = shorter * np.sqrt(NIGHT.variance(expected / shorter, 1.0, 1))
    off = truth(SCENE, replace(pose, dx=pose.dx + 1)) / gain - expected
    assert np.square(light - expected)[ring].mean() < np.mean(off[ring] ** 2 + sigma[ring] ** 2)
    shown = ring & (distance(pose, lamp) > lamp[2] + 1.5)
    assert light[shown].min() > expected[shown].min() - 0.03
    assert (light - expected.min() + 3.7 * sigma)[ring].min() > 0
    assert (light - expected.max() - 4.5 * sigma.max())[ring].max() < 0


@pytest.mark.parametrize("lamp", LAMPS, ids=str)
@pytest.mark.parametrize("color", ["red", "green", "blue"])
def test_no_ring_around_a_highlight(bracket, lamp, color):
    """Means around the lamp, pixel by pixel of distance from its edge: a seventh of its light off at most where it begins, since its edge
    may be as soft as an interpolated frame's, a fiftieth elsewhere, and noise; nowhere outside darker than that; in every colour."""
    light, expected, pose, gain, _ = bracket
    rows, columns = np.indices(light.shape)
    own = {"red": (rows + columns) % 2 + rows % 2 == 0, "green": (rows + columns) % 2 == 1, "blue": rows % 2 * columns % 2 == 1}[color]
    lit, shorter = expected[own & (distance(pose, lamp) < lamp[2] - 4)].mean(), 16.0 / gain
    for edge in range(-6, 9):
        ring = own & (np.floor(distance(pose, lamp) - lamp[2]) == edge)
        if ring.sum() < 8:
            continue
        noise = shorter * np.sqrt(NIGHT.variance(expected[ring] / shorter, 1.0, 1).mean() / ring.sum())
        above, fine = (light - expected)[ring].mean(), 0.02 * lit + 3.7 * noise
        assert abs(above) < (0.15 * lit + 3.7 * noise if -3 <= edge < 3 else fine), f"{edge} px from the edge"
        assert above > -fine or edge < 0, f"a dark ring {edge} px from the edge"


def test_shadows_have_the_long_frames_noise(bracket):
    """Away from lamps the long frame counts four times as much light: noise falls well below the reference's."""
    light, expected, pose, gain, _ = bracket
    far = np.all([distance(pose, lamp) > lamp[2] + 20 for lamp in LAMPS], 0)
    far[:24], far[-24:], far[:, :24], far[:, -24:] = False, False, False, False
    single = NIGHT.variance(expected[far], 1.0, 1).mean()
    assert np.square(light - expected)[far].mean() < single / 4
    assert gain == 4.0


def test_the_noise_profile_is_that_of_the_merged_light(bracket):
    """In the flat patch, measured against stated, on the file's own scale."""
    light, expected, pose, _, result = bracket
    rows, columns = SCENE.flat()
    x, y = pose.places(SCENE.height, SCENE.width)
    patch = (y > rows.start + 12) & (y < rows.stop - 12) & (x > columns.start + 12) & (x < columns.stop - 12)
    patch &= np.all([distance(pose, lamp) > lamp[2] + 30 for lamp in LAMPS], 0)
    assert measured_over_stated(light, expected, result)[patch].mean() == pytest.approx(1, abs=0.12)


def measured_over_stated(light, expected, result):
    """Squared error (H, W) over the variance that the file states, on the file's own scale."""
    scale, model = 2.0**result.merged.frame.baseline_exposure_ev, result.merged.frame.noise
    cells = model.relative_variance().repeat(16, 0).repeat(16, 1)[: SCENE.height, : SCENE.width]
    return np.square((light - expected) / scale) / (model.variance(expected / scale, 1.0, 1) * cells)


def test_the_map_knows_how_few_frames_show_a_lamp(bracket):
    """Inside the brightest lamp only the shortest frames count: their noise, as stated, within a factor of two."""
    light, expected, pose, _, result = bracket
    inside = distance(pose, LAMPS[0]) < LAMPS[0][2] - 5
    assert 0.5 < measured_over_stated(light, expected, result)[inside].mean() < 2


def test_wrong_exposure_times_are_corrected_by_what_the_frames_show(tmp_path):
    """A file that states 10 % more than it had: the merged middle tones are not brighter for it."""
    frames = burst(SCENE, hand(4), gains=[4.0, 4.0, 16.0, 16.0])
    wrong = [replace(f, metadata={**f.metadata, "exposure_s": f.metadata["exposure_s"] * 1.1}) for f in frames[2:]]
    light, lamp = light_in(merged_files([*frames[:2], *wrong], tmp_path)), LAMPS[1]
    inside = distance(hand(4)[0], lamp) < lamp[2] - 6
    assert light[inside].mean() / (truth(SCENE)[inside].mean() / 4) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("gains", [[1.0, 4.0, 16.0], [4.0, 1.0, 16.0], [1.0, 4.0, 4.0, 16.0, 16.0]])
def test_the_picture_is_as_bright_as_the_middle_exposure(gains, tmp_path):
    """Whichever frame leads: a dim scene's longest, a bright one's middle."""
    for level in (0.1, 1.5):
        scene = Scene(96, 128, level=level, kind="flat")
        frame = merged_files(burst(scene, [Pose()] * len(gains), gains=gains), tmp_path / str(level)).merged.frame
        bright = light_of(frame).mean() * 2.0**frame.baseline_exposure_ev
        assert bright == pytest.approx(truth(scene).mean() / 4, rel=0.02)


def test_iso_counts_as_exposure(tmp_path):
    """Two frames at ISO 3200 and two at 800, same time: on one scale, each with its own noise model."""
    frames = burst(Scene(160, 224), [Pose()] * 4, gains=[1.0, 1.0, 4.0, 4.0])
    frames = [
        replace(f, metadata={**f.metadata, "exposure_s": 1 / 30, "iso": iso}) for f, iso in zip(frames, (3200, 3200, 800, 800), strict=True)
    ]
    error = light_in(merged_files(frames, tmp_path)) - truth(Scene(160, 224))
    assert abs(error.mean()) < 2e-3
    assert np.square(error).mean() < 0.62 * np.square(light_of(frames[0]) - truth(Scene(160, 224))).mean()


def test_a_low_iso_bracket_uses_every_frame(tmp_path):
    """Noise so low that a hundredth of a stop between the frames would show: all of them are believed nearly everywhere."""
    base = NoiseModel(np.full(3, 1e-4), np.full(3, 1e-7))
    frames = burst(SCENE, hand(3), noise=base, gains=[4.0, 1.0, 16.0])
    wrong = [
        replace(f, metadata={**f.metadata, "exposure_s": f.metadata["exposure_s"] * s})
        for f, s in zip(frames, (1, 0.96, 1.05), strict=True)
    ]
    result = merged_files(wrong, tmp_path)
    assert min(result.merged.share.values()) > 0.8


def test_a_mover_in_a_bracket_leaves_no_ghost(tmp_path):
    """Where something moved the picture is no worse than the reference alone."""
    scene, mover, poses, gains = Scene(320, 448, level=0.3), Mover(190.0, 150.0, 28.0, (24.0, 6.0)), hand(3), [4.0, 1.0, 16.0]
    frames = burst(scene, poses, gains=gains, mover=mover)
    result = merged_files(frames, tmp_path)
    n = int(result.reference.stem[-2:])
    signal, single = truth(scene, poses[n], mover=mover, n=n) / gains[n], light_of(frames[n])
    x, y = poses[n].places(scene.height, scene.width)
    region = np.any([np.hypot(x - 190 - k * 24, y - 150 - k * 6) < 32 for k in range(3)], 0)
    light, lit = light_of(result.merged.frame) * 16 / gains[n], signal < 0.95
    assert np.square(light - signal)[region & lit].mean() < 1.05 * np.square(single - signal)[region & lit].mean()


def test_a_lamp_that_moved_is_white_where_the_reference_shows_it(tmp_path):
    """No other frame knows how bright it was there: white by the camera's neutral, neither grey nor magenta; and none where it went."""
    places, gains, frames = [(120.0, 90.0), (160.0, 120.0), (200.0, 150.0)], [4.0, 1.0, 16.0], []
    for n, (x, y) in enumerate(places):
        frames.append(burst(Scene(256, 384, level=1.2, lamps=((x, y, 10.0, 10.0),)), [Pose()] * 3, gains=gains)[n])
    result = merged_files(frames, tmp_path)
    assert result.reference.stem == "frame_00"
    light = light_in(result)
    y, x = np.indices(light.shape)
    lit = np.hypot(x - 120, y - 90) < 7
    red, green, blue = (light[lit & (y % 2 == j) & (x % 2 == i)].mean() for j, i in ((0, 0), (0, 1), (1, 1)))
    assert green > 0.95 * 0.98 / NEUTRAL.min() * NEUTRAL[1]
    assert red / green == pytest.approx(NEUTRAL[0] / NEUTRAL[1], rel=0.1)
    assert blue / green == pytest.approx(NEUTRAL[2] / NEUTRAL[1], rel=0.1)
    for other in places[1:]:
        left = np.hypot(x - other[0], y - other[1]) < 16
        assert light[left].max() < 0.75
