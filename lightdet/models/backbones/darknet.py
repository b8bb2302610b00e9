"""Darknet-53 (Redmon & Farhadi 2018, table 1) and CSPDarknet-53 (Bochkovskiy et al. 2020; Wang et al. 2020).

Both are a 3x3 convolution and five stages; a stage halves the size with a 3x3 convolution of stride 2 and goes
through 1, 2, 8, 8, 4 residual blocks of a 1x1 and a 3x3 convolution.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightdet.layers import Bottleneck, ConvBNAct

WIDTHS = (32, 64, 128, 256, 512, 1024)
DEPTHS = (1, 2, 8, 8, 4)


class CSPStage(nn.Module):
    """Two 1x1 branches, one through residual blocks and a 1x1; joined and mixed by a 1x1. Size and channels stay.

    Each branch has half the channels, but in the first stage all of them, around a bottleneck of half as many.
    """

    def __init__(self, channels: int, depth: int, *, first: bool, activation: str) -> None:
        super().__init__()
        branch = channels if first else channels // 2
        self.enter = ConvBNAct(channels, branch, activation=activation)
        self.blocks = nn.Sequential(
            *(Bottleneck(branch, hidden=channels // 2, residual=True, activation=activation) for _ in range(depth))
        )
        self.through = ConvBNAct(branch, branch, activation=activation)
        self.past = ConvBNAct(channels, branch, activation=activation)
        self.mix = ConvBNAct(2 * branch, channels, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` → ``[B, C, H, W]``."""
        out: Tensor = self.mix(torch.cat((self.through(self.blocks(self.enter(x))), self.past(x)), dim=1))
        return out


class _FiveStages(nn.Module):
    """``[B, 3, H, W]`` → the outputs of the last three stages, at strides 8, 16, 32 with ``channels`` channels."""

    def __init__(self, stages: Sequence[nn.Module], activation: str) -> None:
        super().__init__()
        self.channels = WIDTHS[3:]
        self.stem = ConvBNAct(3, WIDTHS[0], 3, activation=activation)
        self.stages = nn.ModuleList(
            nn.Sequential(ConvBNAct(c_in, c_out, 3, 2, activation=activation), stage)
            for c_in, c_out, stage in zip(WIDTHS[:-1], WIDTHS[1:], stages, strict=True)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features at strides 8, 16 and 32."""
        stride4 = self.stages[1](self.stages[0](self.stem(images)))
        stride8 = self.stages[2](stride4)
        stride16 = self.stages[3](stride8)
        return stride8, stride16, self.stages[4](stride16)


class Darknet53(_FiveStages):
    """The backbone of YOLOv3, without its classifier."""

    def __init__(self, *, activation: str = "leaky_relu") -> None:
        stages = [
            nn.Sequential(*(Bottleneck(c, hidden=c // 2, residual=True, activation=activation) for _ in range(depth)))
            for c, depth in zip(WIDTHS[1:], DEPTHS, strict=True)
        ]
        super().__init__(stages, activation)


class CSPDarknet53(_FiveStages):
    """The backbone of YOLOv4."""

    def __init__(self, *, activation: str = "mish") -> None:
        stages = [
            CSPStage(c, depth, first=number == 0, activation=activation)
            for number, (c, depth) in enumerate(zip(WIDTHS[1:], DEPTHS, strict=True))
        ]
        super().__init__(stages, activation)
