"""Watches over the promise of the model that is served, for all workers together, in the process that starts them."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from lightdet.drift.kept import KeptMonitor, StateError
from lightdet.drift.reference import Reference
from lightdet.errors import UserError
from lightdet.service.records.store import AwayError, Store

log = logging.getLogger("lightdet.service")

_SUSPENDED_ELSEWHERE = (
    "a service that records into the same database has suspended it, and it stays so after a restart, until POST "
    "/api/watch/anew"
)


class PromiseWatch(KeptMonitor):
    """Compares every picture of a model with those of its calibration; what it knows survives a restart.

    Args:
        database: as in `Settings`; the state is kept there.
        sha256: of the model file, to which the state belongs.
        reference: of its calibration.
    """

    def __init__(self, database: str, sha256: str, reference: Reference) -> None:
        super().__init__(_DatabaseStates(database), sha256, reference, log)


class _DatabaseStates:
    """States in the database of the records."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._store: Store | None = None

    def read(self, sha256: str) -> Any:
        try:
            return self._open().watch_state(sha256)
        except (UserError, SQLAlchemyError, AwayError, OSError, ValueError) as error:
            raise StateError(str(error)) from None

    def keep(self, sha256: str, state: dict[str, Any], *, anew: bool = False) -> None:
        try:
            kept = self._open().keep_watch_state(sha256, time.time_ns() // 1_000_000, state, anew=anew)
        except (UserError, SQLAlchemyError, AwayError, OSError) as error:
            raise StateError(type(error).__name__) from None
        if not kept:
            raise StateError(_SUSPENDED_ELSEWHERE)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def _open(self) -> Store:
        self._store = self._store or Store(self._database, make=False)
        return self._store
