"""The confusion matrix adds up with the boxes and agrees with precision and recall."""

from __future__ import annotations

import numpy as np
from evaluation_scenes import annotation, detections
from hypothesis import given
from hypothesis import strategies as st

from lightdet.evaluation.confusion import confusion_matrix
from lightdet.evaluation.curves import confidence_curves

value = st.integers(0, 12)
box = st.tuples(value, value, st.integers(1, 8), st.integers(1, 8)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
picture = st.tuples(
    st.lists(st.tuples(box, st.floats(0, 1, width=32), st.integers(0, 2)), max_size=6),
    st.lists(st.tuples(box, st.integers(0, 2), st.booleans()), max_size=4),
)


@given(st.lists(picture, max_size=4), st.sampled_from([0.0, 0.25, 0.5]))
def test_adds_up(pictures, threshold):
    predictions = [detections([(*b, s, label) for b, s, label in found]) for found, _ in pictures]
    truths = [
        annotation([b for b, _, _ in rows], [label for _, label, _ in rows], [crowd for _, _, crowd in rows])
        for _, rows in pictures
    ]
    matrix = confusion_matrix(predictions, truths, 3, threshold=threshold)
    curves = confidence_curves(predictions, truths, 3)
    assert matrix.counts.min() >= 0 and matrix.counts[3, 3] == 0
    for label, curve in enumerate(curves.by_class):
        point = curve.at(threshold)
        assert matrix.counts[label].sum() == curve.boxes, "every box is in its row once"
        assert matrix.counts[:, label].sum() == point.alarms, "every detection is in its column once"
        assert matrix.counts[label, label] == point.found, "the diagonal is what recall counts"
    shares = matrix.shares()
    assert np.allclose(shares.sum(axis=1)[matrix.counts.sum(axis=1) > 0], 1)


def test_each_kind_of_mistake():
    truth = annotation([[0, 0, 10, 10], [20, 20, 30, 30], [40, 40, 50, 50]], [0, 1, 2])
    found = detections(
        [(0, 0, 10, 10, 0.9, 0), (20, 20, 30, 30, 0.8, 2), (70, 70, 80, 80, 0.7, 1), (40, 40, 50, 50, 0.1, 2)]
    )
    matrix = confusion_matrix([found], [truth], 3, threshold=0.5)
    assert matrix.counts.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 0]]
