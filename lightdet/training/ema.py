"""Exponential moving average of a network's weights and statistics."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

RAMP_STEPS = 2000.0


class ExponentialMovingAverage:
    """Keeps ``average = d * average + (1 - d) * weights``; d grows to `decay` so that early steps are forgotten.

    `network` is the averaged copy, always in evaluation mode.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self.network.requires_grad_(False)
        self.decay = decay
        self.updates = 0

    def update(self, network: nn.Module) -> None:
        """Take in the weights after an optimizer step."""
        self.updates += 1
        share = 1 - self.decay * (1 - math.exp(-self.updates / RAMP_STEPS))
        averaged = self.network.state_dict()
        pairs = [(averaged[name], value.detach()) for name, value in network.state_dict().items()]
        floats = [(mine, new) for mine, new in pairs if mine.dtype.is_floating_point]
        torch._foreach_lerp_([mine for mine, _ in floats], [new for _, new in floats], share)
        for mine, new in pairs:
            if not mine.dtype.is_floating_point:
                mine.copy_(new)

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights and statistics by name."""
        return dict(self.network.state_dict())
