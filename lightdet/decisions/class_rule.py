"""From a picture's class to OK or NG: a part is NG if the probability that it is bad reaches the threshold.

The probability is compared as reported (`Classification.as_dict`: four decimals).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lightdet.arrays import FloatArray
from lightdet.decisions.conditions import Conditions
from lightdet.decisions.rule_checks import Verdict, check_thresholds, rule_in, shifted_threshold
from lightdet.errors import UserError
from lightdet.structures import Classification, ImageLabel


@dataclass(frozen=True)
class ClassDecision:
    """What a class rule says about one picture, and why.

    Attributes:
        name: the bad class that decides: the likeliest, or the one furthest above its own threshold.
        label: its label.
        score: what is compared, in [0, 1], to four decimals: its probability, or that of all bad classes together.
        threshold: what it is compared with.
        others: whether `score` is that of several bad classes together.
    """

    name: str
    label: int
    score: float
    threshold: float
    others: bool = False

    @property
    def ok(self) -> bool:
        """Whether the score stays below the threshold."""
        return self.score < self.threshold

    @property
    def verdict(self) -> Verdict:
        """``OK`` or ``NG``."""
        return "OK" if self.ok else "NG"

    def caption(self) -> str:
        """One line for people: ``NG: bent 0.32 (threshold 0.1)``."""
        score = f"{self.score:.2f}"
        if (float(score) >= self.threshold) != (self.score >= self.threshold):  # rounding would say the opposite
            score = f"{self.score:.4f}"
        who = f"{self.name} or another bad class" if self.others else self.name
        return f"{self.verdict}: {who} {score} (threshold {self.threshold:.4g})"


@dataclass(frozen=True)
class ClassRule:
    """Which probabilities of whole pictures make a part NG.

    Attributes:
        bad: the bad classes, at least one.
        threshold: a picture is NG if the sum of their probabilities reaches this, in [0, 1].
        thresholds: instead of that, one per bad class: NG if any of them reaches its own; empty, or all of `bad`.

    Raises:
        UserError: no bad class, a value out of its range, thresholds of other classes.
    """

    bad: tuple[str, ...]
    threshold: float = 0.5
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.bad:
            raise UserError("a decision rule of a classifier needs the names of its bad classes")
        check_thresholds(self.threshold, self.thresholds)
        if self.thresholds and set(self.thresholds) != set(self.bad):
            raise UserError("a decision rule has thresholds for exactly its bad classes")

    @property
    def lowest_threshold(self) -> float:
        """The lowest of all thresholds: a lower probability never counts."""
        return min([self.threshold, *self.thresholds.values()])

    def check_floor(self, then: Conditions, now: Conditions) -> None:
        """Every probability is known."""

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse a rule for classes that a model does not have.

        Raises:
            UserError: a bad class is not in `names`, or all of them are bad.
        """
        known = list(names)
        for name in self.bad:
            if name not in known:
                raise UserError(f"the model has no class '{name}'; it has {', '.join(known)}")
        if set(known) <= set(self.bad):
            raise UserError("the decision rule calls every class of the model bad, and none good")

    def score(self, found: Classification, name: str | None = None) -> float:
        """Return the probability that a picture is bad (of class `name`, or of any), in [0, 1], to four decimals."""
        bad = self.bad if name is None else (name,)
        return bad_probability(found.probabilities, [found.names.index(each) for each in bad])

    def statistics(self, found: Classification) -> dict[str, float]:
        """Return the probability that the picture is bad, in per cent."""
        return {"score": 100 * self.score(found)}

    def is_bad(self, truth: ImageLabel, names: Sequence[str], name: str | None = None) -> bool:
        """Whether a labelled picture has a bad class (the class `name`, or any); `names` by label."""
        return names[truth.label] in (self.bad if name is None else (name,))

    def classes(self, names: Sequence[str]) -> tuple[str, ...]:
        """The model's classes that may have their own threshold: the bad ones."""
        return self.bad

    def at(self, threshold: float) -> ClassRule:
        """Return this rule with one threshold for all bad classes together."""
        return ClassRule(self.bad, threshold)

    def shifted(self, by: float) -> ClassRule:
        """Return this rule with every threshold moved by `by`, within [0, 1]."""
        return replace(
            self,
            threshold=shifted_threshold(self.threshold, by),
            thresholds={name: shifted_threshold(value, by) for name, value in self.thresholds.items()},
        )

    def over(
        self,
        threshold: float | None,
        thresholds: Mapping[str, float],
        min_size: float | None,
        min_sizes: Mapping[str, float],
    ) -> ClassRule:
        """Return this rule with the given values instead of its own; a single threshold applies to every class.

        Raises:
            UserError: a value out of range; a smallest size, which a picture's class does not have.
        """
        if min_size is not None or min_sizes:
            raise UserError("a smallest size belongs to detectors, and this is a classifier: leave it out")
        base = self if threshold is None else self.at(threshold)
        return replace(base, thresholds={**base.thresholds, **thresholds})

    def findings(self, found: Classification) -> list[dict[str, Any]]:
        """Return the bad class that decides as one finding over the whole picture, a ``defect`` if it is NG."""
        why, (width, height) = self.decide(found), found.size
        box = [0.0, 0.0, float(width), float(height)]
        return [{"box": box, "score": why.score, "label": why.label, "name": why.name, "defect": not why.ok}]

    def describe(self) -> str:
        """When a picture is NG, in words."""
        if self.thresholds:
            return f"a probability of {', '.join(f'{name} with {value:g}' for name, value in self.thresholds.items())}"
        return f"a probability of {self.threshold:g} of {' or '.join(self.bad)}"

    def decide(self, found: Classification) -> ClassDecision:
        """Return the decision on one picture."""
        labels = {name: found.names.index(name) for name in self.bad}
        each = {name: bad_probability(found.probabilities, [label]) for name, label in labels.items()}
        if self.thresholds:
            name = max(each, key=lambda bad: each[bad] - self.thresholds[bad])
            return ClassDecision(name, labels[name], each[name], self.thresholds[name])
        name = max(each, key=lambda bad: each[bad])
        return ClassDecision(name, labels[name], self.score(found), self.threshold, others=len(self.bad) > 1)

    def ok(self, found: Classification) -> bool:
        """Whether a picture passes."""
        return self.decide(found).ok

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; `from_dict` reads them."""
        return {"bad": list(self.bad), "threshold": self.threshold, "thresholds": dict(self.thresholds)}

    @staticmethod
    def stored(record: object, names: Sequence[str], path: str | Path | None = None) -> ClassRule | None:
        """Return the rule in a model card's decision; None if there is none.

        Raises:
            UserError: it is damaged, or made for other classes.
        """
        values = rule_in(record, path)
        if values is None:
            return None
        rule = ClassRule.from_dict(values, path)
        try:
            rule.check_names(names)
        except UserError as error:
            raise UserError(
                f"its decision rule belongs to another model: {error.message}; calibrate it again", path=path
            ) from None
        return rule

    @staticmethod
    def from_dict(values: object, path: str | Path | None = None) -> ClassRule:
        """Read what `as_dict` gave.

        Args:
            values: a mapping, as from JSON.
            path: its file, for messages.

        Raises:
            UserError: an unknown key, or a value of another kind or out of range.
        """
        known = ("bad", "threshold", "thresholds")
        if not isinstance(values, Mapping) or not all(key in known for key in values):
            raise UserError(f"a classifier's decision rule has the keys {', '.join(known)}", path=path)
        bad, by_class = values.get("bad"), values.get("thresholds", {})
        if not isinstance(bad, list | tuple) or not all(isinstance(name, str) for name in bad):
            raise UserError("'bad' of the decision rule must list class names", path=path)
        if not isinstance(by_class, Mapping) or not all(isinstance(name, str) for name in by_class):
            raise UserError("'thresholds' of the decision rule must give a number by class name", path=path)
        try:
            return ClassRule(tuple(bad), values.get("threshold", 0.5), by_class)
        except UserError as error:
            raise UserError(error.message, path=path) from None


def bad_probability(probabilities: FloatArray, labels: Sequence[int]) -> float:
    """The sum of the probabilities ``[C]`` of some classes, at most 1, to four decimals."""
    return round(min(1.0, float(sum(float(probabilities[label]) for label in labels))), 4)
