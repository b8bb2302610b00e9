"""Three anchor grids: attention, gate and rebuild before a 1x1 convolution; decoding of its output.

Letters: B batch, A anchors per cell, H and W cells, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from lightdet.layers import CBAM, BottleneckCSP, ConvBNAct, GatedFusion


class HeadBranch(nn.Module):
    """What one stride does before its 1x1 convolution: gated fusion and CSP2_1, CBAM, both or neither."""

    def __init__(
        self, channels: int, *, gate: nn.Module | None, attention: bool, activation: str = "leaky_relu"
    ) -> None:
        super().__init__()
        self.fusion = GatedFusion(gate) if gate is not None else None
        self.rebuild = (
            BottleneckCSP(channels, channels, 1, residual=False, activation=activation) if gate is not None else None
        )
        self.attention = CBAM(channels) if attention else None

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """``deep`` (neck) and ``shallow`` (backbone) ``[B, C, H, W]`` → the same size."""
        if self.fusion is not None and self.rebuild is not None:
            deep = self.rebuild(self.fusion(deep, shallow))
        return deep if self.attention is None else self.attention(deep)


class ConvBranch(nn.Module):
    """The 3x3 convolution of YOLOv3 and YOLOv4 before the 1x1, to twice the channels; the shallow feature is unused."""

    def __init__(self, channels: int, *, activation: str = "leaky_relu") -> None:
        super().__init__()
        self.conv = ConvBNAct(channels, 2 * channels, 3, activation=activation)

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """``deep`` (neck) ``[B, C, H, W]`` → ``[B, 2C, H, W]``."""
        out: Tensor = self.conv(deep)
        return out


class AnchorHead(nn.Module):
    """Neck and backbone features → raw grids ``[B, A, H, W, 5 + C]``: x, y, w, h, objectness, class logits.

    Args:
        branches: the part before the 1x1 convolution (`HeadBranch`, `ConvBranch`), one per stride, finest first.
        channels: output channels of the branches.
        num_classes: C.
        num_anchors: A.
        strides: pixels per cell, by grid.
    """

    def __init__(
        self,
        branches: Sequence[HeadBranch | ConvBranch],
        channels: Sequence[int],
        num_classes: int,
        num_anchors: int,
        strides: Sequence[int],
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_anchors = num_anchors
        self.branches = nn.ModuleList(branches)
        self.outputs = nn.ModuleList(nn.Conv2d(c, num_anchors * (5 + num_classes), 1) for c in channels)
        for conv, stride in zip(self.outputs, strides, strict=True):
            self._start_biases(conv, stride)  # type: ignore[arg-type]

    def _start_biases(self, conv: nn.Conv2d, stride: int) -> None:
        """Start at the expected rates, so the first steps need not unlearn "everything is a defect" (Lin 2017)."""
        bias = cast(Tensor, conv.bias).detach().view(self.num_anchors, -1)
        bias[:, 4] += math.log(8 / (640 / stride) ** 2)  # about 8 objects in a 640-pixel picture
        bias[:, 5:] += math.log(0.6 / (self.num_classes - 0.99))

    def forward(self, deep: Sequence[Tensor], shallow: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return one raw grid per stride, finest first."""
        grids = []
        for branch, conv, d, s in zip(self.branches, self.outputs, deep, shallow, strict=True):
            raw = conv(branch(d, s))
            b, _, h, w = raw.shape
            # In channels-last memory this is a view: the channels of a cell are already adjacent.
            cells = raw.permute(0, 2, 3, 1).reshape(b, h, w, self.num_anchors, 5 + self.num_classes)
            grids.append(cells.permute(0, 3, 1, 2, 4))
        return tuple(grids)


def decode_grids(grids: Sequence[Tensor], anchors: Tensor, strides: Sequence[int]) -> Tensor:
    """Turn raw grids into boxes and probabilities (the decoding of YOLOv5).

    Centres may leave their cell by half a cell: ``(2 sigmoid(t) - 0.5 + cell) * stride``; sides are
    ``(2 sigmoid(t))^2 * anchor``, at most four times the anchor. With one class its probability is 1: there is
    no choice, and the loss does not train that logit.

    Args:
        grids: raw grids ``[B, A, H, W, 5 + C]``, one per stride.
        anchors: ``[strides, A, 2]`` width and height in input pixels.
        strides: pixels per cell.

    Returns:
        float32 ``[B, sum(A*H*W), 5 + C]``: centre x, centre y, width, height in input pixels, then
        objectness and class probabilities in [0, 1].
    """
    decoded = []
    for grid, anchor, stride in zip(grids, anchors, strides, strict=True):
        b, a, h, w, channels = grid.shape
        p = grid.float().sigmoid()
        ys = torch.arange(h, device=p.device, dtype=p.dtype).view(1, 1, h, 1)
        xs = torch.arange(w, device=p.device, dtype=p.dtype).view(1, 1, 1, w)
        x = (p[..., 0] * 2 - 0.5 + xs) * stride
        y = (p[..., 1] * 2 - 0.5 + ys) * stride
        sides = (p[..., 2:4] * 2) ** 2 * anchor.to(p).view(1, a, 1, 1, 2)
        classes = p[..., 5:] if channels > 6 else torch.ones_like(p[..., 5:])
        boxes = torch.cat((x[..., None], y[..., None], sides, p[..., 4:5], classes), dim=-1)
        decoded.append(boxes.reshape(b, a * h * w, channels))
    return torch.cat(decoded, dim=1)
