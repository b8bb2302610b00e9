"""Warm-up and cosine against their formulas."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.training.schedule import WarmupCosine


def test_a_rise_and_half_a_cosine() -> None:
    schedule = WarmupCosine(lr=0.1, final=0.01, warmup=4, steps=25)
    rates = [schedule.at(step) for step in range(25)]
    assert rates[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    for step in range(4, 25):
        angle = math.pi * (step - 4) / 20
        assert rates[step] == pytest.approx(0.001 + (0.1 - 0.001) * (1 + math.cos(angle)) / 2)
    assert rates[4] == pytest.approx(0.1)
    assert rates[14] == pytest.approx((0.1 + 0.001) / 2)
    assert rates[-1] == pytest.approx(0.001)


@given(
    lr=st.floats(1e-5, 1),
    final=st.floats(0, 1),
    warmup=st.integers(0, 50),
    steps=st.integers(1, 200),
)
def test_never_above_the_highest_never_zero_before_the_end(lr: float, final: float, warmup: int, steps: int) -> None:
    schedule = WarmupCosine(lr, final, warmup, steps)
    rates = [schedule.at(step) for step in range(steps)]
    assert all(0 <= rate <= lr * (1 + 1e-9) for rate in rates)
    assert all(rate > 0 for rate in rates[:-1])
    rise, fall = rates[:warmup], rates[warmup:]
    assert rise == sorted(rise)
    assert all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(fall))
    if steps - 1 > warmup:
        assert rates[-1] == pytest.approx(lr * final)


def test_no_warmup_starts_at_the_top() -> None:
    assert WarmupCosine(0.1, 0.5, 0, 10).at(0) == 0.1


def test_one_step() -> None:
    assert WarmupCosine(0.1, 0.5, 0, 1).at(0) == 0.1


def test_beyond_the_end_it_stays_at_the_last_rate() -> None:
    schedule = WarmupCosine(0.1, 0.5, 2, 10)
    assert schedule.at(9) == schedule.at(10) == schedule.at(1000) == pytest.approx(0.05)
