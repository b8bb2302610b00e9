"""Writes records in the background: one thread, many records per transaction, patient if the database is away."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from lightdet.service.inspection import Inspection
from lightdet.service.records.journal import Journal
from lightdet.service.records.store import AwayError

log = logging.getLogger("lightdet.service")

BACKLOG = 1000
_BATCH = 64
_FIRST_RETRY, _LAST_RETRY = 0.5, 30.0


class Sink(Protocol):
    """Where records go: `lightdet.service.records.store.Store`."""

    def insert(self, entries: Sequence[Inspection]) -> None:
        """Write all or none of these; an AwayError means that the same may succeed later."""


@dataclass(eq=False)
class _Entry:
    inspections: Sequence[Inspection]
    written: Future[bool]
    kept: bool = False
    """It is in the journal."""


class Recorder:
    """Takes inspections and writes them; an answer never waits for a database that is known to be away.

    Records that could not be written wait in memory (up to `backlog` requests) and in the journal, and are written when
    the database is back: by this process, or by the one that starts after it.

    Args:
        sink: the store.
        backlog: requests that wait in memory; more wait in the journal alone. What has neither place is lost, and
            counted.
        journal: keeps them beyond the end of this process; None: nothing does.
        report: is told ``written``, ``late`` (written after the answer) or ``lost``, and how many inspections; or
            ``away`` and 0 when the database could not be written.
    """

    def __init__(
        self,
        sink: Sink,
        report: Callable[[str, int], None],
        *,
        backlog: int = BACKLOG,
        journal: Journal | None = None,
    ) -> None:
        self._sink, self._report, self._limit, self._journal = sink, report, backlog, journal
        self._journal_alone = 0  # requests that are in the journal and not in memory
        self._behind = True  # the journals have not been looked through since the start, or since the database was away
        self._waiting: deque[_Entry] = deque()
        self._changed = threading.Condition()
        self._stopping = self._gave_up = False
        self._healthy = True
        self._retry_at, self._delay = 0.0, _FIRST_RETRY
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """Whether the last attempt to write succeeded."""
        return self._healthy

    @property
    def backlog(self) -> int:
        """Number of requests of this process that are not yet written."""
        return len(self._waiting) + self._journal_alone

    def record(self, inspections: Sequence[Inspection]) -> Future[bool]:
        """Take the inspections of one request; the future's result is whether they are written."""
        entry = _Entry(inspections, Future())
        with self._changed:
            room = not self._stopping and len(self._waiting) < self._limit
            if not self._healthy or not room:
                self._keep(entry)
                entry.written.set_result(False)
            if room:
                self._waiting.append(entry)
                self._changed.notify()
            elif entry.kept:
                self._journal_alone += 1
            else:
                self._report("lost", len(inspections))
        return entry.written

    def close(self, seconds: float = 5.0) -> None:
        """Write the remaining records, for at most this long; what is left then stays in the journal."""
        with self._changed:
            self._stopping = True
            self._retry_at = 0.0
            self._changed.notify()
        self._thread.join(seconds)
        with self._changed:
            for entry in self._waiting:
                self._keep(entry)
            lost = sum(len(entry.inspections) for entry in self._waiting if not entry.kept)
            if self._journal is not None:
                if self.backlog:
                    log.warning("%d requests wait in %s for the next start", self.backlog, self._journal.folder)
                self._journal.close()
        if lost:
            self._report("lost", lost)
            log.error("%d records could not be written and are lost", lost)

    def _keep(self, entry: _Entry) -> None:
        if self._journal is not None and not entry.kept:
            entry.kept = self._journal.add(entry.inspections)

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if batch is None:
                return
            if batch:
                self._write(batch)
            if not self._waiting and (self._healthy or not batch):
                self._catch_up()

    def _next_batch(self) -> list[_Entry] | None:
        """Wait for something to write, or for the time to look through the journals (then it is empty); None: end."""
        with self._changed:
            while not self._gave_up:
                now = time.monotonic()
                if self._stopping and not self._waiting:
                    return None
                work = bool(self._waiting) or self._behind
                if work and (now >= self._retry_at or self._stopping):
                    return [self._waiting[i] for i in range(min(_BATCH, len(self._waiting)))]
                self._changed.wait(max(0.0, self._retry_at - now) if work else None)
        return None

    def _write(self, batch: list[_Entry]) -> None:
        everything = [inspection for entry in batch for inspection in entry.inspections]
        try:
            self._sink.insert(everything)
        except AwayError as error:
            self._away(error)
        except Exception as error:  # one record that the database never accepts must not block the others
            log.warning("records are written one by one after: %s", type(error).__name__)
            for entry in batch:
                if not self._write_alone(entry):
                    return
        else:
            self._done(batch, True)

    def _write_alone(self, entry: _Entry) -> bool:
        """False: the database cannot be reached, and the rest must wait."""
        try:
            self._sink.insert(entry.inspections)
        except AwayError as error:
            self._away(error)
            return False
        except Exception as error:
            log.error("the record of %s was refused: %s", entry.inspections[0].id, type(error).__name__)
            self._done([entry], False)
        else:
            self._done([entry], True)
        return True

    def _done(self, entries: list[_Entry], written: bool) -> None:
        with self._changed:
            for entry in entries:
                self._waiting.popleft()
                late = entry.written.done()
                if not late:
                    entry.written.set_result(written)
                outcome = "lost" if not written else "late" if late else "written"
                self._report(outcome, len(entry.inspections))
            if not self._healthy:
                log.info("the database is back; %d requests are still to be written", self.backlog)
                self._behind = True
            self._healthy, self._delay, self._retry_at = True, _FIRST_RETRY, 0.0

    def _away(self, error: Exception) -> None:
        with self._changed:
            if self._healthy:
                log.error("the database cannot be written (%s); records are kept and written later", error)
            self._healthy = False
            self._report("away", 0)
            self._retry_at = time.monotonic() + self._delay
            self._delay = min(2 * self._delay, _LAST_RETRY)
            for entry in self._waiting:
                self._keep(entry)
                if not entry.written.done():
                    entry.written.set_result(False)
            self._gave_up = self._stopping  # one attempt at the end is enough

    def _catch_up(self) -> None:
        """Write what waits in journals alone: this process's, and those of processes that have ended."""
        if not self._behind and not self._journal_alone:
            return
        if self._journal is not None:
            try:
                alone = self._journal_alone
                if alone:
                    self._write_late(self._journal.own())
                with self._changed:
                    if self._journal_alone == alone and not any(entry.kept for entry in self._waiting):
                        self._journal.clear()
                        self._journal_alone = 0
                for requests in self._journal.left_behind():
                    count = self._write_late(requests)
                    log.info("%d records that an ended process had left in the journal are written", count)
            except AwayError as error:
                self._away(error)
                return
            except OSError as error:
                log.error("the journal cannot be read: %s", error)
        self._behind = False
        self._done([], True)

    def _write_late(self, requests: Iterator[list[Inspection]]) -> int:
        """Write these, and return how many there were.

        Raises:
            AwayError: the database cannot be reached.
        """
        count = 0
        for inspections in requests:
            try:
                self._sink.insert(inspections)
            except AwayError:
                raise
            except Exception as error:
                self._report("lost", len(inspections))
                log.error("the record of %s was refused: %s", inspections[0].id, type(error).__name__)
            else:
                count += len(inspections)
                self._report("late", len(inspections))
        return count
