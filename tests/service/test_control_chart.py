"""The p-chart, beside an example from the textbook and the binomial distribution itself."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.service.control_chart import WIDTHS, Sample, p_chart, sample_width

JUICE = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6]


def test_the_orange_juice_cans() -> None:
    """Montgomery, example 7.1: 30 samples of 50; centre 0.2313, limits 0.0524 and 0.4102, samples 15 and 23 outside."""
    chart = p_chart([Sample(1000 * i, 50, bad) for i, bad in enumerate(JUICE)])
    assert round(chart.center, 4) == 0.2313
    assert {round(p.lower, 4) for p in chart.points} == {0.0524}
    assert {round(p.upper, 4) for p in chart.points} == {0.4102}
    assert [i + 1 for i, p in enumerate(chart.points) if p.signal] == [15, 23]


samples = st.lists(st.integers(0, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), max_size=30)


@given(samples)
def test_what_always_holds(counts: list[tuple[int, int]]) -> None:
    chart = p_chart([Sample(i, n, bad) for i, (n, bad) in enumerate(counts)])
    used = [(n, bad) for n, bad in counts if n]
    assert [(p.sample.inspected, p.sample.rejected) for p in chart.points] == used
    assert 0 <= chart.center <= 1
    for point in chart.points:
        assert 0 <= point.lower <= chart.center + 1e-12 and chart.center - 1e-12 <= point.upper <= 1
        n = point.sample.inspected
        expected, deviation = n * chart.center, math.sqrt(n * chart.center * (1 - chart.center))
        if abs(abs(point.sample.rejected - expected) - 3 * deviation) > 1e-6:  # in numbers of parts
            assert point.signal == (abs(point.sample.rejected - expected) > 3 * deviation)
    if len(used) == 1:
        assert not chart.points[0].signal


def test_nothing_is_a_chart_too() -> None:
    assert p_chart([]).points == ()
    assert p_chart([Sample(0, 0, 0)]).center == 0.0


@pytest.mark.parametrize("bad", [Sample(0, 5, 6), Sample(0, 5, -1)])
def test_impossible_counts_are_refused(bad: Sample) -> None:
    with pytest.raises(ValueError, match="between none and all"):
        p_chart([bad])


@given(st.integers(1, 10**13), st.integers(1, 500))
def test_samples_are_few_and_no_wider_than_needed(span: int, most: int) -> None:
    width = sample_width(span, most)
    assert width * most >= span
    narrower = [w for w in WIDTHS if w < width]
    assert all(w * most < span for w in narrower)
