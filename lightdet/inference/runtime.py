"""What runs a network: PyTorch, ONNX Runtime or OpenVINO, all seen through one door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from lightdet.arrays import FloatArray, Image, IntArray
from lightdet.structures import Preprocessing

RawDetections = tuple[FloatArray, FloatArray, IntArray]
"""Of one input picture: boxes ``[N, 4]`` x1, y1, x2, y2 in input pixels, scores ``[N]``, labels ``[N]``."""


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
        """Of the last call, for the whole batch: ``network`` and ``postprocess``."""
        ...

    def __call__(self, batch: Image) -> list[RawDetections]:
        """Return what is in each picture of uint8 RGB ``[B, H, W, 3]``, best score first."""
        ...
