"""The slim backbone: Focus, then four times CBL↓ and a block (SPP in place of CSP1_X)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lightdet.layers import SPP, BottleneckCSP, ConvBNAct, Focus, ResidualSPP

CSP_DEPTHS = (1, 3, 3, 1)  # CSP1_X of YOLOv5s at strides 4, 8, 16, 32


class SlimBackbone(nn.Module):
    """``[B, 3, H, W]`` → features at the `strides` with ``channels`` channels.

    Args:
        widths: output channels of Focus (stride 2) and of the stages at strides 4, 8, 16, 32.
        block: ``spp_residual`` (the paper's SPP with a residual connection), ``spp`` (without) or ``csp`` (the CSP1_X
            that SPP replaces).
        strides: of the features, finest first, the last of 4, 8, 16, 32.
        activation: see `lightdet.layers.make_activation`.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        block: str = "spp_residual",
        strides: Sequence[int] = (8, 16, 32),
        activation: str = "leaky_relu",
    ) -> None:
        super().__init__()
        self.channels = tuple(widths[-len(strides) :])
        self.focus = Focus(3, widths[0], activation=activation)
        self.stages = nn.ModuleList()
        for c_in, c_out, depth in zip(widths[:-1], widths[1:], CSP_DEPTHS, strict=True):
            down = ConvBNAct(c_in, c_out, 3, 2, activation=activation)
            feature: nn.Module
            if block == "spp_residual":
                feature = ResidualSPP(c_out, activation=activation)
            elif block == "spp":
                feature = SPP(c_out, c_out, activation=activation)
            elif block == "csp":
                feature = BottleneckCSP(c_out, c_out, depth, residual=True, activation=activation)
            else:
                raise ValueError(f"unknown backbone block '{block}'; known: spp_residual, spp, csp")
            self.stages.append(nn.Sequential(down, feature))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the features, finest first."""
        feature, features = self.focus(images), []
        for stage in self.stages:
            feature = stage(feature)
            features.append(feature)
        return tuple(features[-len(self.channels) :])
