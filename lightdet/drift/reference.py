"""The statistics of the calibration pictures, as a model's card keeps them for later comparison."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lightdet.arrays import AnyArray

FEWEST = 20
"""With fewer calibration pictures, nothing is compared."""
MOST_EDGES = 128
"""At most so many of a statistic's values are kept: each is a border between two ranks."""
MOST_STATISTICS = 64
STEP = 1e-3
"""Values are compared to this; equal ones are put in random order."""
_LARGEST = 1e9
_DIGITS = 7

Watched = Literal["passed", "all"]


@dataclass(frozen=True)
class Reference:
    """The calibration pictures' values of each statistic.

    Attributes:
        watched: which pictures are compared: those that pass (are OK) with the good calibration pictures that passed,
            or all with all.
        pictures: how many calibration pictures there were of that kind.
        ranks: ascending numbers from 1 to `pictures`.
        edges: by statistic, the values of these ranks, ascending.
        rejected: how many calibration pictures of all kinds were NG.
        judged: of how many; 0: that is not known.

    Raises:
        ValueError: one of these does not hold, values are not finite, or there are too many.
    """

    watched: Watched
    pictures: int
    ranks: tuple[int, ...]
    edges: Mapping[str, tuple[float, ...]]
    rejected: int = 0
    judged: int = 0

    def __post_init__(self) -> None:
        whole = isinstance(self.pictures, int) and all(type(rank) is int for rank in self.ranks)
        if self.watched not in ("passed", "all") or not whole or not 0 < len(self.edges) <= MOST_STATISTICS:
            raise ValueError("not a reference")
        ascending = all(a < b for a, b in itertools.pairwise(self.ranks))
        inside = 0 < len(self.ranks) <= MOST_EDGES and self.ranks[0] >= 1 and self.ranks[-1] <= self.pictures
        if not (ascending and inside):
            raise ValueError("ranks out of order")
        if not (type(self.rejected) is type(self.judged) is int and 0 <= self.rejected <= self.judged):
            raise ValueError("verdicts that cannot be")
        for name, edges in self.edges.items():
            known = all(type(value) is float and abs(value) <= _LARGEST for value in edges)
            sorted_ = known and all(a <= b for a, b in itertools.pairwise(edges))
            if not isinstance(name, str) or len(edges) != len(self.ranks) or not sorted_:
                raise ValueError(f"the values of '{name}' are damaged")

    @staticmethod
    def of(
        rows: Sequence[Mapping[str, float]], watched: Watched, seed: int = 0, *, rejected: int = 0, judged: int = 0
    ) -> Reference | None:
        """Return the reference of some pictures, all with the same statistics; None if they are too few.

        Args:
            rows: for each picture, its finite values by statistic.
            watched, rejected, judged: see above.
            seed: for the order of equal values.
        """
        if len(rows) < FEWEST:
            return None
        random = np.random.default_rng(seed)
        count = len(rows)
        ranks = np.unique(np.linspace(1, count, min(count, MOST_EDGES)).round().astype(int))
        edges = {}
        for name in rows[0]:
            values = np.sort(spread_ties(np.array([row[name] for row in rows]), random.random(count)))
            edges[name] = tuple(round(float(value), _DIGITS) for value in values[ranks - 1])
        return Reference(watched, count, tuple(int(rank) for rank in ranks), edges, rejected, judged)

    def median(self, name: str) -> float:
        """The median of a statistic's values."""
        return self.edges[name][int(np.searchsorted(self.ranks, self.pictures / 2))]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; `from_dict` reads them."""
        edges = {name: list(values) for name, values in self.edges.items()}
        verdicts = {"rejected": self.rejected, "judged": self.judged}
        known = {"watched": self.watched, "pictures": self.pictures, "ranks": list(self.ranks), "edges": edges}
        return known | verdicts

    @staticmethod
    def from_dict(values: object) -> Reference:
        """Read what `as_dict` gave.

        Raises:
            ValueError: it is damaged.
        """
        keys = {"watched", "pictures", "ranks", "edges", "rejected", "judged"}
        if not isinstance(values, Mapping) or set(values) != keys:
            raise ValueError("not a reference")
        ranks, edges = values["ranks"], values["edges"]
        if not isinstance(ranks, list) or not isinstance(edges, Mapping):
            raise ValueError("not a reference")
        if not all(isinstance(each, list) for each in edges.values()):
            raise ValueError("not a reference")
        floats = {name: tuple(_as_float(value) for value in each) for name, each in edges.items()}
        verdicts = (values["rejected"], values["judged"])
        return Reference(values["watched"], values["pictures"], tuple(ranks), floats, *verdicts)


def spread_ties(values: AnyArray, places: AnyArray) -> AnyArray:
    """Return values rounded to `STEP`, each at a random place (from [0, 1]) within its step.

    So equal values come in random order, and the last digits, which depend on the processor, do not matter.
    """
    return np.asarray((np.round(values / STEP) + places - 0.5) * STEP)


def _as_float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise ValueError("not a finite number")
    return float(value) if math.isfinite(value) else math.nan
