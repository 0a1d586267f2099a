"""The certificate's figure: colour focus against depth of focus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from apochromat.optics.analyses import _figure as style
from apochromat.optics.certificate.thresholds import thresholds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from apochromat.optics.certificate.result import Certificate, ColourFocus


def draw(certificate: Certificate) -> Figure:
    """One panel a configuration, all on one scale."""
    import matplotlib as mpl

    curves = certificate.colour_focus
    with mpl.rc_context(style.STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(style.WIDTH_IN * len(curves), style.HEIGHT_IN + 0.8), layout="constrained")
        axes = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
        for axis, curve in zip(axes, curves, strict=True):
            panel(axis, curve)
        axes[0].set_ylabel("focus from the common plane / µm")
        columns = 4 if len(curves) > 1 else 2
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=columns)
        title = f"APO certificate {certificate.specification} of {certificate.lens or 'the lens'}"
        figure.suptitle(f"{title}\n{_outcome(certificate)}", size=10)
    return figure


def _outcome(certificate: Certificate) -> str:
    verdicts = [("tests 1 to 6", certificate.design), ("as built", certificate.as_built)]
    return ", ".join(f"{name} {'passed' if verdict.passed else 'failed'}" for name, verdict in verdicts if verdict)


def panel(axes: Axes, curve: ColourFocus) -> None:
    """Focus by wavelength, the band of test 2, its wider limit at g, and the depth of focus."""
    wavelengths, shift = np.array(curve.wavelengths_nm), np.array(curve.shift_um)
    table, g = thresholds()["test_2"], thresholds()["lines_nm"]["g"]
    low, high = table["range_nm"]
    limit, at_g = table["spread_dof"] * curve.dof_um, table["g_dof"] * curve.dof_um
    axes.fill_between(
        [low, high], -limit, limit, color=style.CYCLE[2], alpha=0.2, lw=0, label=f"±{table['spread_dof']:g} DOF, 450 to 656 nm"
    )
    axes.errorbar([g], [0], yerr=[at_g], color=style.CYCLE[0], capsize=4, lw=1, label=f"±{table['g_dof']:g} DOF at g")
    for side in (-1, 1):
        axes.axhline(side * curve.dof_um, color=style.INK, ls=":", lw=0.8, label="± depth of focus (DOF)" if side > 0 else None)
    axes.axhline(0, color=style.INK, lw=0.6)
    axes.plot(wavelengths, shift, color=style.CYCLE[1], label="focus")
    name = f"{curve.configuration}, " if curve.configuration else ""
    title = f"{name}f/{curve.f_number:.2f}, DOF {curve.dof_um:.2f} µm"
    axes.set(xlabel="wavelength / nm", title=title, xlim=(wavelengths[0] - 5, wavelengths[-1]))
