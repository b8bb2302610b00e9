"""Whether the anchors fit the boxes of a data set and, if not, which would."""

from __future__ import annotations

import numpy as np

from lightdet.arrays import AnyArray, FloatArray

# More boxes than this do not change nine anchors; they only take time.
MAX_POINTS = 20_000


def anchor_recall(sides: FloatArray, anchors: AnyArray, ratio: float) -> float:
    """Share of boxes (``[M, 2]`` width, height in input pixels) that match some anchor (``[K, 2]``).

    A match: neither side differs by `ratio` or more, as in the assignment. 1.0 without boxes.
    """
    if len(sides) == 0:
        return 1.0
    quotient = sides[:, None] / anchors[None]
    worst = np.maximum(quotient, 1 / np.maximum(quotient, 1e-9)).max(axis=2)
    return float((worst.min(axis=1) < ratio).mean())


def anchor_similarity(sides: FloatArray, anchors: AnyArray) -> float:
    """How similar boxes (``[M, 2]``) and their best anchors (``[K, 2]``) are, in (0, 1]; 1.0 without boxes.

    The mean over boxes of the best anchor's similarity, which is the smaller side ratio (at most 1).
    """
    if len(sides) == 0:
        return 1.0
    quotient = sides[:, None] / anchors[None]
    return float(np.minimum(quotient, 1 / quotient).min(axis=2).max(axis=1).mean())


def fit_anchors(sides: FloatArray, levels: int, per_level: int, *, seed: int = 0, rounds: int = 60) -> AnyArray:
    """Cluster box sides into anchors ``[levels, per_level, 2]``, smallest area first.

    k-means on the logarithms of width and height: the assignment compares by factors, so do the clusters.
    The best of several starts is taken. With fewer distinct boxes than anchors, some anchors repeat.
    """
    usable = sides[(sides > 0).all(axis=1)]
    if len(usable) == 0:
        raise ValueError("no boxes to fit anchors to")
    rng = np.random.default_rng(seed)
    if len(usable) > MAX_POINTS:
        usable = rng.choice(usable, MAX_POINTS, replace=False)
    points = np.log(np.maximum(usable.astype(np.float64), 1.0))
    starts = (_cluster(points, levels * per_level, rng, rounds) for _ in range(8))
    _, centres = min(starts, key=lambda found: found[0])
    anchors = np.exp(centres)
    order = np.argsort(anchors.prod(axis=1), kind="stable")
    return np.round(anchors[order], 1).reshape(levels, per_level, 2)


def _cluster(points: AnyArray, count: int, rng: np.random.Generator, rounds: int) -> tuple[float, AnyArray]:
    """One run of k-means: (mean squared distance, centres ``[count, 2]``)."""
    centres = _spread_start(points, count, rng)
    for _ in range(rounds):
        distance = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
        nearest = distance.argmin(axis=1)
        moved = np.stack(
            [points[nearest == k].mean(axis=0) if (nearest == k).any() else centres[k] for k in range(count)]
        )
        if np.allclose(moved, centres):
            break
        centres = moved
    distance = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
    return float(distance.min(axis=1).mean()), centres


def _spread_start(points: AnyArray, count: int, rng: np.random.Generator) -> AnyArray:
    """k-means++ (Arthur 2007): each start is drawn in proportion to its squared distance from those before."""
    centres = [points[rng.integers(len(points))]]
    for _ in range(count - 1):
        distance = ((points[:, None] - np.stack(centres)[None]) ** 2).sum(axis=2).min(axis=1)
        total = distance.sum()
        index = rng.choice(len(points), p=distance / total) if total > 0 else rng.integers(len(points))
        centres.append(points[index])
    return np.stack(centres)
