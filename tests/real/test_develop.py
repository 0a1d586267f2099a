"""Real RAW files, developed whole: sane exposure, neutral greys, no pink highlights, colour as measured on charts."""

import json
import subprocess
import sys

import numpy as np
import pytest

from apochromat import chain
from apochromat.raw import read

RAWS = ["CRW_0101.CRW", "CRW_0112.CRW", "CRW_0305.CRW", "GOPR0024.DNG", "GOPR8508.DNG", "GOPR9231.DNG", "GPFR7066.DNG"]
BEST_PEER = {"CRW_0101": 3.69, "CRW_0305": 2.90, "GOPR8508": 5.83}  # mean CIEDE2000 after exposure and neutral scaling


@pytest.mark.parametrize("name", RAWS)
def test_a_real_file_becomes_a_sane_picture(shared, name):
    frame = read(shared / "data/raw" / name)
    picture = chain.develop(frame)
    codes = picture.pixels.astype(int)
    assert codes.shape == (frame.crop.height, frame.crop.width, 3)
    assert 35 < np.median(codes) < 190, "neither night nor white-out"
    bright = codes[codes.min(2) >= 230]
    if len(bright) > 1000:  # what is nearly white is neutral: no pink or green highlights
        spread = bright.max(1) - bright.min(1)
        assert np.percentile(spread, 90) < 26


@pytest.mark.parametrize("chart", sorted(BEST_PEER))
def test_chart_colour_is_at_least_the_best_peers(shared, tmp_path, chart):
    pytest.importorskip("colour")
    raw = next((shared / "data/raw").glob(f"{chart}.*"))
    out = chain.develop(read(raw), rendering="neutral", bits=16).save(tmp_path / "chart.tif")
    command = [sys.executable, shared / "bench/colorchecker.py", out, shared / f"bench/charts/{chart}.json", "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert told["dE2000"]["exposure + neutral"]["mean"] <= BEST_PEER[chart] + 0.1
