"""The threshold that keeps a promised rate, found on scores of pictures that the network was not trained on.

A picture's score is that of its best defect; it is NG if the score reaches the threshold. Errors grow one by one as
the threshold moves past the sorted scores, so the last threshold whose exact bound still keeps the target does so on
new pictures too: with at least the stated confidence over draws of the calibration set (the order-statistic argument
of Wilks 1941; for any monotone risk Bates et al. 2021, "Distribution-free, risk-controlling prediction sets"). It
holds for independent pictures from the same source as the calibration pictures: pictures of one part count as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.calibration.proportions import upper_bound

SCORE_STEP = 1e-4
"""Scores are reported with four decimals; thresholds are multiples of this."""


@dataclass(frozen=True)
class Choice:
    """A threshold and the counts behind it.

    Attributes:
        threshold: a picture is NG if its score reaches this, in [0, 1].
        errors: how many of the `total` pictures it judges wrong.
        bound: the true rate does not exceed this, with the requested confidence.
    """

    threshold: float
    errors: int
    total: int
    bound: float


def threshold_for_escapes(bad: Sequence[float] | AnyArray, target: float, confidence: float) -> Choice | None:
    """The highest threshold at which at most a share `target` of bad pictures escapes, or None.

    Args:
        bad: the score of each bad picture in [0, 1]; 0 if nothing was found, which no threshold catches.
        target: largest escape rate in (0, 1).
        confidence: of the promise, in (0, 1).
    """
    scores = np.sort(_rounded(bad))
    allowed = _allowed(len(scores), target, confidence)
    # With `allowed` escapes the next higher score is the threshold; pictures with that score do not escape.
    if allowed is None or scores[allowed] <= 0:
        return None
    threshold = float(scores[allowed])
    errors = int((scores < threshold).sum())
    return Choice(threshold, errors, len(scores), upper_bound(errors, len(scores), confidence))


def threshold_for_false_rejects(good: Sequence[float] | AnyArray, target: float, confidence: float) -> Choice | None:
    """The lowest threshold at which at most a share `target` of good pictures is rejected, or None.

    Args:
        good: the score of each good picture in [0, 1]; 0 if nothing was found.
        target: largest false-reject rate in (0, 1).
        confidence: of the promise, in (0, 1).
    """
    scores = np.sort(_rounded(good))[::-1]
    allowed = _allowed(len(scores), target, confidence)
    if allowed is None:
        return None
    threshold = round(float(scores[allowed]) + SCORE_STEP, 4)
    if threshold > 1:  # a good picture with score 1: no threshold lets it pass
        return None
    errors = int((scores >= threshold).sum())
    return Choice(threshold, errors, len(scores), upper_bound(errors, len(scores), confidence))


def _allowed(total: int, target: float, confidence: float) -> int | None:
    """How many errors among `total` pictures still allow promising `target`; None if not even zero does."""
    if total == 0 or upper_bound(0, total, confidence) > target:
        return None
    low, high = 0, total  # `low` keeps the target, `high` does not
    while high - low > 1:
        middle = (low + high) // 2
        if upper_bound(middle, total, confidence) <= target:
            low = middle
        else:
            high = middle
    return low


def _rounded(scores: Sequence[float] | AnyArray) -> AnyArray:
    values = np.asarray(scores, np.float64)
    if values.size and (not np.isfinite(values).all() or values.min() < 0 or values.max() > 1):
        raise ValueError("scores must lie in 0-1")
    return values.round(4)
