"""The anchor-free head of YOLOX: separate branches for classes and boxes; decoding of its output.

Letters: B batch, H and W cells, C classes. Ge et al. 2021, "YOLOX: Exceeding YOLO Series in 2021", section 2.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightdet.layers import ConvBNAct

FIRST_PROBABILITY = 0.01
"""The initial probability of objectness and of each class in every cell (Lin 2017)."""
MAX_LOG_SIDE = 8.0
"""Largest side of a box: e^8 = 2981 cells. Its exponential stays finite, whatever the network returns."""


class DecoupledBranch(nn.Module):
    """One stride: a 1x1 to `width` channels, then two 3x3 convolutions for the classes and two for the box."""

    def __init__(self, c_in: int, num_classes: int, width: int, *, activation: str = "silu") -> None:
        super().__init__()

        def pair() -> nn.Sequential:
            return nn.Sequential(*(ConvBNAct(width, width, 3, activation=activation) for _ in range(2)))

        self.stem = ConvBNAct(c_in, width, activation=activation)
        self.classes, self.boxes = pair(), pair()
        self.class_out = nn.Conv2d(width, num_classes, 1)
        self.box_out = nn.Conv2d(width, 4, 1)
        self.objectness_out = nn.Conv2d(width, 1, 1)
        first = math.log(FIRST_PROBABILITY / (1 - FIRST_PROBABILITY))
        for conv in (self.class_out, self.objectness_out):
            nn.init.constant_(conv.bias, first)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """``[B, c_in, H, W]`` → ``[B, H, W, 5 + C]``."""
        stem = self.stem(x)
        boxes = self.boxes(stem)
        raw = torch.cat((self.box_out(boxes), self.objectness_out(boxes), self.class_out(self.classes(stem))), dim=1)
        return raw.permute(0, 2, 3, 1)


class DecoupledHead(nn.Module):
    """Features of each stride → raw grids ``[B, H, W, 5 + C]``: x, y, w, h, objectness, class logits.

    Args:
        channels: feature channels by stride.
        num_classes: C.
        width: channels of the branches.
        activation: see `lightdet.layers.make_activation`.
    """

    def __init__(
        self, channels: Sequence[int], num_classes: int, *, width: int = 128, activation: str = "silu"
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.branches = nn.ModuleList(DecoupledBranch(c, num_classes, width, activation=activation) for c in channels)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return one raw grid per stride, in the order of the features."""
        return tuple(branch(x) for branch, x in zip(self.branches, features, strict=True))


def decode_cells(grids: Sequence[Tensor], strides: Sequence[int]) -> Tensor:
    """Turn raw grids into boxes and probabilities.

    A centre is relative to the upper left corner of its cell, ``(t + cell) * stride``; a side is ``exp(t) * stride``.

    Args:
        grids: raw grids ``[B, H, W, 5 + C]``, one per stride.
        strides: pixels per cell.

    Returns:
        float32 ``[B, sum(H*W), 5 + C]``: centre x, centre y, width, height in input pixels, then objectness and
        class probabilities in [0, 1].
    """
    decoded = []
    for grid, stride in zip(grids, strides, strict=True):
        b, h, w, channels = grid.shape
        raw = grid.float()
        ys, xs = torch.meshgrid(torch.arange(h, device=raw.device), torch.arange(w, device=raw.device), indexing="ij")
        centres = (raw[..., :2] + torch.stack((xs, ys), dim=-1)) * stride  # [B, H, W, 2]
        sides = raw[..., 2:4].clamp(max=MAX_LOG_SIDE).exp() * stride
        cells = torch.cat((centres, sides, raw[..., 4:].sigmoid()), dim=-1)
        decoded.append(cells.reshape(b, h * w, channels))
    return torch.cat(decoded, dim=1)
