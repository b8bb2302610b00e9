"""The network of an export takes a picture's bytes, and gives what the trained one gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from random_statistics import randomize_statistics
from torch import nn

from lightdet.exporting.network import deployable
from lightdet.layers import Focus
from lightdet.models import zoo
from lightdet.structures import Preprocessing

ANCHORS = [[[8.0, 9.0], [12.0, 20.0]], [[30.0, 20.0], [25.0, 50.0]], [[60.0, 60.0], [90.0, 70.0]]]


def picture(side: int = 96) -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, side, side), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)


def biggest_difference(ours: Any, theirs: Any) -> float:
    return max(float((a - b).abs().max() / (1 + b.abs().max())) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("layout", ["planar", "interleaved"])
@pytest.mark.parametrize("name", ["lightdet_nano", "yolov5n"])
def test_pixels_in_raw_grids_out(name: str, layout: str) -> None:
    torch.manual_seed(0)
    network = randomize_statistics(getattr(zoo, name)(3, anchors=ANCHORS))
    made = deployable(network, Preprocessing(96), layout=layout)  # type: ignore[arg-type]
    images = picture(64)
    given = images if layout == "planar" else images.permute(0, 2, 3, 1).contiguous()
    with torch.no_grad():
        wanted = [grid.permute(0, 1, 4, 2, 3).flatten(1, 2) for grid in network(images.float() / 255)]
        if layout == "interleaved":  # in the order of the input
            wanted = [grid.permute(0, 2, 3, 1) for grid in wanted]
        assert biggest_difference(made.module(given), wanted) < 1e-4
    assert made.outputs == "grids" and made.strides == (8, 16, 32)
    # The factor 1/255 is in the first convolution, and pairs of pixels are channels where bytes are interleaved.
    first = next(module for module in made.module.modules() if isinstance(module, nn.Conv2d))
    assert made.module.scale is None and first.in_channels == (3 if layout == "planar" else 6)


class Twice(nn.Module):
    """Looks at the picture in two places, so that no factor can be folded into one convolution."""

    num_classes = 1

    def __init__(self) -> None:
        super().__init__()
        self.focus = Focus(3, 6)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.focus(images).mean(dim=1, keepdim=True) + images[:, :1, ::2, ::2]

    def decode(self, outputs: torch.Tensor) -> torch.Tensor:
        return outputs.flatten(2).transpose(1, 2).expand(-1, -1, 6)


@pytest.mark.parametrize("layout", ["planar", "interleaved"])
def test_another_network_is_decoded_as_it_says_and_not_spoilt(layout: str) -> None:
    network = randomize_statistics(Twice())
    made = deployable(network, Preprocessing(96), layout=layout)  # type: ignore[arg-type]
    images = picture(64)
    given = images if layout == "planar" else images.permute(0, 2, 3, 1).contiguous()
    with torch.no_grad():
        wanted = network.decode(network(images.float() / 255))  # type: ignore[operator]
        assert biggest_difference(made.module(given), (wanted,)) < 1e-4
    assert (made.outputs, made.anchors) == ("candidates", ())
