"""Counts over a time: how many were inspected, how many of them were bad, and of what.

Inspections by a rule of the caller's own are left out of all of them but `overridden`.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, case, distinct, func, select

from lightdet.service.records.span import Span
from lightdet.service.records.tables import OVERRIDDEN, detections, inspections


def totals(connection: Connection, span: Span) -> tuple[int, int, int | None, int | None]:
    """Return how many were inspected and how many of them were NG, and the first and last time in ms."""
    bad = func.coalesce(func.sum(_is_bad()), 0)
    query = select(func.count(), bad, func.min(inspections.c.time_ms), func.max(inspections.c.time_ms))
    count, rejected, first, last = connection.execute(query.where(_by_service(span))).one()
    return int(count), int(rejected), first, last


def overridden(connection: Connection, span: Span) -> int:
    """Return how many were inspected by a rule of the caller's own."""
    query = select(func.count()).select_from(inspections).where(span.condition(inspections.c.id), OVERRIDDEN)
    return int(connection.execute(query).scalar() or 0)


def by_class(connection: Connection, span: Span) -> dict[str, tuple[int, int]]:
    """Return by class name: how many defects, in how many pictures."""
    query = (
        select(detections.c.name, func.count(), func.count(distinct(detections.c.inspection)))
        .where(
            span.condition(detections.c.inspection),
            detections.c.defect,
            detections.c.inspection.not_in(select(inspections.c.id).where(OVERRIDDEN)),
        )
        .group_by(detections.c.name)
    )
    return {name: (int(count), int(pictures)) for name, count, pictures in connection.execute(query)}


def series(connection: Connection, span: Span, start_ms: int, width_ms: int) -> list[tuple[int, int, int]]:
    """Return ``(bin, inspected, NG)`` for every bin with inspections; bin 0 begins at `start_ms`."""
    number = ((inspections.c.time_ms - start_ms) // width_ms).label("number")
    # Numbered first: PostgreSQL does not see that two expressions with parameters are the same one.
    each = select(number, _is_bad().label("bad")).where(_by_service(span)).subquery()
    query = select(each.c.number, func.count(), func.sum(each.c.bad)).group_by(each.c.number)
    rows = connection.execute(query.order_by(each.c.number))
    return [(int(index), int(count), int(bad)) for index, count, bad in rows]


def _by_service(span: Span) -> ColumnElement[bool]:
    return and_(span.condition(inspections.c.id), inspections.c.overridden.is_not(True))


def _is_bad() -> ColumnElement[int]:
    return case((inspections.c.decision == "NG", 1), else_=0)
