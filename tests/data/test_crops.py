"""Crops of large pictures: boxes go along exactly, every defect can be drawn, and a seed decides it all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.data.crops import MAX_CROPS, MIN_VISIBLE, crop_count, cut, draw_window
from lightdet.data.pictures import Pictures
from lightdet.data.pipeline import AugmentRecipe, TrainingSamples
from lightdet.geometry.tiles import Tile, plan_tiles
from lightdet.structures import Annotation, Sample, Tiling

SIDES = st.integers(33, 400)
SIZES = st.tuples(SIDES, SIDES)


@st.composite
def boxes_in(draw: st.DrawFn, size: tuple[int, int]) -> np.ndarray:
    """Up to four boxes within a picture, at quarters of a pixel."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        ends = [sorted(draw(st.lists(st.integers(0, 4 * side), min_size=2, max_size=2, unique=True))) for side in size]
        found.append([ends[0][0], ends[1][0], ends[0][1], ends[1][1]])
    return np.array(found, np.float32) / 4


@given(st.data(), SIZES, st.integers(32, 128), st.integers(0, 2**32))
def test_boxes_move_with_the_crop_and_are_clipped_to_it(
    data: st.DataObject, size: tuple[int, int], side: int, seed: int
) -> None:
    boxes = data.draw(boxes_in(size))
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(size[0])[None] % 256, np.arange(size[1])[:, None] % 256
    labels = np.arange(len(boxes), dtype=np.int64)
    number = data.draw(st.integers(0, 3))
    window = draw_window(size, boxes, number, 4, side, np.random.default_rng(seed))
    crop = cut(Sample(image, boxes, labels), window)
    assert crop.image.shape[:2] == (min(side, size[1]), min(side, size[0]))
    assert crop.image[0, 0, :2].tolist() == [window.x % 256, window.y % 256]
    kept = crop.labels.tolist()
    for label, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        left, top = max(x1 - window.x, 0), max(y1 - window.y, 0)
        right, bottom = min(x2 - window.x, window.width), min(y2 - window.y, window.height)
        shown = max(right - left, 0) * max(bottom - top, 0)
        most = min(x2 - x1, window.width) * min(y2 - y1, window.height)
        assert (label in kept) == (shown > 0 and shown >= MIN_VISIBLE * most)
        if label in kept:
            assert crop.boxes[kept.index(label)].tolist() == [left, top, right, bottom]


@given(st.data(), SIZES, st.integers(32, 128), st.integers(0, 2**32))
def test_a_crop_for_defects_holds_one_whole_or_is_filled_by_it(
    data: st.DataObject, size: tuple[int, int], side: int, seed: int
) -> None:
    boxes = data.draw(boxes_in(size))
    window = draw_window(size, boxes, data.draw(st.integers(0, 1)), 4, side, np.random.default_rng(seed))
    assert 0 <= window.x <= size[0] - window.width and 0 <= window.y <= size[1] - window.height
    starts, ends = np.array([window.x, window.y]), np.array([window.x + window.width, window.y + window.height])
    missing = np.maximum(starts - boxes[:, :2], 0) + np.maximum(boxes[:, 2:] - ends, 0)
    too_long = np.maximum(boxes[:, 2:] - boxes[:, :2] - [window.width, window.height], 0)
    assert ((missing <= too_long + 1).all(axis=1)).any()  # a crop begins at a whole pixel


def test_every_defect_is_drawn_anywhere_in_the_crop_and_background_as_often() -> None:
    size, side = (400, 300), 64
    boxes = np.array([[0, 0, 9, 9], [390, 290, 400, 300], [200, 150, 212, 158]], np.float32)
    sample = Sample(np.zeros((300, 400, 3), np.uint8), boxes, np.arange(3))
    rng, count = np.random.default_rng(0), 8
    seen: dict[int, list[tuple[float, float]]] = {0: [], 1: [], 2: []}
    empty = 0
    for turn in range(800):
        crop = cut(sample, draw_window(size, boxes, turn % count, count, side, rng))
        empty += not len(crop.labels)
        if turn % count < count // 2:
            assert len(crop.labels)
        for box, label in zip(crop.boxes.tolist(), crop.labels.tolist(), strict=True):
            seen[label].append((box[0], box[1]))
    assert all(len(places) > 80 for places in seen.values())
    assert 0.35 < empty / 800 <= 0.5
    corners = np.array(seen[2])
    assert corners.min() < 5 and corners.max() > 48 and (corners.std(axis=0) > 10).all()


