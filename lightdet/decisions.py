"""From detections, or a picture's class, to OK or NG: one rule, used by all that judge and whoever calibrates it.

With a detector a part is NG when at least one detection counts as a defect: its score reaches the threshold of its
class and it is large enough. Scores and boxes are compared as they are reported (`Detections.as_dicts`: four and two
decimals), so a decision can be checked by hand from a file of results. With a classifier it is NG when the probability
that it is bad reaches the threshold, again as it is reported (`Classification.as_dict`: four decimals).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from lightdet.arrays import FloatArray
from lightdet.errors import UserError
from lightdet.structures import Annotation, Classification, Detections, ImageLabel

Verdict = Literal["OK", "NG"]

LARGEST = 1e300
"""Of a rule's numbers; JSON holds larger ones, which no float does."""
_SLACK = 1e-6
"""Pixels: differences of decimal numbers are not exact in binary."""


@dataclass(frozen=True)
class Decision:
    """What a rule says about one picture.

    Attributes:
        ok: whether the part passes.
        score: what the decision goes by, in [0, 1]: of a detector the score of the detection furthest above its
            threshold, 0 where there is none; of a classifier the probability that the part is bad.
        threshold: from which score on it would be, or is, NG.
        name: the class of that score; empty where nothing was found.
        defects: of a detector, indices of the detections that count as defects, best score first.
    """

    ok: bool
    score: float
    threshold: float
    name: str = ""
    defects: tuple[int, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """``OK`` or ``NG``."""
        return "OK" if self.ok else "NG"

    def __str__(self) -> str:
        return f"{self.verdict} (score {self.score:.4g}, threshold {self.threshold:.4g})"


@dataclass(frozen=True)
class DecisionRule:
    """Which detections make a part NG.

    Attributes:
        threshold: lowest score that counts, in [0, 1], for classes without one of their own.
        thresholds: lowest score by class name.
        min_size: shortest defect that counts, in pixels of the picture: the longer side of its box (a scratch is
            long and thin), for classes without one of their own.
        min_sizes: the same by class name.

    Raises:
        UserError: a value out of its range.
    """

    threshold: float = 0.25
    thresholds: Mapping[str, float] = field(default_factory=dict)
    min_size: float = 0.0
    min_sizes: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in [("", self.threshold), *self.thresholds.items()]:
            if not _is_number(value) or not 0.0 <= value <= 1.0:
                raise UserError(f"the threshold{_of(name)} must lie in 0-1, got {value}")
        for name, value in [("", self.min_size), *self.min_sizes.items()]:
            if not _is_number(value) or value < 0:
                raise UserError(f"the smallest size{_of(name)} must be 0 or more pixels, got {value}")

    @property
    def lowest_threshold(self) -> float:
        """The lowest of all thresholds: what scores lower never counts."""
        return min([self.threshold, *self.thresholds.values()])

    def threshold_of(self, name: str) -> float:
        """Return the lowest score that counts for the class `name`."""
        return self.thresholds.get(name, self.threshold)

    def min_size_of(self, name: str) -> float:
        """Return the shortest defect in pixels that counts for the class `name`."""
        return self.min_sizes.get(name, self.min_size)

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse a rule for classes that a model does not have.

        Raises:
            UserError: a class of the rule is none of `names`.
        """
        known = list(names)
        for name in [*self.thresholds, *self.min_sizes]:
            if name not in known:
                raise UserError(f"the model has no class '{name}'; it has {', '.join(known)}")

    def at(self, threshold: float) -> DecisionRule:
        """Return this rule with one threshold for every class."""
        return DecisionRule(threshold, {}, self.min_size, self.min_sizes)

    def decide(self, detections: Detections) -> Decision:
        """Return the decision on one picture."""
        found, smallest = detections.as_dicts(), self._of_any_score()
        defects = tuple(index for index, each in enumerate(found) if self._counts(each))
        large = [(float(each["score"]), str(each["name"])) for each in found if smallest._counts(each)]  # type: ignore[arg-type]
        score, name = max(large, key=lambda one: one[0] - self.threshold_of(one[1]), default=(0.0, ""))
        return Decision(not defects, score, self.threshold_of(name), name, defects)

    def ok(self, detections: Detections) -> bool:
        """Whether a picture passes."""
        return self.decide(detections).ok

    def score(self, detections: Detections, name: str | None = None) -> float:
        """Return the best score of the large enough detections (of the class `name`, or of all), to four decimals.

        0 where there is none: no threshold makes such a picture NG.
        """
        found, smallest = detections.as_dicts(), self._of_any_score()
        kept = (each for each in found if name in (None, each["name"]) and smallest._counts(each))
        return max((float(each["score"]) for each in kept), default=0.0)  # type: ignore[arg-type]

    def is_bad(self, truth: Annotation, names: Sequence[str], name: str | None = None) -> bool:
        """Whether a labelled picture is bad: it has a defect (of the class `name`, or of any); `names` by label."""
        return bool(len(truth) if name is None else (truth.labels == names.index(name)).any())

    def classes(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of a model's classes that may have a threshold of their own: all of them."""
        return tuple(names)

    def over(
        self,
        threshold: float | None,
        thresholds: Mapping[str, float],
        min_size: float | None,
        min_sizes: Mapping[str, float],
    ) -> DecisionRule:
        """Return this rule with what is given in the place of its own; one threshold stands for every class.

        Raises:
            UserError: a value out of range.
        """
        smallest = self.min_size if min_size is None else min_size
        base = replace(self, min_size=smallest, min_sizes={**self.min_sizes, **min_sizes})
        return _with_thresholds(base, threshold, thresholds)

    def findings(self, detections: Detections) -> list[dict[str, Any]]:
        """Return the detections as plain values, each with whether it counts as a ``defect``."""
        defects = self.decide(detections).defects
        return [each | {"defect": index in defects} for index, each in enumerate(detections.as_dicts())]

    def describe(self) -> str:
        """From what on a picture is NG, for people."""
        by_class = "".join(f", {name} {value:g}" for name, value in self.thresholds.items())
        size = f", from {self.min_size:g} pixels on" if self.min_size else ""
        return f"score {self.threshold:g}{by_class}{size}"

    def _of_any_score(self) -> DecisionRule:
        """Return the rule by which every detection counts that is large enough."""
        return self.at(0.0)

    def _counts(self, detection: Mapping[str, Any]) -> bool:
        name, (x1, y1, x2, y2) = detection["name"], detection["box"]
        large = max(x2 - x1, y2 - y1) >= self.min_size_of(name) - _SLACK
        return bool(large and detection["score"] >= self.threshold_of(name))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; `from_dict` reads them."""
        return {
            "threshold": self.threshold,
            "thresholds": dict(self.thresholds),
            "min_size": self.min_size,
            "min_sizes": dict(self.min_sizes),
        }

    @staticmethod
    def stored(record: object, names: Sequence[str], path: str | Path | None = None) -> DecisionRule | None:
        """Return the rule in what a model's card says of its decision; None where that is nothing.

        Raises:
            UserError: it is damaged.
        """
        values = _rule_in(record, path)
        return None if values is None else DecisionRule.from_dict(values, path)

    @staticmethod
    def from_dict(values: object, path: str | Path | None = None) -> DecisionRule:
        """Read what `as_dict` gave; keys that are missing take their defaults.

        Args:
            values: a mapping, as from JSON.
            path: the file it stands in, for messages.

        Raises:
            UserError: an unknown key, or a value of another kind or out of range.
        """
        known = ("threshold", "thresholds", "min_size", "min_sizes")
        if not isinstance(values, Mapping) or not all(key in known for key in values):
            raise UserError(f"a decision rule has the keys {', '.join(known)}", path=path)
        for key in ("thresholds", "min_sizes"):
            by_class = values.get(key, {})
            if not isinstance(by_class, Mapping) or not all(isinstance(name, str) for name in by_class):
                raise UserError(f"'{key}' of the decision rule must give a number by class name", path=path)
        try:
            return DecisionRule(**values)
        except UserError as error:
            raise UserError(error.message, path=path) from None


@dataclass(frozen=True)
class ClassDecision:
    """What a class rule says about one picture, and what it goes by.

    Attributes:
        name: the bad class that matters: the likeliest, or the one furthest above its own threshold.
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
        if (float(score) >= self.threshold) != (self.score >= self.threshold):  # rounded, it would say the opposite
            score = f"{self.score:.4f}"
        who = f"{self.name} or another bad class" if self.others else self.name
        return f"{self.verdict}: {who} {score} (threshold {self.threshold:.4g})"


@dataclass(frozen=True)
class ClassRule:
    """Which probabilities of whole pictures make a part NG.

    Attributes:
        bad: the classes that are bad, one at least.
        threshold: a picture is NG from this probability on of being of any of them (their sum), in [0, 1].
        thresholds: by bad class, in place of that: NG if any of them reaches its own; empty, or all of `bad`.

    Raises:
        UserError: no bad class, a value out of its range, thresholds of other classes.
    """

    bad: tuple[str, ...]
    threshold: float = 0.5
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.bad:
            raise UserError("a decision rule of a classifier needs the names of its bad classes")
        for name, value in [("", self.threshold), *self.thresholds.items()]:
            if not _is_number(value) or not 0.0 <= value <= 1.0:
                raise UserError(f"the threshold{_of(name)} must lie in 0-1, got {value}")
        if self.thresholds and set(self.thresholds) != set(self.bad):
            raise UserError("a decision rule has thresholds for its bad classes, each of them and no other")

    @property
    def lowest_threshold(self) -> float:
        """The lowest of all thresholds: what is less probable never counts."""
        return min([self.threshold, *self.thresholds.values()])

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse a rule for classes that a model does not have.

        Raises:
            UserError: a bad class is none of `names`, or all of them are bad.
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

    def is_bad(self, truth: ImageLabel, names: Sequence[str], name: str | None = None) -> bool:
        """Whether a labelled picture is of a bad class (of the class `name`, or of any); `names` by label."""
        return names[truth.label] in (self.bad if name is None else (name,))

    def classes(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of a model's classes that may have a threshold of their own: the bad ones."""
        return self.bad

    def at(self, threshold: float) -> ClassRule:
        """Return this rule with one threshold for all bad classes together."""
        return ClassRule(self.bad, threshold)

    def over(
        self,
        threshold: float | None,
        thresholds: Mapping[str, float],
        min_size: float | None,
        min_sizes: Mapping[str, float],
    ) -> ClassRule:
        """Return this rule with what is given in the place of its own; one threshold stands for every class.

        Raises:
            UserError: a value out of range; a smallest size, for a picture's class has none.
        """
        if min_size is not None or min_sizes:
            raise UserError("a smallest size belongs to detectors, and this is a classifier: leave it out")
        return _with_thresholds(self, threshold, thresholds)

    def findings(self, found: Classification) -> list[dict[str, Any]]:
        """Return the bad class that matters as one finding over the whole picture, a ``defect`` where it is NG."""
        why, (width, height) = self.decide(found), found.size
        box = [0.0, 0.0, float(width), float(height)]
        return [{"box": box, "score": why.score, "label": why.label, "name": why.name, "defect": not why.ok}]

    def describe(self) -> str:
        """From what on a picture is NG, for people."""
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
        """Return the rule in what a model's card says of its decision; None where that is nothing.

        Raises:
            UserError: it is damaged, or made for other classes.
        """
        values = _rule_in(record, path)
        if values is None:
            return None
        rule = ClassRule.from_dict(values, path)
        try:
            rule.check_names(names)
        except UserError as error:
            raise UserError(
                f"its decision rule is another model's: {error.message}; calibrate it again", path=path
            ) from None
        return rule

    @staticmethod
    def from_dict(values: object, path: str | Path | None = None) -> ClassRule:
        """Read what `as_dict` gave.

        Args:
            values: a mapping, as from JSON.
            path: the file it stands in, for messages.

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


Rule = TypeVar("Rule", DecisionRule, ClassRule)


def bad_probability(probabilities: FloatArray, labels: Sequence[int]) -> float:
    """The sum of the probabilities ``[C]`` of some classes, at most 1, to four decimals."""
    return round(min(1.0, float(sum(float(probabilities[label]) for label in labels))), 4)


def _with_thresholds(rule: Rule, threshold: float | None, thresholds: Mapping[str, float]) -> Rule:
    """A rule with one threshold for every class, if it is given, and with those by class in the place of its own."""
    base = rule if threshold is None else rule.at(threshold)
    return replace(base, thresholds={**base.thresholds, **thresholds})


def _rule_in(record: object, path: str | Path | None) -> object:
    if record is None:
        return None
    if not isinstance(record, Mapping) or record.get("rule") is None:
        raise UserError("its decision rule is damaged; calibrate it again", path=path)
    return record["rule"]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST


def _of(name: str) -> str:
    return f" of '{name}'" if name else ""
