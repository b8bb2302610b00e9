"""How a trained network answers fastest on this machine: the same question as for training, with other answers.

What a picture's verdict hangs on is left as it is: precision is the user's to choose, and all that is chosen here gives
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
"""A command that looks at one picture waits for it, too."""
NOTABLY = 0.9
"""A way other than the usual one is taken below this share of the time: the machine disturbs so short a measurement."""


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
    """Measure for about half a second which of two networks of the same values answers sooner, and how; set it up.

    Args:
        trained: pictures ``[B, 3, S, S]`` → anything; in evaluation mode. Its memory order may change.
        rewritten: computes the same, sooner as a rule; in channels-last order. `trained` where there is none.
        side: of the input in pixels.
        precision: fp32, bf16 or fp16; kept.
        threads: of the processor; None leaves them to the measurement.
        device: where it runs; a GPU is not asked.

    Returns:
        The network to call, and the choice; this process computes so from now on.
    """
    usual = Computing(precision, threads=threads or torch.get_num_threads(), rewritten=rewritten is not trained)
    if device.type != "cpu":
        return trained, usual
    if adapts_to_machine():
        keep_freed_memory()  # each feature map is otherwise mapped and cleared anew: a third of the time on two cores
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
    """Changes to what was best so far, the likeliest to gain first."""
    yield {}
    if start.threads > 1 and not fixed_threads:  # layers of few places are not worth being shared by many
        yield {"threads": max(1, start.threads // 2)}
    if start.rewritten:
        yield {"rewritten": False}
    yield {"rewritten": False, "pools": "onednn"}
    yield {"rewritten": False, "pools": "torch", "channels_last": False}
