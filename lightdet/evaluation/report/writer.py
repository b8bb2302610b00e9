"""From an evaluation to its two files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightdet.arrays import Image
from lightdet.evaluation.confusion import Confusion, confusion_matrix
from lightdet.evaluation.metrics import Metrics
from lightdet.evaluation.report.findings import finding_cards
from lightdet.evaluation.report.markup import Content, Markup, join, tag
from lightdet.evaluation.report.page import curve_section, page
from lightdet.evaluation.report.tables import class_table, confusion_table, fact_lists, size_table, tiles
from lightdet.evaluation.worst import worst_false_alarms, worst_misses
from lightdet.files import write_json, write_text
from lightdet.structures import Annotation, Detections

JSON_NAME, HTML_NAME = "metrics.json", "report.html"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The content of a report.

    Attributes:
        title: heading of the page.
        metrics: the numbers.
        predictions: one for each picture.
        annotations: of the same pictures.
        names: class names by label.
        facts: for the end of the page, by group: data, model, settings, versions.
        details: for the JSON beside the metrics; plain values.
        skipped: what was left out, and why, one line each.
    """

    title: str
    metrics: Metrics
    predictions: Sequence[Detections]
    annotations: Sequence[Annotation]
    names: Sequence[str]
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    skipped: Sequence[str] = ()

    def confusion(self) -> Confusion:
        """Return the confusion matrix at the best threshold."""
        threshold = self.metrics.threshold
        return confusion_matrix(self.predictions, self.annotations, len(self.names), threshold=threshold)

    def as_dict(self) -> dict[str, Any]:
        """Return the metrics, the confusion matrix and the details as plain values ready for JSON."""
        confusion = self.confusion()
        return {
            **self.metrics.as_dict(),
            "confusion": {
                "rows": [*self.names, "background"],
                "columns": [*self.names, "missed"],
                "counts": confusion.counts.tolist(),
            },
            **self.details,
            "skipped": list(self.skipped),
        }


def write_report(
    folder: Path, evaluation: Evaluation, load: Callable[[Path], Image], *, pictures: int = 8
) -> tuple[Path, Path]:
    """Write ``metrics.json`` and ``report.html`` into `folder`, each whole or not at all.

    Args:
        folder: made where missing; the two files are replaced.
        evaluation: the content.
        load: reads a picture (uint8 RGB ``[H, W, 3]``).
        pictures: how many of the worst misses, and of the worst false alarms, to show.

    Returns:
        The paths of the page and of the JSON.

    Raises:
        UserError: the folder or a file cannot be written.
    """
    json_path, html_path = folder / JSON_NAME, folder / HTML_NAME
    write_json(json_path, evaluation.as_dict())
    write_text(html_path, page(evaluation.title, _content(evaluation, load, pictures)))
    return html_path, json_path


def _content(evaluation: Evaluation, load: Callable[[Path], Image], pictures: int) -> Markup:
    metrics = evaluation.metrics
    threshold = metrics.threshold
    found = [prediction.above(threshold) for prediction in evaluation.predictions]
    arguments = (evaluation.predictions, evaluation.annotations, evaluation.names)
    shown: list[Content] = []
    if pictures:
        misses = worst_misses(*arguments, threshold=threshold, limit=pictures)
        alarms = worst_false_alarms(*arguments, threshold=threshold, limit=pictures)
        shown = [
            tag("h2", "Worst misses"),
            tag(
                "p",
                "Pictures with defects that were missed; the most and the least noticed defects first.",
                class_="soft",
            ),
            finding_cards(misses, found, *arguments[1:], load, marks_truth=True),
            tag("h2", "Worst false alarms"),
            tag("p", "Pictures with false alarms; the highest score first.", class_="soft"),
            finding_cards(alarms, found, *arguments[1:], load, marks_truth=False),
        ]
    return join(
        [
            tag("header", tag("h1", evaluation.title), _summary(metrics)),
            tiles(metrics),
            tag("h2", "Classes"),
            class_table(metrics),
            tag("p", _CLASS_NOTE.format(threshold=f"{threshold:g}"), class_="soft"),
            tag("h2", "Curves"),
            curve_section(metrics, evaluation.names),
            tag("h2", "Confusion matrix"),
            tag("p", _CONFUSION_NOTE.format(threshold=f"{threshold:g}"), class_="soft"),
            confusion_table(evaluation.confusion(), evaluation.names),
            *shown,
            *_sizes(metrics),
            *_left_out(evaluation.skipped),
            tag("h2", "About this evaluation"),
            fact_lists(evaluation.facts),
            tag("p", _NOTES.format(cap=metrics.max_detections), class_="soft"),
        ]
    )


_CLASS_NOTE = (
    "Precision, recall and F1 at confidence threshold {threshold}, the best for all defects together; "
    "“best at” is the threshold that would be best for the class by itself."
)
_CONFUSION_NOTE = (
    "Counts of boxes at confidence threshold {threshold} and overlap 0.5. Rows are what the defects are, columns "
    "what they were reported as; the diagonal is right."
)
_NOTES = (
    "AP is pycocotools' (area under precision over recall at 101 points, at most {cap} detections per picture and "
    "class); mAP is its mean over the classes that occur. Precision, recall and F1 count every box alike, whatever "
    "its class, at overlap 0.5 and the threshold where F1 is best. That threshold was chosen on these very pictures: "
    "on new ones precision and recall will be a little lower."
)


def _summary(metrics: Metrics) -> Markup:
    text = f"{_count(metrics.images, 'picture')} with {_count(metrics.boxes, 'defect')}"
    if metrics.background_images:
        text += (
            f"; {_count(metrics.background_images, 'picture')} without any, of which {metrics.background_alarms} "
            f"raised an alarm at threshold {metrics.threshold:g}"
        )
    return tag("p", f"{text}.", class_="soft")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _sizes(metrics: Metrics) -> list[Content]:
    if metrics.map_small is None and metrics.map_medium is None and metrics.map_large is None:
        return []
    return [tag("h2", "By size of the defects"), size_table(metrics)]


def _left_out(skipped: Sequence[str]) -> list[Content]:
    if not skipped:
        return []
    return [tag("h2", f"Left out ({len(skipped)})"), tag("ul", [tag("li", line) for line in skipped])]
