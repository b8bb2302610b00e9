"""The backbone of YOLOv5: Focus, then four times CBL↓ and a CSP block, the last one after an SPP."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from lightdet.layers import SPP, BottleneckCSP, ConvBNAct, Focus


class CSPBackbone(nn.Module):
    """``[B, 3, H, W]`` → three features at strides 8, 16, 32 with ``channels`` channels.

    Args:
        widths: output channels of Focus (stride 2) and of the stages at strides 4, 8, 16, 32.
        depths: bottlenecks in the CSP blocks at strides 4, 8, 16, 32; those at stride 32 have no shortcut.
        block: the CSP block, called as `BottleneckCSP` is.
        activation: see `lightdet.layers.make_activation`.
    """

    def __init__(
        self,
        widths: Sequence[int],
        depths: Sequence[int],
        *,
        block: Callable[..., nn.Module] = BottleneckCSP,
        activation: str = "leaky_relu",
    ) -> None:
        super().__init__()
        self.channels = tuple(widths[2:])
        self.focus = Focus(3, widths[0], activation=activation)
        self.stages = nn.ModuleList()
        for c_in, c_out, depth in zip(widths[:-1], widths[1:], depths, strict=True):
            last = len(self.stages) == 3
            parts: list[nn.Module] = [ConvBNAct(c_in, c_out, 3, 2, activation=activation)]
            if last:
                parts.append(SPP(c_out, c_out, activation=activation))
            parts.append(block(c_out, c_out, depth, residual=not last, activation=activation))
            self.stages.append(nn.Sequential(*parts))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features at strides 8, 16 and 32."""
        stride4 = self.stages[0](self.focus(images))
        stride8 = self.stages[1](stride4)
        stride16 = self.stages[2](stride8)
        return stride8, stride16, self.stages[3](stride16)
