"""A one-second measurement on the real network and input size, instead of a list of processor names.

Kernels are compared by forward passes on one thread, then the ways to use all processors by whole steps. A candidate
that is clearly slower in its first run gets no second one. Other load disturbs such a short measurement, so it only
decides between things that differ a lot: max-pools by a factor of 4, memory orders by 2.
"""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lightdet.compute.choice import Computing
from lightdet.compute.precision import autocast, has_bf16_units, resolve_precision
from lightdet.layers.pool import Pools, pools_in_use, use_pools
from lightdet.processors import available_processors

PROBE_VARIABLE = "LIGHTDET_PROBE"
"""Environment variable; ``off`` takes fixed choices everywhere."""
SECONDS = 1.0
SIDE = 320
"""Larger inputs are probed at this size: the result is the same, and one second is enough."""
CLEARLY = 1.5
STEADY = 0.7
"""Replicas are chosen if they reach this share of the best speed. Beside another program they keep two thirds of it and
threads inside the layers a tenth (benchmarks/results/training_speed.md); and the probe, which does nothing but network
passes, shows them up to a quarter slower than they train."""
STEP = 5.0
"""A training step takes roughly so many times as long as the forward pass of its pictures."""


@dataclass(frozen=True)
class Wanted:
    """The user's settings; None or ``auto`` leaves one to the probe.

    Attributes:
        probe: False uses fixed choices for everything left open.
        replicas, threads, channels_last, pools, precision: see `Computing`.
    """

    precision: str = "auto"
    channels_last: bool | None = None
    pools: Pools | Literal["auto"] = "auto"
    replicas: int | None = None
    threads: int | None = None
    probe: bool = True


def adapts_to_machine() -> bool:
    """Whether this process may adapt to its machine; the environment can forbid it."""
    return os.environ.get(PROBE_VARIABLE, "").lower() not in ("off", "0", "no", "false")


def default_threads() -> int:
    """Number of compute threads if nothing is measured: one less than the processors (docs/adr/0009)."""
    processors = available_processors()
    if "OMP_NUM_THREADS" in os.environ or processors < 3:
        return torch.get_num_threads()
    return processors - 1


def fixed_computing(wanted: Wanted, device: torch.device) -> Computing:
    """The choice without a measurement.

    Raises:
        UserError: a precision that the device does not support.
    """
    return Computing(
        precision=resolve_precision(wanted.precision, device),
        channels_last=wanted.channels_last is not False,
        pools="torch" if wanted.pools == "auto" else wanted.pools,
        replicas=wanted.replicas or 1,
        threads=wanted.threads or (default_threads() if (wanted.replicas or 1) == 1 else 1),
    )


def choose_computing(network: nn.Module, wanted: Wanted, *, imgsz: int, batch: int, device: torch.device) -> Computing:
    """Measure for about a second how `network` trains fastest here; on a GPU nothing is measured.

    The network and torch's random numbers are left unchanged; the number of torch's threads may differ afterwards.

    Args:
        network: pictures ``[B, 3, S, S]`` → tensors, alone or in tuples, lists and dictionaries.
        wanted: what is already fixed.
        imgsz: side of the input in pixels, a multiple of 32.
        batch: pictures per step; replicas share it evenly.
        device: where to train.

    Raises:
        UserError: a precision that the device does not support.
    """
    start = fixed_computing(wanted, device)
    if device.type != "cpu" or not (wanted.probe and adapts_to_machine()):
        return start
    before = torch.get_num_threads(), pools_in_use()
    try:
        with torch.random.fork_rng(devices=[]):
            probe = _Probe(network, imgsz, batch)
            chosen = probe.kernels(replace(start, replicas=1, threads=1), wanted)
            return probe.workers(chosen, wanted)
    finally:
        torch.set_num_threads(before[0])
        use_pools(before[1])


