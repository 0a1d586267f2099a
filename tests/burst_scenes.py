"""Small handheld bursts whose truth is known in closed form: a scene that can be looked at anywhere, frames, files.

    scene = Scene(256, 384)                        # texture, slanted edges, a flat patch
    frames = burst(scene, [Pose(), Pose(1.3, -0.4)])   # RAW frames with the model's noise, the first one where the scene lies
    paths = write_burst(frames, folder)

Colours are camera RGB, linear, 1.0 the white level. Positions are pixels of the first frame, x to the right, y down.
"""

from dataclasses import dataclass, replace

import numpy as np
from frames import NEUTRAL, frame_of, mosaic_of

from apochromat.develop.burst.merge import Merge
from apochromat.light.noise import NoiseModel
from apochromat.raw import write_dng

NIGHT = NoiseModel(np.full(3, 2.5e-3), np.full(3, 2e-5))  # about ISO 3200
BLUR = 0.55  # px: standard deviation of the edges' spread, that of a lens and a pixel
TILT = np.radians(7)  # of the edges
WAVES = 20
FINEST, OCTAVES = 0.25, 4  # cycles per pixel of the finest wave, and how far down the others go


@dataclass(frozen=True)
class Pose:
    """Where a frame looks: a point x of the frame shows the scene at centre + turn (1 + zoom) (x - centre) + (dx, dy).

    `wobble` is how far, in pixels, rows are shifted to either side and back from top to bottom, as by a rolling shutter.
    """

    dx: float = 0.0
    dy: float = 0.0
    degrees: float = 0.0
    zoom: float = 0.0
    wobble: float = 0.0

    def places(self, height, width):
        """Scene positions x, y (height, width) of the pixels."""
        return self.seen(*np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float)), height, width)

    def seen(self, x, y, height, width):
        """Scene positions of points x, y of the frame."""
        c, s = (1 + self.zoom) * np.cos(np.radians(self.degrees)), (1 + self.zoom) * np.sin(np.radians(self.degrees))
        u, v = x - (width - 1) / 2, y - (height - 1) / 2
        shaken = self.dx + self.wobble * np.sin(2 * np.pi * y / height)
        return c * u - s * v + shaken + (width - 1) / 2, s * u + c * v + self.dy + (height - 1) / 2

    def displacement(self, x, y, height, width):
        """Of the frame against the first one: d (..., 2) with frame(x + d) showing what the first frame shows at x, y."""
        d = np.zeros((*np.shape(x), 2))
        for _ in range(30):  # steps of a fixed point, each closer by a factor of 20 or more
            there = self.seen(x + d[..., 0], y + d[..., 1], height, width)
            d -= np.stack([there[0] - x, there[1] - y], -1)
        return d


