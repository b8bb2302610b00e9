"""The neck of YOLOv3: a feature pyramid (Lin 2017) with five convolutions at each join (Redmon & Farhadi 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightdet.layers import ConvBNAct, ConvSet, double


class FPN(nn.Module):
    """Three features at strides 8, 16, 32 → three of the same sizes with half the channels each.

    Args:
        channels: channels of the three inputs, finest first.
        activation: see `lightdet.layers.make_activation`.
    """

    def __init__(self, channels: Sequence[int], *, activation: str = "leaky_relu") -> None:
        super().__init__()
        c8, c16, c32 = channels
        self.channels = (c8 // 2, c16 // 2, c32 // 2)
        n8, n16, n32 = self.channels
        self.out32 = ConvSet(c32, n32, activation=activation)
        self.lateral32 = ConvBNAct(n32, n32 // 2, activation=activation)
        self.out16 = ConvSet(n32 // 2 + c16, n16, activation=activation)
        self.lateral16 = ConvBNAct(n16, n16 // 2, activation=activation)
        self.out8 = ConvSet(n16 // 2 + c8, n8, activation=activation)

    def forward(self, features: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the fused features, finest first."""
        p8, p16, p32 = features
        n32 = self.out32(p32)
        n16 = self.out16(torch.cat((double(self.lateral32(n32)), p16), dim=1))
        n8 = self.out8(torch.cat((double(self.lateral16(n16)), p8), dim=1))
        return n8, n16, n32
