"""What a smaller detector can learn from a larger one's outputs (after Mehta & Ozturk 2018, "Object detection at 200
frames per second": objectness-scaled distillation).

The teacher's objectness is a target everywhere; its boxes and classes count where it sees something, in proportion to
its confidence. So background, from which nothing can be learned, does not drown out the defects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from lightdet.geometry.iou import generalized_iou
from lightdet.losses.detection_loss import CountReducer
from lightdet.structures import LossTerms

SEEN = 0.05
"""From this objectness on, a teacher's cell counts as seeing something."""


class DistillationLoss(nn.Module):
    """Distance of a student's raw grids from a teacher's on the same anchors.

    Args:
        anchors: ``[grids, A, 2]`` in input pixels, common to both.
        strides: pixels per cell.
        num_classes: C.
        box, objectness, classification: gains, scaled as in `DetectionLoss`.
        balance: weight of the objectness term by grid.
        mean_count: mean of a sum over processes.
        processes: how many there are.
    """

    anchors: Tensor

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
        mean_count: CountReducer = lambda count: count,
        processes: int = 1,
    ) -> None:
        super().__init__()
        self.register_buffer("anchors", anchors.clone())
        self.strides = tuple(strides)
        self.num_classes = num_classes
        self.gains = (box, objectness, classification * num_classes / 80)
        self.balance = tuple(balance)
        self.mean_count = mean_count
        self.processes = processes

    def forward(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> LossTerms:
        """Return the loss of a batch.

        Args:
            student, teacher: raw ``[B, A, H, W, 5 + C]``, one per stride, of equal shapes.
        """
        first = student[0]
        zero = first.new_zeros((), dtype=torch.float32)
        box, objectness, classification = zero, zero, zero
        sure = [answer[..., 4].float().sigmoid() for answer in teacher]  # [B, A, H, W]
        seen = [each > SEEN for each in sure]
        sums = [weight[cells].sum() for weight, cells in zip(sure, seen, strict=True)]
        counts = self.mean_count(torch.stack([first.new_tensor(float(first.shape[0]), dtype=torch.float32), *sums]))
        for level, (mine, theirs) in enumerate(zip(student, teacher, strict=True)):
            goal, cells = sure[level], seen[level]
            told = bce(mine[..., 4].float(), goal, reduction="sum")
            objectness = objectness + told / (counts[0] * goal[0].numel()) * self.balance[level]
            total = counts[1 + level]
            if cells.any():
                weight = goal[cells] / total
                anchor = cells.nonzero()[:, 1]
                box = box + (weight * self._apart(mine[cells], theirs[cells], anchor, level)).sum()
                if self.num_classes > 1:
                    each = bce(mine[cells][:, 5:].float(), theirs[cells][:, 5:].float().sigmoid(), reduction="none")
                    classification = classification + (weight * each.mean(-1)).sum()
        height, width = first.shape[2] * self.strides[0], first.shape[3] * self.strides[0]
        box = box * self.gains[0]
        objectness = objectness * self.gains[1] * math.sqrt(height * width) / 640
        classification = classification * self.gains[2]
        whole = box + objectness + classification
        return LossTerms(whole * counts[0] * self.processes, {"distillation": whole.detach()})

    def _apart(self, mine: Tensor, theirs: Tensor, anchor: Tensor, level: int) -> Tensor:
        """``1 - GIoU`` of ``[K]`` pairs of boxes, both relative to their common cell, in cells."""
        sides = self.anchors[level][anchor] / self.strides[level]
        overlap, _ = generalized_iou(_corners(mine, sides), _corners(theirs, sides))
        return 1 - overlap


def agree(answers: Sequence[Sequence[Tensor]], least: float = 1e-6) -> tuple[Tensor, ...]:
    """Return what several teachers say together, as raw grids of the same shapes.

    In each cell the mean of their objectness; box and classes are means weighted by objectness, so that who sees
    nothing there has no say in what it is (an ensemble's mean after Hinton et al. 2015, section 2).

    Args:
        answers: for each teacher its raw ``[B, A, H, W, 5 + C]``, one per stride, of equal shapes.
        least: shares are kept as far from 0 and 1.
    """
    joined = []
    for grids in zip(*answers, strict=True):
        shares = torch.stack([grid.float().sigmoid() for grid in grids])
        sure = shares[..., 4:5]
        mean = (shares * sure).sum(0) / sure.sum(0).clamp_min(least)
        mean[..., 4:5] = sure.mean(0)
        joined.append(torch.logit(mean, least))
    return tuple(joined)


def _corners(raw: Tensor, anchors: Tensor) -> Tensor:
    """``[K, 5 + C]`` raw and ``[K, 2]`` anchors in cells → ``[K, 4]`` corners in cells (the decoding of YOLOv5)."""
    p = raw[:, :4].float().sigmoid()
    centre, sides = p[:, :2] * 2 - 0.5, (p[:, 2:] * 2) ** 2 * anchors
    return torch.cat((centre - sides / 2, centre + sides / 2), dim=-1)
