"""Processes that share one listening socket; their parent only watches them and changes the model of all at once.

Every worker loads the parent's own copy of the model (`model_copy`): one that dies is replaced by one like it, whatever
the file contains by then. A change of the model (`ModelChange`) starts a second set of workers beside the first. They
load, look at a picture and wait. If each of them could, the first set finishes what has begun and ends, and then the
second takes requests; connections wait meanwhile. So no two versions ever answer side by side.
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
from lightdet.drift.monitor import Look
from lightdet.errors import UserError
from lightdet.service.alarm_watch import AlarmWatch
from lightdet.service.alarms import Alarm
from lightdet.service.app import Loader, load_model
from lightdet.service.control import (
    CHANGE,
    GO,
    READY,
    STOP,
    WATCH_ANEW,
    BegunAnew,
    Changed,
    Loaded,
    Mistake,
    NewZones,
    Pulse,
)
from lightdet.service.model_change import Crew, ModelChange, answer, copy_to_serve, ending_seconds, record_model
from lightdet.service.model_copy import ModelCopy, copy_model
from lightdet.service.picture_keeper import PictureKeeper
from lightdet.service.picture_retention import check_pictures
from lightdet.service.records.keeper import Keeper
from lightdet.service.records.store import Store
from lightdet.service.served_promise import ServedPromise
from lightdet.service.settings import Settings
from lightdet.service.systemd import Systemd
from lightdet.service.watch import Watched
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
        self._systemd = Systemd()
        self._failed: dict[int, int] = {}  # process → pictures without a verdict, also of those that have ended
        self._watch: AlarmWatch | None = None
        self._promise = ServedPromise(settings.database, self._tell_all, self._ring)
        self._metrics = self._models = Path()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT; SIGHUP asks for the model file as it is now.

        Raises:
            UserError: the model cannot be read, or a worker cannot start, and why.
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
            self._copy = copy_model(self._settings.model, self._models)
            self._workers = [self._start(self._copy, self._settings) for _ in range(self._settings.workers)]
            keeper.start()
            pictures.start()
            if self._settings.alarms.any:
                self._watch = AlarmWatch(self._settings.alarms, self._settings.database)
            while not self._stopping.is_set():
                self._tick()
                self._report()
        finally:
            self._systemd.tell("STOPPING=1")
            if self._watch is not None:
                self._watch.ready = None  # whoever ends now was told to
            self._listener.close()
            self._stop()
            self._promise.close()
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

    def _start(self, copy: ModelCopy, settings: Settings) -> Worker:
        here, there = self._context.Pipe()
        settings = replace(settings, copy=copy.file)
        process = self._context.Process(
            target=work,
            args=(settings, copy.model.sha256, self._listener, there, self._loader),
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
            self._begin(None)
        if self._change is not None:
            self._go_on(self._change)
        if self._change is not None and self._change.agreed:
            return  # whoever is missing is started from the new copy, when that has taken over
        due = [moment for moment in self._restart_at if time.monotonic() >= moment]
        self._restart_at = [moment for moment in self._restart_at if moment not in due]
        self._workers += [self._start(self._copy, self._settings) for _ in due]

    def _report(self) -> None:
        """Tell systemd that all is well, if it is, and pass on what the alarms need and give."""
        taking_over = self._change is not None and self._change.agreed
        if self._when_ready is None and (taking_over or all(worker.well for worker in self._workers)):
            self._systemd.ping()
        self._promise.tick()
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
                self._promise.serve(said)
                worker.tell(GO)
                if (status := self._promise.status) is not None:
                    worker.tell(status)
        elif isinstance(said, Pulse):
            worker.pulse, worker.heard = said, time.monotonic()
            self._failed[worker.process.pid or 0] = said.failures
        elif isinstance(said, Look):
            self._promise.look(worker.loaded, said)
        elif said == WATCH_ANEW:
            self._watch_anew(worker)
        elif said == CHANGE:
            self._begin(worker)
        elif isinstance(said, NewZones):
            self._begin(worker, said.zones)
        elif said == READY:
            worker.ready = True
            if self._when_ready is not None and all(each.ready for each in self._workers) and worker.loaded:
                record_model(self._settings, self._copy.model, None)
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

    def _watch_anew(self, asker: Worker) -> None:
        model = self._copy.model
        recorded = self._promise.begin_anew(lambda: record_model(self._settings, model, model.sha256))
        asker.tell(BegunAnew(recorded is not None, bool(recorded)))

    # --- changing the model ---------------------------------------------------------------------------------------

    def _begin(self, asker: Worker | None, zones: Zones | None = None) -> None:
        """Let workers verify the model file and that of the zones, as they are now; or other `zones` alone."""
        try:
            if self._change is not None or self._when_ready is not None:
                raise UserError("the service is starting or changing its model just now; try again later")
            copy = copy_to_serve(self._settings.model, self._models) if zones is None else self._copy
            settings = replace(self._settings, zones=zones or zones_now(self._settings))
        except UserError as error:
            answer(asker, Changed(str(error)))
            return
        old = Crew(self._copy, self._workers)
        same = copy.model.sha256 == self._copy.model.sha256 and settings.zones == self._settings.zones
        if same and old.loaded is not None:
            log.info("the model file is what is served already (version %s)", copy.model.version)
            answer(asker, Changed(now=old.loaded, before=old.loaded.sha256))
            return
        new = Crew(copy, [self._start(copy, settings) for _ in range(settings.workers)])
        self._change = ModelChange(settings, old, new, asker)

    def _go_on(self, change: ModelChange) -> None:
        agreed = change.agreed
        change.step()
        if change.agreed and not agreed:
            self._restart_at.clear()
        if change.over:
            self._change = None
            if change.agreed:
                self._settings = change.settings
                self._take_over(change.new)

    def _take_over(self, new: Crew) -> None:
        self._workers, self._copy = new.workers, new.copy
        if new.loaded is not None:
            self._promise.serve(new.loaded)
        for worker in new.workers:
            worker.tell(GO)
            worker.tell(self._promise.status or Watched())
        log.info("version %s takes requests", new.copy.model.version)

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
