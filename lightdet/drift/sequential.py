"""Is the next picture like those before it? A test after every picture, whose false-alarm rate is known.

**P-values.** As long as calibration pictures and later ones can be exchanged for one another, the rank of the next
value among all before it is uniform, whatever its distribution is. The n values of the calibration part the line into
n + 1 gaps. The next value falls into each gap with a chance in proportion to 1 + the earlier pictures in it (an urn of
Pólya; neighbouring gaps may be put together). So with a random place within its gap it gives a p-value that is exactly
uniform and independent of all earlier ones: the smoothed conformal p-values of Vovk, Gammerman and Shafer (Algorithmic
Learning in a Random World, 2005), from counters of bounded number. A fixed reference would not do: its chance deviation
from the truth would add up from picture to picture until it was an alarm.

**Bets.** Each bet is a density on [0, 1], so it multiplies a stake by 1 on average. Its Shiryaev-Roberts statistic
R ← (1 + R) · bet(p) (Vovk, Testing randomness online, 2021) has the mean t after t pictures, and so has the mean of R
over all bets and statistics, however these depend on each other. By Doob's inequality the chance of any alarm
(mean of R ≥ A) in the first m pictures is at most m / A, and the mean number of pictures until one at least A.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from lightdet.arrays import FloatArray, IntArray

SHIFTS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
"""Bets that a value moved by so many standard deviations, as if it were normal."""
SPREADS = (1.7,)
"""Bets that its standard deviation grew so many times."""
BETS = len(SHIFTS) + len(SPREADS)
_LEAST = 1e-12
_NORMAL = NormalDist()
_MOVES, _SCALES = np.array(SHIFTS), np.array(SPREADS)


def bets_on(p_values: FloatArray) -> FloatArray:
    """Return by which factor each bet multiplies its stake: ``[K, BETS]``, densities in the p-values ``[K]``."""
    inside = np.clip(p_values, _LEAST, 1 - _LEAST)
    scores = np.array([_NORMAL.inv_cdf(value) for value in inside.tolist()])[:, None]
    shifted = np.exp(_MOVES * scores - _MOVES**2 / 2)
    spread = np.exp(scores**2 / 2 * (1 - 1 / _SCALES**2)) / _SCALES
    return np.concatenate([shifted, spread], axis=1)


def largest_share(count: int, total: int, chance: float) -> float:
    """Return an upper bound of a share of which `count` of `total` were drawn: a larger one gives so few with at most
    this chance (Chernoff's bound, which needs no table; at most a few hundredths above the exact one).
    """
    seen, low, high = count / total, count / total, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        near = total * _divergence(seen, middle) < -math.log(chance)
        low, high = (middle, high) if near else (low, middle)
    return high


def _divergence(seen: float, share: float) -> float:
    """How unlike two shares are (Kullback and Leibler, of `seen` from `share`), in nats."""
    parts = ((seen, share), (1 - seen, 1 - share))
    return sum(one * math.log(one / other) if other > 0 else math.inf for one, other in parts if one > 0)


def bets_on_more(happened: bool, most: float) -> FloatArray:
    """Return by which factor each of `BETS` bets that something happens more often than `most` multiplies its stake.

    Each is the ratio of two chances: under a larger share, and under `most`. If the share is at most that, now as ever,
    none gains on average.
    """
    shares = [most + (1 - most) * bet / BETS for bet in range(1, BETS + 1)]
    return np.array([share / most if happened else (1 - share) / (1 - most) for share in shares])


class RankUrns:
    """Gives each value of K statistics its p-value among those of the calibration and all before it; see above.

    Args:
        edges: ``[K, M]``, values of the calibration in ascending order, all of them or some.
        ranks: ``[M]``, how many values of the calibration are at or below each edge.
        total: how many values the calibration has.

    Attributes:
        joined: ``[K, M + 1]``, how many later values fell into each gap.
    """

    def __init__(self, edges: Sequence[Sequence[float]], ranks: Sequence[int], total: int) -> None:
        self._edges = [list(each) for each in edges]
        self._weights = np.diff(np.array([0, *ranks, total + 1], np.int64))
        self.joined = np.zeros((len(self._edges), len(self._weights)), np.int64)

    def see(self, rows: IntArray, values: FloatArray, places: FloatArray) -> FloatArray:
        """Return the p-values ``[N]`` of new values of some statistics, in [0, 1], low for a low value.

        Args:
            rows: which statistics, ``[N]``, none twice.
            values: finite, ``[N]``.
            places: drawn uniformly from [0, 1], ``[N]``.
        """
        gaps = np.array([bisect_right(self._edges[row], value) for row, value in zip(rows, values, strict=True)], int)
        totals = (self._weights + self.joined[rows]).cumsum(axis=1)
        each = np.arange(len(rows))
        own = self._weights[gaps] + self.joined[rows, gaps]
        p_values = (totals[each, gaps] - (1 - places) * own) / totals[:, -1]
        self.joined[rows, gaps] += 1
        return np.asarray(p_values, np.float64)


class VerdictUrn:
    """The same for NG or OK, among all verdicts before: the share of NG at the calibration is not that of a line.

    Args:
        counts: how many were OK, and how many NG.
    """

    def __init__(self, counts: Sequence[int] = (0, 0)) -> None:
        self.counts = list(counts)

    def see(self, is_bad: bool, place: float) -> float:
        """Return the p-value of a verdict: high for NG."""
        self.counts[is_bad] += 1
        below = self.counts[0] if is_bad else 0
        return (below + place * self.counts[is_bad]) / sum(self.counts)
