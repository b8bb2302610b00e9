"""Focus loses no pixel, and with its convolution is one 6x6 convolution of stride 2."""

import pytest
import torch
from torch.nn.functional import conv2d

from lightdet.layers import Focus


def test_slices_hold_every_pixel_once() -> None:
    focus = Focus(1, 4)
    seen: list[torch.Tensor] = []
    focus.conv.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
    picture = torch.arange(48.0).view(1, 1, 6, 8)
    focus(picture)
    (stacked,) = seen
    assert stacked.shape == (1, 4, 3, 4)
    assert sorted(stacked.flatten().tolist()) == list(range(48))
    # The four pixels of a cell are the four of the 2x2 block there.
    for row in range(3):
        for column in range(4):
            block = picture[0, 0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            assert sorted(stacked[0, :, row, column].tolist()) == sorted(block.flatten().tolist())


@pytest.mark.parametrize("size", [(8, 8), (12, 6)])
def test_is_one_six_by_six_convolution(size: tuple[int, int]) -> None:
    focus = Focus(3, 5).double()
    weight = focus.conv.conv.weight.detach()  # [5, 4 * 3, 3, 3]
    joined = torch.zeros(5, 3, 6, 6, dtype=torch.float64)
    shifts = [(0, 0), (1, 0), (0, 1), (1, 1)]  # row and column of the four slices, in order
    for index, (down, right) in enumerate(shifts):
        for channel in range(3):
            for row in range(3):
                for column in range(3):
                    joined[:, channel, 2 * row + down, 2 * column + right] = weight[:, 3 * index + channel, row, column]
    picture = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = conv2d(picture, joined, stride=2, padding=2)
    raw: list[torch.Tensor] = []
    focus.conv.norm.register_forward_pre_hook(lambda module, arguments: raw.append(arguments[0]))
    out = focus(picture)
    assert out.shape == (2, 5, size[0] // 2, size[1] // 2)
    torch.testing.assert_close(raw[0], expected)
