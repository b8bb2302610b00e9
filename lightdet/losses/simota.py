"""Which cells are responsible for which boxes: SimOTA (Ge et al. 2021, "YOLOX", section 2.3).

Every box considers the cells near its centre, on all grids, and their current outputs. The cost of a cell is the
loss it would have with this box; the number of cells for a box is estimated from their overlaps with it; it gets the
cheapest. A cell claimed by several boxes goes to the one with the lowest cost.

Near cells are found from the box, not boxes from all cells: the work grows only with the boxes, and is done in
portions, so that a batch with thousands of boxes needs no more memory than one with hundreds.

Letters: M boxes of a batch, N cells of all grids of a picture, K near cells of a box, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from lightdet.geometry.iou import iou

PORTION = 1 << 23
"""Numbers held at once in the largest array of a portion (32 MiB)."""
LOWEST_LOG = -100.0
WORST_COST = 1e8
"""The cost of a cell whose output is not a number: finite, so that the assignment ends and the loss shows the fault."""


@dataclass(frozen=True)
class CellMatches:
    """P matches: int64 ``[P]`` image, cell (0 to N-1 over all grids) and box (index into the targets).

    Each cell of an image is there at most once.
    """

    image: Tensor
    cell: Tensor
    box: Tensor

    def __len__(self) -> int:
        return int(self.image.shape[0])


@dataclass(frozen=True)
class SimOTA:
    """The assignment and its numbers.

    Attributes:
        radius: a cell is near if its centre is fewer than this many cells from the box's, in x and in y.
        candidates: how many of the largest overlaps are summed to give the number of cells for a box.
        overlap_weight: weight of the overlap's cost, beside the classes'.
    """

    radius: float = 1.5
    candidates: int = 10
    overlap_weight: float = 3.0

    @torch.no_grad()
    def assign(
        self,
        targets: Tensor,
        boxes: Tensor,
        logits: Tensor,
        grid_sizes: Sequence[tuple[int, int]],
        strides: Sequence[int],
    ) -> CellMatches:
        """Assign the boxes of a batch.

        Args:
            targets: float32 ``[M, 6]`` image index, class, x1, y1, x2, y2 in input pixels; M may be 0. Boxes without
                area get no cell.
            boxes: float32 ``[B, N, 4]`` the cells' outputs: corners in input pixels.
            logits: float32 ``[B, N, 1 + C]`` of objectness and classes.
            grid_sizes: (rows, columns), by grid.
            strides: pixels per cell, by grid.
        """
        usable = ((targets[:, 4:] - targets[:, 2:4]) > 0).all(-1).nonzero()[:, 0]
        near = len(grid_sizes) * (2 * math.ceil(self.radius) + 1) ** 2
        portion = max(1, PORTION // (near * (logits.shape[2] + 8)))
        claims = [
            self._claims(targets, which, boxes, logits, grid_sizes, strides) for which in torch.split(usable, portion)
        ]
        if not claims:
            nothing = torch.zeros(0, dtype=torch.int64, device=targets.device)
            return CellMatches(nothing, nothing, nothing)
        box, cell, cost = (torch.cat(parts) for parts in zip(*claims, strict=True))
        image = targets[box, 0].long()
        won = cheapest(image * boxes.shape[1] + cell, box, cost, boxes.shape[0] * boxes.shape[1], len(targets))
        return CellMatches(image[won], cell[won], box[won])

    def _claims(
        self,
        targets: Tensor,
        which: Tensor,
        boxes: Tensor,
        logits: Tensor,
        grid_sizes: Sequence[tuple[int, int]],
        strides: Sequence[int],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The cells that each of the boxes `which` claims: box, cell and cost."""
        chosen = targets[which]
        cell, valid = near_cells(chosen[:, 2:], grid_sizes, strides, self.radius)  # [m, K]
        image = chosen[:, 0].long()[:, None]
        overlap = iou(boxes[image, cell], chosen[:, None, 2:]).nan_to_num(nan=0.0) * valid
        cost = class_cost(logits[image, cell], chosen[:, 1].long())
        cost = cost - self.overlap_weight * (overlap + 1e-8).log()
        cost = cost.nan_to_num(nan=WORST_COST, posinf=WORST_COST).masked_fill(~valid, math.inf)
        most = min(self.candidates, overlap.shape[1])
        count = overlap.topk(most, dim=1).values.sum(1).int().clamp(min=1)
        # Stable: among equal costs the finer grid's first cell, on every device and in every run.
        ordered, order = cost.sort(dim=1, stable=True)
        wanted = (torch.arange(most, device=cost.device) < count[:, None]) & ordered[:, :most].isfinite()
        row, rank = wanted.nonzero(as_tuple=True)
        return which[row], cell[row, order[row, rank]], ordered[row, rank]


def near_cells(
    corners: Tensor, grid_sizes: Sequence[tuple[int, int]], strides: Sequence[int], radius: float
) -> tuple[Tensor, Tensor]:
    """``[M, 4]`` corners → int64 ``[M, K]`` cells around each centre and bool ``[M, K]``: near, and on the grid?"""
    centres = (corners[:, :2] + corners[:, 2:]) / 2
    reach = math.ceil(radius)
    steps = torch.arange(-reach, reach + 1, device=corners.device)
    cells, valid = [], []
    first = 0
    for (rows, columns), stride in zip(grid_sizes, strides, strict=True):
        position = centres / stride  # in cells
        own = position.floor()
        x = own[:, :1] + steps  # [M, 2r + 1]
        y = own[:, 1:] + steps
        x_near = ((x + 0.5 - position[:, :1]).abs() < radius) & (x >= 0) & (x < columns)
        y_near = ((y + 0.5 - position[:, 1:]).abs() < radius) & (y >= 0) & (y < rows)
        cell = y.clamp(0, rows - 1)[:, :, None] * columns + x.clamp(0, columns - 1)[:, None]
        cells.append(cell.long().flatten(1) + first)
        valid.append((y_near[:, :, None] & x_near[:, None]).flatten(1))
        first += rows * columns
    return torch.cat(cells, dim=1), torch.cat(valid, dim=1)


def class_cost(logits: Tensor, labels: Tensor) -> Tensor:
    """Summed cross-entropy of the scores with the class: ``[M, K, 1 + C]``, ``[M]`` → ``[M, K]``.

    The score of a class is the root of objectness times class probability, as the paper's authors compute it.
    """
    log_score = (logsigmoid(logits[..., :1]) + logsigmoid(logits[..., 1:])) / 2  # [M, K, C]
    log_rest = torch.log1p(-log_score.exp()).clamp(min=LOWEST_LOG)
    index = labels[:, None, None].expand(-1, logits.shape[1], 1)
    own = log_score.clamp(min=LOWEST_LOG).gather(2, index) - log_rest.gather(2, index)
    return -(log_rest.sum(-1) + own[..., 0])


def cheapest(place: Tensor, box: Tensor, cost: Tensor, places: int, boxes: int) -> Tensor:
    """Which claims ``[P]`` win their place: the lowest cost, among equals the first box; indices, ordered by place."""
    least = cost.new_full((places,), math.inf).scatter_reduce_(0, place, cost, "amin")
    winner = box.new_full((places,), boxes)
    level = cost == least[place]
    winner.scatter_reduce_(0, place[level], box[level], "amin")
    won = (winner[place] == box).nonzero()[:, 0]
    return won[place[won].argsort()]
