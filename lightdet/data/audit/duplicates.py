"""Identical and nearly identical pictures, found among all pairs in bounded memory.

Two pictures are similar if their gray thumbnails correlate strongly under one of the eight flips and quarter turns,
and so does their fine detail. The second condition matters: pictures from one station share the same shading,
which alone correlates above 0.97 (in NEU-DET 462 pairs do; 2 of them are the same piece of steel, and only those
have correlated detail). Brightness and contrast do not count, nor do noise, blur or JPEG of usual strength;
shifts beyond one or two per cent of the side are missed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lightdet.arrays import AnyArray, BoolArray, FloatArray, IntArray

THUMBNAIL = 32
"""Side of the thumbnails in pixels."""
CORRELATION, DETAIL = 0.97, 0.5
"""Lowest correlation of the thumbnails, and of their detail."""
FLAT = 2.0
"""A thumbnail with a standard deviation below this (of 255) has no shape that could be compared."""
_DETAIL_WINDOW = 5
_BLOCK = 1024


@dataclass
class Matches:
    """For each picture, the most similar other one in each group.

    Attributes:
        correlation: ``[N, G]``, 0 where nothing is similar.
        partner: ``[N, G]``, the index of that picture, -1 if there is none.
        flat: ``[N]``, pictures that were not compared.
    """

    correlation: FloatArray
    partner: IntArray
    flat: BoolArray


def thumbnail(pixels: AnyArray) -> FloatArray:
    """Shrink a picture, uint8 or uint16 ``[H, W]`` or RGB ``[H, W, 3]``, to gray float32 ``[32, 32]`` in 0-255."""
    gray = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small: FloatArray = cv2.resize(gray, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32)
    if pixels.dtype == np.uint16:  # a 12-bit camera uses a sixteenth of the range
        small *= 255.0 / max(float(gray.max()), 1.0)
    return small


def identical(digests: Sequence[bytes | None]) -> Iterator[list[int]]:
    """Yield groups of indices with the same digest, two or more each; None matches nothing."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for index, digest in enumerate(digests):
        if digest is not None:
            groups[digest].append(index)
    return (group for group in groups.values() if len(group) > 1)


def near_matches(thumbnails: FloatArray, groups: IntArray, count: int) -> Matches:
    """Compare all pairs of ``[N, 32, 32]`` thumbnails; `groups` ``[N]`` gives each one's group below `count`.

    Takes ``O(N^2)`` time (10 000 pictures: about half a minute on one core) and ``O(N)`` memory.
    """
    total = len(thumbnails)
    flat = thumbnails.std(axis=(1, 2)) < FLAT
    matches = Matches(np.zeros((total, count), np.float32), np.full((total, count), -1, np.int64), flat)
    for alike, rows, columns in _blocks(thumbnails, np.flatnonzero(~flat)):
        _note(matches, alike, rows, columns, groups)
        _note(matches, alike.T, columns, rows, groups)
    return matches


def near_pairs(thumbnails: FloatArray) -> Iterator[IntArray]:
    """Yield all pairs of similar ``[N, 32, 32]`` thumbnails as ``[2, P]``; time as for `near_matches`."""
    flat = thumbnails.std(axis=(1, 2)) < FLAT
    for alike, rows, columns in _blocks(thumbnails, np.flatnonzero(~flat)):
        first, second = np.nonzero(alike)
        yield np.stack([rows[first], columns[second]]).astype(np.int64)


def _blocks(thumbnails: FloatArray, order: IntArray) -> Iterator[tuple[FloatArray, IntArray, IntArray]]:
    """Yield how similar the pictures `order` are, block by block (``[R, C]``, 0 where they are not), and their indices.

    Of two pictures in different blocks the later one is in the columns; within a block each pair appears twice.
    """
    shapes = thumbnails[order]
    blur = [cv2.blur(shape, (_DETAIL_WINDOW, _DETAIL_WINDOW)) for shape in shapes]
    details = shapes - np.array(blur, np.float32).reshape(shapes.shape)
    left, left_detail = _unit(shapes), _unit(details)
    for start in range(0, len(order), _BLOCK):
        columns = slice(start, start + _BLOCK)
        turned = [_unit(view) for view in _eight_views(shapes[columns])]
        turned_detail = [_unit(view) for view in _eight_views(details[columns])]
        for above in range(0, start + 1, _BLOCK):
            rows = slice(above, above + _BLOCK)
            alike = _compare(left[rows], left_detail[rows], turned, turned_detail)
            if above == start:
                np.fill_diagonal(alike, 0.0)
                # A picture and its mirrored twin may round differently when compared the other way round.
                alike = np.maximum(alike, alike.T)
            yield alike, order[rows], order[columns]


def _unit(stack: FloatArray) -> FloatArray:
    """``[N, S, S]`` → ``[N, S*S]`` with mean 0 and length 1, so that a dot product is a correlation."""
    flat = stack.reshape(len(stack), stack.shape[1] * stack.shape[2])
    centred = flat - flat.mean(axis=1, keepdims=True)
    # Detail below half a gray level is rounding: the floor keeps it from being amplified.
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    unit: FloatArray = (centred / np.maximum(length, 0.5 * THUMBNAIL)).astype(np.float32)
    return unit


def _eight_views(stack: FloatArray) -> Iterator[FloatArray]:
    for quarter in range(4):
        turned = np.rot90(stack, quarter, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


def _compare(
    left: FloatArray, left_detail: FloatArray, right: list[FloatArray], right_detail: list[FloatArray]
) -> FloatArray:
    """``[R, C]``: the best correlation over the eight views if the detail agrees too, otherwise 0."""
    best = np.zeros((len(left), len(right[0])), np.float32)
    for view, detail in zip(right, right_detail, strict=True):
        scores = left @ view.T
        close = scores >= CORRELATION
        if not close.any():
            continue
        if close.mean() > 0.02:
            close &= left_detail @ detail.T >= DETAIL
        else:
            rows, columns = np.nonzero(close)
            close[rows, columns] = np.einsum("ij,ij->i", left_detail[rows], detail[columns]) >= DETAIL
        np.maximum(best, np.where(close, scores, 0.0), out=best)
    return best


def _note(matches: Matches, alike: FloatArray, rows: IntArray, columns: IntArray, groups: IntArray) -> None:
    if not alike.any():
        return
    for group in np.unique(groups[columns]):
        inside = np.flatnonzero(groups[columns] == group)
        part = alike[:, inside]
        at = part.argmax(axis=1)
        value = part[np.arange(len(rows)), at]
        better = value > matches.correlation[rows, group]
        matches.correlation[rows[better], group] = value[better]
        matches.partner[rows[better], group] = columns[inside[at[better]]]
