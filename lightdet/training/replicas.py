"""Loss and gradients of a batch: by the network itself, or by replicas that each take a part.

Replicas are threads of this process. Each has a copy of the network that shares the weights' memory and keeps its own
gradients and normalization statistics, so they wait for each other only at the start and the end of a step, and once
for the counts that the loss divides by. Several processes under torchrun do the same, but with copied weights.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from lightdet.structures import LossTerms
from lightdet.training.stopwatch import Stopwatch
from lightdet.training.task import Task

Network = TypeVar("Network", bound=nn.Module)


class Splittable(Protocol):
    """A batch that can be shared."""

    def parts(self, count: int) -> Sequence[Any]:
        """`count` batches of equal size, in order."""


@dataclass(frozen=True)
class Member:
    """One replica among its peers, as seen by a loss (compare `lightdet.training.distributed.Processes`)."""

    peers: Peers
    rank: int

    @property
    def count(self) -> int:
        """How many there are."""
        return self.peers.count

    def mean(self, value: Tensor) -> Tensor:
        """The mean of `value` over the replicas; each of them must call this, and waits for the last one."""
        return self.peers.mean(self.rank, value)


class Peers:
    """Where replicas meet: each contributes a value, all get the mean, summed in the order of their ranks."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._barrier = threading.Barrier(count)
        # Two alternating sets: the first to reach the next meeting must not overwrite what others still read.
        self._values: tuple[list[Any], list[Any]] = ([None] * count, [None] * count)
        self._meetings = [0] * count

    def members(self) -> list[Member]:
        """All of them, by rank."""
        return [Member(self, rank) for rank in range(self.count)]

    def mean(self, rank: int, value: Tensor) -> Tensor:
        """See `Member.mean`."""
        values = self._values[self._meetings[rank] % 2]
        self._meetings[rank] += 1
        values[rank] = value
        self._barrier.wait()
        return torch.stack(list(values)).sum(0) / self.count

    def give_up(self) -> None:
        """Release those who wait for a replica that failed."""
        self._barrier.abort()


def replica_of(network: Network) -> Network:
    """A copy of a network that shares the weights' memory; gradients and buffers (statistics) are its own."""
    memo = {id(parameter): nn.Parameter(parameter.data, parameter.requires_grad) for parameter in network.parameters()}
    return copy.deepcopy(network, memo)


def draws_numbers(network: nn.Module) -> bool:
    """Whether the network draws random numbers in training (dropout, stochastic depth)."""
    drawing = (nn.modules.dropout._DropoutNd, StochasticDepth)
    return any(isinstance(module, drawing) and module.p > 0 for module in network.modules())


class Gradients(Protocol):
    """Computes a batch's gradients, where the optimizer finds them."""

    def __call__(self, batch: Any) -> LossTerms:
        """Compute the gradients of `batch` and add them to earlier ones; returns the loss, detached."""

    def collect(self) -> None:
        """Make the gradients of all batches since `clear` ready for the optimizer."""

    def clear(self) -> None:
        """Clear all gradients."""

    def networks(self) -> Sequence[nn.Module]:
        """The modules to put into training mode."""

    def close(self) -> None:
        """End the threads."""


