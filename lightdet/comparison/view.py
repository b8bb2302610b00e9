"""The parts of a comparison's page and JSON that depend on the models' task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lightdet.arrays import Image
from lightdet.evaluation.report.markup import Content, Markup

if TYPE_CHECKING:
    from lightdet.comparison.results import Comparison, Model, Run, Spread
    from lightdet.comparison.tables import Table


class View(Protocol):
    """The parts of the page, in its order, and of the JSON; see `DetectorView` and `ClassifierView`."""

    accuracy_title: str
    """The accuracy in the charts against cost, with its unit."""
    curve_note: str
    """The text below the training curves."""
    note: str
    """The text at the end: how the numbers were computed."""

    def tables(self, comparison: Comparison) -> list[Table]:
        """Return every table; the first is alone at the top."""

    def overview(self, comparison: Comparison) -> list[Content]:
        """Return what comes between the first table and the charts of cost, if anything."""

    def accuracy(self, model: Model) -> Spread | None:
        """Return what is drawn against cost, 0 to 1."""

    def training_charts(self, models: Sequence[Model]) -> list[tuple[str, Markup]]:
        """Return headings and charts of the numbers recorded over the epochs."""

    def curve_remarks(self, models: Sequence[Model]) -> list[str]:
        """Return what the curves show, one line per run."""

    def pictures(self, comparison: Comparison, load: Callable[[Path], Image]) -> list[Content]:
        """Return pictures with the models' results; `load` reads one (uint8 RGB ``[H, W, 3]``)."""

    def as_dict(self) -> dict[str, Any]:
        """Return what else the JSON says; plain values."""

    def model_as_dict(self, model: Model) -> dict[str, Any]:
        """Return a model's numbers over all runs."""

    def run_as_dict(self, run: Run) -> dict[str, Any]:
        """Return a run's numbers."""
