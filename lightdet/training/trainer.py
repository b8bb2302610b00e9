"""The training, from first epoch to last: epoch, batch and step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from lightdet.arrays import Image
from lightdet.compute import return_freed_memory
from lightdet.data.loader import TrainingLoader
from lightdet.errors import UserError
from lightdet.files import remove_leftover
from lightdet.training.callbacks.base import Callbacks, TrainingRun
from lightdet.training.checkpoint import STATE_FILE, Progress, TrainingState, save_state
from lightdet.training.distributed import Processes
from lightdet.training.ema import ExponentialMovingAverage
from lightdet.training.interrupt import StopRequest
from lightdet.training.optimizer import clip_gradients, scale_gradients
from lightdet.training.page import PAGE_FILE, TrainingPage
from lightdet.training.plan import Plan
from lightdet.training.replicas import Gradients, OwnGradients
from lightdet.training.reporting import Reporter, SilentReporter, diverged, nothing_learned, write_results_csv
from lightdet.training.result import TrainResult
from lightdet.training.scoring_pace import scoring_is_due
from lightdet.training.stopwatch import Stopwatch, describe_time
from lightdet.training.task import Task
from lightdet.training.validation import Scored, Validation

BATCHES_BETWEEN_READINGS = 20
BEST_FILE, LAST_FILE, RESULTS_FILE = "best.safetensors", "last.safetensors", "results.csv"


@dataclass(frozen=True)
class TrainerSettings:
    """The plain numbers of a training; see ``TrainConfig`` for their meaning."""

    accumulate: int = 1
    clip_norm: float = 10.0
    patience: int = 0
    validate_every: int | None = 1
    save_every: int = 1
    freeze_batchnorm: bool = False
    seed: int = 0


class Trainer:
    """Trains a task's network and leaves ``best``, ``last`` and ``state`` files in a folder.

    Args:
        task: network and loss.
        loader: batches of the training split.
        validation: what to score on; None skips scoring.
        optimizer: over the network's parameters.
        plan: the learning rate of each step, and when to end.
        average: the averaged network.
        settings: plain numbers.
        folder: where files go.
        save_weights: writes the averaged weights with the model's card to a path (facts go into the card).
        run: stored in the state file and compared on resuming.
        draw_batch: makes a sheet of a batch's pictures for the callbacks, uint8 ``[H, W, 3]``.
        callbacks: called during the training; in the first process only.
        page: the training's page; None writes none.
        replicas: what computes gradients instead of the network itself; created with the stopwatch it reports to.
    """

    def __init__(
        self,
        task: Task,
        loader: TrainingLoader,
        validation: Validation | None,
        *,
        optimizer: Optimizer,
        plan: Plan,
        average: ExponentialMovingAverage,
        settings: TrainerSettings,
        folder: Path,
        save_weights: Callable[[Path, nn.Module, dict[str, Any]], None],
        run: dict[str, Any],
        draw_batch: Callable[[Any], Image],
        processes: Processes | None = None,
        reporter: Reporter | None = None,
        stop: StopRequest | None = None,
        callbacks: Sequence[Any] = (),
        page: TrainingPage | None = None,
        replicas: Callable[[Stopwatch], Gradients] | None = None,
    ) -> None:
        self.task = task
        self.loader = loader
        self.validation = validation
        self.optimizer = optimizer
        self.plan = plan
        self.average = average
        self.settings = settings
        self.folder = folder
        self.save_weights = save_weights
        self.run_facts = run
        self.draw_batch = draw_batch
        self.processes = processes or Processes()
        self.reporter = reporter or SilentReporter()
        self.stop = stop or StopRequest()
        self.callbacks = Callbacks(callbacks if self.processes.is_first else ())
        self.page = page
        self.progress = Progress()
        self._rate = 0.0
        self._saved = False
        self._pending: list[dict[str, Tensor]] = []
        self.device = next(task.network.parameters()).device
        fp16 = getattr(task, "precision", "") == "fp16"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=fp16)
        self.watch = Stopwatch()
        self.progress.time = self.watch.seconds
        self.gradients = self._own_gradients() if replicas is None else replicas(self.watch)

    def _own_gradients(self) -> Gradients:
        return OwnGradients(
            self.task,
            self._distribute(self.task.network),
            watch=self.watch,
            scale=self.scaler.scale,
            # A GPU works asynchronously, and there the samples are the bottleneck.
            held=self.loader.held if self.device.type == "cpu" else nullcontext,
        )

    def _distribute(self, network: nn.Module) -> nn.Module:
        if self.processes.count == 1:
            return network
        devices = [self.processes.local_rank] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=devices)

    def resume(self, state: TrainingState) -> None:
        """Return to where `state` was saved."""
        state.restore(self.task.network, self.average.network, self.optimizer)
        self.average.updates = state.average_updates
        if state.scaler:
            self.scaler.load_state_dict(state.scaler)
        self.progress = state.progress
        self._saved = True
        self.watch.seconds = self.progress.time

    def fit(self) -> Progress:
        """Train to the end, to an early stop, or to a signal; returns the progress."""
        if self.processes.is_first:  # best.safetensors may not be written again
            for name in (BEST_FILE, LAST_FILE, RESULTS_FILE, STATE_FILE, PAGE_FILE):
                remove_leftover(self.folder / name)
        resumed = self._saved
        try:
            with closing(self.gradients):
                config = self.run_facts.get("config", {})
                self.callbacks.begin(TrainingRun(self.folder, config, resumed, self.reporter.note))
                while not self.progress.done:
                    if not self._run_epoch():
                        if self.processes.is_first:
                            self._save_state()
                            self._write_page(now=True)
                        self.processes.wait()
                        break
        except BaseException as error:
            self.callbacks.failed(error, saved=self._saved)
            raise
        stopped = not self.progress.done
        self.callbacks.end(TrainResult(self.folder, self.progress, stopped))
        if self.progress.done and self.processes.is_first:
            if (self.progress.best_metrics or {}).get("map50") == 0:
                self.reporter.note(nothing_learned(self.progress.epoch, self.progress.step, self.plan.lr))
            if self.device.type == "cpu":  # a GPU works asynchronously: wait for it before reading the clock
                whole = self.progress.seconds + self.progress.time.get("writing", 0.0)
                self.reporter.note(describe_time(self.progress.time, whole))
        return self.progress

    def _run_epoch(self) -> bool:
        """Run the rest of the current epoch; False if a signal asked to stop within it."""
        progress, epoch = self.progress, self.progress.epoch
        self.reporter.epoch_begins(epoch, self.plan.epochs(progress), len(self.loader), progress.batch)
        self._training_mode()
        began, images = time.perf_counter(), progress.images
        batches = self.loader.epoch(epoch, first=progress.batch, compose=self.plan.composes(progress))
        with closing(batches), self._counted() as count:
            for batch in self.watch.waiting(batches, "pictures"):
                if progress.step == 0 and progress.batch == 0 and self.callbacks.want_pictures:
                    self.callbacks.picture("training batch", self.draw_batch(batch), 0)
                self._take(batch)
                count()
                at_step = progress.batch % self.settings.accumulate == 0
                if at_step and self.processes.any(self.stop.requested, self.device):
                    break
                if self.plan.is_over(progress):
                    break
        speed = (progress.images - images) / max(1e-9, time.perf_counter() - began)
        stopped = progress.batch < len(self.loader) and not self.plan.is_over(progress)
        return not stopped and self._finish_epoch(speed)

    @contextmanager
    def _counted(self) -> Iterator[Callable[[], None]]:
        """Return a function that counts a batch and its time, including the wait for its pictures."""
        progress, last = self.progress, time.perf_counter()

        def count() -> None:
            nonlocal last
            now = time.perf_counter()
            progress.seconds += now - last
            progress.images += self.loader.batch
            progress.batches += 1
            last = now

        yield count
        self._read_losses()

    def _training_mode(self) -> None:
        for network in self.gradients.networks():
            network.train()
            if self.settings.freeze_batchnorm:
                for module in network.modules():
                    if isinstance(module, nn.modules.batchnorm._BatchNorm):
                        module.eval()

    def _take(self, batch: Any) -> None:
        """One batch: loss, gradients, and a step once enough batches are accumulated."""
        progress = self.progress
        # Dropout and other random draws depend only on the batch's position: a resumed training repeats them.
        place = (self.settings.seed, progress.epoch, progress.batch, self.processes.rank)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
        terms = self.gradients(batch)
        whole = {} if "loss" in terms.parts else {"loss": terms.total / self.loader.batch}
        self._pending.append({**terms.parts, **whole})
        progress.batch += 1
        # The last batches of an epoch make a step too, even if fewer are accumulated.
        if progress.batch % self.settings.accumulate == 0 or progress.batch == len(self.loader):
            with self.loader.held() if self.device.type == "cpu" else nullcontext():
                self._step()
        # Reading a number from a GPU waits for all its work, so there it is done only now and then.
        if self.device.type == "cpu" or len(self._pending) >= BATCHES_BETWEEN_READINGS:
            self._read_losses()
        read = max(1, progress.batch - len(self._pending))
        self.reporter.batch_done({name: total / read for name, total in progress.losses.items()})

    def _read_losses(self) -> None:
        """Add the losses of the last batches to the epoch's sums."""
        losses = self.progress.losses
        for terms in self._pending:
            for name, value in terms.items():
                losses[name] = losses.get(name, 0.0) + float(value)
        self._pending.clear()

    def _step(self) -> None:
        rate = self.plan.rate(self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.gradients.collect()
        self.scaler.unscale_(self.optimizer)
        if getattr(self.task, "loss_is_mean", False):
            # The last step of an epoch may have fewer batches.
            batches = self.progress.batch % self.settings.accumulate or self.settings.accumulate
            scale_gradients(self.task.network.parameters(), 1 / batches)
        limit = self.settings.clip_norm or float("inf")
        norm = clip_gradients(self.task.network.parameters(), limit)
        if not self.scaler.is_enabled() and not torch.isfinite(norm):
            done, precision = self.progress.epoch, getattr(self.task, "precision", "fp32")
            kept = done - done % self.settings.save_every
            raise UserError(diverged(done + 1, self.plan.lr, precision, kept))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.gradients.clear()
        self._rate = rate
        self.average.update(self.task.network)
        self.progress.step += 1

    def _finish_epoch(self, speed: float) -> bool:
        """Score, record and save an epoch (or what the time allowed of it), and move on to the next."""
        progress = self.progress
        losses = {name: total / progress.batch for name, total in progress.losses.items()}
        record: dict[str, Any] = {
            "epoch": progress.epoch + 1,
            "minutes": round(progress.seconds / 60, 3),
            "images_per_second": round(speed, 1),
            "lr": self._rate,
            **losses,
        }
        began = time.perf_counter()
        last = self.plan.is_last(progress)
        scored = self._score() if last or self._scores_now() else None
        is_best = scored is not None and progress.note_score(scored.best_by, scored.metrics)
        if scored is not None:
            record |= scored.columns
            if self.page is not None:
                self.page.keep(progress.epoch + 1, scored.pictures, best=is_best)
        progress.history.append(record)
        progress.epoch += 1
        progress.batch, progress.losses = 0, {}
        patience = self.settings.patience
        # Only the first process has scored; its decision applies to all.
        out_of_patience = bool(patience and progress.since_best >= patience)
        progress.done = last or self.processes.any(out_of_patience, self.device)
        if self.validation is None and progress.done:
            is_best, progress.best_epoch = True, progress.epoch
        if self.processes.is_first:
            with self.watch.measure("writing"):
                self._write(record, is_best=is_best)
                self._tell(record, scored)
        if scored is not None:
            progress.scoring = time.perf_counter() - began
            if self.page is not None and not self.page.fresh:  # at the end it is always written
                progress.scoring += self.page.seconds
        self.processes.wait()
        # Callbacks run only in the first process.
        return not self.processes.any(self.stop.requested, self.device) or progress.done

    def _scores_now(self) -> bool:
        page = 0.0 if self.page is None else self.page.seconds
        return scoring_is_due(self.progress, self.settings.validate_every, page)

    def _score(self) -> Scored | None:
        """The validation of the averaged network, from the first process; the others learn only whether to go on."""
        if self.validation is None or not self.processes.is_first:
            return None
        began = time.perf_counter()
        with self.watch.measure("validation"):
            return_freed_memory()
            scored = self.validation.score(self.task, self.average.network)
        self.progress.seconds += time.perf_counter() - began
        return scored

    def _write(self, record: dict[str, Any], *, is_best: bool) -> None:
        """Write weights, results and state; the state comes last, because resuming relies on it."""
        progress = self.progress
        if is_best:
            self.save_weights(self.folder / BEST_FILE, self.average.network, self._facts())
        if self._saves():
            self._write_last()
        self._write_page(now=progress.done)
        self.reporter.epoch_ends(record)

    def _saves(self) -> bool:
        """Whether the state is saved after this epoch."""
        return self.progress.done or self.progress.epoch % self.settings.save_every == 0

    def _write_last(self) -> None:
        self.save_weights(self.folder / LAST_FILE, self.average.network, self._facts())
        write_results_csv(self.folder / RESULTS_FILE, self.progress.history)
        self._save_state()

    def _facts(self) -> dict[str, Any]:
        return {"epoch": self.progress.epoch, "metrics": self.progress.last_metrics}

    def _tell(self, record: dict[str, Any], scored: Scored | None) -> None:
        """Call the callbacks after an epoch; whatever they raise, the state is saved."""
        epoch = self.progress.epoch
        try:
            if scored is not None and self.callbacks.want_pictures:
                self.callbacks.picture("validation", scored.draw(), epoch)
            if self.callbacks.epoch_end(record):
                self.stop.requested = True
        except BaseException:
            if not self._saves():
                self._write_last()
            self.reporter.note(f"a callback failed after epoch {epoch}, which is saved: the training can be resumed")
            raise

    def _write_page(self, *, now: bool) -> None:
        if self.page is not None and self.progress.history:
            self.page.write(self.progress, self.plan.epochs(self.progress), now=now)

    def _save_state(self) -> None:
        self.progress.spent = self.plan.spent()
        save_state(
            self.folder / STATE_FILE,
            network=self.task.network,
            average=self.average.network,
            average_updates=self.average.updates,
            optimizer=self.optimizer,
            scaler=self.scaler.state_dict(),
            progress=self.progress,
            run=self.run_facts,
        )
        self._saved = True
