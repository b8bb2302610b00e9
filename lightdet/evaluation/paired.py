"""Whether one detector is better than another on the same pictures: mAP of both, resampled together.

Pictures are drawn with replacement, look-alikes together and the same ones for both models (paired cluster bootstrap;
Efron & Tibshirani 1993, "An Introduction to the Bootstrap"). pycocotools matches each picture by itself, so that
is done once; a resample only counts each picture as often as it is drawn.

Letters: P pictures, R resamples, J matched detections of a class at an IoU, in order of their scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.sparse import csr_array

from lightdet.arrays import AnyArray, IntArray
from lightdet.evaluation.average_precision import matched
from lightdet.structures import Annotation, Detections

RESAMPLES, CONFIDENCE = 1000, 0.95
FEWEST_GROUPS = 20
"""With fewer groups of pictures, an interval from resampling is too narrow to rely on."""
Verdict: TypeAlias = Literal["better", "worse", "no difference shown"]
BETTER: Verdict = "better"
WORSE: Verdict = "worse"
OPEN: Verdict = "no difference shown"


@dataclass(frozen=True)
class Difference:
    """One measure of two models.

    Attributes:
        name, key: ``mAP@0.5`` and ``map50``.
        new, old: the two values, in [0, 1].
        low, high: the interval of ``new - old``.
    """

    name: str
    key: str
    new: float
    old: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """What the interval shows: nothing if it holds 0."""
        return BETTER if self.low > 0 else WORSE if self.high < 0 else OPEN

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {"new": self.new, "old": self.old, "difference": self.new - self.old}
        return {**values, "interval": [self.low, self.high], "verdict": self.verdict}


@dataclass(frozen=True)
class Paired:
    """Two models on the same pictures.

    Attributes:
        differences: of mAP@0.5:0.95, which decides, and of mAP@0.5, which must not contradict it.
        pictures, groups: how many, and in how many groups of look-alikes.
        resamples, confidence: of the intervals.
    """

    differences: tuple[Difference, ...]
    pictures: int
    groups: int
    resamples: int = RESAMPLES
    confidence: float = CONFIDENCE

    @property
    def verdict(self) -> Verdict:
        """Better or worse only if the first measure shows it and no other one shows the contrary."""
        first, *others = (each.verdict for each in self.differences)
        agreed = all(other in (first, OPEN) for other in others)
        return first if agreed and self.groups >= FEWEST_GROUPS else OPEN

    @property
    def reason(self) -> str:
        """Why the verdict is what it is, in a few words."""
        first, *others = self.differences
        if self.groups < FEWEST_GROUPS:
            return f"{self.groups} different pictures are too few to tell; at least {FEWEST_GROUPS} are needed"
        if first.verdict == OPEN:
            return f"the interval of the difference in {first.name} holds 0"
        against = [each.name for each in others if each.verdict not in (first.verdict, OPEN)]
        if against:
            return f"{first.name} is {first.verdict}, and {' and '.join(against)} the contrary"
        return f"the interval of the difference in {first.name} lies {'above' if first.low > 0 else 'below'} 0"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            **{each.key: each.as_dict() for each in self.differences},
            "pictures": self.pictures,
            "groups": self.groups,
            "resamples": self.resamples,
            "confidence": self.confidence,
        }


class MatchedModel:
    """A model's detections, matched once; `mean_ap` then tells mAP for any multiplicities of the pictures.

    Args:
        predictions: one for each picture, with low scores kept.
        annotations: of the same pictures in the same order.
        num_classes: C.
        max_detections: as in `lightdet.evaluation.average_precision.evaluate`.
    """

    def __init__(
        self,
        predictions: Sequence[Detections],
        annotations: Sequence[Annotation],
        num_classes: int,
        *,
        max_detections: int = 100,
    ) -> None:
        job = matched(predictions, annotations, num_classes, max_detections=max_detections)
        count = len(annotations)
        self.recalls: AnyArray = job.params.recThrs
        self._classes = [
            _Class(job.evalImgs[label * count : (label + 1) * count], count, len(job.params.iouThrs))
            for label in range(num_classes)
        ]

    def mean_ap(self, weights: AnyArray) -> AnyArray:
        """Return mAP@0.5 and mAP@0.5:0.95, float64 ``[R, 2]``, NaN where no class has a box.

        Args:
            weights: ``[R, P]``, how often each picture counts.
        """
        by_class = np.stack([each.average_precision(weights, self.recalls) for each in self._classes])  # [C, R, T]
        known = ~np.isnan(by_class[..., 0])
        total = np.nansum(by_class, axis=0)
        mean = np.divide(
            total, known.sum(axis=0)[:, None], out=np.full_like(total, np.nan), where=known.any(0)[:, None]
        )
        return np.stack([mean[:, 0], mean.mean(axis=1)], axis=1)


class _Class:
    """One class's matches: at each IoU, the pictures of the matched detections, and the false alarms before each."""

    def __init__(self, pictures: Sequence[Any], count: int, ious: int) -> None:
        held = [(index, each) for index, each in enumerate(pictures) if each is not None]
        self.boxes = np.zeros(count)
        for index, each in held:
            self.boxes[index] = np.count_nonzero(np.asarray(each["gtIgnore"]) == 0)
        scores = np.concatenate([np.zeros(0), *(each["dtScores"] for _, each in held)])
        order = np.argsort(-scores, kind="mergesort")  # as pycocotools sorts
        empty = np.zeros((ious, 0), bool)
        owner = np.concatenate([np.zeros(0, np.int64), *(np.full(len(e["dtScores"]), i) for i, e in held)])[order]
        hit = np.concatenate([empty, *(e["dtMatches"] != 0 for _, e in held)], axis=1)[:, order]
        ignored = np.concatenate([empty, *(e["dtIgnore"] != 0 for _, e in held)], axis=1)[:, order]
        self.levels = [_level(owner, hit[t] & ~ignored[t], ~hit[t] & ~ignored[t], count) for t in range(ious)]

    def average_precision(self, weights: AnyArray, recalls: AnyArray) -> AnyArray:
        """``[R, P]`` → ``[R, T]``, NaN where the class has no box."""
        boxes = weights @ self.boxes  # [R]
        table = np.full((len(weights), len(self.levels)), np.nan)
        known = boxes > 0
        for column, (owners, alarms) in enumerate(self.levels):
            found = np.cumsum(weights[known][:, owners], axis=1, dtype=np.float64)  # [R, J]
            wrong = np.cumsum((alarms.T @ weights[known].T).T, axis=1)
            precision = found / (found + wrong + np.spacing(1))
            precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            # Each of the 101 recalls takes the precision of the first detection that reaches it.
            reached = np.searchsorted(recalls, found / boxes[known][:, None], side="right")
            table[known, column] = (precision * np.diff(reached, axis=1, prepend=0)).sum(axis=1) / len(recalls)
        return table


