"""Detectors compared: the tables of the paper, mAP against cost, detections side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightdet.arrays import Image
from lightdet.comparison.ablations import ablation_tables
from lightdet.comparison.curves import training_charts
from lightdet.comparison.paper_tables import MEANS, mean, paper_tables
from lightdet.comparison.picture_table import MOST, picture_table
from lightdet.comparison.results import Comparison, Model, Run, Spread
from lightdet.comparison.tables import Table
from lightdet.evaluation.report.markup import Content, Markup, tag
from lightdet.structures import Annotation


class DetectorView:
    """See `View`; `sheet` holds the annotations of the pictures shown, in the order of every `Run.shown`."""

    accuracy_title = "mAP@0.5:0.95, %"
    curve_note = (
        "One line per run, scored while it was trained, on the averaged weights. Losses of different kinds of "
        "detectors are different sums: compare their shapes, not their heights."
    )
    note = (
        "Every row is scored by the same code on the same pictures. AP is pycocotools' (area under precision over "
        "recall at 101 points); mAP is its mean over the classes that occur. Bold is the best median as printed; "
        "differences smaller than the spread between runs mean nothing."
    )

    def __init__(self, sheet: Sequence[Annotation] = ()) -> None:
        self.sheet = sheet

    def tables(self, comparison: Comparison) -> list[Table]:
        """The short table, Tables 1 to 3, Table 4 and other ablations where models allow them, every run."""
        *first, runs = paper_tables(comparison)
        return [*first, *ablation_tables(comparison.models, comparison.classes), runs]

    def overview(self, comparison: Comparison) -> list[Content]:
        """Nothing."""
        return []

    def accuracy(self, model: Model) -> Spread | None:
        """mAP@0.5:0.95."""
        return mean(model, "map50_95")

    def training_charts(self, models: Sequence[Model]) -> list[tuple[str, Markup]]:
        """mAP and losses."""
        return training_charts(models)

    def curve_remarks(self, models: Sequence[Model]) -> list[str]:
        """Nothing."""
        return []

    def pictures(self, comparison: Comparison, load: Callable[[Path], Image]) -> list[Content]:
        """One row per picture, one column per model."""
        drawn = picture_table(comparison, self.sheet, load)
        if drawn is None:
            return []
        note = (
            "Chosen by a fixed draw that takes every class in turn, not by what anyone found. Each model at the score "
            f"where its own F1 is best, at most {MOST} boxes per picture; of several runs, the one with the median "
            "mAP@0.5:0.95."
        )
        return [tag("h2", "Detections side by side"), tag("p", note, class_="soft"), drawn]

    def as_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def model_as_dict(self, model: Model) -> dict[str, Any]:
        """The three means."""
        means: Mapping[str, Spread | None] = {key: mean(model, key) for key, _ in MEANS}
        return {key: spread.as_dict() if spread else None for key, spread in means.items()}

    def run_as_dict(self, run: Run) -> dict[str, Any]:
        """Its starting weights, and its metrics."""
        return {"start": run.start, **run.metrics}
