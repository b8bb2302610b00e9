"""The detector's loss (eqs. 8-11): class BCE, GIoU of the boxes, objectness BCE.

The objectness target of a matched cell is its clipped IoU, or what `TaskAligned` makes of it. Sums are divided by
counts over all processes, so that several processes take the same step as one process with the same total batch.

Letters: B batch, A anchors per cell, C classes, K matches of one grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from lightdet.geometry.iou import complete_iou, generalized_iou
from lightdet.losses.assignment import GridMatches, assign_anchors
from lightdet.losses.task_aligned import TaskAligned
from lightdet.structures import LossTerms

CountReducer = Callable[[Tensor], Tensor]
"""Mean over processes of a count; the identity in a single process."""


@dataclass(frozen=True)
class _Matched:
    """One grid's K matches with what the network says there: raw ``[K, 5 + C]``, GIoU (or CIoU) and the objectness to
    learn, both ``[K]``."""

    match: GridMatches
    found: Tensor
    quality: Tensor
    goal: Tensor


class DetectionLoss(nn.Module):
    """Weights ``x, y, z`` of eq. 8 with YOLOv5's scaling.

    The class gain grows with the number of classes (``C / 80``), the objectness gain with the input's side
    (``imgsz / 640``; YOLOv5 scales by the area, which leaves little at small sizes, although detections are ranked by
    it: docs/recipe.md), and the total with the batch: one learning rate works for every batch size.

    Args:
        anchors: ``[grids, A, 2]`` in input pixels.
        strides: pixels per cell.
        num_classes: C.
        box, objectness, classification: gains.
        balance: weight of the objectness term by grid.
        ratio: see `assign_anchors`.
        box_iou: ``giou`` or ``ciou``.
        label_smoothing: 0 gives hard class targets.
        class_weights: ``[C]`` weight of each class's positives, or None.
        alignment: chooses among the matches by what the network says there; None: all of them learn.
        mean_count: mean of a count over processes.
        processes: how many there are; their gradients are averaged, so each scales its part to the total batch.
    """

    anchors: Tensor
    class_weights: Tensor

    def __init__(
        self,
        anchors: Tensor,
        strides: Sequence[int],
        num_classes: int,
        *,
        box: float = 0.05,
        objectness: float = 1.0,
        classification: float = 0.5,
        balance: Sequence[float] = (4.0, 1.0, 0.4),
        ratio: float = 4.0,
        box_iou: str = "giou",
        label_smoothing: float = 0.0,
        class_weights: Tensor | None = None,
        alignment: TaskAligned | None = None,
        mean_count: CountReducer = lambda count: count,
        processes: int = 1,
    ) -> None:
        super().__init__()
        self.register_buffer("anchors", anchors.clone())
        self.register_buffer("class_weights", torch.ones(num_classes) if class_weights is None else class_weights)
        self.strides = tuple(strides)
        self.num_classes = num_classes
        self.gains = (box, objectness, classification * num_classes / 80)
        self.balance = tuple(balance)
        self.ratio = ratio
        self.overlap = {"giou": generalized_iou, "ciou": complete_iou}[box_iou]
        self.positive, self.negative = 1 - label_smoothing / 2, label_smoothing / 2
        self.alignment = alignment
        self.mean_count = mean_count
        self.processes = processes

    def forward(self, grids: Sequence[Tensor], targets: Tensor) -> LossTerms:
        """Return the loss of a batch.

        Args:
            grids: raw ``[B, A, H, W, 5 + C]``, one per stride.
            targets: ``[M, 6]`` image, class, x1, y1, x2, y2 in input pixels.
        """
        sizes = [(int(g.shape[2]), int(g.shape[3])) for g in grids]
        levels = [
            self._matched(grid, match, level)
            for level, (grid, match) in enumerate(
                zip(grids, assign_anchors(targets, self.anchors, self.strides, sizes, self.ratio), strict=True)
            )
        ]
        if self.alignment is not None:
            levels = self._aligned(levels, [grid[..., 4].shape for grid in grids], len(targets))
        counts = self.mean_count(
            torch.tensor([float(len(grids[0])), *(float(len(each.match)) for each in levels)], device=grids[0].device)
        )
        zero = grids[0].new_zeros((), dtype=torch.float32)
        box, objectness, classification = zero, zero, zero
        for level, (grid, own) in enumerate(zip(grids, levels, strict=True)):
            logits = grid[..., 4].float()  # [B, A, H, W]
            goal = torch.zeros(logits.shape, device=logits.device)
            if len(own.match):
                box = box + (1 - own.quality).sum() / counts[1 + level]
                classification = classification + self._classes(own.found, own.match) / counts[1 + level]
                # Two boxes may claim one cell; the better one counts, whatever their order.
                goal.view(-1).scatter_reduce_(0, own.match.flat(goal.shape), own.goal, "amax")
            loss = bce(logits, goal, reduction="sum") / (counts[0] * logits[0].numel())
            objectness = objectness + loss * self.balance[level]
        area = sizes[0][0] * sizes[0][1] * self.strides[0] ** 2
        return self._total(box, objectness, classification, counts[0], area)

    def _matched(self, grid: Tensor, match: GridMatches, level: int) -> _Matched:
        found = grid[match.image, match.anchor, match.row, match.column].float()
        quality, overlap = self._boxes(found, match, level)
        return _Matched(match, found, quality, overlap.detach().clamp(0))

    def _aligned(self, levels: Sequence[_Matched], shapes: Sequence[torch.Size], boxes: int) -> list[_Matched]:
        """The matches that the alignment chooses, with the objectness that it sets."""
        assert self.alignment is not None  # noqa: S101 - for the type checker
        scores, places, first = [], [], 0
        for own, shape in zip(levels, shapes, strict=True):
            found = own.found.detach()
            score = found[:, 4].sigmoid()
            if self.num_classes > 1:
                score = score * found[:, 5:].gather(1, own.match.label[:, None])[:, 0].sigmoid()
            scores.append(score)
            places.append(own.match.flat(shape) + first)
            first += shape.numel()
        keep, goal = self.alignment.choose(
            torch.cat(scores),
            torch.cat([own.goal for own in levels]),
            torch.cat([own.match.boxes[:, 2:].prod(-1) for own in levels]),
            torch.cat([own.match.box for own in levels]),
            torch.cat(places),
            boxes,
        )
        sizes = [len(own.match) for own in levels]
        parts = zip(levels, torch.split(keep, sizes), torch.split(goal, sizes), strict=True)
        return [_Matched(own.match.take(k), own.found[k], own.quality[k], g[k]) for own, k, g in parts]

    def _boxes(self, found: Tensor, match: GridMatches, level: int) -> tuple[Tensor, Tensor]:
        """``[K, 5 + C]`` raw → (GIoU or CIoU ``[K]``, IoU ``[K]``) with the matched boxes, in cells."""
        stride = self.strides[level]
        p = found[:, :4].sigmoid()
        # Relative to the cell, not to the picture: float32 keeps more digits of a small box.
        cell = torch.stack((match.column, match.row), dim=-1)
        centre = p[:, :2] * 2 - 0.5
        sides = (p[:, 2:] * 2) ** 2 * self.anchors[level][match.anchor] / stride
        goal_centre = match.boxes[:, :2] / stride - cell
        goal_sides = match.boxes[:, 2:] / stride
        predicted = torch.cat((centre - sides / 2, centre + sides / 2), dim=-1)
        goal = torch.cat((goal_centre - goal_sides / 2, goal_centre + goal_sides / 2), dim=-1)
        return self.overlap(predicted, goal)

    def _classes(self, found: Tensor, match: GridMatches) -> Tensor:
        """Summed class BCE (eq. 9), each match's mean over C classes; 0 with one class, where there is no choice."""
        if self.num_classes == 1:
            return found[:, 5:].sum() * 0
        goal = torch.full_like(found[:, 5:], self.negative)
        goal[torch.arange(len(match), device=goal.device), match.label] = self.positive
        each = bce(found[:, 5:], goal, reduction="none").mean(-1)
        return (each * self.class_weights[match.label]).sum()

    def _total(self, box: Tensor, objectness: Tensor, classification: Tensor, batch: Tensor, area: int) -> LossTerms:
        box = box * self.gains[0]
        objectness = objectness * self.gains[1] * math.sqrt(area) / 640
        classification = classification * self.gains[2]
        parts = {"box": box.detach(), "objectness": objectness.detach(), "classification": classification.detach()}
        return LossTerms((box + objectness + classification) * batch * self.processes, parts)
