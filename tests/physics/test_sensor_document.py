"""Documents of sensors: what the built-in ones say, and what a bad one or a bad exposure is told."""

from importlib import resources

import numpy as np
import pytest

from apochromat.sensor import SensorError, capture, capture_readout, read_sensor, sensor, sensor_names

NAMES = ("flagship-2022-main", "flagship-2025-main", "flagship-2025-tele", "flagship-2025-ultra", "small-2019-main")
MAIN = "flagship-2025-main"
BASE = 40  # its lowest exposure index


def flat(electrons):
    return np.full((64, 64), electrons, np.float32)


def test_library_is_complete_and_sizes_are_the_published_ones():
    assert sensor_names() == NAMES
    assert {n: sensor(n).shape for n in NAMES} == {n: (3024, 4032) if n == "small-2019-main" else (3072, 4096) for n in NAMES}
    tele = sensor("flagship-2025-tele")
    size_mm = [n * tele.pixels.pitch_um.value / 1000 for n in tele.shape]
    assert size_mm == pytest.approx([6.9, 9.2], abs=0.05)  # as published


@pytest.mark.parametrize("name", NAMES)
def test_every_assumed_number_has_a_range_and_every_number_a_source(name):
    found = []

    def walk(node):
        if isinstance(node, dict) and "source" in node:
            found.append(node)
        elif isinstance(node, dict):
            for value in node.values():
                walk(value)
        elif isinstance(node, (list, tuple)):
            for value in node:
                walk(value)

    walk(sensor(name).model_dump())
    assert len(found) > 25
    assert all(n["range"] is not None for n in found if n["kind"] == "assumed")
    assert {n["kind"] for n in found} == {"assumed", "published"}  # no maker's part was measured


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("[dark]", "[dark]\nno_such = 1"), "only known entries"),
        (("[dark]\ncurrent_e_s = { value = 4.0", "[dark]\ncurrent_e_s = { value = -4.0"), "`dark.current_e_s`"),
        (("doubling_c", "# doubling_c"), r"expected `dark.doubling_c` in 3 to 20 K, found none"),
        (("bits = { value = 14", "bits = { value = 40"), "8 to 16 bit"),
        (("full_well_e = { value = 60000.0", "full_well_e = { value = 9.0"), "readouts.1"),
        (("native_pitch_um = { value = 1.6", "native_pitch_um = { value = 1.0"), "binning that makes the pitch"),
        (('cfa = "RGGB"', 'cfa = "XTRANS"'), "RGGB"),
        (("rows = { value = 3072", "rows = { value = 3071"), "even whole number of rows"),
        (('name = "flagship', "name = flagship"), "TOML"),
    ],
)
def test_a_bad_document_is_one_sentence_with_number_range_and_file(tmp_path, change, words):
    document = resources.files("apochromat.sensor").joinpath("library", f"{MAIN}.toml").read_text("utf-8")
    assert change[0] in document
    path = tmp_path / "mine.toml"
    path.write_text(document.replace(change[0], change[1], 1), encoding="utf-8")
    with pytest.raises(SensorError, match=words) as error:
        read_sensor(path)
    message = str(error.value)
    assert "mine.toml" in message and "expected" in message and "\n" not in message  # noqa: PT018


def test_bad_exposures_are_one_sentence():
    chip, good = sensor(MAIN), {"iso": BASE, "exposure_s": 0.01, "seed": 1}
    wrong = (np.zeros((3, 4)), np.zeros((4, 4, 3)), np.zeros((8, 8192)), np.zeros((4, 4), complex))
    for mean in (flat(-1.0), flat(np.nan), flat(np.inf), *wrong):
        with pytest.raises(SensorError, match="expected"):
            capture(mean, chip, **good)
    for bad in ({"iso": 10}, {"iso": np.nan}, {"exposure_s": 0}, {"temperature_c": 400}, {"threads": 0}, {"seed": -1}, {"frame": 0.5}):
        with pytest.raises(SensorError, match="expected"):
            capture(flat(1.0), chip, **{**good, **bad})
    with pytest.raises(SensorError, match="dark signal"):
        capture(flat(1.0), chip, **{**good, "exposure_s": 3000, "temperature_c": 80})
    with pytest.raises(SensorError, match="HCG, LCG, LOFIC"):
        capture_readout(flat(1.0), chip, "MCG", exposure_s=0.1, seed=1)
    with pytest.raises(SensorError, match="flagship-2025-main"):
        sensor("iphone")
    with pytest.raises(SensorError, match="can be read"):
        read_sensor("/no/such/file.toml")
