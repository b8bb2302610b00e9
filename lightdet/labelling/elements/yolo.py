"""A row of YOLO's txt: ``class cx cy w h``, or a polygon or key points where the YAML says so."""

from __future__ import annotations

from collections.abc import Sequence

from lightdet.data.formats.label_file import split_lines
from lightdet.data.formats.yolo import yolo_row
from lightdet.labelling.elements.kind import Size
from lightdet.labelling.marks import Box


class YoloRows:
    """Rows; `classes` is the list that grows when a class is added."""

    def __init__(self, classes: list[str]) -> None:
        self.classes = classes

    def split(self, text: str) -> list[str]:
        """The rows that are not blank."""
        return [line for line in split_lines(text.removeprefix("\ufeff")) if line]

    def joined(self, text: str, elements: Sequence[str]) -> str:
        """A row each."""
        return "".join(f"{element}\n" for element in elements)

    def empty(self, image_path: str, size: Size) -> str:
        """An empty file."""
        return ""

    def fresh(self, box: Box, name: str, size: Size) -> str:
        """A row of five columns."""
        return yolo_row(box, self.classes.index(name), size)

    def renamed(self, element: str, name: str) -> str:
        """With another number in front."""
        first, *rest = element.split()
        number = self.classes.index(name)
        return element if float(first) == number else " ".join([str(number), *rest])

    def moved(self, element: str, box: Box, size: Size) -> str:
        """Polygons and key points are lost: they would no longer fit."""
        return yolo_row(box, int(float(element.split(maxsplit=1)[0])), size)

    def is_outline(self, element: str) -> bool:
        """Rows of more than five columns."""
        return len(element.split()) > 5
