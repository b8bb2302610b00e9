"""Gated residual fusion of a neck feature with the shallow backbone feature of the same stride (eqs. 4-7).

``out = deep * J + shallow * (1 - J)`` with ``J = sigmoid(H)``: a highway gate (Srivastava et al. 2015).
The gates differ in what H is: one learned number, one per channel, or a 1x1 convolution of the shallow feature.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# sigmoid(2) = 0.88: training starts close to the network without the branch.
INITIAL_LOGIT = 2.0


class ScalarGate(nn.Module):
    """One learned J for all channels and positions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.full((1, 1, 1, 1), INITIAL_LOGIT))

    def forward(self, shallow: Tensor) -> Tensor:
        """``[B, C, H, W]`` → ``[1, 1, 1, 1]`` in (0, 1)."""
        return torch.sigmoid(self.logit)


class ChannelGate(nn.Module):
    """One learned J per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.full((1, channels, 1, 1), INITIAL_LOGIT))

    def forward(self, shallow: Tensor) -> Tensor:
        """``[B, C, H, W]`` → ``[1, C, 1, 1]`` in (0, 1)."""
        return torch.sigmoid(self.logit)


class InputGate(nn.Module):
    """J from the shallow feature itself by a 1x1 convolution (eq. 6: H = Q_LI x T)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.constant_(self.linear.bias, INITIAL_LOGIT)  # type: ignore[arg-type]

    def forward(self, shallow: Tensor) -> Tensor:
        """``[B, C, H, W]`` → ``[B, C, H, W]`` in (0, 1)."""
        return torch.sigmoid(self.linear(shallow))


class GatedFusion(nn.Module):
    """Blend ``deep`` and ``shallow``, both ``[B, C, H, W]``, by a gate (eq. 4)."""

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, deep: Tensor, shallow: Tensor) -> Tensor:
        """Return ``deep * J + shallow * (1 - J)``."""
        # lerp is the same expression in one kernel: shallow + J * (deep - shallow).
        share: Tensor = self.gate(shallow).to(deep.dtype)
        return shallow + share * (deep - shallow)
