"""The network: backbone, neck, head. Its forward returns the same type in training and in evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)


class Detector(nn.Module):
    """``[B, 3, H, W]`` in 0-1, H and W multiples of 32 → raw grids ``[B, A, H/s, W/s, 5 + C]``, one a stride.

    Args:
        backbone: images → features at the strides.
        neck: features → fused features.
        head: (fused, backbone features) → raw grids; has ``num_classes``.
        anchors: ``[strides][A][2]`` width and height in input pixels; kept as a buffer, saved with the weights.
        strides: pixels a cell, finest first.
    """

    anchors: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        neck: nn.Module,
        head: nn.Module,
        anchors: Sequence[Sequence[Sequence[float]]],
        strides: Sequence[int] = STRIDES,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head
        self.strides = tuple(strides)
        self.num_classes = int(head.num_classes)  # type: ignore[arg-type]
        self.register_buffer("anchors", torch.tensor(anchors, dtype=torch.float32))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the raw grids, finest stride first."""
        features = self.backbone(images)
        grids: tuple[Tensor, ...] = self.head(self.neck(features), features)
        return grids
