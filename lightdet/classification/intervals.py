"""Intervals of measures: exact for shares, DeLong for one class's AUC, a posterior or a bootstrap for the others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm, rankdata

from lightdet.arrays import AnyArray, IntArray
from lightdet.calibration.proportions import clopper_pearson

DRAWS = 4000
RESAMPLES = 200
ROUNDING = 1e-9
"""Differences this small come from the order of summation."""


@dataclass(frozen=True)
class Estimate:
    """A measure in [0, 1] with its interval; None if it does not exist, or the interval is unknown."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values ready for JSON."""
        return {"value": self.value, "interval": None if self.low is None else [self.low, self.high]}


UNKNOWN = Estimate(None)


def share(count: int, total: int, confidence: float) -> Estimate:
    """`count` of `total` with the Clopper-Pearson interval; unknown if there is nothing to count."""
    if not total:
        return UNKNOWN
    return Estimate(count / total, *clopper_pearson(count, total, confidence))


def auc_interval(truth: AnyArray, scores: AnyArray, value: float, confidence: float) -> Estimate:
    """The area under the ROC curve with DeLong's interval (DeLong et al. 1988), symmetric on the logit scale.

    If no pair is out of order (or all are), DeLong's interval has no width: its far end is then Clopper and Pearson's
    with the size of the smaller class. Any other interval of no width, such as that of a constant score, says nothing
    and is unknown.

    Args:
        truth: bool ``[N]``, with both values in it.
        scores: float ``[N]``.
        value: the area.
        confidence: in (0, 1).
    """
    positive, negative = scores[truth], scores[~truth]
    fewest = min(len(positive), len(negative))
    if value in (0.0, 1.0):
        low, high = clopper_pearson(fewest if value else 0, fewest, confidence)
        return Estimate(value, low, high)
    if fewest < 2:
        return Estimate(value)
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[: len(positive)] - rankdata(positive)) / len(negative)
    below = 1 - (ranks[len(positive) :] - rankdata(negative)) / len(positive)
    deviation = math.sqrt(above.var(ddof=1) / len(positive) + below.var(ddof=1) / len(negative))
    if deviation <= ROUNDING:
        return Estimate(value)
    reach = float(norm.ppf((1 + confidence) / 2)) * deviation / (value * (1 - value))
    middle = math.log(value / (1 - value))
    low, high = (1 / (1 + math.exp(-min(max(middle + way * reach, -700), 700))) for way in (-1, 1))
    return Estimate(value, low, high)


def posterior_intervals(
    counts: IntArray, measures: Callable[[AnyArray], dict[str, AnyArray]], confidence: float, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Intervals of measures of a confusion matrix, such as F1 (after Goutte and Gaussier 2005).

    Each class's row has a multinomial distribution; its shares are drawn from the Dirichlet posterior with a prior of
    one picture in all, spread evenly over the columns. Unlike a bootstrap, this allows for errors not seen yet.

    Args:
        counts: int64 ``[C, C]``, rows are the true classes; classes without pictures may not occur in `measures`.
        measures: confusion matrices ``[D, C, C]`` → arrays ``[D]`` by name; NaN if one does not exist.
        confidence: in (0, 1).
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for row in counts:
        parts = rng.gamma(row + 1 / len(counts), size=(DRAWS, len(counts)))
        rows.append(parts / parts.sum(axis=1, keepdims=True) * row.sum())
    drawn = measures(np.stack(rows, axis=1))
    tail = (1 - confidence) / 2
    return {name: _quantiles(values, tail) for name, values in drawn.items() if np.isfinite(values).any()}


def bootstrap_intervals(
    labels: IntArray, measures: Callable[[IntArray], dict[str, float]], confidence: float, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Percentile bootstrap over pictures, each class resampled separately so that none goes missing.

    Args:
        labels: int64 ``[N]``.
        measures: indices ``[N]`` → values by name.
        confidence: in (0, 1).
        seed: of the draws.

    Returns:
        Intervals by name, without those of no width, which say nothing.
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    drawn: dict[str, list[float]] = {}
    for _ in range(RESAMPLES):
        chosen = np.concatenate([rng.choice(group, len(group)) for group in members])
        for name, value in measures(chosen).items():
            drawn.setdefault(name, []).append(value)
    tail = (1 - confidence) / 2
    found = {name: _quantiles(np.array(values), tail) for name, values in drawn.items()}
    return {name: (low, high) for name, (low, high) in found.items() if high - low > ROUNDING}


def around(value: float | None, interval: tuple[float, float] | None) -> Estimate:
    """A value with its interval, widened to include it: a skewed posterior may exclude a perfect score."""
    if value is None or interval is None:
        return Estimate(value)
    return Estimate(value, min(interval[0], value), max(interval[1], value))


def _quantiles(values: AnyArray, tail: float) -> tuple[float, float]:
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)
