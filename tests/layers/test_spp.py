"""Eq. 1: the concatenation of the input with its 5x5, 9x9 and 13x13 max-pools."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.layers import SPP, ResidualSPP


def max_pool_by_hand(values: np.ndarray, kernel: int) -> np.ndarray:
    """``[C, H, W]`` → the largest value within the window around each place, as far as the picture goes."""
    reach = kernel // 2
    out = np.empty_like(values)
    for y in range(values.shape[1]):
        for x in range(values.shape[2]):
            window = values[:, max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
            out[:, y, x] = window.max(axis=(1, 2))
    return out


@given(seed=st.integers(0, 1000), height=st.integers(1, 20), width=st.integers(1, 20))
@settings(max_examples=25)
def test_chained_pools_are_the_pools_of_the_paper(seed: int, height: int, width: int) -> None:
    block = SPP(4, 6).eval()
    seen: list[torch.Tensor] = []
    block.expand.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
    # Below zero too: padding must never win against a value.
    picture = torch.randn(1, 4, height, width, generator=torch.Generator().manual_seed(seed)) - 3
    with torch.no_grad():
        out = block(picture)
        reduced = block.reduce(picture)[0].numpy()
    assert out.shape == (1, 6, height, width)
    expected = np.concatenate([reduced, *(max_pool_by_hand(reduced, kernel) for kernel in (5, 9, 13))])
    np.testing.assert_array_equal(seen[0][0].numpy(), expected)


def test_one_bright_place_reaches_six_places_far() -> None:
    block = SPP(2, 2).eval()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.fill_(1.0)
        dark, bright = torch.zeros(1, 2, 21, 21), torch.zeros(1, 2, 21, 21)
        bright[0, 0, 10, 10] = 1.0
        changed = (block(bright) != block(dark)).any(dim=1)[0]
    rows, columns = changed.nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 16, 4, 16)


@pytest.mark.parametrize(("c_in", "c_out"), [(8, 16), (7, 5)])
def test_size_unchanged_and_odd_widths(c_in: int, c_out: int) -> None:
    assert SPP(c_in, c_out)(torch.zeros(2, c_in, 6, 4)).shape == (2, c_out, 6, 4)


def test_the_way_past_changes_nothing_on_its_way() -> None:
    torch.manual_seed(0)
    block, plain = ResidualSPP(6).eval(), SPP(6, 6).eval()
    plain.load_state_dict(block.state_dict())  # not a weight more
    picture = torch.randn(2, 6, 9, 7)
    with torch.no_grad():
        torch.testing.assert_close(block(picture) - picture, plain(picture))
        block.expand.norm.weight.zero_()
        block.expand.norm.bias.zero_()
        assert torch.equal(block(picture), picture)
