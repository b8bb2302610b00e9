"""Detections side by side: one row per picture, one column per model, with the labels beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lightdet.arrays import Image
from lightdet.comparison.results import Comparison, Model, Run
from lightdet.errors import UserError
from lightdet.evaluation.report.findings import data_uri, draw_outcome, draw_truth, legend, window_around
from lightdet.evaluation.report.markup import Content, Markup, join, tag
from lightdet.structures import Annotation, Detections

SIDE = 300
"""Longer side in pixels of the pictures on the page."""
MOST = 25
"""Most detections drawn in a picture, best first: an untrained model would cover it."""


def choose_pictures(annotations: Sequence[Annotation], classes: int, count: int) -> list[int]:
    """Choose up to `count` pictures that show every class in turn, independent of any model; deterministic.

    Class by class, the first picture in a fixed random order that has a box of the class and was not chosen yet;
    the result is in the order of the data set.
    """
    order = np.random.default_rng(0).permutation(len(annotations)).tolist()
    taken: list[int] = []
    while len(taken) < count:
        before = len(taken)
        for label in range(classes):
            fits = (i for i in order if i not in taken and (annotations[i].labels == label).any())
            found = next(fits, None)
            if found is not None and len(taken) < count:
                taken.append(found)
        if len(taken) == before:
            break
    return sorted(taken)


def picture_table(
    comparison: Comparison, pictures: Sequence[Annotation], load: Callable[[Path], Image]
) -> Markup | None:
    """Return the table of pictures; None if there is nothing to show.

    Args:
        comparison: the results.
        pictures: to show, in the order of every `Run.shown`.
        load: reads a picture (uint8 RGB ``[H, W, 3]``).
    """
    shown = [model for model in comparison.models if model.runs and model.runs[0].shown]
    if not pictures or not shown:
        return None
    head = [tag("th", "labelled", scope="col"), [_column_head(model) for model in shown]]
    rows = [_row(index, truth, comparison.classes, shown, load) for index, truth in enumerate(pictures)]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), class_="sheet")
    return join([legend(), tag("div", table, class_="scroll")])


def _middle_run(model: Model) -> Run | None:
    return model.middle_run(lambda metrics: metrics["map50_95"])


def _column_head(model: Model) -> Markup:
    run = _middle_run(model)
    told = []
    if run is not None:
        told = [run.label] if run.label else []
        threshold = run.metrics["threshold"]
        told += [] if threshold is None else [f"from score {threshold:.2g}"]
    return tag("th", model.name, tag("small", ", ".join(told)), scope="col")


def _row(
    index: int, truth: Annotation, classes: Sequence[str], models: Sequence[Model], load: Callable[[Path], Image]
) -> Markup:
    try:
        image = load(truth.image)
    except UserError as error:  # a picture that was removed since; the numbers are valid without it
        return tag("tr", tag("td", str(error), colspan=len(models) + 1))
    window = window_around(truth.boxes[0], truth.size) if len(truth) else (0, 0, *truth.size)
    name = truth.image.name
    whole = draw_truth(image, window, truth, classes, side=SIDE)
    cells: list[Content] = [_cell(whole, f"{name}, labelled", name)]
    for model in models:
        run = _middle_run(model)
        if run is None:
            continue
        drawn = draw_outcome(image, window, _strongest(run.shown[index]), truth, classes, side=SIDE)
        cells.append(_cell(drawn, f"{name}, found by {model.name}"))
    return tag("tr", cells)


def _strongest(found: Detections) -> Detections:
    if len(found) <= MOST:
        return found
    return Detections(found.boxes[:MOST], found.scores[:MOST], found.labels[:MOST], found.names, found.size)


def _cell(image: Image, told: str, caption: str | None = None) -> Markup:
    return tag("td", tag("img", src=data_uri(image), alt=told, title=told), tag("small", caption) if caption else None)
