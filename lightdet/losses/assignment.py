"""Which anchors are responsible for which boxes (the assignment of YOLOv5).

A box matches an anchor if neither of their sides differs by more than a factor; it is then given to the cell
of its centre and to the two nearest neighbour cells (left or right, above or below), if they lie in the grid.

Letters: M boxes of a batch, A anchors per cell, K matches of one grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class GridMatches:
    """K matches on one grid: int64 ``[K]`` image, anchor, row, column and label; boxes ``[K, 4]``.

    Boxes are centre x, centre y, width, height in input pixels. `box` is the index into the targets.
    """

    image: Tensor
    anchor: Tensor
    row: Tensor
    column: Tensor
    label: Tensor
    boxes: Tensor
    box: Tensor

    def __len__(self) -> int:
        return int(self.image.shape[0])

    def take(self, which: Tensor) -> GridMatches:
        """Those of a bool ``[K]``."""
        return GridMatches(*(getattr(self, each.name)[which] for each in fields(self)))

    def flat(self, shape: Sequence[int]) -> Tensor:
        """Where the matched cells lie in a flattened ``[B, A, H, W]`` array: int64 ``[K]``."""
        _, a, h, w = shape
        return ((self.image * a + self.anchor) * h + self.row) * w + self.column


def match_anchors(sides: Tensor, anchors: Tensor, ratio: float) -> Tensor:
    """``[M, 2]`` box and ``[A, 2]`` anchor widths and heights → bool ``[M, A]``: does the shape fit?"""
    quotient = sides[:, None] / anchors[None]  # [M, A, 2]
    worst = torch.maximum(quotient, 1 / quotient.clamp(min=1e-9)).amax(-1)
    return worst < ratio


def assign_anchors(
    targets: Tensor,
    anchors: Tensor,
    strides: Sequence[int],
    grid_sizes: Sequence[tuple[int, int]],
    ratio: float = 4.0,
) -> list[GridMatches]:
    """Assign the boxes of a batch, one result per grid.

    Args:
        targets: ``[M, 6]`` image index, class, x1, y1, x2, y2 in input pixels; M may be 0.
        anchors: ``[grids, A, 2]`` in input pixels.
        strides: pixels per cell, by grid.
        grid_sizes: (rows, columns), by grid.
        ratio: largest factor between a box's and an anchor's side.
    """
    centres = (targets[:, 2:4] + targets[:, 4:6]) / 2
    sides = targets[:, 4:6] - targets[:, 2:4]
    usable = (sides > 0).all(-1, keepdim=True)
    results = []
    for anchor, stride, (rows, columns) in zip(anchors.to(targets), strides, grid_sizes, strict=True):
        box, anchor_index = (match_anchors(sides, anchor, ratio) & usable).nonzero(as_tuple=True)
        position = centres[box] / stride  # in cells
        cell = _cells(position, rows, columns)
        which, around = cell.keep.nonzero(as_tuple=True)
        box, anchor_index = box[which], anchor_index[which]
        results.append(
            GridMatches(
                image=targets[box, 0].long(),
                anchor=anchor_index,
                row=cell.row[which, around],
                column=cell.column[which, around],
                label=targets[box, 1].long(),
                boxes=torch.cat((centres[box], sides[box]), dim=-1),
                box=box,
            )
        )
    return results


@dataclass(frozen=True)
class _Cells:
    row: Tensor  # [K, 3]
    column: Tensor
    keep: Tensor


def _cells(position: Tensor, rows: int, columns: int) -> _Cells:
    """``[K, 2]`` x, y in cells → the cell of the centre, the nearer horizontal and the nearer vertical one."""
    limits = position.new_tensor([columns, rows])
    # A centre on the far edge of the picture belongs to the last cell.
    own = torch.minimum(position.floor(), limits - 1).clamp(min=0)
    inside = position - own
    step = torch.where(inside < 0.5, -1.0, 1.0)
    column = torch.stack((own[:, 0], own[:, 0] + step[:, 0], own[:, 0]), dim=1)
    row = torch.stack((own[:, 1], own[:, 1], own[:, 1] + step[:, 1]), dim=1)
    keep = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    # Exactly in the middle of a cell no neighbour is nearer: the decoded offset could not reach one.
    middle = inside == 0.5
    keep[:, 1] &= ~middle[:, 0]
    keep[:, 2] &= ~middle[:, 1]
    return _Cells(row.long(), column.long(), keep)
