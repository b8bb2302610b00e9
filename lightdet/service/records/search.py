"""Finding inspections: every filter has an index, and a search without a hit ends as soon as one filter has none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, Select, Subquery, and_, exists, func, not_, select
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from lightdet.service.records.chain import Link, read_end
from lightdet.service.records.rows import inspection_dict
from lightdet.service.records.span import Span
from lightdet.service.records.tables import OVERRIDDEN, REJECTED, corrections, detections, inspections, thumbnails
from lightdet.service.records.text_index import contains, holds_text, ids_with_text

_PAGE = 1000
"""Rows read at a time by `export`."""
_FIRST_STEP, _LAST_STEP = 2000, 64_000
"""Ids looked at at a time by `history`; the steps grow."""


@dataclass(frozen=True)
class Wanted:
    """What to search for; None and "" do not filter.

    Attributes:
        decision: OK, NG, or ``none``: a line gave no verdict, which is recorded as NG by the rule ``{"none": reason}``.
        defect: name of a class: inspections with a defect of this class.
        model: name of a model, or its version (12 hexadecimal digits), or its whole SHA-256.
        station: where the picture was taken.
        order: batch or order number.
        sha256: of the picture's bytes, whole.
        text: a part of the name, the station or the order number; upper and lower case are the same.
        name: a part of only the name.
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


_Ids: TypeAlias = Select[tuple[str]]


_Columns: TypeAlias = ReadOnlyColumnCollection[str, Any]


@dataclass(frozen=True)
class _Filter:
    """One thing to look for: the condition on an inspection, and where an index helps, the ids that (may) meet it."""

    condition: Callable[[_Columns], ColumnElement[bool]]
    ids: Callable[[], _Ids | None] = lambda: None


def history(
    connection: Connection, span: Span, wanted: Wanted, *, limit: int, before: str | None = None
) -> list[dict[str, Any]]:
    """Return the wanted inspections of a time, the latest first, with their detections; only those older than `before`.

    The latest inspections are searched first: common matches are among them. For the rest, the filter that the fewest
    inspections meet decides which are read; if a filter has no match at all, none is.
    """
    filters = _filters(connection, wanted)
    found: list[Row[Any]] = []
    ids = select(inspections.c.id)
    step = _FIRST_STEP
    while True:
        some = _latest(ids, span, before, step)
        before, count = _end_of(connection, some)
        if before is None:
            break
        rows = _rows_of(connection, some)
        query = select(rows).where(*(each.condition(rows.c) for each in filters))
        found += connection.execute(query.order_by(rows.c.id.desc()).limit(limit - len(found))).all()
        if len(found) == limit or count < step:
            break
        if step == _FIRST_STEP:
            ids = _rarest(connection, ids, filters, span, before)
        step = min(4 * step, _LAST_STEP)
    return with_belongings(connection, found)


def written(connection: Connection, after: int | None, span: Span, *, limit: int) -> tuple[list[dict[str, Any]], Link]:
    """Return the inspections whose number in the chain is higher than `after`, and the chain's last link.

    If `after` is None, those of the time. The oldest come first; of more than `limit`, they are left out.
    """
    head = read_end(connection, "head")
    if after is None:
        query = select(inspections).where(span.condition(inspections.c.id)).order_by(inspections.c.id.desc())
    else:
        query = select(inspections).where(inspections.c.seq > after).order_by(inspections.c.seq.desc())
    rows = connection.execute(query.limit(limit)).all()
    return with_belongings(connection, sorted(rows, key=lambda row: row.id)), head


def _rarest(connection: Connection, everything: _Ids, filters: Sequence[_Filter], span: Span, before: str) -> _Ids:
    """Return the ids of the filter that fewest inspections meet; all ids where no filter has an index."""
    best, fewest = everything, _FIRST_STEP + 1
    for each in filters:
        ids = each.ids()
        if ids is not None:
            _, count = _end_of(connection, _latest(ids, span, before, _FIRST_STEP))
            if count < fewest:
                best, fewest = ids, count
    return best


def _latest(ids: _Ids, span: Span, before: str | None, most: int) -> _Ids:
    """Return the latest of these ids within a time."""
    column = ids.selected_columns[0]
    within = ids.where(span.condition(column)).order_by(column.desc()).limit(most)
    return within if before is None else within.where(column < before)


