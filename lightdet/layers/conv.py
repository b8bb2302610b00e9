"""CBL: convolution, batch normalization, activation."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

LEAKY_SLOPE = 0.1
# The values of the first YOLOv5 releases: statistics move slowly and survive small batches.
BN_EPS = 1e-3
BN_MOMENTUM = 0.03

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky_relu": lambda: nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
    "relu": lambda: nn.ReLU(inplace=True),
    "silu": lambda: nn.SiLU(inplace=True),
    "hardswish": lambda: nn.Hardswish(inplace=True),
    "mish": lambda: nn.Mish(inplace=True),
}


def make_activation(name: str) -> nn.Module:
    """Return a fresh activation: leaky_relu (slope 0.1), relu, silu, hardswish or mish.

    Raises:
        ValueError: for any other name.
    """
    if name not in _ACTIVATIONS:
        raise ValueError(f"unknown activation '{name}'; known: {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]()


def make_batch_norm(channels: int) -> nn.BatchNorm2d:
    """Return a batch normalization with this project's eps and momentum."""
    return nn.BatchNorm2d(channels, eps=BN_EPS, momentum=BN_MOMENTUM)


class ConvBNAct(nn.Module):
    """``[B, c_in, H, W]`` → ``[B, c_out, ⌈H/stride⌉, ⌈W/stride⌉]``; same padding, odd kernels."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int = 1, stride: int = 1, *, activation: str = "leaky_relu"
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = make_batch_norm(c_out)
        self.act = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Apply convolution, normalization and activation."""
        out: Tensor = self.act(self.norm(self.conv(x)))
        return out
