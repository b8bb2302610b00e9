"""A rewritten network gives what the trained one gives, whatever its parts; and it is smaller."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from random_statistics import randomize_statistics
from torch import nn

from lightdet.layers import SPP, BottleneckCSP, Focus
from lightdet.models import zoo
from lightdet.models.fuse import fuse

ANCHORS = [[[8.0, 9.0], [12.0, 20.0]], [[30.0, 20.0], [25.0, 50.0]], [[60.0, 60.0], [90.0, 70.0]]]
PARTS: list[dict[str, Any]] = [
    {"gate": "scalar"},
    {"backbone_block": "spp"},
    {"gate": "channel", "activation": "silu"},
    {"gate": "input", "activation": "mish"},
    {"gate_at": (), "attention_at": (), "backbone_block": "csp"},
    {"gate_at": (8, 16, 32), "attention_at": (8, 16, 32), "activation": "hardswish"},
    {"heads_at": (4, 8, 16, 32), "attention_at": (4, 8), "gate_at": (4, 16, 32), "anchors": [ANCHORS[0], *ANCHORS]},
]


def picture(side: int = 96) -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, side, side), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)


def biggest_difference(ours: Any, theirs: Any) -> float:
    return max(float((a - b).abs().max() / (1 + b.abs().max())) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("sums", [True, False])
@pytest.mark.parametrize("parts", PARTS)
def test_the_same_values_with_every_choice_of_parts(parts: dict[str, Any], sums: bool) -> None:
    torch.manual_seed(0)
    network = randomize_statistics(zoo.lightdet(3, **{"anchors": ANCHORS, "widths": (8, 8, 16, 16, 16), **parts}))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = picture().float() / 255
    with torch.no_grad():
        wanted = network(images)
        assert biggest_difference(fuse(network, sums=sums)(images), wanted) < 1e-4
        assert max(float(grid.abs().max()) for grid in wanted) > 0.1  # there was something to compare
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_no_normalization_focus_or_joined_block_is_left() -> None:
    network = zoo.lightdet(3, anchors=ANCHORS, widths=(8, 8, 16, 16, 16)).eval()
    left = [type(module) for module in fuse(network).modules()]
    assert not {nn.BatchNorm2d, Focus, SPP, BottleneckCSP} & set(left)
