"""Another model for the service: a second set of workers loads it, and takes over if each of them could."""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from lightdet.errors import UserError
from lightdet.service.control import STOP, Changed, Loaded
from lightdet.service.inspection import ModelIdentity
from lightdet.service.model_copy import ModelCopy, copy_model
from lightdet.service.records.store import AwayError, Store
from lightdet.service.settings import Settings
from lightdet.service.worker import PROOF_SECONDS, Worker
from lightdet.service.zones_file import write_zones

log = logging.getLogger("lightdet.service")


@dataclass(frozen=True)
class Crew:
    """Workers that serve the same copies of models; the list changes as they end and are replaced."""

    settings: Settings
    workers: list[Worker]

    @property
    def loaded(self) -> Loaded | None:
        """What one of them has loaded; None: nothing yet."""
        return next((worker.loaded for worker in self.workers if worker.loaded), None)


class ModelChange:
    """A change of one model under way.

    Args:
        model: its name.
        old: those that answer.
        new: those that will take over.
        asker: the worker that was asked for it; None: a signal.

    Attributes:
        agreed: all of the new could; their predecessors end now.
        over: the new may take over now; without `agreed`, they were given up.
    """

    def __init__(self, model: str, old: Crew, new: Crew, asker: Worker | None) -> None:
        self.model, self._old, self.new, self._asker = model, old, new, asker
        self._before, self._after = _copy_of(old.settings, model), _copy_of(new.settings, model)
        self._deadline = time.monotonic() + PROOF_SECONDS  # after `agreed`, when their predecessors are ended
        self.agreed = self.over = False

    def step(self) -> None:
        """Go on if it can."""
        late = time.monotonic() > self._deadline
        if not self.agreed:
            loaded = self.new.loaded
            if loaded is not None and all(worker.loaded for worker in self.new.workers):
                self._agree(loaded)
            elif late:
                self.refuse(f"it could not be loaded within {PROOF_SECONDS:g} s")
        elif self._old.workers:
            for worker in self._old.workers if late else ():
                worker.process.kill()
        else:
            self.over = True

    def refuse(self, why: str) -> None:
        """Give the new up, and say why."""
        version, same = self._before.model.version, self._after.model.sha256 == self._before.model.sha256
        what = "new zones are" if same else "new model is"
        which = f"{self.model}: " if len(self.new.settings.models) > 1 else ""
        message = f"{which}the {what} not taken, the old one (version {version}) continues: {why}"
        for worker in self.new.workers:
            worker.process.kill()
            worker.process.join()
            worker.line.close()
        if not same:
            shutil.rmtree(self._after.file.parent, ignore_errors=True)
        answer(self._asker, Changed(message))
        self.over = True

    def _agree(self, loaded: Loaded) -> None:
        """All could load it: their predecessors finish what they have started."""
        new, settings = loaded.named(self.model), self.new.settings
        old = None if self._old.loaded is None else self._old.loaded.named(self.model)
        if old is not None and new.task != old.task:
            self.refuse(f"it is for another task ({new.task}, not {old.task}); start a service for it")
            return
        zones = settings.named(self.model).zones
        try:
            write_zones(settings.named(self.model))
        except UserError as error:
            self.refuse(str(error))
            return
        before = self._before.model.sha256
        recorded = record_model(settings, self._after.model, before)
        log.info("the model is changed: %s, SHA-256 %s, before %s", new.name, new.sha256, before)
        log.info("classes: %s; NG from: %s", ", ".join(new.classes), new.rule)
        log.info("zones: %s", zones.describe() if zones else "as the model has them")
        answer(self._asker, Changed(now=new, before=before, recorded=recorded))
        self.agreed, self._deadline = True, time.monotonic() + ending_seconds(settings)
        for worker in self._old.workers:
            worker.tell(STOP)


def _copy_of(settings: Settings, model: str) -> ModelCopy:
    copy = settings.named(model).copy
    if copy is None:
        raise ValueError(f"{model}: not copied yet")
    return copy


def copy_to_serve(model: Path, folder: Path, name: str) -> ModelCopy:
    """Copy a model file as it is now.

    Raises:
        UserError: it cannot be read, the copy not be written, or it has no checksum.
    """
    copy = copy_model(model, folder, name)
    if not copy.sealed:
        raise UserError("holds no check sum; train, calibrate or export it again", path=model)
    return copy


def record_model(settings: Settings, model: ModelIdentity, before: str | None) -> bool:
    """Record that `model` answers from now on, and the SHA-256 of the one before; returns whether that succeeded."""
    try:
        store = Store(settings.database, make=False)
        try:
            store.note_model(time.time_ns() // 1_000_000, model.name, model.sha256, before)
        finally:
            store.close()
    except (UserError, AwayError, SQLAlchemyError, OSError) as error:
        log.warning("the model in use could not be recorded: %s", type(error).__name__)
        return False
    return True


def answer(asker: Worker | None, told: Changed) -> None:
    """Tell who asked for a change what came of it; a refusal is also logged."""
    if told.refusal:
        log.error("%s", told.refusal)
    if asker is not None:
        asker.tell(told)


def ending_seconds(settings: Settings) -> float:
    """Seconds in which workers finish what they have begun, before they are ended."""
    return settings.limits.timeout + settings.limits.body_timeout + 20