class OwnGradients:
    """Gradients by the network itself, or by its wrapper for several processes.

    Args:
        task: network and loss.
        forward: the network or its wrapper.
        scale: applied to the loss before its gradients are taken.
        watch: measures network and loss.
        held: entered for the forward pass; keeps other threads from running Python meanwhile.
    """

    def __init__(
        self,
        task: Task,
        forward: nn.Module,
        *,
        watch: Stopwatch,
        scale: Callable[[Tensor], Tensor] = lambda total: total,
        held: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.task, self.forward, self.watch, self.scale, self.held = task, forward, watch, scale, held

    def __call__(self, batch: Any) -> LossTerms:
        """See `Gradients`."""
        return _forward_and_backward(self.task, self.forward, batch, self.watch, scale=self.scale, held=self.held)

    def collect(self) -> None:
        """See `Gradients`: they already are."""

    def clear(self) -> None:
        """See `Gradients`."""
        self.task.network.zero_grad(set_to_none=True)

    def networks(self) -> Sequence[nn.Module]:
        """See `Gradients`."""
        return [self.task.network]

    def close(self) -> None:
        """Nothing to end."""


class ReplicaGradients:
    """Gradients by parallel replicas, each with an equal share of every batch.

    The same parts always go to the same replicas and are summed in the same order, so a training is reproducible to
    the last bit. Batch normalization uses the statistics of each part; the running ones are averaged after each batch.

    Args:
        tasks: one per replica, the first with the network itself; losses that divide by counts agree by `peers`.
        peers: where they meet.
        threads: of the processor, per replica.
        watch: measures the first one's network and loss.
    """

    def __init__(self, tasks: Sequence[Task], peers: Peers, *, threads: int, watch: Stopwatch) -> None:
        self.tasks, self.peers, self.watch = tasks, peers, watch
        self._parameters = [[p for p in task.network.parameters() if p.requires_grad] for task in tasks]
        self._norms = [_normalizations(task.network) for task in tasks]
        self._pool = ThreadPoolExecutor(
            len(tasks) - 1, "lightdet-replica", initializer=torch.set_num_threads, initargs=(threads,)
        )

    def __call__(self, batch: Splittable) -> LossTerms:
        """See `Gradients`."""
        parts = batch.parts(len(self.tasks))
        statistics = [[value for norm in mine for value in _running(norm)] for mine in self._norms]
        _copy_first(statistics)
        jobs = [self._pool.submit(self._part, rank, parts[rank]) for rank in range(1, len(self.tasks))]
        found = [self._part(0, parts[0]), *(job.result() for job in jobs)]
        errors = [each for each in found if isinstance(each, BaseException)]
        if errors:
            raise next((each for each in errors if not isinstance(each, threading.BrokenBarrierError)), errors[0])
        if any(norm.training for norm in self._norms[0]):
            _average(statistics)
        return _mean([each for each in found if isinstance(each, LossTerms)])

    def _part(self, rank: int, batch: Any) -> LossTerms | BaseException:
        task = self.tasks[rank]
        watch = self.watch if rank == 0 else Stopwatch()
        try:
            return _forward_and_backward(task, task.network, batch, watch)
        except BaseException as error:
            self.peers.give_up()
            return error

    def collect(self) -> None:
        """See `Gradients`: the replicas' gradients are averaged, as processes average theirs."""
        gradients = [[p.grad for p in mine] for mine in self._parameters]
        used = [k for k in range(len(gradients[0])) if all(mine[k] is not None for mine in gradients)]
        _average([[mine[k] for k in used] for mine in gradients])

    def clear(self) -> None:
        """See `Gradients`."""
        for task in self.tasks:
            task.network.zero_grad(set_to_none=True)

    def networks(self) -> Sequence[nn.Module]:
        """See `Gradients`."""
        return [task.network for task in self.tasks]

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _forward_and_backward(
    task: Task,
    forward: nn.Module,
    batch: Any,
    watch: Stopwatch,
    *,
    scale: Callable[[Tensor], Tensor] = lambda total: total,
    held: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> LossTerms:
    with held(), watch.measure("loss"):
        terms = task.loss(watch.timed(forward, "network"), batch)
    with watch.measure("network"):
        scale(terms.total).backward()  # type: ignore[no-untyped-call]
    return LossTerms(terms.total.detach(), terms.parts)


def _normalizations(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    norms = (m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))
    return [norm for norm in norms if norm.running_mean is not None]


def _running(norm: nn.modules.batchnorm._BatchNorm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None  # noqa: S101 - chosen by that
    return norm.running_mean, norm.running_var


def _copy_first(lists: Sequence[list[Tensor]]) -> None:
    """Copy the first list's tensors into the others; a network without batch normalization has none."""
    for each in lists[1:]:
        if each:
            torch._foreach_copy_(each, lists[0])


def _average(lists: Sequence[list[Any]]) -> None:
    """Write the element-wise mean of the lists' tensors into the first list."""
    for each in lists[1:]:
        torch._foreach_add_(lists[0], each)
    torch._foreach_mul_(lists[0], 1 / len(lists))


def _mean(found: Sequence[LossTerms]) -> LossTerms:
    total = torch.stack([terms.total for terms in found]).mean()
    return LossTerms(total, {name: torch.stack([t.parts[name] for t in found]).mean() for name in found[0].parts})
