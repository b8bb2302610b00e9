"""Spatial pyramid pooling as the backbone's feature block (eq. 1 of the paper; He et al. 2015)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightdet.layers.conv import ConvBNAct
from lightdet.layers.pool import chained_max_pools


class SPP(nn.Module):
    """1x1 reduce → ``cat(a, pool5(a), pool9(a), pool13(a))`` → 1x1 expand; size unchanged.

    A 9x9 max-pool of stride 1 equals two chained 5x5 ones and a 13x13 equals three: the same values, less work.
    """

    def __init__(self, c_in: int, c_out: int, *, activation: str = "leaky_relu") -> None:
        super().__init__()
        hidden = c_in // 2
        self.reduce = ConvBNAct(c_in, hidden, activation=activation)
        self.expand = ConvBNAct(4 * hidden, c_out, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, c_in, H, W]`` → ``[B, c_out, H, W]``."""
        a = self.reduce(x)
        out: Tensor = self.expand(torch.cat((a, *chained_max_pools(a, 3)), dim=1))
        return out


class ResidualSPP(SPP):
    """`SPP` with a residual connection, as in the CSP1_X that it replaces: ``x + SPP(x)``.

    Three quarters of the input of SPP's own expansion is pooled. Without the residual connection, half of the channels
    of each stage and every exact position have to pass through the last quarter.
    """

    def __init__(self, channels: int, *, activation: str = "leaky_relu") -> None:
        super().__init__(channels, channels, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, channels, H, W]`` → the same."""
        return x + super().forward(x)
