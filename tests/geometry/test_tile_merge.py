"""Objects cut by tile borders put together again."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_boxes import random_boxes

from lightdet.decisions import DecisionRule
from lightdet.geometry.tile_merge import WEAKEST, cut_sides, merge_tiles
from lightdet.geometry.tiles import Tile, plan_tiles
from lightdet.structures import Detections
from lightdet.structures.scores import reaches


def test_merging_thousands_of_boxes_takes_seconds() -> None:
    boxes, scores, labels = random_boxes(0, 60_000, side=5000)
    cut = np.random.default_rng(0).random((60_000, 4)) < 0.1
    start = time.process_time()
    merged, _, _ = merge_tiles(boxes, scores, labels, cut, iou=0.5, margin=6, max_detections=200)
    assert len(merged) == 200
    assert time.process_time() - start < 10


def test_cut_sides_are_those_inside_the_picture() -> None:
    tile = Tile(100, 0, 100, 100)
    boxes = np.array([[100, 0, 200, 100], [120, 20, 150, 50], [103, 10, 198.5, 90]], np.float32)
    cut = cut_sides(boxes, tile, (300, 100), 2.0)
    assert cut.tolist() == [[True, False, True, False], [False] * 4, [False, False, True, False]]
    assert not cut_sides(boxes, Tile(100, 0, 100, 100), (200, 100), 2.0)[:, 2].any()


def seen_in_tiles(
    objects: np.ndarray, labels: np.ndarray, size: tuple[int, int], tile: int, overlap: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What a perfect detector reports a tile: the part of each object that the tile shows."""
    found, kinds, cuts = [], [], []
    for t in plan_tiles(size, tile, overlap):
        window = np.array([t.x, t.y, t.x + t.width, t.y + t.height], np.float32)
        low, high = np.maximum(objects[:, :2], window[:2]), np.minimum(objects[:, 2:], window[2:])
        visible = (high - low > 4).all(axis=1)
        boxes = np.concatenate([low, high], axis=1)[visible].astype(np.float32)
        found.append(boxes)
        kinds.append(labels[visible])
        cuts.append(cut_sides(boxes, t, size, 3.0))
    boxes = np.concatenate(found)
    rng = np.random.default_rng(len(boxes))
    scores = rng.uniform(0.3, 1.0, len(boxes)).astype(np.float32)
    return boxes, scores, np.concatenate(kinds), np.concatenate(cuts)


@given(st.integers(0, 100_000), st.sampled_from([0.0, 0.1, 0.25, 0.5]), st.sampled_from([64, 100, 128]))
@settings(max_examples=150, deadline=None)
def test_what_a_perfect_detector_sees_in_tiles_becomes_the_objects_again(seed: int, overlap: float, tile: int) -> None:
    # One object in each cell of a coarse grid, apart from its neighbours, some larger than a tile.
    rng = np.random.default_rng(seed)
    cell, size = 200, (600, 400)
    objects, labels = [], []
    for y in range(0, size[1], cell):
        for x in range(0, size[0], cell):
            w, h = rng.integers(12, 180, 2)
            left, top = x + rng.integers(8, cell - w - 7), y + rng.integers(8, cell - h - 7)
            objects.append([left, top, left + w, top + h])
            labels.append(rng.integers(0, 2))
    wanted, wanted_labels = np.array(objects, np.float32), np.array(labels, np.int64)
    boxes, scores, kinds, cut = seen_in_tiles(wanted, wanted_labels, size, tile, overlap)
    boxes, scores, kinds = merge_tiles(boxes, scores, kinds, cut, iou=0.5, margin=5.0)
    assert (np.diff(scores) <= 0).all()
    assert len(boxes) <= len(wanted) + 2  # see below: slivers of 4 pixels and less are not reported
    for box, label in zip(wanted, wanted_labels, strict=True):
        close = np.abs(boxes[kinds == label] - box).max(axis=1) <= 5.0
        assert close.sum() == 1, (box, boxes)


def test_a_piece_inside_a_whole_box_goes_and_leaves_it_the_higher_score() -> None:
    boxes = np.array([[90, 10, 100, 30], [90, 10, 130, 30]], np.float32)
    scores = np.array([0.9, 0.6], np.float32)
    cut = np.array([[False, False, True, False], [False] * 4])
    boxes, scores, _ = merge_tiles(boxes, scores, np.zeros(2, np.int64), cut, iou=0.5, margin=3)
    assert boxes.tolist() == [[90, 10, 130, 30]]
    assert scores.tolist() == [pytest.approx(0.9)]


