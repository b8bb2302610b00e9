"""The pictures of a folder that are labelled, and what reads and writes the labels of each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lightdet.data.faults import DataError
from lightdet.inference.places import absolute
from lightdet.labelling.marks import Box, Content

Size = tuple[int, int]


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        name: its path below the folder, with ``/``: what the history calls it.
        path: its file.
        size: (width, height) as shown; (0, 0) if its header cannot be read.
        labels: what reads and writes its labels.
        fault: why it cannot be labelled.
    """

    name: str
    path: Path
    size: Size
    labels: Labels
    fault: str = ""

    @property
    def id(self) -> str:
        """What the page calls it: the same after a restart, and no other picture has it."""
        return place_id(self.path)


def place_id(path: Path) -> str:
    """Return 16 hexadecimal digits of where a file or folder is."""
    return hashlib.sha256(os.fsencode(absolute(path))).hexdigest()[:16]


@dataclass(frozen=True)
class Prepared:
    """Labels ready to be written: `content` as they will be read back, and `write`, which writes them whole."""

    content: Content
    write: Callable[[], None]


class Labels(Protocol):
    """Reads and writes the labels of pictures in one format."""

    def read(self, picture: Picture) -> Content:
        """The labels as the file has them now.

        Raises:
            DataError: the file is broken, or holds what cannot be kept when it is written again.
        """

    def prepare(self, picture: Picture, content: Content) -> Prepared:
        """Make ready to write `content`; nothing is changed yet.

        Raises:
            UserError: what was to be written could not be read back.
        """

    def restated(self, picture: Picture, element: str | None, *, name: str | None, box: Box | None) -> str | None:
        """An element with another class or another box; None if it is new."""

    def is_outline(self, element: str) -> bool:
        """Whether an element is lost when its box is moved."""


def refuse_faults(problems: list[DataError]) -> None:
    """Raise the first fault, if there is one."""
    if problems:
        raise problems[0]
