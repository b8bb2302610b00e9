"""The samples of the chart: whole ones alone, each part counted once."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lightdet.service.records.span import Span
from lightdet.service.samples import WIDTHS, read_samples, sample_width

HOUR = 3_600_000
START = 1_767_268_800_000


class Times:
    """A store of parts of which only the times are known; every third one is bad."""

    def __init__(self, times: list[int]) -> None:
        self.times = times

    def within(self, span: Span) -> list[int]:
        until = float("inf") if span.until_ms is None else span.until_ms
        return [time for time in self.times if (span.since_ms or 0) <= time < until]

    def totals(self, span: Span, model: str | None = None) -> tuple[int, int, int | None, int | None]:
        found = self.within(span)
        return len(found), sum(time % 3 == 0 for time in found), min(found, default=None), max(found, default=None)

    def series(self, span: Span, start_ms: int, width_ms: int, model: str | None = None) -> list[tuple[int, int, int]]:
        found = self.within(span)
        inspected = Counter((time - start_ms) // width_ms for time in found)
        bad = Counter((time - start_ms) // width_ms for time in found if time % 3 == 0)
        return [(index, inspected[index], bad[index]) for index in sorted(inspected)]


@given(st.integers(1, 10**13), st.integers(1, 500))
def test_samples_are_few_and_no_wider_than_needed(span: int, most: int) -> None:
    width = sample_width(span, most)
    assert width * most >= span
    narrower = [w for w in WIDTHS if w < width]
    assert all(w * most < span for w in narrower)


@given(st.data())
def test_only_whole_samples_and_every_part_once(data: st.DataObject) -> None:
    reach = data.draw(st.sampled_from([5_000, HOUR, 10 * HOUR, 24 * 7 * HOUR, 24 * 400 * HOUR]))
    offsets = data.draw(st.lists(st.integers(0, reach), min_size=1, max_size=60))
    store: Any = Times([START + offset for offset in offsets])
    since = data.draw(st.none() | st.integers(START - HOUR, START + reach // 2))
    until = data.draw(st.none() | st.integers(START + reach // 2 + 1, START + 2 * reach))
    now = START + data.draw(st.integers(0, 2 * reach))
    most = data.draw(st.integers(1, 60))
    span = Span(since, until)
    _, _, first, last = store.totals(span)
    if first is None or last is None:
        return
    found = read_samples(store, span, first, last, now, most)
    assert len(found.whole) <= most
    over = min(until or 10**18, max(now, last + 1))
    for sample in found.whole:
        assert sample.start_ms >= (since or 0) and sample.start_ms + found.width_ms <= over
        mine = store.totals(Span(sample.start_ms, sample.start_ms + found.width_ms))
        assert (sample.inspected, sample.rejected) == mine[:2] and sample.inspected
    if found.unfinished is not None:
        assert found.unfinished.start_ms + found.width_ms > over
        assert all(sample.start_ms < found.unfinished.start_ms for sample in found.whole)
    shown = sum(sample.inspected for sample in found.whole) + (found.unfinished.inspected if found.unfinished else 0)
    before_the_hour = [t for t in store.within(span) if since is not None and t < -(-since // HOUR) * HOUR]
    assert shown == len(store.within(span)) - (len(before_the_hour) if found.width_ms % HOUR == 0 else 0)


@given(st.integers(1, 40 * 365), st.integers(0, 24 * HOUR), st.integers(1, 3), st.booleans())
def test_years_in_one_sample_take_no_search(days: int, more: int, most: int, asked: bool) -> None:
    """Samples without a begin follow each other from 1970: hardly any width has all records in one of them."""
    last = START + days * 24 * HOUR + more
    store: Any = Times([START, last])
    found = read_samples(store, Span(START if asked else None), START, last, last + 1, most)
    assert 1 <= len(found.whole) + (found.unfinished is not None) <= most + 1
    assert found.width_ms % HOUR == 0 or found.width_ms in WIDTHS


def test_a_sample_that_has_just_begun_is_on_no_chart() -> None:
    """Seven days in pieces of twelve hours; the last minute is two parts, both of them bad."""
    week = 7 * 24 * HOUR
    times = list(range(START, START + week, 60_000))
    store: Any = Times([*times, START + week + 3, START + week + 30_000])
    found = read_samples(store, Span(START), START, START + week + 30_000, START + week + 60_000, 40)
    assert found.width_ms == 12 * HOUR and [sample.inspected for sample in found.whole] == [720] * 14
    assert found.unfinished is not None and (found.unfinished.inspected, found.unfinished.start_ms) == (2, START + week)
