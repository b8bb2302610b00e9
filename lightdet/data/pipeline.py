"""From an index to a training sample: mosaic or letterbox, then the other random changes.

A sample depends only on (seed, epoch, position), never on which thread made it or what ran before: this makes
a resumed run identical to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lightdet.data import augment
from lightdet.data.pictures import Pictures
from lightdet.geometry.letterbox import letterbox
from lightdet.structures import Sample


@dataclass(frozen=True)
class AugmentRecipe:
    """Probabilities and ranges of the changes; see ``AugmentConfig`` for each."""

    mosaic: float = 1.0
    mixup: float = 0.0
    copy_paste: float = 0.0
    flip_lr: float = 0.5
    flip_ud: float = 0.0
    rotate_90: float = 0.0
    hsv_h: float = 0.015
    hsv_s: float = 0.4
    hsv_v: float = 0.4
    degrees: float = 0.0
    translate: float = 0.1
    scale: float = 0.5
    shear: float = 0.0
    albumentations: Mapping[str, float] = field(default_factory=dict)


class TrainingSamples:
    """Makes augmented samples of ``imgsz x imgsz`` pixels from `pictures`."""

    def __init__(self, pictures: Pictures, recipe: AugmentRecipe, *, seed: int, pad_value: int = 114) -> None:
        self.pictures = pictures
        self.recipe = recipe
        self.seed = seed
        self.pad_value = pad_value
        self.imgsz = pictures.imgsz
        self._affine = augment.AffineRange(recipe.degrees, recipe.translate, recipe.scale, recipe.shear)
        self._pixel = augment.PixelTransforms(recipe.albumentations)

    def __len__(self) -> int:
        """The number of samples per epoch: pictures, or crops of them."""
        return self.pictures.per_epoch

    def make(self, epoch: int, position: int, index: int, *, compose: bool) -> Sample:
        """Return the sample at `position` of the epoch's order, which is sample `index` of the pictures.

        Args:
            compose: whether pictures may be combined (mosaic, mixup, copy-paste); off in the last epochs.
        """
        rng = np.random.default_rng((self.seed, epoch, position))
        recipe = self.recipe
        sample = self._arrange(index, rng, compose=compose)
        if compose and rng.random() < recipe.mixup:
            sample = augment.mixup(sample, self._arrange(self._another(rng), rng, compose=True), rng)
        if compose and rng.random() < recipe.copy_paste:
            sample = augment.copy_paste(sample, self._arrange(self._another(rng), rng, compose=False), rng)
        if rng.random() < recipe.flip_lr:
            sample = augment.flip_lr(sample)
        if rng.random() < recipe.flip_ud:
            sample = augment.flip_ud(sample)
        if rng.random() < recipe.rotate_90:
            sample = augment.rotate_90(sample)
        image = sample.image
        if recipe.hsv_h or recipe.hsv_s or recipe.hsv_v:
            image = augment.jitter_hsv(image, recipe.hsv_h, recipe.hsv_s, recipe.hsv_v, rng)
        return Sample(self._pixel(augment.solid(image), rng), sample.boxes, sample.labels)

    def _another(self, rng: np.random.Generator) -> int:
        return int(rng.integers(len(self)))

    def _arrange(self, index: int, rng: np.random.Generator, *, compose: bool) -> Sample:
        """One picture (or crop) or a mosaic of four, on a square of the input size."""
        if compose and rng.random() < self.recipe.mosaic:
            chosen = [index, *(self._another(rng) for _ in range(3))]
            rng.shuffle(chosen)
            four = [self.pictures.draw(i, rng) for i in chosen]
            return augment.mosaic_affine(four, self.imgsz, self._affine, rng, pad_value=self.pad_value)
        sample = self.pictures.draw(index, rng)
        if self._affine == augment.AffineRange(0, 0, 0, 0):
            image, transform = letterbox(
                augment.solid(sample.image), (self.imgsz, self.imgsz), pad_value=self.pad_value
            )
            return Sample(image, transform.apply(sample.boxes), sample.labels)
        return augment.random_affine(sample, self.imgsz, self._affine, rng, pad_value=self.pad_value)
