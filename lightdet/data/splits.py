"""Splitting pictures into training and validation, so that the validation can be trusted.

Every class and the background are spread evenly, and copies or near copies stay on one side: a detector must not be
tested on what it has memorized.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lightdet.arrays import AnyArray, BoolArray, IntArray
from lightdet.data.audit.duplicates import THUMBNAIL, identical, near_pairs
from lightdet.data.audit.pictures import PictureCheck
from lightdet.structures import Annotation
from lightdet.wording import counted


def draw_validation(annotations: Sequence[Annotation], groups: IntArray, share: float, seed: int) -> BoolArray:
    """Choose about `share` (0-1) of the pictures for validation, by the classes of their boxes.

    See `draw_share`; pictures without boxes are spread evenly as well.
    """
    return draw_share([annotation.labels for annotation in annotations], groups, share, seed)


def draw_share(labels: Sequence[IntArray], groups: IntArray, share: float, seed: int) -> BoolArray:
    """Choose about `share` (0-1) of the pictures.

    Rare classes are assigned first, each to the side that lacks it most (iterative stratification, Sechidis et al.
    2011), so that a class in two or more groups is on both sides.

    Args:
        labels: for each of ``N`` pictures, the classes in it: int64 ``[K]``, possibly none.
        groups: ``[N]``; pictures of one group stay together.
        share: wanted share of the chosen.
        seed: the same seed draws the same pictures.

    Returns:
        bool ``[N]``, True where a picture is chosen.
    """
    units = units_of(labels, groups)
    holders = (units > 0).sum(axis=0)
    wanted = units.sum(axis=0) * share
    wanted[1:] = np.where(holders[1:] > 1, np.maximum(wanted[1:], 1.0), wanted[1:])
    lacking = np.stack([units.sum(axis=0) - wanted, wanted])  # [not chosen or chosen, column]
    side = spread_out(units, lacking, np.random.default_rng(seed).permutation(len(units)))
    chosen: BoolArray = side[np.unique(groups, return_inverse=True)[1]] == 1
    return chosen


def spread_out(units: AnyArray, lacking: AnyArray, order: IntArray) -> IntArray:
    """Give each group to a side: rare classes first, each to the side that lacks most of that class.

    Equal sides: the one that lacks most pictures, then the last.

    Args:
        units: ``[G, 2 + C]``, see `units_of`.
        lacking: float ``[S, 2 + C]``, what each side is to get; used up.
        order: int64 ``[G]``, in which the groups of a class are given away.

    Returns:
        int64 ``[G]``, the side of each group.
    """
    holders = (units > 0).sum(axis=0)
    side: IntArray = np.full(len(units), -1, np.int64)
    for column in 1 + np.argsort(holders[1:], kind="stable"):
        for unit in order[(side[order] < 0) & (units[order, column] > 0)]:
            side[unit] = np.lexsort((lacking[:, 0], lacking[:, column]))[-1]
            lacking[side[unit]] -= units[unit]
    return side


def units_of(labels: Sequence[IntArray], groups: IntArray) -> AnyArray:
    """``[G, 2 + C]``: pictures of each group, in all, without any class, and with each class."""
    classes = 1 + max((int(found.max()) for found in labels if len(found)), default=-1)
    _, index = np.unique(groups, return_inverse=True)
    units = np.zeros((index.max() + 1, 2 + classes), np.int64)
    for group, found in zip(index, labels, strict=True):
        units[group, 0] += 1
        units[group, 1] += not len(found)
        units[group, 2 + np.unique(found)] += 1
    return units


def alike_groups(checks: Sequence[PictureCheck]) -> IntArray:
    """Give identical or very similar pictures, directly or via others, the same group number: ``[N]``."""
    same = [(first, other) for first, *others in identical([c.pixels_digest for c in checks]) for other in others]
    groups = _joined(np.arange(len(checks)), np.array(same, np.int64).reshape(-1, 2).T)
    known: IntArray = np.array([index for index, check in enumerate(checks) if check.thumbnail is not None], np.int64)
    stack = np.array([checks[index].thumbnail for index in known], np.float32).reshape(-1, THUMBNAIL, THUMBNAIL)
    for pairs in near_pairs(stack):
        groups = _joined(groups, known[pairs])
    return groups


def unlike_kept(groups: IntArray, kept: int) -> BoolArray:
    """Which pictures have no look-alike among the last `kept`, those of a split that stays as it is: ``[N - kept]``."""
    drawn = len(groups) - kept
    free: BoolArray = ~np.isin(groups[:drawn], groups[drawn:])
    return free


def told_left_out(free: BoolArray) -> list[str]:
    """The note on the pictures that `unlike_kept` leaves out; none if there are none."""
    gone = counted(int((~free).sum()), "picture")
    return [] if free.all() else [f"{gone} left out: a picture of 'test', which is kept, is the same or looks alike"]


def _joined(groups: IntArray, pairs: IntArray) -> IntArray:
    """Groups ``[N]`` after joining those of every pair ``[2, P]`` of pictures."""
    first, second = groups[pairs]
    links = coo_array((np.ones(len(first), np.bool_), (first, second)), shape=(len(groups), len(groups)))
    components: IntArray = connected_components(links, directed=False)[1].astype(np.int64)
    return components[groups]
