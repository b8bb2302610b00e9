"""Gives an untrained network statistics and gates as a trained one has."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn
from torchvision.ops.misc import FrozenBatchNorm2d

Network = TypeVar("Network", bound=nn.Module)


def randomize_statistics(network: Network) -> Network:
    """Give normalizations statistics and gates values that a mistake in folding them would show."""
    draw = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | FrozenBatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3, generator=draw)
            # Small, so that what differs between places does not fade from layer to layer.
            module.running_var.uniform_(0.06, 0.2, generator=draw)
            with torch.no_grad():
                module.weight.uniform_(0.7, 1.3, generator=draw)
                module.bias.uniform_(-0.2, 0.2, generator=draw)
        if hasattr(module, "logit"):
            with torch.no_grad():
                module.logit.uniform_(-2, 2, generator=draw)
    return network.eval()
