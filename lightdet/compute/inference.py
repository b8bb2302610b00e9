"""How a trained network runs fastest on this machine: the same question as for training, with other answers.

Nothing that a verdict depends on is changed: the precision is left to the user, and every choice made here gives
the same values up to rounding.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import nn

from lightdet.compute.choice import Computing
from lightdet.compute.memory import keep_freed_memory
from lightdet.compute.probe import adapts_to_machine, forward_seconds, random_images

log = logging.getLogger(__name__)

SECONDS = 0.5
"""A command that processes a single picture waits for this as well."""
NOTABLY = 0.9
"""Another way replaces the default only below this share of its time: so short a measurement is noisy."""


Network = TypeVar("Network", bound=nn.Module)


def ready_for_inference(
    trained: Network,
    rewritten: Network,
    *,
    side: int,
    precision: str = "fp32",
    threads: int | None = None,
    device: torch.device,
) -> tuple[Network, Computing]:
    """Measure for about half a second which of two equivalent networks is faster, and with which settings; apply them.

    Args:
        trained: pictures ``[B, 3, S, S]`` → anything; in evaluation mode. Its memory order may change.
        rewritten: computes the same, usually faster; in channels-last order. `trained` if there is none.
        side: of the input in pixels.
        precision: fp32, bf16 or fp16; kept.
        threads: number of processor threads; None: chosen by the measurement.
        device: where it runs; on a GPU nothing is measured.

    Returns:
        The network to call, and the choice, which this process uses from now on.
    """
    usual = Computing(precision, threads=threads or torch.get_num_threads(), rewritten=rewritten is not trained)
    if device.type != "cpu":
        return trained, usual
    if adapts_to_machine():
        keep_freed_memory()  # otherwise each feature map is mapped and cleared again: a third of the time on two cores
        with torch.random.fork_rng(devices=[]):
            usual = _measured(trained, rewritten, side, usual, fixed_threads=threads is not None)
    usual.apply()
    log.info(usual.describe())
    network = rewritten if usual.rewritten else trained
    return network.to(memory_format=usual.memory_format), usual


def _measured(
    trained: nn.Module, rewritten: nn.Module, side: int, usual: Computing, *, fixed_threads: bool
) -> Computing:
    deadline = time.perf_counter() + SECONDS
    best, chosen = float("inf"), usual
    for change in _candidates(usual, fixed_threads=fixed_threads):
        if time.perf_counter() > deadline and best < float("inf"):
            break
        other = replace(chosen, **change)
        network = rewritten if other.rewritten else trained
        network.to(memory_format=other.memory_format)
        seconds = forward_seconds(network, random_images(1, side, other), other, best)
        if seconds < NOTABLY * best:
            best, chosen = seconds, other
    return replace(chosen, images_per_second=round(1 / best, 1))


def _candidates(start: Computing, *, fixed_threads: bool) -> Iterator[dict[str, Any]]:
    """Changes to the best choice so far, most promising first."""
    yield {}
    if start.threads > 1 and not fixed_threads:  # small feature maps are not worth sharing among many threads
        yield {"threads": max(1, start.threads // 2)}
    if start.rewritten:
        yield {"rewritten": False}
    yield {"rewritten": False, "pools": "onednn"}
    yield {"rewritten": False, "pools": "torch", "channels_last": False}
