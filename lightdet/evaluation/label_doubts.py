"""Labels that are probably wrong: where a detector's answers and the labels of the same pictures contradict each other.

The kinds are those of ObjectLab (Tkachenko, Thyagarajan and Mueller 2023), overlooked, swapped and badly located boxes,
and boxes with nothing in them. The measures are others: `_Look` says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lightdet.arrays import AnyArray, BoolArray
from lightdet.evaluation.matching import crowd_flags, overlaps
from lightdet.structures import Annotation, Detections

DoubtKind = Literal["missing", "extra", "class", "place"]
FITS = 0.5
"""From this overlap on a detection is about a label's box."""
NEAR = 0.1
"""Below this overlap a detection has nothing to do with a label."""
LOWEST_SCORE = 0.05
"""Detections below this say nothing."""


@dataclass(frozen=True)
class Doubt:
    """One contradiction.

    Attributes:
        picture: which of the pictures, by index.
        kind: ``missing``: a box should be here; ``extra``: nothing is here; ``class``: it is of another class;
            ``place``: it sits badly.
        doubt: in [0, 1]; the larger, the more probably the label is wrong.
        box: the label's box in doubt, by index; None for ``missing``.
        answer: the detection that contradicts, by index; None for ``extra``.
    """

    picture: int
    kind: DoubtKind
    doubt: float
    box: int | None = None
    answer: int | None = None


def label_doubts(truths: Sequence[Annotation], predictions: Sequence[Detections], known: Sequence[bool]) -> list[Doubt]:
    """Return all contradictions, the most doubtful first; each box of a label has one at most.

    How far the detector is trusted is measured on the same pictures, class by class: a label without an answer weighs
    as much as it finds of that class, an answer without a label as much as labels confirm its answers of such scores.

    Args:
        truths: the labels of each picture; regions of many objects (crowd) are left alone, and what lies in them.
        predictions: what the detector finds in the same pictures, classes by the same indices.
        known: ``[C]``, whether the detector knows the class; labels of other classes are never doubted.
    """
    looks = [_Look(truth, found) for truth, found in zip(truths, predictions, strict=True)]
    finds = _mean_by_class([(look.truth.labels, look.support) for look in looks], len(known))
    right = _confirmed(looks, len(known))
    doubts: list[Doubt] = []
    for picture, look in enumerate(looks):
        doubts += look.about_boxes(picture, finds, np.asarray(known, bool))
        doubts += look.about_answers(picture, right)
    return sorted(doubts, key=lambda each: -each.doubt)


class _Look:
    """One picture's labels beside the detector's answers.

    Attributes:
        shared: IoU of each answer with each box ``[D, G]``.
        support: ``[G]``, the best score of an answer of the box's own class that fits it.
    """

    def __init__(self, truth: Annotation, found: Detections) -> None:
        self.truth, self.found = truth, found.above(LOWEST_SCORE)
        self.crowd: BoolArray = crowd_flags(truth)
        self.shared = overlaps(self.found.boxes, truth.boxes, self.crowd)
        self.same: BoolArray = self.found.labels[:, None] == truth.labels[None]
        self.support = self._best(np.where(self.same & (self.shared >= FITS), self._scores(), 0.0))

    def _scores(self) -> AnyArray:
        scores: AnyArray = self.found.scores.astype(np.float64)[:, None]
        return scores

    def _best(self, table: AnyArray) -> AnyArray:
        best: AnyArray = table.max(axis=0, initial=0.0)
        return best

    def about_boxes(self, picture: int, finds: AnyArray, known: BoolArray) -> list[Doubt]:
        """The strongest doubt of each box: another class, another place, or nothing there."""
        if not len(self.truth):
            return []
        scores, free = self._scores(), 1.0 - self.support
        nearest = self.shared == self.shared.max(axis=1, keepdims=True, initial=0.0)  # [D, G]: the answer is about it
        other = np.where(~self.same & nearest & (self.shared >= FITS), scores, 0.0)
        beside = self.same & nearest & (self.shared >= NEAR) & (self.shared < FITS)
        moved = np.where(beside, scores * (1.0 - self.shared), 0.0)
        near = self._best(np.where(self.shared >= NEAR, scores, 0.0))
        empty = (1.0 - near) * finds[self.truth.labels]
        doubts = []
        for box in np.flatnonzero(~self.crowd & known[self.truth.labels]).tolist():
            swapped, shifted = other[:, box] * free[box], moved[:, box] * free[box]
            values: list[tuple[float, DoubtKind, int | None]] = [(float(empty[box]), "extra", None)]
            if len(scores):
                values.append((float(swapped.max()), "class", int(swapped.argmax())))
                values.append((float(shifted.max()), "place", int(shifted.argmax())))
            value, kind, answer = max(values, key=lambda each: each[0])
            if value > 0:
                doubts.append(Doubt(picture, kind, min(value, 1.0), box, answer))
        return doubts

    def about_answers(self, picture: int, right: list[tuple[AnyArray, AnyArray]]) -> list[Doubt]:
        """Answers far from every label, best first; of several in one place only the best."""
        doubts: list[Doubt] = []
        told: list[int] = []
        for index in self.alone().tolist():
            if told and overlaps(self.found.boxes[[index]], self.found.boxes[told]).max() >= NEAR:
                continue
            told.append(index)
            score = float(self.found.scores[index])
            value = score * _trust(score, *right[int(self.found.labels[index])])
            doubts.append(Doubt(picture, "missing", value, None, index))
        return doubts

    def alone(self) -> AnyArray:
        """Which answers have nothing to do with any label."""
        indices: AnyArray = np.flatnonzero(self.shared.max(axis=1, initial=0.0) < NEAR)
        return indices


def _mean_by_class(pairs: Sequence[tuple[AnyArray, AnyArray]], classes: int) -> AnyArray:
    """The mean of values by label, ``[C]``; 0 for a class without any."""
    labels = np.concatenate([np.zeros(0, np.int64), *(each for each, _ in pairs)])
    values = np.concatenate([np.zeros(0), *(each for _, each in pairs)])
    count = np.bincount(labels, minlength=classes)
    means: AnyArray = np.bincount(labels, values, minlength=classes) / np.maximum(count, 1)
    return means


def _confirmed(looks: Sequence[_Look], classes: int) -> list[tuple[AnyArray, AnyArray]]:
    """For each class, the scores of its answers that labels confirm ``[T]`` and of those far from all labels ``[F]``.

    Both in rising order. Where several answers fit one label, only the best counts; an answer that only touches one
    neither confirms nor contradicts.
    """
    right: list[list[float]] = [[] for _ in range(classes)]
    alone: list[list[float]] = [[] for _ in range(classes)]
    for look in looks:
        for label, support in zip(look.truth.labels.tolist(), look.support.tolist(), strict=True):
            if support > 0:
                right[label].append(support)
        for index in look.alone().tolist():
            alone[int(look.found.labels[index])].append(float(look.found.scores[index]))
    return [(np.sort(one), np.sort(other)) for one, other in zip(right, alone, strict=True)]


def _trust(score: float, confirmed: AnyArray, alone: AnyArray) -> float:
    """The share of answers of at least this score that labels confirm; the answer in question is not counted."""
    above = len(confirmed) - int(np.searchsorted(confirmed, score))
    others = max(len(alone) - int(np.searchsorted(alone, score)) - 1, 0)
    return (above + 1) / (above + others + 1)
