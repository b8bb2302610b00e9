"""An ``<object>`` of Pascal VOC's XML."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from lightdet.data.formats.voc import voc_object, written_corners
from lightdet.labelling.elements.kind import Size
from lightdet.labelling.marks import Box

_OBJECT = re.compile(r"<object\b.*?</object\s*>", re.DOTALL)
_NAME = re.compile(r"(<name\s*>)(.*?)(</name\s*>)", re.DOTALL)
_PART = re.compile(r"<part\b.*?</part\s*>", re.DOTALL)


class VocObjects:
    """Objects; `first_pixel` is what corners are counted from."""

    def __init__(self, first_pixel: int) -> None:
        self.first_pixel = first_pixel

    def split(self, text: str) -> list[str]:
        """Each object as it stands."""
        return _OBJECT.findall(text)

    def joined(self, text: str, elements: Sequence[str]) -> str:
        """The objects one after the other where the first one stood, or else at the end."""
        written = "".join(f"{element}\n\t" for element in elements).rstrip("\t")
        found = list(_OBJECT.finditer(text))
        if found:
            start, end = found[0].start(), found[-1].end()
            rest = text[end:].lstrip(" \t\r\n")
            return text[:start].rstrip(" \t") + (f"\t{written}" if written else "") + rest
        start = text.rindex("</annotation")
        return text[:start].rstrip(" \t") + (f"\t{written}" if written else "") + text[start:]

    def empty(self, image_path: str, size: Size) -> str:
        """The picture's name and size."""
        name = html.escape(image_path.rpartition("/")[2], quote=False)
        return (
            f"<annotation>\n\t<filename>{name}</filename>\n\t<size><width>{size[0]}</width><height>{size[1]}</height>"
            "<depth>3</depth></size>\n\t<segmented>0</segmented>\n</annotation>\n"
        )

    def fresh(self, box: Box, name: str, size: Size) -> str:
        """An object with a box; pixels counted from 1 are whole."""
        return voc_object(box, name, size, self.first_pixel)

    def renamed(self, element: str, name: str) -> str:
        """With another ``<name>``, which may stand behind those of its parts."""
        written = html.escape(name, quote=False)
        inside = [part.span() for part in _PART.finditer(element)]
        for found in _NAME.finditer(element):
            if not any(start <= found.start() < end for start, end in inside):
                return element[: found.start(2)] + written + element[found.end(2) :]
        return element

    def moved(self, element: str, box: Box, size: Size) -> str:
        """With other corners; ``pose`` and the like stay, and the parts of a body go."""
        whole = _PART.sub("", element)
        for tag, value in written_corners(box, size, self.first_pixel).items():
            whole = re.sub(rf"(<{tag}\s*>)[^<]*(</{tag}\s*>)", rf"\g<1>{value}\g<2>", whole, count=1)
        return whole

    def is_outline(self, element: str) -> bool:
        """Objects with parts."""
        return _PART.search(element) is not None
