"""The p-chart, beside an example from the textbook, the binomial distribution itself, and chance."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lightdet.service.control_chart import PChart, Sample, p_chart

JUICE = [12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22, 8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6]


def chart_of(inspected: int, rejected: list[int], **options: int) -> PChart:
    return p_chart([Sample(1000 * i, inspected, bad) for i, bad in enumerate(rejected)], **options)


def outside(chart: PChart) -> list[int]:
    return [i + 1 for i, point in enumerate(chart.points) if point.signal]


@pytest.mark.parametrize(
    ("rounds", "center", "lower", "upper", "signals"),
    [(0, 0.2313, 0.0524, 0.4102, [15, 23]), (1, 0.2150, 0.0407, 0.3893, [15, 21, 23])],
)
def test_the_orange_juice_cans(rounds: int, center: float, lower: float, upper: float, signals: list[int]) -> None:
    """Montgomery, example 7.1: 30 samples of 50, before and after samples 15 and 23 are left out of the centre."""
    chart = chart_of(50, JUICE, rounds=rounds)
    assert round(chart.center, 4) == center
    assert {round(point.lower, 4) for point in chart.points} == {lower}
    assert {round(point.upper, 4) for point in chart.points} == {upper}
    assert outside(chart) == signals


def test_what_is_out_of_control_is_not_in_the_centre() -> None:
    chart = chart_of(50, JUICE)
    rest = [bad for place, bad in enumerate(JUICE, 1) if place not in (15, 21, 23)]
    assert chart.center == sum(rest) / (50 * len(rest)) and chart.left_out == 3 and outside(chart) == [15, 21, 23]
    assert all(abs(bad / 50 - chart.center) <= 3 * (chart.center * (1 - chart.center) / 50) ** 0.5 for bad in rest)


def test_where_no_level_is_left_the_centre_is_that_of_all() -> None:
    chart = chart_of(400, [10, 200] * 10)
    assert chart.center == 105 / 400 and chart.left_out == 0 and len(outside(chart)) == 20


counts = st.lists(st.integers(0, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), max_size=30)


@given(counts)
def test_limits_are_those_of_the_binomial_distribution(drawn: list[tuple[int, int]]) -> None:
    chart = p_chart([Sample(i, n, bad) for i, (n, bad) in enumerate(drawn)])
    used = [(n, bad) for n, bad in drawn if n]
    assert [(p.sample.inspected, p.sample.rejected) for p in chart.points] == used
    share = chart.center
    for point in chart.points:
        n, bad = point.sample.inspected, point.sample.rejected
        assert -1e-12 <= point.lower <= share + 1e-12 and share - 1e-12 <= point.upper <= 1 + 1e-12
        deviation = (n * share * (1 - share)) ** 0.5  # in numbers of parts
        if min(n * share, n - n * share) >= 5 + 1e-6:
            assert point.lower == pytest.approx(max(0, n * share - 3 * deviation) / n)
            assert point.upper == pytest.approx(min(n, n * share + 3 * deviation) / n)
        elif min(n * share, n - n * share) < 5 - 1e-6 and 0 < share <= 0.5:
            assert point.lower == 0 and stats.binom.sf(round(point.upper * n), n, share) <= 0.00135 + 1e-12
            assert stats.binom.sf(round(point.upper * n) - 1, n, share) > 0.00135 - 1e-12
        if bad / n > point.upper + 1e-9 or bad / n < point.lower - 1e-9:
            assert point.rules == (1,)
        elif point.lower + 1e-9 < bad / n < point.upper - 1e-9:
            assert not point.signal
    if len(used) == 1:
        assert not chart.points[0].signal


@given(counts)
def test_good_and_bad_may_change_places(drawn: list[tuple[int, int]]) -> None:
    chart = p_chart([Sample(i, n, bad) for i, (n, bad) in enumerate(drawn)])
    other = p_chart([Sample(i, n, n - bad) for i, (n, bad) in enumerate(drawn)])
    assert outside(chart) == outside(other)


def test_alarms_by_chance_are_as_rare_as_they_should_be() -> None:
    """One in 370 by the normal distribution; what the binomial one has beyond the limits is computed beside it."""
    chance = np.random.default_rng(17)
    for parts, share in [(2000, 0.3), (500, 0.1), (400, 0.02)]:
        chart = chart_of(parts, chance.binomial(parts, share, 40_000).tolist(), rounds=0)
        deviation = (parts * share * (1 - share)) ** 0.5
        high, low = parts * share + 3 * deviation, parts * share - 3 * deviation
        exact = stats.binom.sf(np.floor(high), parts, share) + stats.binom.cdf(np.ceil(low) - 1, parts, share)
        alarms = len(outside(chart))
        assert abs(alarms - 40_000 * exact) < 5 * (40_000 * exact) ** 0.5
    assert 300 < 1 / (stats.binom.sf(661, 2000, 0.3) + stats.binom.cdf(538, 2000, 0.3)) < 450  # the first of them


@pytest.mark.parametrize("parts", [1, 3, 20, 120, 2000])
def test_charts_of_forty_samples_seldom_alarm(parts: int) -> None:
    """As the page draws them: the centre from the same samples, those outside left out of it."""
    chance = np.random.default_rng(parts)
    charts = [chart_of(parts, chance.binomial(parts, 0.02, 40).tolist()) for _ in range(1000)]
    assert sum(len(outside(chart)) for chart in charts) / 40_000 < 1 / 250


def laney(parts: np.ndarray, bad: np.ndarray) -> tuple[float, float]:
    """Centre and sigma of z, as Laney's paper has them."""
    center = bad.sum() / parts.sum()
    z = (bad / parts - center) / np.sqrt(center * (1 - center) / parts)
    return center, np.abs(np.diff(z)).mean() / 1.128