def in_tiles(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Boxes of any place and score in the tiles of a picture, many of them cut, many far below a threshold."""
    rng = np.random.default_rng(seed)
    found: list[np.ndarray] = []
    cuts: list[np.ndarray] = []
    for tile in plan_tiles((200, 120), 80, 0.25):
        corners = rng.uniform(-30, 80, (count, 2))
        local = np.concatenate([corners, corners + rng.uniform(5, 70, (count, 2))], axis=1)
        boxes = (np.clip(local, 0, 80) + [tile.x, tile.y] * 2).astype(np.float32)
        found.append(boxes)
        cuts.append(cut_sides(boxes, tile, (200, 120), 2.0))
    boxes = np.concatenate(found)
    scores = (rng.random(len(boxes)) ** 3).astype(np.float32)
    return boxes, scores, rng.integers(0, 3, len(boxes)), np.concatenate(cuts)


@given(st.integers(0, 100_000), st.integers(1, 12), st.floats(0, 0.9))
@settings(max_examples=100, deadline=None)
def test_each_class_keeps_its_best_score(seed: int, count: int, iou: float) -> None:
    boxes, scores, labels, cut = in_tiles(seed, count)
    _, merged, kinds = merge_tiles(boxes, scores, labels, cut, iou=iou, margin=3)
    for label in range(3):
        assert merged[kinds == label].max(initial=0) == scores[labels == label].max(initial=0)


@given(
    st.integers(0, 100_000),
    st.integers(1, 12),
    st.floats(0.01, 1),
    st.floats(0, 0.9),
    st.sampled_from([None, 1, 5, 20]),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_what_counts_depends_on_no_box_below_a_quarter_of_the_threshold(
    seed: int, count: int, threshold: float, iou: float, most: int | None, agnostic: bool
) -> None:
    boxes, scores, labels, cut = in_tiles(seed, count)

    def from_(floor: float) -> list[list[float]]:
        seen = scores >= np.float32(floor)
        given_ = (boxes[seen], scores[seen], labels[seen], cut[seen])
        found = merge_tiles(*given_, iou=iou, margin=3, max_detections=most, agnostic=agnostic)
        return [[*box, score, label] for box, score, label in zip(*found, strict=True) if score >= threshold]

    for share in (0.9, 0.5, 0):
        assert from_(share * WEAKEST * threshold) == from_(WEAKEST * threshold)


@given(st.integers(0, 100_000), st.integers(1, 12), st.floats(0.01, 1))
@settings(max_examples=60, deadline=None)
def test_without_sizes_no_box_below_the_threshold_changes_a_verdict(seed: int, count: int, threshold: float) -> None:
    boxes, scores, labels, cut = in_tiles(seed, count)
    rule, verdicts = DecisionRule(threshold, {"b": threshold / 2}), set()
    for floor in np.linspace(0, rule.lowest_threshold, 5):
        seen = reaches(scores, floor)
        merged = merge_tiles(boxes[seen], scores[seen], labels[seen], cut[seen], iou=0.5, margin=3)
        verdicts.add(rule.ok(Detections(*merged, names=("a", "b", "c"), size=(200, 120))))
    assert len(verdicts) == 1


def test_a_much_weaker_piece_or_whole_box_does_not_move_a_better_piece() -> None:
    boxes = np.array([[20, 10, 100, 30], [80, 10, 180, 30], [20, 5, 115, 35]], np.float32)
    cut = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]], bool)
    for weak, joined in ((0.2, [20, 10, 180, 30]), (0.19, [20, 10, 100, 30])):
        found, scores, _ = merge_tiles(
            boxes, np.array([0.8, weak, 0.1], np.float32), np.zeros(3, np.int64), cut, iou=0.9, margin=3
        )
        assert found[0].tolist() == joined and scores[0] == np.float32(0.8)


def test_pieces_join_over_several_tiles_and_keep_the_best_score() -> None:
    boxes = np.array([[20, 10, 100, 30], [80, 11, 180, 31], [160, 10, 210, 29]], np.float32)
    cut = np.array([[0, 0, 1, 0], [1, 0, 1, 0], [1, 0, 0, 0]], bool)
    scores = np.array([0.5, 0.8, 0.7], np.float32)
    boxes, scores, _ = merge_tiles(boxes, scores, np.zeros(3, np.int64), cut, iou=0.5, margin=3)
    assert boxes.tolist() == [[20, 10, 210, 31]]
    assert scores.tolist() == [pytest.approx(0.8)]


def test_pieces_of_other_classes_or_other_places_stay_apart() -> None:
    boxes = np.array([[20, 10, 100, 30], [80, 10, 180, 30], [80, 60, 180, 90]], np.float32)
    cut = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0]], bool)
    labels = np.array([0, 1, 0])
    boxes, _, _ = merge_tiles(boxes, np.array([0.5, 0.8, 0.7], np.float32), labels, cut, iou=0.5, margin=3)
    assert len(boxes) == 3


@given(st.integers(0, 100_000), st.sampled_from([0.0, 0.1, 0.25]))
@settings(max_examples=60, deadline=None)
def test_across_classes_tiles_are_joined_as_if_there_were_one_class(seed: int, overlap: float) -> None:
    objects, _, labels = random_boxes(seed, 12, 400)
    boxes, scores, kinds, cut = seen_in_tiles(objects, labels, (400, 400), 128, overlap)
    kinds = np.random.default_rng(seed).integers(0, 3, len(kinds))  # pieces of one object need not agree
    found = merge_tiles(boxes, scores, kinds, cut, iou=0.5, margin=5.0, agnostic=True)
    plain = merge_tiles(boxes, scores, np.zeros_like(kinds), cut, iou=0.5, margin=5.0)
    assert np.array_equal(found[0], plain[0]) and np.array_equal(found[1], plain[1])
    assert found[2].tolist() == [kinds[np.flatnonzero(scores == score)[0]] for score in found[1]]


def test_nothing_found_merges_to_nothing() -> None:
    empty = np.zeros((0, 4), np.float32)
    boxes, scores, labels = merge_tiles(
        empty, np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros((0, 4), bool), iou=0.5, margin=3
    )
    assert boxes.shape == (0, 4) and scores.shape == (0,) and labels.dtype == np.int64
