"""The chain of records: each row holds the hash of the row before, so that no row can change unseen.

The hash of a row is the SHA-256 of these bytes: the JSON array ``[1, kind, seq, previous, fields]`` with keys in
alphabetical order, no spaces, and ``\\u`` escapes for all that is not ASCII. ``kind`` is ``inspection``,
``correction`` or ``model``; ``seq`` is the row's number in the chain, over all kinds, from 1 on; ``previous`` is the
hash of the row before. ``fields`` holds every column of the row that is not null, by its name, but ``seq``,
``previous`` and ``hash``. An inspection has two more: ``detections``, a list of such fields by place, without
``inspection``; and ``thumbnail``, the SHA-256 of the small picture, where there is one. Floating-point numbers stand
as their shortest digits that give the same number back, as in Python and JavaScript, with ``.0`` where they are whole.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Boolean, Connection, Float, Integer, Table, insert, select, update

from lightdet.service.records.tables import chain_ends, corrections, detections, inspections, model_changes

FORMAT = 1
KINDS: Mapping[str, Table] = {"inspection": inspections, "correction": corrections, "model": model_changes}
LINKS = ("seq", "previous", "hash")


_Read: TypeAlias = Callable[[Any], Any]


def _columns(table: Table, left_out: Iterable[str]) -> tuple[tuple[str, _Read | None], ...]:
    """What a database gives back may be of another type than what was written: 1 for true, 1.0 for 1."""
    reads: dict[type[Any], _Read] = {
        Boolean: bool,
        Float: lambda value: float(value) + 0.0,  # SQLite keeps no -0.0
        Integer: int,
    }
    return tuple(
        (column.name, next((read for kind, read in reads.items() if isinstance(column.type, kind)), None))
        for column in table.columns
        if column.name not in left_out
    )


_OF_KIND = {kind: _columns(table, LINKS) for kind, table in KINDS.items()}
_OF_DETECTION = _columns(detections, ("inspection",))
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True)
class Link:
    """A row's place in the chain, and its hash."""

    seq: int
    hash: str


def canonical(
    kind: str,
    seq: int,
    previous: str,
    row: Mapping[str, Any],
    found: Iterable[Mapping[str, Any]] = (),
    thumbnail: bytes | None = None,
) -> bytes:
    """Return the bytes whose SHA-256 is the hash of a row; `found` are its rows of `detections`, by place."""
    fields = _fields(_OF_KIND[kind], row)
    if kind == "inspection":
        fields["detections"] = [_fields(_OF_DETECTION, each) for each in found]
        if thumbnail is not None:
            fields["thumbnail"] = hashlib.sha256(thumbnail).hexdigest()
    return _encode([FORMAT, kind, seq, previous, fields]).encode()


def _fields(columns: Sequence[tuple[str, _Read | None]], row: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, read in columns:
        value = row.get(name)
        if value is not None:
            fields[name] = value if read is None else read(value)
    return fields


class Chain:
    """The end of the chain while a transaction extends it."""

    def __init__(self, head: Link) -> None:
        self.head = head

    def extend(
        self,
        kind: str,
        row: dict[str, Any],
        found: Iterable[Mapping[str, Any]] = (),
        thumbnail: bytes | None = None,
    ) -> None:
        """Give a row its place at the end, its hash and that of the row before."""
        seq, previous = self.head.seq + 1, self.head.hash
        digest = hashlib.sha256(canonical(kind, seq, previous, row, found, thumbnail)).hexdigest()
        row.update(seq=seq, previous=previous, hash=digest)
        self.head = Link(seq, digest)


def begin_chain(connection: Connection) -> None:
    """Write both ends of an empty chain; its first hash is random, so that it tells one database from another."""
    start = secrets.token_hex(32)
    for name in ("anchor", "head"):
        values = {"name": name, "seq": 0, "hash": start, "time_ms": time.time_ns() // 1_000_000}
        connection.execute(insert(chain_ends).values(values))


def lock_head(connection: Connection) -> Link:
    """Return the last link, which nobody else extends before this transaction ends.

    In SQLite the transaction must have begun as a writing one (`Database.writing`).
    """
    query = select(chain_ends.c.seq, chain_ends.c.hash).where(chain_ends.c.name == "head").with_for_update()
    return Link(*connection.execute(query).one())


def move_end(connection: Connection, name: str, link: Link) -> None:
    """Write where the chain ends (``head``), or the last link that was deleted (``anchor``)."""
    values = {"seq": link.seq, "hash": link.hash, "time_ms": time.time_ns() // 1_000_000}
    connection.execute(update(chain_ends).where(chain_ends.c.name == name).values(values))


def read_end(connection: Connection, name: str) -> Link:
    """Return the ``head`` or the ``anchor``."""
    return Link(*connection.execute(select(chain_ends.c.seq, chain_ends.c.hash).where(chain_ends.c.name == name)).one())


def holds(connection: Connection, link: Link) -> bool:
    """Whether this link is in the chain, or is one of its ends."""
    if link in (read_end(connection, "head"), read_end(connection, "anchor")):
        return True
    queries = (select(table.c.hash).where(table.c.seq == link.seq) for table in KINDS.values())
    return any(connection.execute(query).scalar() == link.hash for query in queries)
