"""Eqs. 4-7 with each of the three gates."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lightdet.layers import ChannelGate, GatedFusion, InputGate, ScalarGate

CHANNELS = 3
GATES = [ScalarGate, ChannelGate, InputGate]


def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    deep, shallow = torch.randn(2, 2, CHANNELS, 4, 5, generator=generator, dtype=torch.float64)
    return deep, shallow


def stirred(kind: type[nn.Module]) -> GatedFusion:
    """A fusion whose gate has left its start."""
    fusion = GatedFusion(kind(CHANNELS)).double()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return fusion


def blend(logit: float, deep: float, shallow: float) -> float:
    """Eqs. 7 and 4 for one value."""
    share = 1 / (1 + math.exp(-logit))
    return deep * share + shallow * (1 - share)


def assert_blends(found: Tensor, deep: Tensor, shallow: Tensor, logits: np.ndarray) -> None:
    """`logits`: H of eq. 7 for every value, ``[B, C, H, W]``."""
    found = found.detach()
    for place in np.ndindex(*found.shape):
        expected = blend(float(logits[place]), float(deep[place]), float(shallow[place]))
        assert float(found[place]) == pytest.approx(expected, abs=1e-9)


def test_one_learned_number() -> None:
    deep, shallow = pair()
    fusion = stirred(ScalarGate)
    (logit,) = fusion.parameters()
    assert logit.numel() == 1
    assert_blends(fusion(deep, shallow), deep, shallow, np.full(deep.shape, logit.item()))


def test_one_learned_number_a_channel() -> None:
    deep, shallow = pair()
    fusion = stirred(ChannelGate)
    (logits,) = fusion.parameters()
    assert logits.numel() == CHANNELS
    spread = np.broadcast_to(logits.detach().numpy().reshape(1, CHANNELS, 1, 1), deep.shape)
    assert_blends(fusion(deep, shallow), deep, shallow, spread)


def test_a_linear_map_of_the_shallow_feature() -> None:
    deep, shallow = pair()
    fusion = stirred(InputGate)
    weight, bias = (p.detach().numpy() for p in fusion.parameters())
    logits = np.empty(deep.shape)
    for b, out, row, column in np.ndindex(*deep.shape):
        terms = (weight[out, c, 0, 0] * float(shallow[b, c, row, column]) for c in range(CHANNELS))
        logits[b, out, row, column] = sum(terms) + bias[out]
    assert_blends(fusion(deep, shallow), deep, shallow, logits)


@pytest.mark.parametrize("kind", GATES)
def test_starts_close_to_the_network_without_the_branch(kind: type[nn.Module]) -> None:
    deep, shallow = (t.float() for t in pair())
    share = 1 / (1 + math.exp(-2))
    torch.testing.assert_close(GatedFusion(kind(CHANNELS))(deep, shallow), share * deep + (1 - share) * shallow)


@pytest.mark.parametrize("kind", GATES)
def test_the_result_lies_between_the_two(kind: type[nn.Module]) -> None:
    deep, shallow = pair()
    out = stirred(kind)(deep, shallow)
    assert (out >= torch.minimum(deep, shallow) - 1e-9).all()
    assert (out <= torch.maximum(deep, shallow) + 1e-9).all()


@pytest.mark.parametrize("kind", GATES)
def test_gradients_are_those_of_the_formula_and_reach_the_gate(kind: type[nn.Module]) -> None:
    deep, shallow = pair()
    fusion = stirred(kind)
    assert torch.autograd.gradcheck(fusion, (deep.requires_grad_(), shallow.requires_grad_()))
    fusion(deep, shallow).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in fusion.parameters())
