"""The types shared by all modules: frozen, validated on creation.

Boxes everywhere are float32 ``[N, 4]`` as ``x1, y1, x2, y2`` in pixels of the picture they belong to,
0-based and continuous: pixel ``i`` covers ``[i, i + 1)``, so a box over the whole picture is
``0, 0, width, height`` and its area is ``(x2 - x1) * (y2 - y1)``. Readers convert other conventions to
this one, writers convert it back (see ``data/formats``).

This file needs only numpy; torch appears only in annotations, so an exported runtime never imports it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from lightdet.arrays import AnyArray, BoolArray, FloatArray, Image, IntArray

if TYPE_CHECKING:
    from torch import Tensor


def _check_boxes(boxes: FloatArray, labels: IntArray) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype != np.float32:
        raise ValueError(f"boxes must be float32 [N, 4], got {boxes.dtype} {boxes.shape}")
    if labels.shape != (len(boxes),) or labels.dtype != np.int64:
        raise ValueError(f"labels must be int64 [{len(boxes)}], got {labels.dtype} {labels.shape}")
    if not np.isfinite(boxes).all():
        raise ValueError("boxes must be finite")
    if (boxes[:, 2:] < boxes[:, :2]).any():
        raise ValueError("boxes must have x2 >= x1 and y2 >= y1")
    if (labels < 0).any():
        raise ValueError("labels must not be negative")


@dataclass(frozen=True, eq=False)
class Annotation:
    """One picture's labels as read from a data set; no pixels.

    Attributes:
        image: the picture's path.
        size: ``(width, height)`` in pixels as shown (after EXIF rotation).
        boxes: float32 ``[N, 4]``, the convention of this module.
        labels: int64 ``[N]``, indices into the data set's class list.
        crowd: bool ``[N]``, regions of many objects (COCO ``iscrowd``): not trained on, ignored by the metric.
        source: the label file, and `lines` the 1-based line of each box in it (0 where unknown).
        area: float64 ``[N]``, the object's area in pixels, if the data set gives it (COCO ``area``): the
            metric uses it to tell small from large. None: the boxes' own areas.
    """

    image: Path
    size: tuple[int, int]
    boxes: FloatArray
    labels: IntArray
    crowd: BoolArray | None = None
    source: Path | None = None
    lines: tuple[int, ...] = ()
    area: AnyArray | None = None

    def __post_init__(self) -> None:
        _check_boxes(self.boxes, self.labels)
        if min(self.size) <= 0:
            raise ValueError(f"size must be positive, got {self.size}")
        if self.crowd is not None and self.crowd.shape != (len(self.boxes),):
            raise ValueError("crowd must have one flag per box")
        if self.lines and len(self.lines) != len(self.boxes):
            raise ValueError("lines must have one number per box")
        if self.area is not None and self.area.shape != (len(self.boxes),):
            raise ValueError("area must have one number per box")

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class ImageLabel:
    """One picture's class as read from a data set with one class per picture; no pixels.

    Attributes:
        image: the picture's path.
        size: ``(width, height)`` in pixels as shown (after EXIF rotation).
        label: index into the data set's class list.
        source: the list or CSV file that names it, and `line` its 1-based line there; None and 0 for folders.
    """

    image: Path
    size: tuple[int, int]
    label: int
    source: Path | None = None
    line: int = 0

    def __post_init__(self) -> None:
        if min(self.size) <= 0:
            raise ValueError(f"size must be positive, got {self.size}")
        if self.label < 0:
            raise ValueError(f"label must not be negative, got {self.label}")


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture with its boxes, during augmentation: ``image`` uint8 ``[H, W, 3]`` RGB."""

    image: Image
    boxes: FloatArray
    labels: IntArray

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(f"image must be uint8 [H, W, 3], got {self.image.dtype} {self.image.shape}")
        _check_boxes(self.boxes, self.labels)


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


