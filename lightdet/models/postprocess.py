"""Candidates → detections: threshold, non-maximum suppression by class or across classes, box voting."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torchvision.ops import batched_nms

from lightdet.geometry.nms import VOTER_IOU, VOTER_SCORE

# NMS is quadratic in the worst case; no picture's 300 best detections need more candidates than this.
# If more detections are requested, it is their number.
MAX_CANDIDATES = 2000
PAIRS = 1 << 18
"""Pairs of a kept box and a candidate that are processed together: this bounds the memory and fits the cache."""

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
        agnostic: boxes of different classes also suppress each other.
    """
    return [_select(picture, confidence, iou, max_detections, agnostic) for picture in decoded]


def _select(decoded: Tensor, confidence: float, iou: float, max_detections: int, agnostic: bool) -> PictureDetections:
    """``[N, 5 + C]`` decoded cells of one picture → its detections."""
    # Class probabilities are at most 1, so objectness alone rules out nearly every cell.
    likely = decoded[decoded[:, 4] >= confidence]
    # A diverged network may give NaN or infinite boxes; they are no detections, and use up no candidate.
    likely = likely[torch.isfinite(likely).all(-1)]
    scores = likely[:, 4:5] * likely[:, 5:]  # [n, C]
    passes = scores >= confidence
    if agnostic and len(scores):  # of the classes of one candidate, which share a box, the best suppresses the others
        passes &= one_hot(scores.argmax(dim=1), scores.shape[1]).bool()
    cell, label = passes.nonzero(as_tuple=True)
    score = scores[cell, label]
    most, floor = max(MAX_CANDIDATES, max_detections), confidence
    if score.numel() > most:
        score, best = score.topk(most)
        cell, label, floor = cell[best], label[best], float(score[-1])
    centre, sides = likely[cell, :2], likely[cell, 2:4]
    boxes = torch.cat((centre - sides / 2, centre + sides / 2), dim=-1)
    return suppress(boxes, score, label, iou=iou, max_detections=max_detections, agnostic=agnostic, floor=floor)


def suppress(
    boxes: Tensor,
    score: Tensor,
    label: Tensor,
    *,
    iou: float,
    max_detections: int,
    agnostic: bool = False,
    floor: float = 0.0,
) -> PictureDetections:
    """Return the detections among ``[N, 4]`` corners, ``[N]`` scores and ``[N]`` labels of one picture.

    Suppressed boxes still say where the kept ones lie; no box scores less than `floor` (`lightdet.geometry.nms.vote`).
    """
    if len(boxes) == 0:
        return boxes, score, label
    most = max(MAX_CANDIDATES, max_detections)
    if score.numel() > most:
        score, best = score.topk(most)
        boxes, label, floor = boxes[best], label[best], float(score[-1])
    # torchvision separates classes by shifting each beyond the largest coordinate. That needs coordinates from 0
    # on: a box that extends beyond the left of the picture would meet another class's box on the right.
    kinds = torch.zeros_like(label) if agnostic else label
    kept = batched_nms(boxes - boxes.min(), score, kinds, iou)[:max_detections]
    parts = [_vote(boxes, score, kinds, part, floor) for part in kept.split(max(1, PAIRS // len(boxes)))]
    return torch.cat(parts), score[kept], label[kept]


def _vote(boxes: Tensor, score: Tensor, kinds: Tensor, kept: Tensor, floor: float) -> Tensor:
    """As `lightdet.geometry.nms.vote`: ``[K]`` indices of kept boxes → ``[K, 4]`` their positions."""
    # Few of the K x N pairs overlap enough: find them in place, then compute only with them.
    x1, y1, x2, y2 = boxes.T.contiguous()[:, None]  # [1, N] each
    left, top, right, bottom = boxes[kept].T.contiguous()[..., None]  # [K, 1] each
    shared = torch.minimum(x2, right).sub_(torch.maximum(x1, left)).clamp_(min=0)
    shared *= torch.minimum(y2, bottom).sub_(torch.maximum(y1, top)).clamp_(min=0)
    areas = (x2 - x1) * (y2 - y1) + (right - left) * (bottom - top)
    row, other = (shared * (1 + VOTER_IOU) > VOTER_IOU * areas).nonzero(as_tuple=True)  # [P]
    shared, areas, own = shared[row, other], areas[row, other], score[kept[row]]
    voice = torch.minimum(score[other], own) - (VOTER_SCORE * own).clamp(min=floor)
    weight = (shared / (areas - shared) - VOTER_IOU) * voice.clamp(min=0) * (kinds[other] == kinds[kept[row]])
    total = weight.new_zeros(len(kept)).index_add_(0, row, weight)
    share = weight / total[row].clamp(min=torch.finfo(total.dtype).tiny)
    mean = torch.zeros_like(boxes[kept]).index_add_(0, row, share[:, None] * boxes[other])
    return torch.where(total[:, None] > 0, mean, boxes[kept])
