"""A threshold keeps its promise on pictures that were not there when it was chosen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.calibration import threshold_for_escapes, threshold_for_false_rejects, upper_bound

scores = st.lists(st.integers(0, 10_000).map(lambda k: k / 10_000), min_size=1, max_size=120)
targets = st.sampled_from([0.02, 0.05, 0.1, 0.3])


@given(bad=scores, target=targets)
@settings(max_examples=150)
def test_it_is_the_highest_threshold_that_keeps_the_escape_rate(bad: list[float], target: float) -> None:
    choice = threshold_for_escapes(bad, target, 0.9)
    kept = [t for t in sorted(set(bad)) if t > 0 and upper_bound(sum(s < t for s in bad), len(bad), 0.9) <= target]
    if choice is None:
        assert not kept
    else:
        assert choice.threshold == kept[-1]
        assert choice.errors == sum(s < choice.threshold for s in bad)
        assert choice.bound <= target


@given(good=scores, target=targets)
@settings(max_examples=150)
def test_it_is_the_lowest_threshold_that_keeps_the_false_reject_rate(good: list[float], target: float) -> None:
    choice = threshold_for_false_rejects(good, target, 0.9)
    grid = [k / 10_000 for k in sorted({round(s * 10_000) + 1 for s in good}) if k <= 10_000]
    kept = [t for t in grid if upper_bound(sum(s >= t for s in good), len(good), 0.9) <= target]
    if choice is None:
        assert not kept
    else:
        assert choice.threshold == kept[0]
        assert choice.errors == sum(s >= choice.threshold for s in good)
        assert choice.bound <= target


def test_what_the_detector_never_finds_cannot_be_promised() -> None:
    assert threshold_for_escapes([0.0] * 10 + [0.9] * 90, 0.05, 0.95) is None
    assert threshold_for_escapes([0.0] * 1 + [0.9] * 199, 0.05, 0.95) is not None
    assert threshold_for_escapes([], 0.05, 0.95) is None
    assert threshold_for_escapes([0.9] * 58, 0.05, 0.95) is None
    assert threshold_for_escapes([0.9] * 59, 0.05, 0.95) is not None
    assert threshold_for_false_rejects([1.0] * 200, 0.05, 0.95) is None


@pytest.mark.parametrize(("target", "confidence", "pictures"), [(0.05, 0.9, 150), (0.1, 0.95, 80), (0.02, 0.8, 200)])
def test_the_promise_holds_in_the_stated_share_of_draws(target: float, confidence: float, pictures: int) -> None:
    """The true escape rate of a threshold is known where the scores' distribution is: uniform, it is the threshold."""
    rng = np.random.default_rng(0)
    draws, held, rates = 2000, 0, []
    for _ in range(draws):
        choice = threshold_for_escapes(rng.uniform(0, 1, pictures), target, confidence)
        assert choice is not None
        held += choice.threshold <= target
        rates.append(choice.threshold)
    # Three standard errors of a share counted in so many draws.
    slack = 3 * (confidence * (1 - confidence) / draws) ** 0.5
    assert held / draws >= confidence - slack
    # And it is no empty promise: most of what is allowed is used.
    assert np.mean(rates) > 0.3 * target


@pytest.mark.parametrize("wrong", [[1.2], [-0.1], [float("nan")]])
def test_scores_that_are_none(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="0-1"):
        threshold_for_escapes(wrong, 0.1, 0.9)