@dataclass(frozen=True, eq=False)
class Detections:
    """The detections in one picture: numpy only, in pixels of the original picture, best score first.

    Attributes:
        boxes: float32 ``[N, 4]``, the convention of this module.
        scores: float32 ``[N]`` in [0, 1], not increasing.
        labels: int64 ``[N]``, indices into `names`.
        names: the class names, by label.
        size: ``(width, height)`` of the picture.
        milliseconds: time by stage (``preprocess``, ``network``, ``postprocess``), if measured.
        zones: the zones to look at in which each box counts; empty: no zones were applied.
        outside: how many detections zones have left out; None: no zones were applied.
    """

    boxes: FloatArray
    scores: FloatArray
    labels: IntArray
    names: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    milliseconds: dict[str, float] = field(default_factory=dict)
    zones: tuple[tuple[str, ...], ...] = ()
    outside: int | None = None

    def __post_init__(self) -> None:
        _check_boxes(self.boxes, self.labels)
        if self.scores.shape != (len(self.boxes),) or self.scores.dtype != np.float32:
            raise ValueError(f"scores must be float32 [{len(self.boxes)}], got {self.scores.dtype} {self.scores.shape}")
        if len(self.scores) and not (self.scores.min() >= 0.0 and self.scores.max() <= 1.0):
            raise ValueError("scores must lie in [0, 1]")
        if (np.diff(self.scores) > 0).any():
            raise ValueError("detections must be sorted, best score first")
        if self.names and len(self.labels) and int(self.labels.max()) >= len(self.names):
            raise ValueError(f"label {int(self.labels.max())} has no name: {len(self.names)} names given")
        if self.zones and len(self.zones) != len(self.boxes):
            raise ValueError("zones must have one entry per box")

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[tuple[FloatArray, float, int]]:
        """Yield ``(box [4], score, label)``, one detection at a time."""
        for box, score, label in zip(self.boxes, self.scores, self.labels, strict=True):
            yield box, float(score), int(label)

    def above(self, threshold: float) -> Detections:
        """Return the detections with a score of at least `threshold`."""
        return self.only(self.scores >= threshold)

    def only(self, kept: BoolArray) -> Self:
        """Return the detections that are marked in bool ``[N]``."""
        zones = tuple(zone for zone, keep in zip(self.zones, kept, strict=True) if keep) if self.zones else ()
        return replace(self, boxes=self.boxes[kept], scores=self.scores[kept], labels=self.labels[kept], zones=zones)

    def as_dicts(self) -> list[dict[str, object]]:
        """Return plain values ready for JSON: ``{"box", "score", "label", "name"}``, with zones also ``"zones"``."""
        found: list[dict[str, object]] = [
            {
                "box": [round(float(v), 2) for v in box],
                "score": round(score, 4),
                "label": label,
                "name": self.names[label] if self.names else str(label),
            }
            for box, score, label in self
        ]
        return (
            [each | {"zones": list(zones)} for each, zones in zip(found, self.zones, strict=True)]
            if self.zones
            else found
        )

    @staticmethod
    def empty(names: tuple[str, ...] = (), size: tuple[int, int] = (0, 0)) -> Detections:
        """Return a result without boxes."""
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), names, size)


@dataclass(frozen=True, eq=False)
class Classification:
    """The class of a whole picture: numpy only.

    Attributes:
        probabilities: float32 ``[C]`` in [0, 1], summing to 1.
        names: the class names, by label.
        size: ``(width, height)`` of the picture.
        milliseconds: time by stage (``preprocess``, ``network``, ``postprocess``), if measured.
    """

    probabilities: FloatArray
    names: tuple[str, ...]
    size: tuple[int, int] = (0, 0)
    milliseconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = self.probabilities
        if given.shape != (len(self.names),) or given.dtype != np.float32 or not len(given):
            raise ValueError(f"probabilities must be float32 [{len(self.names)}], got {given.dtype} {given.shape}")
        if not (np.isfinite(given).all() and given.min() >= 0.0 and abs(float(given.sum()) - 1.0) < 1e-3):
            raise ValueError("probabilities must lie in [0, 1] and sum to 1")

    @property
    def label(self) -> int:
        """The most probable class."""
        return int(self.probabilities.argmax())

    @property
    def name(self) -> str:
        """The most probable class's name."""
        return self.names[self.label]

    @property
    def probability(self) -> float:
        """The probability of the most probable class."""
        return float(self.probabilities.max())

    @property
    def labels(self) -> IntArray:
        """The most probable class as int64 ``[1]``, for counting beside `Detections`."""
        return np.array([self.label], np.int64)

    def as_dict(self) -> dict[str, object]:
        """Return plain values ready for JSON: ``{"label", "name", "probability", "probabilities"}``."""
        return {
            "label": self.label,
            "name": self.name,
            "probability": round(self.probability, 4),
            "probabilities": {n: round(float(p), 4) for n, p in zip(self.names, self.probabilities, strict=True)},
        }


