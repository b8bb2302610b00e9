"""The promise of whichever model is served: its watch is changed with the model, and all who must know are told."""

from __future__ import annotations

import time
from collections.abc import Callable

from lightdet.drift.monitor import Look
from lightdet.service.alarms import Alarm
from lightdet.service.control import Loaded
from lightdet.service.watch import PromiseWatch, Watched


class ServedPromise:
    """The watch over the promise of the model that is served, if it has one.

    Args:
        database: as in `Settings`.
        tell: sends a status to all workers.
        ring: raises an alarm.
    """

    def __init__(self, database: str, tell: Callable[[Watched], None], ring: Callable[[Alarm], None]) -> None:
        self._database, self._tell, self._ring = database, tell, ring
        self._watch: PromiseWatch | None = None

    def serve(self, loaded: Loaded) -> None:
        """Begin for a model, or continue where it was left."""
        if self._watch is not None and self._watch.sha256 == loaded.sha256:
            return
        self.close()
        if loaded.reference is not None:
            self._watch = PromiseWatch(self._database, loaded.sha256, loaded.reference)

    @property
    def status(self) -> Watched | None:
        """What the workers are to know; None: nothing is watched."""
        return None if self._watch is None else self._watch.status()

    def look(self, sender: Loaded | None, look: Look) -> None:
        """Take a picture that a worker judged with the model that it has loaded."""
        if self._watch is None or sender is None or sender.sha256 != self._watch.sha256:
            return
        found = self._watch.look(look)
        if found is None:
            return
        self._tell(self._watch.status())
        text = f"the promise is suspended: {found.describe()}; calibrate the model with pictures as they are now"
        values = {"before": found.before, "now": found.now, "since": found.since, "noticed": found.noticed}
        self._ring(Alarm("promise_suspended", "on", time.time_ns() // 1_000_000, text, values))

    def tick(self) -> None:
        """Save the state and tell the workers, each now and then."""
        if self._watch is not None and (status := self._watch.due()) is not None:
            self._tell(status)

    def begin_anew(self, record: Callable[[], bool]) -> bool | None:
        """Forget all pictures and the suspension; returns whether that is on record, or None: nothing is watched.

        Args:
            record: records it beside the watch's own state; returns whether that succeeded.
        """
        if self._watch is None:
            return None
        kept = self._watch.begin_anew()
        recorded = record() and kept
        self._tell(self._watch.status())
        text = "the watch over the promise was begun anew: it is not suspended"
        self._ring(Alarm("promise_suspended", "off", time.time_ns() // 1_000_000, text))
        return recorded

    def close(self) -> None:
        """Save the state; nothing is watched from then on."""
        if self._watch is not None:
            self._watch.close()
        self._watch = None
