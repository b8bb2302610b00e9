"""A detector that looks only where its zones say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from lightdet.decisions import DecisionRule
from lightdet.decisions.conditions import Conditions
from lightdet.decisions.promise import Promise
from lightdet.decisions.zones import Zones
from lightdet.errors import UserError
from lightdet.inference.inputs import ImageLike
from lightdet.inference.predictor import Predictor
from lightdet.inference.results import DetectionResult, origin_of
from lightdet.inference.runtime import Runtime
from lightdet.inference.tiled import TiledPredictor
from lightdet.inference.wrapped import WrappedPredictor
from lightdet.structures import Detections
from lightdet.structures.scores import reported

OWN_THRESHOLDS = "its zones have thresholds of their own"


Found = TypeVar("Found", bound=Detections)


def in_zones(found: Found, zones: Zones, names: Sequence[str], lowest: float = 0.0) -> Found:
    """Return the detections in a picture that count in its zones, and how many lie outside.

    Args:
        found: with labels that are indices into `names`.
        zones: where to look.
        names: the classes.
        lowest: the lowest score that counts where a zone has no threshold of its own, in [0, 1].

    Raises:
        UserError: zones in pixels, and a picture of another size.
    """
    places = zones.of(found.boxes, found.labels, names, found.size)
    rule = DecisionRule(lowest, zones=zones.thresholds(names))
    counting = [
        place is not None and reported(score) >= rule.threshold_of(names[label], place)
        for place, (_, score, label) in zip(places, found, strict=True)
    ]
    of_each = tuple(place for place, counts in zip(places, counting, strict=True) if place is not None and counts)
    outside = sum(place is None for place in places)
    return replace(found.only(np.array(counting, bool)), zones=of_each, outside=outside)


class ZonedPredictor(WrappedPredictor[Predictor | TiledPredictor]):
    """A predictor whose detections are those that count in its zones (`lightdet.decisions.zones`).

    Zones are applied to the boxes of the whole picture, after its tiles are joined. The network sees the whole picture.

    Args:
        predictor: finds the boxes, from the lowest threshold of the zones on.
        zones: where to look.
        confidence: lowest score reported where no zone has its own threshold; None: the predictor's.

    Raises:
        UserError: zones for classes that the model does not have; by class, with a detector whose classes suppress each
            other.
    """

    def __init__(self, predictor: Predictor | TiledPredictor, zones: Zones, *, confidence: float | None = None) -> None:
        zones.check_names(predictor.names)
        if predictor.agnostic and zones.by_class:
            raise UserError(
                "with classes or thresholds by class in zones, --agnostic could drop the box that counts: leave it out"
            )
        super().__init__(predictor)
        self.zones = zones
        self.confidence = predictor.confidence if confidence is None else confidence

    @cached_property
    def conditions(self) -> Conditions:
        """What decides, beside the picture, what is found."""
        return replace(self.predictor.conditions, zones=self.zones.as_dict())

    @cached_property
    def rule(self) -> DecisionRule | None:
        """The model's calibrated rule with the zones' own thresholds; None if it has none.

        Raises:
            UserError: it is damaged, or was calibrated under other conditions.
        """
        rule = self.predictor.rule_under(self.conditions)
        return None if rule is None else self._in_zones(rule)

    @property
    def promise(self) -> Promise:
        """What verdicts by `rule` promise.

        Raises:
            UserError: as `rule`.
        """
        promise = self.card_decision.promise(lambda: self.conditions)
        return Promise(why_not=OWN_THRESHOLDS) if promise.stated and self.zones.has_thresholds else promise

    def usual_rule(self) -> DecisionRule:
        """The rule for a model that has none."""
        return self._in_zones(self.predictor.usual_rule())

    def with_runtime(self, runtime: Runtime) -> ZonedPredictor:
        """Return the same predictor around another runtime of the same network."""
        return ZonedPredictor(self.predictor.with_runtime(runtime), self.zones, confidence=self.confidence)

    @property
    def tile(self) -> int | None:
        """The side of its tiles in pixels; None: whole pictures."""
        return self.predictor.tile if isinstance(self.predictor, TiledPredictor) else None

    @property
    def overlap(self) -> float | None:
        """The smallest overlap of its tiles, a share of their side; None: whole pictures."""
        return self.predictor.overlap if isinstance(self.predictor, TiledPredictor) else None

    def batch(self, images: Sequence[ImageLike]) -> list[DetectionResult]:
        """Return the detections that count in each picture.

        Raises:
            UserError: as the predictor's; zones in pixels, and a picture of another size.
        """
        found = self.predictor.batch(images)
        return [self._counting(each, image, keep=False) for each, image in zip(found, images, strict=True)]

    def __call__(self, image: ImageLike) -> DetectionResult:
        """Return the detections that count in one picture.

        Raises:
            UserError: as `batch`.
        """
        return self._counting(self.predictor(image), image, keep=True)

    def _counting(self, found: DetectionResult, image: ImageLike, *, keep: bool) -> DetectionResult:
        counting = in_zones(found, self.zones, self.names, self.confidence)
        return replace(counting, origin=origin_of(self, image, keep=keep))

    def _in_zones(self, rule: DecisionRule) -> DecisionRule:
        return replace(rule, zones=self.zones.thresholds(self.names))
