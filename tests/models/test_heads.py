"""The head's layout and start, and its decoding as the inverse of encoding."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lightdet.layers import ScalarGate
from lightdet.models.heads import AnchorHead, HeadBranch, decode_grids

STRIDES = (8, 16, 32)
ANCHORS = torch.tensor([[[10.0, 14.0], [20.0, 9.0]], [[30.0, 31.0], [50.0, 24.0]], [[64.0, 80.0], [100.0, 90.0]]])
ROWS, COLUMNS = (8, 4, 2), (12, 6, 3)


def logit(p: float) -> float:
    return math.log(p / (1 - p))


@given(
    level=st.integers(0, 2),
    anchor=st.integers(0, 1),
    share=st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)),
    offset=st.tuples(st.floats(-0.45, 1.45), st.floats(-0.45, 1.45)),
    factor=st.tuples(st.floats(0.05, 3.9), st.floats(0.05, 3.9)),
    probabilities=st.lists(st.floats(0.01, 0.99), min_size=4, max_size=4),
)
def test_an_encoded_box_comes_back(
    level: int,
    anchor: int,
    share: tuple[float, float],
    offset: tuple[float, float],
    factor: tuple[float, float],
    probabilities: list[float],
) -> None:
    row, column = int(share[0] * ROWS[level]), int(share[1] * COLUMNS[level])
    width, height = (f * side for f, side in zip(factor, ANCHORS[level, anchor].tolist(), strict=True))
    x, y = (column + offset[0]) * STRIDES[level], (row + offset[1]) * STRIDES[level]
    grids = [torch.zeros(2, 2, r, c, 8) for r, c in zip(ROWS, COLUMNS, strict=True)]
    encoded = [logit((o + 0.5) / 2) for o in offset] + [logit(math.sqrt(f) / 2) for f in factor]
    grids[level][1, anchor, row, column] = torch.tensor(encoded + [logit(p) for p in probabilities])

    decoded = decode_grids(grids, ANCHORS, STRIDES)
    assert decoded.shape == (2, 2 * (8 * 12 + 4 * 6 + 2 * 3), 8)
    before = sum(2 * r * c for r, c in zip(ROWS[:level], COLUMNS[:level], strict=True))
    index = before + (anchor * ROWS[level] + row) * COLUMNS[level] + column
    assert decoded[1, index].tolist() == pytest.approx([x, y, width, height, *probabilities], rel=1e-3, abs=1e-3)


def test_zeros_decode_to_anchors_in_the_middle_of_their_cells() -> None:
    grid = torch.zeros(1, 2, 2, 3, 7)
    decoded = decode_grids([grid], ANCHORS[:1], [8])[0].view(2, 2, 3, 7)
    for anchor in range(2):
        for row in range(2):
            for column in range(3):
                expected = [column * 8 + 4, row * 8 + 4, *ANCHORS[0, anchor].tolist(), 0.5, 0.5, 0.5]
                assert decoded[anchor, row, column].tolist() == expected


def test_no_output_leaves_the_bounds() -> None:
    grid = torch.full((1, 2, 2, 3, 7), 1e4)
    for sign in (1, -1):
        decoded = decode_grids([sign * grid], ANCHORS[:1], [8])[0].view(2, 2, 3, 7)
        assert torch.isfinite(decoded).all()
        assert (decoded[..., 2:4] <= 4 * ANCHORS[0].view(2, 1, 1, 2)).all()


def test_half_precision_is_decoded_in_float32() -> None:
    """In bfloat16 a cell number above 256 would be rounded to the next even one."""
    grid = torch.zeros(1, 1, 1, 300, 6, dtype=torch.bfloat16)
    decoded = decode_grids([grid], ANCHORS[:1, :1], [8])
    assert decoded.dtype == torch.float32
    assert decoded[0, :, 0].tolist() == [column * 8 + 4 for column in range(300)]


def test_with_one_class_the_score_is_the_objectness() -> None:
    """The loss leaves that class's logit untrained: what stands there is noise."""
    grid = torch.randn(1, 2, 2, 3, 6, generator=torch.Generator().manual_seed(0))
    decoded = decode_grids([grid], ANCHORS[:1], [8])[0]
    torch.testing.assert_close(decoded[:, 4] * decoded[:, 5], grid[..., 4].sigmoid().flatten())


def build_head(channels: tuple[int, ...] = (4, 6, 8), num_classes: int = 3) -> AnchorHead:
    branches = [HeadBranch(c, gate=None, attention=False) for c in channels]
    return AnchorHead(branches, channels, num_classes, 2, STRIDES)


def test_channels_of_a_cell_go_to_their_anchor() -> None:
    head = build_head()
    features = [torch.randn(2, c, 5, 7, generator=torch.Generator().manual_seed(c)) for c in (4, 6, 8)]
    grids = head(features, features)
    for conv, feature, grid in zip(head.outputs, features, grids, strict=True):
        raw = conv(feature)
        assert grid.shape == (2, 2, 5, 7, 8)
        for anchor in range(2):
            for entry in range(8):
                torch.testing.assert_close(grid[:, anchor, :, :, entry], raw[:, anchor * 8 + entry])


def test_a_fresh_head_expects_few_defects() -> None:
    head = build_head()
    for conv, stride in zip(head.outputs, STRIDES, strict=True):
        assert isinstance(conv, nn.Conv2d)
        with torch.no_grad():
            conv.weight.zero_()
            grid = head_output(conv)
        objectness, classes = grid[:, 4].sigmoid(), grid[:, 5:].sigmoid()
        expected = 8 / (640 / stride) ** 2  # eight objects in a picture of 640 pixels
        # the convolution's own random bias stays below 1 / sqrt(channels) of either sign
        assert (objectness.log() - math.log(expected)).abs().max() < 0.6
        assert classes.max() < 0.6


def head_output(conv: nn.Conv2d) -> torch.Tensor:
    """One cell's values by anchor, ``[A, 5 + C]``."""
    return conv(torch.zeros(1, conv.in_channels, 1, 1)).view(2, 8)


def test_a_branch_has_the_parts_it_is_told_to_have() -> None:
    deep, shallow = torch.randn(2, 2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    plain = HeadBranch(8, gate=None, attention=False)
    assert list(plain.parameters()) == []
    assert torch.equal(plain(deep, shallow), deep)
    attended = HeadBranch(8, gate=None, attention=True).eval()
    assert attended.attention is not None
    assert torch.equal(attended(deep, shallow), attended.attention(deep))
    gated = HeadBranch(8, gate=ScalarGate(8), attention=False).eval()
    assert gated.fusion is not None
    assert gated.rebuild is not None
    assert torch.equal(gated(deep, shallow), gated.rebuild(gated.fusion(deep, shallow)))
    assert not torch.equal(gated(deep, shallow), gated(deep, shallow + 1))
