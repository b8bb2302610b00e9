"""Suppression against torchvision's, and votes on where boxes lie against plain arithmetic."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_voting import Found, voted
from random_boxes import random_boxes

from lightdet.geometry.nms import VOTER_SCORE, nms, vote


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
