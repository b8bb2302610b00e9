"""Writes records in the background: one thread, many records per transaction, patient if the database is away."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from lightdet.service.inspection import Inspection
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


class Recorder:
    """Takes inspections and writes them; an answer never waits for a database that is known to be away.

    Records that could not be written are kept (up to `backlog` requests) and written when the database is back.

    Args:
        sink: the store.
        backlog: requests that are kept for a database that is away; more are lost, and counted.
        report: is told ``written``, ``late`` (written after the answer) or ``lost``, and how many inspections; or
            ``away`` and 0 when the database could not be written.
    """

    def __init__(self, sink: Sink, report: Callable[[str, int], None], *, backlog: int = BACKLOG) -> None:
        self._sink, self._report, self._limit = sink, report, backlog
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
        """Number of requests that are not yet written."""
        return len(self._waiting)

    def record(self, inspections: Sequence[Inspection]) -> Future[bool]:
        """Take the inspections of one request; the future's result is whether they are written."""
        entry = _Entry(inspections, Future())
        with self._changed:
            if self._stopping or len(self._waiting) >= self._limit:
                self._report("lost", len(inspections))
                entry.written.set_result(False)
                return entry.written
            if not self._healthy:
                entry.written.set_result(False)
            self._waiting.append(entry)
            self._changed.notify()
        return entry.written

    def close(self, seconds: float = 5.0) -> None:
        """Write the remaining records, for at most this long."""
        with self._changed:
            self._stopping = True
            self._retry_at = 0.0
            self._changed.notify()
        self._thread.join(seconds)
        left = sum(len(entry.inspections) for entry in self._waiting)
        if left:
            self._report("lost", left)
            log.error("%d records could not be written and are lost", left)

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if batch is None:
                return
            self._write(batch)

    def _next_batch(self) -> list[_Entry] | None:
        """Wait for something to write; None at the end."""
        with self._changed:
            while not self._gave_up:
                now = time.monotonic()
                if self._waiting and (now >= self._retry_at or self._stopping):
                    return [self._waiting[i] for i in range(min(_BATCH, len(self._waiting)))]
                if self._stopping:
                    return None
                self._changed.wait(max(0.0, self._retry_at - now) if self._waiting else None)
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
                log.info("the database is back; %d requests are still to be written", len(self._waiting))
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
                if not entry.written.done():
                    entry.written.set_result(False)
            self._gave_up = self._stopping  # one attempt at the end is enough
