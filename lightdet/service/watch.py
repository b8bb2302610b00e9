"""Watches over the promise of the model that is served, for all workers together, in the process that starts them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from lightdet.drift.monitor import Look, Monitor, Suspension
from lightdet.drift.reference import Reference
from lightdet.errors import UserError
from lightdet.service.records.store import AwayError, Store

log = logging.getLogger("lightdet.service")

_SAVE_EVERY = 10.0
_TELL_EVERY = 2.0


@dataclass(frozen=True)
class Watched:
    """What the workers are told.

    Attributes:
        suspension: what has changed; None: nothing that is known.
        compared: how many pictures were compared so far.
        evidence: by statistic, how near it is to a suspension by itself: 0 is nothing, 1 is there.
    """

    suspension: Suspension | None = None
    compared: int = 0
    evidence: Mapping[str, float] = field(default_factory=dict)


class PromiseWatch:
    """Compares every picture of a model with those of its calibration; what it knows survives a restart.

    Args:
        database: as in `Settings`; the state is kept there.
        sha256: of the model file, to which the state belongs.
        reference: of its calibration.
    """

    def __init__(self, database: str, sha256: str, reference: Reference) -> None:
        self.sha256 = sha256
        self._database, self._reference = database, reference
        self._store: Store | None = None
        self._monitor = self._restored()
        self._saved = self._told = time.monotonic()
        self._unsaved = False
        if self._monitor.suspension is not None:
            log.warning("the promise is still suspended: %s", self._monitor.suspension.describe())

    def look(self, look: Look) -> Suspension | None:
        """Take a judged picture; returns the suspension if it brought one, which is saved at once."""
        found = self._monitor.see(look)
        self._unsaved = self._unsaved or self._monitor.suspension is None or found is not None
        if found is not None:
            self._save()
        return found

    def status(self) -> Watched:
        """What the workers are to know."""
        return Watched(self._monitor.suspension, self._monitor.compared, self._monitor.evidence())

    def due(self) -> Watched | None:
        """Save the state now and then; returns the status every few seconds."""
        now = time.monotonic()
        if self._unsaved and now - self._saved >= _SAVE_EVERY:
            self._save()
        if now - self._told < _TELL_EVERY:
            return None
        self._told = now
        return self.status()

    def begin_anew(self) -> bool:
        """Forget all pictures and the suspension; returns whether that is on record."""
        self._monitor = Monitor(self._reference)
        self._save()
        return not self._unsaved

    def close(self) -> None:
        """Save the state and close the database."""
        if self._unsaved:
            self._save()
        if self._store is not None:
            self._store.close()

    def _restored(self) -> Monitor:
        values: Any = None
        try:
            values = self._open().watch_state(self.sha256)
            return Monitor(self._reference) if values is None else Monitor.restore(self._reference, values)
        except (UserError, SQLAlchemyError, AwayError, OSError, ValueError) as error:
            log.warning("the watch over the promise begins anew: what it knew cannot be read (%s)", error)
        monitor = Monitor(self._reference)
        monitor.suspension = _still_suspended(values)
        return monitor

    def _save(self) -> None:
        self._saved = time.monotonic()
        try:
            self._open().keep_watch_state(self.sha256, time.time_ns() // 1_000_000, self._monitor.as_dict())
            self._unsaved = False
        except (UserError, SQLAlchemyError, AwayError, OSError) as error:
            self._unsaved = True
            log.warning("the state of the watch over the promise could not be saved: %s", type(error).__name__)

    def _open(self) -> Store:
        self._store = self._store or Store(self._database, make=False)
        return self._store


def _still_suspended(values: Any) -> Suspension | None:
    """The suspension in a state that cannot be read otherwise, as that of another version."""
    try:
        return Suspension.from_dict(values["suspension"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
