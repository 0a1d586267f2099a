"""Apochromat: RAW files and bursts developed into finished photographs.

    import apochromat as apo
    raw = apo.read("IMG.dng")
    apo.develop(raw).save("IMG.jpg")
    apo.develop(apo.merge(["IMG_1.dng", "IMG_2.dng"])).save("night.jpg")

Names load on first use (PEP 562), so importing the package costs next to nothing.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "read": "apochromat.raw",
    "write_dng": "apochromat.raw",
    "merge": "apochromat.bursts",
    "stages": "apochromat.chain",
    "RawFrame": "apochromat.light.raw_frame",
    "NoiseModel": "apochromat.light.noise",
    "Rendition": "apochromat.light.rendition",
    "certify": "apochromat.optics.certificate",
    "lens": "apochromat.optics.files",
}
__all__ = ["NoiseModel", "RawFrame", "Rendition", "__version__", "certify", "develop", "lens", "merge", "read", "stages", "write_dng"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'apochromat' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """`develop` names both a room of the package and the public function: as an attribute it is always the function."""

    @property
    def develop(self) -> Any:
        return import_module("apochromat.chain").develop

    @develop.setter
    def develop(self, room: ModuleType) -> None:
        """The import system announces the room here; it stays reachable by `from apochromat.develop import ...`."""


sys.modules[__name__].__class__ = _Package
