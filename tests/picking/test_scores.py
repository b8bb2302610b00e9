"""What makes a picture worth labelling: unsure scores, answers that differ, places far from others."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.picking.core_set import choose
from lightdet.picking.looks import mirrored
from lightdet.picking.scores import disagreement, ranks, uncertainty
from lightdet.structures import Detections

SCORES = st.lists(st.integers(0, 100), max_size=8).map(lambda found: sorted((n / 100 for n in found), reverse=True))


def detections(boxes: list[list[float]], scores: list[float], labels: list[int], width: int = 100) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(labels, np.int64),
        ("a", "b"),
        (width, 80),
    )


@st.composite
def answers(draw: st.DrawFn) -> Detections:
    scores = draw(SCORES)
    corner = st.tuples(st.integers(0, 60), st.integers(0, 50), st.integers(1, 40), st.integers(1, 30))
    boxes = [[x, y, x + w, y + h] for x, y, w, h in (draw(corner) for _ in scores)]
    return detections(boxes, scores, [draw(st.integers(0, 1)) for _ in scores])  # type: ignore[arg-type]


@given(SCORES)
def test_uncertainty_is_bits_and_the_same_for_a_score_and_its_complement(scores: list[float]) -> None:
    found = uncertainty(np.array(scores, np.float32))
    assert 0 <= found <= len(scores)
    assert found == pytest.approx(uncertainty(1 - np.array(scores, np.float32)), abs=1e-5)


def test_uncertainty_by_hand() -> None:
    assert uncertainty(np.array([0.5, 0.5], np.float32)) == pytest.approx(2)
    assert uncertainty(np.array([0.25], np.float32)) == pytest.approx(2 - 0.75 * np.log2(3))
    assert uncertainty(np.zeros(0, np.float32)) == 0


@given(answers(), answers())
def test_disagreement_is_nothing_with_itself_and_at_most_all_scores_and_misplacements(
    first: Detections, second: Detections
) -> None:
    assert disagreement(first, first) == pytest.approx(0, abs=1e-5)
    most = float(first.scores.sum() + second.scores.sum()) + min(len(first), len(second)) / 2
    assert 0 <= disagreement(first, second) <= most + 1e-5


def test_disagreement_by_hand() -> None:
    one = detections([[0, 0, 10, 10], [50, 50, 60, 60]], [0.9, 0.3], [0, 1])
    moved = detections([[0, 0, 10, 8]], [0.7], [0])
    other_class = detections([[0, 0, 10, 10]], [0.9], [1])
    assert disagreement(one, moved) == pytest.approx(0.2 + 0.2 + 0.3, abs=1e-6)
    assert disagreement(one, other_class) == pytest.approx(0.9 + 0.3 + 0.9, abs=1e-6)


@given(answers())
def test_a_mirror_image_of_a_mirror_image_is_the_picture(found: Detections) -> None:
    there, back = mirrored(found), mirrored(mirrored(found))
    assert np.array_equal(back.boxes, found.boxes)
    assert np.allclose(there.boxes[:, 0] + found.boxes[:, 2], found.size[0])


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=20))
def test_ranks_keep_the_order_and_lie_between_0_and_1(values: list[int]) -> None:
    found = ranks(np.array(values, float))
    assert found.min() >= 0 and found.max() <= 1
    assert found.mean() == pytest.approx(0.5)
    for a, b in pairwise(values):
        assert np.sign(a - b) == np.sign(found[values.index(a)] - found[values.index(b)])


@given(st.integers(1, 12), st.integers(0, 5), st.integers(1, 15), st.integers(0, 2**16))
def test_each_picture_is_chosen_once_and_twins_never_together(pool: int, labelled: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    twins = {0: [pool - 1], pool - 1: [0]} if pool > 1 else {}
    chosen = choose(rng.random(pool), rng.normal(size=(pool, 3)), rng.normal(size=(labelled, 3)), twins, count)
    assert len(set(chosen)) == len(chosen) == min(count, pool - bool(twins))
    assert not {0, pool - 1} <= set(chosen) or pool == 1


def test_equal_worth_goes_to_what_lies_far_from_labelled_and_chosen() -> None:
    features = np.array([[1.0, 0], [1, 0.01], [0, 1], [-1, 0]])
    assert choose(np.ones(4), features, np.array([[1.0, 0]]), {}, 3)[0] == 3
    assert choose(np.array([1.0, 0.9, 0.5, 0.1]), features, np.zeros((0, 2)), {}, 4)[:2] == [0, 2]
