"""Frames shaped like the DNGs of real phones, and a way to write them with hand-made changes.

    frame = pixel_like()                     # or samsung_like(), proraw_like(); scene= camera RGB (H, W, 3), 0..1, of the active area
    write_dng(frame, path)                   # as the product writes it
    write_changed(frame, path, {Tag.BlackLevel: (SHORT, [70000])})   # tags replaced, added, or removed (None)

The numbers are of the kind such phones write; they are no copies of any file.
"""

import numpy as np
from frames import detailed_scene, mosaic_of

from apochromat.light.noise import NoiseModel
from apochromat.light.opcodes import Area, GainMap, WarpRectilinear
from apochromat.light.raw_frame import Box, Calibration, ColorProfile, Levels, RawFrame
from apochromat.raw.dng_writer import dng_directory
from apochromat.raw.tags import Tag
from apochromat.raw.tiff_writer import ASCII, LONG, SHORT, Directory, tiff_bytes

WARM = np.array([[0.8789, -0.2344, -0.1016], [-0.4141, 1.2578, 0.1719], [-0.0391, 0.1797, 0.6172]])
DAYLIGHT = np.array([[1.0547, -0.4063, -0.1289], [-0.3828, 1.3203, 0.0547], [-0.0703, 0.2266, 0.5547]])
WARM_FORWARD = np.array([[0.6328, 0.1719, 0.1563], [0.2578, 0.8047, -0.0625], [0.0156, -0.1719, 0.9844]])
DAYLIGHT_FORWARD = np.array([[0.5859, 0.2266, 0.1484], [0.2031, 0.8516, -0.0547], [0.0078, -0.2109, 1.0313]])
NEUTRAL = np.array([0.4883, 1.0, 0.6172])
SHOT = {
    "datetime": "2024:05:17 18:22:09",
    "subsec": "417",
    "offset_time": "+02:00",
    "exposure_s": 1 / 125,
    "f_number": 1.85,
    "iso": 103.0,
    "focal_mm": 6.9,
    "focal_35_mm": 25.0,
    "gps": {0: b"\x02\x03\0\0", 1: "N", 2: (52.0, 30.0, 59.25), 3: "E", 4: (13.0, 22.0, 39.5), 5: b"\0", 6: 34.5},
}


