"""A calibrated model is used as it was calibrated, or its rule is not used: over every option that changes a result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_statistics import randomize_statistics

import lightdet
from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard
from lightdet.config import ModelConfig
from lightdet.decisions.conditions import UNKNOWN
from lightdet.decisions.promise import check_conditions
from lightdet.decisions.zones import Zone, Zones
from lightdet.errors import UserError
from lightdet.models.weights import load_model, save_model
from lightdet.options.val import ValOptions
from lightdet.runs.validate import Validation
from lightdet.structures import Preprocessing, Tiling

SIDE = 64
PICTURE = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
USUAL: dict[str, Any] = {
    "imgsz": SIDE,
    "iou": 0.6,
    "max_detections": 200,
    "agnostic": False,
    "rect": False,
    "precision": "fp32",
    "tile": None,
}
OTHER: dict[str, Any] = {
    "imgsz": 96,
    "iou": 0.5,
    "max_detections": 100,
    "agnostic": True,
    "rect": True,
    "precision": "bf16",
    "tile": 64,
}


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector whose rule was calibrated with `USUAL`, two of which are not the usual defaults."""
    torch.manual_seed(0)
    config = ModelConfig(widths=[8, 8, 16, 16, 16], attention_at=[], gate_at=[])
    network = randomize_statistics(build_detector(config, 2, SIDE))
    path = tmp_path_factory.mktemp("calibrated") / "model.safetensors"
    card = ModelCard(config.model_dump(mode="json"), ("dent", "scratch"), Preprocessing(SIDE))
    save_model(path, network.state_dict(), card)
    conditions = lightdet.load(path, iou=0.6, max_detections=200, confidence=0.001, threads=1).conditions
    decision = {
        "rule": {"threshold": 0.4, "thresholds": {}, "min_size": 0.0, "min_sizes": {}},
        "promise": {"rate": "escape_rate", "target": 0.02, "confidence": 0.95},
        "per_class": False,
        "conditions": conditions.as_dict(),
    }
    save_model(path, network.state_dict(), replace(card, decision=decision))
    return path


@settings(max_examples=12)
@given(st.dictionaries(st.sampled_from(sorted(OTHER)), st.booleans()))
def test_every_combination_is_as_calibrated_or_refused(calibrated: Path, asked: dict[str, bool]) -> None:
    given = {name: OTHER[name] if other else USUAL[name] for name, other in asked.items()}
    model = lightdet.load(calibrated, threads=1, **given)
    if any(asked.values()):
        with pytest.raises(UserError, match="was calibrated with"):
            _ = model.rule
        with pytest.raises(UserError, match="--no-promise"):
            _ = model(PICTURE).decision
    else:
        assert model.rule is not None and model.promise.holds and model(PICTURE).decision is not None
    free = lightdet.load(calibrated, threads=1, no_promise=True, **given)
    assert free.rule is not None and not free.promise.holds and free(PICTURE).decision is not None


def test_what_is_not_given_is_as_at_the_calibration(calibrated: Path) -> None:
    model = lightdet.load(calibrated, threads=1)
    assert (model.runtime.iou, model.runtime.max_detections) == (0.6, 200)
    assert lightdet.load(calibrated, threads=1, no_promise=True).runtime.iou == 0.55


@pytest.mark.parametrize("threshold", [0.05, 0.6])
@pytest.mark.parametrize("min_size", [0.0, 4.0])
@pytest.mark.parametrize("no_promise", [False, True])
def test_a_score_that_is_asked_for_is_the_lowest_unless_sizes_need_lower_ones(
    calibrated: Path, tmp_path: Path, threshold: float, min_size: float, no_promise: bool
) -> None:
    weights, card = load_model(calibrated)
    assert card.decision is not None
    rule = {"threshold": threshold, "thresholds": {}, "min_size": min_size, "min_sizes": {}}
    save_model(tmp_path / "m.safetensors", weights, replace(card, decision={**card.decision, "rule": rule}))
    model = lightdet.load(tmp_path / "m.safetensors", threads=1, confidence=0.3, no_promise=no_promise)
    lower = min_size > 0 and not no_promise
    assert model.confidence == 0.3
    assert model.runtime.confidence == (min(0.3, threshold / 4) if lower else 0.3)


