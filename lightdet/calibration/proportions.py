"""A share of counted pictures and what it says about all pictures: exact binomial bounds (Clopper & Pearson 1934)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

DEFAULT_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Proportion:
    """`count` of `total` pictures, with the interval that holds the true share with `confidence`; all in [0, 1].

    Attributes:
        rate: count / total, or None if there was nothing to count.
        low, high: the two-sided interval; 0 and 1 if there was nothing to count.
    """

    count: int
    total: int
    rate: float | None
    low: float
    high: float
    confidence: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"count": self.count, "total": self.total, "rate": self.rate, "interval": [self.low, self.high]}

    def __str__(self) -> str:
        if self.rate is None:
            return "none to count"
        interval = f"two-sided {self.confidence:.0%} interval {self.low:.1%}-{self.high:.1%}"
        return f"{self.rate:.1%} ({self.count} of {self.total}; {interval})"


def proportion(count: int, total: int, confidence: float = DEFAULT_CONFIDENCE) -> Proportion:
    """Return `count` of `total` with its two-sided Clopper-Pearson interval."""
    low, high = clopper_pearson(count, total, confidence)
    return Proportion(count, total, count / total if total else None, low, high, confidence)


def clopper_pearson(count: int, total: int, confidence: float = DEFAULT_CONFIDENCE) -> tuple[float, float]:
    """The two-sided interval for the true share when `count` of `total` were seen; (0, 1) for an empty set.

    Raises:
        ValueError: impossible counts, or a confidence outside (0, 1).
    """
    from scipy.stats import beta  # noqa: PLC0415 - it takes seconds

    _check(count, total, confidence)
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(beta.ppf(tail, count, total - count + 1))
    high = 1.0 if count == total else float(beta.ppf(1 - tail, count + 1, total - count))
    return low, high


def upper_bound(count: int, total: int, confidence: float = DEFAULT_CONFIDENCE) -> float:
    """An upper bound of the true share, with `confidence` (one-sided Clopper-Pearson).

    Raises:
        ValueError: impossible counts, or a confidence outside (0, 1).
    """
    from scipy.stats import beta  # noqa: PLC0415 - it takes seconds

    _check(count, total, confidence)
    return 1.0 if count == total else float(beta.ppf(confidence, count + 1, total - count))


def pictures_needed(target: float, confidence: float = DEFAULT_CONFIDENCE, errors: int = 0) -> int:
    """The fewest pictures with which `errors` errors still allow promising a share of at most `target`.

    Raises:
        ValueError: target or confidence outside (0, 1).
    """
    from scipy.stats import binom  # noqa: PLC0415 - it takes seconds

    _check(0, 0, confidence)
    if not 0 < target < 1:
        raise ValueError(f"the target must lie between 0 and 1, got {target}")
    if errors == 0:
        return math.ceil(math.log(1 - confidence) / math.log1p(-target) - 1e-9)
    # The promise holds once so few errors among so many pictures would be unlikely at the target rate itself.
    low, high = errors + 1, 2 * (errors + 1)
    while binom.cdf(errors, high, target) > 1 - confidence:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if binom.cdf(errors, middle, target) > 1 - confidence:
            low = middle + 1
        else:
            high = middle
    return low


def _check(count: int, total: int, confidence: float) -> None:
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} cannot be counted")
    if not 0 < confidence < 1:
        raise ValueError(f"the confidence must lie between 0 and 1, got {confidence}")
