"""The page of a comparison of classifiers, its files, and what the JSON and the Markdown say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from lightdet.arrays import Image
from lightdet.comparison.class_results import ClassComparison, HardPicture
from lightdet.comparison.class_tables import class_tables, listed, measure_of
from lightdet.comparison.curves import class_training_charts
from lightdet.comparison.page import (
    charts_section,
    differences_section,
    left_out_section,
    notes_section,
    problems_section,
)
from lightdet.comparison.results import Spread
from lightdet.comparison.scatter import accuracy_charts
from lightdet.comparison.split_chart import split_chart
from lightdet.comparison.tables import Table, html
from lightdet.comparison.writer import Written, markdown_of, write_files
from lightdet.errors import UserError
from lightdet.evaluation.report.findings import data_uri
from lightdet.evaluation.report.markup import Content, Markup, join, tag
from lightdet.evaluation.report.page import page
from lightdet.evaluation.report.tables import fact_lists
from lightdet.geometry.letterbox import resize

SIDE = 300
"""Longer side in pixels of the pictures on the page."""


def write_class_comparison(folder: Path, comparison: ClassComparison, load: Callable[[Path], Image]) -> Written:
    """Write ``comparison.html``, ``.md``, ``.json`` and ``tables/*.csv`` into `folder`, each whole or not at all.

    Args:
        folder: made where missing; files of these names are replaced, CSV files of earlier tables removed.
        comparison: what to tell.
        load: reads a picture (uint8 RGB ``[H, W, 3]``).

    Raises:
        UserError: something cannot be written.
    """
    tables = class_tables(comparison)
    return write_files(
        folder,
        tables,
        markdown=markdown_of(comparison, tables, _fit_lines(comparison)),
        values=class_comparison_as_dict(comparison, tables),
        html=class_comparison_page(comparison, tables, load),
    )


def class_comparison_as_dict(comparison: ClassComparison, tables: Sequence[Table]) -> dict[str, Any]:
    """Return everything as plain values ready for JSON; shares are 0 to 1, times ms."""
    return {
        "task": "classify",
        "title": comparison.title,
        **comparison.details,
        "classes": list(comparison.classes),
        "splits": list(comparison.splits),
        "headline": comparison.headline,
        "models": [model.as_dict() for model in comparison.models],
        "tables": {table.key: table.as_dict() for table in tables},
        "notes": list(comparison.notes),
        "skipped": list(comparison.skipped),
    }


def class_comparison_page(comparison: ClassComparison, tables: Sequence[Table], load: Callable[[Path], Image]) -> str:
    """Return the whole page, one file that loads nothing."""
    style = files(__package__).joinpath("comparison.css").read_text(encoding="utf-8")
    points = [
        (kind, model, model.measure(comparison.headline, measure_of("accuracy")))
        for kind, model in enumerate(comparison.models)
    ]
    accuracy = [(kind, model, None if s is None else Spread(s.values)) for kind, model, s in points]
    content = [
        tag("header", tag("h1", comparison.title), notes_section(comparison.notes)),
        [html(table) for table in tables[:1]],
        problems_section(comparison.models),
        _splits(comparison),
        charts_section(
            "Accuracy against cost",
            accuracy_charts(accuracy, f"accuracy ({comparison.headline}), %"),
            "Costs on logarithmic axes; up and left is better.",
        ),
        [html(table) for table in tables[1:]],
        charts_section("How the trainings went", class_training_charts(comparison.models), _CURVES),
        _fits(comparison),
        _hard(comparison, load),
        differences_section(comparison.models),
        left_out_section(comparison.skipped),
        tag("h2", "About this comparison"),
        fact_lists(comparison.facts),
        tag("p", _NOTE, class_="soft"),
    ]
    return page(comparison.title, *content, style=style)


_CURVES = (
    "One line per run. Validation is of whole pictures and (where the recipe averages) of averaged weights; the "
    "training's own loss and accuracy are of changed pictures, with dropout and weights that still move."
)
_NOTE = (
    "Every network is scored by the same code on the same pictures; the numbers are scikit-learn's, the intervals "
    "those of lightdet val. Bold is the best median as printed; where intervals overlap widely, it means nothing."
)


def _splits(comparison: ClassComparison) -> list[Content]:
    drawing = split_chart(comparison)
    if drawing is None:
        return []
    note = (
        "Dots: accuracy (of several runs, the median, the runs as small dots); lines: the interval that the number of "
        "pictures leaves open. Training far right of the others is overfitting."
    )
    title = f"Over {listed(comparison.splits)}"
    return [tag("h2", title), tag("div", tag("div", drawing), class_="charts"), tag("p", note, class_="soft")]


def _fit_lines(comparison: ClassComparison) -> list[str]:
    return [
        f"{model.name}{f', {label}' if label else ''}: {sentence}"
        for model in comparison.models
        for label, sentence in model.fits.items()
    ]


def _fits(comparison: ClassComparison) -> list[Content]:
    lines = _fit_lines(comparison)
    return [tag("ul", [tag("li", line) for line in lines])] if lines else []


def _hard(comparison: ClassComparison, load: Callable[[Path], Image]) -> list[Content]:
    if not comparison.hard:
        return []
    note = (
        f"Those of {comparison.headline} that most networks take for the wrong class, with the class and its "
        "probability; of several runs, the one in the middle."
    )
    cards = [_card(picture, len(comparison.models), load) for picture in comparison.hard]
    return [tag("h2", "The hardest pictures"), tag("p", note, class_="soft"), tag("div", cards, class_="cards")]


def _card(picture: HardPicture, networks: int, load: Callable[[Path], Image]) -> Markup:
    lines = [tag("li", f"{name}: {taken} ({share:.2f})") for name, (taken, share) in picture.taken.items()]
    told = f"is {picture.is_a}; wrong: {len(picture.taken)} of {networks}"
    caption = tag(
        "figcaption", tag("strong", picture.path.name, title=str(picture.path)), tag("ul", tag("li", told), lines)
    )
    try:
        shown: Content = tag("img", src=data_uri(_small(load(picture.path))), alt=f"{picture.path.name}: {told}")
    except UserError as error:  # a picture that went away since; the numbers stand without it
        shown = tag("p", str(error))
    return tag("figure", join([shown, caption]), class_="card")


def _small(image: Image) -> Image:
    scale = SIDE / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return resize(np.ascontiguousarray(image), size)
