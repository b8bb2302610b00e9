"""Focus: four pixel-shifted half-size copies stacked as channels, then a convolution (YOLOv5, releases 1-5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightdet.layers.conv import ConvBNAct


class Focus(nn.Module):
    """``[B, c_in, H, W]`` → ``[B, c_out, H/2, W/2]`` without losing a pixel; H and W even."""

    def __init__(self, c_in: int, c_out: int, kernel: int = 3, *, activation: str = "leaky_relu") -> None:
        super().__init__()
        self.conv = ConvBNAct(4 * c_in, c_out, kernel, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """Slice to even/odd rows and columns, concatenate, convolve."""
        slices = (x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2])
        out: Tensor = self.conv(torch.cat(slices, dim=1))
        return out
