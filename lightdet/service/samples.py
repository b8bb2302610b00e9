"""The samples of the p-chart: time cut into pieces of one width, of which only the whole ones are on the chart.

A piece that has only begun, or that the asked time cuts off, holds a handful of parts: one bad part among three looks
like a catastrophe.
"""

from __future__ import annotations

from dataclasses import dataclass

from lightdet.service.control_chart import Sample
from lightdet.service.records.hours import HOUR_MS
from lightdet.service.records.span import Span
from lightdet.service.records.store import Store

WIDTHS = tuple(
    seconds * 1000
    for seconds in (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 7 * 86400, 28 * 86400, 364 * 86400)
)
"""Sample widths in milliseconds that are easy to read."""


@dataclass(frozen=True)
class Samples:
    """The samples of a time.

    Attributes:
        width_ms: how long each of them is.
        whole: those that are over, with parts, in the order of time.
        unfinished: the last one where it is not over; None where it has no parts.
    """

    width_ms: int
    whole: tuple[Sample, ...]
    unfinished: Sample | None


def sample_width(span_ms: int, most: int) -> int:
    """Return the smallest width that cuts a span of time into at most `most` samples, in milliseconds.

    Wider ones than in `WIDTHS` are multiples of the last: a few steps from one to the next reach any span.
    """
    return next((width for width in WIDTHS if width * most >= span_ms), -(-span_ms // (most * WIDTHS[-1])) * WIDTHS[-1])


def read_samples(
    store: Store, span: Span, first_ms: int, last_ms: int, now_ms: int, most: int, model: str | None = None
) -> Samples:
    """Count the records of a time into at most `most` samples, from the first record of this time to the last.

    Args:
        store: where they are.
        span: the time that was asked for.
        first_ms, last_ms: times of the first and the last record in it.
        now_ms: a sample that ends later is not over; records from the future push it ahead.
        most: how many samples.
        model: name of the model whose records are counted; None: all.
    """
    width = sample_width(last_ms + 1 - first_ms, most)
    while (last_ms - _start(span, first_ms, width)) // width >= most:
        width = sample_width(width * most + 1, most)
    start = _start(span, first_ms, width)
    over = max(now_ms, last_ms + 1)
    if span.until_ms is not None:
        over = min(over, span.until_ms)
    begun = (last_ms - start) // width + 1
    count = max(0, min(begun, (over - start) // width))
    end = start + count * width
    whole = [Sample(start + i * width, *counts) for i, *counts in store.series(Span(start, end), start, width, model)]
    unfinished = None
    if begun > count:
        inspected, rejected, _, _ = store.totals(Span(end, span.until_ms), model)
        unfinished = Sample(end, inspected, rejected)
    return Samples(width, tuple(whole), unfinished)


def _start(span: Span, first_ms: int, width: int) -> int:
    """Where the first sample begins: they follow each other from the begin of the asked time, or from 1970.

    Samples of whole hours begin at whole hours, which are counted already; what lies before the first is on no sample.
    """
    since = span.since_ms or 0
    if width % HOUR_MS == 0:
        since = -(-since // HOUR_MS) * HOUR_MS
    return since + max(0, first_ms - since) // width * width
