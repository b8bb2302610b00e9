"""A promise holds under the conditions of its calibration, and no other says that it does."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.decisions import DecisionRule
from lightdet.decisions.conditions import Conditions
from lightdet.decisions.promise import check_conditions, stored_conditions, stored_promise
from lightdet.errors import UserError
from lightdet.geometry.nms import vote
from lightdet.structures import Preprocessing

PREPROCESSING = {key: value for key, value in asdict(Preprocessing(320)).items() if key != "imgsz"}
USUAL = Conditions("torch", "fp32", 320, PREPROCESSING, "ab" * 32, False, 0.55, False, 300, 0.001)
OTHERS: dict[str, Any] = {
    "runtime": "onnx",
    "precision": "bf16",
    "imgsz": 352,
    "preprocessing": {**PREPROCESSING, "gray": True},
    "weights": "cd" * 32,
    "rect": True,
    "iou": 0.5,
    "agnostic": True,
    "max_detections": 100,
    "tile": 320,
    "overlap": 0.3,
    "tile_iou": 0.4,
    "tile_detections": 50,
    "tile_merge": 3,
    "zones": {"units": "share", "zones": [{"name": "a", "look": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]}]},
}
TILED = replace(USUAL, tile=160, overlap=0.2, tile_iou=0.5, tile_detections=1000, tile_merge=2)


def test_every_condition_has_another_value_here() -> None:
    assert set(OTHERS) | {"confidence"} == {each.name for each in fields(Conditions)}


@given(st.sets(st.sampled_from(sorted(OTHERS))), st.sampled_from([USUAL, TILED]))
def test_any_other_condition_is_seen_and_named(changed: set[str], then: Conditions) -> None:
    now = replace(then, **{name: OTHERS[name] for name in changed})
    if now.tile is None:  # without tiles their settings mean nothing
        changed = changed - {"overlap", "tile_iou", "tile_detections", "tile_merge"}
    if now.tile is not None and then.tile is None:
        changed = changed - {"overlap", "tile_iou", "tile_detections", "tile_merge"} | {"tile"}
    assert len(then.differences(now)) == len(changed)
    if not changed:
        return check_conditions(then, now)
    with pytest.raises(UserError, match=r"calibrated with .*, not with .*--no-promise") as error:
        check_conditions(then, now)
    assert "\n" not in error.value.message


@given(st.sets(st.sampled_from(sorted(OTHERS))))
def test_conditions_travel_in_json(changed: set[str]) -> None:
    kept = replace(USUAL, **{name: OTHERS[name] for name in changed})
    read = Conditions.from_dict(json.loads(json.dumps(kept.as_dict())))
    assert read.differences(kept) == [] and read.as_dict() == kept.as_dict()


def record(**changes: Any) -> dict[str, Any]:
    promise = {"rate": "escape_rate", "target": 0.02, "confidence": 0.95}
    return {"rule": {}, "promise": promise, "per_class": False, "conditions": USUAL.as_dict(), **changes}


def test_a_promise_in_words() -> None:
    assert stored_promise(record()).describe() == "at most 2 % of bad parts pass, with 95 % confidence"
    by_class = stored_promise(record(per_class=True))
    said = "at most 2 % of bad parts of each class pass, each class by itself with 95 % confidence"
    assert by_class.describe() == by_class.as_dict()["text"] == said
    rejects = {"rate": "false_reject_rate", "target": 0.125, "confidence": 0.9}
    told = stored_promise(record(promise=rejects)).as_dict()
    assert told["text"] == "at most 12.5 % of good parts are rejected, with 90 % confidence"
    assert told["holds"] and told["rate"] == "false_reject_rate"


def test_a_suspended_promise_says_what_moved() -> None:
    suspended = stored_promise(record()).suspend("focus fell from 12 to 9", "focus")
    assert not suspended.holds
    assert suspended.as_dict() == {
        "holds": False, "suspended": True, "moved": "focus", "text": "suspended: focus fell from 12 to 9"
    }  # fmt: skip
    none = stored_promise(record(promise=None))
    assert none.suspend("focus fell", "focus") == none  # there is nothing to suspend


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"conditions": None}, "before the conditions were recorded"),
        ({"promise": None}, "none was calibrated"),
        ({"promise": None, "why_no_promise": "moved"}, "moved"),
    ],
)
def test_no_promise_says_why(changes: dict[str, Any], why: str) -> None:
    promise = stored_promise(record(**changes))
    assert not promise.holds and why in promise.describe() and promise.as_dict()["holds"] is False


ESTIMATE = {"rate": "escape_rate", "target": 0.02, "confidence": 0.95}


@pytest.mark.parametrize("per_class", [False, True])
def test_an_estimate_is_never_shown_as_a_promise(per_class: bool) -> None:
    found = stored_promise(record(promise=None, estimate=ESTIMATE, per_class=per_class))
    assert found.stated and not found.holds
    told = found.as_dict()
    assert told["holds"] is False and not {"rate", "target", "confidence"} & set(told)
    assert told["estimate"] == {**ESTIMATE, "per_class": per_class}
    assert told["text"].startswith("none guaranteed; estimated by cross-calibration: at most 2 % of bad parts")


def test_an_estimate_needs_its_conditions_and_no_promise_beside_it() -> None:
    assert not stored_promise(record(promise=None, estimate=ESTIMATE, conditions=None)).stated
    with pytest.raises(UserError, match="damaged"):
        stored_promise(record(estimate=ESTIMATE))


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()), st.just({})
)


@given(st.sampled_from(["rate", "target", "confidence"]), values, st.booleans())
def test_a_damaged_promise_is_none(key: str, value: Any, estimated: bool) -> None:
    kept = {"rate": "escape_rate", "target": 0.02, "confidence": 0.95, key: value}
    damaged = record(promise=None, estimate=kept) if estimated else record(promise=kept)
    fits = (
        isinstance(value, float) and 0 < value < 1 if key != "rate" else value in ("escape_rate", "false_reject_rate")
    )
    if fits:
        assert stored_promise(damaged).stated and stored_promise(damaged).holds is not estimated
    else:
        with pytest.raises(UserError, match="damaged"):
            stored_promise(damaged)


@given(st.one_of(values, st.dictionaries(st.sampled_from([*OTHERS, "new"]), values)))
def test_damaged_conditions_are_none(value: Any) -> None:
    if value is None:
        assert stored_conditions({"conditions": value}) is None
        return
    with pytest.raises(UserError, match="damaged"):
        stored_conditions({"conditions": value})


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9), st.floats(0.0, 1.0))
def test_no_box_below_the_needed_floor_changes_a_size(seed: int, threshold: float, share: float) -> None:
    """With smallest sizes a verdict depends on boxes that have voted: none below the floor may have had a say."""
    import numpy as np

    draw = np.random.default_rng(seed)
    corners = draw.uniform(0, 6, (30, 2))
    boxes = np.concatenate([corners, corners + draw.uniform(20, 26, (30, 2))], axis=1).astype(np.float32)
    scores, labels = draw.uniform(0, 1, 30).astype(np.float32), np.zeros(30, np.int64)
    kept = np.flatnonzero(scores >= threshold)[:3]
    needed = DecisionRule(threshold, min_size=1.0).needed_floor()
    assert needed is not None
    floor = share * needed
    known = scores >= floor
    places = np.flatnonzero(known)
    moved = vote(boxes[known], scores[known], labels[known], np.searchsorted(places, kept), floor=floor)
    assert np.allclose(moved, vote(boxes, scores, labels, kept), atol=1e-4)
    assert DecisionRule(threshold).needed_floor() is None
