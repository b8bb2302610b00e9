"""Greedy matching: COCO's rule, and what must hold for any boxes."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_scenes import annotation, detections
from hypothesis import given
from hypothesis import strategies as st

from lightdet.evaluation.matching import FREE, match, match_confusions, overlaps

value = st.integers(0, 20)
box = st.tuples(value, value, st.integers(0, 15), st.integers(0, 15)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
truths = st.lists(st.tuples(box, st.integers(0, 2), st.booleans()), max_size=6)
found_rows = st.lists(st.tuples(box, st.floats(0, 1, width=32), st.integers(0, 2)), max_size=8)


def scene(found, truth):
    return (
        detections([(*b, s, label) for b, s, label in found]),
        annotation([b for b, _, _ in truth], [label for _, label, _ in truth], [crowd for _, _, crowd in truth]),
    )


@given(found_rows, truths)
def test_overlaps_count_pixels(found, truth):
    """Boxes of whole pixels: the overlap is a count of pixels."""
    prediction, target = scene(found, truth)
    table = overlaps(prediction.boxes, target.boxes)

    def painted(b):
        mask = np.zeros((40, 40), bool)
        x1, y1, x2, y2 = (int(v) for v in b)
        mask[y1:y2, x1:x2] = True
        return mask

    for i, a in enumerate(prediction.boxes):
        for j, b in enumerate(target.boxes):
            both, either = (painted(a) & painted(b)).sum(), (painted(a) | painted(b)).sum()
            assert table[i, j] == pytest.approx(both / either if either else 0.0)


@given(found_rows, truths, st.sampled_from([0.1, 0.5, 0.75, 1.0]))
def test_what_holds_for_any_matching(found, truth, iou):
    prediction, target = scene(found, truth)
    matched = match(prediction, target, iou=iou)
    pairs = [(d, t) for d, t in enumerate(matched.truth) if t != FREE]
    assert len({t for _, t in pairs}) == len(pairs), "a box is taken once"
    table = overlaps(prediction.boxes, target.boxes)
    for d, t in pairs:
        assert prediction.labels[d] == target.labels[t] and table[d, t] >= iou - 1e-6
        assert not target.crowd[t] and not matched.ignored[d]
        assert matched.detection[t] == d
    assert (matched.detection != FREE).sum() == len(pairs)
    # Nothing that could have been matched was left: every free detection finds all its boxes taken by better ones.
    for d in np.flatnonzero(matched.truth == FREE):
        for t in np.flatnonzero((target.labels == prediction.labels[d]) & ~target.crowd):
            if table[d, t] >= iou + 1e-6:
                assert FREE != matched.detection[t] < d


def test_the_better_score_chooses_first_and_takes_the_larger_overlap():
    truth = annotation([[0, 0, 10, 10], [4, 0, 14, 10]], [0, 0])
    found = detections([(2, 0, 12, 10, 0.9, 0), (3, 0, 13, 10, 0.95, 0)])
    matched = match(found, truth)
    assert matched.truth.tolist() == [1, 0]


def test_exactly_at_the_threshold():
    truth = annotation([[0, 0, 10, 10]], [0])
    assert match(detections([(0, 0, 10, 5, 0.9, 0)]), truth, iou=0.5).truth.tolist() == [0]
    assert match(detections([(0, 0, 10, 4.9, 0.9, 0)]), truth, iou=0.5).truth.tolist() == [FREE]


def test_crowd():
    truth = annotation([[0, 0, 100, 100], [10, 10, 20, 20]], [0, 0], [True, False])
    found = detections([(10, 10, 20, 20, 0.9, 0), (10, 10, 20, 20, 0.8, 0), (150, 150, 160, 160, 0.7, 0)])
    matched = match(found, truth)
    assert matched.truth.tolist() == [1, FREE, FREE]
    assert matched.ignored.tolist() == [False, True, False]
    assert matched.false_alarms.tolist() == [False, False, True]
    assert matched.missed.tolist() == [False, False]


def test_confusions_take_only_what_is_left():
    truth = annotation([[0, 0, 10, 10], [50, 50, 60, 60]], [0, 1])
    found = detections([(0, 0, 10, 10, 0.9, 2), (0, 0, 10, 10, 0.8, 0), (50, 50, 60, 60, 0.7, 2)])
    matched = match(found, truth)
    assert matched.truth.tolist() == [FREE, 0, FREE]
    assert match_confusions(found, truth, matched).tolist() == [FREE, FREE, 1]


@pytest.mark.parametrize("iou", [0.0, -1.0, 1.5, float("nan")])
def test_wrong_threshold(iou):
    with pytest.raises(ValueError, match="iou"):
        match(detections([]), annotation([], []), iou=iou)
