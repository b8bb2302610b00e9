"""CBAM: channel, then spatial attention (Woo et al. 2018; eqs. 2 and 3 of the paper)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Eq. 2: one shared MLP over average- and max-pooled channels, summed, sigmoid → weights ``[B, C, 1, 1]``."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(4, channels // reduction)
        self.mlp = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.ReLU(), nn.Conv2d(hidden, channels, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` → ``[B, C, 1, 1]`` in (0, 1)."""
        average = self.mlp(x.mean(dim=(2, 3), keepdim=True))
        maximum = self.mlp(x.amax(dim=(2, 3), keepdim=True))
        return torch.sigmoid(average + maximum)


class SpatialAttention(nn.Module):
    """Eq. 3: a 7x7 convolution over the channels' mean and maximum, sigmoid → weights ``[B, 1, H, W]``."""

    def __init__(self, kernel: int = 7) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` → ``[B, 1, H, W]`` in (0, 1)."""
        maps = torch.cat((x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)), dim=1)
        return torch.sigmoid(self.conv(maps))


class CBAM(nn.Module):
    """Weights channels, then positions, of ``[B, C, H, W]``; size unchanged."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel = ChannelAttention(channels)
        self.spatial = SpatialAttention()

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, H, W]`` → ``[B, C, H, W]``."""
        x = x * self.channel(x)
        out: Tensor = x * self.spatial(x)
        return out
