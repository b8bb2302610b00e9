"""Post-processing against greedy suppression and voting in plain loops."""

import math
import time
from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plain_voting import Found, overlap, voted
from torch import Tensor

from lightdet.models.heads import decode_grids
from lightdet.models.postprocess import MAX_CANDIDATES, postprocess

STRIDES = (8, 16, 32)
ANCHORS = torch.tensor([[[10.0, 14.0], [20.0, 9.0]], [[30.0, 31.0], [50.0, 24.0]], [[64.0, 80.0], [100.0, 90.0]]])


def random_grids(seed: int, classes: int, pictures: int = 2, rows: int = 4, columns: int = 6) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scale = torch.tensor([1.5] * 4 + [2.0] * (1 + classes))
    return [
        torch.randn(pictures, 2, rows * f, columns * f, 5 + classes, generator=generator) * scale for f in (4, 2, 1)
    ]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def candidates(grids: list[Tensor], picture: int, confidence: float) -> list[Found]:
    """Every box of every class whose objectness times class probability is at least `confidence`."""
    found: list[Found] = []
    for grid, anchors, stride in zip(grids, ANCHORS.tolist(), STRIDES, strict=True):
        for a, in_anchor in enumerate(grid[picture].tolist()):
            for row, in_row in enumerate(in_anchor):
                for column, (tx, ty, tw, th, objectness, *classes) in enumerate(in_row):
                    x, y = (2 * sigmoid(tx) - 0.5 + column) * stride, (2 * sigmoid(ty) - 0.5 + row) * stride
                    w, h = (2 * sigmoid(tw)) ** 2 * anchors[a][0], (2 * sigmoid(th)) ** 2 * anchors[a][1]
                    box = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
                    scores = [sigmoid(objectness) * sigmoid(c) for c in classes]
                    found += [(box, score, label) for label, score in enumerate(scores) if score >= confidence]
    return found


def suppress(found: list[Found], iou: float) -> list[Found]:
    kept: list[Found] = []
    for box, score, label in sorted(found, key=lambda item: -item[1]):
        if all(label != other or overlap(box, better) <= iou for better, _, other in kept):
            kept.append((box, score, label))
    return kept


@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.25, 0.5]), st.sampled_from([0.3, 0.45, 0.65]))
@settings(max_examples=25)
def test_greedy_suppression_by_class(seed: int, confidence: float, iou: float) -> None:
    grids = random_grids(seed, classes=3, rows=1, columns=2)
    for picture, (boxes, scores, labels) in enumerate(
        postprocess(decode_grids(grids, ANCHORS, STRIDES), confidence=confidence, iou=iou)
    ):
        everything = candidates(grids, picture, confidence)
        expected = suppress(everything, iou)
        scores_in_order = sorted(score for _, score, _ in everything)
        assume(all(b - a > 1e-6 for a, b in pairwise(scores_in_order)))  # else float32 may order them otherwise
        assert labels.tolist() == [label for _, _, label in expected]
        assert scores.tolist() == pytest.approx([score for _, score, _ in expected], rel=1e-4)
        torch.testing.assert_close(
            boxes, torch.tensor(voted(expected, everything, confidence)).reshape(-1, 4), rtol=1e-4, atol=1e-2
        )


def test_types_order_and_bounds() -> None:
    (first, second) = postprocess(
        decode_grids(random_grids(0, 3), ANCHORS, STRIDES), confidence=0.05, max_detections=40
    )
    for boxes, scores, labels in (first, second):
        assert boxes.shape == (40, 4)
        assert (boxes.dtype, scores.dtype, labels.dtype) == (torch.float32, torch.float32, torch.int64)
        assert (scores.diff() <= 0).all()
        assert scores.min() >= 0.05
        assert scores.max() <= 1
        assert 0 <= labels.min() <= labels.max() < 3
        assert (boxes[:, 2:] >= boxes[:, :2]).all()


def test_the_best_are_kept_where_there_are_too_many() -> None:
    grids = random_grids(1, 3)
    ((_, all_scores, _), _) = postprocess(decode_grids(grids, ANCHORS, STRIDES), confidence=0.05, max_detections=1000)
    ((_, scores, _), _) = postprocess(decode_grids(grids, ANCHORS, STRIDES), confidence=0.05, max_detections=7)
    assert scores.tolist() == all_scores[:7].tolist()


def test_nothing_above_the_threshold() -> None:
    grids = [grid - 50 for grid in random_grids(2, 3)]
    for boxes, scores, labels in postprocess(decode_grids(grids, ANCHORS, STRIDES), confidence=0.01):
        assert (boxes.shape, scores.shape, labels.shape) == ((0, 4), (0,), (0,))


