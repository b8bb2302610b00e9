"""Goes along the chain and finds every row that was changed, taken out, put in or moved."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from lightdet.service.inspection import iso_time
from lightdet.service.records.chain import KINDS, Link, canonical, read_end
from lightdet.service.records.database import Database
from lightdet.service.records.tables import detections, inspections, thumbnails

Picture = Callable[[str], bytes | None]
"""Gives a kept picture by its name; None: it is not there."""
_PAGE = 2000
_SHOWN = 20
_DELETED = "the last one deleted"


@dataclass
class Verdict:
    """What was found along the chain.

    Attributes:
        rows: how many were looked at.
        first: number of the first one; 0 where there is none.
        head: the last link.
        deleted: how many were deleted from the beginning, by retention.
        pictures: how many kept pictures were looked at.
        faults: how many faults there are.
        told: the first twenty of them, in words.
    """

    rows: int = 0
    first: int = 0
    head: Link = field(default_factory=lambda: Link(0, ""))
    deleted: int = 0
    pictures: int = 0
    faults: int = 0
    told: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        """Add a fault."""
        self.faults += 1
        if len(self.told) < _SHOWN:
            self.told.append(text)


def verify(
    database: Database,
    published: Iterable[Link] = (),
    progress: Callable[[int, int], None] = lambda *_: None,
    picture: Picture | None = None,
    until: Callable[[], str] = lambda: "",
) -> Verdict:
    """Go along the whole chain as it is now, page by page.

    Each page is a transaction of its own: one over all of them would keep SQLite from emptying its write-ahead log, and
    PostgreSQL from vacuuming, for minutes. Rows never change; what retention deletes meanwhile is passed over.

    Args:
        database: where the chain is.
        published: links that were written down elsewhere before; each must still be there, or be deleted by retention.
        progress: is told how many rows are done, of how many.
        picture: gives the kept pictures; None: they are not looked at.
        until: the id up to which retention has deleted pictures, by now.
    """
    with database.reading() as connection:
        anchor, head = read_end(connection, "anchor"), read_end(connection, "head")
    verdict = Verdict(head=head)
    waiting: dict[int, set[str]] = {}
    for link in published:  # of one number there are several, if the end was cut off and written on
        waiting.setdefault(link.seq, set()).add(link.hash)
    _compare(verdict, waiting, anchor, _DELETED if anchor.seq else "the beginning")
    before, last, start, total = anchor, None, anchor.seq, head.seq - anchor.seq
    while start < head.seq:
        with database.reading() as connection:
            now = read_end(connection, "anchor")
            if now.seq > before.seq:  # deleted meanwhile
                anchor = before = now
                last, start = None, max(start, now.seq)
                _compare(verdict, waiting, anchor, _DELETED)
            page = _page(connection, start, min(start + _PAGE, head.seq))
        for kind, row, digest in page:
            verdict.rows += 1
            verdict.first = verdict.first or row["seq"]
            _check(verdict, before, last, kind, row, digest)
            if picture is not None and row.get("original"):
                _check_picture(verdict, picture, until, row)
            before, last = Link(row["seq"], row["hash"]), _name(kind, row)
            _compare(verdict, waiting, before, last)
        start += _PAGE
        progress(min(start, head.seq) - head.seq + total, total)
    if before != head and before.seq <= head.seq:
        verdict.fault(f"the end is missing: the last row is {before.seq}, but {head.seq} were written")
    for seq in sorted(seq for seq in waiting if seq > head.seq):
        verdict.fault(f"row {seq} was published, but the chain ends at {head.seq}: the end was cut off")
    with database.reading() as connection:
        _find_strays(connection, verdict)
    verdict.deleted = anchor.seq
    return verdict


def _compare(verdict: Verdict, waiting: dict[int, set[str]], link: Link, name: str) -> None:
    """Compare a link with all that were published with its number."""
    if waiting.pop(link.seq, {link.hash}) != {link.hash}:
        verdict.fault(f"row {link.seq} ({name}) is not the one that was published: the chain was made anew")


def _check(verdict: Verdict, before: Link, last: str | None, kind: str, row: Mapping[str, Any], digest: str) -> None:
    where = f"row {row['seq']} ({_name(kind, row)})"
    if row["seq"] > before.seq + 1:
        count = row["seq"] - before.seq - 1
        missing = f"row {before.seq + 1} is" if count == 1 else f"rows {before.seq + 1} to {row['seq'] - 1} are"
        verdict.fault(f"{missing} missing, between {last or 'the beginning'} and {_name(kind, row)}")
    elif row["seq"] == before.seq:
        verdict.fault(f"{where}: there are two rows of this number")
    elif row["previous"] != before.hash:
        verdict.fault(f"{where} does not follow the row before it: one of them was put in, moved or replaced")
    if row["hash"] != digest:
        verdict.fault(f"{where} was changed")


def _check_picture(verdict: Verdict, picture: Picture, until: Callable[[], str], row: Mapping[str, Any]) -> None:
    what = f"row {row['seq']} ({_name('inspection', row)}): its picture {row['original']}"
    try:
        data = picture(row["original"])
    except ValueError:
        verdict.fault(f"{what} has a name that no picture is given")
    except OSError as error:
        verdict.fault(f"{what} cannot be read: {error.strerror or error}")
    else:
        verdict.pictures += data is not None
        if data is None and row["id"] > until():
            verdict.fault(f"{what} is missing")
        elif data is not None and hashlib.sha256(data).hexdigest() != row["sha256"]:
            verdict.fault(f"{what} was changed")


def _name(kind: str, row: Mapping[str, Any]) -> str:
    return f"{kind} {row['id']} of {iso_time(row['time_ms'])}"


def _page(connection: Connection, after: int, until: int) -> list[tuple[str, Mapping[str, Any], str]]:
    """Return kind, row and the hash that it should have, by their numbers."""
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for kind, table in KINDS.items():
        query = select(table).where(table.c.seq > after, table.c.seq <= until)
        rows += [(kind, dict(row)) for row in connection.execute(query).mappings()]
    rows.sort(key=lambda each: (each[1]["seq"], each[0]))
    found, small = _belongings(connection, after, until)
    page = []
    for kind, row in rows:
        mine = kind == "inspection"
        data = canonical(
            kind, row["seq"], row["previous"], row,
            found.get(row["id"], ()) if mine else (), small.get(row["id"]) if mine else None,
        )  # fmt: skip
        page.append((kind, row, hashlib.sha256(data).hexdigest()))
    return page


def _belongings(
    connection: Connection, after: int, until: int
) -> tuple[dict[str, list[Mapping[str, Any]]], dict[str, bytes]]:
    """The detections and small pictures of a page's inspections, by id."""
    ids = select(inspections.c.id).where(inspections.c.seq > after, inspections.c.seq <= until)
    found: dict[str, list[Mapping[str, Any]]] = {}
    query = select(detections).where(detections.c.inspection.in_(ids)).order_by(detections.c.inspection)
    for row in connection.execute(query.order_by(detections.c.place)).mappings():
        found.setdefault(row["inspection"], []).append(dict(row))
    query_small = select(thumbnails).where(thumbnails.c.inspection.in_(ids))
    return found, {row.inspection: bytes(row.jpeg) for row in connection.execute(query_small)}


def _find_strays(connection: Connection, verdict: Verdict) -> None:
    """Rows that the walk did not see: without a number, or with one outside of the chain."""
    anchor, head = read_end(connection, "anchor"), read_end(connection, "head")
    for kind, table in KINDS.items():
        outside = table.c.seq.is_(None) | (table.c.seq <= anchor.seq) | (table.c.seq > head.seq)
        count, first = connection.execute(select(func.count(), func.min(table.c.id)).where(outside)).one()
        if count:
            verdict.fault(
                f"{count} rows of kind {kind} are not in the chain, the first of them {first}: they were put in"
            )
