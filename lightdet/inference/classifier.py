"""Pictures in, the probability of each class out; needs no torch, with any runtime."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.data.pictures import to_gray
from lightdet.decisions import ClassRule
from lightdet.decisions.conditions import Conditions
from lightdet.decisions.promise import Promise
from lightdet.errors import UserError
from lightdet.geometry.letterbox import letterbox
from lightdet.inference.card_decision import CardDecision
from lightdet.inference.inputs import ImageLike, check_several, read_timed
from lightdet.inference.looking import conditions_of
from lightdet.inference.results import ClassificationResult, Origin, origin_of
from lightdet.inference.runtime import check_numbers
from lightdet.structures import Preprocessing


class ClassRuntime(Protocol):
    """A classifier's network, with any runtime."""

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by label."""
        ...

    @property
    def preprocessing(self) -> Preprocessing:
        """How a picture becomes input; scale, mean and deviation are applied by the runtime."""
        ...

    @property
    def precision(self) -> str:
        """The number format it computes in."""
        ...

    @property
    def device(self) -> str:
        """Where it runs."""
        ...

    def __call__(self, batch: Image) -> FloatArray:
        """Return the probabilities ``[B, C]`` for inputs uint8 RGB ``[B, S, S, 3]``."""
        ...


def to_input(image: Image, preprocessing: Preprocessing) -> Image:
    """Scale, centre and pad uint8 RGB ``[H, W, 3]`` to the square network input, in gray if the network wants that."""
    picture = to_gray(image) if preprocessing.gray else image
    side = preprocessing.imgsz
    return letterbox(picture, (side, side), pad_value=preprocessing.pad_value)[0]


class ClassifierPredictor:
    """Classifies one picture or several: ``predictor("part.png")``, ``predictor.batch([a, b])``.

    Args:
        runtime: the network.
        decision: the OK/NG rule in the model's card, if it was calibrated.
        path: the model file, for messages.
        no_promise: judge by the rule under any conditions, and promise nothing.
        conditions: under which it runs; None: as `runtime` says.
    """

    def __init__(
        self,
        runtime: ClassRuntime,
        *,
        decision: object = None,
        path: str | Path | None = None,
        no_promise: bool = False,
        conditions: Conditions | None = None,
    ) -> None:
        self.runtime = runtime
        self.card_decision = CardDecision(ClassRule, decision, path, no_promise)
        self._conditions = conditions

    confidence = 0.0
    """Every class is reported, however improbable."""

    @cached_property
    def rule(self) -> ClassRule | None:
        """The model's calibrated rule; None if it has none.

        Raises:
            UserError: it is damaged, made for other classes, or was calibrated under other conditions.
        """
        return self.card_decision.rule(self.names, lambda: self.conditions)

    @cached_property
    def conditions(self) -> Conditions:
        """What decides, beside the picture, what is found."""
        return self._conditions or conditions_of(self.runtime)

    @property
    def promise(self) -> Promise:
        """What verdicts by `rule` promise.

        Raises:
            UserError: as `rule`.
        """
        return self.card_decision.promise(lambda: self.conditions)

    def usual_rule(self) -> ClassRule:
        """There is none: it is unknown which classes are bad.

        Raises:
            UserError: always.
        """
        raise UserError(
            "has no OK/NG rule, which says what classes are bad: calibrate it first (lightdet calibrate)",
            path=self.card_decision.path,
        )

    def with_runtime(self, runtime: ClassRuntime) -> ClassifierPredictor:
        """Return the same predictor around another runtime of the same network."""
        card = self.card_decision
        return ClassifierPredictor(
            runtime, decision=card.record, path=card.path, no_promise=card.no_promise, conditions=self.conditions
        )

    def check_rule(self, rule: ClassRule) -> None:
        """Every rule sees all probabilities."""

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by label."""
        return self.runtime.names

    @property
    def preprocessing(self) -> Preprocessing:
        """How a picture becomes network input."""
        return self.runtime.preprocessing

    def origin(self, image: ImageLike, *, keep: bool) -> Origin:
        """Return a result's origin: its picture, if that is a path or is to be kept, and this model."""
        return origin_of(self, image, keep=keep)

    def __call__(self, image: ImageLike) -> ClassificationResult:
        """Return the class of one picture (path, bytes, RGB array or Pillow picture).

        Raises:
            UserError: the picture cannot be read, or an array that is not a picture (the message says why).
        """
        (found,) = self.batch([image])
        return replace(found, origin=self.origin(image, keep=True))

    def batch(self, images: Sequence[ImageLike]) -> list[ClassificationResult]:
        """Return the class of each picture, in order; they go through the network together.

        `Classification.milliseconds` holds ``read`` (of a path or bytes), ``preprocess`` and ``network``; the last is
        the batch's time divided by its pictures. A result keeps a path, but no arrays.

        Raises:
            UserError: as for one picture; one picture where several are expected; values of the network that are no
                numbers.
        """
        check_several(images)
        if len(images) == 0:
            return []
        inputs, sizes, times = zip(*(self._prepared(image) for image in images), strict=True)
        began = time.perf_counter()
        shares = self.runtime(np.stack(inputs))
        check_numbers((shares,))
        each = (time.perf_counter() - began) * 1e3 / len(inputs)
        return [
            ClassificationResult(row, self.names, size, {**taken, "network": each}, self.origin(image, keep=False))
            for row, size, taken, image in zip(shares, sizes, times, images, strict=True)
        ]

    def _prepared(self, image: ImageLike) -> tuple[Image, tuple[int, int], dict[str, float]]:
        picture, times = read_timed(image, self.preprocessing.bit_depth)
        start = time.perf_counter()
        ready = to_input(picture, self.preprocessing)
        times["preprocess"] = (time.perf_counter() - start) * 1e3
        return ready, (picture.shape[1], picture.shape[0]), times
