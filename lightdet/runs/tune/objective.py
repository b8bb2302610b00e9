"""One trial of a search: a training with its values, and its score."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import torch

from lightdet.assembly.trainer import RunContext
from lightdet.data.spec import DatasetSpec
from lightdet.errors import UserError
from lightdet.models.device import choose_device
from lightdet.options.tune import TuneOptions
from lightdet.runs.tune.search_space import Base
from lightdet.tasks import AnyConfig
from lightdet.training.checkpoint import STATE_FILE
from lightdet.training.interrupt import StopRequest
from lightdet.training.reporting import SilentReporter
from lightdet.training.trainer import BEST_FILE, LAST_FILE, Trainer
from lightdet.tuning.search import Attempt, Pruned, Stopped, Unfit, Watcher
from lightdet.tuning.study import say_alive

HEARD_SECONDS = 30.0
AFTER_READING = {"model", "loss", "augment", "sampling", "normalize", "train", "eval"}
"""Parts of a configuration that do not change how pictures are read; of ``train`` only the cache does."""
Pictures: TypeAlias = Any
"""The data of the trainings: `TrainingData`, or `ClassifyData`."""


class TuneWatcher(Watcher, Protocol):
    """Also follows what happens within a trial."""

    def reading(self, done: int, total: int) -> None:
        """Pictures are read."""

    def epoch(self, attempt: Attempt, epoch: int, epochs: int, score: float | None) -> None:
        """An epoch of a trial is over."""


@dataclass
class Objective:
    """Trains with the values of a trial; decoded pictures are kept for trials that read them in the same way.

    Attributes:
        base: makes the configurations.
        spec: the data set.
        options: of the search.
        watcher, stop: see `lightdet.runs.tune.tuning.Tuning.run`.
        check_same: is called when pictures are read again; refuses those that have changed.
        skipped: is filled with what could not be read.
    """

    base: Base
    spec: DatasetSpec
    options: TuneOptions
    watcher: TuneWatcher
    stop: StopRequest
    check_same: Callable[[], None]
    skipped: list[str]
    _pictures: tuple[Any, Pictures] | None = None

    def __call__(self, attempt: Attempt) -> tuple[float, Mapping[str, Any]]:
        """The score of a trial's training, and what else is kept of it.

        Raises:
            Unfit: these values cannot be trained with.
            Pruned: the trial was ended early.
            Stopped: the search was.
            UserError: the data cannot be read.
        """
        try:
            config = self.base.config(attempt.params)
        except UserError as error:
            raise Unfit(f"these values cannot be combined: {error.message}") from None
        device = choose_device(self.options.device)
        pictures = self._read(config)
        began = time.perf_counter()
        try:
            trainer = self._build(config, pictures, attempt, device)
            progress = trainer.fit()
        except UserError as error:
            remove_files(attempt.folder, BEST_FILE)
            raise Unfit(error.message) from None
        except torch.OutOfMemoryError:
            raise Unfit("the device's memory was full") from None
        except Pruned:
            remove_files(attempt.folder, BEST_FILE)
            raise
        finally:
            remove_files(attempt.folder, STATE_FILE, LAST_FILE)
        if not progress.done:
            remove_files(attempt.folder, BEST_FILE)
            raise Stopped
        score = progress.best
        if score is None or not math.isfinite(score):
            raise Unfit("no epoch gave a score")
        facts = {
            "minutes": round((time.perf_counter() - began) / 60, 3),
            "best_epoch": progress.best_epoch,
            "epochs": progress.epoch,
            "weights": str(attempt.folder / BEST_FILE),
        }
        return float(score), facts

    def _build(self, config: AnyConfig, pictures: Pictures, attempt: Attempt, device: torch.device) -> Trainer:
        # An interrupted trial starts again, so its state is only needed at the end.
        train = config.train.model_copy(update={"save_every": config.train.epochs})
        training = self.base.task.training
        reporter = _Scores(attempt, training.score_column, config.train.epochs, self.watcher)
        context = RunContext(attempt.folder, device, reporter, stop=self.stop, board=False)
        config = config.model_copy(update={"train": train})
        return training.trainer(config, pictures, context, bit_depth=self.spec.bit_depth)

    def _read(self, config: AnyConfig) -> Pictures:
        """The decoded pictures, those of the last trial if they were decoded the same way."""
        key = (config.model_dump_json(exclude=AFTER_READING), config.train.cache, config.train.cache_mib)
        if self._pictures is None or self._pictures[0] != key:
            again, self._pictures = self._pictures is not None, None  # first let go of the old ones
            found = self.base.task.training.training_data(
                config, self.spec, on_error=self.options.on_error, progress=self.watcher.reading
            )
            if again:
                self.check_same()
            self._pictures = (key, found)
            self.skipped[:] = [str(error) for error in found.skipped]
            if found.unmeasured is not None:
                raise UserError(f"{found.unmeasured}: there is no score to search by", path=self.spec.path)
        return self._pictures[1]


class _Scores(SilentReporter):
    """Reports the score of each epoch to the study, and asks whether to go on."""

    def __init__(self, attempt: Attempt, column: str, epochs: int, watcher: TuneWatcher) -> None:
        self.attempt = attempt
        self.column = column
        self.epochs = epochs
        self.watcher = watcher
        self.best = -math.inf
        self.heard = time.monotonic()

    def batch_done(self, losses: Mapping[str, float]) -> None:
        """Record now and then that this process is alive."""
        if time.monotonic() - self.heard > HEARD_SECONDS:
            say_alive(self.attempt.trial)
            self.heard = time.monotonic()

    def epoch_ends(self, record: Mapping[str, Any]) -> None:
        """Report the best score so far: the trial's score if it ended here."""
        epoch, score = int(record["epoch"]), record.get(self.column)
        self.watcher.epoch(self.attempt, epoch, self.epochs, score)
        if score is None or not math.isfinite(score):
            return
        self.best = max(self.best, float(score))
        self.attempt.trial.report(self.best, epoch)
        if epoch < self.epochs and self.attempt.trial.should_prune():
            raise Pruned


def remove_files(folder: Path, *names: str) -> None:
    """Delete those files of a trial that are there."""
    for name in names:
        with suppress(OSError):
            (folder / name).unlink(missing_ok=True)
