"""Candidates → detections: keep what passes the threshold, non-maximum suppression by class or across classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import batched_nms

# NMS is quadratic in the worst case; no picture's 300 best detections need more candidates than this.
# Where more detections are asked for, it is as many as those.
MAX_CANDIDATES = 2000

PictureDetections = tuple[Tensor, Tensor, Tensor]
"""float32 ``[N, 4]`` corners in input pixels, float32 ``[N]`` scores (best first), int64 ``[N]`` labels."""


def postprocess(
    decoded: Tensor,
    *,
    confidence: float = 0.25,
    iou: float = 0.55,
    max_detections: int = 300,
    agnostic: bool = False,
) -> list[PictureDetections]:
    """Return the detections of each picture of a batch.

    A score is objectness times class probability; a box may pass the threshold for several classes.

    Args:
        decoded: ``[B, N, 5 + C]`` centre x, centre y, width, height in input pixels, objectness, class probabilities.
        confidence: lowest score kept, in [0, 1].
        iou: boxes of one class that overlap a better one by more than this are dropped.
        max_detections: most detections per picture.
        agnostic: boxes of different classes suppress each other, too.
    """
    return [_select(picture, confidence, iou, max_detections, agnostic) for picture in decoded]


def _select(decoded: Tensor, confidence: float, iou: float, max_detections: int, agnostic: bool) -> PictureDetections:
    """``[N, 5 + C]`` decoded cells of one picture → its detections."""
    # Class probabilities are at most 1, so objectness alone rules out nearly every cell.
    likely = decoded[decoded[:, 4] >= confidence]
    # A diverged network may give NaN or infinite boxes; they are no detections, and take no candidate's place.
    likely = likely[torch.isfinite(likely).all(-1)]
    scores = likely[:, 4:5] * likely[:, 5:]  # [n, C]
    cell, label = (scores >= confidence).nonzero(as_tuple=True)
    score = scores[cell, label]
    most = max(MAX_CANDIDATES, max_detections)
    if score.numel() > most:
        score, best = score.topk(most)
        cell, label = cell[best], label[best]
    centre, sides = likely[cell, :2], likely[cell, 2:4]
    boxes = torch.cat((centre - sides / 2, centre + sides / 2), dim=-1)
    return suppress(boxes, score, label, iou=iou, max_detections=max_detections, agnostic=agnostic)


def suppress(
    boxes: Tensor, score: Tensor, label: Tensor, *, iou: float, max_detections: int, agnostic: bool = False
) -> PictureDetections:
    """Return the detections among ``[N, 4]`` corners, ``[N]`` scores and ``[N]`` labels of one picture."""
    if len(boxes) == 0:
        return boxes, score, label
    most = max(MAX_CANDIDATES, max_detections)
    if score.numel() > most:
        score, best = score.topk(most)
        boxes, label = boxes[best], label[best]
    # torchvision tells classes apart by moving each beyond the largest coordinate. That takes coordinates from 0
    # on: a box that reaches out of the picture on the left would meet another class's box on the right.
    kinds = torch.zeros_like(label) if agnostic else label
    kept = batched_nms(boxes - boxes.min(), score, kinds, iou)[:max_detections]
    return boxes[kept], score[kept], label[kept]
