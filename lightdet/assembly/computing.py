"""A training's configuration → how this machine computes it, including replicas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from lightdet.assembly.trainer import RunContext
from lightdet.compute import (
    Computing,
    Wanted,
    adapts_to_machine,
    choose_computing,
    fixed_computing,
    keep_freed_memory,
    return_freed_memory,
)
from lightdet.compute.probe import SIDE
from lightdet.config import TrainConfig
from lightdet.errors import UserError
from lightdet.training.distributed import Processes
from lightdet.training.replicas import Gradients, Member, Peers, ReplicaGradients, draws_numbers, replica_of
from lightdet.training.stopwatch import Stopwatch
from lightdet.training.task import Task

FACT = "computing"
"""The key of the choice in a run's facts; a resumed training computes as it started."""


def compute_with(
    network: nn.Module, train: TrainConfig, imgsz: int, context: RunContext, *, forwards: bool = True
) -> Computing:
    """Decide how to compute, report it, store it in the run's facts, and set this process up for it.

    Args:
        forwards: the network takes only pictures and returns tensors; otherwise the probe cannot run it, and it draws
            random samples to learn from.

    Raises:
        UserError: a precision that the device has not; replicas that cannot share a batch, or several processes with
            replicas.
    """
    alone = context.processes.count == 1
    chance = not forwards or draws_numbers(network)
    _check_replicas(train, context, chance=chance)
    wanted = Wanted(
        train.precision,
        train.channels_last,
        train.pools,
        1 if chance or not alone else train.replicas,
        train.threads,
        train.probe and alone and forwards,
    )
    if context.resume is not None:
        kept = context.resume.run.get(FACT)  # older trainings did not record it; they had no choice
        chosen = fixed_computing(wanted, context.device) if kept is None else _as_before(Computing(**kept), wanted)
    else:
        chosen = choose_computing(network, wanted, imgsz=imgsz, batch=train.batch, device=context.device)
    if chosen.replicas > 1 and not (alone and context.device.type == "cpu"):
        raise UserError(
            f"this training began with {chosen.replicas} replicas in one process on a CPU, and others would change its "
            "results: resume it so, or train into another --output"
        )
    context.run[FACT] = chosen.as_dict()
    if context.device.type == "cpu":
        if adapts_to_machine():
            keep_freed_memory()
            return_freed_memory()  # the probe's
        if alone:
            chosen.apply()
            context.reporter.note(chosen.describe())
    return chosen


def probed_speed(run: Mapping[str, Any], imgsz: int) -> float | None:
    """Pictures per second at `imgsz`, by the probe in a run's facts; None if it measured nothing."""
    speed = run.get(FACT, {}).get("images_per_second")
    return None if speed is None else float(speed) * (min(imgsz, SIDE) / imgsz) ** 2


def _check_replicas(train: TrainConfig, context: RunContext, *, chance: bool) -> None:
    replicas = train.replicas or 1
    if replicas > 1 and context.processes.count > 1:
        raise UserError("train.replicas is for one process; torchrun's processes are its replicas")
    if replicas > 1 and chance:  # all threads share one random source: which one asks first would be chance
        raise UserError("train.replicas: this network draws random numbers while it trains (dropout); leave it out")
    if replicas > 1 and context.device.type != "cpu":
        raise UserError(f"train.replicas shares the processors of a CPU, not {context.device}; leave it out")
    if train.batch % replicas:
        raise UserError(f"train.batch={train.batch} cannot be shared evenly by {replicas} replicas; use a multiple")


def _as_before(kept: Computing, wanted: Wanted) -> Computing:
    """The threads may differ from when the training started: they change no result by more than rounding."""
    if wanted.threads is None:
        return kept
    return Computing(**{**kept.as_dict(), "threads": wanted.threads, "images_per_second": None})


TaskMaker = Callable[[Any, Processes | Member], Task]
"""(network, this process or this replica among its peers) → its task."""


def build_replicas(
    network: nn.Module, make: TaskMaker, context: RunContext, computing: Computing
) -> tuple[Task, Callable[[Stopwatch], Gradients] | None]:
    """Return the task of `network`, and with replicas the object that computes gradients with all of them."""
    if computing.replicas == 1:
        return make(network, context.processes), None
    peers = Peers(computing.replicas)
    networks = [network, *(replica_of(network) for _ in range(computing.replicas - 1))]
    tasks = [make(each, member) for each, member in zip(networks, peers.members(), strict=True)]
    return tasks[0], lambda watch: ReplicaGradients(tasks, peers, threads=computing.threads, watch=watch)
