"""One process of the service: what its parent knows of it, and what it does."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from lightdet.errors import UserError
from lightdet.service.app import assemble
from lightdet.service.control import READY, Control, Loaded, LoadedModel, Mistake, Pulse
from lightdet.service.line_up import Served
from lightdet.service.loading import Loader
from lightdet.service.server import serve_here, set_up_logging
from lightdet.service.settings import Settings
from lightdet.tasks import task_of_model

log = logging.getLogger("lightdet.service")

PROOF_SECONDS = 300.0
"""Seconds in which a new model must be loaded and tried on a picture."""

_SILENCE = 15.0
"""Seconds without a word from a worker, which speaks every two, after which it does not answer."""


@dataclass
class Worker:
    """A worker as its parent sees it."""

    process: SpawnProcess
    line: Connection
    loaded: Loaded | None = None
    ready: bool = False
    started: float = field(default_factory=time.monotonic)
    pulse: Pulse | None = None
    heard: float = 0.0

    @property
    def answers(self) -> bool:
        """Whether it takes requests, and has said a moment ago that it answers them."""
        recent = time.monotonic() - self.heard < _SILENCE
        return self.ready and self.pulse is not None and self.pulse.well and recent

    @property
    def well(self) -> bool:
        """Whether it answers, or has still time to begin."""
        return self.answers or (not self.ready and time.monotonic() - self.started < PROOF_SECONDS)

    def tell(self, message: Any) -> None:
        """Send it a message, if it still lives."""
        try:
            self.line.send(message)
        except (OSError, ValueError):  # it has ended
            log.debug("a worker has ended before it was told")


def work(settings: Settings, listener: socket.socket, line: Connection, loader: Loader) -> None:
    """Load the copies of the models, wait for the word to begin, and serve until told to stop."""
    set_up_logging(settings.access_log)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("SIGINT", "SIGHUP"):  # they reach the parent as well; it says when to stop
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    control = Control(line)
    try:
        service = assemble(settings, loader)
        loaded = Loaded(tuple(_loaded(each) for each in service.models))
    except UserError as error:
        message = str(error)
        for each in settings.models:
            message = message.replace(str(each.served), str(each.model))
        control.say(Mistake(message))
        sys.exit(2)
    service.control, control.hear_watch = control, service.watch
    control.say(loaded)
    if control.may_go():
        serve_here(service, listener, lambda: control.say(READY), control.listen)


def _loaded(served: Served) -> LoadedModel:
    model, settings, engine = served.identity, served.settings, served.engine
    if settings.copy is None or model.sha256 != settings.copy.model.sha256:
        raise UserError("the service's copy of the model was changed; start it again", path=settings.served)
    task = task_of_model(settings.served).name
    return LoadedModel(
        model.name, model.version, model.sha256, task, served.classes, engine.rule.describe(), engine.reference
    )


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