def test_large_samples_are_not_all_out_of_control() -> None:
    """A share that itself moves a little, by 0.3 % about 2 %: no change, and more than the binomial limits allow."""
    chance = np.random.default_rng(5)
    alarms = plain = 0
    for _ in range(100):
        parts = chance.integers(15_000, 25_000, 40)
        bad = chance.binomial(parts, np.clip(chance.normal(0.02, 0.003, 40), 0, 1))
        samples = [Sample(i, int(n), int(b)) for i, (n, b) in enumerate(zip(parts, bad, strict=True))]
        chart = p_chart(samples, rounds=0)
        center, spread = laney(parts, bad)
        assert (chart.center, chart.spread) == (pytest.approx(center), pytest.approx(spread)) and spread > 2
        reach = 3 * spread * np.sqrt(center * (1 - center) / parts)
        assert [point.upper for point in chart.points] == pytest.approx((center + reach).tolist())
        alarms += len(outside(p_chart(samples)))
        plain += int((np.abs(bad / parts - center) > reach / spread).sum())
    assert alarms / 4000 < 0.015 and plain / 4000 > 0.15


def test_chance_alone_widens_no_limits() -> None:
    chance = np.random.default_rng(9)
    charts = [chart_of(5000, chance.binomial(5000, 0.02, 40).tolist(), rounds=0) for _ in range(400)]
    widened = [chart for chart in charts if chart.spread != 1]
    assert len(widened) / 400 < 0.09 and all(1.2 < chart.spread < 2 for chart in widened)
    assert chart_of(300, [3, 60] * 20).spread == 1  # samples too small to look at
    assert chart_of(5000, [50, 900] * 4).spread == 1  # and too few of them


def test_a_change_shows_in_large_samples_too() -> None:
    chance = np.random.default_rng(2)
    bad = chance.binomial(20_000, np.clip(chance.normal(0.02, 0.003, 40), 0, 1)).tolist()
    bad[30] = 1500
    chart = chart_of(20_000, bad)
    assert 31 in outside(chart) and len(outside(chart)) <= 2
    assert abs(chart.center - 0.02) < 0.002


def test_nothing_is_a_chart_too() -> None:
    assert p_chart([]).points == ()
    assert p_chart([Sample(0, 0, 0)]).center == 0.0
    assert not outside(chart_of(10, [0] * 20)) and not outside(chart_of(10, [10] * 20))


@pytest.mark.parametrize("bad", [Sample(0, 5, 6), Sample(0, 5, -1)])
def test_impossible_counts_are_refused(bad: Sample) -> None:
    with pytest.raises(ValueError, match="between none and all"):
        p_chart([bad])


def test_nelsons_rules_are_an_option() -> None:
    bad = [50, 54, 46, 51] * 5 + [56] * 9
    assert outside(chart_of(500, bad)) == []
    chart = chart_of(500, bad, nelson=True)
    assert outside(chart)[-1] == 29 and 2 in chart.points[28].rules and 1 not in chart.points[28].rules
    few = chart_of(4, [0] * 30, nelson=True)  # samples without expectation: all of them are below the centre
    assert not outside(few)
    assert all(before.sample.start_ms < after.sample.start_ms for before, after in pairwise(chart.points))
