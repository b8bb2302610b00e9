"""CBAM against eqs. 2 and 3 in numpy loops."""

import numpy as np
import pytest
import torch

from lightdet.layers import CBAM, ChannelAttention, SpatialAttention


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def channel_weights(x: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Eq. 2 for ``[C, H, W]``: sigmoid(Q1 relu(Q0 mean) + Q1 relu(Q0 max)) → ``[C]``."""
    mean = np.array([channel.mean() for channel in x])
    most = np.array([channel.max() for channel in x])
    return sigmoid(second @ np.maximum(first @ mean, 0) + second @ np.maximum(first @ most, 0))


def spatial_weights(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Eq. 3 for ``[C, H, W]`` and a ``[2, 7, 7]`` kernel, zeros beyond the border → ``[H, W]``."""
    height, width = x.shape[1:]
    maps = np.zeros((2, height + 6, width + 6))
    for row in range(height):
        for column in range(width):
            maps[0, row + 3, column + 3] = x[:, row, column].mean()
            maps[1, row + 3, column + 3] = x[:, row, column].max()
    out = np.empty((height, width))
    for row in range(height):
        for column in range(width):
            out[row, column] = (maps[:, row : row + 7, column : column + 7] * kernel).sum()
    return sigmoid(out)


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(2, 32, 9, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2


def mlp_of(attention: ChannelAttention) -> tuple[np.ndarray, np.ndarray]:
    first, second = (p.detach().numpy()[:, :, 0, 0] for p in attention.parameters())
    return first, second


def test_channel_attention_is_eq_2(features: torch.Tensor) -> None:
    attention = ChannelAttention(32).double()
    weights = attention(features).detach().numpy()
    assert weights.shape == (2, 32, 1, 1)
    for picture, found in zip(features.numpy(), weights, strict=True):
        np.testing.assert_allclose(found[:, 0, 0], channel_weights(picture, *mlp_of(attention)), rtol=1e-9)


def test_spatial_attention_is_eq_3(features: torch.Tensor) -> None:
    attention = SpatialAttention().double()
    (kernel,) = (p.detach().numpy()[0] for p in attention.parameters())
    assert kernel.shape == (2, 7, 7)
    weights = attention(features).detach().numpy()
    assert weights.shape == (2, 1, 9, 5)
    for picture, found in zip(features.numpy(), weights, strict=True):
        np.testing.assert_allclose(found[0], spatial_weights(picture, kernel), rtol=1e-9)


def test_channels_come_first_and_places_see_the_weighted_channels(features: torch.Tensor) -> None:
    block = CBAM(32).double()
    (kernel,) = (p.detach().numpy()[0] for p in block.spatial.parameters())
    out = block(features).detach().numpy()
    for picture, found in zip(features.numpy(), out, strict=True):
        weighted = picture * channel_weights(picture, *mlp_of(block.channel))[:, None, None]
        np.testing.assert_allclose(found, weighted * spatial_weights(weighted, kernel)[None], rtol=1e-8)


def test_the_mlp_narrows_sixteenfold_but_keeps_some_room() -> None:
    assert mlp_of(ChannelAttention(128))[0].shape == (8, 128)
    assert mlp_of(ChannelAttention(16))[0].shape == (4, 16)


def test_attention_only_ever_weakens(features: torch.Tensor) -> None:
    out = CBAM(32).double()(features)
    assert (out.abs() <= features.abs()).all()
    assert (out * features >= 0).all()
