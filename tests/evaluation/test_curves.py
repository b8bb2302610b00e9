"""Precision, recall and F1 against confidence, counted one threshold at a time."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_scenes import annotation, detections
from hypothesis import given
from hypothesis import strategies as st

from lightdet.evaluation.curves import Curve, confidence_curves, roundest

unit = st.floats(0, 1, width=32)


@st.composite
def curves(draw):
    rows = draw(st.lists(st.tuples(unit, st.booleans()), max_size=12))
    rows.sort(key=lambda row: -row[0])
    boxes = sum(right for _, right in rows) + draw(st.integers(0, 5))
    return Curve(np.array([s for s, _ in rows], np.float32), np.array([r for _, r in rows], bool), boxes)


@given(curves(), unit)
def test_counts_at_any_threshold(curve, threshold):
    kept = [bool(r) for s, r in zip(curve.scores, curve.right, strict=True) if s >= np.float32(threshold)]
    point = curve.at(threshold)
    assert (point.found, point.alarms) == (sum(kept), len(kept))
    assert point.precision == (sum(kept) / len(kept) if kept else 0)
    assert point.recall == (sum(kept) / curve.boxes if curve.boxes else 0)
    if point.precision + point.recall:
        assert point.f1 == pytest.approx(2 * point.precision * point.recall / (point.precision + point.recall))
    else:
        assert point.f1 == 0
    precision, recall, f1 = (float(values[0]) for values in curve.sample(np.array([threshold])))
    assert (precision, recall, f1) == pytest.approx((point.precision, point.recall, point.f1))


@given(curves())
def test_no_threshold_beats_the_best(curve):
    best = curve.best()
    candidates = [curve.at(float(score)).f1 for score in curve.scores]
    assert best.f1 == pytest.approx(max(candidates, default=0.0))
    if best.f1:
        assert best.threshold > 0 or curve.scores[-1] == 0
        equal = [curve.at(float(s)).recall for s in curve.scores if curve.at(float(s)).f1 >= best.f1 - 1e-12]
        assert best.recall == pytest.approx(max(equal))


@given(unit, unit)
def test_round_threshold_lies_between(a, b):
    low, high = min(a, b), max(a, b)
    if low < high:
        value = roundest(low, high)
        assert np.float32(low) < np.float32(value) <= np.float32(high)


def test_thresholds_are_easy_to_type():
    assert roundest(0.31234, 0.41876) == 0.4
    assert roundest(0.412, 0.41876) == 0.418
    assert roundest(0.0, 0.9) == 0.9


def test_pooled_and_by_class():
    truth = annotation([[0, 0, 10, 10], [20, 20, 30, 30], [40, 40, 50, 50]], [0, 0, 1])
    found = detections([(0, 0, 10, 10, 0.9, 0), (20, 20, 30, 30, 0.6, 1), (40, 40, 50, 50, 0.8, 1)])
    curves = confidence_curves([found], [truth], 3)
    assert [curve.boxes for curve in curves.by_class] == [2, 1, 0]
    assert curves.overall.boxes == 3 and curves.overall.right.tolist() == [True, True, False]
    assert curves.overall.best().threshold == pytest.approx(0.8)
    assert curves.by_class[0].at(0.5).recall == 0.5 and curves.by_class[1].at(0.5).precision == 0.5
