"""Suppression against torchvision's, and objects cut by tile borders put together again."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_voting import Found, voted

from lightdet.decisions import DecisionRule
from lightdet.geometry.nms import VOTER_SCORE, cut_sides, merge_tiles, nms, vote
from lightdet.geometry.tiles import Tile, plan_tiles
from lightdet.structures import Detections
from lightdet.structures.scores import reaches


def random_boxes(seed: int, count: int, side: float = 100.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, side, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(1, side / 3, (count, 2))], axis=1).astype(np.float32)
    return boxes, rng.random(count).astype(np.float32), rng.integers(0, 3, count)


@given(st.integers(0, 10_000), st.integers(0, 60), st.floats(0.1, 0.9))
@settings(max_examples=60, deadline=None)
def test_equals_torchvision(seed: int, count: int, iou: float) -> None:
    torch = pytest.importorskip("torch")
    from torchvision.ops import batched_nms

    boxes, scores, labels = random_boxes(seed, count)
    ours = nms(boxes, scores, labels, iou)
    theirs = batched_nms(torch.tensor(boxes), torch.tensor(scores), torch.tensor(labels), iou).numpy()
    assert ours.tolist() == theirs.tolist()


def test_equal_scores_keep_the_earlier_box() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10]], np.float32)
    assert nms(boxes, np.array([0.5, 0.5], np.float32), np.zeros(2, np.int64), 0.5).tolist() == [0]


def test_boxes_without_area_do_not_break_it() -> None:
    boxes = np.array([[5, 5, 5, 5], [5, 5, 5, 5]], np.float32)
    assert len(nms(boxes, np.array([0.5, 0.4], np.float32), np.zeros(2, np.int64), 0.5)) == 2


def test_the_work_is_bounded_by_the_kept() -> None:
    boxes, scores, labels = random_boxes(0, 50_000, side=5000)
    start = time.process_time()
    assert len(nms(boxes, scores, labels, 0.5, max_detections=300)) == 300
    assert time.process_time() - start < 5


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


def assert_same_objects(boxes: np.ndarray, labels: np.ndarray, wanted: np.ndarray, wanted_labels: np.ndarray) -> None:
    got = sorted((int(n), *map(float, b)) for b, n in zip(boxes, labels, strict=True))
    want = sorted((int(n), *map(float, b)) for b, n in zip(wanted, wanted_labels, strict=True))
    assert len(got) == len(want), (got, want)
    assert np.allclose(got, want, atol=1e-3)


@given(st.integers(0, 10_000), st.integers(0, 60), st.floats(0.3, 1.0), st.floats(20, 100), st.floats(0, 0.6))
@settings(max_examples=60, deadline=None)
def test_voting_is_the_weighted_mean(seed: int, count: int, iou: float, side: float, floor: float) -> None:
    boxes, scores, labels = random_boxes(seed, count, side)
    kept = nms(boxes, scores, labels, iou)
    found: list[Found] = list(zip(boxes.tolist(), scores.tolist(), labels.tolist(), strict=True))
    moved = vote(boxes, scores, labels, kept, floor=floor)
    wanted = voted([found[index] for index in kept], found, floor)
    assert np.allclose(moved, np.array(wanted).reshape(-1, 4), atol=1e-3)


@given(st.integers(0, 10_000), st.floats(0.05, 0.5))
@settings(max_examples=40, deadline=None)
def test_a_box_at_the_floor_moves_nothing(seed: int, floor: float) -> None:
    """Whether it is just below the threshold or just above: two forms of one network may differ there."""
    boxes, scores, labels = random_boxes(seed, 30, 20.0)
    scores = np.maximum(scores, np.float32(floor) + np.float32(1e-6))
    scores[-1], labels[:] = floor + 1e-6, 0
    kept = nms(boxes[:-1], scores[:-1], labels[:-1], 0.5)
    kept = kept[scores[kept] > floor + 0.01]
    without = vote(boxes[:-1], scores[:-1], labels[:-1], kept, floor=floor)
    assert np.allclose(vote(boxes, scores, labels, kept, floor=floor), without, atol=0.01)


@given(st.integers(0, 10_000), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_a_vote_moves_boxes_among_those_of_their_class_and_is_deaf_to_low_scores(seed: int, count: int) -> None:
    boxes, scores, labels = random_boxes(seed, count, 40.0)
    kept = nms(boxes, scores, labels, 0.5)
    moved = vote(boxes, scores, labels, kept)
    for row, index in enumerate(kept):
        own = boxes[labels == labels[index]]
        assert (own.min(0) - 1e-3 <= moved[row]).all() and (moved[row] <= own.max(0) + 1e-3).all()
        # what scores less than a quarter, and what is of another class, might as well not be there
        heard = (labels == labels[index]) & (scores > VOTER_SCORE * scores[index])
        place = np.array([np.flatnonzero(heard).tolist().index(index)])
        assert np.array_equal(vote(boxes[heard], scores[heard], labels[heard], place)[0], moved[row])
    if count == 1:
        assert np.array_equal(moved, boxes)


def test_a_vote_over_scores_of_zero_and_boxes_without_area() -> None:
    boxes = np.array([[1, 1, 5, 5], [1, 1, 5, 5], [3, 3, 3, 3]], np.float32)
    for scores in (np.zeros(3, np.float32), np.ones(3, np.float32)):
        assert np.array_equal(vote(boxes, scores, np.zeros(3, np.int64), np.array([0, 2])), boxes[[0, 2]])


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


@given(st.integers(0, 100_000), st.integers(1, 12), st.floats(0.01, 1), st.sampled_from([None, 1, 20]), st.booleans())
@settings(max_examples=100, deadline=None)
def test_boxes_below_the_threshold_change_no_verdict(
    seed: int, count: int, threshold: float, most: int | None, agnostic: bool
) -> None:
    boxes, scores, labels, cut = in_tiles(seed, count)
    by_class = {"b": threshold / 2} if most is None and not agnostic else {}
    rule, verdicts = DecisionRule(threshold, by_class), set()
    for floor in np.linspace(0, rule.lowest_threshold, 5):
        seen = reaches(scores, floor)
        merged = merge_tiles(
            boxes[seen],
            scores[seen],
            labels[seen],
            cut[seen],
            iou=0.5,
            margin=3,
            max_detections=most,
            agnostic=agnostic,
        )
        verdicts.add(rule.ok(Detections(*merged, names=("a", "b", "c"), size=(200, 120))))
    assert len(verdicts) == 1


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