@given(SIZES, st.integers(32, 128), st.floats(0, 0.9))
def test_as_many_crops_as_tiles_up_to_a_bound(size: tuple[int, int], side: int, overlap: float) -> None:
    count = crop_count(size, Tiling(side, overlap))
    assert count == min(MAX_CROPS, len(plan_tiles(size, side, overlap)))
    assert (count == 1) == (max(size) <= side)


def test_the_rule_for_cut_boxes_is_a_share_of_what_a_crop_can_show() -> None:
    sample = Sample(np.zeros((200, 200, 3), np.uint8), np.array([[0, 0, 200, 200]], np.float32), np.zeros(1, np.int64))
    assert cut(sample, Tile(70, 70, 64, 64)).boxes.tolist() == [[0, 0, 64, 64]]  # larger than the crop, which it fills
    half = Sample(sample.image, np.array([[0, 0, 20, 20]], np.float32), sample.labels)
    assert len(cut(half, Tile(13, 0, 64, 64)).boxes) == 1  # 7 of 20 columns
    assert len(cut(half, Tile(15, 0, 64, 64)).boxes) == 0  # 5


@pytest.fixture
def large(tmp_path: Path, save_picture: Callable[..., Path]) -> list[Annotation]:
    """A picture larger than a tile of 64, one that is not, and a long one."""
    annotations = []
    for index, size in enumerate([(200, 150), (50, 40), (300, 40)]):
        path = save_picture(tmp_path / f"{index}.png", size=size)
        box = np.array([[5, 6, 25, 18]], np.float32)
        annotations.append(Annotation(path, size, box, np.array([index], np.int64)))
    return annotations


@pytest.mark.parametrize("cache_mib", [0, 64])
@pytest.mark.parametrize("imgsz", [64, 96])
def test_pictures_give_crops_at_the_scale_of_a_tile(large: list[Annotation], imgsz: int, cache_mib: int) -> None:
    tiles = Tiling(64, 0.2)
    pictures = Pictures(large, imgsz, tiles=tiles, cache_mib=cache_mib)
    assert pictures.per_epoch == sum(crop_count(each.size, tiles) for each in large)
    assert set(pictures.owners.tolist()) == {0, 1, 2}
    for index in range(pictures.per_epoch):
        drawn = pictures.draw(index, np.random.default_rng((7, index)))
        again = pictures.draw(index, np.random.default_rng((7, index)))
        np.testing.assert_array_equal(drawn.image, again.image)
        np.testing.assert_array_equal(drawn.boxes, again.boxes)
        assert max(drawn.image.shape[:2]) == imgsz
        owner = large[pictures.owners[index]]
        scale = imgsz / min(64, max(owner.size))
        assert pictures.scale(owner) == scale
        for box in drawn.boxes:
            assert box[2] - box[0] <= 20 * scale + 1e-3
    whole = pictures.draw(int(np.flatnonzero(pictures.owners == 1)[0]), np.random.default_rng(0))
    np.testing.assert_allclose(whole.boxes[0], large[1].boxes[0] * imgsz / 50, rtol=0.03)


def test_without_tiles_nothing_is_drawn(large: list[Annotation]) -> None:
    pictures, rng = Pictures(large, 64), np.random.default_rng(0)
    before = rng.bit_generator.state
    np.testing.assert_array_equal(pictures.draw(1, rng).image, pictures.sample(1).image)
    assert pictures.per_epoch == 3 and rng.bit_generator.state == before


def test_samples_of_crops_depend_on_seed_epoch_and_position_alone(large: list[Annotation]) -> None:
    recipe = AugmentRecipe(mosaic=0.7, mixup=0.5, copy_paste=0.5, rotate_90=0.5)
    kept, read = (
        TrainingSamples(Pictures(large, 64, tiles=Tiling(64, 0.2), cache_mib=mib), recipe, seed=1) for mib in (0, 64)
    )
    wanted = [(epoch, position) for epoch in range(2) for position in range(len(kept))]
    there = {place: kept.make(*place, place[1], compose=True) for place in wanted}
    for place in reversed(wanted):
        again = read.make(*place, place[1], compose=True)
        np.testing.assert_array_equal(there[place].image, again.image)
        np.testing.assert_array_equal(there[place].boxes, again.boxes)
        assert again.image.shape == (64, 64, 3)
    assert len({sample.image.tobytes() for sample in there.values()}) == len(wanted)
