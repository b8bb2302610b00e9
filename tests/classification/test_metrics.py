"""The numbers against other ways to get them, their intervals against simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from lightdet.classification.intervals import auc_interval, bootstrap_intervals, posterior_intervals, share
from lightdet.classification.metrics import ClassifyMetrics, evaluate_classes, headline


@pytest.fixture(autouse=True, scope="module")
def _quick_intervals(few_resamples: None) -> None:
    """The bootstrap is tested by itself; here it would only take time."""


def simulate(rng: np.random.Generator, sizes: list[int], skill: float) -> tuple[Any, Any]:
    """Labels and probabilities of a classifier that knows a little."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    logits = rng.normal(size=(len(labels), len(sizes)))
    logits[np.arange(len(labels)), labels] += skill
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels.astype(np.int64), shares.astype(np.float32)


def names_for(count: int) -> list[str]:
    return [f"class {number}" for number in range(count)]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 30), min_size=2, max_size=4), st.floats(0, 3))
def test_numbers_are_what_counting_gives(seed: int, sizes: list[int], skill: float) -> None:
    labels, shares = simulate(np.random.default_rng(seed), sizes, skill)
    metrics = evaluate_classes(labels, shares, names_for(len(sizes)))
    predicted = [max(range(len(sizes)), key=lambda k: row[k]) for row in shares.tolist()]
    pairs = list(zip(labels.tolist(), predicted, strict=True))
    assert metrics.accuracy.value == pytest.approx(sum(t == p for t, p in pairs) / len(pairs))
    recalls, f1s = [], []
    for k, scores in enumerate(metrics.per_class):
        hit, actual, taken = sum(t == p == k for t, p in pairs), sizes[k], sum(p == k for _, p in pairs)
        others = len(pairs) - actual
        alarms = taken - hit
        assert (scores.pictures, scores.predicted) == (actual, taken)
        assert scores.recall.value == pytest.approx(hit / actual)
        assert scores.specificity.value == pytest.approx(1 - alarms / others)
        assert scores.precision.value == (pytest.approx(hit / taken) if taken else None)
        assert scores.f1.value == pytest.approx(2 * hit / (actual + taken))
        statistic = mannwhitneyu(shares[labels == k, k], shares[labels != k, k]).statistic
        assert scores.auc.value == pytest.approx(statistic / (actual * others))
        recalls.append(hit / actual)
        f1s.append(2 * hit / (actual + taken))
        for estimate in (scores.recall, scores.specificity, scores.precision, scores.f1, scores.auc):
            if estimate.value is not None and estimate.low is not None and estimate.high is not None:
                assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert metrics.balanced_accuracy.value == pytest.approx(np.mean(recalls))
    assert metrics.macro["f1"].value == pytest.approx(np.mean(f1s))
    assert metrics.weighted["recall"] == pytest.approx(metrics.accuracy.value)
    assert metrics.confusion.sum() == len(pairs)
    assert headline(labels, shares)["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert metrics.log_loss == pytest.approx(-np.log(shares[np.arange(len(labels)), labels]).mean(), rel=1e-5)


def test_of_two_classes_each_is_the_others_mirror() -> None:
    labels, shares = simulate(np.random.default_rng(1), [40, 25], 1.0)
    good, bad = evaluate_classes(labels, shares, ["good", "bad"]).per_class
    assert good.recall.value == bad.specificity.value and good.specificity.value == bad.recall.value
    assert good.auc.value == pytest.approx(bad.auc.value)
    assert good.auc.low == pytest.approx(bad.auc.low)


@pytest.mark.parametrize(
    ("labels", "taken"),
    [([0, 0, 0], [0, 0, 0]), ([0, 0, 0], [1, 1, 1]), ([1], [1]), ([0, 1, 1], [0, 0, 0]), ([2, 2, 0], [1, 1, 1])],
)
def test_what_cannot_be_told_is_none_and_never_nan(labels: list[int], taken: list[int]) -> None:
    shares = np.full((len(labels), 3), 0.1, np.float32)
    shares[np.arange(len(labels)), taken] = 0.8
    metrics = evaluate_classes(np.array(labels, np.int64), shares, names_for(3))

    def finite(value: Any) -> bool:
        if isinstance(value, dict):
            return all(finite(each) for each in value.values())
        if isinstance(value, list):
            return all(finite(each) for each in value)
        return value is None or isinstance(value, str) or bool(np.isfinite(value))

    assert finite(metrics.as_dict())
    absent = [k for k in range(3) if k not in labels]
    assert all(metrics.per_class[k].recall.value is None and metrics.per_class[k].f1.value is None for k in absent)


def covers(estimate: Any, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


def test_exact_intervals_hold_what_they_promise() -> None:
    rng = np.random.default_rng(3)
    for rate in (0.5, 0.9, 0.99):
        inside = [covers(share(int(rng.binomial(60, rate)), 60, 0.95), rate) for _ in range(600)]
        assert np.mean(inside) >= 0.95 - 0.02


def test_delongs_interval_covers_the_true_area() -> None:
    """Two normal distributions one apart: the area is the normal distribution of 1 / sqrt(2)."""
    rng, truth = np.random.default_rng(4), 0.7602499
    inside = []
    for _ in range(500):
        scores = np.concatenate([rng.normal(1, 1, 40), rng.normal(0, 1, 60)])
        labels = np.arange(100) < 40
        value = float(mannwhitneyu(scores[:40], scores[40:]).statistic) / 2400
        inside.append(covers(auc_interval(labels, scores, value, 0.95), truth))
    assert 0.92 <= np.mean(inside) <= 0.98


def test_a_perfect_area_still_has_a_width() -> None:
    labels = np.arange(30) < 10
    perfect = auc_interval(labels, labels.astype(float), 1.0, 0.95)
    assert perfect.high == 1.0 and 0.6 < perfect.low < 0.9  # ten of ten: Clopper-Pearson gives 0.69


def test_an_area_without_variance_has_no_interval() -> None:
    """A network that answers everything alike has an area of 0.5, which does not show that it is 0.5 elsewhere."""
    labels = np.arange(30) < 10
    constant = auc_interval(labels, np.full(30, 0.3), 0.5, 0.95)
    assert (constant.value, constant.low, constant.high) == (0.5, None, None)
    flat = evaluate_classes(labels.astype(np.int64), np.full((30, 2), 0.5), names_for(2))
    assert flat.macro["auc"].value == 0.5 and flat.macro["auc"].low is None
    varied = auc_interval(labels, (np.arange(30) % 10 < 2).astype(float), 0.5, 0.95)
    assert varied.low is not None and varied.high is not None and varied.low < 0.5 < varied.high


def true_f1(rates: Any, sizes: list[int]) -> float:
    counts = np.array(sizes)[:, None] * rates
    hits = counts.diagonal()
    return float((2 * hits / (counts.sum(axis=0) + counts.sum(axis=1))).mean())


@pytest.mark.parametrize("right", [0.85, 0.98])
def test_the_posterior_covers_the_true_f1(right: float) -> None:
    rng, sizes = np.random.default_rng(5), [60, 90]
    rates = np.array([[right, 1 - right], [(1 - right) / 2, 1 - (1 - right) / 2]])
    truth = true_f1(rates, sizes)

    def macro(counts: Any) -> dict[str, Any]:
        hits = np.diagonal(counts, axis1=1, axis2=2)
        return {"f1": (2 * hits / (counts.sum(axis=1) + counts.sum(axis=2))).mean(axis=1)}

    inside = []
    for number in range(200):
        counts = np.stack([rng.multinomial(size, row) for size, row in zip(sizes, rates, strict=True)])
        low, high = posterior_intervals(counts, macro, 0.95, seed=number)["f1"]
        inside.append(low <= truth <= high)
    assert np.mean(inside) >= 0.9


def _one(chosen: np.ndarray) -> float:
    """1, or as near to it as sums come: a perfect average precision."""
    return float(np.nextafter(1.0, 0.0)) if chosen[0] % 2 else 1.0


def test_a_bootstrap_without_width_says_nothing() -> None:
    labels = np.array([0] * 10 + [1] * 10)
    found = bootstrap_intervals(labels, lambda chosen: {"flat": _one(chosen), "mean": float(chosen.mean())}, 0.95)
    assert "flat" not in found and found["mean"][0] < 9.5 < found["mean"][1]


def test_more_pictures_make_narrower_intervals() -> None:
    def width(metrics: ClassifyMetrics) -> list[float]:
        chosen = [metrics.accuracy, metrics.macro["f1"], metrics.macro["auc"], metrics.macro["average_precision"]]
        return [float(each.high) - float(each.low) for each in chosen]  # type: ignore[arg-type]

    few, many = (
        width(evaluate_classes(*simulate(np.random.default_rng(6), [n, n, n], 1.5), names_for(3))) for n in (15, 240)
    )
    assert all(small < 0.5 * large for small, large in zip(many, few, strict=True))
