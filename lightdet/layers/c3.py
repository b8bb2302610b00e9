"""The CSP block of YOLOv5's later releases and of YOLOX: three convolutions where BottleneckCSP has four."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightdet.layers.conv import ConvBNAct
from lightdet.layers.csp import Bottleneck


class C3(nn.Module):
    """Half the width goes through `depth` bottlenecks, half goes past them; joined and mixed by a 1x1."""

    def __init__(
        self, c_in: int, c_out: int, depth: int = 1, *, residual: bool, activation: str = "leaky_relu"
    ) -> None:
        super().__init__()
        hidden = c_out // 2
        self.enter = ConvBNAct(c_in, hidden, activation=activation)
        self.past = ConvBNAct(c_in, hidden, activation=activation)
        self.blocks = nn.Sequential(
            *(Bottleneck(hidden, residual=residual, activation=activation) for _ in range(depth))
        )
        self.mix = ConvBNAct(2 * hidden, c_out, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, c_in, H, W]`` → ``[B, c_out, H, W]``."""
        out: Tensor = self.mix(torch.cat((self.blocks(self.enter(x)), self.past(x)), dim=1))
        return out
