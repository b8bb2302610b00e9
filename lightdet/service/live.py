"""What was inspected a moment ago, by whichever worker and for whoever, sent to those who listen (server-sent events).

The workers share nothing but the records, so each reads them again every second while somebody listens to it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from lightdet.service.answers import as_result
from lightdet.service.records.store import AwayError, Span, Store
from lightdet.web.errors import busy
from lightdet.web.protocol import ENDING

MOST_LISTENERS = 32
"""Of one worker; more are refused (503)."""
EVERY = 1.0
"""Seconds between two looks into the records."""
_BACKLOG = 50
"""Messages that a listener may lag behind before it is let go."""
_SILENCE = 10.0
"""Seconds after which a listener, and a proxy between, are told that the line still stands."""
_LOOK = 0.2


class Tail:
    """The records that were written since the last look, each once.

    They are followed by their number in the chain, as a record may be written long after later ones.

    Args:
        store: where they are.
        most: of one look; of more, those written first are left out.
        now: milliseconds since 1970; to the first look, what was inspected from then on is new.
    """

    def __init__(self, store: Store, most: int = 200, now: Callable[[], int] = lambda: time.time_ns() // 10**6) -> None:
        self._store, self._most, self._start = store, most, now()
        self._last: int | None = None

    def new(self) -> list[dict[str, Any]]:
        """Return them, the oldest first.

        Raises:
            SQLAlchemyError, AwayError, OSError: the database is away.
        """
        found, self._last = self._store.written(self._last, Span(self._start), limit=self._most)
        return found


class Live:
    """The listeners of one worker.

    Args:
        store: the records.
        query: reads from the database in a thread.
    """

    def __init__(self, store: Store, query: Callable[[Callable[[], Any]], Any]) -> None:
        self._store, self._query = store, query
        self._listeners: set[asyncio.Queue[bytes]] = set()
        self._reading: asyncio.Task[None] | None = None

    async def listen(self, scope: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """Yield events until the listener goes, lags behind, or the connection of `scope` is to end.

        Raises:
            RefusalError: there are too many already (503), before anything is yielded.
        """
        if len(self._listeners) >= MOST_LISTENERS:
            raise busy("listeners", f"{MOST_LISTENERS} listen already; try again later", 30)
        queue: asyncio.Queue[bytes] = asyncio.Queue(_BACKLOG)
        self._listeners.add(queue)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        waiting: asyncio.Task[bytes] | None = None
        try:
            yield b"retry: 2000\n: you hear of every inspection from now on\n\n"
            silent = 0.0
            while not scope.get(ENDING) and queue in self._listeners:
                # Not wait_for: in Python 3.11 it may lose what comes in the moment that the time is up.
                waiting = waiting or asyncio.create_task(queue.get())
                done, _ = await asyncio.wait({waiting}, timeout=_LOOK)
                if done:
                    silent, message, waiting = 0.0, waiting.result(), None
                    yield message
                elif (silent := silent + _LOOK) >= _SILENCE:
                    silent = 0.0
                    yield b": still here\n\n"
        finally:
            self._listeners.discard(queue)
            if waiting is not None:
                waiting.cancel()

    def tell(self, events: bytes) -> None:
        """Send this to all who listen; who lags too far behind is let go, and connects again."""
        for queue in list(self._listeners):
            try:
                queue.put_nowait(events)
            except asyncio.QueueFull:
                self._listeners.discard(queue)

    async def _read(self) -> None:
        tail = Tail(self._store)
        while self._listeners:
            try:
                records = await self._query(tail.new)
            except (SQLAlchemyError, AwayError, OSError):
                records = []  # away: `/ready` tells; the records come when it is back
            if records:
                self.tell(b"".join(event("inspection", as_result(record), record["id"]) for record in records))
            await asyncio.sleep(EVERY)


def event(kind: str, value: Any, identity: str = "") -> bytes:
    """Return one server-sent event; JSON has no line break in it."""
    head: Iterable[str] = (f"event: {kind}", *([f"id: {identity}"] if identity else []))
    return "\n".join((*head, f"data: {json.dumps(value, ensure_ascii=False, allow_nan=False)}", "", "")).encode()
