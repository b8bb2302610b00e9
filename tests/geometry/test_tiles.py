"""Tiles: every pixel in one, the overlap kept, a small box whole in some tile."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.geometry.tiles import Tile, overlap_pixels, plan_tiles

sides = st.integers(1, 700)
tiles = st.integers(1, 300)
overlaps = st.floats(0.0, 0.9)


def test_a_known_plan() -> None:
    assert plan_tiles((1094, 608), 608, 0.2) == [Tile(0, 0, 608, 608), Tile(486, 0, 608, 608)]


def test_a_picture_smaller_than_a_tile_is_one_tile() -> None:
    assert plan_tiles((200, 100), 608) == [Tile(0, 0, 200, 100)]


def test_a_picture_small_on_one_side_keeps_that_side() -> None:
    plan = plan_tiles((1000, 100), 608)
    assert [(t.width, t.height) for t in plan] == [(608, 100)] * 2


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 120), overlaps)
def test_every_pixel_is_covered_and_none_outside(width: int, height: int, tile: int, overlap: float) -> None:
    if max(width, height) / (tile - overlap_pixels(tile, overlap)) > 60:
        return
    seen = np.zeros((height, width), np.int32)
    for t in plan_tiles((width, height), tile, overlap):
        assert t.x >= 0 and t.y >= 0 and t.x + t.width <= width and t.y + t.height <= height
        assert (t.width, t.height) == (min(tile, width), min(tile, height))
        seen[t.y : t.y + t.height, t.x : t.x + t.width] += 1
    assert seen.min() >= 1


@given(sides, tiles, overlaps)
def test_neighbours_share_the_overlap_and_the_ends_touch_the_border(length: int, tile: int, overlap: float) -> None:
    starts = [t.x for t in plan_tiles((length, 1), tile, overlap)]
    assert starts[0] == 0 and starts[-1] == max(0, length - tile)
    assert len(set(starts)) == len(starts)
    for first, second in itertools.pairwise(starts):
        assert first + tile - second >= overlap * tile - 1 or first + 1 == second
        assert first + tile - second >= overlap_pixels(tile, overlap)


@given(sides, sides, st.integers(10, 300), st.floats(0.05, 0.9), st.data())
def test_a_box_no_larger_than_the_overlap_lies_whole_in_a_tile(
    width: int, height: int, tile: int, overlap: float, data: st.DataObject
) -> None:
    if max(width, height) / (tile - overlap_pixels(tile, overlap)) > 60:
        return
    small = overlap_pixels(tile, overlap)
    w = data.draw(st.floats(0, min(small, width)))
    h = data.draw(st.floats(0, min(small, height)))
    x = data.draw(st.floats(0, width - w))
    y = data.draw(st.floats(0, height - h))
    assert any(
        t.x <= x and t.y <= y and x + w <= t.x + t.width + 1e-6 and y + h <= t.y + t.height + 1e-6
        for t in plan_tiles((width, height), tile, overlap)
    )


@pytest.mark.parametrize("overlap", [-0.1, 1.0, float("nan")])
def test_an_overlap_outside_its_range_is_refused(overlap: float) -> None:
    with pytest.raises(ValueError, match="overlap"):
        plan_tiles((10, 10), 5, overlap)


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="size"):
        plan_tiles((0, 10), 5)
