"""Upgrades the tables of earlier versions, one step per number, within the caller's transaction."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, bindparam, func, inspect, select, update

from lightdet.service.records.chain import Chain, begin_chain, move_end, read_end
from lightdet.service.records.hours import count
from lightdet.service.records.tables import SCHEMA, about, detections, inspections, metadata, model_changes, thumbnails
from lightdet.service.records.text_index import index_texts, make_text_index

log = logging.getLogger("lightdet.service")

_PAGE = 1000


Step: TypeAlias = Callable[[Connection], None]


def _add(table: str, *columns: str) -> Step:
    """Add columns, but those that are there: a table that the old version did not have is made with all of them."""

    def step(connection: Connection) -> None:
        there = {column["name"] for column in inspect(connection).get_columns(table)}
        for column in columns:
            if column.split()[0] not in there:
                connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column}")

    return step


def _drop_index(name: str) -> Step:
    """Drop an index that another one takes the place of."""

    def step(connection: Connection) -> None:
        connection.exec_driver_sql(f"DROP INDEX IF EXISTS {name}")

    return step


def _chain_rows(connection: Connection) -> None:
    """Give every row its place in the chain, in the order of time: from now on none of them can change unseen."""
    begin_chain(connection)
    chain = Chain(read_end(connection, "head"))
    total = connection.execute(select(func.count()).select_from(inspections)).scalar() or 0
    changes = deque(
        dict(row) for row in connection.execute(select(model_changes).order_by(model_changes.c.id)).mappings()
    )
    done, after = 0, ""
    while page := _page_of(connection, after):
        linked: list[dict[str, Any]] = []
        for row, found, small in page:
            while changes and changes[0]["id"] < row["id"]:
                _link(connection, chain, model_changes, "model", changes.popleft())
            chain.extend("inspection", row, found, small)
            linked.append(row)
        _write_links(connection, inspections, linked)
        index_texts(connection, linked)
        count(connection, linked, [each for _, found, _ in page for each in found])
        done, after = done + len(page), linked[-1]["id"]
        if done % (100 * _PAGE) == 0:
            log.info("%d of %d records are migrated", done, total)
    for change in changes:
        _link(connection, chain, model_changes, "model", change)
    move_end(connection, "head", chain.head)


def _page_of(connection: Connection, after: str) -> Sequence[tuple[dict[str, Any], list[Any], bytes | None]]:
    """The inspections that come next, each with its detections and small picture."""
    query = select(inspections).where(inspections.c.id > after).order_by(inspections.c.id).limit(_PAGE)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    if not rows:
        return []
    within = (rows[0]["id"], rows[-1]["id"])
    found: dict[str, list[Any]] = {}
    of_page = select(detections).where(detections.c.inspection.between(*within))
    for each in connection.execute(of_page.order_by(detections.c.inspection, detections.c.place)).mappings():
        found.setdefault(each["inspection"], []).append(each)
    pictures = connection.execute(select(thumbnails).where(thumbnails.c.inspection.between(*within)))
    small = {each.inspection: bytes(each.jpeg) for each in pictures}
    return [(row, found.get(row["id"], []), small.get(row["id"])) for row in rows]


def _link(connection: Connection, chain: Chain, table: Table, kind: str, row: dict[str, Any]) -> None:
    chain.extend(kind, row)
    _write_links(connection, table, [row])


def _write_links(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    links: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("seq", "previous", "hash")}
    values = [{"key": row["id"]} | {f"new_{name}": row[name] for name in links} for row in rows]
    connection.execute(update(table).where(table.c.id == bindparam("key")).values(links), values)


_PICTURES = ("original VARCHAR(80)", "not_kept VARCHAR(100)")
_LINKS = ("seq BIGINT", "previous VARCHAR(64)", "hash VARCHAR(64)")
_STEPS: dict[int, tuple[Step, ...]] = {
    1: (_add("inspections", "overridden BOOLEAN"),),
    2: (),  # a new table alone, which is there already
    3: (
        _add(
            "inspections", "model_sha256 VARCHAR(64)", "key_name VARCHAR(64)", "role VARCHAR(16)",
            "station VARCHAR(100)", "order_number VARCHAR(100)", "software VARCHAR(64)",
        ),
        _drop_index("inspections_sha256"),
    ),
    4: (
        _add("inspections", *_LINKS, *_PICTURES),  # rows are read as they are now
        _add("model_changes", *_LINKS),
        make_text_index,
        _chain_rows,
    ),
    5: (_add("inspections", *_PICTURES),),
    6: (_add("corrections", "boxes TEXT"),),
    7: (_drop_index("inspections_by_model"),),
}  # fmt: skip
"""By the number that the tables have: what brings them to the next one."""


def stored_version(connection: Connection) -> int | None:
    """Return the tables' number; None if they are new."""
    version: int | None = connection.execute(select(about.c.schema_version)).scalar()
    return version


def is_current(connection: Connection) -> bool:
    """Whether every table is there, and of this version."""
    there = set(inspect(connection).get_table_names())
    return there >= set(metadata.tables) and stored_version(connection) == SCHEMA


def migrate(connection: Connection) -> int | None:
    """Bring the tables to `SCHEMA`, under the caller's lock.

    Returns their number afterwards: another one than `SCHEMA` if there is no further step.
    """
    version = stored_version(connection)
    while version in _STEPS and version != SCHEMA:
        for step in _STEPS[version]:
            step(connection)
        version += 1
        connection.execute(update(about).values(schema_version=version))
    if version == SCHEMA:
        for table in metadata.tables.values():
            for index in table.indexes:
                index.create(connection, checkfirst=True)
    return version
