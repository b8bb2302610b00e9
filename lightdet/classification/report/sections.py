"""The parts of a classifier's page: headline tiles, classes, confusion matrix, curves, wrong pictures."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lightdet.arrays import FloatArray, Image, IntArray
from lightdet.classification.intervals import Estimate
from lightdet.classification.metrics import ClassifyMetrics, ClassScores
from lightdet.errors import UserError
from lightdet.evaluation.report.charts import Line, chart
from lightdet.evaluation.report.history import Curve, history_charts
from lightdet.evaluation.report.markup import Content, Markup, join, tag
from lightdet.evaluation.report.tables import number
from lightdet.geometry.letterbox import resize
from lightdet.structures import ImageLabel

MAX_LINES = 16
"""If there are more classes than this, only those with the lowest AUC are drawn."""
SIDE, QUALITY = 256, 85


def interval_text(estimate: Estimate) -> str:
    """``0.912–0.987``, or nothing if there is no interval."""
    return "" if estimate.low is None else f"{number(estimate.low)}–{number(estimate.high)}"


def tiles(metrics: ClassifyMetrics) -> Markup:
    """Return the headline numbers with their intervals."""
    entries = [
        ("Accuracy", metrics.accuracy, "share of pictures classified correctly"),
        ("Balanced accuracy", metrics.balanced_accuracy, "mean recall of the classes"),
        ("F1", metrics.macro["f1"], "mean over classes"),
        ("Precision", metrics.macro["precision"], "mean over classes"),
        ("Specificity", metrics.macro["specificity"], "mean over classes"),
        ("AUC", metrics.macro["auc"], "mean over classes, each against the others"),
    ]
    return tag(
        "div",
        [
            tag(
                "div",
                tag("span", name),
                tag("b", number(estimate.value)),
                tag("small", f"{interval_text(estimate)} " if estimate.low is not None else "", note),
                class_="tile",
            )
            for name, estimate, note in entries
        ],
        class_="tiles",
    )


def class_table(metrics: ClassifyMetrics) -> Markup:
    """Return one row per class and the means; under each number its interval."""
    heads = ("class", "pictures", "taken for it", "precision", "recall", "specificity", "F1", "AUC", "avg. precision")
    names = ("precision", "recall", "specificity", "f1", "auc", "average_precision")
    rows = []
    for scores in metrics.per_class:
        counts = [tag("td", str(scores.pictures)), tag("td", str(scores.predicted))]
        cells = [_cell(getattr(scores, name)) for name in names]
        rows.append(tag("tr", tag("th", scores.name, scope="row"), counts, cells))
    foot = [
        tag("tr", tag("th", "mean", scope="row"), tag("td", str(metrics.pictures)), tag("td", ""), macro)
        for macro in [[_cell(metrics.macro[name]) for name in names]]
    ]
    weighted = [tag("td", number(metrics.weighted[name])) if name in metrics.weighted else tag("td") for name in names]
    foot.append(tag("tr", tag("th", "mean by pictures", scope="row"), tag("td", ""), tag("td", ""), weighted))
    head = tag("tr", [tag("th", text, scope="col") for text in heads])
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", rows), tag("tfoot", foot), class_="classes"),
        class_="scroll",
    )


def _cell(estimate: Estimate) -> Markup:
    style = None if estimate.value is None else f"--v:{100 * estimate.value:.1f}%"
    shown: list[Content] = [number(estimate.value)]
    if estimate.low is not None:
        shown += [tag("br"), tag("small", interval_text(estimate))]
    return tag("td", shown, class_="bar", style=style)


def confusion_table(counts: IntArray, names: Sequence[str]) -> Markup:
    """Return counts on a background as dark as their share of the row."""
    head = tag(
        "tr",
        tag("td", tag("span", "is ↓  classified as →"), class_="corner"),
        [tag("th", tag("span", name), scope="col") for name in names],
    )
    body = []
    for i, name in enumerate(names):
        total = max(1, int(counts[i].sum()))
        cells: list[Content] = []
        for j, column in enumerate(names):
            count, share = int(counts[i, j]), float(counts[i, j]) / total
            kind = "cell good" if i == j else "cell bad"
            title = f"{name} classified as {column}: {count} ({share:.1%} of the row)"
            cells.append(tag("td", str(count) if count else "·", class_=kind, style=f"--s:{share:.3f}", title=title))
        body.append(tag("tr", tag("th", name, scope="row"), cells))
    return tag("div", tag("table", tag("thead", head), tag("tbody", body), class_="confusion"), class_="scroll")


def curve_section(metrics: ClassifyMetrics) -> Markup:
    """Return the ROC and the precision-recall curves of the classes, each against all others."""
    known = [(kind, scores) for kind, scores in enumerate(metrics.per_class) if len(scores.roc)]
    if not known:
        return tag("p", "There are none: all pictures have the same class.", class_="soft")
    note = None
    if len(known) > MAX_LINES:
        known = sorted(sorted(known, key=lambda pair: pair[1].auc.value or 0.0)[:MAX_LINES], key=lambda pair: pair[0])
        note = tag("p", f"Of {len(metrics.per_class)} classes, the {MAX_LINES} with the lowest AUC.", class_="soft")
    roc = [Line(_named(scores, scores.auc), scores.roc[:, 0], scores.roc[:, 1], kind) for kind, scores in known]
    pr = [
        Line(_named(scores, scores.average_precision), scores.pr[:, 0], scores.pr[:, 1], kind) for kind, scores in known
    ]
    charts = (
        [
            tag("h3", "ROC: share of the class found against false alarms"),
            chart(roc, x_title="share of the others reported as it", y_title="recall"),
        ],
        [
            tag("h3", "Precision against recall"),
            chart(pr, x_title="recall", y_title="precision"),
        ],
    )
    return join([tag("div", [tag("div", parts) for parts in charts], class_="charts"), note])


def _named(scores: ClassScores, estimate: Estimate) -> str:
    return f"{scores.name} ({number(estimate.value)})"


def training_section(history: Sequence[Mapping[str, Any]], sentence: str) -> Markup:
    """Return loss and accuracy by epoch, for training and validation, and what they show."""
    charts = history_charts(history, CURVES)
    return join([tag("p", sentence), charts, tag("p", _TRAINING_NOTE, class_="soft")])


CURVES = (
    Curve("Loss", {"training": "loss", "validation": "val_loss"}, "loss"),
    Curve(
        "Accuracy", {"training": "accuracy", "validation": "val_accuracy"}, "share of correct pictures", is_share=True
    ),
)
_TRAINING_NOTE = (
    "The training's numbers are those of changed pictures, with dropout and of weights that are still moving: they may "
    "be worse than the validation's, which are of the averaged weights on whole pictures."
)


def wrong_pictures(
    labels: Sequence[ImageLabel],
    shares: FloatArray,
    names: Sequence[str],
    load: Callable[[Path], Image],
    limit: int,
) -> Markup:
    """Return the misclassified pictures, the most confident mistakes first.

    Args:
        labels: the true classes.
        shares: probabilities ``[N, C]``.
        names: of the classes.
        load: reads a picture (uint8 RGB ``[H, W, 3]``).
        limit: how many to show.
    """
    predicted = shares.argmax(axis=1)
    truth = np.array([each.label for each in labels])
    wrong = np.flatnonzero(predicted != truth)
    if not len(wrong):
        return tag("p", "None.", class_="soft")
    surest = wrong[np.argsort(-shares[wrong, predicted[wrong]], kind="stable")][:limit]
    cards = []
    for index in surest:
        taken, right = int(predicted[index]), int(truth[index])
        text = (
            f"is {names[right]} ({shares[index, right]:.2f}), classified as {names[taken]} ({shares[index, taken]:.2f})"
        )
        cards.append(_card(labels[index].image, text, load))
    more = len(wrong) - len(surest)
    rest = tag("p", f"and {more} more", class_="soft") if more else None
    return join([tag("div", cards, class_="cards"), rest])


def right_pictures(
    labels: Sequence[ImageLabel],
    shares: FloatArray,
    names: Sequence[str],
    load: Callable[[Path], Image],
    limit: int,
) -> Markup:
    """Return the correct pictures with the highest confidence, of every class; see `wrong_pictures`."""
    truth = np.array([each.label for each in labels])
    right = np.flatnonzero(shares.argmax(axis=1) == truth)
    if not len(right):
        return tag("p", "None.", class_="soft")
    own = shares[right, truth[right]]
    ordered = np.argsort(-own, kind="stable")
    # The most confident of each class, then the second of each: otherwise one class could fill the page.
    seen: Counter[int] = Counter()
    place = []
    for label in truth[right[ordered]].tolist():
        place.append(seen[label])
        seen[label] += 1
    surest = right[ordered[np.argsort(place, kind="stable")]][:limit]
    cards = [
        _card(labels[index].image, f"is {names[truth[index]]} ({shares[index, truth[index]]:.2f})", load)
        for index in surest
    ]
    return tag("div", cards, class_="cards")


def _card(path: Path, text: str, load: Callable[[Path], Image]) -> Markup:
    caption = tag("figcaption", tag("strong", path.name, title=str(path)), tag("ul", tag("li", text)))
    try:
        shown: Content = tag("img", src=_data_uri(load(path)), alt=f"{path.name}: {text}")
    except UserError as error:  # a picture that was removed since; the numbers are valid without it
        shown = tag("p", str(error))
    return tag("figure", shown, caption, class_="card")


def _data_uri(image: Image) -> str:
    scale = SIDE / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = resize(np.ascontiguousarray(image), size)
    encoded, data = cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not encoded:
        raise ValueError("the picture could not be encoded")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
