"""Processes that share one listening socket; their parent only watches them and changes a model of all at once.

Every worker loads the parent's own copies of the models (`model_copy`): one that dies is replaced by one like it,
whatever the files contain by then. A change of one model (`ModelChange`) starts a second set of workers beside the
first. They load all models, look at a picture and wait. If each of them could, the first set finishes what has begun
and ends, and then the second takes requests; connections wait meanwhile. So no two versions ever answer side by side.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from lightdet.decisions.zones import Zones
from lightdet.errors import UserError
from lightdet.service.alarm_watch import AlarmWatch
from lightdet.service.alarms import Alarm
from lightdet.service.control import (
    GO,
    READY,
    STOP,
    BegunAnew,
    Change,
    Changed,
    Loaded,
    Looked,
    Mistake,
    NewZones,
    Pulse,
    WatchAnew,
)
from lightdet.service.loading import Loader, load_model
from lightdet.service.model_change import Crew, ModelChange, answer, copy_to_serve, ending_seconds, record_model
from lightdet.service.model_copy import copy_model
from lightdet.service.picture_keeper import PictureKeeper
from lightdet.service.picture_retention import check_pictures
from lightdet.service.records.keeper import Keeper
from lightdet.service.records.store import Store
from lightdet.service.served_promise import ServedPromises
from lightdet.service.settings import Settings
from lightdet.service.systemd import Systemd
from lightdet.service.worker import Worker, work
from lightdet.service.zones_file import zones_now

log = logging.getLogger("lightdet.service")

_TICK = 0.2
_RESTART_WAIT = 2.0
"""Seconds before a worker that died is started again, so that a model that crashes does not burn the processor."""


class Workers:
    """Starts, watches, changes and stops worker processes.

    Args:
        settings: the same for each.
        listener: each accepts from it; the system distributes the connections.
        when_ready: is called once, when all of them take requests.
        loader: returns the predictor; it must be a function of a module, as each process imports it.
    """

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        when_ready: Callable[[Loaded], None],
        loader: Loader = load_model,
    ) -> None:
        self._settings, self._listener, self._loader = settings, listener, loader
        self._when_ready: Callable[[Loaded], None] | None = when_ready
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[Worker] = []
        self._restart_at: list[float] = []
        self._stopping, self._asked = threading.Event(), threading.Event()
        self._change: ModelChange | None = None
        self._due: list[str] = []  # models whose files are to be looked at
        self._systemd = Systemd()
        self._failed: dict[int, int] = {}  # process → pictures without a verdict, also of those that have ended
        self._watch: AlarmWatch | None = None
        self._promises = ServedPromises(settings.database, self._tell_all, self._ring)
        self._metrics = self._models = Path()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; SIGHUP asks for the model files as they are now.

        Raises:
            UserError: a model cannot be read, or a worker cannot start, and why.
        """
        settings = self._settings
        keeper = Keeper(settings.database, settings.keep, settings.chain_file)
        pictures = PictureKeeper(settings.database, settings.pictures)
        store = Store(settings.database)  # a mistake in it is told once, and the tables are made once
        try:
            check_pictures(settings.pictures, store)
            pictures.check(store)
        finally:
            store.close()
        keeper.forget = pictures.forget
        self._metrics = Path(tempfile.mkdtemp(prefix="lightdet-metrics-"))
        self._models = Path(tempfile.mkdtemp(prefix="lightdet-model-"))
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self._metrics)
        before = {kind: signal.signal(kind, self._hear) for kind in _signals()}
        try:
            for each in settings.models:
                copy = copy_model(each.model, self._place_of(each.called), each.called)
                self._settings = self._settings.with_model(replace(each, copy=copy))
            self._workers = [self._start(self._settings) for _ in range(settings.workers)]
            keeper.start()
            pictures.start()
            if settings.alarms.any:
                self._watch = AlarmWatch(settings.alarms, settings.database, several=len(settings.models) > 1)
            while not self._stopping.is_set():
                self._tick()
                self._report()
        finally:
            self._systemd.tell("STOPPING=1")
            if self._watch is not None:
                self._watch.ready = None  # whoever ends now was told to
            self._listener.close()
            self._stop()
            self._promises.close()
            keeper.close()
            pictures.close()
            if self._watch is not None:
                self._watch.close()
            for kind, handler in before.items():
                signal.signal(kind, handler)
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]
            for folder in (self._metrics, self._models):
                shutil.rmtree(folder, ignore_errors=True)

    def _hear(self, kind: int, _: object) -> None:
        (self._stopping if kind in (signal.SIGTERM, signal.SIGINT) else self._asked).set()

    def _place_of(self, model: str) -> Path:
        """The folder for the copies of one model."""
        place = self._models / str([each.called for each in self._settings.models].index(model))
        place.mkdir(mode=0o700, exist_ok=True)
        return place

    def _start(self, settings: Settings) -> Worker:
        here, there = self._context.Pipe()
        process = self._context.Process(
            target=work,
            args=(settings, self._listener, there, self._loader),
            name="lightdet-worker",
        )
        process.start()
        there.close()
        return Worker(process, here)

    def _tick(self) -> None:
        wait([worker.line for worker in self._all()], _TICK)
        for worker in self._all():
            self._listen_to(worker)
            if not worker.process.is_alive() and not self._stopping.is_set():
                self._bury(worker)
        if self._asked.is_set():
            self._asked.clear()
            self._due = [each.called for each in self._settings.models]
        if self._due and self._change is None:
            self._begin(None, self._due.pop(0))
        if self._change is not None:
            self._go_on(self._change)
        if self._change is not None and self._change.agreed:
            return  # whoever is missing is started from the new copy, when that has taken over
        due = [moment for moment in self._restart_at if time.monotonic() >= moment]
        self._restart_at = [moment for moment in self._restart_at if moment not in due]
        self._workers += [self._start(self._settings) for _ in due]

    def _report(self) -> None:
        """Tell systemd that all is well, if it is, and pass on what the alarms need and give."""
        taking_over = self._change is not None and self._change.agreed
        if self._when_ready is None and (taking_over or all(worker.well for worker in self._workers)):
            self._systemd.ping()
        self._promises.tick()
        if self._watch is None:
            return
        if self._when_ready is None:
            self._watch.ready = taking_over or any(worker.answers for worker in self._workers)
        self._watch.failures = sum(self._failed.values())
        for alarm in self._watch.raised():
            self._tell_all(alarm)

    def _tell_all(self, message: Any) -> None:
        for worker in self._workers:
            worker.tell(message)

    def _all(self) -> list[Worker]:
        return [*self._workers, *(self._change.new.workers if self._change else ())]

    def _listen_to(self, worker: Worker) -> None:
        try:
            while worker.line.poll():
                self._take(worker, worker.line.recv())
        except (EOFError, OSError):
            if worker.process.is_alive():
                time.sleep(_TICK)  # its end of the pipe is closed first

    def _take(self, worker: Worker, said: Any) -> None:
        coming = self._change is not None and worker in self._change.new.workers
        if isinstance(said, Mistake):
            if coming:
                self._refuse(said.message)
            elif self._when_ready is not None:
                raise UserError(said.message)
            else:
                log.error("a worker could not start: %s", said.message)
        elif isinstance(said, Loaded):
            worker.loaded = said
            if not coming:
                self._promises.serve(said)
                self._let_go(worker)
        elif isinstance(said, Pulse):
            worker.pulse, worker.heard = said, time.monotonic()
            self._failed[worker.process.pid or 0] = said.failures
        elif isinstance(said, Looked):
            self._promises.look(worker.loaded, said.model, said.look)
        elif isinstance(said, WatchAnew):
            self._watch_anew(worker, said.model)
        elif isinstance(said, Change):
            self._begin(worker, said.model)
        elif isinstance(said, NewZones):
            self._begin(worker, said.model, said.zones)
        elif said == READY:
            worker.ready = True
            if self._when_ready is not None and all(each.ready for each in self._workers) and worker.loaded:
                for model in self._settings.models:
                    if model.copy is not None:
                        record_model(self._settings, model.copy.model, None)
                self._when_ready(worker.loaded)
                self._when_ready = None
                self._systemd.tell("READY=1")

    def _bury(self, worker: Worker) -> None:
        self._listen_to(worker)  # its last message
        code = worker.process.exitcode
        for gauge in self._metrics.glob(f"gauge_live*_{worker.process.pid}.db"):
            gauge.unlink(missing_ok=True)
        if self._change is not None and worker in self._change.new.workers:
            if not self._change.agreed:
                self._refuse(f"loading it ended the process (exit code {code})")
                return
            self._change.new.workers.remove(worker)
        elif worker in self._workers:
            self._workers.remove(worker)
            if self._change is not None and self._change.agreed:
                return  # as it was told
        else:
            return
        if not worker.ready and self._when_ready is not None:
            raise UserError(f"a worker ended before it was ready (exit code {code}); its last words stand above")
        log.error("a worker ended unexpectedly (exit code %s); another is started", code)
        self._restart_at.append(time.monotonic() + _RESTART_WAIT)

    def _ring(self, alarm: Alarm) -> None:
        if self._watch is not None:
            self._watch.tell([alarm])
        else:
            log.warning("alarm %s: %s", alarm.state, alarm.text)
            self._tell_all(alarm)

    def _watch_anew(self, asker: Worker, model: str) -> None:
        copy = self._settings.named(model).copy
        recorded = self._promises.begin_anew(
            model, lambda: copy is not None and record_model(self._settings, copy.model, copy.model.sha256)
        )
        asker.tell(BegunAnew(recorded is not None, bool(recorded)))

    # --- changing the model ---------------------------------------------------------------------------------------

    def _begin(self, asker: Worker | None, name: str, zones: Zones | None = None) -> None:
        """Let workers verify a model's file and that of its zones, as they are now; or other `zones` alone."""
        now = self._settings.named(name)
        try:
            if self._change is not None or self._when_ready is not None:
                raise UserError("the service is starting or changing its model just now; try again later")
            copy = copy_to_serve(now.model, self._place_of(name), name) if zones is None else now.copy
            wanted = replace(now, copy=copy, zones=zones or zones_now(now))
        except UserError as error:
            answer(asker, Changed(str(error)))
            return
        old = Crew(self._settings, self._workers)
        if wanted == now and old.loaded is not None:
            served = old.loaded.named(name)
            log.info("%s: the model file is what is served already (version %s)", name, served.version)
            answer(asker, Changed(now=served, before=served.sha256))
            return
        settings = self._settings.with_model(wanted)
        new = Crew(settings, [self._start(settings) for _ in range(settings.workers)])
        self._change = ModelChange(name, old, new, asker)

    def _go_on(self, change: ModelChange) -> None:
        agreed = change.agreed
        change.step()
        if change.agreed and not agreed:
            self._restart_at.clear()
        if change.over:
            self._change = None
            if change.agreed:
                self._take_over(change)

    def _take_over(self, change: ModelChange) -> None:
        new = change.new
        self._workers, self._settings = new.workers, new.settings
        if new.loaded is not None:
            self._promises.serve(new.loaded)
            log.info("%s: version %s takes requests", change.model, new.loaded.named(change.model).version)
        for worker in new.workers:
            self._let_go(worker)

    def _let_go(self, worker: Worker) -> None:
        """Let it take requests, when it knows which promises are suspended."""
        for standing in self._promises.standings():
            worker.tell(standing)
        worker.tell(GO)

    def _refuse(self, why: str) -> None:
        change, self._change = self._change, None
        if change is not None:
            change.refuse(why)

    def _stop(self) -> None:
        for worker in self._all():
            if worker.loaded is None:
                worker.process.terminate()
            worker.tell(STOP)
        deadline = time.monotonic() + ending_seconds(self._settings)
        for worker in self._all():
            worker.process.join(max(0.1, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.line.close()


def _signals() -> list[signal.Signals]:
    """The signals that are handled. Windows has no SIGHUP, and a closed terminal ends the service with it."""
    heard = [signal.SIGTERM, signal.SIGINT]
    if sys.platform != "win32" and not (sys.stdin and sys.stdin.isatty()):
        heard.append(signal.SIGHUP)
    return heard
