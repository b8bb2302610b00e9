"""Do anchors match, counted box by box; and do fitted ones match better than any guess."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.data.anchors import anchor_recall, fit_anchors
from lightdet.models.zoo import ANCHORS_640

sides_lists = st.lists(st.tuples(st.floats(0.5, 500), st.floats(0.5, 500)), min_size=1, max_size=12)


@given(sides_lists, sides_lists, st.sampled_from([1.5, 2.0, 4.0]))
def test_recall_is_the_share_of_boxes_with_a_matching_anchor(
    sides: list[tuple[float, float]], anchors: list[tuple[float, float]], ratio: float
) -> None:
    matched = 0
    for w, h in sides:
        matched += any(max(w / aw, aw / w, h / ah, ah / h) < ratio for aw, ah in anchors)
    assert anchor_recall(np.array(sides), np.array(anchors), ratio) == pytest.approx(matched / len(sides))


def test_recall_at_the_ends() -> None:
    anchors = np.array(ANCHORS_640).reshape(-1, 2)
    assert anchor_recall(np.zeros((0, 2), np.float32), anchors, 4.0) == 1.0
    assert anchor_recall(anchors, anchors, 1.01) == 1.0
    # The factor itself does not match, as in the assignment.
    assert anchor_recall(np.array([[40.0, 10.0]]), np.array([[10.0, 10.0]]), 4.0) == 0.0


def test_a_box_without_area_matches_nothing_and_says_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert anchor_recall(np.array([[0.0, 8.0], [8.0, 8.0], [0.0, 0.0]]), np.array([[9.0, 9.0]]), 4.0) == 1 / 3


def clusters(seed: int, centres: list[tuple[float, float]], each: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([np.array(c) * np.exp(rng.normal(0, 0.05, (each, 2))) for c in centres]).astype(np.float32)


def test_fitted_anchors_find_the_clusters() -> None:
    centres = [(8, 9), (12, 60), (70, 10), (40, 44), (100, 90), (200, 60)]
    fitted = fit_anchors(clusters(0, centres), 3, 2)
    assert fitted.shape == (3, 2, 2)
    for width, height in centres:
        nearest = min(max(abs(math.log(w / width)), abs(math.log(h / height))) for w, h in fitted.reshape(-1, 2))
        assert nearest < 0.1
    areas = fitted.reshape(-1, 2).prod(axis=1)
    assert (np.diff(areas) >= 0).all()


def test_long_defects_are_matched_better_than_by_the_published_anchors() -> None:
    rng = np.random.default_rng(1)
    sides = np.stack((rng.uniform(150, 600, 300), rng.uniform(3, 12, 300)), axis=1).astype(np.float32)
    published = np.array(ANCHORS_640).reshape(-1, 2)
    fitted = fit_anchors(sides, 3, 3).reshape(-1, 2)
    assert anchor_recall(sides, published, 4.0) < 0.2
    assert anchor_recall(sides, fitted, 4.0) > 0.98


@given(st.integers(0, 1000), st.integers(1, 30))
@settings(max_examples=20)
def test_any_boxes_give_usable_anchors_and_the_seed_decides(seed: int, count: int) -> None:
    sides = np.random.default_rng(seed).uniform(0.2, 300, (count, 2)).astype(np.float32)
    fitted = fit_anchors(sides, 3, 3, seed=seed)
    assert fitted.shape == (3, 3, 2)
    assert np.isfinite(fitted).all()
    assert (fitted >= 1).all()
    np.testing.assert_array_equal(fitted, fit_anchors(sides, 3, 3, seed=seed))


def test_one_shape_of_box() -> None:
    fitted = fit_anchors(np.full((5, 2), 20.0, np.float32), 3, 3)
    assert (fitted == 20).all()


def test_no_usable_box() -> None:
    for sides in (np.zeros((0, 2), np.float32), np.zeros((4, 2), np.float32)):
        with pytest.raises(ValueError, match="no boxes"):
            fit_anchors(sides, 3, 3)


def test_boxes_without_area_do_not_spoil_the_fit() -> None:
    sides = clusters(2, [(30, 40)])
    with_points = np.concatenate((sides, np.zeros((10, 2), np.float32)))
    np.testing.assert_array_equal(fit_anchors(with_points, 3, 1), fit_anchors(sides, 3, 1))
