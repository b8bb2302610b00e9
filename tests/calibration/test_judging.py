"""The last word on a promise: an exact test on pictures of their own."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.decisions import DecisionRule
from lightdet.decisions.promise import Promise
from lightdet.runs import calibration_pictures
from lightdet.runs.calibration_pictures import fingerprint, mark_of, marks
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
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(200):
        (folder / f"{number}.png").write_bytes(b"not decoded here: %d" % number)
    return [folder / f"{number}.png" for number in range(200)]


def found(pictures: list[Path], errors: int, total: int, promise: Promise, record: Any = None) -> Found:
    """`errors` of the first `total` pictures judged wrong: bad ones that pass, or good ones that are rejected."""
    escapes = promise.rate == "escape_rate"
    labels = np.zeros(1 if escapes else 0, np.int64)
    truths = [Truth(each, labels, np.zeros((len(labels), 4), np.float32)) for each in pictures[:total]]
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
    pictures: list[Path], counts: tuple[int, int], target: float, confidence: float, rate: Any
) -> None:
    errors, total = counts
    (test,) = held(found(pictures, errors, total, Promise(rate, target, confidence)), NAMES)["tests"]
    assert (test["errors"], test["pictures"]) == (errors, total)
    assert test["p_value"] == pytest.approx(tail(errors, total, target), abs=1e-9)
    at_most = 1 - tail(errors + 1, total, target)  # the chance of no more errors at the promised rate
    wanted = "kept" if at_most <= 1 - confidence else "broken" if test["p_value"] <= 1 - confidence else "open"
    assert test["verdict"] == wanted


def test_each_class_is_tested_if_each_was_promised(pictures: list[Path]) -> None:
    promise = Promise("escape_rate", 0.05, 0.95, per_class=True)
    told = held(found(pictures, 30, 100, promise), NAMES)
    assert [test["class"] for test in told["tests"]] == list(NAMES)
    assert [test["pictures"] for test in told["tests"]] == [100, 0]
    assert "'dent' broken here: 30 of 100 escape" in told["text"]
    assert "'scratch' open here: 0 of 0 escape" in told["text"]


def test_the_pictures_of_the_calibration_test_nothing(pictures: list[Path]) -> None:
    promise = Promise("escape_rate", 0.05, 0.95)
    same = found(pictures, 0, 50, promise)
    record = {"calibration_set": {"sha256": fingerprint(same.truths)}}
    assert held(found(pictures, 0, 50, promise, record), NAMES) == {"text": SAME}
    assert "tests" in held(found(pictures, 0, 51, promise, record), NAMES)


def test_an_estimate_is_tested_but_not_on_what_the_model_has_seen(pictures: list[Path]) -> None:
    estimate = Promise("escape_rate", 0.3, 0.95, estimated=True)
    ours = found(pictures, 2, 50, estimate)
    here = fingerprint(ours.truths)
    assert held(ours, NAMES)["tests"][0]["verdict"] == "kept"
    for record in ({"sha256": here, "splits": {"train": "0"}}, {"sha256": "0", "splits": {"train": "0", "val": here}}):
        ours.record = {"calibration_set": record}
        assert held(ours, NAMES) == {"text": SEEN}


ESCAPES = Promise("escape_rate", 0.05, 0.95)


def calibrated_on(truths: list[Any], splits: dict[str, Any] | None = None) -> dict[str, Any]:
    """The part of a record that tells its pictures, as it comes back from a model file."""
    more = {} if splits is None else {"splits": splits}
    return json.loads(json.dumps({"calibration_set": {"sha256": fingerprint(truths), "marks": marks(truths), **more}}))


@settings(max_examples=60)
@given(
    st.sets(st.integers(0, 59), min_size=1),
    st.sets(st.integers(0, 59), min_size=1),
    st.sets(st.integers(0, 59)),
    st.booleans(),
)
def test_pictures_of_the_calibration_are_left_out_of_the_test(
    pictures: list[Path], then: set[int], now: set[int], relabelled: set[int], crossed: bool
) -> None:
    everything = found(pictures, 0, 60, ESCAPES).truths
    record = calibrated_on([everything[n] for n in sorted(then)], {"train": "0"} if crossed else None)
    wrong = {n for n in now if n % 3 == 0}  # these pass
    truths = [replace(everything[n], labels=np.ones(1, np.int64)) if n in relabelled else everything[n] for n in now]
    predictions = [detections(0.1 if n in wrong else 0.9) for n in now]
    ours = Found(truths, predictions, [], {}, {}, DecisionRule(0.5), ESCAPES, None, record)
    told = held(ours, NAMES)
    if now <= then:  # also if one is missing, or a label was corrected
        assert told == {"text": SEEN if crossed else SAME}
        return
    (test,) = told["tests"]
    assert (test["errors"], test["pictures"]) == (len(wrong - then), len(now - then))
    again = len(now & then)
    assert told.get("left_out", 0) == again
    assert ("of its calibration left out" in told["text"]) == (again > 0) and (not again or f"{again} " in told["text"])


@settings(max_examples=60)
@given(
    st.sets(st.integers(0, 59)),
    st.sets(st.integers(0, 59), min_size=1),
    st.sets(st.integers(0, 59)),
)
def test_pictures_of_the_training_are_left_out_too(
    pictures: list[Path], then: set[int], now: set[int], learned: set[int]
) -> None:
    everything = found(pictures, 0, 60, ESCAPES).truths
    record = calibrated_on([everything[n] for n in sorted(then)]) if then else None
    truths = [everything[n] for n in now]
    ours = Found(truths, [detections(0.9) for _ in now], [], {}, {}, DecisionRule(0.5), ESCAPES, None, record)
    told = held(ours, NAMES, frozenset(mark_of(everything[n]) for n in learned))
    if now <= then | learned:
        assert told == {"text": SAME if now <= then else SEEN}
        return
    assert told["tests"][0]["pictures"] == len(now - then - learned)
    assert told.get("left_out", 0) == len(now & then) and told.get("learned", 0) == len(now & (learned - then))
    assert ("that the model was trained on left out" in told["text"]) == bool(now & (learned - then))


def test_a_copy_is_no_further_picture(pictures: list[Path], tmp_path: Path) -> None:
    ours = found(pictures, 1, 40, ESCAPES)
    alone = held(ours, NAMES)
    for number in range(30):
        (tmp_path / f"copy{number}.png").write_bytes(pictures[39].read_bytes())
        ours.truths.append(replace(ours.truths[39], image=tmp_path / f"copy{number}.png"))
        ours.predictions.append(ours.predictions[39])
    told = held(ours, NAMES)
    assert told["tests"] == alone["tests"] and told["copies"] == 30
    assert "30 copies not counted again" in told["text"] and "copies" not in alone["text"]


@pytest.mark.parametrize("damaged", [None, 7, [], "", "abc"])
def test_a_record_without_its_pictures_is_checked_as_a_whole(pictures: list[Path], damaged: Any) -> None:
    ours = found(pictures, 0, 50, ESCAPES)
    record: dict[str, Any] = calibrated_on(ours.truths)
    record["calibration_set"]["marks"] = damaged
    ours.record = record
    assert held(ours, NAMES) == {"text": SAME}
    record["calibration_set"]["sha256"] = "0"
    assert "left_out" not in held(ours, NAMES)


def test_a_record_stays_bounded(pictures: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    truths = found(pictures, 0, 50, ESCAPES).truths
    assert len(marks(truths) or "") == 50 * 16
    monkeypatch.setattr(calibration_pictures, "MOST_MARKS", 49)
    assert marks(truths) is None
