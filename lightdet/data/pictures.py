"""Decoded pictures in memory, scaled to the input size, and their boxes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import cv2
import numpy as np

from lightdet.arrays import AnyArray, FloatArray, Image, IntArray
from lightdet.data.augment.gray import as_rgb, stored
from lightdet.data.crops import crop_count, cut, draw_window
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.geometry.letterbox import resize
from lightdet.structures import Annotation, Sample, Tiling


def trainable(annotation: Annotation) -> tuple[FloatArray, IntArray]:
    """The boxes ``[N, 4]`` and labels ``[N]`` to learn from: all except crowd regions."""
    if annotation.crowd is None:
        return annotation.boxes, annotation.labels
    return annotation.boxes[~annotation.crowd], annotation.labels[~annotation.crowd]


class Pictured(Protocol):
    """Anything that refers to a picture: an `Annotation`, an `ImageLabel`."""

    @property
    def image(self) -> Path:
        """The picture's path."""


Labelled = TypeVar("Labelled", bound=Pictured)


class PictureStore(Generic[Labelled]):
    """The pictures of a split, scaled so that the longer side is `imgsz`, or with their own pixels.

    Every picture is decoded once on creation, so a broken one is found before training, not during it.
    As many as fit into `cache_mib` stay in memory (gray ones as one channel), the others are read again when used.

    Args:
        annotations: the split; the attribute of the same name holds those that can be read.
        imgsz: longer side in pixels.
        scaled: False keeps the pictures' own pixels.
        bit_depth: significant bits of 16-bit pictures.
        gray: convert colours to gray before anything else.
        cache_mib: memory for decoded pictures in MiB.
        skip_broken: collect unreadable pictures in `broken` and continue without them, instead of raising.
        progress: called after each picture.

    Raises:
        UserError: an unreadable picture, or none left.
    """

    def __init__(
        self,
        annotations: Sequence[Labelled],
        imgsz: int,
        *,
        scaled: bool = True,
        bit_depth: int = 16,
        gray: bool = False,
        cache_mib: int = 1024,
        skip_broken: bool = False,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.imgsz = imgsz
        self.scaled = scaled
        self.bit_depth = bit_depth
        self.gray = gray
        self.broken: list[UserError] = []
        self.annotations: list[Labelled] = []
        self._cache: list[AnyArray | None] = []
        room = cache_mib << 20
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for annotation, found in zip(annotations, pool.map(self._try_load, annotations), strict=True):
                progress()
                if isinstance(found, UserError):
                    if not skip_broken:
                        pool.shutdown(cancel_futures=True)
                        raise found
                    self.broken.append(found)
                    continue
                keep = found.nbytes <= room
                room -= found.nbytes if keep else 0
                self.annotations.append(annotation)
                self._cache.append(found if keep else None)
        if not self.annotations:
            raise UserError("no readable picture is left to train on")

    def __len__(self) -> int:
        return len(self.annotations)

    @property
    def per_epoch(self) -> int:
        """The number of samples per epoch."""
        return len(self)

    @property
    def cached(self) -> int:
        """How many pictures are held in memory."""
        return sum(picture is not None for picture in self._cache)

    def image(self, index: int) -> Image:
        """Return picture `index`, uint8 ``[H, W, 3]``; the pixels are shared, and so are a gray picture's channels."""
        cached = self._cache[index]
        stored = self._load(self.annotations[index]) if cached is None else cached
        return stored if stored.ndim == 3 else np.broadcast_to(stored[..., None], (*stored.shape, 3))

    def _try_load(self, annotation: Labelled) -> AnyArray | UserError:
        try:
            return self._load(annotation)
        except UserError as error:
            return error

    def _load(self, annotation: Labelled) -> AnyArray:
        """Decode and scale: uint8 ``[H, W, 3]``, or ``[H, W]`` if the channels are equal."""
        image = read_image(annotation.image, bit_depth=self.bit_depth)
        if self.gray:
            image = to_gray(image)
        if self.scaled:
            image = longer_side(image, self.imgsz)
        if (image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all():
            return np.ascontiguousarray(image[..., 0])
        return image


class Pictures(PictureStore[Annotation]):
    """The pictures of a split with their boxes; crowd boxes are left out.

    Args:
        annotations, imgsz: see `PictureStore`.
        tiles: pictures keep their own pixels, and `draw` gives crops of those that are larger than a tile.
        options: of `PictureStore`.
    """

    def __init__(
        self, annotations: Sequence[Annotation], imgsz: int, *, tiles: Tiling | None = None, **options: Any
    ) -> None:
        super().__init__(annotations, imgsz, scaled=tiles is None, **options)
        self.tiles = tiles
        counts = [1 if tiles is None else crop_count(each.size, tiles) for each in self.annotations]
        self.owners: IntArray = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
        """The picture of each sample of an epoch, ``[per_epoch]``: those of a picture follow each other."""
        self._counts, self._firsts = counts, np.cumsum([0, *counts[:-1]])

    @property
    def per_epoch(self) -> int:
        """The number of samples per epoch: whole pictures, or crops."""
        return len(self.owners)

    def scale(self, annotation: Annotation) -> float:
        """Input pixels per pixel of a picture."""
        longer = max(annotation.size)
        return self.imgsz / (longer if self.tiles is None else min(longer, self.tiles.size))

    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        """Return sample `index` of an epoch, longer side `imgsz`: a picture, or a crop of it at a random place.

        Without tiles nothing is drawn from `rng`. The pixels may be shared.
        """
        owner = int(self.owners[index])
        sample = self.sample(owner)
        if self.tiles is None:
            return sample
        height, width = sample.image.shape[:2]
        if max(width, height) > self.tiles.size:
            number, count = index - int(self._firsts[owner]), self._counts[owner]
            sample = cut(sample, draw_window((width, height), sample.boxes, number, count, self.tiles.size, rng))
        image = longer_side(sample.image, self.imgsz)
        ratio = np.array([image.shape[1] / sample.image.shape[1], image.shape[0] / sample.image.shape[0]] * 2)
        return Sample(image, (sample.boxes * ratio).astype(np.float32), sample.labels)

    def sample(self, index: int) -> Sample:
        """Return picture `index` with its boxes, in pixels of the picture as it is kept; the pixels are shared."""
        annotation, image = self.annotations[index], self.image(index)
        scale = np.array([image.shape[1] / annotation.size[0], image.shape[0] / annotation.size[1]] * 2, np.float32)
        boxes, labels = trainable(annotation)
        return Sample(image, (boxes * scale).astype(np.float32), labels)


def longer_side(image: Image, side: int) -> Image:
    """Scale uint8 RGB ``[H, W, 3]`` so that its longer side is `side`; as it is if it is that already."""
    height, width = image.shape[:2]
    ratio = side / max(height, width)
    if ratio == 1.0:
        return image
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return as_rgb(resize(stored(image), size))


def to_gray(image: Image) -> Image:
    """The luminance (ITU-R BT.601) of uint8 RGB ``[H, W, 3]`` on three equal channels."""
    plane = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB)  # type: ignore[return-value]
