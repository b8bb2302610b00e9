"""How unsure a detector is of a picture, from its own answers."""

from __future__ import annotations

import numpy as np

from lightdet.arrays import AnyArray, FloatArray
from lightdet.evaluation.matching import overlaps
from lightdet.structures import Detections

SAME = 0.5
"""Boxes of one class that overlap by this much are one finding."""


def uncertainty(scores: FloatArray) -> float:
    """The binary entropies of a picture's scores ``[N]`` in [0, 1], added up, in bits (Brust et al. 2019, "sum").

    A box that is certain or almost ruled out adds nothing; one at 0.5 adds 1.
    """
    p = np.clip(scores.astype(np.float64), 1e-9, 1 - 1e-9)
    return float(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).sum())


def disagreement(first: Detections, second: Detections) -> float:
    """How much two answers for one picture differ: for each finding in both, what their scores and places differ by;
    for each finding in one alone, its score.

    Args:
        first, second: in pixels of the same picture, such as of the picture and of its mirror image mirrored back.

    Returns:
        0 if the answers are the same; never negative.
    """
    total, open_second = 0.0, np.ones(len(second), bool)
    overlap = overlaps(first.boxes, second.boxes)
    for index in np.argsort(-first.scores, kind="stable"):
        fits = np.where(open_second & (second.labels == first.labels[index]), overlap[index], 0.0)
        best = int(fits.argmax()) if len(fits) else -1
        if best < 0 or fits[best] < SAME:
            total += float(first.scores[index])
            continue
        open_second[best] = False
        total += abs(float(first.scores[index]) - float(second.scores[best])) + 1.0 - float(fits[best])
    return total + float(second.scores[open_second].sum())


def ranks(values: AnyArray) -> AnyArray:
    """Each value's place among all ``[N]``, from 0 (lowest) to 1; equal values share the mean of their places."""
    count = len(values)
    if count < 2:
        return np.ones(count)
    order = np.sort(values)
    low, high = np.searchsorted(order, values, "left"), np.searchsorted(order, values, "right") - 1
    shares: AnyArray = (low + high) / (2.0 * (count - 1))
    return shares
