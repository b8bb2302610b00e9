"""Dividing pictures into training and validation, so that the validation can be believed.

Every class and the background are shared out evenly, and pictures that are copies of one another, or nearly so,
stay on one side: a detector must not be tested on what it has learnt by heart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lightdet.arrays import AnyArray, BoolArray, IntArray
from lightdet.data.audit.duplicates import THUMBNAIL, identical, near_matches
from lightdet.data.audit.pictures import PictureCheck
from lightdet.structures import Annotation


def draw_validation(annotations: Sequence[Annotation], groups: IntArray, share: float, seed: int) -> BoolArray:
    """Choose about `share` (0-1) of the pictures for validation.

    Rare classes are dealt first, each to the side that lacks it most (iterative stratification, Sechidis et al.
    2011), so that a class held by two groups or more is on both sides.

    Args:
        annotations: the pictures, ``N`` of them.
        groups: ``[N]``; pictures of one group stay together.
        share: wanted share of the validation.
        seed: the same seed draws the same pictures.

    Returns:
        bool ``[N]``, True where a picture is for validation.
    """
    units = _units(annotations, groups)
    holders = (units > 0).sum(axis=0)
    wanted = units.sum(axis=0) * share
    wanted[1:] = np.where(holders[1:] > 1, np.maximum(wanted[1:], 1.0), wanted[1:])
    lacking = np.stack([units.sum(axis=0) - wanted, wanted])  # [training or validation, column]
    side = np.full(len(units), -1)
    order = np.random.default_rng(seed).permutation(len(units))
    for column in 1 + np.argsort(holders[1:], kind="stable"):
        for unit in order[(side[order] < 0) & (units[order, column] > 0)]:
            side[unit] = int(lacking[1, column] >= lacking[0, column])
            lacking[side[unit]] -= units[unit]
    chosen: BoolArray = side[np.unique(groups, return_inverse=True)[1]] == 1
    return chosen


def _units(annotations: Sequence[Annotation], groups: IntArray) -> AnyArray:
    """``[G, 2 + C]``: pictures of each group, in all, without boxes, and with each class."""
    classes = 1 + max((int(a.labels.max()) for a in annotations if len(a)), default=-1)
    _, index = np.unique(groups, return_inverse=True)
    units = np.zeros((index.max() + 1, 2 + classes), np.int64)
    for group, annotation in zip(index, annotations, strict=True):
        units[group, 0] += 1
        units[group, 1] += not len(annotation)
        units[group, 2 + np.unique(annotation.labels)] += 1
    return units


def alike_groups(checks: Sequence[PictureCheck]) -> IntArray:
    """Number pictures that are identical or very similar, directly or by way of others, alike: ``[N]``."""
    groups = np.arange(len(checks))

    def join(first: int, second: int) -> None:
        groups[groups == groups[second]] = groups[first]

    for same in identical([check.pixels_digest for check in checks]):
        for other in same[1:]:
            join(same[0], other)
    known = [index for index, check in enumerate(checks) if check.thumbnail is not None]
    stack = np.array([checks[index].thumbnail for index in known], np.float32).reshape(-1, THUMBNAIL, THUMBNAIL)
    matches = near_matches(stack, np.zeros(len(known), np.int64), 1)
    for position, partner in enumerate(matches.partner[:, 0]):
        if partner >= 0:
            join(known[position], known[partner])
    return groups
