"""The OK/NG rule in a model's card, as a predictor uses it: under the conditions of its calibration, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from lightdet.decisions import ClassRule, DecisionRule
from lightdet.decisions.conditions import Conditions
from lightdet.decisions.promise import ASKED, Promise, check_conditions, stored_conditions, stored_promise
from lightdet.errors import UserError

Rule = TypeVar("Rule", DecisionRule, ClassRule)


@dataclass(frozen=True)
class CardDecision(Generic[Rule]):
    """A card's decision.

    Attributes:
        kind: of the rule.
        record: the card's ``decision``; None: it was not calibrated.
        path: the model file, for messages.
        no_promise: judge under any conditions, and promise nothing.
    """

    kind: type[Rule]
    record: Any = None
    path: str | Path | None = None
    no_promise: bool = False

    def rule(self, names: Sequence[str], conditions: Callable[[], Conditions]) -> Rule | None:
        """Return the rule; None if there is none.

        Args:
            names: the model's classes.
            conditions: tells those of now; asked only if there are calibrated ones.

        Raises:
            UserError: it is damaged, for other classes, or was calibrated under other conditions.
        """
        rule = self.kind.stored(self.record, names, self.path)
        if rule is not None:
            self.promise(conditions)
            then = self._calibrated()
            if then is not None and not then.joined_as_before:  # such tiles promise nothing
                try:
                    rule.check_floor(then, conditions())
                except UserError as error:
                    raise UserError(error.message, path=self.path) from None
        return rule

    def promise(self, conditions: Callable[[], Conditions]) -> Promise:
        """Return what verdicts by the rule promise.

        Raises:
            UserError: as `rule`.
        """
        if self.record is None:
            return Promise(why_not="the model was not calibrated")
        if self.no_promise:
            return Promise(why_not=ASKED)
        promise, then = stored_promise(self.record, self.path), self._calibrated()
        if then is not None:
            check_conditions(then, conditions(), self.path)
        return promise

    def _calibrated(self) -> Conditions | None:
        return None if self.no_promise else stored_conditions(self.record, self.path)
