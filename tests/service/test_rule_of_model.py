"""The rule that a model file brings along, and what the service makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from colors import ColorRuntime
from safetensors.numpy import save_file

from lightdet.assembly.decision import stored_rule
from lightdet.decisions import DecisionRule
from lightdet.errors import UserError
from lightdet.inference.predictor import Predictor
from lightdet.service.app import load_with_rule
from lightdet.service.settings import Settings

RULE = {"threshold": 0.4, "thresholds": {"green": 0.05}, "min_size": 3.0, "min_sizes": {}}


def write(path: Path, card: dict[str, Any]) -> Path:
    save_file({"weight": np.zeros(1, np.float32)}, path, {"lightdet": json.dumps(card)})
    return path


@pytest.fixture
def calibrated(tmp_path: Path) -> Path:
    return write(tmp_path / "best.safetensors", {"names": [], "decision": {"rule": RULE, "promise": {}}})


class Loader:
    """Gives color predictors and remembers how it was asked; a floor as of an export with NMS in its network."""

    def __init__(self, floor: float = 0.0, card: Any = None) -> None:
        self.floor, self.card = floor, card
        self.asked: list[float | None] = []

    def __call__(self, settings: Settings) -> Predictor:
        self.asked.append(settings.confidence)
        if settings.confidence is not None and settings.confidence < self.floor:
            raise UserError("gives no such scores")
        runtime = ColorRuntime()
        runtime.card = self.card  # type: ignore[attr-defined]
        return Predictor(runtime, confidence=self.floor or 0.25 if settings.confidence is None else settings.confidence)


def test_a_calibrated_checkpoint(calibrated: Path) -> None:
    loader = Loader()
    predictor, rule = load_with_rule(Settings(calibrated), loader)
    assert rule == DecisionRule.from_dict(RULE)
    assert predictor.confidence == 0.05 and loader.asked == [0.1, 0.05]


def test_settings_stand_over_it(calibrated: Path) -> None:
    def rule(**given: Any) -> dict[str, Any]:
        return load_with_rule(Settings(calibrated, **given), Loader())[1].as_dict()

    assert rule(threshold=0.6) == {"threshold": 0.6, "thresholds": {}, "min_size": 3.0, "min_sizes": {}}
    assert rule(thresholds={"red": 0.9})["thresholds"] == {"green": 0.05, "red": 0.9}
    assert rule(min_size=0.0, min_sizes={"red": 7.0}) == RULE | {"min_size": 0.0, "min_sizes": {"red": 7.0}}


def test_without_calibration(tmp_path: Path) -> None:
    for path in (write(tmp_path / "a.safetensors", {"names": []}), tmp_path / "missing.safetensors"):
        loader = Loader()
        predictor, rule = load_with_rule(Settings(path), loader)
        assert rule == DecisionRule() and predictor.confidence == 0.1 and loader.asked == [0.1]


@pytest.mark.parametrize("place", ["decision", "facts"])
def test_what_was_exported_from_a_calibrated_one(tmp_path: Path, place: str) -> None:
    record = {"rule": RULE}
    card = SimpleNamespace(facts={"decision": record}) if place == "facts" else SimpleNamespace(decision=record)
    assert load_with_rule(Settings(tmp_path / "best.onnx"), Loader(card=card))[1] == DecisionRule.from_dict(RULE)


def test_an_export_with_a_floor_of_its_own(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "best.onnx")
    loader = Loader(floor=0.25)
    predictor, rule = load_with_rule(settings, loader)
    assert (predictor.confidence, rule.threshold, loader.asked) == (0.25, 0.25, [0.1, None])
    with pytest.raises(UserError, match=r"scores below 0\.25 are not reported, but the lowest threshold .* is 0\.2"):
        load_with_rule(replace(settings, threshold=0.2), Loader(floor=0.25))
    with pytest.raises(UserError, match=r"scores below 0\.5 are not reported"):
        load_with_rule(replace(settings, confidence=0.5), Loader())


def test_damaged_rules(tmp_path: Path) -> None:
    predictor = Loader()(Settings(tmp_path / "x"))
    for decision in ([], {}, {"rule": {"threshold": 7}}):
        path = write(tmp_path / "bad.safetensors", {"decision": decision})
        with pytest.raises(UserError, match=r"bad\.safetensors: "):
            stored_rule(path, predictor)


def test_a_rule_for_other_classes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the model has no class 'dent'"):
        load_with_rule(Settings(tmp_path / "x", thresholds={"dent": 0.5}), Loader())
