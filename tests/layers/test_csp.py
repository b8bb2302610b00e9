"""CSP1_X and CSP2_X by their definition (Wang 2020; BottleneckCSP of YOLOv5's first releases)."""

import pytest
import torch
from torch import Tensor, nn

from lightdet.layers import Bottleneck, BottleneckCSP


def settle(block: nn.Module) -> nn.Module:
    """Double precision and evaluation mode, with normalizations that have seen something."""
    generator = torch.Generator().manual_seed(4)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.bias, module.running_mean, module.running_var):
                assert value is not None
                value.data = torch.rand(value.shape, generator=generator) + 0.5
    return block.double().eval()


def picture(channels: int) -> Tensor:
    return torch.randn(2, channels, 5, 6, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


@pytest.mark.parametrize("residual", [True, False])
def test_a_bottleneck_adds_its_input_where_it_is_residual(residual: bool) -> None:
    block = settle(Bottleneck(4, residual=residual))
    x = picture(4)
    kernels = [m.kernel_size for m in block.modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [(1, 1), (3, 3)]
    with torch.no_grad():
        for module in block.modules():  # a branch that gives zero
            if isinstance(module, nn.BatchNorm2d):
                module.weight.zero_()
                module.bias.zero_()
        expected = x if residual else torch.zeros_like(x)
        torch.testing.assert_close(block(x), expected)


def test_half_goes_through_the_bottlenecks_and_half_goes_past() -> None:
    """With identity bottlenecks the block is: mix(act(norm([Q1 enter(x); Q2 x])))."""
    block = settle(BottleneckCSP(6, 8, 2, residual=True))
    assert isinstance(block, BottleneckCSP)
    x = picture(6)
    with torch.no_grad():
        for module in block.blocks.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.zero_()
                module.bias.zero_()
        entered = block.enter(x)
        assert entered.shape[1] == 4
        through = torch.einsum("oc,bchw->bohw", block.through.weight[:, :, 0, 0], entered)
        past = torch.einsum("oc,bchw->bohw", block.past.weight[:, :, 0, 0], x)
        joined = torch.cat((through, past), dim=1)
        norm = block.norm
        spread = (norm.running_var + norm.eps).sqrt()
        scale, shift = norm.weight / spread, norm.bias - norm.weight * norm.running_mean / spread
        joined = joined * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)
        joined = torch.where(joined > 0, joined, 0.1 * joined)
        torch.testing.assert_close(block(x), block.mix(joined))


@pytest.mark.parametrize("depth", [1, 3])
def test_its_parameters_are_those_of_the_published_block(depth: int) -> None:
    c_in, c_out = 12, 16
    hidden = c_out // 2
    convolutions = (
        c_in * hidden  # enter
        + depth * (hidden * hidden + 9 * hidden * hidden)  # bottlenecks
        + hidden * hidden  # through
        + c_in * hidden  # past
        + 2 * hidden * c_out  # mix
    )
    normalizations = 2 * (hidden + depth * 2 * hidden + 2 * hidden + c_out)
    block = BottleneckCSP(c_in, c_out, depth, residual=False)
    assert sum(p.numel() for p in block.parameters()) == convolutions + normalizations
    assert block(torch.zeros(2, c_in, 4, 3)).shape == (2, c_out, 4, 3)
