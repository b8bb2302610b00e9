"""Which of the anchors whose shape fits learn a box: those that find it best (Feng et al. 2021, "TOOD: Task-aligned
one-stage object detection", section 3.2).

By shape, up to 27 cells and anchors match a box. Here they are ranked by how well class and position fit together,
``t = score^a * IoU^b``; the best few per box learn it, the others learn that there is nothing. Their objectness target
is t, scaled so that it equals the IoU for the best of each box.

For a small box that costs much accuracy (docs/recipe.md), probably because a pixel decides over its IoU and so over the
order. So all that fit learn a small box, with their IoU as objectness target.

Letters: K candidates of a batch, M boxes, P chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lightdet.losses.simota import cheapest

SMALL = 32.0
"""Side in input pixels of a square; boxes with a smaller area are small (the limit of COCO's small objects)."""
LEAST = 1e-9
"""Lower bound of scores and overlaps, so that candidates that find nothing still have an order."""


@dataclass(frozen=True)
class TaskAligned:
    """The choice and its parameters, as in the paper except for the power of the score (half of its 1).

    Attributes:
        score_power: a.
        overlap_power: b.
        most: candidates per box.
        small: boxes with a smaller area than a square of this side, in input pixels, are learnt by all candidates.
    """

    score_power: float = 0.5
    overlap_power: float = 6.0
    most: int = 10
    small: float = SMALL

    @torch.no_grad()
    def choose(
        self, score: Tensor, overlap: Tensor, area: Tensor, box: Tensor, place: Tensor, boxes: int
    ) -> tuple[Tensor, Tensor]:
        """Choose among the candidates of a batch.

        Args:
            score: ``[K]`` of the box's class, in [0, 1].
            overlap: ``[K]`` IoU with the box.
            area: ``[K]`` of the box, in input pixels squared.
            box: int64 ``[K]``, 0 to M - 1.
            place: int64 ``[K]``, equal for candidates of one cell and anchor: it goes to the box that it fits best.
            boxes: M.

        Returns:
            bool ``[K]`` with P set, and the objectness to learn ``[K]``, of use where set.
        """
        overlap = overlap.clamp(min=0)
        fit = score.clamp(min=LEAST) ** self.score_power * overlap.clamp(min=LEAST) ** self.overlap_power
        best = _best_of_each(fit, box, boxes, self.most)
        places = int(place.max()) + 1 if len(place) else 0
        chosen = best[cheapest(place[best], box[best], -fit[best], places, boxes)]
        keep = torch.zeros_like(box, dtype=torch.bool)
        keep[chosen] = True
        highest, widest = (
            value.new_zeros(boxes).scatter_reduce_(0, box[chosen], value[chosen], "amax") for value in (fit, overlap)
        )
        goal = fit / highest[box].clamp(min=torch.finfo(fit.dtype).tiny) * widest[box]
        small = area < self.small**2
        return keep | small, torch.where(small, overlap, goal)


def _best_of_each(value: Tensor, group: Tensor, groups: int, most: int) -> Tensor:
    """Indices of the `most` highest values of each group; of equal ones the first."""
    order = value.argsort(descending=True, stable=True)
    order = order[group[order].argsort(stable=True)]  # by group, then falling
    sizes = torch.bincount(group, minlength=groups)
    first = sizes.cumsum(0) - sizes
    rank = torch.arange(len(order), device=order.device) - first[group[order]]
    return order[rank < most]
