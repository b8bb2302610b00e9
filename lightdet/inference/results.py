"""A loaded model's result for a picture: findings, decision, drawing, plain values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image as Pil

from lightdet.arrays import Image
from lightdet.decisions import ClassDecision, ClassRule, Decision, DecisionRule
from lightdet.decisions.zones import Zones
from lightdet.drawing import draw_detections, draw_judged_class, draw_picture_class, draw_verdict
from lightdet.errors import UserError
from lightdet.inference.draw_zones import draw_zones
from lightdet.inference.inputs import ImageLike, to_picture
from lightdet.structures import Classification, Detections


@dataclass(frozen=True, eq=False)
class Origin:
    """The origin of a result.

    Attributes:
        picture: the picture; None if it is not kept.
        bit_depth: of 16-bit pictures.
        rule: the model's OK/NG rule; None if it has none.
        problem: why its rule cannot be used.
        floor: lowest score that was reported, in [0, 1].
        zones: where was looked; None: everywhere.
    """

    picture: ImageLike | None = None
    bit_depth: int = 16
    rule: Any = None
    problem: UserError | None = None
    floor: float = 0.0
    zones: Zones | None = None

    def image(self, given: ImageLike | None) -> Image:
        """Return the picture, uint8 RGB ``[H, W, 3]``.

        Raises:
            UserError: it is not kept, or its file can no longer be read.
        """
        picture = self.picture if given is None else given
        if picture is None:
            raise UserError("results of a batch do not keep the picture: give it, as in result.plot(picture)")
        return to_picture(picture, bit_depth=self.bit_depth)

    def usable_rule(self) -> Any:
        """Return the rule, if any.

        Raises:
            UserError: it is damaged, or it counts detections that were not reported.
        """
        if self.problem is not None:
            raise self.problem
        if self.rule is not None and self.rule.lowest_threshold < self.floor:
            raise UserError(
                f"the model's decision rule counts detections from {self.rule.lowest_threshold:g} on, and those below "
                f"{self.floor:g} were not reported: load the model without confidence, and judge all its detections"
            )
        return self.rule


def origin_of(predictor: Any, image: ImageLike, *, keep: bool) -> Origin:
    """Return the origin of a result of a predictor: its picture, if that is a path or is to be kept, and the model."""
    rule, problem = None, None
    try:
        rule = predictor.rule
    except UserError as error:
        problem = error
    kept = image if keep or isinstance(image, str | Path) else None
    zones = getattr(predictor, "zones", None)
    return Origin(kept, predictor.preprocessing.bit_depth, rule, problem, predictor.confidence, zones)


@dataclass(frozen=True, eq=False)
class DetectionResult(Detections):
    """A detector's result for a picture: `Detections` with the picture and the model's rule.

    >>> found = lightdet.load("best.safetensors")("part.png")
    >>> found.decision, found.plot(), found.to_dict()
    """

    origin: Origin = field(default_factory=Origin, repr=False)

    @property
    def decision(self) -> Decision | None:
        """OK or NG with score and threshold; None if the model was not calibrated.

        Raises:
            UserError: the model's rule is damaged, or counts detections that were not reported.
        """
        rule = self.origin.usable_rule()
        return None if rule is None else rule.decide(self)

    def above(self, threshold: float) -> DetectionResult:
        """Return the detections that score at least `threshold`, in [0, 1]; a rule that counts others is left out."""
        origin = replace(self.origin, floor=max(self.origin.floor, threshold))
        return replace(self.only(self.scores >= threshold), origin=origin)

    def plot(self, image: ImageLike | None = None) -> Pil.Image:
        """Return the picture, as a Pillow image, with boxes and names, and with OK or NG if the model has a rule.

        Args:
            image: the picture, if it is not kept: results of ``model.batch`` keep only paths.

        Raises:
            UserError: there is no picture, or it can no longer be read; otherwise as `decision`.
        """
        return Pil.fromarray(draw_boxes_found(self.origin.image(image), self, self.origin.usable_rule(), still=True))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values ready for JSON, as ``lightdet detect --save json`` writes them per picture.

        ``{"width", "height", "milliseconds", "detections": [{"box": [x1, y1, x2, y2], "score", "label", "name"}]}``;
        boxes in pixels; with a decision rule also ``"decision"``. With zones, each detection has ``"zones"``, and
        ``"outside_zones"`` counts those that were left out.

        Raises:
            UserError: as `decision`.
        """
        return detection_values(self, self.origin.usable_rule())

    def to_supervision(self) -> Any:
        """Return the boxes as ``supervision.Detections``: pixels, scores, labels, and ``class_name`` among its data.

        Raises:
            UserError: supervision is not installed.
        """
        import numpy as np  # noqa: PLC0415

        names = np.array([self.names[label] if self.names else str(label) for label in self.labels], dtype=str)
        return _supervision().Detections(
            xyxy=self.boxes, confidence=self.scores, class_id=self.labels, data={"class_name": names}
        )


