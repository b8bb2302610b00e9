"""CBL: convolution, normalization, activation; and the activations by their formulas."""

import math

import pytest
import torch
from torch import nn

from lightdet.layers import ConvBNAct, make_activation

FORMULAS = {
    "leaky_relu": lambda x: x if x > 0 else 0.1 * x,
    "relu": lambda x: max(x, 0.0),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "hardswish": lambda x: x * min(max(x + 3, 0), 6) / 6,
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_activations(name: str) -> None:
    values = [-5.0, -1.5, -0.25, 0.0, 0.5, 2.0, 6.0]
    found = make_activation(name)(torch.tensor(values, dtype=torch.float64)).tolist()
    assert found == pytest.approx([FORMULAS[name](v) for v in values], abs=1e-9)


def test_an_unknown_activation_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"swoosh.*leaky_relu"):
        make_activation("swoosh")


def test_by_hand() -> None:
    block = ConvBNAct(2, 3, 3, 2).double().eval()
    generator = torch.Generator().manual_seed(6)
    norm = block.norm
    for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        assert value is not None
        value.data = torch.rand(value.shape, generator=generator, dtype=torch.float64) + 0.2
    x = torch.randn(1, 2, 5, 7, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        out = block(x)
    assert out.shape == (1, 3, 3, 4)
    weight = block.conv.weight.detach()
    scale, shift, mean, variance = (
        value.detach().tolist() for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    for channel in range(3):
        for row in range(3):
            for column in range(4):
                total = 0.0
                for c in range(2):
                    for dy in range(3):
                        for dx in range(3):
                            y, at = 2 * row + dy - 1, 2 * column + dx - 1
                            if 0 <= y < 5 and 0 <= at < 7:
                                total += float(weight[channel, c, dy, dx] * x[0, c, y, at])
                value = (total - mean[channel]) / math.sqrt(variance[channel] + 1e-3)
                value = value * scale[channel] + shift[channel]
                assert float(out[0, channel, row, column]) == pytest.approx(max(value, 0.1 * value), abs=1e-9)


@pytest.mark.parametrize(("kernel", "stride", "size"), [(1, 1, (4, 4)), (3, 1, (5, 7)), (3, 2, (5, 7)), (3, 2, (8, 6))])
def test_size_is_divided_by_the_stride_rounding_up(kernel: int, stride: int, size: tuple[int, int]) -> None:
    out = ConvBNAct(1, 2, kernel, stride)(torch.zeros(2, 1, *size))
    assert out.shape == (2, 2, math.ceil(size[0] / stride), math.ceil(size[1] / stride))


def test_the_convolution_has_no_bias_for_the_normalization_takes_it_away() -> None:
    block = ConvBNAct(3, 4)
    assert block.conv.bias is None
    assert isinstance(block.norm, nn.BatchNorm2d)
