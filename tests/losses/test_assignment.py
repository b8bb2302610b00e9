"""The assignment against loops over every box, anchor and cell."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lightdet.losses import GridMatches, assign_anchors, match_anchors

STRIDES = (8, 16, 32)
WIDTH, HEIGHT = 96, 64
GRIDS = [(HEIGHT // stride, WIDTH // stride) for stride in STRIDES]
ANCHORS = torch.tensor(
    [
        [[6.0, 7.0], [9.0, 17.0], [21.0, 13.0]],
        [[19.0, 30.0], [31.0, 22.0], [29.0, 45.0]],
        [[58.0, 43.0], [70.0, 61.0], [90.0, 50.0]],
    ]
)
PICTURES = 3

Match = tuple[int, int, int, int, int]  # box, image, anchor, row, column


@st.composite
def target_rows(draw: st.DrawFn) -> list[float]:
    """A labelled box with corners on quarter pixels, so centres fall on cell borders and middles too."""
    x1, x2 = sorted(draw(st.tuples(st.integers(0, WIDTH * 4), st.integers(0, WIDTH * 4))))
    y1, y2 = sorted(draw(st.tuples(st.integers(0, HEIGHT * 4), st.integers(0, HEIGHT * 4))))
    picture, label = draw(st.integers(0, PICTURES - 1)), draw(st.integers(0, 4))
    return [float(picture), float(label), x1 / 4, y1 / 4, x2 / 4, y2 / 4]


targets_of_a_batch = st.lists(target_rows(), max_size=8).map(lambda rows: torch.tensor(rows).reshape(-1, 6))


def fits(width: float, height: float, anchor: list[float], ratio: float) -> bool:
    if width <= 0 or height <= 0:
        return False
    factors = (width / anchor[0], anchor[0] / width, height / anchor[1], anchor[1] / height)
    return all(factor < ratio for factor in factors)


def takes(row: int, column: int, x: float, y: float, rows: int, columns: int) -> bool:
    """Does a cell take a box with its centre at x, y (in cells)?

    The cell that the centre lies in does, and so does a neighbour on one of its sides if the centre is less than
    half a cell away from that side.
    """
    own_row, own_column = min(math.floor(y), rows - 1), min(math.floor(x), columns - 1)
    if row == own_row and abs(column - own_column) == 1:
        return abs(x - max(column, own_column)) < 0.5
    if column == own_column and abs(row - own_row) == 1:
        return abs(y - max(row, own_row)) < 0.5
    return (row, column) == (own_row, own_column)


def by_hand(targets: Tensor, level: int, ratio: float) -> set[Match]:
    rows, columns = GRIDS[level]
    found = set()
    for index, (picture, _, x1, y1, x2, y2) in enumerate(targets.tolist()):
        x, y = (x1 + x2) / 2 / STRIDES[level], (y1 + y2) / 2 / STRIDES[level]
        for number, anchor in enumerate(ANCHORS[level].tolist()):
            if not fits(x2 - x1, y2 - y1, anchor, ratio):
                continue
            found |= {
                (index, int(picture), number, row, column)
                for row in range(rows)
                for column in range(columns)
                if takes(row, column, x, y, rows, columns)
            }
    return found


def as_list(matches: GridMatches) -> list[Match]:
    parts = (matches.box, matches.image, matches.anchor, matches.row, matches.column)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def assign(targets: Tensor, ratio: float = 4.0) -> list[GridMatches]:
    return assign_anchors(targets, ANCHORS, STRIDES, GRIDS, ratio)


@given(targets_of_a_batch, st.sampled_from([2.0, 3.7, 4.0]))
@settings(max_examples=150)
def test_every_box_anchor_and_cell(targets: Tensor, ratio: float) -> None:
    for level, matches in enumerate(assign(targets, ratio)):
        found = as_list(matches)
        assert len(found) == len(set(found)), "no cell is given a box twice"
        assert set(found) == by_hand(targets, level, ratio)


@given(targets_of_a_batch)
def test_what_goes_with_a_match_is_its_box(targets: Tensor) -> None:
    for level, matches in enumerate(assign(targets)):
        for place, index in enumerate(matches.box.tolist()):
            picture, label, x1, y1, x2, y2 = targets[index].tolist()
            assert (matches.image[place], matches.label[place]) == (picture, label)
            assert matches.boxes[place].tolist() == [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
            # The decoding (2 sigmoid - 0.5, and (2 sigmoid)^2 anchors) can reach it.
            across = (x1 + x2) / 2 / STRIDES[level] - matches.column[place].item()
            down = (y1 + y2) / 2 / STRIDES[level] - matches.row[place].item()
            assert -0.5 < across < 1.5
            assert -0.5 < down < 1.5


@given(targets_of_a_batch)
def test_a_batch_is_its_pictures_one_by_one(targets: Tensor) -> None:
    together = assign(targets)
    for picture in range(PICTURES):
        indices = (targets[:, 0] == picture).nonzero()[:, 0].tolist()
        alone = assign(targets[indices])
        for level in range(len(STRIDES)):
            one_by_one = {(indices[box], image, *rest) for box, image, *rest in as_list(alone[level])}
            assert one_by_one == {match for match in as_list(together[level]) if match[1] == picture}


def test_no_boxes() -> None:
    for matches in assign(torch.zeros(0, 6)):
        assert len(matches) == 0
        assert matches.boxes.shape == (0, 4)
        assert matches.image.dtype == torch.int64


def cells(box: list[float], level: int = 0, anchor: int = 1) -> set[tuple[int, int]]:
    return {
        (row, column) for _, _, a, row, column in as_list(assign(torch.tensor([[0, 0, *box]]))[level]) if a == anchor
    }


@pytest.mark.parametrize(
    ("centre", "expected"),
    [
        ((34.0, 34.0), {(4, 4), (4, 3), (3, 4)}),  # in the upper left quarter of its cell
        ((38.0, 34.0), {(4, 4), (4, 5), (3, 4)}),
        ((38.0, 38.0), {(4, 4), (4, 5), (5, 4)}),
        ((36.0, 36.0), {(4, 4)}),  # in its very middle: no neighbour is nearer
        ((36.0, 38.0), {(4, 4), (5, 4)}),
        ((32.0, 32.0), {(4, 4), (4, 3), (3, 4)}),  # on the corner of four cells
        ((8.0, 8.0), {(1, 1), (1, 0), (0, 1)}),
    ],
)
def test_the_nearest_neighbours(centre: tuple[float, float], expected: set[tuple[int, int]]) -> None:
    x, y = centre
    assert cells([x - 6, y - 6, x + 6, y + 6]) == expected


def test_at_the_borders_of_the_picture() -> None:
    assert cells([0, 0, 6, 6]) == {(0, 0)}  # its nearer neighbours lie outside
    assert cells([WIDTH - 6, HEIGHT - 6, WIDTH, HEIGHT]) == {(7, 11)}
    assert cells([0, 30, 6, 36]) == {(4, 0), (3, 0)}
    # A box on the far edge has its centre on the edge; it belongs to the last cells.
    assert cells([WIDTH - 6, HEIGHT - 6, WIDTH + 6, HEIGHT + 6]) == {(7, 11)}


def test_shapes_match_below_the_factor_not_at_it() -> None:
    anchors = torch.tensor([[10.0, 20.0]])
    sides = torch.tensor([[39.0, 79.0], [40.0, 20.0], [10.0, 80.0], [2.5, 20.0], [2.6, 5.1], [10.0, 5.0], [0.0, 20.0]])
    assert match_anchors(sides, anchors, 4.0)[:, 0].tolist() == [True, False, False, False, True, False, False]


@pytest.mark.parametrize("box", [[20, 20, 20, 30], [20, 20, 30, 20], [20, 20, 20, 20]])
def test_a_box_without_area_is_given_to_nobody(box: list[float]) -> None:
    assert all(len(matches) == 0 for matches in assign(torch.tensor([[0, 0, *box]], dtype=torch.float32), ratio=1e12))
