"""Bursts of several exposures: which frame leads, one scale of light, highlights from the short frames, noise from the long ones."""

from dataclasses import replace

import numpy as np
import pytest
from burst_scenes import NIGHT, Pose, Scene, burst, hand, light_of, truth, write_burst

from apochromat import bursts

LAMPS = ((120.0, 90.0, 18.0, 40.0), (250.0, 160.0, 25.0, 12.0), (300.0, 60.0, 14.0, 60.0))
SCENE = Scene(256, 384, lamps=LAMPS)
GAINS = {"falling": [1.0, 4.0, 16.0], "mixed": [16.0, 1.0, 4.0], "pairs": [4.0, 4.0, 1.0, 1.0, 16.0, 16.0]}


def merged_files(frames, folder):
    """The result of merging the frames' files as one burst."""
    seen, complaints = bursts.survey(write_burst(frames, folder))
    assert not complaints
    return bursts.merge(bursts.together(seen))


@pytest.fixture(scope="module", params=GAINS, ids=str)
def bracket(request, tmp_path_factory):
    """Light (H, W) of a merged bracket on the reference's scale, the truth on it, where that looks, and its number."""
    gains = GAINS[request.param]
    poses = hand(len(gains))
    result = merged_files(burst(SCENE, poses, gains=gains), tmp_path_factory.mktemp("bracket"))
    n = int(result.reference.stem[-2:])
    light = light_of(result.merged.frame) * 2.0**result.merged.frame.baseline_exposure_ev
    return light, truth(SCENE, poses[n]) / gains[n], poses[n], gains[n], result


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


@pytest.mark.parametrize("lamp", LAMPS[:2], ids=str)
def test_edges_of_highlights_are_neither_doubled_nor_clipped(bracket, lamp):
    """Within 4 px of a lamp's edge no more is wrong than where the shortest frame, taken alone, looks a pixel off."""
    light, expected, pose, gain, _ = bracket
    ring, shorter = np.abs(distance(pose, lamp) - lamp[2]) < 4, 16.0 / gain
    sigma = shorter * np.sqrt(NIGHT.variance(expected / shorter, 1.0, 1))
    off = truth(SCENE, replace(pose, dx=pose.dx + 1)) / gain - expected
    assert np.square(light - expected)[ring].mean() < np.mean(off[ring] ** 2 + sigma[ring] ** 2)
    assert (light - expected.max() - 4.5 * sigma.max())[ring].max() < 0


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
    scale = 2.0**result.merged.frame.baseline_exposure_ev
    model = result.merged.frame.noise
    cells = model.relative_variance().repeat(16, 0).repeat(16, 1)[: SCENE.height, : SCENE.width]
    stated = model.variance(expected / scale, 1.0, 1) * cells
    assert np.square((light - expected) / scale)[patch].mean() / stated[patch].mean() == pytest.approx(1, abs=0.12)


def test_wrong_exposure_times_are_corrected_by_what_the_frames_show(tmp_path):
    """A file that states 10 % more than it had: the merged middle tones are not brighter for it."""
    frames = burst(SCENE, hand(4), gains=[4.0, 4.0, 16.0, 16.0])
    wrong = [replace(f, metadata={**f.metadata, "exposure_s": f.metadata["exposure_s"] * 1.1}) for f in frames[2:]]
    result = merged_files([*frames[:2], *wrong], tmp_path)
    light = light_of(result.merged.frame) * 2.0**result.merged.frame.baseline_exposure_ev
    lamp = LAMPS[1]
    inside = distance(hand(4)[0], lamp) < lamp[2] - 6
    assert light[inside].mean() / (truth(SCENE)[inside].mean() / 4) == pytest.approx(1, abs=0.02)


def test_iso_counts_as_exposure(tmp_path):
    """Two frames at ISO 3200 and two at 800, same time: on one scale, each with its own noise model."""
    frames = burst(Scene(160, 224), [Pose()] * 4, gains=[1.0, 1.0, 4.0, 4.0])
    frames = [
        replace(f, metadata={**f.metadata, "exposure_s": 1 / 30, "iso": iso}) for f, iso in zip(frames, (3200, 3200, 800, 800), strict=True)
    ]
    result = merged_files(frames, tmp_path)
    scale = 2.0**result.merged.frame.baseline_exposure_ev
    error = light_of(result.merged.frame) * scale - truth(Scene(160, 224))
    assert abs(error.mean()) < 2e-3
    assert np.square(error).mean() < 0.62 * np.square(light_of(frames[0]) - truth(Scene(160, 224))).mean()
