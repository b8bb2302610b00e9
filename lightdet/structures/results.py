"""What a model finds in a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from lightdet.arrays import BoolArray, FloatArray, IntArray
from lightdet.structures.boxes import check_boxes
from lightdet.structures.scores import reported


@dataclass(frozen=True, eq=False)
class Detections:
    """The detections in one picture: numpy only, in pixels of the original picture, best score first.

    Attributes:
        boxes: float32 ``[N, 4]``, the convention of this package.
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
        check_boxes(self.boxes, self.labels)
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
                "score": reported(score),
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
