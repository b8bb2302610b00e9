"""The last word on a promise: an exact test on pictures of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.decisions import DecisionRule
from lightdet.decisions.promise import Promise
from lightdet.runs.calibration_pictures import fingerprint
from lightdet.runs.found import Found
from lightdet.runs.judging import SAME, SEEN, held
from lightdet.structures import Detections

NAMES = ("dent", "scratch")


@dataclass(frozen=True)
class Truth:
    """A labelled picture: its file, and the labels of its boxes."""

    image: Path
    labels: np.ndarray
    boxes: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def detections(score: float) -> Detections:
    box = np.array([[2, 2, 9, 9]], np.float32)
    return Detections(box, np.array([score], np.float32), np.zeros(1, np.int64), NAMES, (32, 32))


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "a.png"
    path.write_bytes(b"not decoded here")
    return path


def found(picture: Path, errors: int, total: int, promise: Promise, record: Any = None) -> Found:
    """`errors` of `total` pictures judged wrong: bad ones that pass, or good ones that are rejected."""
    escapes = promise.rate == "escape_rate"
    labels = np.zeros(1 if escapes else 0, np.int64)
    truths = [Truth(picture, labels, np.zeros((len(labels), 4), np.float32))] * total
    wrong, right = (0.1, 0.9) if escapes else (0.9, 0.1)
    scores = [wrong] * errors + [right] * (total - errors)
    return Found(truths, [detections(s) for s in scores], [], {}, {}, DecisionRule(0.5), promise, None, record)


def tail(errors: int, total: int, rate: float) -> float:
    """The chance of at least so many errors, summed by hand."""
    return sum(math.comb(total, k) * rate**k * (1 - rate) ** (total - k) for k in range(errors, total + 1))


@settings(max_examples=60)
@given(
    st.integers(1, 200).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))),
    st.sampled_from([0.01, 0.05, 0.3]),
    st.sampled_from([0.9, 0.95]),
    st.sampled_from(["escape_rate", "false_reject_rate"]),
)
def test_it_is_the_binomial_test(
    picture: Path, counts: tuple[int, int], target: float, confidence: float, rate: Any
) -> None:
    errors, total = counts
    (test,) = held(found(picture, errors, total, Promise(rate, target, confidence)), NAMES)["tests"]
    assert (test["errors"], test["pictures"]) == (errors, total)
    assert test["p_value"] == pytest.approx(tail(errors, total, target), abs=1e-9)
    at_most = 1 - tail(errors + 1, total, target)  # the chance of no more errors at the promised rate
    wanted = "kept" if at_most <= 1 - confidence else "broken" if test["p_value"] <= 1 - confidence else "open"
    assert test["verdict"] == wanted


def test_each_class_is_tested_if_each_was_promised(picture: Path) -> None:
    promise = Promise("escape_rate", 0.05, 0.95, per_class=True)
    told = held(found(picture, 30, 100, promise), NAMES)
    assert [test["class"] for test in told["tests"]] == list(NAMES)
    assert [test["pictures"] for test in told["tests"]] == [100, 0]
    assert "'dent' broken here: 30 of 100 escape" in told["text"]
    assert "'scratch' open here: 0 of 0 escape" in told["text"]


def test_the_pictures_of_the_calibration_test_nothing(picture: Path) -> None:
    promise = Promise("escape_rate", 0.05, 0.95)
    same = found(picture, 0, 50, promise)
    record = {"calibration_set": {"sha256": fingerprint(same.truths)}}
    assert held(found(picture, 0, 50, promise, record), NAMES) == {"text": SAME}
    assert "tests" in held(found(picture, 0, 51, promise, record), NAMES)


def test_an_estimate_is_tested_but_not_on_what_the_model_has_seen(picture: Path) -> None:
    estimate = Promise("escape_rate", 0.3, 0.95, estimated=True)
    ours = found(picture, 2, 50, estimate)
    here = fingerprint(ours.truths)
    assert held(ours, NAMES)["tests"][0]["verdict"] == "kept"
    for record in ({"sha256": here, "splits": {"train": "0"}}, {"sha256": "0", "splits": {"train": "0", "val": here}}):
        ours.record = {"calibration_set": record}
        assert held(ours, NAMES) == {"text": SEEN}
