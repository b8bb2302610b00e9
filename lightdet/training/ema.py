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
        self._source: nn.Module | None = None
        self._floats: tuple[list[Tensor], list[Tensor]] = ([], [])
        self._others: list[tuple[Tensor, Tensor]] = []

    def _pair_with(self, network: nn.Module) -> None:
        """Pair up the tensors once: collecting them each time took longer than averaging them."""
        named = dict(network.named_parameters()) | dict(network.named_buffers())
        mine = dict(self.network.named_parameters()) | dict(self.network.named_buffers())
        kept = self.network.state_dict().keys()  # not every buffer is part of the state
        pairs = [(mine[name], named[name].detach()) for name in kept]
        floats = [pair for pair in pairs if pair[0].dtype.is_floating_point]
        self._floats = ([own for own, _ in floats], [new for _, new in floats])
        self._others = [pair for pair in pairs if not pair[0].dtype.is_floating_point]
        self._source = network

    def update(self, network: nn.Module) -> None:
        """Add the weights after an optimizer step."""
        self.updates += 1
        share = 1 - self.decay * (1 - math.exp(-self.updates / RAMP_STEPS))
        if self._source is not network:
            self._pair_with(network)
        torch._foreach_lerp_(*self._floats, share)
        for own, new in self._others:
            own.copy_(new)

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights and statistics by name."""
        return dict(self.network.state_dict())
