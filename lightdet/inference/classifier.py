"""Pictures in, the probability of each class out; needs no torch, whatever runs the network."""

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
from lightdet.errors import UserError
from lightdet.geometry.letterbox import letterbox
from lightdet.inference.inputs import ImageLike, check_several, read_timed
from lightdet.inference.results import ClassificationResult, Origin
from lightdet.inference.runtime import check_numbers
from lightdet.structures import Preprocessing


class ClassRuntime(Protocol):
    """A classifier's network, whatever runs it."""

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
    """Scale, centre and pad uint8 RGB ``[H, W, 3]`` to the square that the network sees, gray first if it is so."""
    picture = to_gray(image) if preprocessing.gray else image
    side = preprocessing.imgsz
    return letterbox(picture, (side, side), pad_value=preprocessing.pad_value)[0]


class ClassifierPredictor:
    """Judges one picture or several: ``predictor("part.png")``, ``predictor.batch([a, b])``.

    Args:
        runtime: the network.
        decision: what the model's card says of its rule of OK and NG, if it was calibrated.
        path: the model file, for messages.
    """

    def __init__(self, runtime: ClassRuntime, *, decision: object = None, path: str | Path | None = None) -> None:
        self.runtime = runtime
        self._decision, self._path = decision, path

    confidence = 0.0
    """Every class is reported, however improbable."""

    @cached_property
    def rule(self) -> ClassRule | None:
        """The calibrated rule that the model brings along; None where it has none.

        Raises:
            UserError: it is damaged, or made for other classes.
        """
        return ClassRule.stored(self._decision, self.names, self._path)

    def usual_rule(self) -> ClassRule:
        """There is none: nothing says which classes are bad.

        Raises:
            UserError: always.
        """
        raise UserError(
            "brings no rule of OK and NG, which says what classes are bad: calibrate it first (lightdet calibrate)",
            path=self._path,
        )

    def with_runtime(self, runtime: ClassRuntime) -> ClassifierPredictor:
        """Return the same predictor around another runtime of the same network."""
        return ClassifierPredictor(runtime, decision=self._decision, path=self._path)

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
        """Return what a result knows of its picture, which is kept if it is a path or to be kept, and of this model."""
        rule, problem = None, None
        try:
            rule = self.rule
        except UserError as error:
            problem = error
        kept = image if keep or isinstance(image, str | Path) else None
        return Origin(kept, self.preprocessing.bit_depth, rule, problem)

    def __call__(self, image: ImageLike) -> ClassificationResult:
        """Return what one picture is (path, bytes, RGB array or Pillow picture).

        Raises:
            UserError: the picture cannot be read, or an array that is no picture (the message says why).
        """
        (found,) = self.batch([image])
        return replace(found, origin=self.origin(image, keep=True))

    def batch(self, images: Sequence[ImageLike]) -> list[ClassificationResult]:
        """Return what each picture is, in order; they go through the network together.

        `Classification.milliseconds` holds ``read`` (of a path or bytes), ``preprocess`` and ``network``; the last is
        the batch's time divided by its pictures. Of a path the result knows where to read it; arrays are not kept.

        Raises:
            UserError: as for one picture; or the network gives values that are no numbers.
        """
        check_several(images)
        if not images:
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
