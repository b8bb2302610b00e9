"""How a rule judges whole pictures: OK and NG against good and bad, escapes and false rejects with intervals, ROC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.calibration.proportions import DEFAULT_CONFIDENCE, Proportion, proportion


@dataclass(frozen=True)
class ImageJudgement:
    """Pictures by truth (good, bad) and verdict (OK, NG).

    Attributes:
        caught, escaped: bad pictures called NG, called OK.
        rejected, passed: good pictures called NG, called OK.
        auc: area under the ROC curve of the pictures' scores; None if one kind is missing.
        roc: (false-reject rate, share of bad ones caught, threshold) along the curve.
    """

    caught: int
    escaped: int
    rejected: int
    passed: int
    confidence: float = DEFAULT_CONFIDENCE
    auc: float | None = None
    roc: tuple[tuple[float, float, float], ...] = ()

    @property
    def escapes(self) -> Proportion:
        """Bad pictures that were passed, of all bad ones."""
        return proportion(self.escaped, self.escaped + self.caught, self.confidence)

    @property
    def false_rejects(self) -> Proportion:
        """Good pictures that were rejected, of all good ones."""
        return proportion(self.rejected, self.rejected + self.passed, self.confidence)

    @property
    def accuracy(self) -> Proportion:
        """Pictures judged correctly, of all."""
        right = self.caught + self.passed
        return proportion(right, right + self.escaped + self.rejected, self.confidence)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "confusion": {
                "bad": {"NG": self.caught, "OK": self.escaped},
                "good": {"NG": self.rejected, "OK": self.passed},
            },
            "escape_rate": self.escapes.as_dict(),
            "false_reject_rate": self.false_rejects.as_dict(),
            "accuracy": self.accuracy.as_dict(),
            "confidence": self.confidence,
            "auc": self.auc,
        }


def judge(
    bad: Sequence[bool] | AnyArray,
    rejected: Sequence[bool] | AnyArray,
    scores: Sequence[float] | AnyArray | None = None,
    confidence: float = DEFAULT_CONFIDENCE,
) -> ImageJudgement:
    """Count decisions against the truth.

    Args:
        bad: whether each picture is bad.
        rejected: whether each was called NG.
        scores: each picture's score, for the ROC curve.
        confidence: of the intervals.
    """
    is_bad, is_rejected = np.asarray(bad, bool), np.asarray(rejected, bool)
    if is_bad.shape != is_rejected.shape:
        raise ValueError(f"{is_bad.shape} truths for {is_rejected.shape} decisions")
    auc, roc = (None, ()) if scores is None else _roc(is_bad, np.asarray(scores, np.float64))
    return ImageJudgement(
        caught=int((is_bad & is_rejected).sum()),
        escaped=int((is_bad & ~is_rejected).sum()),
        rejected=int((~is_bad & is_rejected).sum()),
        passed=int((~is_bad & ~is_rejected).sum()),
        confidence=confidence,
        auc=auc,
        roc=roc,
    )


def _roc(bad: AnyArray, scores: AnyArray) -> tuple[float | None, tuple[tuple[float, float, float], ...]]:
    from sklearn.metrics import roc_auc_score, roc_curve  # noqa: PLC0415 - it takes seconds

    if bad.all() or not bad.any():
        return None, ()
    rejected, caught, thresholds = roc_curve(bad, scores)
    # The first threshold is infinite (nothing is rejected); scores end at 1.
    points = zip(rejected.tolist(), caught.tolist(), np.minimum(thresholds, 1.0).tolist(), strict=True)
    return float(roc_auc_score(bad, scores)), tuple(points)
