"""Colour of real ColorCheckers under `--rendering neutral`, judged by the script that judged the peers."""

import importlib.util
import json

import numpy as np
import pytest
import tifffile

import apochromat as apo


@pytest.fixture(scope="module")
def judge(shared):
    """The module bench/colorchecker.py."""
    spec = importlib.util.spec_from_file_location("colorchecker", shared / "bench" / "colorchecker.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "best_peer"), [("CRW_0101.CRW", 3.69), ("CRW_0305.CRW", 2.90), ("GOPR8508.DNG", 5.83)])
def test_mean_colour_error_is_below_every_peer(name, best_peer, judge, shared, tmp_path):
    chart = json.loads((shared / "bench" / "charts" / name).with_suffix(".json").read_text())
    picture = tmp_path / "chart.tif"
    tifffile.imwrite(picture, apo.develop(apo.read(shared / "data" / "raw" / name), rendering="neutral", bits=16).pixels)
    xyz = judge.measure(str(picture), chart)[0]
    assert np.nanmean(judge.scores(xyz, chart["edition"])["exposure + neutral"]) < best_peer
