"""What a line must not forget: which pictures arrived and are done, and the results that sinks do not yet have.

One SQLite file. That a picture is done and that its result waits for each sink is one transaction, so no end of a
process, at any moment, loses a result or makes a second one with another id.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightdet.errors import UserError
from lightdet.line.messages import Picture
from lightdet.service.inspection import new_id

_VERSION = 1
_TABLES = """
CREATE TABLE pictures (
  source TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, time_ms INTEGER NOT NULL,
  done INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (source, key)) WITHOUT ROWID;
CREATE INDEX pictures_undone ON pictures (source) WHERE done = 0;
CREATE TABLE spool (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX spool_by_sink ON spool (sink, seq);
CREATE TABLE sinks (name TEXT PRIMARY KEY, untold INTEGER NOT NULL DEFAULT 0, lost INTEGER NOT NULL DEFAULT 0);
"""


_ARRIVE = (
    "INSERT INTO pictures (source, key, id, name, time_ms, done) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (source, key) DO UPDATE SET done = excluded.done"
)


@dataclass(frozen=True)
class Finished:
    """A picture that is done, with its result.

    Attributes:
        source, key, name, time_ms: as in `Ledger.arrive`.
        id: its id.
        body: the result, plain values.
    """

    source: str
    key: str
    id: str
    name: str
    time_ms: int
    body: dict[str, Any]


@dataclass(frozen=True)
class Waiting:
    """A result that waits for a sink."""

    seq: int
    id: str
    body: dict[str, Any]


def open_file(path: Path, *, reading: bool = False) -> sqlite3.Connection:
    """Open the ledger; made if it is not there, unless for `reading`.

    Raises:
        UserError: it cannot be opened, or is of another version.
    """
    try:
        if reading:
            return sqlite3.connect(f"file:{path.as_posix()}?mode=ro", uri=True, timeout=30.0)
        connection = sqlite3.connect(path, timeout=30.0, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version={_VERSION}; COMMIT;")
        elif version != _VERSION:
            raise UserError(f"is of another version of lightdet ({version}); give another 'state' folder", path=path)
    except sqlite3.Error as error:
        raise UserError(f"cannot be opened: {error}; give another 'state' folder", path=path) from None
    return connection


class Ledger:
    """The parent's hand in the ledger; one thread uses it.

    Args:
        path: of the file.
        spools: the most results that may wait, by sink.

    Raises:
        UserError: see `open_file`.
    """

    def __init__(self, path: Path, spools: dict[str, int]) -> None:
        self._connection = open_file(path)
        self._spools = spools
        known = "SELECT name, untold, lost FROM sinks"
        rows = {name: (untold, lost) for name, untold, lost in self._connection.execute(known)}
        self._untold = {name: rows.get(name, (0, 0))[0] for name in spools}
        self.lost = {name: rows.get(name, (0, 0))[1] for name in spools}
        counts = "SELECT sink, count(*) FROM spool GROUP BY sink"
        self._added: dict[str, int] = dict.fromkeys(spools, 0) | dict(self._connection.execute(counts))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def unknown_sinks(self) -> dict[str, int]:
        """How many results wait for sinks that the YAML does not have."""
        return {name: count for name, count in self._added.items() if name not in self._spools and count}

    def arrive(self, source: str, key: str, name: str, time_ms: int) -> tuple[str, bool]:
        """Note that a picture has arrived; returns its id, the one it had before if it is known, and if it is done.

        What cannot be written now is written by `write`.
        """
        try:
            find = "SELECT id, done FROM pictures WHERE source = ? AND key = ?"
            row = self._connection.execute(find, (source, key)).fetchone()
            if row is not None:
                return row[0], bool(row[1])
            identity = new_id(time_ms)
            self._connection.execute(_ARRIVE, (source, key or identity, identity, name, time_ms, 0))
        except sqlite3.Error:
            self._connection.rollback()
            return new_id(time_ms), False
        return identity, False

    def write(self, finished: Sequence[Finished], delivered: Mapping[str, int]) -> None:
        """Write what arrived since the last call and what is done, with a result for every sink that has room for it.

        Args:
            finished: pictures that are done.
            delivered: how many results each sink has taken since the start.

        Raises:
            sqlite3.Error: the disk is full or gone; nothing was written, and the same may succeed later.
        """
        untold, lost, added = dict(self._untold), dict(self.lost), dict(self._added)
        try:
            for each in finished:
                if each.key:
                    row = (each.source, each.key, each.id, each.name, each.time_ms, 1)
                    self._connection.execute(_ARRIVE, row)
                else:
                    gone = "DELETE FROM pictures WHERE source = ? AND key = ?"
                    self._connection.execute(gone, (each.source, each.id))
                for sink, most in self._spools.items():
                    if added[sink] - delivered[sink] >= most:
                        untold[sink], lost[sink] = untold[sink] + 1, lost[sink] + 1
                        continue
                    body = {**each.body, "lost_before": untold[sink]} if untold[sink] else each.body
                    text = json.dumps(body, ensure_ascii=False)
                    spool = "INSERT INTO spool (sink, id, body) VALUES (?, ?, ?)"
                    self._connection.execute(spool, (sink, each.id, text))
                    untold[sink], added[sink] = 0, added[sink] + 1
            for sink in self._spools:
                if (untold[sink], lost[sink]) != (self._untold[sink], self.lost[sink]):
                    replace = "INSERT OR REPLACE INTO sinks (name, untold, lost) VALUES (?, ?, ?)"
                    self._connection.execute(replace, (sink, untold[sink], lost[sink]))
            self._connection.commit()
        except sqlite3.Error:
            self._connection.rollback()
            raise
        self._untold, self.lost, self._added = untold, lost, added

    def waiting(self, sink: str, delivered: int) -> int:
        """How many results wait for a sink that has taken so many since the start."""
        return self._added[sink] - delivered

    def left_behind(self, source: str) -> list[tuple[str, str, str, int]]:
        """Return ``(key, id, name, time_ms)`` of a source's pictures that arrived and are not done."""
        find = "SELECT key, id, name, time_ms FROM pictures WHERE source = ? AND done = 0"
        return list(self._connection.execute(find, (source,)))

    def forget(self, source: str, keys: Iterable[str]) -> None:
        """Forget pictures whose files are gone.

        Where that cannot be written, nothing is forgotten: the source names them again in an hour.
        """
        values = [(source, key) for key in keys]
        try:
            self._connection.executemany("DELETE FROM pictures WHERE source = ? AND key = ? AND done = 1", values)
        except sqlite3.Error:
            self._connection.rollback()


class Spool:
    """A sink's hand in the ledger, for its own thread."""

    def __init__(self, path: Path, sink: str) -> None:
        self._connection = open_file(path)
        self._sink = sink

    def next(self, most: int) -> list[Waiting]:
        """Return the oldest results that wait."""
        find = "SELECT seq, id, body FROM spool WHERE sink = ? ORDER BY seq LIMIT ?"
        rows = self._connection.execute(find, (self._sink, most)).fetchall()
        return [Waiting(seq, identity, json.loads(body)) for seq, identity, body in rows]

    def remove(self, taken: list[Waiting]) -> None:
        """Forget results that the sink has taken."""
        self._connection.executemany("DELETE FROM spool WHERE seq = ?", [(each.seq,) for each in taken])
        self._connection.commit()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class Known:
    """A source's hand in the ledger: it only reads."""

    def __init__(self, path: Path, source: str) -> None:
        self._connection = open_file(path, reading=True)
        self._source = source

    def done(self, key: str) -> bool:
        """Whether the picture is done."""
        find = "SELECT done FROM pictures WHERE source = ? AND key = ?"
        row = self._connection.execute(find, (self._source, key)).fetchone()
        return row is not None and bool(row[0])

    def missing(self, there: Callable[[str], bool], problem: str) -> Iterator[Picture]:
        """Yield the pictures that arrived, are not done, and can be judged no more.

        Args:
            there: whether the picture of a key can still be had.
            problem: what to say of those that cannot.
        """
        find = "SELECT key, name FROM pictures WHERE source = ? AND done = 0"
        for key, name in self._connection.execute(find, (self._source,)).fetchall():
            if not there(key):
                yield Picture(key, name, time.monotonic(), time.time_ns() // 1_000_000, problem=problem)

    def old(self, days: float) -> Iterator[str]:
        """Yield the keys of pictures that are done and older than this."""
        before = (time.time() - days * 86400) * 1000
        find = "SELECT key FROM pictures WHERE source = ? AND done = 1 AND time_ms < ?"
        yield from (key for (key,) in self._connection.execute(find, (self._source, before)))
