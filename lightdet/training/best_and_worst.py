"""The best and the worst pictures of a detector's validation, for the training's page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from lightdet.data.images import read_image
from lightdet.data.pictures import Pictures
from lightdet.evaluation.metrics import Metrics
from lightdet.evaluation.report.findings import finding_cards
from lightdet.evaluation.report.history import Curve
from lightdet.evaluation.report.markup import Markup, join, tag
from lightdet.evaluation.worst import best_pictures, worst_false_alarms, worst_misses
from lightdet.structures import Detections
from lightdet.training.page import PageWords

SHOWN = 6
"""How many pictures of each kind."""
MOST = 5
"""Most detections per picture on average: an untrained network would cover the pictures with boxes."""

WORDS = PageWords(
    curves=(
        Curve("Mean average precision", {"mAP@0.5": "map50", "mAP@0.5:0.95": "map50_95"}, "mAP"),
        Curve("Precision and recall at the best threshold", {"precision": "precision", "recall": "recall"}, "share"),
        Curve("Loss", {"all": "loss"}, "loss"),
        Curve(
            "Parts of the loss",
            {"boxes": "box", "objectness": "objectness", "classes": "classification", "proposals": "proposal_box"},
            "loss",
        ),
        Curve("Learning rate", {"last step of the epoch": "lr"}, "rate"),
    ),
    scores={
        "mAP@0.5": "map50",
        "mAP@0.5:0.95": "map50_95",
        "Precision": "precision",
        "Recall": "recall",
    },
)


def validation_pictures(
    pictures: Pictures, found: Sequence[Detections], metrics: Metrics, names: Sequence[str]
) -> Markup | None:
    """Draw the best pictures, the worst misses and the worst false alarms; None if the split has no box."""
    if not metrics.boxes:
        return None
    threshold = _threshold(found, metrics.threshold)
    annotations = pictures.annotations
    load = partial(read_image, bit_depth=pictures.bit_depth)
    kept = [each.above(threshold) for each in found]
    parts = []
    for heading, choose, marks_truth in (
        ("Best: everything found, and nothing else", best_pictures, True),
        ("Worst misses", worst_misses, True),
        ("Worst false alarms", worst_false_alarms, False),
    ):
        chosen = choose(found, annotations, names, threshold=threshold, limit=SHOWN)
        cards = finding_cards(chosen, kept, annotations, names, load, marks_truth=marks_truth)
        parts.append(join([tag("h3", heading), cards]))
    return join([tag("p", f"Detections with a score of at least {threshold:.2g}.", class_="soft"), *parts])


def _threshold(found: Sequence[Detections], best: float) -> float:
    """The threshold with the best F1, or a higher one if that lets too much through."""
    scores = np.sort(np.concatenate([each.scores for each in found]))[::-1]
    most = MOST * len(found)
    return best if len(scores) <= most else max(best, float(scores[most]))
