"""The metrics of a classifier, by scikit-learn, with intervals; all are shares of pictures, in [0, 1].

``labels`` are the true classes, int64 ``[N]``; ``shares`` the network's probabilities, float ``[N, C]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import metrics as sklearn

from lightdet.arrays import AnyArray, IntArray
from lightdet.classification.intervals import (
    UNKNOWN,
    Estimate,
    around,
    auc_interval,
    bootstrap_intervals,
    posterior_intervals,
    share,
)

METHODS = (
    "Accuracy, precision, recall and specificity are shares of counted pictures: their intervals are Clopper and "
    "Pearson's, exact and on the safe side. F1 and the means over classes: drawn from the Dirichlet posterior of the "
    "confusion matrix (Goutte and Gaussier 2005). AUC of a class: DeLong's, symmetric on the logit scale. Mean AUC "
    "and average precision: percentile bootstrap over pictures, within classes; no interval where it has no width. "
    "None of them allows for pictures of one part or one day resembling each other: then the truth is less certain."
)
MEANS = ("precision", "recall", "specificity", "f1")


@dataclass(frozen=True, eq=False)
class ClassScores:
    """One class against all others; a measure with nothing to count is unknown.

    Attributes:
        name: of the class.
        pictures: pictures of this class.
        predicted: pictures reported as this class.
        precision: the correct ones among those reported as this class.
        recall: the found ones among those of this class.
        specificity: among the other classes' pictures, those not reported as this class.
        f1: harmonic mean of precision and recall.
        auc: area under the ROC curve: how often a picture of this class gets a higher probability for it than another.
        average_precision: area under precision over recall, as steps.
        roc: float ``[P, 2]``, false-positive and true-positive rate, along all thresholds.
        pr: float ``[Q, 2]``, recall and precision along all thresholds.
    """

    name: str
    pictures: int
    predicted: int
    precision: Estimate
    recall: Estimate
    specificity: Estimate
    f1: Estimate
    auc: Estimate
    average_precision: Estimate
    roc: AnyArray
    pr: AnyArray

    def as_dict(self) -> dict[str, Any]:
        """Return plain values ready for JSON, without the curves."""
        names = (*MEANS, "auc", "average_precision")
        values: dict[str, Any] = {name: getattr(self, name).as_dict() for name in names}
        return {"pictures": self.pictures, "predicted": self.predicted, **values}


@dataclass(frozen=True, eq=False)
class ClassifyMetrics:
    """The numbers of one evaluation.

    Attributes:
        pictures: number of pictures.
        confidence: of all intervals.
        accuracy: share of pictures classified correctly.
        balanced_accuracy: mean recall of the classes that occur.
        macro: means over the classes that occur: precision, recall, specificity, f1, auc, average_precision.
        weighted: the same means weighted by the classes' pictures; values only.
        log_loss: mean of -ln(probability of the true class).
        confusion: int64 ``[C, C]``; rows are the true classes, columns the reported ones.
        per_class: in the order of the class list.
    """

    pictures: int
    confidence: float
    accuracy: Estimate
    balanced_accuracy: Estimate
    macro: dict[str, Estimate]
    weighted: dict[str, float]
    log_loss: float
    confusion: IntArray
    per_class: tuple[ClassScores, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values ready for JSON."""
        return {
            "pictures": self.pictures,
            "confidence": self.confidence,
            "accuracy": self.accuracy.as_dict(),
            "balanced_accuracy": self.balanced_accuracy.as_dict(),
            "macro": {name: estimate.as_dict() for name, estimate in self.macro.items()},
            "weighted": self.weighted,
            "log_loss": self.log_loss,
            "confusion": self.confusion.tolist(),
            "per_class": {scores.name: scores.as_dict() for scores in self.per_class},
        }


def headline(labels: IntArray, shares: AnyArray) -> dict[str, float | None]:
    """A few numbers without intervals, for each epoch: accuracy, balanced accuracy, macro F1 and macro AUC."""
    predicted = shares.argmax(axis=1)
    present = np.unique(labels)
    areas = [area for k in present if (area := _auc(labels == k, shares[:, k])) is not None]
    return {
        "accuracy": float(sklearn.accuracy_score(labels, predicted)),
        "balanced_accuracy": float(
            sklearn.recall_score(labels, predicted, labels=present, average="macro", zero_division=0)
        ),
        "f1": float(sklearn.f1_score(labels, predicted, labels=present, average="macro", zero_division=0)),
        "auc": float(np.mean(areas)) if areas else None,
    }


