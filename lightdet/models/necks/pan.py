"""FPN (top-down) then PAN (bottom-up), a concatenation and a CSP2_X at each join (Lin 2017, Liu 2018)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lightdet.layers import BottleneckCSP, ConvBNAct, double


class PAN(nn.Module):
    """Three features at strides 8, 16, 32 → three of the same sizes and channels.

    Args:
        channels: channels of the three inputs (and outputs), finest first.
        depth: bottlenecks of each CSP block.
        block: the CSP block at each join, called as `BottleneckCSP` is.
        activation: see `lightdet.layers.make_activation`.
    """

    def __init__(
        self,
        channels: Sequence[int],
        *,
        depth: int = 1,
        block: Callable[..., nn.Module] = BottleneckCSP,
        activation: str = "leaky_relu",
    ) -> None:
        super().__init__()
        c8, c16, c32 = channels

        def csp(c_in: int, c_out: int) -> nn.Module:
            return block(c_in, c_out, depth, residual=False, activation=activation)

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
        lateral16 = self.lateral16(self.down16(torch.cat((double(lateral32), p16), dim=1)))
        n8 = self.out8(torch.cat((double(lateral16), p8), dim=1))
        n16 = self.out16(torch.cat((self.up8(n8), lateral16), dim=1))
        n32 = self.out32(torch.cat((self.up16(n16), lateral32), dim=1))
        return n8, n16, n32
