"""The p-chart: the share of bad parts over time, and how much of its movement is chance.

D. C. Montgomery, Introduction to Statistical Quality Control, chapter 7: with ``d`` bad ones among ``n`` parts of a
sample, ``p = d / n``; the centre line is the share over all samples, the limits of a sample are three standard
deviations ``sqrt(centre (1 - centre) / n)`` away from it, cut at 0 and 1. Three things are added:

- The centre is taken over the samples within their limits: those outside are left out, centre and limits are computed
  again, until nothing more falls outside (Montgomery, 7.2.1, without a person who decides on each). Where more than
  half would go, there is no level to return to, and the centre is that of all.
- A sample with fewer than five bad (or good) parts expected has exact limits: the normal distribution behind the three
  standard deviations would give several times too many alarms. Chance puts at most 0.135 % of such samples above.
- Where samples are large (1000 parts on average), the share moves by more than the binomial distribution allows in any
  real process. D. B. Laney, Improved Control Charts for Attributes, Quality Engineering 14 (2002) 531-537: the limits
  are multiplied by the standard deviation of ``z = (p - centre) / sigma``, estimated from its moving ranges. This is
  done where it is greater than 1 by more than chance (5 %); limits never become narrower.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from lightdet.service.nelson import patterns

SIGMAS = 3.0
_TAIL = 0.00135
"""What the normal distribution has beyond three standard deviations on one side."""
_ENOUGH = 5.0
"""Parts of either kind that are expected in a sample where three standard deviations are used."""
_LARGE = 1000.0
"""Parts per sample from which on the spread between samples is looked at."""
_FEWEST = 10
"""Samples that are needed to estimate it."""
_RANGE = 1.128
"""Mean of the range of two values over their standard deviation (d2 in the tables)."""
_RANGE_ERROR = 0.826
"""Variance of a standard deviation estimated from m moving ranges: about 0.826 / m of its square."""


@dataclass(frozen=True)
class Sample:
    """The parts of one stretch of time: how many, how many of them bad."""

    start_ms: int
    inspected: int
    rejected: int

    @property
    def share(self) -> float:
        """Bad parts of all, in [0, 1]."""
        return self.rejected / self.inspected


@dataclass(frozen=True)
class Point:
    """One sample on the chart.

    Attributes:
        sample: what was counted.
        lower, upper: the sample's control limits, in [0, 1].
        rules: numbers of Nelson's rules that it breaks; 1: it lies outside its limits.
    """

    sample: Sample
    lower: float
    upper: float
    rules: tuple[int, ...]

    @property
    def signal(self) -> bool:
        """Something has changed."""
        return bool(self.rules)


@dataclass(frozen=True)
class PChart:
    """The chart.

    Attributes:
        center: the centre line, in [0, 1].
        spread: by what Laney's correction widens the limits; 1 where it does not.
        left_out: samples outside of their limits that are not in the centre.
        points: in the order of time.
    """

    center: float
    spread: float
    left_out: int
    points: tuple[Point, ...]


def p_chart(samples: Sequence[Sample], *, nelson: bool = False, rounds: int | None = None) -> PChart:
    """Return the chart of samples in the order of time; those without parts are left out.

    Args:
        samples: what was counted.
        nelson: look for the patterns of Nelson's rules 2 to 8 too.
        rounds: how often samples outside are left out of the centre, at most; None: until none is.

    Raises:
        ValueError: more bad parts than parts, or negative numbers.
    """
    if any(not 0 <= sample.rejected <= sample.inspected for sample in samples):
        raise ValueError("a sample has between none and all of its parts bad")
    used = [sample for sample in samples if sample.inspected]
    inside = _settle(used, rounds)
    level = _Level.of(inside)
    rules = patterns([level.deviation(sample) for sample in used]) if nelson else [()] * len(used)
    points = []
    for sample, broken in zip(used, rules, strict=True):
        lower, upper = level.limits(sample)
        outside = not level.holds(sample)
        points.append(Point(sample, lower, upper, (1, *broken) if outside else broken))
    return PChart(level.center, level.spread, len(used) - len(inside), tuple(points))


def _settle(used: Sequence[Sample], rounds: int | None) -> Sequence[Sample]:
    """Return the samples that the centre is taken from."""
    inside = used
    while rounds is None or rounds > 0:
        level = _Level.of(inside)
        kept = [sample for sample in inside if level.holds(sample)]
        if len(kept) == len(inside):
            return inside
        if 2 * len(kept) < len(used):
            return used
        inside, rounds = kept, None if rounds is None else rounds - 1
    return inside


@dataclass(frozen=True)
class _Level:
    """What a process does while nothing changes: a share of bad parts, and how much more than chance it moves."""

    center: float
    spread: float

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> _Level:
        total = sum(sample.inspected for sample in samples)
        center = sum(sample.rejected for sample in samples) / total if total else 0.0
        plain = cls(center, 1.0)
        many = len(samples) >= _FEWEST and total >= _LARGE * len(samples)
        values = [value for value in map(plain.deviation, samples) if value is not None] if many else []
        if len(values) < _FEWEST:
            return plain
        ranges = [abs(after - before) for before, after in itertools.pairwise(values)]
        spread = sum(ranges) / len(ranges) / _RANGE
        by_chance = 1.0 + 1.645 * math.sqrt(_RANGE_ERROR / len(ranges))
        return cls(center, spread) if spread > by_chance else plain

    def _sigma(self, sample: Sample) -> float:
        return math.sqrt(self.center * (1.0 - self.center) / sample.inspected)

    def _is_small(self, sample: Sample) -> bool:
        return sample.inspected * min(self.center, 1.0 - self.center) < _ENOUGH

    def deviation(self, sample: Sample) -> float | None:
        """How many standard deviations from the centre; None where there are too few parts to say so."""
        if self._is_small(sample):
            return None
        return (sample.share - self.center) / (self._sigma(sample) * self.spread)

    def limits(self, sample: Sample) -> tuple[float, float]:
        if self._is_small(sample):
            few = _exact_limit(sample.inspected, min(self.center, 1.0 - self.center))
            return (0.0, few) if self.center <= 0.5 else (1.0 - few, 1.0)
        reach = SIGMAS * self._sigma(sample) * self.spread
        return max(0.0, self.center - reach), min(1.0, self.center + reach)

    def holds(self, sample: Sample) -> bool:
        lower, upper = self.limits(sample)
        return lower - 1e-12 <= sample.share <= upper + 1e-12


def _exact_limit(parts: int, share: float) -> float:
    """Return the lowest share of a sample that at most `_TAIL` of all samples exceed, by the binomial distribution."""
    bad, chance = 0, math.exp(parts * math.log1p(-share))
    up_to = chance
    while 1.0 - up_to > _TAIL and bad < parts:
        chance *= (parts - bad) / (bad + 1) * share / (1.0 - share)
        bad += 1
        up_to += chance
    return bad / parts
