"""Lenses made by hand, for tests of the optics room."""

import json

import numpy as np

from apochromat.optics.lens import AIR, Lens, LensInfo, SurfaceInfo


def lens_of(
    curvature, thickness, index, *, conic=None, even=None, stop=0, stop_radius=1.0, semi=np.inf, fields=((0.0, 0.0),), kinds=None, **facts
):
    """A lens of S surfaces: curvature (S,), thickness (S,) or (C, S), index of the medium after each, the same at every wavelength."""
    size, thickness = len(curvature), np.atleast_2d(np.asarray(thickness, float))
    coefficients, polynomial = np.zeros((size, 13)), np.zeros((size, 8))
    coefficients[:, 0] = np.square(index)
    if even is not None:
        polynomial[:, : np.shape(even)[1]] = even
    surfaces = tuple(SurfaceInfo(kind) for kind in kinds or ["standard"] * size)
    info = LensInfo("sample", surfaces, stop, (546.0,), (1.0,), 0, configurations=tuple(map(str, range(len(thickness)))), **facts)
    return Lens(
        curvature=np.asarray(curvature, float),
        conic=np.zeros(size) if conic is None else np.asarray(conic, float),
        even=polynomial,
        thickness=thickness,
        object_vergence=np.zeros(len(thickness)),
        stop_radius=np.full(len(thickness), float(stop_radius)),
        semi_diameter=np.broadcast_to(np.asarray(semi, float), size).copy(),
        inner_radius=np.zeros(size),
        tilt=np.zeros((size, 2)),
        decenter=np.zeros((size, 2)),
        coefficients=coefficients,
        nd_shift=np.zeros(size),
        dispersion_shift=np.zeros(size),
        model=np.tile([1.5, 60.0, 0.0], (size, 1)),
        fields=np.asarray(fields, float),
        info=info,
    )


PHONE_INDEX = {"air": 1.0, "coc": 1.5337306, "polystyr": 1.5904773, "okp4": 1.6072782, "polycarb": 1.5854663}


def phone(path, stop=0, stop_radius=None):
    """The 80 degree phone lens of DeepLens's file, one index per material, under the conditions of the shared example."""
    document = json.loads(path.read_text())
    rows = document["surfaces"]
    return lens_of(
        [row["c"] for row in rows],
        [*(row["d_next"] for row in rows[:-1]), document["d_sensor"] - rows[-1]["d"]],
        [PHONE_INDEX[row["mat2"]] for row in rows],
        conic=[row.get("k", 0.0) for row in rows],
        even=[row.get("ai", [0.0] * 6) for row in rows],
        stop=stop,
        stop_radius=stop_radius or rows[0]["r"],
        fields=[(0, angle) for angle in (0, 11.4, 19, 26.6, 32.3, 38)],
    )


def singlet(**changes):
    """A biconvex lens of 50 mm with its stop behind, at 1.5 index."""
    facts = {"stop": 2, "stop_radius": 3.0, "fields": ((0.0, 0.0), (0.0, 8.0)), "kinds": ["standard", "standard", "stop"]}
    return lens_of([1 / 50, -1 / 50, 0.0], [4.0, 2.0, 46.7], [1.5, 1.0, 1.0], **{**facts, **changes})


def model_doublet(surfaces, wavelengths_nm, curvature, thickness, model, fields, configurations=("",), **changes):
    """A lens of model glass whose stop, the first surface, has a radius of 2 mm; thickness (C, S), model (S, 3); changes: of its leaves."""
    count, thickness = len(surfaces), np.asarray(thickness, float)
    leaves = {
        "conic": np.zeros(count),
        "even": np.zeros((count, 8)),
        "object_vergence": np.zeros(len(thickness)),
        "stop_radius": np.full(len(thickness), 2.0),
        "semi_diameter": np.full(count, np.inf),
        "inner_radius": np.zeros(count),
        "tilt": np.zeros((count, 2)),
        "decenter": np.zeros((count, 2)),
        "coefficients": np.tile(AIR, (count, 1)).astype(float),
        "nd_shift": np.zeros(count),
        "dispersion_shift": np.zeros(count),
    }
    return Lens(
        curvature=np.array(curvature, float),
        thickness=thickness,
        model=np.array(model, float),
        fields=np.array(fields, float),
        info=LensInfo("doublet", surfaces, 0, wavelengths_nm, (1.0,) * len(wavelengths_nm), 1, configurations=configurations),
        **leaves | changes,
    )
