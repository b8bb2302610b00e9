"""The loss of YOLOX: IoU of the boxes, objectness BCE, class BCE (Ge et al. 2021, section 2.1).

A matched cell's objectness target is 1; its class target is its IoU with the box at the box's class, so a score
says how well the box fits. Sums are divided by the matches of all processes, so that several processes take the
same step as one process with the same total batch.

Letters: B batch, N cells of all grids, C classes, P matches.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from lightdet.geometry.iou import complete_iou, generalized_iou, iou
from lightdet.losses.detection_loss import CountReducer
from lightdet.losses.simota import CellMatches, SimOTA
from lightdet.structures import LossTerms

MAX_LOG_SIDE = 8.0  # as the decoding has it


def squared_iou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU squared (steeper where the overlap is already good) and IoU of matching pairs → two ``[...]``."""
    overlap = iou(a, b)
    return overlap**2, overlap


class AnchorFreeLoss(nn.Module):
    """Gains and assignment; the whole grows with the batch, as `DetectionLoss` does.

    Args:
        strides: pixels per cell.
        num_classes: C.
        assignment: which cells are responsible for which boxes.
        box, objectness, classification: gains.
        box_iou: ``iou`` (its square, as in YOLOX), ``giou`` or ``ciou``.
        class_weights: ``[C]`` weight of each class's positives, or None.
        mean_count: mean of a count over processes.
        processes: how many there are; their gradients are averaged, so each scales its part to the total batch.
    """

    class_weights: Tensor

    def __init__(
        self,
        strides: Sequence[int],
        num_classes: int,
        *,
        assignment: SimOTA | None = None,
        box: float = 5.0,
        objectness: float = 1.0,
        classification: float = 1.0,
        box_iou: str = "iou",
        class_weights: Tensor | None = None,
        mean_count: CountReducer = lambda count: count,
        processes: int = 1,
    ) -> None:
        super().__init__()
        self.register_buffer("class_weights", torch.ones(num_classes) if class_weights is None else class_weights)
        self.strides = tuple(strides)
        self.num_classes = num_classes
        self.assignment = assignment or SimOTA()
        self.gains = (box, objectness, classification)
        self.overlap = {"iou": squared_iou, "giou": generalized_iou, "ciou": complete_iou}[box_iou]
        self.mean_count = mean_count
        self.processes = processes

    def forward(self, grids: Sequence[Tensor], targets: Tensor) -> LossTerms:
        """Return the loss of a batch.

        Args:
            grids: raw ``[B, H, W, 5 + C]``, one per stride.
            targets: ``[M, 6]`` image, class, x1, y1, x2, y2 in input pixels.
        """
        sizes = [(int(g.shape[1]), int(g.shape[2])) for g in grids]
        raw = torch.cat([grid.flatten(1, 2) for grid in grids], dim=1).float()  # [B, N, 5 + C]
        corner, stride = self._cells(sizes, raw)
        matches = self.assignment.assign(
            targets, _corners(raw.detach(), corner) * stride, raw.detach()[..., 4:], sizes, self.strides
        )
        batch, count = self._counts(len(raw), len(matches), raw)
        quality, overlap = self._boxes(raw, targets, matches, corner, stride)
        goal = torch.zeros(raw.shape[:2], device=raw.device)
        goal[matches.image, matches.cell] = 1.0
        box = self.gains[0] * (1 - quality).sum() / count
        objectness = self.gains[1] * bce(raw[..., 4], goal, reduction="sum") / count
        classification = self.gains[2] * self._classes(raw, targets, matches, overlap.detach()) / count
        parts = {"box": box.detach(), "objectness": objectness.detach(), "classification": classification.detach()}
        return LossTerms((box + objectness + classification) * batch * self.processes, parts)

    def _cells(self, sizes: Sequence[tuple[int, int]], like: Tensor) -> tuple[Tensor, Tensor]:
        """Column and row ``[N, 2]`` of each cell and its stride ``[N, 1]``."""
        corners, strides = [], []
        for (rows, columns), stride in zip(sizes, self.strides, strict=True):
            cell = torch.arange(rows * columns, device=like.device)
            corners.append(torch.stack((cell % columns, cell // columns), dim=-1))
            strides.append(torch.full((rows * columns, 1), float(stride), device=like.device))
        return torch.cat(corners).to(like), torch.cat(strides)

    def _counts(self, batch: int, matches: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures, and what to divide by: matches, at least one per picture; means over processes.

        At least one: otherwise a batch of pictures without defects would weigh as much as a hundred others.
        """
        mean = self.mean_count(torch.tensor([float(batch), float(matches)], device=like.device))
        return mean[0], torch.maximum(mean[1], mean[0])

    def _boxes(
        self, raw: Tensor, targets: Tensor, matches: CellMatches, corner: Tensor, stride: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(IoU squared, GIoU or CIoU ``[P]``, IoU ``[P]``) of the matched cells with their boxes, in cells."""
        # Relative to the cell, not to the picture: float32 keeps more digits of a small box.
        cell = corner[matches.cell]
        goal = targets[matches.box, 2:] / stride[matches.cell] - cell.repeat(1, 2)
        return self.overlap(_corners(raw[matches.image, matches.cell], torch.zeros_like(cell)), goal)

    def _classes(self, raw: Tensor, targets: Tensor, matches: CellMatches, overlap: Tensor) -> Tensor:
        """Summed class BCE of the matched cells."""
        found = raw[matches.image, matches.cell, 5:]  # [P, C]
        label = targets[matches.box, 1].long()
        goal = torch.zeros_like(found)
        goal[torch.arange(len(matches), device=goal.device), label] = overlap.clamp(0, 1)
        return (bce(found, goal, reduction="none").sum(-1) * self.class_weights[label]).sum()


def _corners(raw: Tensor, corner: Tensor) -> Tensor:
    """Raw ``[..., 5 + C]`` and the cell's column and row ``[..., 2]`` → x1, y1, x2, y2 in cells."""
    centres = raw[..., :2] + corner
    half = raw[..., 2:4].clamp(max=MAX_LOG_SIDE).exp() / 2
    return torch.cat((centres - half, centres + half), dim=-1)
