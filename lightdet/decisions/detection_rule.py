"""From detections to OK or NG: a part is NG if at least one detection counts as a defect.

A detection counts if its score reaches the threshold of its class and it is large enough. Scores and boxes are compared
as reported (`Detections.as_dicts`: four and two decimals).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lightdet.decisions.conditions import Conditions
from lightdet.decisions.rule_checks import (
    Verdict,
    check_thresholds,
    is_number,
    of_class,
    rule_in,
    shifted_threshold,
)
from lightdet.errors import UserError
from lightdet.geometry.nms import VOTER_SCORE
from lightdet.geometry.tile_merge import WEAKEST
from lightdet.structures import Annotation, Detections
from lightdet.structures.scores import reaches, reported

_SLACK = 1e-6
"""Tolerance in pixels: differences of decimal numbers are not exact in binary."""


def voters_share(*, places: bool, tiled: bool) -> float:
    """Return the share of a score below which no box can have decided whether, or where, one of that score is found.

    Boxes vote on each other's place down to a quarter of their score (`lightdet.geometry.nms.vote`); whatever has a
    quarter of an object's score can belong to it in tiles (`lightdet.geometry.tile_merge.merge_tiles`).

    Args:
        places: it matters where boxes lie, not only whether they are there.
        tiled: pictures are looked at in tiles.
    """
    return VOTER_SCORE * WEAKEST if tiled else VOTER_SCORE if places else 1.0


@dataclass(frozen=True)
class Decision:
    """What a rule says about one picture.

    Attributes:
        ok: whether the part passes.
        score: the score that decides, in [0, 1]: for a detector the score of the detection furthest above its
            threshold, 0 if there is none; for a classifier the probability that the part is bad.
        threshold: the score at which it is NG.
        name: the class of that score; empty if nothing was found.
        defects: for a detector, indices of the detections that count as defects, best score first.
        zones: for a detector with zones, those of the detection that decides.
    """

    ok: bool
    score: float
    threshold: float
    name: str = ""
    defects: tuple[int, ...] = ()
    zones: tuple[str, ...] = ()

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
        threshold: lowest score that counts, in [0, 1], for classes without their own.
        thresholds: lowest score by class name.
        min_size: shortest defect that counts, in pixels of the picture: the longer side of its box (a scratch is
            long and thin), for classes without their own.
        min_sizes: the same by class name.
        zones: lowest score by zone and class name, for detections in zones with a threshold of their own; see
            `lightdet.decisions.zones`.

    Raises:
        UserError: a value out of its range.
    """

    threshold: float = 0.25
    thresholds: Mapping[str, float] = field(default_factory=dict)
    min_size: float = 0.0
    min_sizes: Mapping[str, float] = field(default_factory=dict)
    zones: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_thresholds(self.threshold, self.thresholds)
        for by_class in self.zones.values():
            check_thresholds(self.threshold, by_class)
        for name, value in [("", self.min_size), *self.min_sizes.items()]:
            if not is_number(value) or value < 0:
                raise UserError(f"the smallest size{of_class(name)} must be 0 or more pixels, got {value}")

    @property
    def lowest_threshold(self) -> float:
        """The lowest of all thresholds outside zones with their own: there, a lower score never counts.

        `lightdet.inference.zoned.ZonedPredictor` reports whatever counts in such a zone.
        """
        return min([self.threshold, *self.thresholds.values()])

    def needed_floor(self, then: Conditions | None = None) -> float | None:
        """Return the score down to which NMS must know the boxes, so that no verdict depends on those below.

        None: only on those that count.

        Args:
            then: the conditions of the calibration; None: unknown.
        """
        least = self._least_voter(then)
        calibrated = 0.0 if then is None or then.confidence is None else then.confidence
        return None if least is None else max(least, calibrated)

    def check_floor(self, then: Conditions, now: Conditions) -> None:
        """Refuse a lowest score with which boxes would lie elsewhere than at the calibration, if that can matter.

        Raises:
            UserError: it is.
        """
        least = self._least_voter(then)
        if least is None or then.confidence is None or now.confidence is None:
            return
        if max(then.confidence, least) != max(now.confidence, least):
            what = "smallest sizes" if self.has_sizes else "verdicts in tiles" if then.tile is not None else "zones"
            raise UserError(
                f"its {what} were calibrated with boxes from a score of {then.confidence:g} on, not "
                f"{now.confidence:g}: leave the lowest score out, or add --no-promise to judge without a promise"
            )

    @property
    def has_sizes(self) -> bool:
        """Whether small boxes do not count."""
        return bool(self.min_size or any(self.min_sizes.values()))

    def _least_voter(self, then: Conditions | None) -> float | None:
        """The score below which no box can have decided whether, or where it matters, one that counts is found.

        None: those below the threshold decide nothing.
        """
        tiled, zoned = then is not None and then.tile is not None, then is not None and then.zones is not None
        share = voters_share(places=self.has_sizes or zoned, tiled=tiled)
        return None if share == 1 else share * self.lowest_threshold

    def threshold_of(self, name: str, zones: Iterable[str] = ()) -> float:
        """Return the lowest score that counts for the class `name`, in one of `zones` if there are any."""
        usual = self.thresholds.get(name, self.threshold)
        return min((self.zones.get(zone, {}).get(name, usual) for zone in zones), default=usual)

    def min_size_of(self, name: str) -> float:
        """Return the shortest defect in pixels that counts for the class `name`."""
        return self.min_sizes.get(name, self.min_size)

    def check_names(self, names: Iterable[str]) -> None:
        """Refuse a rule for classes that a model does not have.

        Raises:
            UserError: a class of the rule is not in `names`.
        """
        known = list(names)
        in_zones = [name for by_class in self.zones.values() for name in by_class]
        for name in [*self.thresholds, *self.min_sizes, *in_zones]:
            if name not in known:
                raise UserError(f"the model has no class '{name}'; it has {', '.join(known)}")

    def at(self, threshold: float) -> DecisionRule:
        """Return this rule with one threshold for every class; zones keep their own."""
        return DecisionRule(threshold, {}, self.min_size, self.min_sizes, self.zones)

    def shifted(self, by: float) -> DecisionRule:
        """Return this rule with every threshold moved by `by`, within [0, 1]."""
        return replace(
            self,
            threshold=shifted_threshold(self.threshold, by),
            thresholds=_shifted(self.thresholds, by),
            zones={zone: _shifted(by_class, by) for zone, by_class in self.zones.items()},
        )

    def decide(self, detections: Detections) -> Decision:
        """Return the decision on one picture."""
        found, smallest = detections.as_dicts(), self._of_any_score()
        defects = tuple(index for index, each in enumerate(found) if self._counts(each))
        large: list[Mapping[str, Any]] = [each for each in found if smallest._counts(each)]
        nearest: Mapping[str, Any] = max(large, key=self._above, default={"score": 0.0, "name": ""})
        score, name, zones = float(nearest["score"]), str(nearest["name"]), tuple(nearest.get("zones", ()))
        return Decision(not defects, score, self.threshold_of(name, zones), name, defects, zones)

    def ok(self, detections: Detections) -> bool:
        """Whether a picture passes."""
        return self.decide(detections).ok

    def passes(self, found: Iterable[Mapping[str, Any]]) -> bool:
        """Whether a picture with these findings passes, as `findings` gave them or a record holds them."""
        return not any(self._counts(each) for each in found)

    def score(self, detections: Detections, name: str | None = None) -> float:
        """Return the best score of the large enough detections (of the class `name`, or of all), to four decimals.

        0 if there is none: no threshold makes such a picture NG.
        """
        found, smallest = detections.as_dicts(), self._of_any_score()
        kept = (each for each in found if name in (None, each["name"]) and smallest._counts(each))
        return max((float(each["score"]) for each in kept), default=0.0)  # type: ignore[arg-type]

    def statistics(self, detections: Detections) -> dict[str, float]:
        """Return how many boxes reach the lowest threshold, and the best of their scores in per cent (0: none).

        They do not depend on the lowest score that is reported.
        """
        kept = detections.scores[reaches(detections.scores, self.lowest_threshold)]
        return {"detections": float(len(kept)), "best score": 100 * reported(float(kept.max(initial=0.0)))}

    def is_bad(self, truth: Annotation, names: Sequence[str], name: str | None = None) -> bool:
        """Whether a labelled picture is bad: it has a defect (of the class `name`, or of any); `names` by label."""
        return bool(len(truth) if name is None else (truth.labels == names.index(name)).any())

    def classes(self, names: Sequence[str]) -> tuple[str, ...]:
        """The model's classes that may have their own threshold: all of them."""
        return tuple(names)

    def over(
        self,
        threshold: float | None,
        thresholds: Mapping[str, float],
        min_size: float | None,
        min_sizes: Mapping[str, float],
    ) -> DecisionRule:
        """Return this rule with the given values instead of its own; a single threshold applies to every class.

        Raises:
            UserError: a value out of range.
        """
        smallest = self.min_size if min_size is None else min_size
        base = replace(self, min_size=smallest, min_sizes={**self.min_sizes, **min_sizes})
        base = base if threshold is None else base.at(threshold)
        return replace(base, thresholds={**base.thresholds, **thresholds})

    def findings(self, detections: Detections) -> list[dict[str, Any]]:
        """Return the detections as plain values, each with whether it counts as a ``defect``."""
        defects = self.decide(detections).defects
        return [each | {"defect": index in defects} for index, each in enumerate(detections.as_dicts())]

    def describe(self) -> str:
        """When a picture is NG, in words."""
        by_class = "".join(f", {name} {value:g}" for name, value in self.thresholds.items())
        size = f", from {self.min_size:g} pixels on" if self.min_size else ""
        own = f", with thresholds of their own in {', '.join(map(repr, self.zones))}" if self.zones else ""
        return f"score {self.threshold:g}{by_class}{size}{own}"

    def _of_any_score(self) -> DecisionRule:
        """Return the rule in which every large enough detection counts."""
        return replace(self.at(0.0), zones={})

    def _above(self, detection: Mapping[str, Any]) -> float:
        """How far a score lies above its threshold."""
        return float(detection["score"]) - self.threshold_of(detection["name"], detection.get("zones", ()))

    def _counts(self, detection: Mapping[str, Any]) -> bool:
        name, (x1, y1, x2, y2) = detection["name"], detection["box"]
        large = max(x2 - x1, y2 - y1) >= self.min_size_of(name) - _SLACK
        return bool(large and detection["score"] >= self.threshold_of(name, detection.get("zones", ())))

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; `from_dict` reads them."""
        return {
            "threshold": self.threshold,
            "thresholds": dict(self.thresholds),
            "min_size": self.min_size,
            "min_sizes": dict(self.min_sizes),
            **({"zones": {zone: dict(by_class) for zone, by_class in self.zones.items()}} if self.zones else {}),
        }

    @staticmethod
    def stored(record: object, names: Sequence[str], path: str | Path | None = None) -> DecisionRule | None:
        """Return the rule in a model card's decision; None if there is none.

        Raises:
            UserError: it is damaged.
        """
        values = rule_in(record, path)
        return None if values is None else DecisionRule.from_dict(values, path)

    @staticmethod
    def from_dict(values: object, path: str | Path | None = None) -> DecisionRule:
        """Read what `as_dict` gave; keys that are missing take their defaults.

        Args:
            values: a mapping, as from JSON.
            path: its file, for messages.

        Raises:
            UserError: an unknown key, or a value of another kind or out of range.
        """
        known = ("threshold", "thresholds", "min_size", "min_sizes", "zones")
        if not isinstance(values, Mapping) or not all(key in known for key in values):
            raise UserError(f"a decision rule has the keys {', '.join(known)}", path=path)
        zones = values.get("zones", {})
        if not _by_name(zones) or not all(_by_name(by_class) for by_class in zones.values()):
            raise UserError("'zones' of the decision rule must give a number by zone and class name", path=path)
        for key in ("thresholds", "min_sizes"):
            if not _by_name(values.get(key, {})):
                raise UserError(f"'{key}' of the decision rule must give a number by class name", path=path)
        try:
            return DecisionRule(**values)
        except UserError as error:
            raise UserError(error.message, path=path) from None


def _shifted(thresholds: Mapping[str, float], by: float) -> dict[str, float]:
    return {name: shifted_threshold(value, by) for name, value in thresholds.items()}


def _by_name(values: object) -> bool:
    return isinstance(values, Mapping) and all(isinstance(name, str) for name in values)
