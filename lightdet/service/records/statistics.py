"""Counts over a time: how many were inspected, how many of them were bad, and with which defects.

Whole hours come from the counts per hour (`hours`), what is left at both ends from the rows themselves. Inspections by
a rule of the caller's own are left out of all of them but `overridden`. Those of one `model` (its name) are counted
from an index alone, as the counts per hour are over all models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, case, distinct, exists, func, literal, select

from lightdet.service.records.hours import HOUR_MS
from lightdet.service.records.span import Span
from lightdet.service.records.tables import OVERRIDDEN, class_hours, detections, hours, inspections


@dataclass(frozen=True)
class _Division:
    """A time as whole hours (numbers from `first` on, `end` outside; None: unbounded), and what is left of it."""

    first: int | None
    end: int | None
    rest: Sequence[Span]

    def within(self, table: Table) -> ColumnElement[bool]:
        """Return the condition on a table by the hour."""
        bounds = [table.c.hour >= self.first] if self.first is not None else []
        bounds += [table.c.hour < self.end] if self.end is not None else []
        return and_(literal(True), *bounds)


_NO_HOURS = (0, 0)


def _divide(span: Span, model: str | None) -> _Division:
    if model is not None:
        return _Division(*_NO_HOURS, [span])
    first = None if span.since_ms is None else -(-span.since_ms // HOUR_MS)
    end = None if span.until_ms is None else span.until_ms // HOUR_MS
    if first is not None and end is not None and first >= end:
        return _Division(*_NO_HOURS, [span])
    rest = []
    if first is not None and first * HOUR_MS != span.since_ms:
        rest.append(Span(span.since_ms, first * HOUR_MS))
    if end is not None and end * HOUR_MS != span.until_ms:
        rest.append(Span(end * HOUR_MS, span.until_ms))
    return _Division(first, end, rest)


def totals(connection: Connection, span: Span, model: str | None = None) -> tuple[int, int, int | None, int | None]:
    """Return how many were inspected and how many of them were NG, and the first and last time in ms."""
    division = _divide(span, model)
    of_hours = select(func.sum(hours.c.inspected), func.sum(hours.c.rejected)).where(division.within(hours))
    counts = [connection.execute(of_hours).one()]
    for rest in division.rest:
        counts.append(
            connection.execute(select(func.count(), func.sum(_is_bad())).where(_by_service(rest, model))).one()
        )
    inspected, rejected = (sum(int(each[place] or 0) for each in counts) for place in (0, 1))
    if not inspected:
        return 0, 0, None, None
    times = select(inspections.c.time_ms).where(_by_service(span, model)).limit(1)
    first = connection.execute(times.order_by(inspections.c.id)).scalar()
    return inspected, rejected, first, connection.execute(times.order_by(inspections.c.id.desc())).scalar()


def overridden(connection: Connection, span: Span, model: str | None = None) -> int:
    """Return how many were inspected by a rule of the caller's own."""
    query = select(func.count()).select_from(inspections).where(_within(span, model), OVERRIDDEN)
    return int(connection.execute(query).scalar() or 0)


def by_class(connection: Connection, span: Span, model: str | None = None) -> dict[str, tuple[int, int]]:
    """Return by class name: how many defects, in how many pictures."""
    division = _divide(span, model)
    of_hours = select(class_hours.c.name, func.sum(class_hours.c.defects), func.sum(class_hours.c.pictures))
    found: list[Any] = list(
        connection.execute(of_hours.where(division.within(class_hours)).group_by(class_hours.c.name))
    )
    for rest in division.rest:
        query = select(detections.c.name, func.count(), func.count(distinct(detections.c.inspection))).where(
            rest.condition(detections.c.inspection),
            detections.c.defect,
            detections.c.inspection.not_in(select(inspections.c.id).where(OVERRIDDEN)),
        )
        if model is not None:
            by_model = select(inspections.c.id).where(inspections.c.model == model)
            query = query.where(exists(by_model.where(inspections.c.id == detections.c.inspection)))
        found += connection.execute(query.group_by(detections.c.name))
    counts: dict[str, tuple[int, int]] = {}
    for name, defects, pictures in found:
        before = counts.get(name, (0, 0))
        counts[name] = (before[0] + int(defects), before[1] + int(pictures))
    return {name: both for name, both in counts.items() if any(both)}


def series(
    connection: Connection, span: Span, start_ms: int, width_ms: int, model: str | None = None
) -> list[tuple[int, int, int]]:
    """Return ``(bin, inspected, NG)`` for every bin with inspections; bin 0 begins at `start_ms`.

    Bins of whole hours, beginning at a whole hour, are quick over any time.
    """
    counts: Counter[int] = Counter()
    rejected: Counter[int] = Counter()
    whole = width_ms % HOUR_MS == 0 and start_ms % HOUR_MS == 0
    division = _divide(span, model) if whole else _Division(*_NO_HOURS, [span])
    number = (hours.c.hour * HOUR_MS - start_ms) // width_ms
    queries = [select(number.label("number"), hours.c.inspected, hours.c.rejected).where(division.within(hours))]
    for rest in division.rest:
        number = (inspections.c.time_ms - start_ms) // width_ms
        queries.append(select(number.label("number"), literal(1), _is_bad()).where(_by_service(rest, model)))
    for query in queries:
        # Numbered first: PostgreSQL does not see that two expressions with parameters are the same one.
        each = query.subquery()
        grouped = select(each.c[0], func.sum(each.c[1]), func.sum(each.c[2])).group_by(each.c[0])
        for index, inspected, bad in connection.execute(grouped):
            counts[int(index)] += int(inspected)
            rejected[int(index)] += int(bad)
    return [(index, counts[index], rejected[index]) for index in sorted(counts) if counts[index]]


def _by_service(span: Span, model: str | None) -> ColumnElement[bool]:
    return and_(_within(span, model), inspections.c.overridden.is_not(True))


def _within(span: Span, model: str | None) -> ColumnElement[bool]:
    within = span.condition(inspections.c.id)
    return within if model is None else and_(within, inspections.c.model == model)


def _is_bad() -> ColumnElement[int]:
    return case((inspections.c.decision == "NG", 1), else_=0)
