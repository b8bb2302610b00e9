"""Batches of training samples, prepared ahead by threads.

Threads, not processes: OpenCV and numpy release the interpreter lock in the pixel work, nothing is pickled or
copied between processes, and no shared-memory limit of a container can kill a training (docs/adr/0008).
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import cv2
import numpy as np

from lightdet.arrays import AnyArray, IntArray
from lightdet.data.collate import collate
from lightdet.data.pipeline import TrainingSamples
from lightdet.structures import Batch, Sample


def epoch_order(count: int, batch: int, epoch: int, seed: int, weights: AnyArray | None = None) -> IntArray:
    """The picture indices of an epoch, ``[steps, batch]``.

    A permutation, filled up from its own start to whole batches: every picture is seen, every batch is full.
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
    """Threads that prepare samples, from the processor count: the training itself wants most of it."""
    return max(2, min(8, (os.cpu_count() or 2) // 2))


class TrainingLoader:
    """Iterates over the batches of an epoch in order, each made of this process's share of the total batch.

    Args:
        samples: makes a sample from (epoch, position, index).
        batch: pictures a step over all processes; a multiple of `processes`.
        seed: of the order.
        workers: threads.
        rank, processes: this process and how many there are.
        weights: see `epoch_order`.
    """

    def __init__(
        self,
        samples: TrainingSamples,
        batch: int,
        *,
        seed: int,
        workers: int | None = None,
        rank: int = 0,
        processes: int = 1,
        weights: AnyArray | None = None,
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
        # OpenCV's own threads would fight with these and with the training's.
        cv2.setNumThreads(1)

    def __len__(self) -> int:
        """Batches an epoch."""
        return math.ceil(len(self.samples.pictures) / self.batch)

    def epoch(self, epoch: int, *, first: int = 0, compose: bool = True) -> Iterator[Batch]:
        """Yield the epoch's batches from number `first` on (see `TrainingSamples.make` for `compose`)."""
        order = epoch_order(len(self.samples.pictures), self.batch, epoch, self.seed, self.weights)
        share = self.batch // self.processes
        mine = slice(self.rank * share, (self.rank + 1) * share)
        ahead: deque[tuple[list[Future[Sample]], IntArray]] = deque()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="lightdet-data")
        try:
            for step, indices in enumerate(order[first:], start=first):
                positions = range(step * self.batch + mine.start, step * self.batch + mine.stop)
                jobs: list[Future[Sample]] = [
                    pool.submit(self.samples.make, epoch, position, int(index), compose=compose)
                    for position, index in zip(positions, indices[mine], strict=True)
                ]
                ahead.append((jobs, indices[mine]))
                if len(ahead) > 2:
                    yield self._gather(*ahead.popleft())
            while ahead:
                yield self._gather(*ahead.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    @staticmethod
    def _gather(jobs: list[Future[Sample]], indices: IntArray) -> Batch:
        return collate([job.result() for job in jobs], indices.tolist())
