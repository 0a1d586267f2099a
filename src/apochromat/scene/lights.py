"""Lamps in a space of metres, what they shine on a surface, and paint lit by lights of different spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apochromat.light.spectra import illuminant, luminance, rgb_reflectances

KINDS = ("led", "tungsten", "sodium", "neon")


@dataclass(frozen=True)
class Lamp:
    """A small source: kind of light, place (x right, y up, z away; m), intensity (cd), whether it shines only downwards."""

    kind: str
    place: tuple[float, float, float]
    candela: float
    down: bool = True
    post: bool = False  # a street lamp, whose head and post are seen


class Paints:
    """Palette of a night: colours under white LED and tungsten keep all three of their parts, under sodium and neon only a strength.

    Planes are in this order: led R, G, B; tungsten R, G, B; sodium; neon.
    """

    def __init__(self, led: np.ndarray, tungsten: str = "P2700", sodium: str = "HP1") -> None:
        reflectances = rgb_reflectances()
        lights = {"sodium": illuminant(sodium), "neon": illuminant("neon")}
        rows = [led * reflectances, illuminant(tungsten) * reflectances, lights["sodium"][None], lights["neon"][None]]
        self.palette = np.concatenate(rows)
        self.parts = {kind: luminance(light * reflectances).astype(np.float32) for kind, light in lights.items()}

    def lit(self, rgb: np.ndarray, shine: dict[str, np.ndarray]) -> np.ndarray:
        """Planes (8, ...) of a surface of colour `rgb` (3, ...) under illuminances by kind of light, units of the reference's."""
        found = np.empty((8, *np.broadcast_shapes(rgb.shape[1:], *(s.shape for s in shine.values()))), np.float32)
        found[0:3] = rgb * shine["led"]
        found[3:6] = rgb * shine["tungsten"]
        for i, kind in enumerate(("sodium", "neon")):
            found[6 + i] = np.tensordot(self.parts[kind], rgb, 1) * shine[kind]
        return found

    def glow(self, kind: str, rgb: tuple[float, float, float] = (1, 1, 1)) -> np.ndarray:
        """Planes (8,) of a source of that light at luminance 1, coloured where the light allows."""
        found = np.zeros(8, np.float32)
        if kind in ("sodium", "neon"):
            found[6 if kind == "sodium" else 7] = 1
        else:
            at = 0 if kind == "led" else 3
            found[at : at + 3] = rgb
        return found


def shine(lamps: list[Lamp], place: tuple[np.ndarray | float, ...], normal: tuple[float, float, float]) -> dict[str, np.ndarray]:
    """Illuminances, lx, by kind of light at points (x, y, z; arrays in m) of a surface: intensity times cosine over distance squared."""
    shape = np.broadcast_shapes(*(np.shape(p) for p in place))
    found = {kind: np.zeros(shape, np.float32) for kind in KINDS}
    for lamp in lamps:
        dx, dy, dz = (np.float32(at) - np.asarray(p, np.float32) for at, p in zip(lamp.place, place, strict=True))
        square = dx * dx + dy * dy + dz * dz + np.float32(0.05)
        facing = np.float32(normal[0]) * dx + np.float32(normal[1]) * dy + np.float32(normal[2]) * dz
        strength = np.maximum(facing, 0) / (square * np.sqrt(square)) * np.float32(lamp.candela)
        if lamp.down:
            strength = strength * np.clip(dy / np.sqrt(square) * 2 + np.float32(0.2), 0.03, 1)
        found[lamp.kind] += strength
    return found
