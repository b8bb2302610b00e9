"""Watches over all workers' records and health for alarms, in the process that starts the workers."""

from __future__ import annotations

import logging
import queue
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from lightdet.errors import UserError
from lightdet.service.alarms import Alarm, AlarmRules, Alarms
from lightdet.service.live import EVERY, Tail
from lightdet.service.records.store import AwayError, Store
from lightdet.service.webhook import Webhook

log = logging.getLogger("lightdet.service")

_MOST = 1000


class AlarmWatch:
    """Looks every second, in a thread.

    Args:
        rules: what an alarm is, and where it goes.
        database: as in `Settings`.
        several: the service has several models.

    Attributes:
        ready: whether pictures are taken; None: not yet.
        failures: how many pictures got no verdict so far.
    """

    def __init__(self, rules: AlarmRules, database: str, *, several: bool = False) -> None:
        self.ready: bool | None = None
        self.failures = 0
        self._database = database
        self._alarms = Alarms(rules, several=several)
        self._webhook = Webhook(rules.url, rules.secret) if rules.url else None
        self._raised: queue.SimpleQueue[Alarm] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)
        self._thread.start()

    def raised(self) -> list[Alarm]:
        """Return the alarms since the last call."""
        found = []
        while not self._raised.empty():
            found.append(self._raised.get())
        return found

    def close(self) -> None:
        """End; what waits to be sent is tried once more."""
        self._ending.set()
        self._thread.join(10)
        if self._webhook is not None:
            self._webhook.close()

    def _run(self) -> None:
        store: Store | None = None
        tail: Tail | None = None
        while not self._ending.wait(EVERY):
            try:
                store = store or Store(self._database, make=False)
                tail = tail or Tail(store, _MOST)
                self.tell(self._alarms.inspected(tail.new()))
            except (UserError, SQLAlchemyError, AwayError, OSError) as error:
                log.debug("the records cannot be read for alarms: %s", type(error).__name__)
            now = time.time_ns() // 1_000_000
            if self.ready is not None:
                self.tell(self._alarms.ready(self.ready, now))
            self.tell(self._alarms.failures(self.failures, now))
        if store is not None:
            store.close()

    def tell(self, alarms: list[Alarm]) -> None:
        """Log these alarms, send them, and let `raised` return them."""
        for alarm in alarms:
            log.warning("alarm %s: %s", alarm.state, alarm.text)
            self._raised.put(alarm)
            if self._webhook is not None:
                self._webhook.send(alarm)
