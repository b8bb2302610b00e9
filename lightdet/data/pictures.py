"""Decoded pictures in memory, scaled to the input size, and their boxes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import cv2
import numpy as np

from lightdet.arrays import AnyArray, FloatArray, Image, IntArray
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.geometry.letterbox import resize
from lightdet.structures import Annotation, Sample


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
    """The pictures of a split, scaled so that the longer side is `imgsz`.

    Every picture is decoded once on creation, so a broken one is found before training, not during it.
    As many as fit into `cache_mib` stay in memory (gray ones as one channel), the others are read again when used.

    Args:
        annotations: the split; the attribute of the same name holds those that can be read.
        imgsz: longer side in pixels.
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
        bit_depth: int = 16,
        gray: bool = False,
        cache_mib: int = 1024,
        skip_broken: bool = False,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.imgsz = imgsz
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
        ratio = self.imgsz / max(image.shape[:2])
        size = (max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio)))
        image = resize(image, size)
        if (image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all():
            return np.ascontiguousarray(image[..., 0])
        return image


class Pictures(PictureStore[Annotation]):
    """The pictures of a split with their boxes; crowd boxes are left out."""

    def sample(self, index: int) -> Sample:
        """Return picture `index` with its boxes, in pixels of the scaled picture; the pixels are shared."""
        annotation, image = self.annotations[index], self.image(index)
        scale = np.array([image.shape[1] / annotation.size[0], image.shape[0] / annotation.size[1]] * 2, np.float32)
        boxes, labels = trainable(annotation)
        return Sample(image, (boxes * scale).astype(np.float32), labels)


def to_gray(image: Image) -> Image:
    """The luminance (ITU-R BT.601) of uint8 RGB ``[H, W, 3]`` on three equal channels."""
    plane = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB)  # type: ignore[return-value]