ZONES = Zones((Zone("left", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))),))


@pytest.fixture(scope="module", params=["sizes", "zones", "tiles", "tiles, sizes", "tiles, zones"])
def placed(request: pytest.FixtureRequest, calibrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model calibrated where it matters not only whether something is found, but how large it is or where it lies."""
    weights, card = load_model(calibrated)
    assert card.decision is not None
    options: dict[str, Any] = {"tile": 64 if "tiles" in request.param else 0}
    options |= {"zones": ZONES} if "zones" in request.param else {}
    then = lightdet.load(calibrated, threads=1, confidence=0.001, no_promise=True, **options)
    scores = np.sort(then(PICTURE).scores)
    rule = {"threshold": round(float(scores[-10]), 4), "min_size": 20.0 if "sizes" in request.param else 0.0}
    path = tmp_path_factory.mktemp("placed") / "model.safetensors"
    decision = {**card.decision, "rule": rule, "conditions": then.conditions.as_dict()}
    save_model(path, weights, replace(card, decision=decision))
    return path


def test_the_lowest_score_asked_for_moves_no_box_that_counts(placed: Path) -> None:
    usual = lightdet.load(placed, threads=1)
    assert usual.rule is not None and usual.promise.holds
    threshold = usual.rule.threshold
    counting = usual(PICTURE).above(threshold).as_dicts()
    assert len(counting) > 2
    for share in (1.0, 0.6, 0.1, 0.002):
        model = lightdet.load(placed, threads=1, confidence=share * threshold)
        found = model(PICTURE)
        assert found.above(threshold).as_dicts() == counting and found.decision is not None
        assert found.scores.min() >= share * threshold - 1e-4


def test_boxes_that_were_not_known_at_the_calibration_are_refused(placed: Path) -> None:
    """NMS that begins higher, as a runtime of one's own may do."""
    model = lightdet.load(placed, threads=1)
    now = replace(model.conditions, confidence=0.9 * model.rule.threshold)
    with pytest.raises(UserError, match=r"model\.safetensors: its .* were calibrated with boxes from a score of"):
        model.card_decision.rule(model.names, lambda: now)


def test_a_calibration_down_to_the_threshold_itself_is_loaded_as_it_was(placed: Path, tmp_path: Path) -> None:
    weights, card = load_model(placed)
    assert card.decision is not None
    threshold = min(0.25, card.decision["rule"]["threshold"])  # what is reported if nothing is asked for
    rule, conditions = card.decision["rule"] | {"threshold": threshold}, card.decision["conditions"]
    decision = {**card.decision, "rule": rule, "conditions": {**conditions, "confidence": threshold}}
    save_model(tmp_path / "model.safetensors", weights, replace(card, decision=decision))
    assert lightdet.load(tmp_path / "model.safetensors", threads=1).promise.holds
    assert lightdet.load(tmp_path / "model.safetensors", threads=1).rule is not None


def test_a_measurement_begins_where_the_calibration_did(placed: Path, tmp_path: Path) -> None:
    """Nobody gave a lowest score: the usual one of `val` is no reason to refuse the rule."""
    weights, card = load_model(placed)
    assert card.decision is not None
    conditions = {**card.decision["conditions"], "confidence": 0.9 * card.decision["rule"]["threshold"]}
    path = tmp_path / "model.safetensors"
    save_model(path, weights, replace(card, decision={**card.decision, "conditions": conditions}))
    yaml = tmp_path / "set.yaml"
    yaml.write_text("format: yolo\nclasses: [dent, scratch]\nsplits: {val: images}\n")
    (tmp_path / "images").mkdir()
    predictor = Validation(ValOptions(weights=path, data=str(yaml), threads=1)).predictor()
    assert predictor.rule is not None and predictor.promise.holds
    given = Validation(ValOptions(weights=path, data=str(yaml), threads=1, overrides=("eval.confidence=0.001",)))
    with pytest.raises(UserError, match="leave the lowest score out"):
        _ = given.predictor().rule


@pytest.mark.parametrize("then", ["fp32", "int8", UNKNOWN, ""])
@pytest.mark.parametrize("now", [UNKNOWN, ""])
def test_a_number_format_that_is_not_told_is_unlike_any(calibrated: Path, then: str, now: str) -> None:
    conditions = lightdet.load(calibrated, threads=1).conditions
    before, after = replace(conditions, precision=then), replace(conditions, precision=now)
    with pytest.raises(UserError, match=r"the runtime does not tell in which number format .*--no-promise"):
        check_conditions(before, after)
    with pytest.raises(UserError, match="does not tell"):
        check_conditions(after, before)


def test_int8_is_told_with_what_the_rest_is_in(calibrated: Path) -> None:
    conditions = lightdet.load(calibrated, threads=1).conditions
    with pytest.raises(UserError, match="with --precision int8, not with int8 and the rest in bf16"):
        check_conditions(replace(conditions, precision="int8"), replace(conditions, precision="int8+bf16"))


def test_a_rule_does_not_fit_other_weights(calibrated: Path, tmp_path: Path) -> None:
    weights, card = load_model(calibrated)
    name = next(name for name, value in weights.items() if value.is_floating_point())
    weights[name] = weights[name] * 1.5
    save_model(tmp_path / "moved.safetensors", weights, card)
    with pytest.raises(UserError, match="other weights"):
        _ = lightdet.load(tmp_path / "moved.safetensors", threads=1).rule


def test_a_rule_from_before_conditions_promises_nothing(calibrated: Path, tmp_path: Path) -> None:
    weights, card = load_model(calibrated)
    assert card.decision is not None
    old = {key: value for key, value in card.decision.items() if key != "conditions"}
    save_model(tmp_path / "old.safetensors", weights, replace(card, decision=old))
    model = lightdet.load(tmp_path / "old.safetensors", threads=1, imgsz=96)
    assert model.rule is not None and "calibrate it again" in model.promise.describe()


def test_the_calibration_decides_about_tiles_not_the_training(calibrated: Path, tmp_path: Path) -> None:
    """Trained on tiles, calibrated on whole pictures."""
    weights, card = load_model(calibrated)
    path = tmp_path / "tiles.safetensors"
    save_model(path, weights, replace(card, tiles=Tiling(64, 0.25)))
    model = lightdet.load(path, threads=1)
    assert model.conditions.tile is None and model.rule is not None and model.promise.holds
    free = lightdet.load(path, threads=1, no_promise=True)
    assert (free.conditions.tile, free.conditions.overlap) == (64, 0.25)
    with pytest.raises(UserError, match="was calibrated with whole pictures"):
        _ = lightdet.load(path, threads=1, tile=64).rule


def test_tiles_joined_by_an_older_version_promise_nothing(calibrated: Path, tmp_path: Path) -> None:
    weights, card = load_model(calibrated)
    assert card.decision is not None
    conditions = lightdet.load(calibrated, tile=64, no_promise=True).conditions.as_dict()
    for kept, holds in ((conditions, True), ({k: v for k, v in conditions.items() if k != "tile_merge"}, False)):
        path = tmp_path / f"{holds}.safetensors"
        save_model(path, weights, replace(card, decision={**card.decision, "conditions": kept}))
        model = lightdet.load(path)
        assert model.rule is not None and model.rule.threshold == 0.4
        assert model.promise.holds == holds
        assert holds or "tiles were joined in another way" in model.promise.describe()
    path = tmp_path / "from_higher_scores.safetensors"
    kept = {k: v for k, v in conditions.items() if k != "tile_merge"} | {"confidence": 0.3}
    save_model(path, weights, replace(card, decision={**card.decision, "conditions": kept}))
    assert lightdet.load(path, confidence=0.001).rule is not None
