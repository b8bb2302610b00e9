"""Follows the pictures of a line, and says when they are no longer those of the calibration."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from random import Random
from statistics import median
from typing import Any

import numpy as np

from lightdet.arrays import FloatArray, IntArray
from lightdet.drift.reference import Reference, spread_ties
from lightdet.drift.sequential import BETS, SHIFTS, RankUrns, VerdictUrn, bets_on, bets_on_more, largest_share

PICTURES_PER_FALSE_ALARM = 100_000
"""Among unchanged pictures, an alarm comes once in so many, or less often."""
NG_SHARE = "share of NG"
MOST_NG = 0.5
"""A share of NG up to this is no change by itself: a line may well have more bad parts than the calibration had."""
RECENT = 50
"""Medians of the present are taken over at most so many pictures."""


@dataclass(frozen=True)
class Look:
    """One judged picture: whether it passed, and its statistics by name."""

    ok: bool
    values: Mapping[str, float]


@dataclass(frozen=True)
class Suspension:
    """The pictures have changed.

    Attributes:
        moved: the statistic with the most evidence.
        before: its median at the calibration; for the share of NG, per cent of all pictures before the change, or of
            those of the calibration if it was so from the beginning.
        now: its median over the last pictures since the change; likewise.
        since: number of the picture with which the change probably began, from 1.
        noticed: number of the picture after which it was noticed.
    """

    moved: str
    before: float
    now: float
    since: int
    noticed: int

    def describe(self) -> str:
        """In words: ``focus fell from 12.1 to 9.3 (from picture 210 on, noticed at 216)``."""
        verb = "rose" if self.now > self.before else "fell"
        change = f"{verb} from {self.before:.4g} to {self.now:.4g}"
        if f"{self.before:.4g}" == f"{self.now:.4g}":
            change = f"scatters more around {self.before:.4g}"
        return f"{self.moved} {change} (from picture {self.since} on, noticed at {self.noticed})"

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Suspension:
        """Read what `dataclasses.asdict` gave.

        Raises:
            ValueError, TypeError, KeyError: it is damaged.
        """
        numbers = (float(values["before"]), float(values["now"]))
        if not all(map(math.isfinite, numbers)):
            raise ValueError("not finite")
        return Suspension(str(values["moved"]), *numbers, int(values["since"]), int(values["noticed"]))


class Monitor:
    """Tests after each picture whether it is like those before; any threads may call it.

    The test is that of `lightdet.drift.sequential`, for every statistic of the reference and for the verdicts. These
    are compared with those before, as a line has another share of bad parts than a calibration; but if most are NG, and
    more than the calibration had, that is a change even if it was so from the first picture on. Once the monitor has
    raised an alarm it stays so: only a new one begins anew.

    Args:
        reference: of the calibration.
        threshold: among exchangeable pictures, the mean number until an alarm is at least this.
    """

    def __init__(self, reference: Reference, threshold: float = PICTURES_PER_FALSE_ALARM) -> None:
        self.reference, self.threshold = reference, threshold
        self.suspension: Suspension | None = None
        self.seen = self.compared = 0
        self._lock = threading.Lock()
        self._names = (*reference.edges, NG_SHARE)
        ranks, total = reference.ranks, reference.pictures
        self._urns = RankUrns(list(reference.edges.values()), ranks, total)
        self._verdicts = VerdictUrn()
        self._most = _most_rejected(reference, threshold)
        rows = len(self._names) + (self._most < 1)
        self._ratio = np.zeros((rows, BETS))  # Shiryaev-Roberts
        self._sums = np.ones((rows, BETS))  # CUSUM: its last start is where the change probably began
        self._starts = np.ones((rows, BETS), np.int64)
        self._recent = {name: deque[tuple[int, float]](maxlen=RECENT) for name in self._names}

    def see(self, look: Look) -> Suspension | None:
        """Take the next picture; returns the suspension if this one brought it.

        Statistics that the reference does not have are ignored, and those that the picture does not have are left out.
        """
        with self._lock:
            if self.suspension is not None:
                return None
            self.seen += 1
            compared = look.ok or self.reference.watched == "all"
            self.compared += compared
            self._take(look.values if compared else {}, ok=look.ok)
            if self._ratio.mean() >= self.threshold:
                self.suspension = self._found()
            return self.suspension

    def evidence(self) -> dict[str, float]:
        """Return how far each statistic is on the way to an alarm by itself: 0 is nothing, 1 is there."""
        with self._lock:
            levels = np.log(np.maximum(1.0, self._ratio.sum(1) / self._ratio.size)) / math.log(self.threshold)
            found = dict(zip(self._names, levels.tolist(), strict=False))
            return found | {NG_SHARE: max(levels[len(self._names) - 1 :].tolist())}

    def _take(self, values: Mapping[str, float], *, ok: bool) -> None:
        # The same whenever the same pictures come in the same order.
        random = Random(self.seen * 1_000_003 + self.reference.pictures).random  # noqa: S311 - no secret
        places = np.array([random() for _ in range(2 * len(self._names))]).reshape(2, -1)
        given = {row: float(values[name]) for row, name in enumerate(self._names[:-1]) if name in values}
        rows = np.array([row for row, value in given.items() if math.isfinite(value)], np.int64)
        spread = spread_ties(np.array([given[row] for row in rows]), places[0, rows])
        p_values = self._urns.see(rows, spread, places[1, rows])
        verdict = len(self._names) - 1
        p_values = np.append(p_values, self._verdicts.see(not ok, float(places[1, verdict])))
        rows, bets = np.append(rows, verdict), bets_on(p_values)
        if self._most < 1:
            rows, bets = np.append(rows, verdict + 1), np.vstack([bets, bets_on_more(not ok, self._most)])
        self._bet(rows, bets)
        for row, value in {**given, verdict: 100.0 * (not ok)}.items():
            self._recent[self._names[row]].append((self.seen, value))

    def _bet(self, rows: IntArray, bets: FloatArray) -> None:
        sums = self._sums[rows]
        self._ratio[rows] = (1 + self._ratio[rows]) * bets
        self._starts[rows] = np.where(sums <= 1, self.seen, self._starts[rows])
        self._sums[rows] = np.maximum(sums, 1.0) * bets

    def _found(self) -> Suspension:
        row = int(self._ratio.sum(1).argmax())
        bet = int(self._ratio[row].argmax())
        from_the_start = row == len(self._names)
        name, since = NG_SHARE if from_the_start else self._names[row], int(self._starts[row, bet])
        values = [value for number, value in self._recent[name] if number >= since]
        if from_the_start:
            before = 100 * self.reference.rejected / self.reference.judged
            return Suspension(name, before, sum(values) / len(values), since, self.seen)
        if name == NG_SHARE:
            bad, total = self._verdicts.counts[1], self.seen
            during = sum(values) / 100
            earlier = max(1, total - len(values))
            before, now = 100 * (bad - during) / earlier, sum(values) / len(values)
        else:
            before, now = self.reference.median(name), median(values)
        if bet >= len(SHIFTS):
            now = before
        return Suspension(name, before, now, since, self.seen)

    def as_dict(self) -> dict[str, Any]:
        """Return the state as plain values, ready for JSON; `restore` reads them."""
        with self._lock:
            return {
                "seen": self.seen,
                "compared": self.compared,
                "verdicts": list(self._verdicts.counts),
                "joined": self._urns.joined.tolist(),
                "ratio": self._ratio.tolist(),
                "sums": self._sums.tolist(),
                "starts": self._starts.tolist(),
                "recent": {name: [list(each) for each in values] for name, values in self._recent.items()},
                "suspension": None if self.suspension is None else asdict(self.suspension),
            }

    @staticmethod
    def restore(reference: Reference, values: Any, threshold: float = PICTURES_PER_FALSE_ALARM) -> Monitor:
        """Return a monitor that continues where another one was.

        Raises:
            ValueError: the state is damaged, or of another reference.
        """
        monitor = Monitor(reference, threshold)
        try:
            monitor._load(values)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"the state of the watch is damaged: {error}") from None
        return monitor

    def _load(self, values: Any) -> None:
        self.seen, self.compared = int(values["seen"]), int(values["compared"])
        verdicts = [int(count) for count in values["verdicts"]]
        self._verdicts = VerdictUrn(verdicts)
        self._ratio, self._sums = (np.array(values[key], np.float64) for key in ("ratio", "sums"))
        self._starts = np.array(values["starts"], np.int64)
        shape = (len(self._names) + (self._most < 1), BETS)
        shapes = {self._ratio.shape, self._sums.shape, self._starts.shape}
        finite = np.isfinite(self._ratio).all() and np.isfinite(self._sums).all() and (self._ratio >= 0).all()
        if shapes != {shape} or not finite or len(verdicts) != 2 or min(verdicts) < 0 or sum(verdicts) != self.seen:
            raise ValueError("the state of the watch belongs to another reference")
        joined = np.array(values["joined"], np.int64)
        if joined.shape != self._urns.joined.shape or (joined < 0).any():
            raise ValueError("the state of the watch belongs to another reference")
        self._urns.joined = joined
        for name, recent in self._recent.items():
            recent.extend((int(number), float(value)) for number, value in values["recent"][name])
        found = values["suspension"]
        self.suspension = None if found is None else Suspension.from_dict(found)


def _most_rejected(reference: Reference, threshold: float) -> float:
    """Return the largest share of NG that may be that of the calibration, or `MOST_NG` if it is less; 1: not known."""
    if reference.judged == 0:
        return 1.0
    return max(MOST_NG, largest_share(reference.rejected, reference.judged, 1 / threshold))
