"""The messages between a worker process and its parent, over one pipe."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from lightdet.decisions.zones import Zones
from lightdet.drift.reference import Reference
from lightdet.service.alarms import Alarm
from lightdet.service.watch import Watched

T = TypeVar("T")

GO, STOP, READY, CHANGE, WATCH_ANEW = "go", "stop", "ready", "change", "watch anew"
"""To a worker: take requests; finish what has begun and end. From a worker: requests are taken; change the model;
begin the watch over its promise anew."""


@dataclass(frozen=True)
class Loaded:
    """A worker's message that it has loaded the model and tried it on a picture."""

    model: str
    version: str
    sha256: str
    task: str
    classes: tuple[str, ...]
    rule: str
    reference: Reference | None = None
    """What its promise is watched with."""


@dataclass(frozen=True)
class BegunAnew:
    """That the watch over the promise has begun anew, if there is one, and whether that is on record."""

    there: bool
    recorded: bool


@dataclass(frozen=True)
class Mistake:
    """The reason, in one line, why a worker ended before that."""

    message: str


@dataclass(frozen=True)
class NewZones:
    """To the parent: look in these zones from now on, and write them into the service's file."""

    zones: Zones


@dataclass(frozen=True)
class Changed:
    """The result of a change of the model or the zones: a refusal, or what is served from now on."""

    refusal: str = ""
    now: Loaded | None = None
    before: str = ""
    recorded: bool = False


@dataclass(frozen=True)
class Pulse:
    """That a worker's requests are answered: whether its engine is not stuck, how often it gave no verdict so far."""

    well: bool
    failures: int


class Control:
    """A worker's end of the pipe.

    Attributes:
        hear_alarm: is called with an alarm, in a thread of this object's.
        hear_watch: likewise, with how the watch over the promise stands.
    """

    hear_alarm: Callable[[Alarm], None] | None = None
    hear_watch: Callable[[Watched], None] | None = None

    def __init__(self, line: Connection) -> None:
        self._line = line
        self._sending = threading.Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[Changed]]] = []
        self._watching: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[BegunAnew]]] = []

    def say(self, message: Any) -> None:
        """Tell the parent."""
        with self._sending:
            self._line.send(message)

    def may_go(self) -> bool:
        """Wait for the parent's word; False: this worker is not needed.

        Alarms and the state of the watch, which all workers are told meanwhile, are passed over: the state is sent
        again after the word.
        """
        try:
            while (said := self._line.recv()) != GO:
                if said == STOP:
                    return False
        except EOFError:
            return False
        return True

    def listen(self, stop: Callable[[], None]) -> None:
        """Receive the parent's messages in a thread; `stop` ends the server."""
        threading.Thread(target=self._listen, args=(stop,), name="control", daemon=True).start()

    async def change_model(self) -> Changed:
        """Ask the parent to serve the model file as it is now, and wait for the result."""
        return await self._ask(CHANGE)

    async def change_zones(self, zones: Zones) -> Changed:
        """Ask the parent to look in other zones, and wait for the result."""
        return await self._ask(NewZones(zones))

    async def _ask(self, message: Any) -> Changed:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Changed] = loop.create_future()
        self._waiting.append((loop, answer))
        self.say(message)
        return await answer

    async def watch_anew(self) -> BegunAnew:
        """Ask the parent to begin the watch over the promise anew, and wait for the result."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[BegunAnew] = loop.create_future()
        self._watching.append((loop, answer))
        self.say(WATCH_ANEW)
        return await answer

    def _listen(self, stop: Callable[[], None]) -> None:
        while True:
            try:
                said = self._line.recv()
            except (EOFError, OSError):
                return
            if said == STOP:
                stop()
            elif isinstance(said, Alarm) and self.hear_alarm is not None:
                self.hear_alarm(said)
            elif isinstance(said, Watched) and self.hear_watch is not None:
                self.hear_watch(said)
            elif isinstance(said, BegunAnew) and self._watching:
                loop, begun = self._watching.pop(0)
                loop.call_soon_threadsafe(_answer, begun, said)
            elif isinstance(said, Changed) and self._waiting:
                loop, answer = self._waiting.pop(0)
                loop.call_soon_threadsafe(_answer, answer, said)


def _answer(future: asyncio.Future[T], value: T) -> None:
    if not future.done():  # who asked may have hung up
        future.set_result(value)
