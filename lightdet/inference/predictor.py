"""Pictures in, detections in pixels of those pictures out; needs no torch, with any runtime."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from lightdet.decisions import DecisionRule
from lightdet.decisions.conditions import Conditions
from lightdet.decisions.promise import Promise
from lightdet.errors import UserError
from lightdet.geometry.boxes import clip_boxes
from lightdet.geometry.letterbox import LetterboxTransform, letterbox, rectangle_for
from lightdet.inference.card_decision import CardDecision
from lightdet.inference.inputs import ImageLike, check_several, read_timed
from lightdet.inference.looking import detector_conditions
from lightdet.inference.results import DetectionResult, Origin, origin_of
from lightdet.inference.runtime import RawDetections, Runtime, check_numbers
from lightdet.structures import Preprocessing
from lightdet.structures.scores import reaches

LOWEST = 0.001
"""The lowest score that `Predictor.surest` looks for."""
MIN_SIDE = 0.1
"""In pixels: after clipping to the picture, a box smaller than this is dropped."""


class Predictor:
    """Finds defects in one picture or several: ``predictor("part.png")``, ``predictor.batch([a, b])``.

    Args:
        runtime: the network.
        confidence: lowest score reported, in [0, 1], compared with scores to four decimals, as they are reported; the
            runtime may have a higher floor.
        rect: letterbox to the smallest rectangle in multiples of 32 instead of a square: faster for long
            pictures, slightly different results; not every exported network supports it.
        decision: the OK/NG rule in the model's card, if it was calibrated.
        path: the model file, for messages.
        no_promise: judge by the rule under any conditions, and promise nothing.
        conditions: under which it runs; None: as `runtime` says.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        confidence: float = 0.25,
        rect: bool = False,
        decision: object = None,
        path: str | Path | None = None,
        no_promise: bool = False,
        conditions: Conditions | None = None,
    ) -> None:
        if not 0.0 <= confidence <= 1.0:
            raise UserError(f"confidence must lie in 0-1, got {confidence}")
        self.runtime = runtime
        self.confidence = confidence
        self.rect = rect
        self.card_decision = CardDecision(DecisionRule, decision, path, no_promise)
        self._conditions = conditions

    @cached_property
    def conditions(self) -> Conditions:
        """What decides, beside the picture, what is found."""
        return self._conditions or detector_conditions(self.runtime, rect=self.rect)

    @cached_property
    def rule(self) -> DecisionRule | None:
        """The model's calibrated rule; None if it has none.

        Raises:
            UserError: it is damaged or was calibrated under other conditions, or boxes that it counts could be
                suppressed by others.
        """
        return self.rule_under(self.conditions)

    @property
    def promise(self) -> Promise:
        """What verdicts by `rule` promise.

        Raises:
            UserError: as `rule`.
        """
        return self.card_decision.promise(lambda: self.conditions)

    def rule_under(self, conditions: Conditions) -> DecisionRule | None:
        """Return `rule` for a predictor that looks through this one under other conditions.

        Raises:
            UserError: as `rule`.
        """
        rule = self.card_decision.rule(self.names, lambda: conditions)
        if rule is not None:
            self.check_rule(rule)
        return rule

    def usual_rule(self) -> DecisionRule:
        """The rule for a model that has none."""
        return DecisionRule()

    def with_runtime(self, runtime: Runtime) -> Predictor:
        """Return the same predictor around another runtime of the same network."""
        return Predictor(
            runtime,
            confidence=self.confidence,
            rect=self.rect,
            decision=self.card_decision.record,
            path=self.card_decision.path,
            no_promise=self.card_decision.no_promise,
            conditions=self.conditions,
        )

    def reporting(self, confidence: float) -> Predictor:
        """Return the same predictor with another lowest score."""
        other = copy.copy(self)
        other.confidence = confidence
        return other

    def check_rule(self, rule: DecisionRule) -> None:
        """Refuse suppression across classes if it could remove the box that counts.

        Raises:
            UserError: the rule depends on classes or sizes, so a better box may not count while a dropped one does.
        """
        if self.agnostic and (rule.thresholds or rule.min_size or rule.min_sizes):
            raise UserError(
                "with thresholds by class or smallest sizes, --agnostic could drop the box that makes a part NG: "
                "leave it out"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by label."""
        return self.runtime.names

    @property
    def preprocessing(self) -> Preprocessing:
        """How a picture becomes network input."""
        return self.runtime.preprocessing

    @property
    def agnostic(self) -> bool:
        """Whether boxes of different classes suppress each other as well."""
        return bool(getattr(self.runtime, "agnostic", False))

    def origin(self, image: ImageLike, *, keep: bool) -> Origin:
        """Return a result's origin: its picture, if that is a path or is to be kept, and this model."""
        return origin_of(self, image, keep=keep)

    def __call__(self, image: ImageLike) -> DetectionResult:
        """Return the detections in one picture (path, bytes, RGB array or Pillow picture), in its own pixels.

        Raises:
            UserError: the picture cannot be read, or an array that is not a picture (the message says why).
        """
        (found,) = self.batch([image])
        return replace(found, origin=self.origin(image, keep=True))

    def batch(self, images: Sequence[ImageLike]) -> list[DetectionResult]:
        """Return the detections in each picture, in order; they go through the network together.

        Pictures may differ in size. `Detections.milliseconds` holds ``read`` (of a path or bytes), ``preprocess``,
        ``network`` and ``postprocess``; the last two are the batch's time divided by its pictures. A result keeps a
        path, to read the picture again, but no arrays.

        Raises:
            UserError: as for one picture; one picture where several are expected.
        """
        check_several(images)
        prepared = [_Prepared(image, self.preprocessing, self.rect) for image in images]
        results: list[DetectionResult | None] = [None] * len(prepared)
        for shape in dict.fromkeys(p.input.shape for p in prepared):  # one shape, unless rect
            indices = [i for i, p in enumerate(prepared) if p.input.shape == shape]
            raw = self.runtime(np.stack([prepared[i].input for i in indices]))
            shared = {stage: value / len(indices) for stage, value in self.runtime.milliseconds.items()}
            for index, found in zip(indices, raw, strict=True):
                mapped = self._map_back(prepared[index], found, shared)
                results[index] = replace(mapped, origin=self.origin(images[index], keep=False))
        return [result for result in results if result is not None]

    def surest(self, image: ImageLike) -> float | None:
        """Return the best score in a picture, also below `confidence`; None if the network returns no lower ones.

        Raises:
            UserError: as for one picture.
        """
        floor = getattr(self.runtime, "confidence", None)
        if floor is None:
            return None
        prepared = _Prepared(image, self.preprocessing, self.rect)
        runtime = copy.copy(self.runtime)  # other threads may look through ours at the same time
        runtime.confidence = LOWEST  # type: ignore[attr-defined]
        ((_, scores, _),) = runtime(prepared.input[None])
        return float(scores.max()) if len(scores) else None

    def _map_back(self, prepared: _Prepared, raw: RawDetections, shared: dict[str, float]) -> DetectionResult:
        start = time.perf_counter()
        boxes, scores, labels = raw
        check_numbers((boxes, scores))
        width, height = prepared.size
        boxes = clip_boxes(prepared.transform.invert(boxes), width, height)
        kept = reaches(scores, self.confidence) & ((boxes[:, 2:] - boxes[:, :2]) >= MIN_SIDE).all(axis=1)
        boxes, scores, labels = boxes[kept], scores[kept], labels[kept]
        milliseconds = prepared.milliseconds | shared
        elapsed = (time.perf_counter() - start) * 1e3
        milliseconds["postprocess"] = milliseconds.get("postprocess", 0.0) + elapsed
        scores = np.clip(scores.astype(np.float32), 0.0, 1.0)
        return DetectionResult(boxes, scores, labels.astype(np.int64), self.names, prepared.size, milliseconds)


class _Prepared:
    """One prepared picture: its letterboxed input, the map back, its size and the time for this."""

    def __init__(self, image: ImageLike, preprocessing: Preprocessing, rect: bool) -> None:
        picture, self.milliseconds = read_timed(image, preprocessing.bit_depth)
        start = time.perf_counter()
        self.size = (picture.shape[1], picture.shape[0])
        side = preprocessing.imgsz
        target = rectangle_for(self.size, side) if rect else (side, side)
        self.transform: LetterboxTransform
        self.input, self.transform = letterbox(picture, target, pad_value=preprocessing.pad_value)
        self.milliseconds["preprocess"] = (time.perf_counter() - start) * 1e3
