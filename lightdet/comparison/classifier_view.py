"""Classifiers compared: every measure with its interval over the splits, and the pictures most of them get wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.arrays import Image
from lightdet.comparison.class_tables import class_tables, listed, measure, measure_of
from lightdet.comparison.curves import class_training_charts
from lightdet.comparison.results import Comparison, Model, Run, Spread
from lightdet.comparison.split_chart import split_chart
from lightdet.comparison.tables import Table
from lightdet.errors import UserError
from lightdet.evaluation.report.findings import data_uri
from lightdet.evaluation.report.markup import Content, Markup, join, tag
from lightdet.geometry.letterbox import resize

SIDE = 300
"""Longer side in pixels of the pictures on the page."""


@dataclass(frozen=True)
class HardPicture:
    """A picture of the headline split that networks misclassify.

    Attributes:
        path: of the picture.
        is_a: its class.
        taken: for each network that is wrong, the class that it reports and its probability.
    """

    path: Path
    is_a: str
    taken: Mapping[str, tuple[str, float]]


class ClassifierView:
    """See `View`. A run's `metrics` are by split; what it has `shown` are its mistakes on the headline split.

    Args:
        splits: that were scored, in the order train, val, test, others.
        headline: the one shown in short tables and charts.
        most: largest number of pictures shown.
    """

    curve_note = (
        "One line per run. Validation is of whole pictures and (where the recipe averages) of averaged weights; the "
        "training's own loss and accuracy are of changed pictures, with dropout and weights that still move."
    )
    note = (
        "Every network is scored by the same code on the same pictures; the numbers are scikit-learn's, the intervals "
        "those of lightdet val. Bold is the best median as printed; if intervals overlap widely, it means nothing."
    )

    def __init__(self, splits: tuple[str, ...], headline: str, most: int = 6) -> None:
        self.splits, self.headline, self.most = splits, headline, most
        self.accuracy_title = f"accuracy ({headline}), %"

    def tables(self, comparison: Comparison) -> list[Table]:
        """The short table, one over the splits, one for each split, one by class, size and speed, every run."""
        return class_tables(comparison.models, comparison.classes, self.splits, self.headline)

    def overview(self, comparison: Comparison) -> list[Content]:
        """The accuracy of every network on every split."""
        drawing = split_chart(comparison.models, self.splits)
        if drawing is None:
            return []
        note = (
            "Dots: accuracy (of several runs, the median, the runs as small dots); lines: the interval that the number "
            "of pictures leaves open. Training far right of the others is overfitting."
        )
        title = f"Over {listed(self.splits)}"
        return [tag("h2", title), tag("div", tag("div", drawing), class_="charts"), tag("p", note, class_="soft")]

    def accuracy(self, model: Model) -> Spread | None:
        """The accuracy on the headline split."""
        found = measure(model, self.headline, measure_of("accuracy"))
        return None if found is None else Spread(found.values)

    def training_charts(self, models: Sequence[Model]) -> list[tuple[str, Markup]]:
        """Accuracy, AUC and losses."""
        return class_training_charts(models)

    def curve_remarks(self, models: Sequence[Model]) -> list[str]:
        """Whether a training over- or underfits."""
        return [
            f"{model.name}{f', {run.label}' if run.label else ''}: {run.fit}"
            for model in models
            for run in model.runs
            if run.fit
        ]

    def pictures(self, comparison: Comparison, load: Callable[[Path], Image]) -> list[Content]:
        """The hardest ones."""
        hard = hardest(comparison.models, self.headline, self.most)
        if not hard:
            return []
        note = (
            f"Those of {self.headline} that most networks take for the wrong class, with the class and its "
            "probability; of several runs, the one in the middle."
        )
        cards = [_card(picture, len(comparison.models), load) for picture in hard]
        return [tag("h2", "The hardest pictures"), tag("p", note, class_="soft"), tag("div", cards, class_="cards")]

    def as_dict(self) -> dict[str, Any]:
        """The task and the splits."""
        return {"task": "classify", "splits": list(self.splits), "headline": self.headline}

    def model_as_dict(self, model: Model) -> dict[str, Any]:
        """Nothing: the numbers are those of the runs, by split."""
        return {}

    def run_as_dict(self, run: Run) -> dict[str, Any]:
        """What its curves show, and its metrics by split."""
        return {"fit": run.fit, "splits": dict(run.metrics)}


def hardest(models: Sequence[Model], headline: str, count: int) -> list[HardPicture]:
    """Choose up to `count` pictures that most networks get wrong (in its median run), most confident mistakes first.

    The median run is the one with the median accuracy on the split `headline`.
    """
    kinds: dict[str, str] = {}
    taken: dict[str, dict[str, tuple[str, float]]] = {}
    for model in models:
        middle = model.middle_run(lambda metrics: metrics[headline]["accuracy"]["value"])
        for each in middle.shown if middle is not None else ():
            kinds[each["image"]] = each["is"]
            taken.setdefault(each["image"], {})[model.name] = (each["taken"], each["probability"])

    def rank(image: str) -> tuple[int, float, str]:
        return -len(taken[image]), -sum(share for _, share in taken[image].values()), image

    return [HardPicture(Path(image), kinds[image], taken[image]) for image in sorted(taken, key=rank)[:count]]


def _card(picture: HardPicture, networks: int, load: Callable[[Path], Image]) -> Markup:
    lines = [tag("li", f"{name}: {taken} ({share:.2f})") for name, (taken, share) in picture.taken.items()]
    told = f"is {picture.is_a}; wrong: {len(picture.taken)} of {networks}"
    caption = tag(
        "figcaption", tag("strong", picture.path.name, title=str(picture.path)), tag("ul", tag("li", told), lines)
    )
    try:
        shown: Content = tag("img", src=data_uri(_small(load(picture.path))), alt=f"{picture.path.name}: {told}")
    except UserError as error:  # a picture that was removed since; the numbers are valid without it
        shown = tag("p", str(error))
    return tag("figure", join([shown, caption]), class_="card")


def _small(image: Image) -> Image:
    scale = SIDE / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return resize(np.ascontiguousarray(image), size)
