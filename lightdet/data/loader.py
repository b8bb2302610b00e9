"""Batches of training samples, prepared ahead by threads.

Threads, not processes: OpenCV and numpy release the interpreter lock in the pixel work, nothing is pickled or
copied between processes, and no shared-memory limit of a container can kill a training (docs/adr/0008).
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import cv2
import numpy as np

from lightdet.arrays import AnyArray, IntArray
from lightdet.data.collate import collate
from lightdet.processors import available_processors


def epoch_order(count: int, batch: int, epoch: int, seed: int, weights: AnyArray | None = None) -> IntArray:
    """The picture indices of an epoch, ``[steps, batch]``.

    A permutation, padded from its own start to whole batches: every picture is seen, every batch is full.
    With `weights` (``[count]``, positive), pictures are drawn with replacement in those proportions instead.
    """
    rng = np.random.default_rng((seed, epoch))
    steps = -(-count // batch)
    if weights is not None:
        order = rng.choice(count, size=steps * batch, p=weights / weights.sum())
    else:
        order = np.resize(rng.permutation(count), steps * batch)
    return order.reshape(steps, batch).astype(np.int64)


def default_workers() -> int:
    """Number of threads that prepare samples, from the processor count: the training itself needs most of them."""
    return max(2, min(8, available_processors() // 2))


class SampleMaker(Protocol):
    """Makes samples from pictures."""

    def __len__(self) -> int:
        """How many pictures there are."""

    def make(self, epoch: int, position: int, index: int, *, compose: bool) -> Any:
        """The sample at `position` of the epoch's order, which is picture `index`."""


class EpochOrder(Protocol):
    """The pictures of an epoch, in order."""

    def __len__(self) -> int:
        """The number of pictures per epoch, always the same."""

    def draw(self, epoch: int) -> IntArray:
        """The indices of an epoch, determined by its number."""


class TrainingLoader:
    """Iterates over the batches of an epoch in order, each made of this process's share of the total batch.

    Args:
        samples: makes a sample from (epoch, position, index).
        batch: pictures per step over all processes; a multiple of `processes`.
        seed: of the order.
        workers: threads.
        rank, processes: this process and how many there are.
        weights: see `epoch_order`.
        order: the pictures of an epoch, instead of `epoch_order`'s; padded from its start to whole batches.
        join: (samples, their indices) → a batch.
    """

    def __init__(
        self,
        samples: SampleMaker,
        batch: int,
        *,
        seed: int,
        workers: int | None = None,
        rank: int = 0,
        processes: int = 1,
        weights: AnyArray | None = None,
        order: EpochOrder | None = None,
        join: Callable[[Sequence[Any], Sequence[int]], Any] = collate,
    ) -> None:
        if batch % processes:
            raise ValueError(f"batch {batch} cannot be shared by {processes} processes")
        self.samples = samples
        self.batch = batch
        self.seed = seed
        self.workers = default_workers() if workers is None else max(1, workers)
        self.rank = rank
        self.processes = processes
        self.weights = weights
        self.order = order
        self.join = join
        self._may_work = threading.Event()
        self._may_work.set()
        self._ahead: deque[Future[Any]] = deque()
        # OpenCV's own threads would fight with these and with the training's.
        cv2.setNumThreads(1)

    @property
    def per_epoch(self) -> int:
        """The pictures of an epoch, or their crops; classes that are sampled count as often as they are drawn."""
        return len(self.samples if self.order is None else self.order)

    def __len__(self) -> int:
        """Batches an epoch."""
        return math.ceil(self.per_epoch / self.batch)

    def epoch(self, epoch: int, *, first: int = 0, compose: bool = True) -> Generator[Any, None, None]:
        """Yield the epoch's batches from number `first` on (see `TrainingSamples.make` for `compose`)."""
        order = self._order(epoch)
        share = self.batch // self.processes
        mine = slice(self.rank * share, (self.rank + 1) * share)
        ahead = self._ahead = deque()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="lightdet-data")
        try:
            for step, indices in enumerate(order[first:], start=first):
                positions = range(step * self.batch + mine.start, step * self.batch + mine.stop)
                jobs: list[Future[Any]] = [
                    pool.submit(self._make, epoch, position, int(index), compose)
                    for position, index in zip(positions, indices[mine], strict=True)
                ]
                # After its samples in the queue, so that this also works with a single thread.
                ahead.append(pool.submit(self._gather, jobs, indices[mine]))
                if len(ahead) > 2:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no thread begin a sample while the body runs, as long as the next batch is ready.

        For work that is half Python, such as a network's forward pass on the CPU: threads that prepare samples would
        keep taking the interpreter lock from it.
        """
        if self._ahead and self._ahead[0].done():
            self._may_work.clear()
        try:
            yield
        finally:
            self._may_work.set()

    def _make(self, epoch: int, position: int, index: int, compose: bool) -> Any:
        self._may_work.wait()
        return self.samples.make(epoch, position, index, compose=compose)

    def _order(self, epoch: int) -> IntArray:
        """The picture indices of an epoch, ``[steps, batch]``."""
        if self.order is None:
            return epoch_order(len(self.samples), self.batch, epoch, self.seed, self.weights)
        return np.resize(self.order.draw(epoch), len(self) * self.batch).reshape(-1, self.batch).astype(np.int64)

    def _gather(self, jobs: list[Future[Any]], indices: IntArray) -> Any:
        return self.join([job.result() for job in jobs], indices.tolist())
