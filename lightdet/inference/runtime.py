"""The runtime of a network: PyTorch, ONNX Runtime or OpenVINO behind one interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np

from lightdet.arrays import AnyArray, FloatArray, Image, IntArray
from lightdet.errors import NetworkError
from lightdet.structures import Preprocessing

NO_NUMBERS = "the network's output is not a number; the weights are damaged, or fp32 is needed"

RawDetections = tuple[FloatArray, FloatArray, IntArray]
"""For one input picture: boxes ``[N, 4]`` x1, y1, x2, y2 in input pixels, scores ``[N]``, labels ``[N]``."""


class Runtime(Protocol):
    """A network with its post-processing: letterboxed pictures in, boxes in input pixels out.

    It knows nothing of the original pictures; `lightdet.inference.predictor.Predictor` maps boxes back.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by label."""
        ...

    @property
    def preprocessing(self) -> Preprocessing:
        """How a picture becomes input; the factor `scale` is applied by the runtime."""
        ...

    @property
    def milliseconds(self) -> Mapping[str, float]:
        """Times of the last call, for the whole batch: ``network`` and ``postprocess``."""
        ...

    def __call__(self, batch: Image) -> list[RawDetections]:
        """Return the boxes in each picture of uint8 RGB ``[B, H, W, 3]``, best score first."""
        ...


def check_numbers(outputs: Iterable[AnyArray], path: str | None = None) -> None:
    """Refuse the outputs of a network unless each value is a finite number; `path` is its file, for the message.

    Later steps would treat NaN as a score that passes no threshold: no box, and so an OK.

    Raises:
        NetworkError: one of them is not.
    """
    if not all(np.isfinite(values).all() for values in outputs):
        raise NetworkError(NO_NUMBERS, path=path)
