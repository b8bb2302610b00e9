"""The pictures most worth looking at: misses and false alarms with their reasons, and the best ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightdet.arrays import IntArray
from lightdet.evaluation.matching import FREE, match, match_confusions, overlaps
from lightdet.structures import Annotation, Detections

LOOSE = 0.1
"""From this overlap on, a box counts as badly placed rather than as somewhere else."""

FAINT = 0.01
"""Below this score a detection is ignored when a miss is explained."""


@dataclass(frozen=True, eq=False)
class Finding:
    """One picture with mistakes of one kind.

    Attributes:
        index: the picture.
        boxes: int64 ``[N]``, worst first: ground-truth boxes that were missed, or detections (counted among those
            at or above the threshold) that are false alarms.
        reasons: a short sentence for each.
        severity: what the pictures are ordered by.
    """

    index: int
    boxes: IntArray
    reasons: tuple[str, ...]
    severity: float


def worst_misses(
    predictions: Sequence[Detections],
    annotations: Sequence[Annotation],
    names: Sequence[str],
    *,
    threshold: float,
    iou: float = 0.5,
    limit: int = 8,
) -> list[Finding]:
    """Return the pictures with the worst misses, worst first.

    A defect that nothing points to weighs most, then one reported as another class, then one boxed badly, then one
    whose score stayed below the threshold; a picture's weight is the sum.
    """
    findings = []
    for index, (prediction, truth) in enumerate(zip(predictions, annotations, strict=True)):
        explained = _misses(prediction, truth, names, threshold, iou)
        if explained:
            findings.append(_finding(index, explained, severity=sum(weight for weight, _, _ in explained)))
    return sorted(findings, key=lambda finding: -finding.severity)[:limit]


def worst_false_alarms(
    predictions: Sequence[Detections],
    annotations: Sequence[Annotation],
    names: Sequence[str],
    *,
    threshold: float,
    iou: float = 0.5,
    limit: int = 8,
) -> list[Finding]:
    """Return the pictures with the worst false alarms, worst first.

    The higher the score, the worse; an alarm on background weighs most, then a wrong class, a badly placed
    box, a second box on one defect. A picture's weight is that of its worst alarm.
    """
    findings = []
    for index, (prediction, truth) in enumerate(zip(predictions, annotations, strict=True)):
        explained = _false_alarms(prediction.above(threshold), truth, names, iou)
        if explained:
            findings.append(_finding(index, explained, severity=max(weight for weight, _, _ in explained)))
    return sorted(findings, key=lambda finding: -finding.severity)[:limit]


def best_pictures(
    predictions: Sequence[Detections],
    annotations: Sequence[Annotation],
    names: Sequence[str],
    *,
    threshold: float,
    iou: float = 0.5,
    limit: int = 8,
) -> list[Finding]:
    """Return pictures in which every defect was found, and nothing else; the highest lowest score first.

    Their boxes are ground truth.
    """
    findings = []
    for index, (prediction, truth) in enumerate(zip(predictions, annotations, strict=True)):
        found = prediction.above(threshold)
        matched = match(found, truth, iou=iou)
        hits = np.flatnonzero(matched.detection != FREE)
        if not len(hits) or matched.missed.any() or matched.false_alarms.any():
            continue
        scores = found.scores[matched.detection[hits]]
        reasons = tuple(
            f"{names[truth.labels[box]]}: found with {score:.2f}" for box, score in zip(hits, scores, strict=True)
        )
        findings.append(Finding(index, hits.astype(np.int64), reasons, severity=-float(scores.min())))
    return sorted(findings, key=lambda finding: finding.severity)[:limit]


Explained = tuple[float, int, str]
"""Weight, index of the box, reason."""


def _finding(index: int, explained: Sequence[Explained], *, severity: float) -> Finding:
    ordered = sorted(explained, key=lambda entry: -entry[0])
    boxes = np.array([box for _, box, _ in ordered], np.int64)
    return Finding(index, boxes, tuple(reason for _, _, reason in ordered), severity)


def _misses(
    prediction: Detections, truth: Annotation, names: Sequence[str], threshold: float, iou: float
) -> list[Explained]:
    found = prediction.above(threshold)
    matched = match(found, truth, iou=iou)
    missed = np.flatnonzero(matched.missed)
    if not len(missed):
        return []
    other = match_confusions(found, truth, matched, iou=iou)
    everything = match(prediction, truth, iou=iou)
    table = overlaps(found.boxes, truth.boxes)
    explained = []
    for box in missed.tolist():
        name = names[truth.labels[box]]
        taken, weak = np.flatnonzero(other == box), everything.detection[box]
        near = np.flatnonzero((found.labels == truth.labels[box]) & (matched.truth == FREE))
        overlap = float(table[near, box].max()) if len(near) else 0.0
        if len(taken):
            wrong, score = names[found.labels[taken[0]]], found.scores[taken[0]]
            explained.append((0.8, box, f"{name}: reported as {wrong} ({score:.2f})"))
        elif overlap >= LOOSE:
            explained.append((0.6, box, f"{name}: boxed badly, overlap {overlap:.2f}"))
        elif weak != FREE and prediction.scores[weak] >= FAINT:
            score = float(prediction.scores[weak])
            weight = 0.5 * (1 - score / threshold)
            explained.append((weight, box, f"{name}: seen with {score:.2f}, below the threshold"))
        else:
            explained.append((1.0, box, f"{name}: not seen"))
    return explained


def _false_alarms(found: Detections, truth: Annotation, names: Sequence[str], iou: float) -> list[Explained]:
    matched = match(found, truth, iou=iou)
    alarms = np.flatnonzero(matched.false_alarms)
    if not len(alarms):
        return []
    other = match_confusions(found, truth, matched, iou=iou)
    table = np.where(matched.crowd, 0, overlaps(found.boxes, truth.boxes))
    explained = []
    for alarm in alarms.tolist():
        score = float(found.scores[alarm])
        said = f"{names[found.labels[alarm]]} {score:.2f}"
        nearest = int(table[alarm].argmax()) if len(truth) else FREE
        overlap = float(table[alarm, nearest]) if len(truth) else 0.0
        same = len(truth) > 0 and truth.labels[nearest] == found.labels[alarm]
        if other[alarm] != FREE:
            explained.append((0.8 * score, alarm, f"{said}: is {names[truth.labels[other[alarm]]]}"))
        elif same and overlap >= iou:
            explained.append((0.5 * score, alarm, f"{said}: second box on one defect"))
        elif overlap >= LOOSE:
            what = "" if same else f" with {names[truth.labels[nearest]]}"
            explained.append((0.6 * score, alarm, f"{said}: boxed badly, overlap {overlap:.2f}{what}"))
        else:
            where = "nothing there" if len(truth) else "picture without defects"
            explained.append((score, alarm, f"{said}: {where}"))
    return explained
