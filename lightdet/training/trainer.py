"""The training, from first epoch to last: epoch, batch and step each fit a screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from lightdet.arrays import Image
from lightdet.data.loader import TrainingLoader
from lightdet.errors import UserError
from lightdet.files import remove_leftover
from lightdet.training.checkpoint import STATE_FILE, Progress, TrainingState, save_state
from lightdet.training.distributed import Processes
from lightdet.training.ema import ExponentialMovingAverage
from lightdet.training.interrupt import StopRequest
from lightdet.training.optimizer import clip_gradients
from lightdet.training.reporting import Board, Reporter, SilentReporter, write_results_csv
from lightdet.training.schedule import WarmupCosine
from lightdet.training.task import Task
from lightdet.training.validation import Scored, Validation

BATCHES_BETWEEN_READINGS = 20
BEST_FILE, LAST_FILE, RESULTS_FILE = "best.safetensors", "last.safetensors", "results.csv"


@dataclass(frozen=True)
class TrainerSettings:
    """The plain numbers of a training; see ``TrainConfig`` for their meaning."""

    epochs: int
    accumulate: int = 1
    clip_norm: float = 10.0
    compose_off_epochs: int = 10
    patience: int = 0
    validate_every: int = 1
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
        schedule: learning rate by optimizer step.
        average: the averaged network.
        settings: plain numbers.
        folder: where files go.
        save_weights: writes the averaged weights with the model's card to a path (facts go into the card).
        run: kept in the state file and compared on resuming.
        draw_batch: makes a sheet of a batch's pictures for the board, uint8 ``[H, W, 3]``.
    """

    def __init__(
        self,
        task: Task,
        loader: TrainingLoader,
        validation: Validation | None,
        *,
        optimizer: Optimizer,
        schedule: WarmupCosine,
        average: ExponentialMovingAverage,
        settings: TrainerSettings,
        folder: Path,
        save_weights: Callable[[Path, nn.Module, dict[str, Any]], None],
        run: dict[str, Any],
        draw_batch: Callable[[Any], Image],
        processes: Processes | None = None,
        reporter: Reporter | None = None,
        stop: StopRequest | None = None,
        board: bool = True,
    ) -> None:
        self.task = task
        self.loader = loader
        self.validation = validation
        self.optimizer = optimizer
        self.schedule = schedule
        self.average = average
        self.settings = settings
        self.folder = folder
        self.save_weights = save_weights
        self.run_facts = run
        self.draw_batch = draw_batch
        self.processes = processes or Processes()
        self.reporter = reporter or SilentReporter()
        self.stop = stop or StopRequest()
        self.board = Board(folder / "tensorboard" if board and self.processes.is_first else None, self.reporter.note)
        self.progress = Progress()
        self._pending: list[dict[str, Tensor]] = []
        self.device = next(task.network.parameters()).device
        fp16 = getattr(task, "precision", "") == "fp16"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=fp16)
        self.forward_module = self._distribute(task.network)

    def _distribute(self, network: nn.Module) -> nn.Module:
        if self.processes.count == 1:
            return network
        devices = [self.processes.local_rank] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=devices)

    def resume(self, state: TrainingState) -> None:
        """Go back to where `state` was saved."""
        state.restore(self.task.network, self.average.network, self.optimizer)
        self.average.updates = state.average_updates
        if state.scaler:
            self.scaler.load_state_dict(state.scaler)
        self.progress = state.progress

    def fit(self) -> Progress:
        """Train to the end, to an early stop, or to a signal; returns where it stands."""
        if self.processes.is_first:  # best.safetensors may never be written again
            for name in (BEST_FILE, LAST_FILE, RESULTS_FILE, STATE_FILE):
                remove_leftover(self.folder / name)
        with closing(self.board):
            while not self.progress.done:
                if not self._run_epoch():
                    if self.processes.is_first:
                        self._save_state()
                    self.processes.wait()
                    break
        if self.progress.done and self.processes.is_first:
            self._say_if_nothing_was_learned()
        return self.progress

    def _say_if_nothing_was_learned(self) -> None:
        """A training can run to its end and find nothing, without any number that is not finite."""
        best = self.progress.best_metrics
        if best is None or best.get("map50") != 0:
            return
        self.reporter.note(
            f"nothing was learned: the best mAP@0.5 is 0. Take more epochs (these were {self.settings.epochs}), "
            f"a lower train.lr (it was {self.schedule.lr:g}), or a larger --imgsz if the defects are small; "
            "'lightdet data audit' shows whether labels and pictures belong together"
        )

    def _run_epoch(self) -> bool:
        """Take the rest of the current epoch; False if a signal asked to stop within it."""
        progress, epoch = self.progress, self.progress.epoch
        self.reporter.epoch_begins(epoch, self.settings.epochs, len(self.loader), progress.batch)
        self._training_mode()
        compose = epoch < self.settings.epochs - self.settings.compose_off_epochs
        began, images = time.perf_counter(), 0
        for batch in self.loader.epoch(epoch, first=progress.batch, compose=compose):
            if progress.step == 0 and progress.batch == 0 and self.board.is_open:
                self.board.picture("training batch", self.draw_batch(batch), 0)
            self._take(batch)
            images += self.loader.batch
            at_step = progress.batch % self.settings.accumulate == 0
            if at_step and self.processes.any(self.stop.requested, self.device):
                self._count(images, time.perf_counter() - began)
                return progress.batch == len(self.loader) and self._finish_epoch(images, began)
        self._count(images, time.perf_counter() - began)
        return self._finish_epoch(images, began)

    def _count(self, images: int, seconds: float) -> None:
        self._read_losses()
        self.progress.seconds += seconds
        self.progress.images += images

    def _training_mode(self) -> None:
        self.task.network.train()
        if self.settings.freeze_batchnorm:
            for module in self.task.network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def _take(self, batch: Any) -> None:
        """One batch: loss, gradients, and a step when enough batches have come together."""
        progress = self.progress
        # Dropout and other draws of networks depend on the batch's place alone: a resumed training repeats them.
        place = (self.settings.seed, progress.epoch, progress.batch, self.processes.rank)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
        with self._samples_held():
            terms = self.task.loss(self.forward_module, batch)
        self.scaler.scale(terms.total).backward()  # type: ignore[no-untyped-call]
        whole = {} if "loss" in terms.parts else {"loss": terms.total.detach() / self.loader.batch}
        self._pending.append({**terms.parts, **whole})
        progress.batch += 1
        # The last batches of an epoch step too, though fewer of them came together.
        if progress.batch % self.settings.accumulate == 0 or progress.batch == len(self.loader):
            with self._samples_held():
                self._step()
        # Reading a number from a GPU waits for all its work; there it is done now and then.
        if self.device.type == "cpu" or len(self._pending) >= BATCHES_BETWEEN_READINGS:
            self._read_losses()
        read = max(1, progress.batch - len(self._pending))
        self.reporter.batch_done({name: total / read for name, total in progress.losses.items()})

    def _samples_held(self) -> AbstractContextManager[None]:
        # A GPU works behind the program's back, and there the samples are what is waited for.
        return self.loader.held() if self.device.type == "cpu" else nullcontext()

    def _read_losses(self) -> None:
        """Add what the last batches cost to the epoch's sums."""
        losses = self.progress.losses
        for terms in self._pending:
            for name, value in terms.items():
                losses[name] = losses.get(name, 0.0) + float(value)
        self._pending.clear()

    def _step(self) -> None:
        rate = self.schedule.at(self.progress.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.scaler.unscale_(self.optimizer)
        limit = self.settings.clip_norm or float("inf")
        norm = clip_gradients(self.task.network.parameters(), limit)
        if not self.scaler.is_enabled() and not torch.isfinite(norm):
            raise UserError(
                f"the training diverged in epoch {self.progress.epoch + 1} (gradients are not finite): "
                "lower train.lr, or take train.precision=fp32; the last saved state is kept"
            )
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(self.task.network)
        self.progress.step += 1

    def _finish_epoch(self, images: int, began: float) -> bool:
        """Score, record and save a whole epoch; move on to the next."""
        progress = self.progress
        speed = images / max(1e-9, time.perf_counter() - began)
        losses = {name: total / progress.batch for name, total in progress.losses.items()}
        record: dict[str, Any] = {
            "epoch": progress.epoch + 1,
            "minutes": round(progress.seconds / 60, 3),
            "images_per_second": round(speed, 1),
            "lr": self.schedule.at(progress.step - 1),
            **losses,
        }
        last = progress.epoch + 1 == self.settings.epochs
        scored = self._score() if last or (progress.epoch + 1) % self.settings.validate_every == 0 else None
        is_best = scored is not None and self._note_score(scored)
        if scored is not None:
            record |= scored.columns
        progress.history.append(record)
        progress.epoch += 1
        progress.batch, progress.losses = 0, {}
        patience = self.settings.patience
        # Only the first process has scored; what it decides holds for all.
        out_of_patience = bool(patience and progress.since_best >= patience)
        progress.done = last or self.processes.any(out_of_patience, self.device)
        if self.processes.is_first:
            self._write(record, is_best=is_best)
        self.processes.wait()
        return not self.stop.requested or progress.done

    def _score(self) -> Scored | None:
        """What the averaged network is worth, from the first process; the others learn only whether to go on."""
        if self.validation is None or not self.processes.is_first:
            return None
        began = time.perf_counter()
        scored = self.validation.score(self.task, self.average.network)
        self.progress.seconds += time.perf_counter() - began
        if self.board.is_open:
            self.board.picture("validation", scored.draw(), self.progress.epoch + 1)
        return scored

    def _note_score(self, scored: Scored) -> bool:
        """Remember the score; True if it is the best so far."""
        progress = self.progress
        progress.last_metrics = scored.metrics
        if progress.best is not None and scored.best_by <= progress.best:
            progress.since_best += 1
            return False
        progress.best, progress.best_epoch, progress.since_best = scored.best_by, progress.epoch + 1, 0
        progress.best_metrics = progress.last_metrics
        return True

    def _write(self, record: dict[str, Any], *, is_best: bool) -> None:
        """Leave weights, results and state; the state comes last, it is what resuming trusts."""
        progress = self.progress
        facts = {"epoch": progress.epoch, "metrics": progress.last_metrics}
        if is_best or (self.validation is None and progress.done):
            self.save_weights(self.folder / BEST_FILE, self.average.network, facts)
        if progress.done or progress.epoch % self.settings.save_every == 0:
            self.save_weights(self.folder / LAST_FILE, self.average.network, facts)
            write_results_csv(self.folder / RESULTS_FILE, progress.history)
            self._save_state()
        self.board.scalars(record, progress.epoch)
        self.reporter.epoch_ends(record)

    def _save_state(self) -> None:
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
