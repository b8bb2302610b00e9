"""The p-chart: the share of bad parts over time, and how much of its movement is chance.

D. C. Montgomery, Introduction to Statistical Quality Control, chapter 7: with ``d`` bad ones among ``n`` parts of a
sample, ``p = d / n``; the centre line is the share over all samples, the limits of a sample are three standard
deviations ``sqrt(centre (1 - centre) / n)`` away from it, cut at 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SIGMAS = 3.0
WIDTHS = tuple(
    seconds * 1000
    for seconds in (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 7 * 86400, 28 * 86400, 364 * 86400)
)
"""Sample widths in milliseconds that are easy to read."""


@dataclass(frozen=True)
class Sample:
    """The parts of one stretch of time: how many, how many of them bad."""

    start_ms: int
    inspected: int
    rejected: int


@dataclass(frozen=True)
class Point:
    """One sample on the chart.

    Attributes:
        sample: what was counted.
        share: bad parts of all, in [0, 1].
        lower, upper: the sample's control limits, in [0, 1].
        signal: the share lies outside its limits: something has changed.
    """

    sample: Sample
    share: float
    lower: float
    upper: float
    signal: bool


@dataclass(frozen=True)
class PChart:
    """The chart: its centre line in [0, 1] and its points."""

    center: float
    points: tuple[Point, ...]


def p_chart(samples: Sequence[Sample]) -> PChart:
    """Return the chart of samples in the order of time; those without parts are left out.

    Raises:
        ValueError: more bad parts than parts, or negative numbers.
    """
    if any(not 0 <= sample.rejected <= sample.inspected for sample in samples):
        raise ValueError("a sample has between none and all of its parts bad")
    used = [sample for sample in samples if sample.inspected]
    total = sum(sample.inspected for sample in used)
    center = sum(sample.rejected for sample in used) / total if total else 0.0
    return PChart(center, tuple(_point(sample, center) for sample in used))


def _point(sample: Sample, center: float) -> Point:
    share = sample.rejected / sample.inspected
    reach = SIGMAS * math.sqrt(center * (1.0 - center) / sample.inspected)
    lower, upper = max(0.0, center - reach), min(1.0, center + reach)
    signal = share < lower - 1e-12 or share > upper + 1e-12
    return Point(sample, share, lower, upper, signal)


def sample_width(span_ms: int, most: int) -> int:
    """Return the smallest width that cuts a span of time into at most `most` samples, in milliseconds."""
    return next((width for width in WIDTHS if width * most >= span_ms), max(WIDTHS[-1], -(-span_ms // most)))
