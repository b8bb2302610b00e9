"""CSP blocks of YOLOv5 releases 1-3: BottleneckCSP with bare 1x1 branches and a joint normalization.

CSP1_X has residual bottlenecks (backbone), CSP2_X plain ones (neck). Wang et al. 2020, CSPNet.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightdet.layers.conv import ConvBNAct, make_activation, make_batch_norm


class Bottleneck(nn.Module):
    """1x1 to `hidden` channels (default: unchanged), then 3x3; with `residual`, the input is added."""

    def __init__(
        self, channels: int, *, residual: bool, hidden: int | None = None, activation: str = "leaky_relu"
    ) -> None:
        super().__init__()
        hidden = channels if hidden is None else hidden
        self.conv1 = ConvBNAct(channels, hidden, 1, activation=activation)
        self.conv2 = ConvBNAct(hidden, channels, 3, activation=activation)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` → ``[B, C, H, W]``."""
        out: Tensor = self.conv2(self.conv1(x))
        return x + out if self.residual else out


class BottleneckCSP(nn.Module):
    """Half the width goes through `depth` bottlenecks, half goes past them; joined, normalized, mixed by a 1x1."""

    def __init__(
        self, c_in: int, c_out: int, depth: int = 1, *, residual: bool, activation: str = "leaky_relu"
    ) -> None:
        super().__init__()
        hidden = c_out // 2
        self.enter = ConvBNAct(c_in, hidden, activation=activation)
        self.blocks = nn.Sequential(
            *(Bottleneck(hidden, residual=residual, activation=activation) for _ in range(depth))
        )
        self.through = nn.Conv2d(hidden, hidden, 1, bias=False)
        self.past = nn.Conv2d(c_in, hidden, 1, bias=False)
        self.norm = make_batch_norm(2 * hidden)
        self.act = make_activation(activation)
        self.mix = ConvBNAct(2 * hidden, c_out, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, c_in, H, W]`` → ``[B, c_out, H, W]``."""
        joined = torch.cat((self.through(self.blocks(self.enter(x))), self.past(x)), dim=1)
        out: Tensor = self.mix(self.act(self.norm(joined)))
        return out
