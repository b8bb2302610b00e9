"""Finding inspections: every filter has an index, and a search without a hit ends as soon as one filter has none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, and_, exists, func, or_, select

from lightdet.service.records.rows import inspection_dict
from lightdet.service.records.span import Span
from lightdet.service.records.tables import REJECTED, detections, inspections, thumbnails

_PAGE = 1000
"""Rows read at a time by `export`."""
_FIRST_STEP, _LAST_STEP = 2000, 64_000
"""Ids looked at at a time by `history`; the steps grow."""


@dataclass(frozen=True)
class Wanted:
    """What to look for; None and "" look for nothing.

    Attributes:
        decision: OK or NG.
        defect: name of a class; those with a defect of it.
        model: name of a model, or its version (12 hexadecimal digits), or its whole SHA-256.
        station: where the picture was taken.
        order: batch or order number.
        sha256: of the picture's bytes, whole.
        text: a part of the name, the station or the order number; upper and lower case are the same.
        name: a part of the name alone.
    """

    decision: str | None = None
    defect: str | None = None
    model: str | None = None
    station: str | None = None
    order: str | None = None
    sha256: str | None = None
    text: str | None = None
    name: str | None = None


ANYTHING = Wanted()


@dataclass(frozen=True)
class _Filter:
    """One thing to look for: the condition on an inspection, and an index's ids that meet it, the latest first."""

    condition: ColumnElement[bool]
    ids: Select[tuple[str]] | None = None


def history(
    connection: Connection, span: Span, wanted: Wanted, *, limit: int, before: str | None = None
) -> list[dict[str, Any]]:
    """Return what is wanted of a time, the latest first, each with its detections; only what is older than `before`.

    The latest inspections are looked through first: what is common is among them. For the rest, the filter that fewest
    inspections meet says which are looked at, and where a filter has none at all, nothing is.
    """
    filters = _filters(wanted)
    conditions = [each.condition for each in filters]
    found: list[Row[Any]] = []
    ids = _all_ids(span, before)
    step = _FIRST_STEP
    while True:
        last, count = _end_of(connection, ids.limit(step))
        if last is None:
            break
        query = select(inspections).where(inspections.c.id.in_(ids.limit(step)), *conditions)
        found += connection.execute(query.order_by(inspections.c.id.desc()).limit(limit - len(found))).all()
        if len(found) == limit or count < step:
            break
        ids, step = _rarest(connection, filters, span, last), min(4 * step, _LAST_STEP)
    return with_detections(connection, found)


def _rarest(connection: Connection, filters: Sequence[_Filter], span: Span, before: str) -> Select[tuple[str]]:
    """Return the ids of the filter that fewest inspections meet; all ids where no filter has an index."""
    best, fewest = _all_ids(span, before), _FIRST_STEP + 1
    for each in filters:
        if each.ids is not None:
            ids = _within(each.ids, span, before)
            _, count = _end_of(connection, ids.limit(_FIRST_STEP))
            if count < fewest:
                best, fewest = ids, count
    return best


def _all_ids(span: Span, before: str | None) -> Select[tuple[str]]:
    return _within(select(inspections.c.id), span, before)


def _within(ids: Select[tuple[str]], span: Span, before: str | None) -> Select[tuple[str]]:
    column = ids.selected_columns[0]
    within = ids.where(span.condition(column)).order_by(column.desc())
    return within if before is None else within.where(column < before)


def _end_of(connection: Connection, ids: Select[tuple[str]]) -> tuple[str | None, int]:
    """Return the last of these ids (None: there is none), and how many there are."""
    each = ids.subquery()
    last, count = connection.execute(select(func.min(each.c[0]), func.count())).one()
    return last, int(count)


def _filters(wanted: Wanted) -> list[_Filter]:
    column = inspections.c
    equal = {column.station: wanted.station, column.order_number: wanted.order, column.sha256: wanted.sha256}
    found = [_equal(each, value) for each, value in equal.items() if value]
    if wanted.decision == "NG":
        found.append(_Filter(REJECTED, select(column.id).where(REJECTED)))
    elif wanted.decision is not None:
        found.append(_Filter(column.decision == wanted.decision))
    if wanted.model:
        found.append(_of_model(wanted.model))
    if wanted.defect is not None:
        of_class = and_(detections.c.name == wanted.defect, detections.c.defect)
        there = exists().where(detections.c.inspection == column.id, of_class)
        found.append(_Filter(there, select(detections.c.inspection).where(of_class).distinct()))
    if wanted.text:
        parts = (column.name, column.station, column.order_number)
        found.append(_Filter(or_(*(part.icontains(wanted.text, autoescape=True) for part in parts))))
    if wanted.name:
        found.append(_Filter(column.name.icontains(wanted.name, autoescape=True)))
    return found


def _equal(column: ColumnElement[str], value: str) -> _Filter:
    return _Filter(column == value, select(inspections.c.id).where(column == value))


def _of_model(model: str) -> _Filter:
    if re.fullmatch("[0-9a-f]{64}", model):
        whole = and_(inspections.c.version == model[:12], inspections.c.model_sha256 == model)
        return _Filter(whole, select(inspections.c.id).where(inspections.c.version == model[:12]))
    if re.fullmatch("[0-9a-f]{12}", model):
        return _equal(inspections.c.version, model)
    return _equal(inspections.c.model, model)


def one(connection: Connection, identity: str) -> dict[str, Any] | None:
    """Return one inspection with its detections; None where there is none."""
    rows = connection.execute(select(inspections).where(inspections.c.id == identity)).all()
    found = with_detections(connection, rows)
    return found[0] if found else None


def thumbnail(connection: Connection, identity: str) -> bytes | None:
    """Return an inspection's small picture; None where there is none."""
    jpeg = connection.execute(select(thumbnails.c.jpeg).where(thumbnails.c.inspection == identity)).scalar()
    return None if jpeg is None else bytes(jpeg)


def export(engine: Engine, span: Span) -> Iterator[dict[str, Any]]:
    """Yield every inspection of a time with its detections, the oldest first; reads page by page."""
    after = ""
    while True:
        query = select(inspections).where(span.condition(inspections.c.id), inspections.c.id > after)
        with engine.connect() as connection:
            rows = connection.execute(query.order_by(inspections.c.id).limit(_PAGE)).all()
            page = with_detections(connection, rows)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]["id"]


def with_detections(connection: Connection, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """Return inspections as plain values from their rows."""
    found: dict[str, list[Row[Any]]] = {row.id: [] for row in rows}
    if found:
        query = select(detections).where(detections.c.inspection.in_(found))
        for each in connection.execute(query.order_by(detections.c.inspection, detections.c.place)):
            found[each.inspection].append(each)
    return [inspection_dict(row, found[row.id]) for row in rows]
