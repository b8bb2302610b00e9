"""A picture of a split with its labels and faults, so that an audit can list every fault."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lightdet.arrays import IntArray
from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import LabelFile
from lightdet.structures import Annotation, ImageLabel


@dataclass
class Record(ABC):
    """A picture of a split; `problems` make it unusable."""

    image: Path
    problems: list[DataError] = field(default_factory=list, kw_only=True)

    @abstractmethod
    def truth(self) -> Annotation | ImageLabel | None:
        """Return the labels' content; None if unknown."""

    @abstractmethod
    def classes(self) -> IntArray:
        """Return the class of each mark, int64 ``[K]``; none if unknown."""


@dataclass
class BoxRecord(Record):
    """A picture and its boxes; `labels` is None if the picture or its label file was not found."""

    labels: LabelFile | None = None

    def truth(self) -> Annotation | None:
        """The boxes."""
        return None if self.labels is None else self.labels.annotation(self.image)

    def classes(self) -> IntArray:
        """The class of each box."""
        return np.array([] if self.labels is None else self.labels.labels, np.int64)


@dataclass
class ClassRecord(Record):
    """A picture, its class and (if its header can be read) its size."""

    label: int
    source: Path | None = None
    line: int = 0
    size: tuple[int, int] | None = None

    def truth(self) -> ImageLabel | None:
        """The class."""
        return None if self.size is None else ImageLabel(self.image, self.size, self.label, self.source, self.line)

    def classes(self) -> IntArray:
        """The picture's class."""
        return np.array([self.label], np.int64)
