"""What a training is fed with, and its loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lightdet.arrays import FloatArray, Image, IntArray
from lightdet.structures.boxes import check_boxes

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture with its boxes, during augmentation: ``image`` uint8 ``[H, W, 3]`` RGB."""

    image: Image
    boxes: FloatArray
    labels: IntArray

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(f"image must be uint8 [H, W, 3], got {self.image.dtype} {self.image.shape}")
        check_boxes(self.boxes, self.labels)


@dataclass(frozen=True, eq=False)
class Batch:
    """A training batch.

    Attributes:
        images: uint8 or float ``[B, 3, H, W]``, RGB; uint8 is 0–255, float is 0–1.
        targets: float32 ``[M, 6]``: image index in the batch, class, then x1, y1, x2, y2 in input pixels.
        indices: the data-set index of each picture, ``B`` of them.
    """

    images: Tensor
    targets: Tensor
    indices: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.shape[1] != 3:
            raise ValueError(f"images must be [B, 3, H, W], got {tuple(self.images.shape)}")
        if self.targets.ndim != 2 or self.targets.shape[1] != 6:
            raise ValueError(f"targets must be [M, 6], got {tuple(self.targets.shape)}")

    def __len__(self) -> int:
        return int(self.images.shape[0])

    def parts(self, count: int) -> list[Batch]:
        """Split the pictures, in order, into `count` batches of equal size; B must be a multiple of `count`."""
        found = []
        for part in even_parts(len(self), count):
            mine = (self.targets[:, 0] >= part.start) & (self.targets[:, 0] < part.stop)
            targets = self.targets[mine]
            targets[:, 0] -= part.start
            found.append(Batch(self.images[part], targets, self.indices[part]))
        return found


def even_parts(pictures: int, count: int) -> list[slice]:
    """Split a batch of `pictures` pictures, in order, into `count` of equal size; it must be a multiple of `count`."""
    each = pictures // count
    if each * count != pictures:
        raise ValueError(f"{pictures} pictures cannot be shared evenly by {count}")
    return [slice(first, first + each) for first in range(0, pictures, each)]


@dataclass(frozen=True)
class LossTerms:
    """The parts of a loss as 0-d tensors; `total` is differentiated, the named `parts` are for logs."""

    total: Tensor
    parts: dict[str, Tensor]
