"""The merge of one exposure against closed forms: noise, sharpness, movers, shadows, frames that do not belong."""

from dataclasses import replace

import numpy as np
import pytest
from burst_scenes import NIGHT, Mover, Pose, Scene, as_frame, burst, hand, light_of, merged, photographed, psnr, truth

from apochromat.develop.burst.merge import Merge
from apochromat.light.noise import NoiseModel

FRAMES = 8
SURE = 3.7  # standard deviations: a sound merge leaves them once in 5000 runs, and the seeds are fixed


def expected_variance(result, signal):
    """Variance (H, W) that the result's own noise model states for a noise-free mosaic on the result's scale."""
    model = result.frame.noise
    cells = model.relative_variance()
    height, width = signal.shape
    return model.variance(signal, 1.0, 1) * cells.repeat(16, 0).repeat(16, 1)[:height, :width]


@pytest.fixture(scope="module")
def still():
    """A field of one grey, eight times from a tripod: the noise-free mosaic and the merge."""
    scene = Scene(384, 512, kind="flat")
    return truth(scene), merged(burst(scene, [Pose()] * FRAMES))


@pytest.fixture(scope="module")
def handheld():
    """A scene with everything, handheld: noise-free mosaic, first frame, merge."""
    scene = Scene(384, 512)
    frames = burst(scene, hand(FRAMES))
    return scene, truth(scene), light_of(frames[0]), merged(frames)


