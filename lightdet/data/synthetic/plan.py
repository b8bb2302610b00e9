"""The plan of a synthetic data set: the numbers that its files depend on, checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np

from lightdet.data.synthetic import teacher
from lightdet.data.synthetic.catalogue import CLASSES, SCALABLE
from lightdet.data.synthetic.render import DEFAULT_CLEAN, MAX_SIZE, MIN_DEFECT, MIN_SIZE, render_sample
from lightdet.errors import UserError
from lightdet.structures import Sample

LabelFormat = Literal["yolo", "voc", "coco"]
PictureFormat = Literal["png", "jpg"]
Recipe = Literal["parts", "teacher"]

MAX_PICTURES = 1_000_000
MAX_SEED = 2**31 - 1
_SHARE_UNIT = 1_000_000
ENCODING = {
    # OpenCV's fastest setting for noisy pictures as PNG, which also gives the smallest files.
    "png": (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY, cv2.IMWRITE_PNG_FILTER, 64),
    "jpg": (cv2.IMWRITE_JPEG_QUALITY, 95),
}


@dataclass(frozen=True)
class SyntheticPlan:
    """What to render: everything the files depend on, except the folder's name.

    Attributes:
        images: number of pictures.
        seed: of the whole set; picture i is the same in a set of any number of pictures.
        imgsz: side of the square pictures in pixels.
        size: ``(width, height)`` of the pictures, instead of `imgsz`.
        defects: smallest and largest longer side of a defect in pixels; None: they grow with the pictures.
        format: of the labels.
        val: share of the pictures in the split ``val``, spread evenly; 0 makes ``train`` alone.
        clean: probability of a picture without defects.
        picture: file format; ``png`` is lossless, ``jpg`` about a quarter of the size.
        recipe: what is drawn: ``parts`` with the six kinds of defect of the paper, or the ``teacher``'s pictures,
            many kinds on many grounds, for pretraining.

    Raises:
        UserError: on creation, for a value out of range or a split that would stay empty.
    """

    images: int
    seed: int = 0
    imgsz: int = 320
    format: LabelFormat = "yolo"
    val: float = 0.2
    clean: float = DEFAULT_CLEAN
    picture: PictureFormat = "png"
    recipe: Recipe = "parts"
    size: tuple[int, int] | None = None
    defects: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_range("number of pictures", self.images, 1, MAX_PICTURES)
        check_range("seed", self.seed, 0, MAX_SEED)
        for side in self.shape:
            check_range("picture size", side, MIN_SIZE, MAX_SIZE)
        check_range("share of clean pictures", self.clean, 0, 1)
        if not 0 <= self.val <= 0.9:
            raise UserError(f"the share of validation pictures must lie in 0-0.9, got {self.val}")
        _one_of("label format", self.format, get_args(LabelFormat))
        _one_of("picture format", self.picture, get_args(PictureFormat))
        _one_of("recipe", self.recipe, get_args(Recipe))
        self._check_defects()
        if self.val > 0 and "val" not in {self.split_of(index) for index in range(min(self.images, _SHARE_UNIT))}:
            raise UserError(
                f"of {self.images} pictures a share of {self.val} is less than one for validation; "
                "render more, or none for validation (--val 0)"
            )

    def _check_defects(self) -> None:
        if self.recipe == "teacher" and (self.size is not None or self.defects is not None):
            raise UserError("the teacher's pictures are square and its defects of their own sizes: use --recipe parts")
        if self.defects is None:
            return
        low, high = self.defects
        check_range("smallest defect", low, MIN_DEFECT, min(self.shape) // 4)
        check_range("largest defect", high, low, min(self.shape) // 4)

    @property
    def shape(self) -> tuple[int, int]:
        """Width and height of the pictures."""
        return (self.imgsz, self.imgsz) if self.size is None else self.size

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return ("train", "val") if self.val > 0 else ("train",)

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, by label."""
        if self.recipe == "teacher":
            return teacher.CLASSES
        return CLASSES if self.defects is None else SCALABLE

    def sample(self, index: int) -> Sample:
        """Draw a picture."""
        if self.recipe == "teacher":
            drawn = teacher.draw(self.seed, index, self.imgsz, clean=self.clean, reference=False)
            return Sample(drawn.image, drawn.boxes, drawn.labels)
        found = render_sample(self.seed, index, clean=self.clean, size=self.shape, defects=self.defects)
        labels = [self.classes.index(CLASSES[label]) for label in found.labels]
        return Sample(found.image, found.boxes, np.array(labels, np.int64))

    def split_of(self, index: int) -> str:
        """The split of a picture: it depends only on its index and the share, never on the number of pictures."""
        share = round(self.val * _SHARE_UNIT)
        return "val" if (index + 1) * share // _SHARE_UNIT > index * share // _SHARE_UNIT else "train"

    def name_of(self, index: int) -> str:
        """The file name of a picture."""
        return f"{index:06d}.{self.picture}"


def check_range(what: str, value: float, low: int, high: int) -> None:
    """Raise a UserError for a value outside ``low`` to ``high``."""
    if not low <= value <= high:
        raise UserError(f"the {what} must lie in {low}-{high}, got {value}")


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"the {what} '{value}' is not known; take one of: {', '.join(known)}")


def default_workers(images: int) -> int:
    """A sensible number of processes: one for a few hundred pictures, otherwise the processors, up to eight."""
    return 1 if images < 400 else max(1, min(8, os.cpu_count() or 1))