def _rows_of(connection: Connection, ids: _Ids) -> Subquery:
    """Return the inspections of these ids.

    PostgreSQL would begin with a condition on them, which may hold for millions of rows; an offset of 0 keeps it from
    that. SQLite begins with the ids, and would make a table of them all for an offset.
    """
    if connection.dialect.name == "sqlite":
        return select(inspections).where(inspections.c.id.in_(ids)).subquery()
    page = ids.subquery()
    rows = select(inspections).join(page, page.c[0] == inspections.c.id).order_by(page.c[0].desc())
    return rows.offset(0).subquery()


def _end_of(connection: Connection, ids: _Ids) -> tuple[str | None, int]:
    """Return the last of these ids (None: there is none), and how many there are."""
    each = ids.subquery()
    last, count = connection.execute(select(func.min(each.c[0]), func.count())).one()
    return last, int(count)


def _filters(connection: Connection, wanted: Wanted) -> list[_Filter]:
    equal = {"station": wanted.station, "order_number": wanted.order, "sha256": wanted.sha256}
    found = [_equal(name, value) for name, value in equal.items() if value]
    if wanted.decision is not None:
        found.append(_decided(wanted.decision))
    if wanted.model:
        found.append(_of_model(wanted.model))
    if wanted.defect is not None:
        of_class = and_(detections.c.name == wanted.defect, detections.c.defect)
        places = select(detections.c.place).where(of_class)
        found.append(
            _Filter(
                lambda c: exists(places.where(detections.c.inspection == c["id"]).offset(0)),
                lambda: select(detections.c.inspection).where(of_class).distinct(),
            )
        )
    if text := wanted.text:
        found.append(_Filter(lambda c: holds_text(connection, c, text), lambda: ids_with_text(connection, text)))
    if name := wanted.name:
        found.append(_Filter(lambda c: contains(connection, c["name"], name)))
    return found


def _equal(name: str, value: str) -> _Filter:
    return _Filter(lambda c: c[name] == value, lambda: select(inspections.c.id).where(inspections.c[name] == value))


def _decided(decision: str) -> _Filter:
    if decision == "OK":
        return _Filter(lambda c: c["decision"] == "OK")
    if decision == "NG":
        return _Filter(
            lambda c: and_(c["decision"] == "NG", not_(_without_verdict(c))),
            lambda: select(inspections.c.id).where(REJECTED),
        )
    return _Filter(_without_verdict, lambda: select(inspections.c.id).where(OVERRIDDEN))


def _without_verdict(c: _Columns) -> ColumnElement[bool]:
    return and_(c["overridden"].is_(True), c["rule"].startswith('{"none":'))


def _of_model(model: str) -> _Filter:
    if re.fullmatch("[0-9a-f]{64}", model):
        by_version = _equal("version", model[:12])
        return _Filter(lambda c: and_(by_version.condition(c), c["model_sha256"] == model), by_version.ids)
    return _equal("version" if re.fullmatch("[0-9a-f]{12}", model) else "model", model)


def one(connection: Connection, identity: str) -> dict[str, Any] | None:
    """Return one inspection with its detections; None where there is none."""
    rows = connection.execute(select(inspections).where(inspections.c.id == identity)).all()
    found = with_belongings(connection, rows)
    return found[0] if found else None


def thumbnail(connection: Connection, identity: str) -> bytes | None:
    """Return an inspection's small picture; None where there is none."""
    jpeg = connection.execute(select(thumbnails.c.jpeg).where(thumbnails.c.inspection == identity)).scalar()
    return None if jpeg is None else bytes(jpeg)


def export(
    looking: Callable[[], AbstractContextManager[Connection]], span: Span, model: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield every inspection of a time with its detections, the oldest first; reads page by page, by `looking`.

    With `model`, those by the model of this name.
    """
    after = ""
    while True:
        query = select(inspections).where(span.condition(inspections.c.id), inspections.c.id > after)
        if model is not None:
            query = query.where(inspections.c.model == model)
        with looking() as connection:
            rows = connection.execute(query.order_by(inspections.c.id).limit(_PAGE)).all()
            page = with_belongings(connection, rows)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]["id"]


def with_belongings(connection: Connection, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """Return inspections as plain values, with all that belongs to them, from their rows."""
    found: dict[str, list[Row[Any]]] = {row.id: [] for row in rows}
    if found:
        query = select(detections).where(detections.c.inspection.in_(found))
        for each in connection.execute(query.order_by(detections.c.inspection, detections.c.place)):
            found[each.inspection].append(each)
    said: dict[str, list[Row[Any]]] = {row.id: [] for row in rows}
    if said:
        query = select(corrections).where(corrections.c.inspection.in_(said)).order_by(corrections.c.id)
        for each in connection.execute(query):
            said[each.inspection].append(each)
    return [inspection_dict(row, found[row.id], said[row.id]) for row in rows]
