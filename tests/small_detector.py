"""The detector that is cheapest to export: few nodes to trace, few boxes to compare; untrained, yet it finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from random_statistics import randomize_statistics

from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard
from lightdet.config import ModelConfig
from lightdet.models.weights import save_model
from lightdet.structures import Preprocessing

CONFIG = ModelConfig(widths=[8, 8, 16, 16, 16], attention_at=[], gate_at=[])
SIDE = 64


def save_small_detector(path: Path, names: Sequence[str], bias: float = -3.0) -> None:
    """Write it for `names`; a larger `bias` finds more. The same arguments give the same weights, traced once."""
    torch.manual_seed(0)
    network = build_detector(CONFIG, len(names), SIDE)
    with torch.no_grad():
        for conv in network.head.outputs:  # type: ignore[union-attr]
            conv.bias.fill_(bias)  # type: ignore[operator]
    randomize_statistics(network)
    save_model(path, network.state_dict(), ModelCard(CONFIG.model_dump(mode="json"), tuple(names), Preprocessing(SIDE)))
