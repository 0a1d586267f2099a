"""The lens report: one page, nothing loaded from elsewhere, every configuration and analysis in it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from apochromat.optics.analyses import analysis
from apochromat.optics.build import build
from apochromat.optics.errors import LensError
from apochromat.optics.first_order import first_order
from apochromat.optics.focus import working_f_number
from apochromat.optics.prescription import checked
from apochromat.optics.report import html, write_report
from apochromat.optics.summary import summary

SHOWN = ("spot", "distortion", "throughput")


def singlet():
    """A lens with two focus positions and a name that would break a page."""
    return build(
        checked(
            {
                "name": "<b>singlet</b> & co",
                "source": "made up",
                "aperture": {"entrance_pupil_mm": 5.0},
                "fields": {"points": [0, 3]},
                "wavelengths": {"nm": [486.1327, 587.5618, 656.2725]},
                "configuration": [{"name": "far"}, {"name": "near", "object_distance_mm": 1000.0}],
                "surface": [
                    {"radius": 50.0, "thickness": 3.0, "glass": "N-BK7", "stop": True, "even": [0.0, 1e-7]},
                    {"radius": -50.0, "thickness": [47.0, 50.0]},
                ],
            },
            "singlet.toml",
        )
    )


@pytest.fixture(scope="module")
def page():
    return html(singlet(), configurations=(0, 1), analyses=SHOWN)


class Reader(HTMLParser):
    """Checks that tags are closed in turn, and keeps texts and rows."""

    EMPTY = ("meta", "path", "use", "br")

    def __init__(self):
        super().__init__()
        self.open, self.rows = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.EMPTY:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)


def test_page_is_whole_and_loads_nothing(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert not re.search(r"<script|<link|<img|@import|url\((?!#)|\bsrc=", page)
    assert page.count("&lt;b&gt;singlet&lt;/b&gt; &amp; co") == 2  # title and heading


def test_figures_follow_the_page_and_share_no_id(page):
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)
    assert page.count("<svg") == 2 * (1 + len(SHOWN))
    assert "currentColor" in page
    assert "#ffffff" not in page


def test_tables_cover_every_configuration(page):
    reader = Reader()
    reader.feed(page)
    per_colour = [row for row in reader.rows if row and row[0] in ("far", "near")]
    assert [row[:2] for row in per_colour] == [[c, w] for c in ("far", "near") for w in ("486.1", "587.6", "656.3")]
    assert any(row[0] == "1" and "N-BK7" in row and "50" in row for row in reader.rows if row)
    assert any("47 / 50" in row for row in reader.rows)
    for name in SHOWN:
        assert page.count(f"<h3>{analysis(name).TITLE}</h3>") == 2


def test_same_lens_same_page(page):
    assert html(singlet(), configurations=(0, 1), analyses=SHOWN) == page


def test_file_is_written_in_one_piece(tmp_path: Path):
    target = tmp_path / "lens.html"
    write_report(singlet(), target, analyses=("distortion",))
    assert target.read_text("utf-8").endswith("</html>\n")
    assert [p.name for p in tmp_path.iterdir()] == ["lens.html"]


def test_every_configuration_is_drawn_unless_some_are_chosen():
    every, one = html(singlet(), analyses=("distortion",)), html(singlet(), configurations=(1,), analyses=("distortion",))
    assert (every.count("<svg"), one.count("<svg")) == (4, 2)
    assert 'href="#figures-0"' in every
    assert 'href="#figures-0"' not in one


def test_summary_has_the_first_order_of_the_differentiable_trace():
    lens = singlet()
    rows = summary(lens)["first_order"]
    for row in (rows[0], rows[-1]):
        config = lens.info.configurations.index(row["configuration"])
        found = first_order(lens, row["wavelength_nm"], config)
        for key in ("efl_mm", "bfl_mm", "entrance_pupil_mm", "entrance_pupil_position_mm", "exit_pupil_mm", "magnification"):
            assert row[key] == pytest.approx(float(getattr(found, key)), rel=1e-9, abs=1e-12)
        assert row["image_space_f_number"] == pytest.approx(float(found.f_number), rel=1e-9)
        assert row["f_number"] == pytest.approx(float(working_f_number(lens, config, row["wavelength_nm"])), rel=1e-9)


def test_unknown_configuration_is_refused():
    with pytest.raises(LensError, match="from 0 to 1, found 2"):
        html(singlet(), configurations=(2,))
