"""Two models on the same pictures: what a resample says is what pycocotools says of the same pictures repeated."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_scenes import annotation, detections
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.evaluation.average_precision import average_precision
from lightdet.evaluation.paired import BETTER, OPEN, WORSE, Difference, MatchedModel, Paired, compare_paired

CLASSES = 3


def scene(seed: int, pictures: int, *, skill: float = 0.7):
    """Random boxes (some of them crowds) and what a model of that skill finds of them, with other alarms besides."""
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(pictures):
        count = int(rng.integers(0, 5))
        corners = rng.uniform(0, 140, (count, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(10, 50, (count, 2))], axis=1)
        labels = rng.integers(0, CLASSES, count)
        truths.append(annotation(boxes, labels, crowd=rng.random(count) < 0.1))
        moved = boxes + rng.normal(0, 3, boxes.shape) * (1.5 - skill)
        rows = [
            (*np.sort(box.reshape(2, 2), axis=0).ravel(), rng.random(), label)
            for box, label in zip(moved, labels, strict=True)
            if rng.random() < skill
        ]
        for _ in range(int(rng.integers(0, 4))):
            x, y = rng.uniform(0, 140, 2)
            rows.append((x, y, x + 30, y + 30, rng.random(), int(rng.integers(0, CLASSES))))
        found.append(detections(rows))
    return truths, found


def by_pycocotools(found, truths):
    table = average_precision(found, truths, CLASSES)
    return [np.nan if value is None else value for value in (table.mean(iou=0), table.mean())]


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.data())
def test_a_resample_is_the_pictures_repeated(seed, data):
    truths, found = scene(seed, data.draw(st.integers(1, 8)))
    draws = data.draw(st.lists(st.integers(0, 3), min_size=len(truths), max_size=len(truths)).filter(any))
    weights = np.array([np.ones(len(truths)), draws])
    got = MatchedModel(found, truths, CLASSES).mean_ap(weights)
    again = [index for index, times in enumerate(draws) for _ in range(times)]
    expected = [
        by_pycocotools(found, truths),
        by_pycocotools([found[index] for index in again], [truths[index] for index in again]),
    ]
    assert got == pytest.approx(np.array(expected), abs=1e-9, nan_ok=True)


def test_a_clearly_better_model_is_better_and_the_same_one_is_not():
    truths, good = scene(1, 60, skill=0.95)
    poor = [found.only(np.arange(len(found)) % 2 == 0) for found in good]
    groups = np.arange(len(truths))
    better = compare_paired(good, poor, truths, CLASSES, groups)
    assert better is not None and better.verdict == BETTER
    first = better.differences[0]
    assert first.low <= first.new - first.old <= first.high
    worse = compare_paired(poor, good, truths, CLASSES, groups)
    assert worse is not None and worse.verdict == WORSE
    assert worse.differences[0].low == pytest.approx(-first.high)
    same = compare_paired(good, good, truths, CLASSES, groups)
    assert same is not None and same.verdict == OPEN and same.differences[0].low == same.differences[0].high == 0


def test_look_alikes_are_drawn_together_and_widen_the_interval():
    truths, good = scene(1, 30, skill=0.9)
    poor = [found.only(np.arange(len(found)) % 3 > 0) for found in good]
    thrice = [[each for each in several for _ in range(3)] for several in (good, poor, truths)]
    joined = compare_paired(*thrice, CLASSES, np.repeat(np.arange(30), 3))
    apart = compare_paired(*thrice, CLASSES, np.arange(90))
    assert joined is not None and apart is not None and (joined.groups, apart.groups) == (30, 90)
    wide, narrow = joined.differences[0], apart.differences[0]
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


def test_few_pictures_show_nothing():
    truths, good = scene(1, 19, skill=0.95)
    few = compare_paired(good, [each.above(2) for each in good], truths, CLASSES, np.arange(19))
    assert few is not None and few.verdict == OPEN and "too few" in few.reason and few.differences[0].low > 0


def test_without_a_box_there_is_nothing_to_compare():
    empty = [annotation([], [])] * 3
    assert compare_paired(*[[detections([])] * 3] * 2, empty, CLASSES, np.arange(3)) is None


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ((0.01, 0.02), (-0.01, 0.02), BETTER),
        ((0.01, 0.02), (-0.02, -0.01), OPEN),
        ((-0.01, 0.02), (0.01, 0.02), OPEN),
        ((0.0, 0.02), (0.01, 0.02), OPEN),
        ((-0.02, -0.01), (-0.01, 0.01), WORSE),
    ],
)
def test_the_verdict(first, second, verdict):
    figures = tuple(Difference(str(limits), "key", 0.5, 0.5, *limits) for limits in (first, second))
    assert Paired(figures, 100, 100).verdict == verdict
