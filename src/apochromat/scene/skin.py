"""Diffuse reflectance of skin from its pigments.

Source: S. L. Jacques, "Optical properties of biological tissues: a review", Phys. Med. Biol. 58, 2013 (melanosomes, scattering, bloodless
skin); molar extinction of oxyhaemoglobin: S. Prahl, compiled from W. B. Gratzer and N. Kollias (published); a half-infinite dermis after
Kubelka and Munk under an epidermis that light crosses twice.
"""

from __future__ import annotations

import numpy as np

from apochromat.light.spectrum import GRID_NM

_HBO2 = (  # nm, cm^-1 / M
    (380, 110000), (390, 168000), (400, 266232), (410, 466840), (414, 524280), (420, 480360), (430, 246072), (440, 102580), (450, 62816),
    (460, 44480), (470, 33209), (480, 26629), (490, 23684), (500, 20932), (510, 20035), (520, 24202), (530, 39956), (540, 53236),
    (550, 43016), (560, 32613), (570, 44496), (576, 55540), (580, 50104), (590, 14400), (600, 3200), (610, 1506), (620, 942), (630, 610),
    (640, 442), (660, 319), (680, 277), (700, 290), (730, 390),
)  # fmt: skip
_BLOOD_G_L, _HAEMOGLOBIN_G_MOL = 150.0, 64500.0
_EPIDERMIS_CM = 0.006


def skin_reflectance(melanin: float = 0.025, blood: float = 0.012) -> np.ndarray:
    """Reflectance (71,) of skin.

    melanin: share of the epidermis that is melanosomes, 0.01 (fair) to 0.4 (dark); blood: share of the dermis, 0.002 to 0.05.
    """
    nm, molar = np.array(_HBO2, float).T
    of_blood = np.log(10) * np.interp(GRID_NM, nm, molar) * _BLOOD_G_L / _HAEMOGLOBIN_G_MOL  # 1/cm
    bloodless = 0.244 + 85.3 * np.exp(-(GRID_NM - 154) / 66.2)
    scattering = 2e5 * GRID_NM**-1.5 + 2e12 * GRID_NM**-4.0  # reduced, 1/cm
    ratio = 2 * (blood * of_blood + bloodless) / (0.75 * scattering)
    dermis = 1 + ratio - np.sqrt(ratio**2 + 2 * ratio)
    epidermis = melanin * 1.70e12 * GRID_NM**-3.48 + (1 - melanin) * bloodless
    return np.exp(-2 * epidermis * _EPIDERMIS_CM) * dermis
