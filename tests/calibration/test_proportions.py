"""Exact bounds against the binomial sums that define them."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.calibration import clopper_pearson, pictures_needed, proportion, upper_bound

counts = st.integers(1, 300).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))
confidences = st.sampled_from([0.8, 0.9, 0.95, 0.99])


def at_most(count: int, total: int, share: float) -> float:
    """The chance of at most `count` errors among `total`, summed term by term."""
    return math.fsum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(count + 1))


@given(counts=counts, confidence=confidences)
@settings(max_examples=80)
def test_the_upper_bound_leaves_so_few_errors_unlikely(counts: tuple[int, int], confidence: float) -> None:
    count, total = counts
    bound = upper_bound(count, total, confidence)
    if count == total:
        assert bound == 1
    else:
        assert at_most(count, total, bound) == pytest.approx(1 - confidence, rel=1e-5)


@given(counts=counts, confidence=confidences)
@settings(max_examples=80)
def test_both_ends_share_the_doubt(counts: tuple[int, int], confidence: float) -> None:
    count, total = counts
    low, high = clopper_pearson(count, total, confidence)
    assert 0 <= low <= count / total <= high <= 1
    if 0 < count < total:
        assert at_most(count, total, high) == pytest.approx((1 - confidence) / 2, rel=1e-5)
        assert 1 - at_most(count - 1, total, low) == pytest.approx((1 - confidence) / 2, rel=1e-4)


def test_known_numbers() -> None:
    # The rule of three, and the interval of 5 in 100 that textbooks print.
    assert upper_bound(0, 299, 0.95) == pytest.approx(0.00997, abs=1e-5)
    assert clopper_pearson(5, 100) == pytest.approx((0.0164, 0.1128), abs=1e-4)
    assert pictures_needed(0.01, 0.95) == 299
    assert pictures_needed(0.05, 0.95) == 59
    assert str(proportion(0, 0)) == "none to count"
    assert str(proportion(1, 4)) == "25.0% (1 of 4; two-sided 95% interval 0.6%-80.6%)"


@given(target=st.sampled_from([0.001, 0.01, 0.05, 0.2]), confidence=confidences, errors=st.integers(0, 6))
@settings(max_examples=60)
def test_pictures_needed_is_the_fewest(target: float, confidence: float, errors: int) -> None:
    needed = pictures_needed(target, confidence, errors)
    assert upper_bound(errors, needed, confidence) <= target * (1 + 1e-9)
    assert upper_bound(errors, needed - 1, confidence) > target


@pytest.mark.parametrize(("count", "total", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0), (1, 2, 0.0)])
def test_counts_that_cannot_be(count: int, total: int, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"cannot be counted|confidence"):
        upper_bound(count, total, confidence)
