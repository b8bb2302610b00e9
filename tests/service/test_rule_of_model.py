"""The rule that a model file brings along, and what the service makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from colors import ColorRuntime

from lightdet.decisions import DecisionRule
from lightdet.errors import UserError
from lightdet.inference.export_card import ExportCard, parse_card
from lightdet.inference.predictor import Predictor
from lightdet.service.loading import load_with_rule
from lightdet.service.model_settings import ModelSettings
from lightdet.structures import Preprocessing

SETTINGS = ModelSettings(Path("best.safetensors"))
RULE = {"threshold": 0.4, "thresholds": {"green": 0.05}, "min_size": 3.0, "min_sizes": {}}
CALIBRATED = {"rule": RULE, "promise": {}}


class Loader:
    """Gives color predictors and remembers how it was asked; a floor as of an export with NMS in its network."""

    def __init__(self, floor: float = 0.0, decision: object = None) -> None:
        self.floor, self.decision = floor, decision
        self.asked: list[float | None] = []

    def __call__(self, settings: ModelSettings) -> Predictor:
        self.asked.append(settings.confidence)
        if settings.confidence is not None and settings.confidence < self.floor:
            raise UserError("gives no such scores")
        confidence = self.floor or 0.25 if settings.confidence is None else settings.confidence
        return Predictor(ColorRuntime(), confidence=confidence, decision=self.decision, path=settings.model)


def test_a_calibrated_checkpoint() -> None:
    loader = Loader(decision=CALIBRATED)
    predictor, rule, _ = load_with_rule(SETTINGS, loader)
    assert rule == DecisionRule.from_dict(RULE)
    assert predictor.confidence == 0.05 and loader.asked == [0.1, 0.05]


def test_a_model_that_was_calibrated_without_low_scores_is_loaded_as_it_was() -> None:
    """Nobody gave a lowest score, so none is refused."""

    class Refused(Predictor):
        @property
        def rule(self) -> DecisionRule | None:
            if self.confidence < 0.2:
                raise UserError("its zones were calibrated with boxes from a score of 0.2 on")
            return super().rule

    def loader(settings: ModelSettings) -> Predictor:
        confidence = 0.25 if settings.confidence is None else settings.confidence
        record = {"rule": {"threshold": 0.5}, "promise": {}}
        return Refused(ColorRuntime(), confidence=confidence, decision=record, path=settings.model)

    predictor, rule, _ = load_with_rule(SETTINGS, loader)
    assert (predictor.confidence, rule.threshold) == (0.25, 0.5)
    with pytest.raises(UserError, match=r"from a score of 0\.2 on"):
        load_with_rule(replace(SETTINGS, confidence=0.1), loader)


def test_settings_stand_over_it() -> None:
    def rule(**given: Any) -> dict[str, Any]:
        return load_with_rule(replace(SETTINGS, **given), Loader(decision=CALIBRATED))[1].as_dict()

    assert rule(threshold=0.6) == {"threshold": 0.6, "thresholds": {}, "min_size": 3.0, "min_sizes": {}}
    assert rule(thresholds={"red": 0.9})["thresholds"] == {"green": 0.05, "red": 0.9}
    assert rule(min_size=0.0, min_sizes={"red": 7.0}) == RULE | {"min_size": 0.0, "min_sizes": {"red": 7.0}}


def test_a_rule_by_hand_promises_nothing() -> None:
    record = {"rule": RULE, "promise": None, "why_no_promise": "moved"}
    assert "moved" in load_with_rule(SETTINGS, Loader(decision=record))[2].describe()
    by_hand = load_with_rule(replace(SETTINGS, threshold=0.6), Loader(decision=record))[2]
    assert not by_hand.holds and "by hand" in by_hand.describe()


def test_without_calibration() -> None:
    loader = Loader()
    predictor, rule, _ = load_with_rule(SETTINGS, loader)
    assert rule == DecisionRule() and predictor.confidence == 0.1 and loader.asked == [0.1]


@pytest.mark.parametrize("place", ["decision", "facts"])
def test_the_card_of_an_export_holds_it(place: str) -> None:
    card = ExportCard(("red",), Preprocessing(64), "planar", "candidates")
    changed = {"decision": CALIBRATED} if place == "decision" else {"facts": {"decision": CALIBRATED}}
    assert parse_card(replace(card, **changed).as_json(), "best.onnx").decision == CALIBRATED


def test_an_export_with_a_floor_of_its_own(tmp_path: Path) -> None:
    settings = ModelSettings(tmp_path / "best.onnx")
    loader = Loader(floor=0.25)
    predictor, rule, _ = load_with_rule(settings, loader)
    assert (predictor.confidence, rule.threshold, loader.asked) == (0.25, 0.25, [0.1, None])
    with pytest.raises(UserError, match=r"scores below 0\.25 are not reported, but the lowest threshold .* is 0\.2"):
        load_with_rule(replace(settings, threshold=0.2), Loader(floor=0.25))
    with pytest.raises(UserError, match=r"scores below 0\.5 are not reported"):
        load_with_rule(replace(settings, confidence=0.5), Loader())


@pytest.mark.parametrize("decision", [[], {}, {"rule": {"threshold": 7}}])
def test_damaged_rules(decision: object) -> None:
    with pytest.raises(UserError, match=r"best\.safetensors: "):
        load_with_rule(SETTINGS, Loader(decision=decision))


def test_a_rule_for_other_classes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the model has no class 'dent'"):
        load_with_rule(ModelSettings(tmp_path / "x", thresholds={"dent": 0.5}), Loader())
