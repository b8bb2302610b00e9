"""FPN (top-down) then PAN (bottom-up), a concatenation and a CSP2_1 at each join (Lin 2017, Liu 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lightdet.layers import BottleneckCSP, ConvBNAct


class PAN(nn.Module):
    """Three features at strides 8, 16, 32 → three of the same sizes and channels.

    Args:
        channels: channels of the three inputs (and outputs), finest first.
        activation: see `lightdet.layers.make_activation`.
    """

    def __init__(self, channels: Sequence[int], *, activation: str = "leaky_relu") -> None:
        super().__init__()
        c8, c16, c32 = channels

        def csp(c_in: int, c_out: int) -> BottleneckCSP:
            return BottleneckCSP(c_in, c_out, 1, residual=False, activation=activation)

        self.lateral32 = ConvBNAct(c32, c16, activation=activation)
        self.down16 = csp(2 * c16, c16)
        self.lateral16 = ConvBNAct(c16, c8, activation=activation)
        self.out8 = csp(2 * c8, c8)
        self.up8 = ConvBNAct(c8, c8, 3, 2, activation=activation)
        self.out16 = csp(2 * c8, c16)
        self.up16 = ConvBNAct(c16, c16, 3, 2, activation=activation)
        self.out32 = csp(2 * c16, c32)

    def forward(self, features: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the fused features, finest first."""
        p8, p16, p32 = features
        lateral32 = self.lateral32(p32)
        lateral16 = self.lateral16(self.down16(torch.cat((_double(lateral32), p16), dim=1)))
        n8 = self.out8(torch.cat((_double(lateral16), p8), dim=1))
        n16 = self.out16(torch.cat((self.up8(n8), lateral16), dim=1))
        n32 = self.out32(torch.cat((self.up16(n16), lateral32), dim=1))
        return n8, n16, n32


def _double(x: Tensor) -> Tensor:
    """Nearest-neighbour doubling of height and width."""
    return interpolate(x, scale_factor=2.0, mode="nearest")