@dataclass(frozen=True)
class Scene:
    """Waves of all directions up to FINEST and, at the right, a flat patch.

    `level` is the mean signal, `contrast` that of the waves; `kind` "texture", "flat" (nothing but the level), "bars" (slanted edges 20 to
    34 px apart, near upright left and near level right, from 0.2 to 1.8 of the level), "stripes" (of 8 px, nothing else) or "sparse" (flat
    but for a patch of waves at the middle). `lamps` are discs (x, y, radius, times the level).
    """

    height: int
    width: int
    level: float = 0.12
    contrast: float = 1.0
    kind: str = "texture"
    seed: int = 1
    lamps: tuple[tuple[float, float, float, float], ...] = ()

    def flat(self):
        """Slices of the flat patch, even sides."""
        return self._part(0.70, 0.30)

    def _part(self, left, share):
        top, start = self.height // 3 // 2 * 2, int(left * self.width) // 2 * 2
        return np.s_[top : top + self.height // 3 // 2 * 2, start : start + int(share * 0.9 * self.width) // 2 * 2]

    def edge_distance(self, x, y):
        """Of positions (h, w) from the nearest edge of the bars, pixels, positive on its light side."""
        rng, upright = np.random.default_rng(self.seed), x < self.width / 2
        across = np.where(upright, x * np.cos(TILT) + y * np.sin(TILT), y * np.cos(TILT) - x * np.sin(TILT))
        edges = -100 + np.cumsum(rng.uniform(20, 34, (self.width + self.height + 300) // 20))
        nearest = np.searchsorted((edges[1:] + edges[:-1]) / 2, across)
        return (across - edges[nearest]) * np.where(nearest % 2, -1, 1)

    def at(self, x, y):
        """Camera RGB (h, w, 3) at positions (h, w)."""
        if self.kind == "flat":
            light = np.ones((*x.shape, 3), np.float32)
        elif self.kind == "bars":
            light = np.repeat((0.2 + 1.6 * _step(self.edge_distance(x, y)))[..., None], 3, -1)
        elif self.kind == "stripes":
            light = np.repeat((1 + 0.5 * np.sin(2 * np.pi / 8 * x))[..., None], 3, -1)
        else:
            light = self._texture(x, y)
        for column, row, radius, bright in self.lamps:
            light = light + _step(radius - np.hypot(x - column, y - row))[..., None] * (bright - light)
        return (self.level * light * NEUTRAL).astype(np.float64)

    def _texture(self, x, y):
        x, y = x.astype(np.float32), y.astype(np.float32)
        light = 1 + self.contrast * self._waves(x, y)
        if self.kind == "sparse":
            near = np.exp(-((np.hypot(x - self.width / 2, y - self.height / 2) / (0.12 * self.width)) ** 4))
            return 1 + near[..., None] * (light - 1)
        return light + self._inside(x, y, self.flat())[..., None] * (1 - light)

    def _waves(self, x, y):
        """A sum of waves (h, w, 3), standard deviation about 0.25, colours apart in phase."""
        rng = np.random.default_rng(self.seed)
        total = np.zeros((*x.shape, 3), np.float32)
        for _ in range(WAVES):
            angle, frequency = rng.uniform(0, np.pi), FINEST * 2 ** -rng.uniform(0, OCTAVES)
            u, v = 2 * np.pi * frequency * np.cos(angle), 2 * np.pi * frequency * np.sin(angle)
            phase = (u * x + v * y + rng.uniform(0, 2 * np.pi)).astype(np.float32)
            for c, shift in enumerate(rng.normal(0, 0.3, 3)):
                total[..., c] += np.sin(phase + np.float32(shift))
        return np.float32(0.25 * np.sqrt(2 / WAVES)) * total

    def _inside(self, x, y, part):
        """1 inside a part, 0 outside, with edges as the lens shows them."""
        rows, columns = part
        return _step(x - columns.start + 0.5) * _step(columns.stop - 0.5 - x) * _step(y - rows.start + 0.5) * _step(rows.stop - 0.5 - y)


def _step(distance):
    """A step's spread by BLUR; the logistic function of a Gaussian's slope, which needs no error function."""
    return 1 / (1 + np.exp(-np.clip(1.702 * distance / BLUR, -60, 60)))


@dataclass(frozen=True)
class Mover:
    """A disc whose centre in scene positions moves by `step` (x, y) a frame: it shows other waves than the scene or, where `shade` is not
    0, the scene darker by that share, fading over 5 px as a shadow does."""

    x: float
    y: float
    radius: float
    step: tuple[float, float]
    shade: float = 0.0

    def put(self, light, scene, x, y, n):
        """RGB `light` at positions x, y with the disc of frame n in it."""
        distance = np.hypot(x - self.x - n * self.step[0], y - self.y - n * self.step[1])
        if self.shade:
            return light * (1 - self.shade * _step((self.radius - distance) / 5))[..., None]
        other = replace(scene, seed=scene.seed + 100, kind="texture", level=1.6 * scene.level)
        there = other.level * (1 + 0.8 * other._waves(x.astype(np.float32), y.astype(np.float32))) * NEUTRAL
        return light + _step(self.radius - distance)[..., None] * (there - light)

    def region(self, height, width, frames):
        """Where the disc is in any of the frames (height, width) bool."""
        y, x = np.mgrid[:height, :width]
        return np.any([np.hypot(x - self.x - n * self.step[0], y - self.y - n * self.step[1]) < self.radius + 4 for n in range(frames)], 0)


def truth(scene, pose=None, cfa="RGGB", mover=None, n=0):
    """Noise-free mosaic (H, W) of frame n."""
    x, y = (pose or Pose()).places(scene.height, scene.width)
    light = scene.at(x, y)
    return mosaic_of(light if mover is None else mover.put(light, scene, x, y, n), cfa)


def photographed(signal, noise, rng):
    """A signal (H, W) with shot noise (Poisson) and read noise (normal) of a model equal in all colours."""
    scale, offset = float(noise.scale[0]), float(noise.offset[0])
    shot = rng.poisson(np.maximum(signal, 0) / scale) * scale if scale else signal
    return shot + rng.normal(0, np.sqrt(offset), signal.shape)


def burst(scene, poses, noise=NIGHT, cfa="RGGB", gains=None, mover=None, seed=11, **facts):
    """RAW frames, 12 bits, frame n with light times 1 / gains[n] (clipped at white) and exposure 1 / 30 s / gains[n]."""
    rng, frames = np.random.default_rng(seed), []
    gains = gains or [1.0] * len(poses)
    for n, (pose, gain) in enumerate(zip(poses, gains, strict=True)):
        signal = photographed(truth(scene, pose, cfa, mover, n) / gain, noise, rng)
        frames.append(as_frame(signal, noise, n, cfa, exposure_s=1 / 30 / gain, **facts))
    return frames


def as_frame(signal, noise, n, cfa="RGGB", **facts):
    """A RAW frame, number n of a burst taken at ten frames a second."""
    frame = frame_of(signal, cfa)
    shot = {
        "make": "Test", "model": "Burst", "datetime": f"2026:03:01 22:10:{n // 10 % 60:02d}", "subsec": f"{n % 10}00",
        "exposure_s": 1 / 30, "iso": 3200.0, "f_number": 1.8, "focal_mm": 6.9,
    }  # fmt: skip
    return replace(frame, noise=noise, path=f"frame_{n:02d}.dng", metadata={**shot, **facts})


def hand(frames, step=1.5, seed=3, degrees=0.02):
    """Poses of a hand's random walk that starts at rest."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(np.vstack([np.zeros(3), rng.normal(0, [step, step, degrees], (frames - 1, 3))]), 0)
    return [Pose(*map(float, place)) for place in walk]


def write_burst(frames, folder):
    """DNGs of the frames in a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return [write_dng(frame, folder / f"frame_{n:02d}.dng", compression="none") for n, frame in enumerate(frames)]


def light_of(frame):
    """Mosaic (H, W) of a RAW frame, black 0 and white 1."""
    black, a = frame.levels.black[:, :, 0], frame.active
    tiled = np.tile(black, (a.height // len(black) + 1, a.width // black.shape[1] + 1))[: a.height, : a.width]
    return (frame.samples[a.top : a.bottom, a.left : a.right].astype(np.float64) - tiled) / (float(frame.levels.white[0]) - black.max())


def merged(frames):
    """The result of merging frames of one exposure."""
    merge = Merge(frames[0])
    for frame in frames[1:]:
        merge.add(frame)
    return merge.result()


def psnr(found, expected, where=np.s_[24:-24, 24:-24]):
    """Of a mosaic against the truth in dB of white, borders aside, or where a mask says."""
    return -10 * np.log10(np.mean(np.square(found - expected)[where]))
