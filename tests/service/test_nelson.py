"""Nelson's rules: each against a plain statement of itself, and as seldom by chance as it must be."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lightdet.service.nelson import patterns


def plainly(z: np.ndarray) -> set[int]:
    """The rules that the end of these values breaks."""
    found, signs, steps = set(), np.sign(z), np.sign(np.diff(z))
    if len(z) >= 9 and abs(signs[-9:].sum()) == 9:
        found.add(2)
    if len(z) >= 6 and abs(steps[-5:].sum()) == 5:
        found.add(3)
    if len(z) >= 14 and abs((steps[-13:] * np.resize([1, -1], 13)).sum()) == 13:
        found.add(4)
    for rule, length, zone, count in ((5, 3, 2, 2), (6, 5, 1, 4)):
        beyond = signs[-length:] * (np.abs(z[-length:]) > zone)
        if len(z) >= length and abs(z[-1]) > zone and (beyond == signs[-1]).sum() >= count:
            found.add(rule)
    if len(z) >= 15 and np.abs(z[-15:]).max() < 1:
        found.add(7)
    if len(z) >= 8 and np.abs(z[-8:]).min() > 1:
        found.add(8)
    return found


values = st.one_of(st.sampled_from([0.0, 0.5, -0.5, 1.0, 1.5, -1.5, 2.5, -2.5]), st.floats(-4, 4))


@given(st.lists(values, max_size=40) | st.lists(st.sampled_from([0.4, 0.5, 0.6, -0.4]), min_size=15, max_size=40))
def test_each_says_what_it_says(z: list[float]) -> None:
    for last, broken in enumerate(patterns(z)):
        assert set(broken) == plainly(np.array(z[: last + 1])), last


@given(st.lists(values, max_size=20), st.lists(values, max_size=20))
def test_no_pattern_goes_over_a_point_without_a_value(before: list[float], after: list[float]) -> None:
    assert patterns([*before, None, *after]) == [*patterns(before), (), *patterns(after)]


def test_how_often_chance_makes_them() -> None:
    """The share of points at which each pattern ends, of values without any, from the normal distribution."""
    beyond_2, beyond_1 = 0.0227501, 0.1586553
    expected = {
        2: 2 * 0.5**9,
        3: 2 / 720,  # of all orders of six
        4: 2 * 199_360_981 / 87_178_291_200,  # alternating permutations of 14 among all
        5: 2 * beyond_2 * (1 - (1 - beyond_2) ** 2),
        6: 2 * beyond_1 * (4 * beyond_1**3 * (1 - beyond_1) + beyond_1**4),
        7: (1 - 2 * beyond_1) ** 15,
        8: (2 * beyond_1) ** 8,
    }
    points = 50_000
    found = patterns(np.random.default_rng(1984).standard_normal(points).tolist())
    assert {rule for broken in found for rule in broken} == set(expected)
    for rule, share in expected.items():
        often = sum(rule in broken for broken in found) / points
        # Patterns overlap: one that goes on counts again, so the spread is some times that of single points.
        assert abs(often - share) < 8 * (share / points) ** 0.5, rule
