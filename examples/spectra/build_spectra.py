"""Write the tables of src/apochromat/light/spectra from colour-science (BSD-3-Clause), which carries the published data.

    python examples/spectra/build_spectra.py

Run again only when the grid of wavelengths changes; the tables are committed.
"""

from __future__ import annotations

from pathlib import Path

import colour
import numpy as np
from colour.characterisation import read_training_data_rawtoaces_v1
from colour.colorimetry import SDS_BASIS_FUNCTIONS_CIE_ILLUMINANT_D_SERIES

from apochromat.light.spectrum import GRID_NM, STEP_NM, on_grid

FOLDER = Path(__file__).parents[2] / "src" / "apochromat" / "light" / "spectra"
ILLUMINANTS = {
    "A": "A", "D50": "D50", "D55": "D55", "D65": "D65", "D75": "D75", "E": "E", "F2": "FL2", "F7": "FL7", "F11": "FL11", "F12": "FL12",
    "HP1": "HP1", "HP2": "HP2", "HP3": "HP3", "LED-B1": "LED-B1", "LED-B2": "LED-B2", "LED-B3": "LED-B3", "LED-B4": "LED-B4",
    "LED-B5": "LED-B5", "LED-BH1": "LED-BH1", "LED-RGB1": "LED-RGB1", "LED-V1": "LED-V1", "LED-V2": "LED-V2",
}  # fmt: skip


def column(distribution: colour.SpectralDistribution) -> np.ndarray:
    """One spectral distribution on the grid (71,)."""
    return on_grid(distribution.wavelengths, distribution.values)


def write(name: str, columns: dict[str, np.ndarray], decimals: int, source: str) -> None:
    """One table: a line on its source, names, then a row a wavelength."""
    text = [f"# {source}", ",".join(["nm", *columns])]
    for i, nm in enumerate(GRID_NM):
        text.append(",".join([f"{nm:.0f}", *(f"{values[i]:.{decimals}f}".rstrip("0").rstrip(".") for values in columns.values())]))
    (FOLDER / f"{name}.csv").write_text("\n".join(text) + "\n")


def main() -> None:
    """Write every table."""
    observer = colour.MSDS_CMFS["CIE 1931 2 Degree Standard Observer"]
    matching = {n: on_grid(observer.wavelengths, observer.values[:, i]) for i, n in enumerate("xyz")}
    write("colour_matching", matching, 9, "CIE 1931 2 degree standard observer (ISO/CIE 11664-1)")
    lights = {name: column(colour.SDS_ILLUMINANTS[key]) for name, key in ILLUMINANTS.items()}
    write("illuminants", lights, 4, "CIE 15:2018, relative spectral power")
    daylight = {name: column(SDS_BASIS_FUNCTIONS_CIE_ILLUMINANT_D_SERIES[name]) for name in ("S0", "S1", "S2")}
    write("daylight", daylight, 3, "CIE 15:2018, mean and eigenvectors of daylight")
    grid = colour.SpectralShape(GRID_NM[0], GRID_NM[-1], STEP_NM)
    patches = {name: sd.copy().align(grid).values for name, sd in colour.SDS_COLOURCHECKERS["BabelColor Average"].items()}
    source = "24 patches of the ColorChecker before November 2014, mean of 30 charts (BabelColor 2012); between 10 nm by Sprague (CIE 167)"
    write("color_checker", patches, 4, source)
    training = read_training_data_rawtoaces_v1()
    values = np.maximum(training.values, 0)  # a few are below zero by rounding
    samples = {f"{i + 1}": on_grid(training.wavelengths, values[:, i]) for i in range(values.shape[1])}
    names = list(samples)
    source = "190 training reflectances of RAW to ACES v1 (Academy of Motion Picture Arts and Sciences 2017)"
    for part, chosen in enumerate((names[:95], names[95:]), 1):
        write(f"training_{part}", {n: samples[n] for n in chosen}, 4, f"{source}, part {part}")
    basis = colour.recovery.MSDS_BASIS_FUNCTIONS_sRGB_MALLETT2019
    columns = {n: on_grid(basis.wavelengths, basis.values[:, i]) for i, n in enumerate(("red", "green", "blue"))}
    write("rgb_basis", columns, 9, "reflectances of linear sRGB primaries, I. Mallett and C. Yuksel, EGSR 2019")


if __name__ == "__main__":
    main()
