"""The same work on many items, with as many threads as the training has replicas."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(work: Callable[[Item], Result], items: Iterable[Item], *, replicas: int) -> list[Result]:
    """Results in the order of `items`; with several `replicas`, each computes with the caller's number of threads."""
    if replicas == 1:
        return [work(item) for item in items]
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(replicas, "lightdet-val", initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        return list(pool.map(work, items))
