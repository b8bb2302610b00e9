"""Patterns on a control chart that chance seldom makes, even within the limits.

L. S. Nelson, The Shewhart Control Chart - Tests for Special Causes, Journal of Quality Technology 16 (1984) 237-239.
Rule 1, a point beyond three standard deviations, is the chart's own (`lightdet.service.control_chart`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

_Window: TypeAlias = Sequence[float]


def _one_side(window: _Window) -> bool:
    return all(each > 0 for each in window) or all(each < 0 for each in window)


def _trend(window: _Window) -> bool:
    return _one_side(_steps(window))


def _in_turn(window: _Window) -> bool:
    steps = _steps(window)
    return all(before * after < 0 for before, after in itertools.pairwise(steps))


def _steps(window: _Window) -> list[float]:
    return [after - before for before, after in itertools.pairwise(window)]


def _beyond(deviations: float, count: int) -> Callable[[_Window], bool]:
    """`count` of the window lie further out than this, on the side of the last one, which is one of them."""

    def holds(window: _Window) -> bool:
        side = 1 if window[-1] > 0 else -1
        return side * window[-1] > deviations and sum(side * each > deviations for each in window) >= count

    return holds


_PATTERNS: Mapping[int, tuple[int, Callable[[_Window], bool]]] = {
    2: (9, _one_side),  # on one side of the centre
    3: (6, _trend),  # rising or falling
    4: (14, _in_turn),  # up and down in turn
    5: (3, _beyond(2.0, 2)),  # two of three beyond two standard deviations, on one side
    6: (5, _beyond(1.0, 4)),  # four of five beyond one, on one side
    7: (15, lambda window: all(abs(each) < 1 for each in window)),  # all within one
    8: (8, lambda window: all(abs(each) > 1 for each in window)),  # all beyond one
}
"""By its number: how many points in a row a rule looks at, and what they must do."""


def patterns(deviations: Sequence[float | None]) -> list[tuple[int, ...]]:
    """Return for each point the rules from 2 to 8 whose pattern it completes.

    Args:
        deviations: of each point from the centre, in standard deviations; None: no pattern goes over it.
    """
    found = []
    for last in range(len(deviations)):
        broken = []
        for rule, (length, holds) in _PATTERNS.items():
            window = [each for each in deviations[max(0, last - length + 1) : last + 1] if each is not None]
            if len(window) == length and holds(window):
                broken.append(rule)
        found.append(tuple(broken))
    return found