def evaluate_classes(
    labels: IntArray, shares: AnyArray, names: Sequence[str], *, confidence: float = 0.95
) -> ClassifyMetrics:
    """Compute all metrics.

    Args:
        labels: int64 ``[N]``, N at least 1.
        shares: float ``[N, C]``, rows summing to 1.
        names: of the classes, C of them.
        confidence: of the intervals, in (0, 1).
    """
    classes = range(len(names))
    predicted = shares.argmax(axis=1).astype(np.int64)
    confusion: IntArray = np.asarray(sklearn.confusion_matrix(labels, predicted, labels=list(classes)), np.int64)
    posterior = posterior_intervals(confusion, _measures, confidence)
    ranked = _ranked(labels, shares)
    resampled = bootstrap_intervals(labels, lambda chosen: _ranked(labels[chosen], shares[chosen]), confidence)
    per_class = tuple(
        _class_scores(k, names[k], labels, predicted, shares[:, k], confidence, posterior, resampled) for k in classes
    )
    headlines = headline(labels, shares)
    present = [scores for scores in per_class if scores.pictures]
    values = {name: [getattr(scores, name).value or 0.0 for scores in present] for name in MEANS}
    macro = {name: around(float(np.mean(values[name])), posterior.get(name)) for name in MEANS}
    for name in ("auc", "average_precision"):
        macro[name] = around(ranked.get(name), resampled.get(name))
    if len(names) == 2 and per_class[0].auc.value is not None:
        macro["auc"] = per_class[0].auc  # with two classes, each mirrors the other
    sizes = [scores.pictures for scores in present]
    weighted = {
        name: float(np.average([getattr(s, name).value or 0.0 for s in present], weights=sizes)) for name in MEANS
    }
    right = int((predicted == labels).sum())
    return ClassifyMetrics(
        pictures=len(labels),
        confidence=confidence,
        accuracy=share(right, len(labels), confidence),
        balanced_accuracy=around(headlines["balanced_accuracy"], posterior.get("recall")),
        macro=macro,
        weighted=weighted,
        log_loss=float(-np.log(np.clip(shares[np.arange(len(labels)), labels], 1e-15, 1)).mean()),
        confusion=confusion,
        per_class=per_class,
    )


def _class_scores(
    label: int,
    name: str,
    labels: IntArray,
    predicted: IntArray,
    scores: AnyArray,
    confidence: float,
    posterior: dict[str, tuple[float, float]],
    resampled: dict[str, tuple[float, float]],
) -> ClassScores:
    truth, taken = labels == label, predicted == label
    hits = int((truth & taken).sum())
    f1 = float(sklearn.f1_score(truth, taken, zero_division=0)) if truth.any() else None
    area = _auc(truth, scores)
    roc, pr = np.zeros((0, 2)), np.zeros((0, 2))
    precision_area = None
    if area is not None:
        roc = np.stack(sklearn.roc_curve(truth, scores)[:2], axis=1)
        precisions, recalls, _ = sklearn.precision_recall_curve(truth, scores)
        pr = np.stack([recalls, precisions], axis=1)[::-1]
        precision_area = float(sklearn.average_precision_score(truth, scores))
    return ClassScores(
        name=name,
        pictures=int(truth.sum()),
        predicted=int(taken.sum()),
        precision=share(hits, int(taken.sum()), confidence),
        recall=share(hits, int(truth.sum()), confidence),
        specificity=share(int((~truth & ~taken).sum()), int((~truth).sum()), confidence),
        f1=around(f1, posterior.get(f"f1 {label}")),
        auc=UNKNOWN if area is None else auc_interval(truth, scores, area, confidence),
        average_precision=around(precision_area, resampled.get(f"average_precision {label}")),
        roc=roc,
        pr=pr,
    )


def _auc(truth: AnyArray, scores: AnyArray) -> float | None:
    if truth.all() or not truth.any():
        return None
    return float(sklearn.roc_auc_score(truth, scores))


def _ranked(labels: IntArray, shares: AnyArray) -> dict[str, float]:
    """AUC and average precision: the means over the classes that occur, and the second by class."""
    present = np.unique(labels)
    if len(present) < 2:
        return {}
    truth, scores = labels[:, None] == present, shares[:, present]
    # In one call for all classes: checking the arguments costs more than the computation, and this runs many times.
    precisions = np.asarray(sklearn.average_precision_score(truth, scores, average=None))
    return {
        **{f"average_precision {k}": float(value) for k, value in zip(present, precisions, strict=True)},
        "average_precision": float(precisions.mean()),
        "auc": float(sklearn.roc_auc_score(truth, scores, average="macro")),
    }


def _measures(counts: AnyArray) -> dict[str, AnyArray]:
    """Measures of confusion matrices ``[D, C, C]`` (drawn, so not whole numbers); means over nonempty rows."""
    hits = np.diagonal(counts, axis1=1, axis2=2)
    actual, taken, total = counts.sum(axis=2), counts.sum(axis=1), counts.sum(axis=(1, 2))[:, None]
    present = actual[0] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = hits / taken, hits / actual
        specificity = (total - actual - taken + hits) / (total - actual)
        f1 = 2 * hits / (actual + taken)
    found = {f"f1 {k}": f1[:, k] for k in np.flatnonzero(present)}
    for name, values in (("precision", precision), ("recall", recall), ("specificity", specificity), ("f1", f1)):
        found[name] = values[:, present].mean(axis=1)
    return found
