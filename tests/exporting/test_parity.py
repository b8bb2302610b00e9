"""The proof tells the same from the other: partners one to one, thresholds on both sides, the tolerance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.exporting.parity import Parity, Side, Tolerance, choose_floor, compare
from lightdet.inference.runtime import RawDetections

EXACT = Tolerance(score=0.002, box=0.002, pixels=0.1)


def found(*rows: tuple[float, float, float, float, float, int]) -> RawDetections:
    values = np.array([row[:5] for row in rows], np.float32).reshape(-1, 5)
    return values[:, :4], values[:, 4], np.array([row[5] for row in rows], np.int64)


A = (10.0, 10.0, 50.0, 40.0, 0.9, 0)
B = (60.0, 10.0, 90.0, 90.0, 0.4, 1)


def alike(ours: list[RawDetections], theirs: list[RawDetections], tolerance: Tolerance, *, floor: float) -> Parity:
    """Compare lists in which nothing was suppressed."""
    return compare(Side(ours, ours), Side(theirs, theirs), tolerance, floor=floor, iou=0.5)


def moved(row: tuple[float, ...], by: float = 0.0, score: float = 0.0, label: int = 0) -> tuple[float, ...]:
    return (row[0] + by, *row[1:4], row[4] + score, row[5] + label)


def test_the_same_holds_whatever_the_order() -> None:
    parity = alike([found(A, B)], [found(B, A)], EXACT, floor=0.25)
    assert parity == Parity(1, 0.25, 2, 0, 0.0, 0.0) and parity.holds(EXACT)


@pytest.mark.parametrize(
    ("other", "unmatched"),
    [
        (found(A), 1),
        (found(A, B, (0, 0, 5, 5, 0.5, 0)), 1),
        (found(A, moved(B, by=0.3)), 2),
        (found(A, moved(B, score=0.01)), 2),
        (found(A, moved(B, label=1)), 2),
        (found(A, B, A), 1),
        (found(), 2),
    ],
    ids=["missing", "too many", "moved", "score", "label", "twice the first", "none"],
)
def test_a_difference_is_counted_on_either_side(other: RawDetections, unmatched: int) -> None:
    parity = alike([found(A, B)], [other], EXACT, floor=0.25)
    assert parity.unmatched == unmatched and not parity.holds(EXACT)


def test_large_boxes_may_move_further_than_small_ones() -> None:
    large, small = (0.0, 0.0, 500.0, 500.0, 0.9, 0), (0.0, 0.0, 20.0, 20.0, 0.9, 0)
    assert alike([found(large)], [found(moved(large, by=0.8))], EXACT, floor=0.25).unmatched == 0
    assert alike([found(small)], [found(moved(small, by=0.8))], EXACT, floor=0.25).unmatched == 2


def test_a_partner_just_below_the_floor_counts() -> None:
    above, below = (*A[:4], 0.2505, 0), (*A[:4], 0.2495, 0)
    assert alike([found(above)], [found(below)], EXACT, floor=0.25).unmatched == 0
    assert alike([found(below)], [found(above)], EXACT, floor=0.25).unmatched == 0
    assert alike([found(below)], [found()], EXACT, floor=0.25).unmatched == 0
    assert alike([found(above)], [found()], EXACT, floor=0.25).unmatched == 1


def test_nothing_to_compare_proves_nothing() -> None:
    assert not alike([found()], [found()], EXACT, floor=0.25).holds(EXACT)


def test_some_may_cross_a_threshold_where_the_format_is_coarse() -> None:
    coarse = Tolerance(score=0.1, box=0.1, pixels=3, unmatched=0.1)
    assert Parity(1, 0.25, 10, 1, 0.0, 0.0).holds(coarse) and not Parity(1, 0.25, 10, 2, 0.0, 0.0).holds(coarse)


C = (12.0, 10.0, 52.0, 40.0, 0.8999, 0)
"""Overlaps A, and is as good."""


def test_which_of_two_equals_survives_does_not_matter_but_that_it_exists_does() -> None:
    all_, first, second = [found(A, C)], [found(A)], [found(C)]
    assert compare(Side(first, all_), Side(second, all_), EXACT, floor=0.25, iou=0.5).unmatched == 0
    assert compare(Side(first, first), Side(second, second), EXACT, floor=0.25, iou=0.5).unmatched == 2
    # With NMS in the network there is only what it kept.
    assert compare(Side(first, all_), Side(second, None), EXACT, floor=0.25, iou=0.5).unmatched == 0
    assert compare(Side(first, all_), Side([found(moved(C, by=1))], None), EXACT, floor=0.25, iou=0.5).unmatched == 1
    assert compare(Side(first, all_), Side([found(A, C)], None), EXACT, floor=0.25, iou=0.5).unmatched == 1
    assert compare(Side([found(A, B)], all_), Side([found(A)], None), EXACT, floor=0.25, iou=0.5).unmatched == 1


def test_two_that_both_report_may_overlap_for_their_boxes_moved_after_the_suppression() -> None:
    near = found(A, moved(A, by=2))  # two boxes that voted for each other
    assert compare(Side([near], [near]), Side([near], [near]), EXACT, floor=0.25, iou=0.5).unmatched == 0
    alone = found(A)
    assert compare(Side([alone], [near]), Side([near], [near]), EXACT, floor=0.25, iou=0.5).unmatched == 1


def test_below_the_end_of_a_full_list_nothing_is_missed() -> None:
    assert compare(Side([found(A, B)], [found(A, B)]), Side([found(A)], [found(A)], 1), EXACT, floor=0.1, iou=0.5) == (
        Parity(1, 0.1, 0, 0, 0.0, 0.0)
    )


def test_the_floor_is_the_highest_with_enough_above() -> None:
    def scored(*scores: float) -> RawDetections:
        return found(*((0, 0, 9, 9, score, 0) for score in scores))

    assert choose_floor([scored(*[0.5] * 10)]) == 0.25
    assert choose_floor([scored(*[0.5] * 5), scored(*[0.02] * 5)]) == 0.01
    assert choose_floor([scored()]) == 1e-6 and choose_floor([]) == 1e-6


boxes = st.tuples(*[st.floats(0, 100, width=32)] * 2, *[st.floats(101, 200, width=32)] * 2)
rows = st.builds(lambda box, score, label: (*box, score, label), boxes, st.floats(0, 1, width=32), st.integers(0, 2))


@given(st.lists(rows, max_size=12))
def test_anything_is_like_itself(detections: list[tuple[float, float, float, float, float, int]]) -> None:
    one = found(*detections)
    parity = compare(Side([one], [one]), Side([one], [one]), EXACT, floor=0.3, iou=1.0)
    assert parity.unmatched == 0 and parity.detections == int((one[1] >= 0.3).sum())
