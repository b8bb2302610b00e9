"""What a predictor that stands on another one passes on to it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from lightdet.decisions import DecisionRule
from lightdet.decisions.conditions import Conditions
from lightdet.inference.card_decision import CardDecision
from lightdet.inference.inputs import ImageLike
from lightdet.inference.predictor import Predictor
from lightdet.inference.runtime import Runtime
from lightdet.structures import Preprocessing

Inner = TypeVar("Inner", bound="Predictor | WrappedPredictor[Any]")


class WrappedPredictor(Generic[Inner]):
    """Stands on another predictor of the same model.

    Args:
        predictor: the other one.
    """

    def __init__(self, predictor: Inner) -> None:
        self.predictor = predictor

    @property
    def card_decision(self) -> CardDecision[DecisionRule]:
        """The decision in the model's card."""
        return self.predictor.card_decision

    def rule_under(self, conditions: Conditions) -> DecisionRule | None:
        """As `Predictor.rule_under`."""
        return self.predictor.rule_under(conditions)

    def usual_rule(self) -> DecisionRule:
        """The rule for a model that has none."""
        return self.predictor.usual_rule()

    def check_rule(self, rule: DecisionRule) -> None:
        """As `Predictor.check_rule`."""
        self.predictor.check_rule(rule)

    def surest(self, image: ImageLike) -> float | None:
        """The best score in the picture as a whole; see `Predictor.surest`."""
        return self.predictor.surest(image)

    @property
    def runtime(self) -> Runtime:
        """The network."""
        return self.predictor.runtime

    @property
    def agnostic(self) -> bool:
        """Whether boxes of different classes suppress each other as well."""
        return self.predictor.agnostic

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by label."""
        return self.predictor.names

    @property
    def preprocessing(self) -> Preprocessing:
        """How a picture, or a tile of it, becomes network input."""
        return self.predictor.preprocessing
