"""Test 3: wavefront on axis at the common focus, piston alone removed, peak to valley in waves of the wavelength itself."""

from __future__ import annotations

import numpy as np

from apochromat.optics.certificate.rays import wavefronts
from apochromat.optics.certificate.result import Check
from apochromat.optics.certificate.thresholds import line, thresholds
from apochromat.optics.certificate.view import View

TITLE = "wavefront on axis"


def measure(view: View) -> list[Check]:
    """Worst of C, e, F and between; g."""
    table = thresholds()["test_3"]
    wavelengths = view.axis.wavelengths_nm
    waves = np.ptp(wavefronts(view.axis, view.common), axis=1) / (wavelengths * 1e-6)
    from_f = (wavelengths >= line("F") - 1e-6) & (wavelengths <= line("C") + 1e-6)
    worst = int(np.where(from_f, waves, -1).argmax())
    return [
        Check(
            name=f"OPD from F to C (worst at {wavelengths[worst]:.1f} nm), P-V,",
            configuration=view.name,
            value=float(waves[worst]),
            limit=table["c_to_f_waves"],
            unit="waves",
        ),
        Check(
            name="OPD at g, P-V,",
            configuration=view.name,
            value=float(waves[view.axis.near(line("g"))]),
            limit=table["g_waves"],
            unit="waves",
        ),
    ]
