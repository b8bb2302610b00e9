"""The process of a watched folder: lists it again and again, and sends each file once it no longer changes."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from lightdet.data.images import SUFFIXES
from lightdet.line.child import Port, as_child
from lightdet.line.ledger import Known
from lightdet.line.messages import Health, Picture

POLL = 0.5
"""Seconds between two listings; more where a listing takes long."""
MAX_BYTES = 256 << 20
"""Largest file that is read."""
FORGET_DAYS = 7.0
"""A file that is gone is forgotten so long after it arrived; the same file coming back later is judged again."""
_FORGET_EVERY = 3600.0
CHANGED = "its file has changed since it arrived, before it was judged"
MISSING = "its file is gone or has changed since it arrived, before it was judged"
Mark = tuple[int, int]
"""A file's size in bytes and its time of change in nanoseconds."""


@dataclass(frozen=True)
class FolderJob:
    """What the process is to watch.

    Attributes:
        source: its name.
        folder: what is watched.
        recursive: with sub-folders.
        settle: seconds for which a file must not have changed.
        once: only what is there now; then the source is done.
        ledger: the ledger's file.
    """

    source: str
    folder: Path
    recursive: bool
    settle: float
    once: bool
    ledger: Path


@dataclass(frozen=True)
class Gone:
    """To the parent: files that can be forgotten."""

    keys: tuple[str, ...]


@dataclass
class _Files:
    """What is known of the files in the folder."""

    taken: dict[str, Mark] = field(default_factory=dict)
    changing: dict[str, tuple[Mark, float]] = field(default_factory=dict)
    ready: deque[tuple[str, Mark, float]] = field(default_factory=deque)

    def settled(self, now: dict[str, Mark], settle: float) -> list[tuple[str, Mark]]:
        """Take in a listing; returns the files that have not changed for so long, the oldest first."""
        moment, found = time.monotonic(), []
        self.taken = {name: mark for name, mark in self.taken.items() if name in now}
        self.changing = {name: mark for name, mark in self.changing.items() if name in now}
        for name, mark in now.items():
            if self.taken.get(name) == mark:
                continue
            before = self.changing.get(name)
            if before is None or before[0] != mark:
                self.changing[name] = mark, moment
            elif moment - before[1] >= settle:
                del self.changing[name]
                self.taken[name] = mark
                found.append((name, mark))
        return sorted(found, key=lambda each: (each[1][1], each[0]))


def key_of(name: str, mark: Mark) -> str:
    """Return what names a file as it is: another content under the same name is another picture."""
    return f"{shown(name)}|{mark[0]}|{mark[1]}"


def shown(name: str) -> str:
    """A file name as text, even if its bytes are not UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def list_pictures(folder: Path, recursive: bool) -> dict[str, Mark]:
    """Return the picture files of a folder, by their names relative to it; hidden ones are none.

    Raises:
        OSError: it cannot be listed.
    """
    found: dict[str, Mark] = {}
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with os.scandir(folder / below) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                name = f"{below}{entry.name}"
                if recursive and entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{name}/")
                elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122 - the name alone
                    try:
                        # Not entry.stat(): on Windows a listing may be older than what os.fstat gives.
                        facts = os.stat(entry.path)  # noqa: PTH116 - a path as bytes allow
                    except FileNotFoundError:
                        continue
                    if not stat.S_ISDIR(facts.st_mode):
                        found[name] = _mark_of(facts)
    return found


def watch(job: FolderJob, pipe: Connection) -> None:
    """Watch until the parent says to stop, or is gone."""
    as_child()
    port, files, known = Port(pipe), _Files(), Known(job.ledger, job.source)
    health, next_listing, next_forgetting, first = Health("starting"), 0.0, 0.0, True
    while not port.stopped:
        now = time.monotonic()
        if now >= next_listing:
            try:
                listing = list_pictures(job.folder, job.recursive)
                told = Health("up")
            except OSError as error:
                listing, told = None, Health("away", f"the folder cannot be listed: {error.strerror or error}")
            if told != health:
                health = told
                port.send(health)
            if listing is not None:
                if first:
                    there = {key_of(name, mark) for name, mark in listing.items()}
                    for picture in known.missing(there.__contains__, MISSING):
                        port.send(picture)
                    first = False
                for name, mark in files.settled(listing, job.settle):
                    if not known.done(key_of(name, mark)):
                        files.ready.append((name, mark, now))
                if now >= next_forgetting:
                    next_forgetting = now + _FORGET_EVERY
                    _forget(port, known, listing)
            took = time.monotonic() - now
            next_listing = now + max(POLL, 10 * took)
        if job.once and health.state == "up" and not files.ready and not files.changing:
            port.send(Health("done"))
            return
        if files.ready and port.credit:
            port.credit -= 1
            picture = _read(job, *files.ready.popleft())
            port.send(picture)
            if picture.problem == CHANGED:  # what is there now is to be seen before the source can be done
                next_listing = 0.0
            port.listen(0.0, health)
        else:
            port.listen(max(0.01, min(0.5, next_listing - time.monotonic())), health)


def _read(job: FolderJob, name: str, mark: Mark, ready: float) -> Picture:
    """The picture that was listed with this mark; a later content of its file is another one, with a key of its own."""
    key, time_ms = key_of(name, mark), time.time_ns() // 1_000_000
    try:
        if mark[0] > MAX_BYTES:
            raise OSError(None, f"it is larger than {MAX_BYTES >> 20} MiB")
        data, problem = _content(job.folder / name, mark), CHANGED
    except FileNotFoundError:
        data, problem = None, "its file is gone since it arrived, before it was judged"
    except OSError as error:
        data, problem = None, f"cannot be read: {error.strerror or error}"
    if data is None:
        return Picture(key, shown(name), ready, time_ms, problem=problem)
    return Picture(key, shown(name), ready, time_ms, data, sha256=hashlib.sha256(data).hexdigest())


def _content(path: Path, mark: Mark) -> bytes | None:
    """A file's bytes; None if it is not as it was listed, or changes while it is read."""
    with path.open("rb") as file:
        if _mark_of(os.fstat(file.fileno())) != mark:
            return None
        data = file.read(mark[0] + 1)
        return data if _mark_of(os.fstat(file.fileno())) == mark and len(data) == mark[0] else None


def _mark_of(facts: os.stat_result) -> Mark:
    return facts.st_size, facts.st_mtime_ns


def _forget(port: Port, known: Known, listing: dict[str, Mark]) -> None:
    there = {key_of(name, mark) for name, mark in listing.items()}
    if there and (gone := tuple(key for key in known.old(FORGET_DAYS) if key not in there)):
        port.send(Gone(gone))