@dataclass(frozen=True, eq=False)
class ClassificationResult(Classification):
    """A classifier's result for a picture: a `Classification` with the picture and the model's rule.

    >>> found = lightdet.load("best.safetensors")("part.png")
    >>> found.name, found.probability, found.decision
    """

    origin: Origin = field(default_factory=Origin, repr=False)

    @property
    def decision(self) -> ClassDecision | None:
        """OK or NG with the probability of a bad part and its threshold; None if the model was not calibrated.

        Raises:
            UserError: the model's rule is damaged.
        """
        rule = self.origin.usable_rule()
        return None if rule is None else rule.decide(self)

    def plot(self, image: ImageLike | None = None) -> Pil.Image:
        """Return the picture, as a Pillow image, framed, with its class, or OK or NG if the model has a rule.

        Args:
            image: the picture, if it is not kept: results of ``model.batch`` keep only paths.

        Raises:
            UserError: there is no picture, or it can no longer be read; otherwise as `decision`.
        """
        return Pil.fromarray(draw_class_found(self.origin.image(image), self, self.origin.usable_rule()))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values ready for JSON, as ``lightdet detect --save json`` writes them per picture.

        ``{"width", "height", "milliseconds", "label", "name", "probability", "probabilities"}``; with a decision rule
        also ``"decision"``, ``"bad_class"``, ``"bad"`` and ``"threshold"``.

        Raises:
            UserError: as `decision`.
        """
        return class_values(self, self.origin.usable_rule())

    def to_supervision(self) -> Any:
        """Return the probabilities as ``supervision.Classifications``, by label.

        Raises:
            UserError: supervision is not installed.
        """
        import numpy as np  # noqa: PLC0415

        return _supervision().Classifications(class_id=np.arange(len(self.names)), confidence=self.probabilities)


def detection_values(found: Detections, rule: DecisionRule | None) -> dict[str, Any]:
    """The values for files and Python about the boxes in a picture."""
    decision = {} if rule is None else {"decision": rule.decide(found).verdict}
    outside = {} if found.outside is None else {"outside_zones": found.outside}
    return {**_picture_values(found), "detections": found.as_dicts(), **outside, **decision}


def class_values(found: Classification, rule: ClassRule | None) -> dict[str, Any]:
    """The values for files and Python about a picture's class."""
    values = {**_picture_values(found), **found.as_dict()}
    if rule is None:
        return values
    why = rule.decide(found)
    return values | {"decision": why.verdict, "bad_class": why.name, "bad": why.score, "threshold": why.threshold}


def draw_boxes_found(image: Image, found: Detections, rule: DecisionRule | None, *, still: bool) -> Image:
    """Return a copy of `image`, uint8 RGB, with boxes, names (in a strip below a small `still` one), OK or NG."""
    marked = draw_detections(with_zones(image, found), found, legend=still)
    return marked if rule is None else draw_verdict(marked, rule.ok(found))


def with_zones(image: Image, found: Detections) -> Image:
    """Return `image` with the zones in which a result was looked for, or as it is."""
    origin: Origin | None = getattr(found, "origin", None)
    return image if origin is None or origin.zones is None else draw_zones(image, origin.zones)


def draw_class_found(image: Image, found: Classification, rule: ClassRule | None) -> Image:
    """Return a copy of `image`, uint8 RGB, in a frame with its class, or with OK or NG and the reason."""
    if rule is None:
        return draw_picture_class(image, found.label, f"{found.name} {found.probability:.2f}")
    why = rule.decide(found)
    return draw_judged_class(image, why.ok, why.caption())


def _picture_values(found: Detections | Classification) -> dict[str, Any]:
    times = {stage: round(value, 3) for stage, value in found.milliseconds.items()}
    return {"width": found.size[0], "height": found.size[1], "milliseconds": times}


def _supervision() -> Any:
    try:
        import supervision  # noqa: PLC0415 - no dependency of ours
    except ImportError:
        raise UserError("to_supervision needs supervision, which is not installed: pip install supervision") from None
    return supervision
