"""A detector with zones: nothing outside counts, with tiles as on whole pictures, and a promise knows its zones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from color_network import ColorRuntime, paint
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.decisions import DecisionRule
from lightdet.decisions.zones import Zone, Zones
from lightdet.errors import UserError
from lightdet.inference.draw_zones import draw_zones
from lightdet.inference.predictor import Predictor
from lightdet.inference.tiled import TiledPredictor
from lightdet.inference.zoned import ZonedPredictor
from lightdet.runs.zoned_truths import ZonedLabels, fitting
from lightdet.structures import Annotation

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
RIGHT = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))
CORNER = ((0.0, 0.0), (0.25, 0.0), (0.25, 0.25), (0.0, 0.25))
WIDTH, HEIGHT = 192, 96
PATCHES = [("red", 8, 4, 24, 14), ("green", 60, 40, 80, 60), ("red", 88, 70, 104, 90), ("blue", 140, 20, 170, 40)]
PICTURE = paint(WIDTH, HEIGHT, *PATCHES)


class Known(ColorRuntime):
    """With what a runtime says of itself."""

    kind, precision, iou, agnostic, max_detections, confidence = "torch", "fp32", 0.5, False, 100, 0.001


def found(zones: Zones, **more: Any) -> list[str]:
    result = ZonedPredictor(Predictor(ColorRuntime(), confidence=0.25), zones, **more)(PICTURE)
    return [str(each["name"]) for each in result.as_dicts()]


def test_only_what_counts_is_found_and_the_rest_is_counted() -> None:
    zones = Zones((Zone("left", LEFT), Zone("label", CORNER, ignore=True)))
    result = ZonedPredictor(Predictor(ColorRuntime()), zones)(PICTURE)
    assert [(each["name"], each["zones"]) for each in result.as_dicts()] == [("red", ["left"]), ("green", ["left"])]
    assert result.outside == 2 and result.to_dict()["outside_zones"] == 2
    assert result.above(0.85).zones == (("left",),)


def test_without_zones_nothing_is_said_about_them() -> None:
    assert "outside_zones" not in Predictor(ColorRuntime())(PICTURE).to_dict()
    assert "zones" not in Predictor(ColorRuntime())(PICTURE).as_dicts()[0]


def test_a_zones_own_threshold_decides_there() -> None:
    strict = Zones((Zone("left", LEFT, threshold=0.85), Zone("right", RIGHT)))
    assert found(strict) == ["red", "red", "blue"]
    assert found(Zones((Zone("left", LEFT, thresholds={"green": 0.85}),))) == ["red", "red"]
    mild = Zones((Zone("left", LEFT, threshold=0.1), Zone("right", RIGHT)))
    assert found(mild, confidence=0.95) == ["red", "red", "green"]


def test_the_rule_counts_by_zone() -> None:
    zones = Zones((Zone("left", LEFT, threshold=0.1), Zone("right", RIGHT)))
    model = ZonedPredictor(Predictor(ColorRuntime(), confidence=0.1), zones)
    rule = model.usual_rule().at(0.95)
    decision = rule.decide(model(PICTURE))
    assert (decision.verdict, decision.name, decision.zones) == ("NG", "red", ("left",))
    assert [each["defect"] for each in rule.findings(model(PICTURE))] == [True, True, True, False]
    assert DecisionRule.from_dict(rule.as_dict()) == rule and "'left'" in rule.describe()
    assert rule.shifted(0.85).ok(model(PICTURE)) and not rule.shifted(0.7).ok(model(PICTURE))


@st.composite
def zones_of_pictures(draw: st.DrawFn) -> Zones:
    def rectangle() -> Any:
        xs, ys = (sorted(draw(st.tuples(st.integers(0, 9), st.integers(0, 9)))) for _ in "xy")
        x1, x2, y1, y2 = xs[0] / 10, (xs[1] + 1) / 10, ys[0] / 10, (ys[1] + 1) / 10
        return (x1, y1), (x2, y1), (x2, y2), (x1, y2)

    kinds = draw(st.lists(st.booleans(), min_size=1, max_size=4))
    return Zones(tuple(Zone(str(number), rectangle(), ignore) for number, ignore in enumerate(kinds)))


@settings(max_examples=30)
@given(zones_of_pictures(), st.booleans())
def test_detections_in_tiles_and_labels_are_left_out_like_those_of_whole_pictures(zones: Zones, tiles: bool) -> None:
    predictor = Predictor(ColorRuntime())
    model = ZonedPredictor(TiledPredictor(predictor, tile=64) if tiles else predictor, zones)
    result = model(PICTURE)
    all_boxes = np.array([patch[1:] for patch in PATCHES], np.float32)
    labels = np.array([model.names.index(patch[0]) for patch in PATCHES])
    truth = ZonedLabels(zones, model.names).of(Annotation(Path("a.png"), (WIDTH, HEIGHT), all_boxes, labels))

    def corners(boxes: np.ndarray) -> list[list[int]]:
        return sorted(np.round(boxes).astype(int).tolist())

    looks = [zone.points for zone in zones.zones if not zone.ignore]
    ignored = [zone.points for zone in zones.zones if zone.ignore]

    def meets(box: tuple[int, ...], points: Any, *, whole: bool) -> bool:
        (x1, y1), (x2, y2) = (
            (points[0][0] * WIDTH, points[0][1] * HEIGHT),
            (points[2][0] * WIDTH, points[2][1] * HEIGHT),
        )
        if whole:
            return bool(x1 <= box[0] and y1 <= box[1] and box[2] <= x2 and box[3] <= y2)
        return bool(x1 <= box[2] and box[0] <= x2 and y1 <= box[3] and box[1] <= y2)

    wanted = [
        list(box)
        for _, *box in PATCHES
        if (not looks or any(meets(box, points, whole=False) for points in looks))
        and not any(meets(box, points, whole=True) for points in ignored)
    ]
    assert corners(truth.boxes) == sorted(wanted)
    assert corners(result.boxes) == sorted(wanted)


def test_labels_keep_what_belongs_to_them() -> None:
    boxes = np.array([[1, 1, 9, 9], [60, 60, 70, 70]], np.float32)
    truth = Annotation(
        Path("a.png"), (100, 100), boxes, np.array([0, 1]), np.array([False, True]), None, (3, 4), np.array([1.0, 2.0])
    )
    labels = ZonedLabels(Zones((Zone("right", RIGHT),)), ("a", "b"))
    kept = labels.of(truth)
    assert (kept.labels.tolist(), kept.lines, kept.crowd, kept.area) == ([1], (4,), [True], [2.0])  # type: ignore[comparison-overlap]
    assert labels.outside == 1


def test_zones_in_pixels_refuse_other_pictures() -> None:
    zones = Zones((Zone("all", ((0, 0), (10, 0), (10, 10))),), size=(100, 100))
    with pytest.raises(UserError, match="this one has 192 x 96"):
        ZonedPredictor(Predictor(ColorRuntime()), zones)(PICTURE)
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    truths = [Annotation(Path(f"{width}.png"), (width, 100), *none) for width in (100, 90)]
    with pytest.raises(UserError, match=r"90\.png: the zones were drawn"):
        fitting(zones, truths, skip=False)
    kept, faults = fitting(zones, truths, skip=True)
    assert [each.size for each in kept] == [(100, 100)] and "90.png" in faults[0]
    with pytest.raises(UserError, match="none of the pictures"):
        fitting(zones, truths[1:], skip=True)


def test_zones_and_model_must_fit() -> None:
    with pytest.raises(UserError, match="names the class 'dent'; the model has red, green, blue"):
        ZonedPredictor(Predictor(ColorRuntime()), Zones((Zone("left", LEFT, classes=("dent",)),)))
    across = Known()
    across.agnostic = True
    with pytest.raises(UserError, match="--agnostic"):
        ZonedPredictor(Predictor(across), Zones((Zone("left", LEFT, classes=("red",)),)))


def calibrated(make: Callable[[Predictor], Any]) -> dict[str, Any]:
    """A card's decision under the conditions of `make`'s predictor."""
    return {
        "rule": DecisionRule(0.75).as_dict(),
        "promise": {"rate": "escape_rate", "target": 0.02, "confidence": 0.95},
        "conditions": make(Predictor(Known())).conditions.as_dict(),
    }


def test_a_promise_holds_for_its_zones_alone() -> None:
    zones, others = Zones((Zone("left", LEFT),)), Zones((Zone("left", RIGHT),))
    record = calibrated(lambda predictor: ZonedPredictor(predictor, zones))
    model = ZonedPredictor(Predictor(Known(), decision=record), zones)
    assert model.promise.holds and model(PICTURE).decision is not None
    other = ZonedPredictor(Predictor(Known(), decision=record), others)
    with pytest.raises(
        UserError, match=r"calibrated with the zones 'left' \(\w{8}\), not with the zones 'left' \(\w{8}\)"
    ):
        _ = other.rule
    with pytest.raises(UserError, match=r"calibrated with the zones 'left' \(\w{8}\), not with no zones"):
        _ = Predictor(Known(), decision=record).rule
    plain = calibrated(lambda predictor: predictor)
    with pytest.raises(UserError, match="calibrated with no zones, not with the zones 'left'"):
        _ = ZonedPredictor(Predictor(Known(), decision=plain), zones).rule
    free = ZonedPredictor(Predictor(Known(), decision=record, no_promise=True), others)
    assert not free.promise.holds and free(PICTURE).decision is not None
    own = Zones((Zone("left", LEFT, threshold=0.3),))
    with_own = calibrated(lambda predictor: ZonedPredictor(predictor, own))
    assert "thresholds of their own" in ZonedPredictor(Predictor(Known(), decision=with_own), own).promise.describe()


def test_damaged_zones_in_a_card_are_refused() -> None:
    record = calibrated(lambda predictor: ZonedPredictor(predictor, Zones((Zone("left", LEFT),))))
    for zones in ({}, [], {"units": "share", "zones": [{"name": "a", "look": [[0, 0], [1, 1], [2, 2]]}]}):
        damaged = {**record, "conditions": {**record["conditions"], "zones": zones}}
        with pytest.raises(UserError, match="damaged"):
            _ = Predictor(Known(), decision=damaged).rule


def test_zones_are_outlined_where_they_are() -> None:
    gray = np.full((100, 200, 3), 90, np.uint8)
    drawn = draw_zones(gray, Zones((Zone("left", LEFT), Zone("label", CORNER, ignore=True))))
    assert (gray == 90).all() and drawn.shape == gray.shape
    changed = (drawn != 90).any(axis=2)
    assert changed[50, 97:104].any() and not changed[30:70, 110:].any() and not changed[40:60, 20:80].any()
    assert changed[0:100, 100].all() and changed[5:25, 50].sum() > 5
    result = ZonedPredictor(Predictor(ColorRuntime()), Zones((Zone("left", LEFT),)))(PICTURE)
    assert (np.asarray(result.plot())[: HEIGHT // 8, WIDTH // 2] > 200).any()


def test_another_runtime_keeps_the_zones() -> None:
    zones = Zones((Zone("left", LEFT),))
    model = ZonedPredictor(Predictor(Known()), zones, confidence=0.4).with_runtime(Known())
    assert model.zones is zones and model.confidence == 0.4
    assert replace(model.conditions, zones=None) == model.predictor.conditions
