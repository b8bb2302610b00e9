"""The parts of every training, for any network and data, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from lightdet import __version__
from lightdet.arrays import Image
from lightdet.config import Pace, TrainConfig
from lightdet.data.loader import TrainingLoader
from lightdet.errors import UserError
from lightdet.training.callbacks.tensorboard import TensorBoard
from lightdet.training.checkpoint import Progress, TrainingState
from lightdet.training.distributed import Processes
from lightdet.training.ema import ExponentialMovingAverage
from lightdet.training.interrupt import StopRequest
from lightdet.training.optimizer import build_optimizer
from lightdet.training.page import PAGE_FILE, PageWords, TrainingPage
from lightdet.training.plan import SINGLE_SHARE, EpochPlan, Plan, TimePlan
from lightdet.training.replicas import Gradients
from lightdet.training.reporting import Reporter
from lightdet.training.schedule import WarmupCosine
from lightdet.training.stopwatch import Stopwatch
from lightdet.training.task import Task
from lightdet.training.trainer import Trainer, TrainerSettings
from lightdet.training.validation import Validation
from lightdet.wording import training_length

SCORING_COST = 0.5
"""Guess of a picture's validation time as a share of its training time, until measured."""
FIRST_BATCHES, FIRST_PICTURES = 3, 64
"""How many batches are shown on the page, for which they are made again: fewer if they hold more pictures than this."""
Network = TypeVar("Network", bound=nn.Module)
SaveWeights = Callable[[Path, nn.Module, dict[str, Any]], None]


@dataclass(frozen=True)
class RunContext:
    """Where a training runs and what follows it.

    Attributes:
        folder: where its files go.
        device: the device.
        reporter: shows the progress.
        run: stored in the state file and compared on resuming.
        processes: this process among its peers.
        stop: set by a signal.
        resume: the state to continue from.
        board: write TensorBoard files and the page.
        callbacks: besides TensorBoard.
        began: when the command started, by `time.perf_counter`; None: now. ``train.minutes`` count from there.
        before_weights: called before the weights are written for the first time, in the first process.
    """

    folder: Path
    device: torch.device
    reporter: Reporter
    run: dict[str, Any] = field(default_factory=dict)
    processes: Processes = field(default_factory=Processes)
    stop: StopRequest | None = None
    resume: TrainingState | None = None
    board: bool = True
    began: float | None = None
    callbacks: Sequence[Any] = ()
    before_weights: Callable[[], None] = lambda: None


def check_shares(train: TrainConfig, processes: Processes) -> None:
    """Refuse a batch that the processes cannot share.

    Raises:
        UserError: it is not a multiple of their number.
    """
    if train.batch % processes.count:
        raise UserError(f"train.batch={train.batch} cannot be shared by {processes.count} processes; use a multiple")


def place_network(network: Network, train: TrainConfig, context: RunContext, layout: torch.memory_format) -> Network:
    """Move a network to its device, with the configured memory layout and batch normalization."""
    network = network.to(device=context.device, memory_format=layout)  # type: ignore[call-overload]
    if train.sync_batchnorm and context.processes.count > 1 and context.device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return network


