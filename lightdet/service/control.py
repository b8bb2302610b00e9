"""The messages between a worker process and its parent, over one pipe."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from lightdet.decisions.zones import Zones
from lightdet.drift.kept import Watched
from lightdet.drift.monitor import Look
from lightdet.drift.reference import Reference
from lightdet.service.alarms import Alarm

T = TypeVar("T")

GO, STOP, READY = "go", "stop", "ready"
"""To a worker: take requests; finish what has begun and end. From a worker: requests are taken."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that a worker has loaded."""

    name: str
    version: str
    sha256: str
    task: str
    classes: tuple[str, ...]
    rule: str
    reference: Reference | None = None
    """What its promise is watched with."""


@dataclass(frozen=True)
class Loaded:
    """A worker's message that it has loaded all models and tried each on a picture."""

    models: tuple[LoadedModel, ...]

    def named(self, name: str) -> LoadedModel:
        """Return the model of this name."""
        return next(each for each in self.models if each.name == name)


@dataclass(frozen=True)
class Change:
    """To the parent: serve the file of this model as it is now."""

    model: str


@dataclass(frozen=True)
class WatchAnew:
    """To the parent: begin the watch over this model's promise anew."""

    model: str


@dataclass(frozen=True)
class Looked:
    """To the parent: a picture that was judged by this model's own rule."""

    model: str
    look: Look


@dataclass(frozen=True)
class Standing:
    """To a worker: how the watch over this model's promise stands."""

    model: str
    status: Watched


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
    """To the parent: this model looks in these zones from now on; write them into its file."""

    model: str
    zones: Zones


@dataclass(frozen=True)
class Changed:
    """The result of a change of a model or its zones: a refusal, or what is served from now on."""

    refusal: str = ""
    now: LoadedModel | None = None
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
        hear_watch: likewise, with how the watch over a promise stands; before the word to go, by `may_go`.
    """

    hear_alarm: Callable[[Alarm], None] | None = None
    hear_watch: Callable[[Standing], None] | None = None

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

        How the watches stand comes before the word, so that the first answer knows of a suspended promise. Alarms,
        which all workers are told meanwhile, are passed over: nobody listens to them here yet.
        """
        try:
            while (said := self._line.recv()) != GO:
                if said == STOP:
                    return False
                if isinstance(said, Standing) and self.hear_watch is not None:
                    self.hear_watch(said)
        except EOFError:
            return False
        return True

    def listen(self, stop: Callable[[], None]) -> None:
        """Receive the parent's messages in a thread; `stop` ends the server."""
        threading.Thread(target=self._listen, args=(stop,), name="control", daemon=True).start()

    async def change_model(self, model: str) -> Changed:
        """Ask the parent to serve this model's file as it is now, and wait for the result."""
        return await self._ask(Change(model))

    async def change_zones(self, model: str, zones: Zones) -> Changed:
        """Ask the parent to let this model look in other zones, and wait for the result."""
        return await self._ask(NewZones(model, zones))

    async def _ask(self, message: Any) -> Changed:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Changed] = loop.create_future()
        self._waiting.append((loop, answer))
        self.say(message)
        return await answer

    async def watch_anew(self, model: str) -> BegunAnew:
        """Ask the parent to begin the watch over this model's promise anew, and wait for the result."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[BegunAnew] = loop.create_future()
        self._watching.append((loop, answer))
        self.say(WatchAnew(model))
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
            elif isinstance(said, Standing) and self.hear_watch is not None:
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
