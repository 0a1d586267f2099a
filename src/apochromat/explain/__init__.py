"""How one picture came about: every step as a picture, with its parameters, findings and paper, on one self-contained page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apochromat.develop.stage import Params, Stage
from apochromat.explain import page
from apochromat.explain.view import View
from apochromat.light.development import Development
from apochromat.light.raw_frame import RawFrame
from apochromat.picture.files import new_file


@dataclass(frozen=True)
class Step:
    """One stage's result. overview, detail: JPEG files of the whole picture and of a part at full size; facts: what it found out."""

    stage: Stage
    params: Params
    facts: dict[str, Any]
    overview: bytes
    detail: bytes


class Explanation:
    """Collects the steps of one development: `add` is a tap callback of `chain.develop`, `write` makes the page."""

    def __init__(self, frame: RawFrame) -> None:
        self.frame = frame
        self.steps: list[Step] = []
        self._view = View()
        self._known: dict[str, Any] = {}

    def add(self, stage: Stage, params: Params, development: Development) -> None:
        """Keep the result of one stage as two small pictures."""
        overview, detail = self._view.of(stage, development)
        news = {key: value for key, value in development.facts.items() if self._known.get(key) is not value}
        self._known.update(news)
        self.steps.append(Step(stage, params, news, overview, detail))

    def write(self, path: Path, *, overwrite: bool = False) -> Path:
        """Write the page and return its path; raises as `picture.write` does."""
        with new_file(path, overwrite) as file:
            file.write(page.render(self.frame, self.steps).encode(errors="replace"))
        return path