def test_still_field_keeps_its_mean(still):
    signal, result = still
    for position in range(4):
        part = np.s_[position // 2 :: 2, position % 2 :: 2]
        error = (light_of(result.frame) - signal)[part]
        deviation = np.sqrt(NIGHT.variance(signal[part].mean(), 1.0, 1) / FRAMES / error.size)
        assert abs(error.mean()) < SURE * deviation + 0.5 / 65535  # and half a step of the numbers stored


def test_still_field_has_the_mean_frames_variance(still):
    """sigma^2 / N where all count, sigma^2 / n where n do; nearly all count everywhere."""
    signal, result = still
    assert result.frames.mean() > 0.97 * FRAMES
    ratio = np.square(light_of(result.frame) - signal) / expected_variance(result, signal)
    assert abs(ratio.mean() - 1) < SURE * np.sqrt(2 / ratio.size)
    assert np.square(light_of(result.frame) - signal).mean() / (NIGHT.variance(signal, 1.0, 1).mean() / FRAMES) < 1.05


def test_still_field_has_no_lone_pixels(still):
    """As many samples far from the mean as a normal distribution has: beyond 4 standard deviations 6.3 in 100,000."""
    signal, result = still
    far = np.abs(light_of(result.frame) - signal) / np.sqrt(expected_variance(result, signal))
    expected = 6.33e-5 * signal.size
    assert expected - SURE * np.sqrt(expected) < (far > 4).sum() < expected + SURE * np.sqrt(expected)
    assert far.max() < 5.5


def test_lone_light_on_a_tripod_stays_as_it_is():
    """Pixels of a flat field that are bright in every frame: nothing tells where to look for them but their place."""
    scene, rng = Scene(256, 320, kind="flat"), np.random.default_rng(2)
    where = rng.integers(24, 232, 60), rng.integers(24, 296, 60)
    frames = []
    for n in range(FRAMES):
        signal = photographed(truth(scene), NIGHT, rng)
        signal[where] += 0.4
        frames.append(as_frame(signal, NIGHT, n))
    height = (light_of(merged(frames).frame) - truth(scene))[where] / 0.4
    assert np.abs(height - 1).max() < 0.1


@pytest.mark.parametrize("lag", [(0, 1), (1, 0), (1, 1), (0, 2), (2, 0)])
def test_still_field_keeps_white_noise(still, lag):
    """Samples of one colour 2 or 4 px apart have independent noise: no smoothing in space."""
    signal, result = still
    error = light_of(result.frame) - signal
    for position in range(4):
        n = error[position // 2 :: 2, position % 2 :: 2]
        here, there = n[: n.shape[0] - lag[0], : n.shape[1] - lag[1]], n[lag[0] :, lag[1] :]
        assert abs((here * there).mean() / n.var()) < SURE / np.sqrt(here.size)


def test_handheld_flat_patch_has_white_noise_of_the_stated_variance(handheld):
    """Of the bench's kind: 0.9 to 1.15 of sigma^2 / N, correlation under 0.15; and the file's NoiseProfile within 5 %."""
    scene, signal, _, result = handheld
    rows, columns = scene.flat()
    patch = np.s_[rows.start + 16 : rows.stop - 16, columns.start + 16 : columns.stop - 16]
    error, stated = (light_of(result.frame) - signal)[patch], expected_variance(result, signal)[patch]
    sigma = NIGHT.variance(signal[patch], 1.0, 1) / FRAMES
    assert 0.9 < np.mean(error**2 / sigma) < 1.15
    assert np.mean(error**2 / stated) == pytest.approx(1, abs=0.05)
    for position in range(4):
        n = error[position // 2 :: 2, position % 2 :: 2]
        n = n - n.mean()
        for here, there in ((n[1:], n[:-1]), (n[:, 1:], n[:, :-1])):
            assert abs((here * there).mean() / n.var()) < 0.15


def test_handheld_burst_gains_nearly_as_much_as_the_ideal_mean(handheld):
    _, signal, single, result = handheld
    ideal = psnr(single, signal) + 10 * np.log10(FRAMES)
    assert psnr(light_of(result.frame), signal) > ideal - 2


def test_a_wrong_alignment_would_be_seen(handheld):
    """Negative control: the plain mean of the same burst is far from it."""
    scene, signal, single, _ = handheld
    mean = np.mean([light_of(f) for f in burst(scene, hand(FRAMES))], 0)
    assert psnr(mean, signal) < psnr(single, signal) + 10 * np.log10(FRAMES) - 4


def mtf50(mosaic, scene):
    """Frequency, cycles per pixel, at which the response of the scene's bars falls to half, from green samples where they lie."""
    y, x = np.mgrid[: scene.height, : scene.width]
    used, distance = (x + y) % 2 == 1, scene.edge_distance(x, y)
    used &= (np.abs(distance) < 9) & (np.abs(x - scene.width / 2) > 24)
    used &= (np.minimum(x, scene.width - 1 - x) > 24) & (np.minimum(y, scene.height - 1 - y) > 24)
    bins = ((distance[used] + 9) * 4).astype(int)
    spread = np.bincount(bins, mosaic[used], 72) / np.bincount(bins, minlength=72)
    response = np.abs(np.fft.rfft(np.diff(spread) * np.hanning(71), 4096))
    response /= response[0]
    first = int(np.argmax(response < 0.5))
    share = (response[first - 1] - 0.5) / (response[first - 1] - response[first])
    return (first - 1 + share) * 4 / 4096


def test_edges_stay_sharp():
    """MTF50 of merged edges over those of the noise-free frame: mean of four hands at least 0.95."""
    scene, ratios = Scene(384, 448, kind="bars"), []
    for seed in range(4):
        frames = burst(scene, hand(FRAMES, seed=20 + seed), seed=40 + seed)
        ratios.append(mtf50(light_of(merged(frames).frame), scene) / mtf50(truth(scene), scene))
    assert np.mean(ratios) >= 0.95
    assert max(ratios) < 1.1


def test_a_softer_edge_has_a_lower_mtf50():
    """Negative control: 1 2 1 across and down."""
    scene = Scene(384, 448, kind="bars")
    around = [truth(scene, Pose(dx, dy)) * (2 - abs(dx)) * (2 - abs(dy)) / 16 for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
    assert mtf50(np.sum(around, 0), scene) < 0.8 * mtf50(truth(scene), scene)


@pytest.mark.parametrize(("step", "radius"), [((6.0, 2.0), 26), ((1.5, -1.0), 22), ((25.0, 5.0), 30)])
def test_a_mover_is_no_worse_than_in_the_single_frame(step, radius):
    scene, mover = Scene(320, 448), Mover(190.0, 150.0, radius, step)
    frames = burst(scene, hand(FRAMES), mover=mover)
    signal, single, result = truth(scene, mover=mover), light_of(frames[0]), light_of(merged(frames).frame)
    region = mover.region(scene.height, scene.width, FRAMES)
    assert psnr(result, signal, region) >= psnr(single, signal, region) - 0.2
    region[:24], region[-24:], region[:, :24], region[:, -24:] = True, True, True, True
    assert psnr(result, signal, ~region) > psnr(single, signal, ~region) + 5


@pytest.mark.parametrize("shade", [0.1, 0.4])
def test_a_passing_shadow_is_no_worse_than_in_the_single_frame(shade):
    """Faint and soft, so that no edge gives it away."""
    scene, mover = Scene(320, 448, level=0.4), Mover(190.0, 150.0, 45.0, (9.0, 2.0), shade=shade)
    frames = burst(scene, hand(FRAMES), mover=mover)
    signal, region = truth(scene, mover=mover), mover.region(scene.height, scene.width, FRAMES)
    assert psnr(light_of(merged(frames).frame), signal, region) >= psnr(light_of(frames[0]), signal, region) - 0.2


def test_noisier_frames_weigh_less():
    """Two frames and two of four times their variance are worth 2 + 2 / 4 of the first, where all are believed."""
    scene, rough = Scene(256, 384, kind="flat"), NoiseModel(4 * NIGHT.scale, 4 * NIGHT.offset)
    result = merged(burst(scene, [Pose()] * 2) + burst(scene, [Pose()] * 2, noise=rough, seed=5))
    assert np.median(result.frames) == pytest.approx(2.5, abs=1e-3)
    assert result.frame.noise.offset == pytest.approx(NIGHT.offset / 2.5, rel=1e-3)
    ratio = np.square(light_of(result.frame) - truth(scene)) / expected_variance(result, truth(scene))
    assert abs(ratio.mean() - 1) < SURE * np.sqrt(2 / ratio.size)


def test_a_frame_of_something_else_counts_nothing():
    scene = Scene(256, 320)
    frames, other = burst(scene, hand(3)), burst(replace(scene, seed=77, level=0.3), [Pose()])[0]
    merge = Merge(frames[0])
    assert merge.add(frames[1]) > 0.7
    assert merge.add(replace(other, path="other.dng")) < 0.1
    result = merge.result()
    assert result.share["other.dng"] == 0
    assert result.frames.max() <= 2


def test_frames_of_another_size_or_without_a_mosaic_are_refused():
    frame = burst(Scene(96, 128), [Pose()])[0]
    merge = Merge(frame)
    with pytest.raises(ValueError, match=r"expected a frame of 128 x 96 pixels, found .*: small.dng"):
        merge.add(replace(burst(Scene(96, 96), [Pose()])[0], path="small.dng"))
    linear = replace(frame, samples=np.repeat(frame.samples[..., None], 3, -1), cfa="", path="linear.dng")
    linear = replace(linear, levels=replace(linear.levels, black=np.full((1, 1, 3), 256, np.float32), white=np.full(3, 4095, np.float32)))
    with pytest.raises(ValueError, match=r"expected a frame with a mosaic.*linear.dng"):
        merge.add(linear)
