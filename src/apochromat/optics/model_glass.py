"""Model glass: a refractive index from (nd, Vd, dPgF) alone, for an optimiser to move where no real glass is yet.

n(w) = nd + (nd - 1) / Vd * (normal(w, Vd) + dPgF * anomaly(w))

`normal` is the relative partial dispersion (n(w) - nd) / (nF - nC) interpolated linearly in Vd between K7 and F2, the two glasses that
define the normal line, by their own dispersion formulas: PgF lies on the line exactly, and nd and Vd come out as given. `anomaly` is the
parabola in 1/w^2 that is zero at d, equal at F and C and rises by one from F to g, so that nd, Vd and PgF come out as asked. Plain
arithmetic: it takes NumPy or JAX arrays and can be differentiated in every argument.
"""

from __future__ import annotations

from typing import Any

G_NM, F_NM, E_NM, D_NM, C_NM = 435.8343, 486.1327, 546.0740, 587.5618, 656.2725

# Schott's Sellmeier coefficients (B1, C1, B2, C2, B3, C3) of the two glasses of the normal line, w in µm
K7 = (1.1273555, 0.00720341707, 0.124412303, 0.0269835916, 0.827100531, 100.384588)
F2 = (1.34533359, 0.00997743871, 0.209073176, 0.0470450767, 0.937357162, 111.886764)


def sellmeier(terms: tuple[float, ...], wavelength_nm: Any) -> Any:
    """Index by Sellmeier's formula n^2 = 1 + sum of B w^2 / (w^2 - C)."""
    w2 = (wavelength_nm / 1000.0) ** 2
    return (1 + sum(b * w2 / (w2 - c) for b, c in zip(terms[::2], terms[1::2], strict=True))) ** 0.5


def partial(terms: tuple[float, ...], wavelength_nm: Any) -> Any:
    """Relative partial dispersion (n - nd) / (nF - nC)."""
    return (sellmeier(terms, wavelength_nm) - sellmeier(terms, D_NM)) / (sellmeier(terms, F_NM) - sellmeier(terms, C_NM))


def abbe(terms: tuple[float, ...]) -> float:
    """Abbe number Vd = (nd - 1) / (nF - nC)."""
    return float((sellmeier(terms, D_NM) - 1) / (sellmeier(terms, F_NM) - sellmeier(terms, C_NM)))


V_K7, V_F2 = abbe(K7), abbe(F2)
P_K7, P_F2 = (float(partial(t, G_NM) - partial(t, F_NM)) for t in (K7, F2))


def normal_pgf(vd: Any) -> Any:
    """PgF of a normal glass of Abbe number `vd`: the line through K7 and F2 (Schott TIE-29: about 0.6438 - 0.001682 Vd)."""
    return P_F2 + (P_K7 - P_F2) / (V_K7 - V_F2) * (vd - V_F2)


def anomaly(wavelength_nm: Any) -> Any:
    """How the relative partial dispersion moves per unit of dPgF: 0 at d, equal at F and C, one more at g than at F."""
    x, d, f, c, g = (1e6 / line**2 for line in (wavelength_nm, D_NM, F_NM, C_NM, G_NM))
    other = f + c - d
    return (x - d) * (x - other) / ((g - d) * (g - other) - (f - d) * (f - other))


def model_index(nd: Any, vd: Any, dpgf: Any, wavelength_nm: Any) -> Any:
    """Index of a model glass; the arguments broadcast. Meant for 400 to 1000 nm, Vd 15 to 100."""
    share = (vd - V_F2) / (V_K7 - V_F2)
    normal = (1 - share) * partial(F2, wavelength_nm) + share * partial(K7, wavelength_nm)
    return nd + (nd - 1) / vd * (normal + dpgf * anomaly(wavelength_nm))
