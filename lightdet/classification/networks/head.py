"""The fully connected end of a classifier."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def dense_head(inputs: int, hidden: Sequence[int], outputs: int, dropout: float | Sequence[float]) -> nn.Sequential:
    """Return linear layers with ReLU between them.

    Args:
        inputs: features in.
        hidden: widths of the hidden layers; none: a single linear layer.
        outputs: logits out.
        dropout: before every layer except the first hidden one, or one probability for each hidden layer (after it).
    """
    layers: list[nn.Module] = []
    if not hidden:
        layers.append(nn.Dropout(dropout if isinstance(dropout, float) else 0.0))
    behind = [dropout] * len(hidden) if isinstance(dropout, float) else list(dropout)
    for width, probability in zip(hidden, behind, strict=True):
        layers += [nn.Linear(inputs, width), nn.ReLU(inplace=True), nn.Dropout(probability)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))
