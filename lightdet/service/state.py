"""The parts that the routes use; created once when a worker starts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from sqlalchemy.exc import SQLAlchemyError

from lightdet.drift.monitor import Look
from lightdet.service.alarms import Alarm
from lightdet.service.control import Control, Looked, Pulse, Standing
from lightdet.service.engine import PictureKind
from lightdet.service.inspection import Inspection
from lightdet.service.keys import Caller, caller_of
from lightdet.service.line_up import LineUp, Served
from lightdet.service.live import Live, event
from lightdet.service.metrics import Metrics
from lightdet.service.origin import read_origin
from lightdet.service.picture_reader import PictureReader
from lightdet.service.picture_writer import PictureWriter
from lightdet.service.records.recorder import Recorder
from lightdet.service.records.store import AwayError, Store
from lightdet.service.settings import Settings
from lightdet.service.uploads import Memory, read_uploads
from lightdet.web.errors import RefusalError, busy
from lightdet.wording import counted

log = logging.getLogger("lightdet.service")

T = TypeVar("T")


@dataclass
class Service:
    """A worker's parts."""

    settings: Settings
    models: LineUp
    store: Store
    recorder: Recorder
    metrics: Metrics
    memory: Memory
    readers: ThreadPoolExecutor
    pictures: PictureWriter
    kept: PictureReader
    control: Control | None = None
    live: Live = field(init=False)

    def __post_init__(self) -> None:
        self.live = Live(self.store, self.read)

    async def inspect(
        self,
        request: Request,
        model: str | None,
        name: str | None,
        threshold: float | None,
        picture: PictureKind,
        *,
        most: int | None = None,
    ) -> tuple[list[Inspection], bool]:
        """Read a request's pictures, inspect them with this model and record them; returns whether they are on record.

        With `most`, a request of more pictures is refused before any is recorded.

        Raises:
            RefusalError: see `LineUp.choose`, `read_uploads`, `read_origin` and `Engine.inspect`; a threshold where
                none is taken, or not from this caller (403), or one that is too low (422).
        """
        served = self.models.choose(model)
        rule = None if threshold is None else self._overriding(served, threshold, caller_of(request))
        with self.memory.account() as account:
            sent = await read_uploads(request, self.settings.limits, account, name)
            origin = read_origin(request, sent.fields, self.settings.station)
            uploads = sent.pictures
            if most is not None and len(uploads) > most:
                raise RefusalError(413, "too_many_parts", f"at most {counted(most, 'picture')} at a time; send fewer")
            found = await served.engine.inspect(uploads, rule, picture, most)
            inspections = await self._keep([replace(inspection, origin=origin) for inspection in found])
        return inspections, await self._record(inspections)

    def watch(self, standing: Standing) -> None:
        """Take over how the watch over a model's promise stands."""
        served = self.models.named(standing.model)
        if served is not None:
            served.watched = standing.status
            served.engine.suspension = standing.status.suspension
            self.metrics.watched(served.identity, standing.status)

    def _overriding(self, served: Served, threshold: float, caller: Caller) -> Any:
        if not self.settings.allow_override:
            message = "threshold: this service decides by its own rule; leave it out, or start it with --allow-override"
            raise RefusalError(403, "no_override", message)
        caller.must("override")
        lowest = served.engine.predictor.confidence
        if threshold < lowest:
            message = f"threshold: must be {lowest:g} or more, the lowest score that this service reports"
            raise RefusalError(422, "bad_parameter", message)
        return served.engine.rule.at(threshold)

    async def _keep(self, inspections: Sequence[Inspection]) -> list[Inspection]:
        """Keep the pictures that are to be kept; what the disk does not take in time is not, and the record says so."""
        job = self.pictures.take(inspections)
        await asyncio.wait([asyncio.wrap_future(job.done)], timeout=self.settings.picture_wait)
        return job.close()

    async def _record(self, inspections: Sequence[Inspection]) -> bool:
        written = asyncio.wrap_future(self.recorder.record(inspections))
        try:
            # Shielded: the record is written all the same when the answer stops waiting for it.
            return await asyncio.wait_for(asyncio.shield(written), self.settings.record_wait)
        except TimeoutError:
            return False

    async def query(self, read: Callable[[], T]) -> T:
        """Read from the database in a thread.

        Raises:
            RefusalError: it is away (503).
        """
        try:
            return await self.read(read)
        except (SQLAlchemyError, AwayError, OSError) as error:
            log.warning("the database cannot be read: %s", type(error).__name__)
            raise busy("database", "the records cannot be read now; try again later", 5) from None

    async def read(self, read: Callable[[], T]) -> T:
        """Read from the database in a thread; its errors are the caller's."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, read)


def service_of(request: Request) -> Service:
    """Return the parts of the worker that serves this request."""
    service: Service = request.app.state.service
    return service


Parts = Annotated[Service, Depends(service_of)]


_BEAT = 2.0


def _pass_on(live: Live, loop: asyncio.AbstractEventLoop, alarm: Alarm) -> None:
    loop.call_soon_threadsafe(live.tell, event("alarm", alarm.as_dict()))


def _say_look(control: Control, model: str, look: Look) -> None:
    with suppress(OSError):  # the parent process has ended, and so will this one
        control.say(Looked(model, look))


async def keep_in_touch(service: Service) -> None:
    """Tell the parent process every two seconds that requests are answered, and pass its alarms on to who listens."""
    control, loop = service.control, asyncio.get_running_loop()
    if control is None:
        return
    control.hear_alarm = partial(_pass_on, service.live, loop)
    for served in service.models:
        served.engine.on_look = partial(_say_look, control, served.identity.name)
    while True:
        try:
            control.say(Pulse(not service.models.stuck, service.metrics.failures))
        except OSError:
            return  # the parent process has ended, and so does this one
        await asyncio.sleep(_BEAT)
