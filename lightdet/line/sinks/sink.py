"""What a sink is, and the thread that feeds one from the spool until it has everything."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Protocol

from lightdet.errors import UserError
from lightdet.line.child import Patience
from lightdet.line.ledger import Spool, Waiting

log = logging.getLogger("lightdet.line")

BATCH = 64
_LOOK = 0.5
"""Seconds after which the spool is looked at unasked."""


class AwayError(Exception):
    """The sink cannot be reached now; the same may succeed later."""


class RefusedError(Exception):
    """The sink will never take this result."""


class Sink(Protocol):
    """Takes results. What it takes is never given to it again, unless the process ends in between."""

    batch: int
    """The most results that it takes at a time."""

    def take(self, results: list[Waiting]) -> None:
        """Take all of these or, after an error, none; those that it has already, by their ids, it passes over.

        Raises:
            AwayError: not now.
            RefusedError: never; asked for several, it is asked for each alone.
        """
        ...

    def close(self) -> None:
        """End."""
        ...


class Feeder:
    """Gives a sink what waits for it, in order, again and again until it takes it.

    Args:
        name: of the sink.
        sink: takes the results.
        ledger: the ledger's file.
        refused: gets, as lines of JSON, what the sink will never take.

    Attributes:
        delivered: results that it took or refused since the start.
    """

    def __init__(self, name: str, sink: Sink, ledger: Path, refused: Path) -> None:
        self.name, self._sink, self._ledger, self._refused = name, sink, ledger, refused
        self.delivered = self.refused = 0
        self.problem = ""
        self._patience = Patience(0.5)
        self._wake, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sink {name}", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something waits."""
        self._wake.set()

    def close(self, seconds: float) -> None:
        """Try what waits once more, for at most this long; the rest stays in the spool."""
        self._ending.set()
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        spool = Spool(self._ledger, self.name)
        began = time.monotonic()
        while True:
            try:
                empty = not self._once(spool)
                if self.problem:
                    log.info("sink %s: it takes results again", self.name)
                    self.problem, began = "", time.monotonic()
            except Exception as error:  # whatever it is, the results wait
                empty = False
                self._trouble(error)
                if self._ending.is_set():
                    break
                self._ending.wait(self._patience.wait(time.monotonic() - began))
                continue
            if empty:
                if self._ending.is_set():
                    break
                self._wake.wait(_LOOK)
                self._wake.clear()
        self._sink.close()
        spool.close()

    def _once(self, spool: Spool) -> bool:
        """Give it the next results; False if there are none."""
        results = spool.next(self._sink.batch)
        if not results:
            return False
        try:
            self._sink.take(results)
        except RefusedError as error:
            if len(results) == 1:
                self._set_aside(results[0], str(error))
            else:
                for each in results:
                    self._alone(spool, each)
                return True
        spool.remove(results)
        self.delivered += len(results)
        return True

    def _alone(self, spool: Spool, result: Waiting) -> None:
        try:
            self._sink.take([result])
        except RefusedError as error:
            self._set_aside(result, str(error))
        spool.remove([result])
        self.delivered += 1

    def _set_aside(self, result: Waiting, why: str) -> None:
        log.error("sink %s refuses the result %s: %s; it is in %s", self.name, result.id, why, self._refused)
        with self._refused.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"refused": why, **result.body}, ensure_ascii=False) + "\n")
        self.refused += 1

    def _trouble(self, error: Exception) -> None:
        known = isinstance(error, AwayError | OSError | UserError | sqlite3.Error)
        text = " ".join(str(error).split())[:200] or type(error).__name__
        if not self.problem:
            log.error("sink %s: %s; results wait on the disk", self.name, text, exc_info=None if known else error)
        self.problem = text

    def status(self, waiting: int, lost: int) -> dict[str, Any]:
        """Plain values for ``status.json``."""
        return {
            "state": "away" if self.problem else "up",
            "reason": self.problem,
            "delivered": self.delivered,
            "waiting": waiting,
            "refused": self.refused,
            "lost": lost,
        }
