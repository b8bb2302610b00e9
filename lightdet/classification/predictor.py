"""Pictures in, the probability of each class out."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from lightdet.arrays import Image
from lightdet.classification.dataset import normalize, to_input
from lightdet.classification.task import probabilities
from lightdet.errors import UserError
from lightdet.inference.inputs import ImageLike, to_picture
from lightdet.structures import Classification, Preprocessing

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class ClassifierPredictor:
    """Judges one picture or several: ``predictor("part.png")``, ``predictor.batch([a, b])``.

    Args:
        network: pictures ``[B, 3, S, S]`` → logits ``[B, K]``.
        names: the class names, by label.
        preprocessing: how pictures become its input.
        device: where to run it.
        precision: fp32, or bf16 or fp16 where they are faster; fp16 needs a GPU.

    Raises:
        UserError: a precision that the device does not have.
    """

    def __init__(
        self,
        network: nn.Module,
        names: Sequence[str],
        preprocessing: Preprocessing,
        *,
        device: torch.device | str = "cpu",
        precision: str = "fp32",
    ) -> None:
        self.device = torch.device(device)
        if precision != "fp32" and precision not in PRECISIONS:
            raise UserError(f"unknown precision '{precision}'; take fp32, bf16 or fp16")
        if precision == "fp16" and self.device.type == "cpu":
            raise UserError("fp16 needs a GPU; take bf16 or fp32 on the CPU")
        self.names = tuple(names)
        self.preprocessing = preprocessing
        self.precision = precision
        self.network = network.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, image: ImageLike) -> Classification:
        """Return what one picture is (path, bytes, RGB array or Pillow picture).

        Raises:
            UserError: the picture cannot be read, or an array that is no picture (the message says why).
        """
        return self.batch([image])[0]

    def batch(self, images: Sequence[ImageLike]) -> list[Classification]:
        """Return what each picture is, in order; they go through the network together.

        `Classification.milliseconds` holds ``read`` (of a path or bytes), ``preprocess`` and ``network``; the last is
        the batch's time divided by its pictures.

        Raises:
            UserError: as for one picture.
        """
        if isinstance(images, (str, bytes)):
            raise UserError("batch takes a list of pictures; for one picture call predictor(picture)")
        if not images:
            return []
        inputs, sizes, times = zip(*(self._prepared(image) for image in images), strict=True)
        began = time.perf_counter()
        shares = self.shares(np.stack(inputs))
        each = (time.perf_counter() - began) * 1e3 / len(inputs)
        return [
            Classification(row, self.names, size, {**taken, "network": each})
            for row, size, taken in zip(shares, sizes, times, strict=True)
        ]

    @torch.inference_mode()
    def shares(self, batch: Image) -> np.ndarray:
        """Probabilities float32 ``[B, C]`` for inputs uint8 RGB ``[B, S, S, 3]``.

        Raises:
            UserError: the network gives values that are no numbers.
        """
        images = torch.from_numpy(np.ascontiguousarray(batch)).to(self.device).permute(0, 3, 1, 2)
        values = normalize(images, self.preprocessing).contiguous(memory_format=torch.channels_last)
        if self.precision == "fp32":
            logits = self.network(values)
        else:
            with torch.autocast(self.device.type, dtype=PRECISIONS[self.precision]):
                logits = self.network(values)
        found = probabilities(logits).cpu().numpy().astype(np.float32)
        if not np.isfinite(found).all():
            raise UserError("the network's output is not a number; the weights are damaged, or fp32 is needed")
        return found

    def _prepared(self, image: ImageLike) -> tuple[Image, tuple[int, int], dict[str, float]]:
        start = time.perf_counter()
        picture = to_picture(image, bit_depth=self.preprocessing.bit_depth)
        read = time.perf_counter()
        ready = to_input(picture, self.preprocessing)
        times = {"preprocess": (time.perf_counter() - read) * 1e3}
        if not isinstance(image, np.ndarray):
            times = {"read": (read - start) * 1e3} | times
        return ready, (picture.shape[1], picture.shape[0]), times
