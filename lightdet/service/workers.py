"""Several processes that share one listening socket, watched by a parent that does nothing else."""

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
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from lightdet.errors import UserError
from lightdet.service.app import Loader, load_model
from lightdet.service.records.store import Store
from lightdet.service.server import serve_here, set_up_logging
from lightdet.service.settings import Settings

log = logging.getLogger("lightdet.service")

_TICK = 0.2
_RESTART_WAIT = 2.0
"""Seconds before a worker that died is started again, so that a model that crashes does not burn the processor."""


@dataclass
class Ready:
    """What a worker says when it takes requests."""

    model: str
    version: str
    classes: tuple[str, ...]


@dataclass
class _Worker:
    process: SpawnProcess
    line: Connection
    ready: bool = False


class Workers:
    """Starts, watches and stops worker processes.

    Args:
        settings: the same for each.
        listener: each accepts from it; the system shares out the connections.
        when_ready: is called once, when all of them take requests.
        loader: gives the predictor; it must be a function of a module, as each process imports it.
    """

    def __init__(
        self,
        settings: Settings,
        listener: socket.socket,
        when_ready: Callable[[Ready], None],
        loader: Loader = load_model,
    ) -> None:
        self._settings, self._listener, self._loader = settings, listener, loader
        self._when_ready: Callable[[Ready], None] | None = when_ready
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._restart_at: list[float] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            UserError: a worker cannot start, and why.
        """
        Store(self._settings.database).close()  # a mistake in it is told once, and the tables are made once
        folder = tempfile.mkdtemp(prefix="lightdet-metrics-")
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        kinds = (signal.SIGTERM, signal.SIGINT)
        before = {kind: signal.signal(kind, lambda *_: self._stopping.set()) for kind in kinds}
        try:
            for _ in range(self._settings.workers):
                self._start()
            while not self._stopping.is_set():
                self._tick(Path(folder))
        finally:
            self._listener.close()
            self._stop()
            for kind, handler in before.items():
                signal.signal(kind, handler)
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]
            shutil.rmtree(folder, ignore_errors=True)

    def _start(self) -> None:
        here, there = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_work, args=(self._settings, self._listener, there, self._loader), name="lightdet-worker"
        )
        process.start()
        there.close()
        self._workers.append(_Worker(process, here))

    def _tick(self, folder: Path) -> None:
        wait([worker.line for worker in self._workers if not worker.ready], _TICK)
        if all(worker.ready for worker in self._workers):
            self._stopping.wait(_TICK)
        for worker in list(self._workers):
            self._listen_to(worker)
            if not worker.process.is_alive() and not self._stopping.is_set():
                self._bury(worker, folder)
        due = [moment for moment in self._restart_at if time.monotonic() >= moment]
        self._restart_at = [moment for moment in self._restart_at if moment not in due]
        for _ in due:
            self._start()

    def _listen_to(self, worker: _Worker) -> None:
        try:
            if worker.ready or not worker.line.poll():
                return
            said = worker.line.recv()
        except (EOFError, OSError):
            return
        if isinstance(said, str):
            raise UserError(said)
        worker.ready = True
        if self._when_ready is not None and all(each.ready for each in self._workers):
            self._when_ready(said)
            self._when_ready = None

    def _bury(self, worker: _Worker, folder: Path) -> None:
        self._listen_to(worker)  # its last words
        code = worker.process.exitcode
        if not worker.ready and self._when_ready is not None:
            raise UserError(f"a worker ended before it was ready (exit code {code}); its last words stand above")
        log.error("a worker ended unexpectedly (exit code %s); another is started", code)
        self._workers.remove(worker)
        for gauge in folder.glob(f"gauge_live*_{worker.process.pid}.db"):
            gauge.unlink(missing_ok=True)
        self._restart_at.append(time.monotonic() + _RESTART_WAIT)

    def _stop(self) -> None:
        limits = self._settings.limits
        for worker in self._workers:
            if worker.process.is_alive():
                worker.process.terminate()
        deadline = time.monotonic() + limits.timeout + limits.body_timeout + 20
        for worker in self._workers:
            worker.process.join(max(0.1, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.line.close()


def _work(settings: Settings, listener: socket.socket, line: Connection, loader: Loader) -> None:
    set_up_logging(settings.access_log)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches the parent, too; it says when to stop
    try:
        serve_here(
            settings,
            listener,
            lambda service: line.send(
                Ready(service.engine.model.name, service.engine.model.version, service.engine.predictor.names)
            ),
            loader,
        )
    except UserError as error:
        line.send(str(error))
        sys.exit(2)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
