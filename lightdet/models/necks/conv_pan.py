"""The neck of YOLOv4: SPP at stride 32, then FPN and PAN of plain convolutions (Bochkovskiy et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightdet.layers import SPP, ConvBNAct, ConvSet, double


class ConvPAN(nn.Module):
    """Three features at strides 8, 16, 32 → three of the same sizes with half the channels each.

    Features are concatenated at each join, whereas PANet adds them; each join ends in five convolutions.

    Args:
        channels: channels of the three inputs, finest first.
        activation: see `lightdet.layers.make_activation`.
    """

    def __init__(self, channels: Sequence[int], *, activation: str = "leaky_relu") -> None:
        super().__init__()
        c8, c16, c32 = channels
        self.channels = (c8 // 2, c16 // 2, c32 // 2)
        n8, n16, n32 = self.channels

        def conv(c_in: int, c_out: int, kernel: int = 1, stride: int = 1) -> ConvBNAct:
            return ConvBNAct(c_in, c_out, kernel, stride, activation=activation)

        def joined(c_out: int) -> ConvSet:
            return ConvSet(2 * c_out, c_out, activation=activation)

        self.pooled32 = nn.Sequential(
            conv(c32, n32),
            conv(n32, c32, 3),
            SPP(c32, n32, activation=activation),  # pools between two 1x1 convolutions
            conv(n32, c32, 3),
            conv(c32, n32),
        )
        self.lateral32, self.side16, self.top16 = conv(n32, n16), conv(c16, n16), joined(n16)
        self.lateral16, self.side8, self.out8 = conv(n16, n8), conv(c8, n8), joined(n8)
        self.up8, self.out16 = conv(n8, n16, 3, 2), joined(n16)
        self.up16, self.out32 = conv(n16, n32, 3, 2), joined(n32)

    def forward(self, features: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the fused features, finest first."""
        p8, p16, p32 = features
        top32 = self.pooled32(p32)
        top16 = self.top16(torch.cat((self.side16(p16), double(self.lateral32(top32))), dim=1))
        n8 = self.out8(torch.cat((self.side8(p8), double(self.lateral16(top16))), dim=1))
        n16 = self.out16(torch.cat((self.up8(n8), top16), dim=1))
        n32 = self.out32(torch.cat((self.up16(n16), top32), dim=1))
        return n8, n16, n32
