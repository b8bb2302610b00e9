"""The parts that every training has, whatever its network and its data: put together here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from lightdet.arrays import Image
from lightdet.config import TrainConfig
from lightdet.data.loader import TrainingLoader
from lightdet.errors import UserError
from lightdet.training.checkpoint import TrainingState
from lightdet.training.distributed import Processes
from lightdet.training.ema import ExponentialMovingAverage
from lightdet.training.interrupt import StopRequest
from lightdet.training.optimizer import build_optimizer
from lightdet.training.reporting import Reporter
from lightdet.training.schedule import WarmupCosine
from lightdet.training.task import Task
from lightdet.training.trainer import Trainer, TrainerSettings
from lightdet.training.validation import Validation

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Surroundings:
    """Where a training runs and whom it tells.

    Attributes:
        folder: where its files go.
        device: what computes.
        reporter: hears what happens.
        run: kept in the state file and compared on resuming.
        processes: this process among its peers.
        stop: raised by a signal.
        resume: go on from there.
        board: write TensorBoard files.
    """

    folder: Path
    device: torch.device
    reporter: Reporter
    run: dict[str, Any] = field(default_factory=dict)
    processes: Processes = field(default_factory=Processes)
    stop: StopRequest | None = None
    resume: TrainingState | None = None
    board: bool = True


def check_shares(train: TrainConfig, processes: Processes) -> None:
    """Refuse a batch that the processes cannot share.

    Raises:
        UserError: it is no multiple of their number.
    """
    if train.batch % processes.count:
        raise UserError(f"train.batch={train.batch} cannot be shared by {processes.count} processes; take a multiple")


def place_network(network: Network, train: TrainConfig, around: Surroundings) -> Network:
    """Move a network to its device, in the memory layout and with the batch norm that the configuration asks for."""
    layout = torch.channels_last if train.channels_last else torch.contiguous_format
    network = network.to(device=around.device, memory_format=layout)  # type: ignore[call-overload]
    if train.sync_batchnorm and around.processes.count > 1 and around.device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return network


def assemble_trainer(
    task: Task,
    loader: TrainingLoader,
    validation: Validation | None,
    train: TrainConfig,
    around: Surroundings,
    *,
    save_weights: Callable[[Path, nn.Module, dict[str, Any]], None],
    draw_batch: Callable[[Any], Image],
    compose_off_epochs: int = 0,
) -> Trainer:
    """Add optimizer, schedule and average to a task and its data; from ``around.resume``, go on where it was saved."""
    steps = train.epochs * -(-len(loader) // train.accumulate)
    # A short training must have time to come down again.
    warmup = min(round(train.warmup_epochs * steps / train.epochs), steps // 3)
    trainer = Trainer(
        task,
        loader,
        validation,
        optimizer=build_optimizer(
            task.network,
            train.optimizer,
            lr=train.lr,
            momentum=train.momentum,
            weight_decay=train.weight_decay,
            batch=train.batch * train.accumulate,
        ),
        schedule=WarmupCosine(train.lr, train.lr_final, warmup, steps),
        average=ExponentialMovingAverage(task.network, train.ema_decay),
        settings=TrainerSettings(
            epochs=train.epochs,
            accumulate=train.accumulate,
            clip_norm=train.clip_norm,
            compose_off_epochs=compose_off_epochs,
            patience=train.patience,
            validate_every=train.validate_every,
            save_every=train.save_every,
            freeze_batchnorm=train.freeze_batchnorm,
            seed=train.seed,
        ),
        folder=around.folder,
        save_weights=save_weights,
        run=around.run,
        draw_batch=draw_batch,
        processes=around.processes,
        reporter=around.reporter,
        stop=around.stop,
        board=around.board,
    )
    if around.resume is not None:
        trainer.resume(around.resume)
    return trainer
