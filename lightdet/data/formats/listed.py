"""What a file with the boxes of many pictures gives: its pictures, each with its boxes under the classes' names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lightdet.data.faults import DataError, FaultKind
from lightdet.data.formats.enclosing import Box
from lightdet.data.formats.label_file import LabelFile, Outside


class SetImage(Protocol):
    """A picture that a file lists."""

    @property
    def file_name(self) -> str:
        """Its name, as the file gives it."""

    @property
    def line(self) -> int:
        """Where the file names it."""

    @property
    def others(self) -> tuple[str, ...]:
        """Further names that the same picture may have on this computer, tried if there is no `file_name`."""

    @property
    def subset(self) -> str | None:
        """The split that the file puts it into."""


@dataclass
class Mark:
    """A box under its class's name; with `whole`, its numbers are parts of `whole` (1, or 100 for per cent) of the
    sides."""

    name: str
    box: Box
    line: int
    whole: float | None = None


@dataclass
class ListedImage:
    """A picture that a file lists: `size` is the declared (width, height), None if not given; `size_line` says where,
    if not in `line`."""

    file_name: str
    size: tuple[float, float] | None
    line: int
    others: tuple[str, ...] = ()
    subset: str | None = None
    marks: list[Mark] = field(default_factory=list)
    problems: list[DataError] = field(default_factory=list)
    remarks: list[tuple[str, int]] = field(default_factory=list)
    size_line: int = 0


@dataclass
class ListedFile:
    """A parsed file: its pictures in their order, the classes it declares, and what is wrong with it as a whole."""

    path: Path
    images: list[ListedImage] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    problems: list[DataError] = field(default_factory=list)

    def class_names(self) -> list[str]:
        """The classes in the file's order; without such a list, those of the boxes, sorted."""
        return self.names or sorted({mark.name for image in self.images for mark in image.marks})

    def fault(self, message: str, line: int, kind: FaultKind = "format") -> DataError:
        """A fault at a line of the file."""
        return DataError(message, kind, path=self.path, line=line or None)

    def labels_of(
        self,
        image: ListedImage,
        size: tuple[int, int],
        classes: Sequence[str],
        outside: Outside = "error",
        *,
        turned: bool = False,
    ) -> LabelFile:
        """Check the boxes of a picture of `size` (width, height); for `turned` see `LabelFile.check_size`."""
        found = LabelFile(self.path, size, classes, outside)
        found.problems += image.problems
        found.remarks += image.remarks
        for mark in image.marks:
            label = found.class_index(mark.name, mark.line)
            if label is not None:
                scale = (1.0, 1.0) if mark.whole is None else (size[0] / mark.whole, size[1] / mark.whole)
                x1, y1, x2, y2 = mark.box
                found.add((x1 * scale[0], y1 * scale[1], x2 * scale[0], y2 * scale[1]), label, mark.line)
        if image.size is not None:
            found.check_size(
                image.size, f"'{image.file_name}' is declared", image.size_line or image.line, turned=turned
            )
        return found