def _level(owner: IntArray, hit: AnyArray, alarm: AnyArray, count: int) -> tuple[IntArray, csr_array]:
    """The pictures of the hits ``[J]``, and the false alarms of each picture before each hit: ``[P, J]``.

    Those after the last hit change no recall, and so no average precision.
    """
    hits, alarms = np.flatnonzero(hit), np.flatnonzero(alarm)
    before = np.searchsorted(hits, alarms)
    alarms, before = alarms[before < len(hits)], before[before < len(hits)]
    table = csr_array((np.ones(len(alarms)), (owner[alarms], before)), shape=(count, len(hits)))
    return owner[hits], table


def compare_paired(
    new: Sequence[Detections],
    old: Sequence[Detections],
    annotations: Sequence[Annotation],
    num_classes: int,
    groups: IntArray,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Paired | None:
    """Compare two models on the same pictures.

    Args:
        new, old: what each finds, one for each picture.
        annotations: of the same pictures in the same order.
        num_classes: of both.
        groups: ``[P]``; pictures of one group are drawn together.
        resamples: how many.
        confidence: of the intervals, two-sided percentiles.
        seed: of the draws.

    Returns:
        The comparison; None if no picture has a box.
    """
    index = np.unique(groups, return_inverse=True)[1]
    count = int(index.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    weights = np.concatenate([np.ones((1, len(index))), drawn[:, index]])  # the first: every picture once
    values = [MatchedModel(found, annotations, num_classes).mean_ap(weights) for found in (new, old)]
    if np.isnan(values[0][0, 0]):
        return None
    apart = values[0][1:] - values[1][1:]
    tail = 50 * (1 - confidence)
    low, high = np.nanpercentile(apart, [tail, 100 - tail], axis=0)
    measures = (("mAP@0.5:0.95", "map50_95", 1), ("mAP@0.5", "map50", 0))
    return Paired(
        tuple(
            Difference(name, key, float(values[0][0, k]), float(values[1][0, k]), float(low[k]), float(high[k]))
            for name, key, k in measures
        ),
        pictures=len(annotations),
        groups=count,
        resamples=resamples,
        confidence=confidence,
    )
