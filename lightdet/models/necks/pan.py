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
        n8, lateral16, lateral32 = self.top_down(*features)
        return n8, *self.bottom_up(n8, lateral16, lateral32)

    def top_down(self, p8: Tensor, p16: Tensor, p32: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the fused feature at stride 8, and what `bottom_up` joins at strides 16 and 32."""
        lateral32 = self.lateral32(p32)
        lateral16 = self.lateral16(self.down16(torch.cat((double(lateral32), p16), dim=1)))
        return self.out8(torch.cat((double(lateral16), p8), dim=1)), lateral16, lateral32

    def bottom_up(self, n8: Tensor, lateral16: Tensor, lateral32: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fused features at strides 16 and 32."""
        n16 = self.out16(torch.cat((self.up8(n8), lateral16), dim=1))
        return n16, self.out32(torch.cat((self.up16(n16), lateral32), dim=1))


class FinePAN(PAN):
    """Four features at strides 4, 8, 16, 32 → four of the same sizes and channels.

    `PAN` with a further join on the way down and one on the way up; its own parts keep their names and shapes, so that
    weights trained without the fine grid fit.

    Args:
        channels: channels of the four inputs (and outputs), finest first.
        depth, block, activation: as for `PAN`.
    """

    def __init__(
        self,
        channels: Sequence[int],
        *,
        depth: int = 1,
        block: Callable[..., nn.Module] = BottleneckCSP,
        activation: str = "leaky_relu",
    ) -> None:
        super().__init__(channels[1:], depth=depth, block=block, activation=activation)
        c4, c8 = channels[:2]
        self.lateral8 = ConvBNAct(c8, c4, activation=activation)
        self.out4 = block(2 * c4, c4, depth, residual=False, activation=activation)
        self.up4 = ConvBNAct(c4, c4, 3, 2, activation=activation)
        self.join8 = block(2 * c4, c8, depth, residual=False, activation=activation)

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:  # type: ignore[override]
        """Return the fused features, finest first."""
        p4, *coarser = features
        down8, lateral16, lateral32 = self.top_down(*coarser)
        lateral8 = self.lateral8(down8)
        n4 = self.out4(torch.cat((double(lateral8), p4), dim=1))
        n8 = self.join8(torch.cat((self.up4(n4), lateral8), dim=1))
        return n4, n8, *self.bottom_up(n8, lateral16, lateral32)
