"""Chained pools against PyTorch's own, by whichever way they are computed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import max_pool2d

from lightdet.layers.pool import chained_max_pools, onednn_takes, use_pools

shapes = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 12), st.integers(1, 12))


def plain(x: Tensor, count: int, kernel: int) -> list[Tensor]:
    results = []
    for _ in range(count):
        x = max_pool2d(x, kernel, 1, kernel // 2)
        results.append(x)
    return results


def distinct(shape: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Values of which no two are equal, some negative, in the order in which the network keeps them."""
    count = torch.Size(shape).numel()
    values = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).to(dtype) - count // 2
    return values.reshape(shape).contiguous(memory_format=torch.channels_last)


@pytest.fixture(autouse=True, params=["torch", "onednn"])
def _pools(request: pytest.FixtureRequest) -> Iterator[None]:
    use_pools(request.param)
    yield
    use_pools("torch")


@given(shape=shapes, seed=st.integers(0, 999), kernel=st.sampled_from([3, 5]), count=st.integers(1, 3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_and_gradients_are_those_of_torch(shape: tuple[int, ...], seed: int, kernel: int, count: int) -> None:
    ours, theirs = distinct(shape, seed).requires_grad_(), distinct(shape, seed).requires_grad_()
    found, wanted = chained_max_pools(ours, count, kernel), plain(theirs, count, kernel)
    for mine, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)
    weights = [torch.randn(shape, generator=torch.Generator().manual_seed(k)) for k in range(count)]
    torch.autograd.backward(found, weights)
    torch.autograd.backward(wanted, weights)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_each_number_format(mode: type, dtype: torch.dtype) -> None:
    x = torch.randn(2, 8, 7, 9).to(dtype).contiguous(memory_format=torch.channels_last)
    with mode():
        for mine, other in zip(chained_max_pools(x, 3), plain(x, 3, 5), strict=True):
            assert mine.dtype == dtype
            assert torch.equal(mine, other)
            assert mine.is_contiguous(memory_format=torch.channels_last)


def test_a_recorded_graph_holds_plain_operations() -> None:
    x = distinct((1, 4, 8, 8), 0)
    use_pools("onednn")
    assert onednn_takes(x) == torch.backends.mkldnn.is_available()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # newer versions advise against it; exporters still use it
        traced = torch.jit.trace(lambda y: chained_max_pools(y, 3)[-1], x)
    assert "mkldnn" not in str(traced.graph)

    class Pools(torch.nn.Module):
        def forward(self, y: Tensor) -> Tensor:
            return chained_max_pools(y, 3)[-1]

    exported = torch.export.export(Pools(), (x,))
    assert "mkldnn" not in str(exported.graph)