def assemble_trainer(
    task: Task,
    loader: TrainingLoader,
    validation: Validation | None,
    train: TrainConfig,
    context: RunContext,
    *,
    save_weights: SaveWeights,
    draw_batch: Callable[[Any], Image],
    pace: Pace,
    single_epochs: int = 0,
    words: PageWords,
    about: Mapping[str, Mapping[str, str]],
    replicas: Callable[[Stopwatch], Gradients] | None = None,
    threads: int = 1,
) -> Trainer:
    """Add optimizer, plan and average to a task and its data; with ``context.resume``, continue where it was saved.

    Args:
        words, about: for the page; `about` holds facts for its end, by group.
        single_epochs: how many final epochs combine no pictures; at most a fifth of the training.
        pace: see `Pace.of`.
        replicas: see `Trainer`.
        threads: that share the optimizer's step.
    """
    plan = _plan(train, pace, context, len(loader), single_epochs, 0 if validation is None else len(validation))
    page = None
    if context.board and context.processes.is_first:
        page = _page(context, words, about, partial(_first_batches, loader, draw_batch, plan))
    trainer = Trainer(
        task,
        loader,
        validation,
        optimizer=build_optimizer(
            task.network,
            pace.optimizer,
            lr=pace.lr,
            momentum=train.momentum,
            weight_decay=train.weight_decay,
            batch=train.batch * train.accumulate,
            threads=threads,
        ),
        plan=plan,
        average=ExponentialMovingAverage(task.network, train.ema_decay),
        settings=TrainerSettings(**{field.name: getattr(train, field.name) for field in fields(TrainerSettings)}),
        folder=context.folder,
        save_weights=_after(context.before_weights, save_weights),
        run=context.run,
        draw_batch=draw_batch,
        processes=context.processes,
        reporter=context.reporter,
        stop=context.stop,
        callbacks=[*([TensorBoard()] if context.board else []), *context.callbacks],
        page=page,
        replicas=replicas,
    )
    if context.resume is not None:
        trainer.resume(context.resume)
    return trainer


def _page(
    context: RunContext,
    words: PageWords,
    about: Mapping[str, Mapping[str, str]],
    batches: Callable[[], list[Image]],
) -> TrainingPage:
    title = f"Training: {context.folder.absolute().name}"
    return TrainingPage(context.folder / PAGE_FILE, title, words, batches, {**about, "Made": _made(context)})


def _after(begin: Callable[[], None], save: SaveWeights) -> SaveWeights:
    """`save`, whose first call is preceded by `begin`."""
    once = cache(begin)

    def saving(path: Path, network: nn.Module, facts: dict[str, Any]) -> None:
        once()
        save(path, network, facts)

    return saving


def _first_batches(loader: TrainingLoader, draw: Callable[[Any], Image], plan: Plan) -> list[Image]:
    """The first batches again, since they depend only on the seed."""
    count = max(1, min(FIRST_BATCHES, FIRST_PICTURES // loader.batch))
    with closing(loader.epoch(0, compose=plan.composes(Progress()))) as batches:
        return [draw(batch) for batch in islice(batches, count)]


def training_facts(train: TrainConfig, pace: Pace, imgsz: int) -> dict[str, str]:
    """The settings shown on the page."""
    return {
        "length": training_length(train.epochs, train.minutes),
        "batch": str(train.batch) if train.accumulate == 1 else f"{train.batch}, {train.accumulate} accumulated",
        "input": f"{imgsz} × {imgsz} pixels",
        "learning rate": f"{pace.lr:g}, {pace.optimizer}",
        "seed": str(train.seed),
    }


def _made(context: RunContext) -> dict[str, str]:
    """The versions and the device of the training."""
    return {"device": str(context.device), "lightdet": __version__, "torch": torch.__version__}


def _plan(train: TrainConfig, pace: Pace, context: RunContext, batches: int, single_epochs: int, scored: int) -> Plan:
    """The plan of a training with `batches` per epoch and `scored` validation pictures."""
    steps = -(-batches // train.accumulate)
    if train.minutes is not None:
        return TimePlan(
            60 * train.minutes,
            lr=pace.lr,
            final=train.lr_final,
            warmup=round(pace.warmup_epochs * steps),
            single_epochs=single_epochs,
            batches=batches,
            first_guess=scored / (batches * train.batch) * SCORING_COST,
            began=context.began,
            before=context.resume.progress.spent if context.resume is not None else 0.0,
        )
    whole = train.epochs * steps
    warmup = min(
        round(pace.warmup_epochs * steps), whole // 3
    )  # a short training needs time for the rate to fall again
    singles = min(single_epochs, int(train.epochs * SINGLE_SHARE))
    return EpochPlan(train.epochs, WarmupCosine(pace.lr, train.lr_final, warmup, whole), singles)
