"""The five convolutions of YOLOv3 and YOLOv4, doubling, and a bottleneck that is narrower inside."""

import torch
from torch import nn

from lightdet.layers import Bottleneck, ConvSet, double


def test_five_convolutions_of_alternating_size() -> None:
    layers = ConvSet(12, 4)
    convs = [m for m in layers.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size[0]) for c in convs] == [
        (12, 4, 1),
        (4, 8, 3),
        (8, 4, 1),
        (4, 8, 3),
        (8, 4, 1),
    ]
    assert layers(torch.rand(2, 12, 3, 5)).shape == (2, 4, 3, 5)


def test_doubling_repeats_rows_and_columns() -> None:
    x = torch.arange(12.0).view(1, 2, 2, 3)
    assert torch.equal(double(x), x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3))


def test_a_bottleneck_may_be_narrower_inside() -> None:
    block = Bottleneck(8, hidden=3, residual=True)
    convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels) for c in convs] == [(8, 3), (3, 8)]
    assert block(torch.rand(2, 8, 4, 4)).shape == (2, 8, 4, 4)