class _Probe:
    def __init__(self, network: nn.Module, imgsz: int, batch: int) -> None:
        self.deadline = time.perf_counter() + SECONDS
        self.network = copy.deepcopy(network).train()
        self.side = min(imgsz, SIDE)
        self.batch = batch
        self.few = max(1, min(batch, round(SIDE**2 / self.side**2)))
        self.seconds_per_picture = 0.0

    def kernels(self, computing: Computing, wanted: Wanted) -> Computing:
        """Choose pools, memory order and precision, one after the other, by forward passes on one thread."""
        best = self._forward(computing, float("inf"))
        candidates: list[dict[str, Any]] = []
        if wanted.pools == "auto":
            candidates.append({"pools": "onednn"})
        if wanted.channels_last is None:
            candidates.append({"channels_last": False})
        if wanted.precision == "auto" and has_bf16_units(torch.device("cpu")):
            candidates.append({"precision": "fp32" if computing.precision == "bf16" else "bf16"})
        for change in candidates:
            if time.perf_counter() > self.deadline:
                break
            other = replace(computing, **change)
            seconds = self._forward(other, best)
            if seconds < best:
                computing, best = other, seconds
        self.seconds_per_picture = best / self.few
        return computing

    def _forward(self, computing: Computing, best: float) -> float:
        """Seconds of a forward pass; the second run counts, unless the first is clearly slower than `best`."""
        network = self.network.to(memory_format=computing.memory_format)
        return forward_seconds(network, self._images(self.few, computing), computing, best)

    def workers(self, computing: Computing, wanted: Wanted) -> Computing:
        """Choose how the processors share a step: replicas, threads inside the layers, or both."""
        found: list[Computing] = []
        candidates = self._shares(wanted)
        left = (self.deadline - time.perf_counter()) / len(candidates)
        for replicas, threads in candidates:
            if found and time.perf_counter() > self.deadline:
                break
            other = replace(computing, replicas=replicas, threads=threads)
            found.append(replace(other, images_per_second=round(self._steps(other, left), 1)))
        return preferred(found)

    def _shares(self, wanted: Wanted) -> list[tuple[int, int]]:
        limited = os.environ.get("OMP_NUM_THREADS", "")
        processors = int(limited) if limited.isdecimal() and int(limited) > 0 else available_processors()
        return shares(processors, self.batch, wanted)

    def _steps(self, computing: Computing, seconds: float) -> float:
        """Pictures per second of forward and backward passes, by all replicas at once, within about `seconds`."""
        use_pools(computing.pools)
        network = self.network.to(memory_format=computing.memory_format)
        networks = [network, *(copy.deepcopy(network) for _ in range(computing.replicas - 1))]
        each = self._pictures(computing, seconds)
        images = self._images(each, computing)
        needed = min(_side_by_side(networks, images, computing) for _ in range(2))
        network.zero_grad(set_to_none=True)
        return each * computing.replicas / needed

    def _pictures(self, computing: Computing, seconds: float) -> int:
        """Pictures per replica: as many as a step of the training has, if two such steps fit into the time.

        With few pictures the interpreter's lock, which replicas share, weighs more than in the training.
        """
        share = max(1, self.batch // computing.replicas)
        fit = seconds / (2 * STEP * self.seconds_per_picture / computing.threads) if self.seconds_per_picture else 0
        return min(share, max(1, self.few * computing.threads, int(min(share, fit))))

    def _images(self, count: int, computing: Computing) -> Tensor:
        return random_images(count, self.side, computing)


def random_images(count: int, side: int, computing: Computing) -> Tensor:
    """Noise pictures, ``[B, 3, S, S]`` in [0, 1), in the memory order of the computation."""
    return torch.rand(count, 3, side, side).contiguous(memory_format=computing.memory_format)


def forward_seconds(network: nn.Module, images: Tensor, computing: Computing, best: float) -> float:
    """Seconds of a forward pass with this choice; the second run counts, unless the first is clearly slower."""
    computing.apply()
    seconds = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        with torch.no_grad(), autocast(computing.precision, torch.device("cpu")):
            network(images)
        seconds = min(seconds, time.perf_counter() - began)
        if seconds > CLEARLY * best:
            break
    return seconds


def shares(processors: int, batch: int, wanted: Wanted) -> list[tuple[int, int]]:
    """(replicas, threads) worth measuring, most promising first."""
    if wanted.replicas is not None:
        return [(wanted.replicas, wanted.threads or max(1, processors // wanted.replicas))]
    divisors = [count for count in range(1, min(processors, batch) + 1) if batch % count == 0]
    counts = [count for count in reversed(divisors) if count in (1, divisors[-1], processors // 2)]
    found = [(count, wanted.threads or max(1, processors // count)) for count in counts]
    if wanted.threads is None and processors > 2:
        found.append((1, processors - 1))  # one for the data (docs/adr/0009)
    return found


def preferred(found: Sequence[Computing]) -> Computing:
    """The fastest; or replicas if they are nearly as fast, since they wait for each other only once per step."""
    speed = {id(each): each.images_per_second or 0.0 for each in found}
    best = max(found, key=lambda each: speed[id(each)])
    steady = [each for each in found if each.replicas > 1 and speed[id(each)] >= STEADY * speed[id(best)]]
    return max(steady, key=lambda each: speed[id(each)]) if steady else best


def _side_by_side(networks: Sequence[nn.Module], images: Tensor, computing: Computing) -> float:
    """Seconds for one step of every network, each in its own thread with ``computing.threads``."""

    def step(network: nn.Module) -> None:
        torch.set_num_threads(computing.threads)  # a setting of each thread
        with autocast(computing.precision, torch.device("cpu")):
            outputs = network(images)
        torch.stack([each.float().sum() for each in _tensors(outputs)]).sum().backward()  # type: ignore[no-untyped-call]

    threads = [threading.Thread(target=step, args=(network,), daemon=True) for network in networks[1:]]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    step(networks[0])
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def _tensors(outputs: Any) -> Iterator[Tensor]:
    if isinstance(outputs, Tensor):
        yield outputs
    elif isinstance(outputs, dict):
        yield from _tensors(list(outputs.values()))
    else:
        for each in outputs:
            yield from _tensors(each)