@dataclass(frozen=True)
class Tiling:
    """How pictures larger than a tile are cut into parts.

    Attributes:
        size: side of a tile in pixels of the picture, 32 to `MAX_IMGSZ`.
        overlap: smallest share of the side that neighbouring tiles have in common, in [0, 0.9].

    Raises:
        ValueError: a value out of range, or of the wrong type.
    """

    size: int
    overlap: float

    def __post_init__(self) -> None:
        whole = isinstance(self.size, Integral) and not isinstance(self.size, bool)
        if not whole or not 32 <= self.size <= MAX_IMGSZ:
            raise ValueError(f"the size of a tile is a whole number in 32-{MAX_IMGSZ}, got {self.size!r}")
        share = isinstance(self.overlap, int | float) and not isinstance(self.overlap, bool)
        if not share or not 0.0 <= self.overlap <= 0.9:
            raise ValueError(f"the overlap of tiles is a share in 0-0.9, got {self.overlap!r}")


MAX_IMGSZ = 8192
"""Largest side of a network input, in pixels."""


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes network input; stored in every checkpoint and exported file.

    Attributes:
        imgsz: side of the square input in pixels, a multiple of 32 up to `MAX_IMGSZ`.
        pad_value: gray value (0–255) of the letterbox border.
        bit_depth: significant bits of 16-bit pictures; they are scaled by ``255 / (2**bit_depth - 1)``.
        scale: factor from 0–255 to network input (1/255); above 0, at most 1.
        mean, std: of red, green and blue after `scale`; the input is ``(value * scale - mean) / std``; `std` is
            from 0.000001 to 1000.
        gray: colours are converted to gray (ITU-R BT.601) before anything else, copied to three channels.

    Raises:
        ValueError: a value out of range, or of the wrong type: a network without input finds nothing.
    """

    imgsz: int
    pad_value: int = 114
    bit_depth: int = 16
    scale: float = 1.0 / 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gray: bool = False

    def __post_init__(self) -> None:
        for name in ("mean", "std"):  # lists where it was read from JSON
            object.__setattr__(self, name, tuple(float(value) for value in getattr(self, name)))
        if len(self.mean) != 3 or len(self.std) != 3 or not all(abs(value) <= 1e3 for value in (*self.mean, *self.std)):
            raise ValueError(f"mean and std must be three numbers up to 1000 each, got {self.mean} and {self.std}")
        if min(self.std) < 1e-6:
            raise ValueError(f"std must be positive, got {self.std}")
        whole = (self.imgsz, self.pad_value, self.bit_depth)
        if not all(isinstance(value, Integral) and not isinstance(value, bool) for value in whole):
            raise ValueError(f"imgsz, pad_value and bit_depth must be whole numbers, got {whole}")
        if not 32 <= self.imgsz <= MAX_IMGSZ or self.imgsz % 32:
            raise ValueError(f"imgsz must be a multiple of 32, from 32 to {MAX_IMGSZ}, got {self.imgsz}")
        if not 0 <= self.pad_value <= 255:
            raise ValueError(f"pad_value must lie in 0-255, got {self.pad_value}")
        if not 8 < self.bit_depth <= 16:
            raise ValueError(f"bit_depth must lie in 9-16, got {self.bit_depth}")
        if not (isinstance(self.scale, int | float) and 1e-6 <= self.scale <= 1):
            raise ValueError(f"scale must be above 0 and at most 1, got {self.scale}")
        if not isinstance(self.gray, bool):
            raise ValueError(f"gray must be true or false, got {self.gray!r}")


@dataclass(frozen=True)
class LossTerms:
    """The parts of a loss as 0-d tensors; `total` is differentiated, the named `parts` are for logs."""

    total: Tensor
    parts: dict[str, Tensor]
