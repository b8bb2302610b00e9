"""The page of a training, one file beside results.csv: its progress, what the network is shown, what it finds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightdet.arrays import Image
from lightdet.evaluation.report.findings import data_uri
from lightdet.evaluation.report.history import Curve, history_charts
from lightdet.evaluation.report.markup import Content, Markup, join, tag
from lightdet.evaluation.report.page import page
from lightdet.evaluation.report.tables import fact_lists, number
from lightdet.files import write_text
from lightdet.training.checkpoint import Progress
from lightdet.wording import counted, duration

PAGE_FILE = "training.html"
REST_SECONDS = 60.0
"""Shortest time between two updates of the page during a training."""
STYLE = """
.sheet-picture { display: block; width: 100%; height: auto; border-radius: 6px; margin: 0.5rem 0; }
"""


@dataclass(frozen=True)
class PageWords:
    """What differs between the pages for detectors and for classifiers.

    Attributes:
        curves: charts over the epochs.
        scores: numbers of the best epoch: label → key of its metrics.
        judge: history → a sentence about how the training went; None says nothing.
    """

    curves: Sequence[Curve]
    scores: Mapping[str, str]
    judge: Callable[[Sequence[Mapping[str, Any]]], str] | None = None


@dataclass
class TrainingPage:
    """Writes ``training.html`` from time to time, and at the end.

    Args:
        path: of the file.
        title: heading.
        words: for this kind of network.
        batches: draws the first training batches, uint8 ``[H, W, 3]`` each.
        facts: for the end of the page, by group.
    """

    path: Path
    title: str
    words: PageWords
    batches: Callable[[], Sequence[Image]]
    facts: Mapping[str, Mapping[str, str]]
    seconds: float = field(init=False, default=0.0)
    """Seconds that the last write took."""
    fresh: bool = field(init=False, default=False)
    """Whether the last call wrote the page."""
    _written: float | None = field(init=False, default=None)
    _first: Markup | None = field(init=False, default=None)
    _shown: tuple[int, bool, Callable[[], Markup | None]] | None = field(init=False, default=None)

    def keep(self, epoch: int, pictures: Callable[[], Markup | None], *, best: bool) -> None:
        """Remember how to draw the validation pictures of an epoch: the best epoch, or the latest."""
        if best or self._shown is None or not self._shown[1]:
            self._shown = epoch, best, pictures

    def write(self, progress: Progress, epochs: int, *, now: bool) -> None:
        """Write the page if the last write was long ago, or if `now` is set.

        Args:
            progress: of the training, its whole epochs counted.
            epochs: planned number of epochs.
            now: write in any case.
        """
        began = time.perf_counter()
        self.fresh = now or self._written is None or began - self._written >= REST_SECONDS
        if not self.fresh:
            return
        write_text(self.path, page(self.title, *self._content(progress, epochs), style=STYLE))
        self._written = time.perf_counter()
        self.seconds = self._written - began

    def _content(self, progress: Progress, epochs: int) -> list[Content]:
        sentence = self.words.judge(progress.history) if self.words.judge is not None and progress.done else None
        return [
            tag("header", tag("h1", self.title), tag("p", _standing(progress, epochs), class_="soft")),
            self._tiles(progress),
            tag("h2", "Curves"),
            tag("p", sentence) if sentence else None,
            history_charts(progress.history, self.words.curves),
            *self._validation(),
            tag("h2", "First training batches"),
            tag("p", _BATCHES_NOTE, class_="soft"),
            self._first_batches(),
            tag("h2", "About this training"),
            fact_lists(self.facts),
            tag("p", _BOARD_NOTE, class_="soft"),
        ]

    def _tiles(self, progress: Progress) -> Markup | None:
        best = progress.best_metrics
        if best is None or progress.best is None:
            return None
        cells = [
            tag(
                "div",
                tag("span", name),
                tag("b", number(best.get(key))),
                tag("small", "of the best epoch"),
                class_="tile",
            )
            for name, key in self.words.scores.items()
        ]
        return tag("div", cells, class_="tiles")

    def _validation(self) -> list[Content]:
        if self._shown is None:
            return []
        epoch, best, draw = self._shown
        drawn = draw()
        if drawn is None:
            return []
        which = f"As the {'best' if best else 'latest'} epoch, {epoch}, sees them."
        return [tag("h2", "Validation pictures"), tag("p", which, class_="soft"), drawn]

    def _first_batches(self) -> Markup:
        if self._first is None:
            sheets = [
                tag("img", src=data_uri(sheet), alt=f"training batch {count}", class_="sheet-picture")
                for count, sheet in enumerate(self.batches(), 1)
            ]
            self._first = join(sheets)
        return self._first


def _standing(progress: Progress, epochs: int) -> str:
    took = duration(progress.seconds)
    if not progress.done:
        progress_text = f"Epoch {progress.epoch} of {epochs}, after {took}"
    else:
        progress_text = f"{counted(progress.epoch, 'epoch')} in {took}; the training has ended"
    if progress.best is None:
        return f"{progress_text}. No epoch is scored: the last one counts as the best."
    return f"{progress_text}. Best epoch{'' if progress.done else ' so far'}: {progress.best_epoch}."


_BATCHES_NOTE = (
    "What the network is shown, after all random changes. Boxes or classes that do not fit their pictures here are "
    "wrong in the data set."
)
_BOARD_NOTE = (
    "The same numbers by epoch are in results.csv. TensorBoard shows them as well, for several trainings side by side: "
    "tensorboard --logdir with the folder above this one."
)
