"""Raw outputs of an exported network → detections, in numpy: threshold first, then decode the few that are left.

Letters: B batch, A anchors per cell, C classes, N candidates, n those that pass the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from lightdet.arrays import FloatArray, IntArray
from lightdet.geometry.nms import nms, vote
from lightdet.inference.runtime import RawDetections

MAX_CANDIDATES = 2000
"""As in `lightdet.models.postprocess`: no picture's best detections need more candidates than this."""
SLACK = 1e-3
"""Cells are selected down to this much (in logits) below the threshold; the exact one is applied after decoding."""
ALL_BUT_ONE = 16.0
"""From about this logit on, a float32 sigmoid rounds to 1, and so passes a threshold of 1."""

Anchors: TypeAlias = Sequence[Sequence[tuple[float, float]]]


def decode_cells(
    grids: Sequence[FloatArray],
    anchors: Anchors,
    strides: Sequence[int],
    confidence: float,
    *,
    channels_last: bool = False,
) -> FloatArray:
    """Decode the cells of one picture whose objectness reaches `confidence`; the others cost one comparison.

    The same values as from `lightdet.models.heads.decode_grids`: with one class its probability is 1.

    Args:
        grids: raw ``[A * (5 + C), H, W]``, one per stride.
        anchors: ``[strides][A][2]`` width and height in input pixels.
        strides: pixels per cell.
        confidence: in [0, 1].
        channels_last: the grids are ``[H, W, A * (5 + C)]``.

    Returns:
        float32 ``[n, 5 + C]``: centre x, centre y, width, height in input pixels, objectness, class probabilities.
    """
    return np.concatenate(
        [_decode_grid(grid, np.asarray(sizes, np.float32), stride, confidence, channels_last)
         for grid, sizes, stride in zip(grids, anchors, strides, strict=True)]
    )  # fmt: skip


def _decode_grid(
    grid: FloatArray, sizes: FloatArray, stride: int, confidence: float, channels_last: bool
) -> FloatArray:
    if channels_last:
        _, width, channels = grid.shape
        cells = grid.reshape(-1, len(sizes), channels // len(sizes)).transpose(1, 2, 0)
    else:
        channels, _, width = grid.shape
        cells = grid.reshape(len(sizes), channels // len(sizes), -1)
    # [A, 5 + C, H * W] either way, and nothing was copied
    with np.errstate(invalid="ignore"):  # a diverged network's NaN passes no threshold
        anchor, cell = np.nonzero(cells[:, 4] >= min(logit(confidence), ALL_BUT_ONE) - SLACK)
    p = sigmoid(cells[anchor, :, cell].astype(np.float32, copy=False))  # [n, 5 + C]
    out = np.empty_like(p)
    out[:, 0] = (p[:, 0] * 2 - 0.5 + cell % width) * stride
    out[:, 1] = (p[:, 1] * 2 - 0.5 + cell // width) * stride
    out[:, 2:4] = (p[:, 2:4] * 2) ** 2 * sizes[anchor]
    out[:, 4:] = p[:, 4:]
    if p.shape[1] == 6:
        out[:, 5] = 1.0
    return out


def select(
    candidates: FloatArray, *, confidence: float, iou: float, max_detections: int, agnostic: bool = False
) -> RawDetections:
    """Return the detections among the candidates ``[N, 5 + C]`` of one picture.

    The same rules as in `lightdet.models.postprocess.postprocess`: a score is objectness times class probability, a
    box may count for several classes, and values that are not finite are no detections.
    """
    with np.errstate(invalid="ignore"):
        likely = candidates[candidates[:, 4] >= confidence]
    finite = np.isfinite(likely).all(axis=1)
    if not finite.all():
        likely = likely[finite]
    scores = likely[:, 4:5] * likely[:, 5:]  # [n, C]
    passes = scores >= confidence
    if agnostic and len(scores):  # of the classes of one candidate, which share a box, the best suppresses the others
        passes &= np.arange(scores.shape[1]) == scores.argmax(axis=1)[:, None]
    cell, label = np.nonzero(passes)
    score = scores[cell, label]
    most, floor = max(MAX_CANDIDATES, max_detections), confidence
    if len(score) > most:
        best = np.argpartition(-score, most)[:most]
        cell, label, score = cell[best], label[best], score[best]
        floor = float(score.min())
    centre, half = likely[cell, :2], likely[cell, 2:4] / 2
    boxes: FloatArray = np.concatenate((centre - half, centre + half), axis=1, dtype=np.float32)
    kinds = np.zeros_like(label) if agnostic else label
    kept = nms(boxes, score, kinds, iou, max_detections=max_detections)
    return vote(boxes, score, kinds, kept, floor=floor), score[kept], label[kept].astype(np.int64)


def split_detections(rows: FloatArray, pictures: int, *, confidence: float, max_detections: int) -> list[RawDetections]:
    """Split ``[M, 7]`` (picture, box, score, label) of a network with its own NMS by picture, best score first."""
    found: list[RawDetections] = []
    rows = rows[np.isfinite(rows).all(axis=1)]
    for picture in range(pictures):
        own = rows[(rows[:, 0] == picture) & (rows[:, 5] >= confidence)]
        own = own[np.argsort(-own[:, 5], kind="stable")][:max_detections]
        labels: IntArray = own[:, 6].astype(np.int64)
        found.append((own[:, 1:5], own[:, 5], labels))
    return found


def sigmoid(x: FloatArray) -> FloatArray:
    """``1 / (1 + exp(-x))`` without overflow."""
    with np.errstate(over="ignore"):  # exp(90) is infinite in float32, and 1 / (1 + infinity) is the 0 it should be
        out: FloatArray = np.asarray(1 / (1 + np.exp(-x)), np.float32)
    return out


def logit(probability: float) -> float:
    """The inverse of the sigmoid; infinite at 0 and 1."""
    if probability <= 0:
        return -math.inf
    return math.inf if probability >= 1 else math.log(probability / (1 - probability))
