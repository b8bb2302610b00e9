"""What every format must be able to do with one box of a label file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lightdet.labelling.marks import Box

Size = tuple[int, int]


class Elements(Protocol):
    """The boxes of one format. An element is the text of one box; the file's text is made of them."""

    def split(self, text: str) -> list[str]:
        """The elements of a label file, in its order."""

    def joined(self, text: str, elements: Sequence[str]) -> str:
        """The text of a label file with these elements in place of its own, and all else as it was."""

    def empty(self, image_path: str, size: Size) -> str:
        """The text of a label file without boxes, for a picture at `image_path` as seen from it."""

    def fresh(self, box: Box, name: str, size: Size) -> str:
        """The element of a new box in a picture of `size`."""

    def renamed(self, element: str, name: str) -> str:
        """The same with another class."""

    def moved(self, element: str, box: Box, size: Size) -> str:
        """The same with another box."""

    def is_outline(self, element: str) -> bool:
        """Whether it holds more than a box, which `moved` loses."""
