"""Box voting in plain numbers, apart from the package's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Found = tuple[Sequence[float], float, int]
"""Corners, score, label."""


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def voted(kept: Iterable[Found], everything: Iterable[Found], floor: float = 0.0) -> list[list[float]]:
    """Where the kept boxes lie: the mean of all boxes of their class that overlap them by more than half and score more
    than a quarter and than the floor, weighted by how much more."""
    everything = list(everything)
    moved = []
    for box, score, label in kept:
        total, sums = 0.0, [0.0] * 4
        for other, its_score, its_label in everything:
            weight = max(0.0, min(its_score, score) - max(score / 4, floor)) * max(0.0, overlap(box, other) - 0.5)
            if its_label == label and weight > 0:
                total += weight
                sums = [one + weight * two for one, two in zip(sums, other, strict=True)]
        moved.append([one / total for one in sums] if total > 0 else list(box))
    return moved
