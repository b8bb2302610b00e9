"""Pictures with one class each: training samples and batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lightdet.arrays import Image, IntArray
from lightdet.data import augment
from lightdet.data.pictures import PictureStore
from lightdet.geometry.letterbox import letterbox
from lightdet.structures import ImageLabel, Preprocessing, Sample, even_parts

LabelledPictures = PictureStore[ImageLabel]
"""The pictures of a split with their classes."""
NO_BOXES = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)


def labels_of(pictures: LabelledPictures) -> IntArray:
    """The class of each picture, int64 ``[N]``."""
    return np.array([each.label for each in pictures.annotations], np.int64)


def normalize(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """uint8 ``[B, 3, S, S]`` → the network's float32 input: ``(value * scale - mean) / std``."""
    scaled = images.float() * preprocessing.scale
    if preprocessing.mean == (0.0, 0.0, 0.0) and preprocessing.std == (1.0, 1.0, 1.0):
        return scaled
    mean, std = (scaled.new_tensor(v).view(1, 3, 1, 1) for v in (preprocessing.mean, preprocessing.std))
    return (scaled - mean) / std


def mean_and_deviation(pictures: LabelledPictures) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by channel of all pixels of a split, in [0, 1]; deviations are at least 0.01."""
    count, total, squares = 0, np.zeros(3), np.zeros(3)
    for index in range(len(pictures)):
        values = pictures.image(index).reshape(-1, 3).astype(np.float64) / 255
        count += len(values)
        total += values.sum(axis=0)
        squares += (values**2).sum(axis=0)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 1e-4))
    return tuple(mean.tolist()), tuple(deviation.tolist())


@dataclass(frozen=True)
class ClassifyRecipe:
    """Probabilities and ranges of the changes; see ``ClassifyAugmentConfig`` for each."""

    flip_lr: float = 0.5
    flip_ud: float = 0.0
    rotate_90: float = 0.0
    degrees: float = 0.0
    translate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    border: Literal["gray", "mirror"] = "gray"
    hsv_h: float = 0.0
    hsv_s: float = 0.0
    hsv_v: float = 0.0
    albumentations: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """A training picture, uint8 ``[S, S, 3]``, and its class."""

    image: Image
    label: int


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """A classifier's training batch.

    Attributes:
        images: uint8 ``[B, 3, S, S]``, RGB, channels last in memory.
        labels: int64 ``[B]``.
        indices: the data-set index of each picture.
    """

    images: Tensor
    labels: Tensor
    indices: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.shape[1] != 3:
            raise ValueError(f"images must be [B, 3, S, S], got {tuple(self.images.shape)}")
        if self.labels.shape != (len(self.images),) or self.labels.dtype != torch.int64:
            raise ValueError(f"labels must be int64 [{len(self.images)}], got {tuple(self.labels.shape)}")

    def __len__(self) -> int:
        return int(self.images.shape[0])

    def parts(self, count: int) -> list[ImageBatch]:
        """Split the pictures, in order, into `count` batches of equal size; B must be a multiple of `count`."""
        parts = even_parts(len(self.labels), count)
        return [ImageBatch(self.images[part], self.labels[part], self.indices[part]) for part in parts]


def join_images(samples: Sequence[LabelledImage], indices: Sequence[int] = ()) -> ImageBatch:
    """Stack samples of one size; images stay uint8."""
    images = torch.from_numpy(np.stack([sample.image for sample in samples])).permute(0, 3, 1, 2)
    labels = torch.tensor([sample.label for sample in samples], dtype=torch.int64)
    return ImageBatch(images, labels, tuple(int(index) for index in indices))


class ClassifySamples:
    """Makes augmented training pictures.

    Each depends only on (seed, epoch, position), so a resumed run continues as if it had not been interrupted.

    Args:
        pictures: the split, already in gray if the network needs that.
        recipe: the augmentation.
        seed: of all random draws.
        pad_value: gray around pictures that do not fill the square.
    """

    def __init__(self, pictures: LabelledPictures, recipe: ClassifyRecipe, *, seed: int, pad_value: int = 114) -> None:
        self.pictures = pictures
        self.recipe = recipe
        self.seed = seed
        self.pad_value = pad_value
        self._affine = augment.AffineRange(recipe.degrees, recipe.translate, recipe.scale, recipe.shear)
        self._pixel = augment.PixelTransforms(recipe.albumentations)

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.pictures)

    def make(self, epoch: int, position: int, index: int, *, compose: bool = True) -> LabelledImage:
        """Return the sample at `position` of the epoch's order, picture `index`; pictures are never combined here."""
        rng = np.random.default_rng((self.seed, epoch, position))
        recipe = self.recipe
        sample = self._placed(Sample(self.pictures.image(index), *NO_BOXES), rng)
        if rng.random() < recipe.flip_lr:
            sample = augment.flip_lr(sample)
        if rng.random() < recipe.flip_ud:
            sample = augment.flip_ud(sample)
        if rng.random() < recipe.rotate_90:
            sample = augment.rotate_90(sample)
        image = sample.image
        if recipe.hsv_h or recipe.hsv_s or recipe.hsv_v:
            image = augment.jitter_hsv(image, recipe.hsv_h, recipe.hsv_s, recipe.hsv_v, rng)
        return LabelledImage(self._pixel(augment.solid(image), rng), self.pictures.annotations[index].label)

    def _placed(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The picture on the square: rotated, scaled and shifted, or as in `lightdet.inference.classifier.to_input`."""
        side = self.pictures.imgsz
        if self._affine == augment.AffineRange(0, 0, 0, 0):
            image, _ = letterbox(augment.solid(sample.image), (side, side), pad_value=self.pad_value)
            return Sample(image, *NO_BOXES)
        mirror = self.recipe.border == "mirror"
        return augment.random_affine(sample, side, self._affine, rng, pad_value=self.pad_value, mirror=mirror)