def test_one_box_may_be_found_as_two_classes() -> None:
    grids = [torch.full((1, 2, 4 // f, 4 // f, 7), -9.0) for f in (1, 2, 4)]
    grids[0][0, 1, 2, 3] = torch.tensor([0.0, 0, 0, 0, 9, 9, 8])
    ((boxes, scores, labels),) = postprocess(decode_grids(grids, ANCHORS, STRIDES))
    assert labels.tolist() == [0, 1]
    assert torch.equal(boxes[0], boxes[1])
    assert boxes[0].tolist() == [28 - 10, 20 - 4.5, 28 + 10, 20 + 4.5]
    assert scores[0] > scores[1]


def put(grid: Tensor, anchor: int, row: int, column: int, label: int, score: float) -> None:
    """A box of the anchor's size in the middle of a cell: objectness `score`, its class certain."""
    grid[0, anchor, row, column, :4] = 0.0
    grid[0, anchor, row, column, 4] = math.log(score / (1 - score))
    grid[0, anchor, row, column, 5:] = -40.0
    grid[0, anchor, row, column, 5 + label] = 40.0


def test_classes_do_not_suppress_each_other_wherever_they_lie() -> None:
    """A box beyond the upper left corner and one in the lower right, of another class."""
    grids = [torch.full((1, 2, 8 // f, 8 // f, 7), -40.0) for f in (1, 2, 4)]
    for row, column, label in ((0, 0, 1), (1, 1, 0)):
        put(grids[2], 0, row, column, label, 0.9 - 0.1 * label)
        # A centre half a cell beyond the outer side, and sides of nearly the anchor's.
        grids[2][0, 0, row, column, :2] = -20.0 if label else 20.0
    ((boxes, _, labels),) = postprocess(decode_grids(grids, ANCHORS, STRIDES), iou=0.1)
    assert labels.tolist() == [0, 1]
    assert boxes[1].tolist() == pytest.approx([-48, -56, 16, 24], abs=1e-3)


def test_numbers_that_are_none_are_dropped_and_the_others_kept() -> None:
    grids = random_grids(3, 3)
    expected = postprocess(decode_grids(grids, ANCHORS, STRIDES), confidence=0.1)
    broken = [torch.cat((grid, torch.full_like(grid, math.nan)), dim=3) for grid in grids]
    found = postprocess(decode_grids(broken, ANCHORS, STRIDES), confidence=0.1)
    for one, other in zip(expected, found, strict=True):
        for mine, yours in zip(one, other, strict=True):
            assert torch.equal(mine, yours)


@pytest.mark.parametrize("entry", range(8))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_broken_number(entry: int, value: float) -> None:
    grids = [torch.full((1, 2, 4 // f, 4 // f, 8), -40.0) for f in (1, 2, 4)]
    put(grids[0], 0, 1, 1, 2, 0.9)
    put(grids[0], 1, 3, 3, 0, 0.8)
    grids[0][0, 0, 1, 1, entry] = value
    ((boxes, scores, labels),) = postprocess(decode_grids(grids, ANCHORS, STRIDES))
    assert torch.isfinite(boxes).all()
    assert torch.isfinite(scores).all()
    assert 0 in labels.tolist(), "the sound box stays"


def test_broken_boxes_do_not_crowd_out_the_sound_ones() -> None:
    grids = [torch.full((1, 2, 40 // f, 40 // f, 7), -40.0) for f in (1, 2, 4)]
    grids[0][..., :2] = math.nan
    grids[0][..., 4:] = 5.0
    assert grids[0][..., 0].numel() > MAX_CANDIDATES
    put(grids[2], 0, 3, 3, 1, 0.6)
    ((boxes, scores, labels),) = postprocess(decode_grids(grids, ANCHORS, STRIDES))
    assert labels.tolist() == [1]
    assert scores.tolist() == pytest.approx([0.6])
    assert torch.isfinite(boxes).all()


def test_as_many_as_are_asked_for() -> None:
    """2 500 small boxes, none of which touches another."""
    grids = [torch.full((1, 2, 52 // f, 52 // f, 7), -40.0) for f in (1, 2, 4)]
    grids[0][0, 0, :50, :50, :4] = 0.0
    grids[0][0, 0, :50, :50, 4:] = 3.0
    small = ANCHORS / 4
    for most in (300, 2500, 9000):
        ((boxes, _, _),) = postprocess(decode_grids(grids, small, STRIDES), max_detections=most)
        assert len(boxes) == min(most, 5000)  # each box as both classes


def test_the_time_for_many_boxes_is_bounded() -> None:
    """Four times the boxes must not take sixteen times the time, as suppression of all of them would."""

    def seconds(rows: int) -> float:
        generator = torch.Generator().manual_seed(0)
        grids = [torch.randn(1, 2, rows // f, 80 // f, 11, generator=generator) + 3 for f in (1, 2, 4)]
        times = []
        for _ in range(5):
            began = time.perf_counter()
            ((boxes, _, _),) = postprocess(decode_grids(grids, ANCHORS, STRIDES), confidence=0.001)
            times.append(time.perf_counter() - began)
        assert len(boxes) == 300
        return min(times)

    few, many = seconds(20), seconds(80)  # 4 200 and 16 800 cells of six classes
    assert many < 8 * few