def pixel_like(scene=None, *, cfa="RGGB", bits=14, border=(4, 8, 2, 6), noise_seed=None, shading=0.6, warp=0.01):
    """Bayer mosaic with optical-black borders (top, left, bottom, right), one black level per CFA position, four GainMaps that undo
    the vignetting put into the samples (gain 1 + shading r^2 at the corners' r = 1), a mild WarpRectilinear, and a noise profile
    whose noise is in the samples where `noise_seed` is given."""
    scene = detailed_scene(96, 128) if scene is None else scene
    height, width = scene.shape[:2]
    black, white = np.array([[64.0, 65.0], [63.0, 64.0]], np.float32), float(2**bits - 1)
    noise = NoiseModel(np.array([2.1e-4, 2.0e-4, 2.2e-4]), np.array([3.0e-7, 2.5e-7, 3.5e-7]))
    signal = mosaic_of(scene, cfa) / true_gain(height, width, shading)
    if noise_seed is not None:
        signal = noisy(signal, noise, cfa, noise_seed)
    active_black = np.tile(black, (height // 2 + 1, width // 2 + 1))[:height, :width]
    top, left, bottom, right = border
    samples = np.full((height + top + bottom, width + left + right), 64, np.uint16)
    samples[top : top + height, left : left + width] = np.clip(np.rint(signal * (white - active_black) + active_black), 0, white)
    return RawFrame(
        samples=samples,
        cfa=cfa,
        levels=Levels(black[:, :, None], np.full(4, white, np.float32)),
        active=Box(top, left, top + height, left + width),
        crop=Box(4, 4, height - 4, width - 4),
        profile=dual_profile(),
        baseline_exposure_ev=0.35,
        noise=noise,
        opcodes2=gain_maps(height, width, shading),
        opcodes3=(WarpRectilinear(coefficients=np.array([[1 - warp, warp, 0, 0, 0, 0]] * 3), center=(0.5, 0.5)),),
        metadata={"make": "Google", "model": "Pixel-like", "software": "test", **SHOT},
    )


def samsung_like(scene=None, *, bits=12):
    """GRBG mosaic of 12 bits, a black level with fractions per CFA position, held upright (orientation 6), no noise profile."""
    scene = detailed_scene(96, 128, seed=1) if scene is None else scene
    height, width = scene.shape[:2]
    black, white = np.array([[64.25, 63.5], [64.0, 63.75]], np.float32), float(2**bits - 1)
    pedestal = np.tile(black, (height // 2 + 1, width // 2 + 1))[:height, :width]
    samples = np.clip(np.rint(mosaic_of(scene, "GRBG") * (white - pedestal) + pedestal), 0, white).astype(np.uint16)
    return RawFrame(
        samples=samples,
        cfa="GRBG",
        levels=Levels(black[:, :, None], np.full(4, white, np.float32)),
        active=Box(0, 0, height, width),
        crop=Box(0, 0, height, width),
        profile=dual_profile(),
        orientation=6,
        metadata={"make": "samsung", "model": "SM-like", **SHOT},
    )


def proraw_like(scene=None, *, bits=12):
    """Linear camera RGB in square-root codes of `bits` bits with the LinearizationTable that undoes them; write it as "ljpeg",
    "jpegxl" or, with bits=8, as lossy "jpeg"."""
    scene = detailed_scene(96, 128, seed=2) if scene is None else scene
    height, width = scene.shape[:2]
    top = 2**bits - 1
    table = np.rint(65535 * (np.arange(top + 1) / top) ** 2).astype(np.float32)
    return RawFrame(
        samples=np.rint(np.sqrt(np.clip(scene, 0, 1)) * top).astype(np.uint16),
        cfa="",
        levels=Levels(np.zeros((1, 1, 3), np.float32), np.full(3, 65535, np.float32), table=table),
        active=Box(0, 0, height, width),
        crop=Box(0, 0, height, width),
        profile=dual_profile(),
        baseline_exposure_ev=1.5,
        noise=NoiseModel(np.full(3, 1.2e-4), np.full(3, 2e-8)),
        metadata={"make": "Apple", "model": "iPhone-like", **SHOT},
    )


def dual_profile():
    """Illuminants A and D65 with colour and forward matrices."""
    return ColorProfile((Calibration(17, WARM, WARM_FORWARD), Calibration(21, DAYLIGHT, DAYLIGHT_FORWARD)), as_shot_neutral=NEUTRAL)


def true_gain(height, width, shading):
    """The gain field, in closed form at every pixel: piecewise bilinear between the points of `gain_maps`."""
    points = map_points(shading)
    rows = np.clip((np.arange(height) + 0.5) / height * (points.shape[0] - 1), 0, points.shape[0] - 1.000001)
    cols = np.clip((np.arange(width) + 0.5) / width * (points.shape[1] - 1), 0, points.shape[1] - 1.000001)
    i, j = rows.astype(int), cols.astype(int)
    v, u = (rows - i)[:, None], (cols - j)[None, :]
    corner = [points[np.ix_(i + a, j + b)] for a in (0, 1) for b in (0, 1)]
    return (1 - v) * ((1 - u) * corner[0] + u * corner[1]) + v * ((1 - u) * corner[2] + u * corner[3])


def map_points(shading, rows=13, cols=17):
    """Gains 1 + shading r^2 at the points of the map, r = 1 in the corners."""
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, cols), indexing="ij")
    return (1 + shading * (x * x + y * y) / 2).astype(np.float32)


def gain_maps(height, width, shading):
    """One GainMap per CFA position, as phones write them."""
    gains = map_points(shading)[:, :, None]
    spacing = (1 / (gains.shape[0] - 1), 1 / (gains.shape[1] - 1))
    return tuple(
        GainMap(area=Area(y, x, height, width, row_pitch=2, col_pitch=2), spacing=spacing, origin=(0.0, 0.0), gains=gains)
        for y in (0, 1)
        for x in (0, 1)
    )


def noisy(signal, noise, cfa, seed):
    """`signal` with Gaussian noise of the model's variance at each CFA position."""
    rng = np.random.default_rng(seed)
    out = signal.copy()
    for k, colour in enumerate(cfa):
        part = signal[k // 2 :: 2, k % 2 :: 2]
        plane = "RGB".index(colour)
        deviation = np.sqrt(noise.scale[plane] * np.maximum(part, 0) + noise.offset[plane])
        out[k // 2 :: 2, k % 2 :: 2] = part + rng.standard_normal(part.shape) * deviation
    return out


def write_changed(frame, path, changes, *, compression="none", tile=0, bits=0, segments=None):
    """Write a frame with tags replaced or added {tag: (type, values)} or removed {tag: None}, and other pixel bytes where given."""
    directory = dng_directory(frame, compression, tile, bits)
    for tag, value in changes.items():
        directory.fields.pop(tag, None)
        if value is not None:
            directory.put(tag, *value)
    if segments is not None:
        directory.segments = segments
    return write_directory(directory, path)


def write_with_preview(frame, path, *, compression="ljpeg"):
    """As phones write: a small RGB preview in the first directory, the RAW picture in a SubIFD."""
    raw = dng_directory(frame, compression)
    main = Directory(children={Tag.SubIFDs: [raw]}, segments=[bytes(16 * 12 * 3)])
    for tag in (Tag.ExifIFD, Tag.GPSInfo):
        main.children[tag] = raw.children.pop(tag)
    profile = [tag for tag in raw.fields if Tag.ColorMatrix1 <= tag <= Tag.BaselineExposure or Tag.Make <= tag <= Tag.Model]
    for tag in [*profile, Tag.Orientation, Tag.DNGVersion, Tag.DNGBackwardVersion, Tag.CalibrationIlluminant1, Tag.CalibrationIlluminant2]:
        main.fields[tag] = raw.fields.pop(tag)
    for tag, value in ((Tag.NewSubfileType, 1), (Tag.ImageWidth, 16), (Tag.ImageLength, 12), (Tag.RowsPerStrip, 12)):
        main.put(tag, LONG, value)
    for tag, value in ((Tag.BitsPerSample, [8, 8, 8]), (Tag.Compression, 1), (Tag.PhotometricInterpretation, 2), (Tag.SamplesPerPixel, 3)):
        main.put(tag, SHORT, value)
    main.put(Tag.Software, ASCII, "test")
    return write_directory(main, path)


def write_directory(directory, path):
    """Lay a directory out and write it."""
    path.write_bytes(b"".join(tiff_bytes(directory)))
    return path
