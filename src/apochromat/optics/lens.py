"""A lens as numbers: a JAX pytree whose leaves a gradient can be taken of, with the facts beside them that no gradient changes."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from apochromat.optics.model_glass import D_NM, model_index

Kind = Literal["standard", "mirror", "fold", "stop", "cover", "filter"]
AIR = (1.0, *[0.0] * 12)  # dispersion coefficients
TERMS = 8  # of an even asphere: r^2 ... r^16
REFERENCE_C = 20.0  # at which a lens is declared


@dataclass(frozen=True)
class SurfaceInfo:
    """What a surface is. A "fold" is a flat mirror at 45 degrees, traced unfolded: exact for a plane."""

    kind: Kind = "standard"
    glass: str = ""  # catalogue name of the medium after it; "" air
    is_model: bool = False  # the medium is given by (nd, Vd, dPgF)
    moulded: bool = False
    group: str = ""  # of surfaces that move together
    label: str = ""


@dataclass(frozen=True)
class LensInfo:
    """What no gradient changes: names, stop, wavelengths, fields' kind."""

    name: str
    surfaces: tuple[SurfaceInfo, ...]
    stop: int
    wavelengths_nm: tuple[float, ...]
    weights: tuple[float, ...]
    primary: int  # index of the reference wavelength
    field_kind: Literal["angle", "image_height"] = "angle"
    configurations: tuple[str, ...] = ("",)
    pixel_um: float | None = None
    image_radius_mm: float | None = None
    notes: tuple[str, ...] = ()
    source: str = ""
    is_perturbed: bool = False  # tilts and decentres are traced
    temperature_c: float = REFERENCE_C  # at which the leaves hold, see `temperature.at_temperature`

    @cached_property
    def structure(self) -> LensInfo:
        """Without the names that no computation reads: lenses of one structure share compiled code."""
        surfaces = tuple(replace(s, glass="") for s in self.surfaces)
        return replace(self, name="", source="", notes=(), surfaces=surfaces, temperature_c=REFERENCE_C)


@dataclass(frozen=True)
class Lens:
    """A centred (or perturbed) sequence of S surfaces in C configurations; lengths mm, angles radians, float64.

    Surfaces stand in the order of light, without object and image. The last thickness leads to the image plane.
    """

    curvature: Any  # (S,) 1/mm
    conic: Any  # (S,)
    even: Any  # (S, 8) coefficients of r^2, r^4 ... r^16
    thickness: Any  # (C, S) along the unfolded axis to the next surface; negative after an odd number of powered mirrors
    object_vergence: Any  # (C,) 1/mm, one over the distance from the object to the first surface; 0: infinity
    stop_radius: Any  # (C,)
    semi_diameter: Any  # (S,) clear radius; inf: none
    inner_radius: Any  # (S,) central obscuration
    tilt: Any  # (S, 2) about x and y, of a surface about its own vertex, not passed on
    decenter: Any  # (S, 2)
    coefficients: Any  # (S, 13) dispersion of the medium after each surface, see `catalogue_index`
    nd_shift: Any  # (S,) added to the index
    dispersion_shift: Any  # (S,) relative change of n - nd
    model: Any  # (S, 3) nd, Vd, dPgF of model glass
    fields: Any  # (F, 2) x, y: degrees at the object, or mm on the image
    info: LensInfo

    @property
    def S(self) -> int:
        """Number of surfaces."""
        return len(self.info.surfaces)

    @property
    def C(self) -> int:
        """Number of configurations."""
        return len(self.info.configurations)

    def replace(self, **leaves: Any) -> Lens:
        """The same lens with other leaves or facts."""
        return replace(self, **leaves)

    def perturbed(self, **leaves: Any) -> Lens:
        """A lens whose tilts and decentres count: `tilt` (S, 2) radians, `decenter` (S, 2) mm, and any other leaves."""
        return replace(self, info=replace(self.info, is_perturbed=True), **leaves)

    def index(self, wavelength_nm: Any) -> Any:
        """Refractive indices (S + 1,) at one wavelength, relative to air; the first is the object space's."""
        catalogue = catalogue_index(self.coefficients, wavelength_nm)
        is_model = np.array([s.is_model for s in self.info.surfaces])
        if is_model.any():
            safe = jnp.where(is_model[:, None], self.model, jnp.array([1.5, 60.0, 0.0]))
            catalogue = jnp.where(is_model, model_index(safe[:, 0], safe[:, 1], safe[:, 2], wavelength_nm), catalogue)
            at_d = jnp.where(is_model, safe[:, 0], catalogue_index(self.coefficients, D_NM))
        else:
            at_d = catalogue_index(self.coefficients, D_NM)
        shifted = catalogue + self.nd_shift + self.dispersion_shift * (catalogue - at_d)
        return jnp.concatenate([jnp.ones(1), shifted])


class _Facts:
    """A lens's facts as JAX compares them: by their structure, so that code compiled for one lens serves all that differ by name or glass.

    What is compiled may therefore not give a Lens back: it would carry the names of the first.
    """

    def __init__(self, info: LensInfo):
        self.info = info

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Facts) and self.info.structure == other.info.structure

    def __hash__(self) -> int:
        return hash(self.info.structure)


_LEAVES = [f.name for f in fields(Lens) if f.name != "info"]
_KEYS = [jax.tree_util.GetAttrKey(name) for name in _LEAVES]
jax.tree_util.register_pytree_with_keys(
    Lens,
    lambda lens: ([(key, getattr(lens, key.name)) for key in _KEYS], _Facts(lens.info)),
    lambda facts, leaves: Lens(**dict(zip(_LEAVES, leaves, strict=True)), info=facts.info),
    lambda lens: ([getattr(lens, name) for name in _LEAVES], _Facts(lens.info)),
)


def catalogue_index(coefficients: Any, wavelength_nm: Any) -> Any:
    """Index (S,) of media by dispersion coefficients (S, 13) at a wavelength.

    n^2 = c0 + c1 w^2 + c2 w^4 + c3 w^-2 + c4 w^-4 + c5 w^-6 + c6 w^-8 + sum of three B w^2 / (w^2 - C), w in µm: Schott's polynomial and
    Sellmeier's formula in one.
    """
    w2 = jnp.asarray(wavelength_nm / 1000.0) ** 2
    powers = jnp.stack([jnp.ones_like(w2), w2, w2**2, 1 / w2, w2**-2, w2**-3, w2**-4])
    resonances = sum(coefficients[:, i] * w2 / (w2 - coefficients[:, i + 1]) for i in (7, 9, 11))
    return jnp.sqrt(coefficients[:, :7] @ powers + resonances)
