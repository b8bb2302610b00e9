"""Pictures that teach much and are unlike each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lightdet.arrays import AnyArray


def choose(
    teaching: AnyArray, features: AnyArray, labelled: AnyArray, twins: Mapping[int, Sequence[int]], count: int
) -> list[int]:
    """Choose pictures one by one: each time the one with the largest product of `teaching` and the distance from all
    that are labelled or chosen already (k-center greedy, Sener and Savarese 2018, weighted).

    Args:
        teaching: what each of the N pictures is worth by itself, ``[N]``, 0 or more.
        features: where it lies, ``[N, D]``; only directions count, so the distance is 1 minus the cosine.
        labelled: where the labelled pictures lie, ``[M, D]``; M may be 0.
        twins: for a picture, others that look like it: they are not chosen after it.
        count: how many are wanted.

    Returns:
        Indices, best first; fewer than `count` where only twins are left.
    """
    places = _unit(features)
    distance = np.full(len(places), 2.0)
    for begin in range(0, len(labelled), 1024):
        near = places @ _unit(labelled[begin : begin + 1024]).T
        distance = np.minimum(distance, 1.0 - near.max(axis=1))
    free = np.ones(len(places), bool)
    chosen: list[int] = []
    while len(chosen) < count and free.any():
        # A picture may lie exactly on a chosen one and still be no twin: it comes last, by what it teaches.
        worth = np.where(free, teaching * np.maximum(distance, 0.0) + 1e-12 * teaching, -1.0)
        best = int(worth.argmax())
        chosen.append(best)
        free[[best, *twins.get(best, ())]] = False
        distance = np.minimum(distance, 1.0 - places @ places[best])
    return chosen


def _unit(rows: AnyArray) -> AnyArray:
    rows = rows.astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: AnyArray = rows / np.maximum(length, 1e-12)
    return unit
