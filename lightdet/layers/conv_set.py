"""The five convolutions at each join of YOLOv3 and YOLOv4 (Redmon & Farhadi 2018; Bochkovskiy et al. 2020)."""

from __future__ import annotations

from torch import nn

from lightdet.layers.conv import ConvBNAct


class ConvSet(nn.Sequential):
    """1x1, 3x3, 1x1, 3x3, 1x1: ``[B, c_in, H, W]`` → ``[B, c_out, H, W]``; the 3x3 ones have twice as many channels."""

    def __init__(self, c_in: int, c_out: int, *, activation: str = "leaky_relu") -> None:
        wide = 2 * c_out
        super().__init__(
            ConvBNAct(c_in, c_out, 1, activation=activation),
            ConvBNAct(c_out, wide, 3, activation=activation),
            ConvBNAct(wide, c_out, 1, activation=activation),
            ConvBNAct(c_out, wide, 3, activation=activation),
            ConvBNAct(wide, c_out, 1, activation=activation),
        )
