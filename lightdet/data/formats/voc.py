"""Pascal VOC XML: ``<object><name/><bndbox><xmin/><ymin/><xmax/><ymax/></bndbox></object>``.

VOC counts pixels from 1 and names the first and the last pixel of a box. Internally a box is the span between
edges, so ``x1 = xmin - 1`` and ``x2 = xmax``; writing turns it back. A picture belongs to the XML of the same
stem: ``<filename>`` is often wrong and is not looked at. Boxes marked ``difficult`` are boxes like any other.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import LabelFile, Outside, read_bounded, whole_pixels
from lightdet.files import write_text
from lightdet.structures import Annotation

_MAX_DEPTH = 32
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass
class _Element:
    tag: str
    line: int
    text: str = ""
    children: list[_Element] = field(default_factory=list)

    def child(self, tag: str) -> _Element | None:
        return next(self.all(tag), None)

    def all(self, tag: str) -> Iterator[_Element]:
        return (child for child in self.children if child.tag == tag)

    def text_of(self, tag: str) -> str:
        child = self.child(tag)
        return "" if child is None else child.text.strip()


def parse_voc(label: Path, size: tuple[int, int], classes: Sequence[str], outside: Outside = "error") -> LabelFile:
    """Read `label`, noting what is wrong instead of raising; `size` is the picture's (width, height)."""
    found = LabelFile(label, size, classes, outside)
    try:
        root = _parse_xml(read_bounded(label), label)
    except DataError as error:
        found.problems.append(error)
        return found
    if root.tag != "annotation":
        found.problem(f"not a Pascal VOC file: it holds <{root.tag}> instead of <annotation>", root.line)
        return found
    _check_size(root, found)
    for item in root.all("object"):
        _parse_object(item, found)
    return found


def read_voc(
    label: Path, image: Path, size: tuple[int, int], classes: Sequence[str], outside: Outside = "error"
) -> Annotation:
    """Read the labels of one picture of `size` (width, height).

    Raises:
        UserError: with the line, for XML that is broken or holds a DOCTYPE, an unknown class, a missing or bad
            corner, a box outside the picture or without area, or a declared size that is not the picture's.
    """
    return parse_voc(label, size, classes, outside).annotation(image)


def voc_text(annotation: Annotation, classes: Sequence[str], filename: str | None = None) -> str:
    """Return the XML; corners are rounded to whole pixels, each box keeps at least one."""
    width, height = annotation.size
    name = html.escape(filename or annotation.image.name, quote=False)
    lines = [
        "<annotation>",
        f"\t<filename>{name}</filename>",
        f"\t<size><width>{width}</width><height>{height}</height><depth>3</depth></size>",
        "\t<segmented>0</segmented>",
    ]
    for box, label in zip(annotation.boxes.tolist(), annotation.labels.tolist(), strict=True):
        x1, x2 = whole_pixels(box[0], box[2], width)
        y1, y2 = whole_pixels(box[1], box[3], height)
        corners = zip(_CORNERS, (x1 + 1, y1 + 1, x2, y2), strict=True)
        lines += [
            "\t<object>",
            f"\t\t<name>{html.escape(classes[label], quote=False)}</name>",
            "\t\t<pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>",
            "\t\t<bndbox>" + "".join(f"<{tag}>{value}</{tag}>" for tag, value in corners) + "</bndbox>",
            "\t</object>",
        ]
    return "\n".join([*lines, "</annotation>", ""])


def write_voc(annotation: Annotation, path: Path, classes: Sequence[str], filename: str | None = None) -> None:
    """Write one picture's XML (crowd flags and fractions of pixels have no place in it)."""
    write_text(path, voc_text(annotation, classes, filename))


def _check_size(root: _Element, found: LabelFile) -> None:
    size = root.child("size")
    if size is None:
        return
    width, height = (_number(size.text_of(side)) for side in ("width", "height"))
    if not width or not height or (width, height) == found.size:  # labelling tools write 0 for "not told"
        return
    turned = " (turned by its EXIF tag, which the labels do not know)" if (height, width) == found.size else ""
    shown = f"{found.size[0]} x {found.size[1]}{turned}"
    message = f"<size> says {width:g} x {height:g}, but the picture is {shown}; is it the right one?"
    found.problem(message, size.line, "size")


def _parse_object(item: _Element, found: LabelFile) -> None:
    name = item.text_of("name")
    if not name:
        found.problem("<object> has no <name>; add the class", item.line)
        return
    named = item.child("name")
    label = found.class_index(name, named.line if named else item.line)
    corners = item.child("bndbox")
    if corners is None:
        found.problem("<object> has no <bndbox>; add its box or remove it", item.line)
        return
    values = []
    for tag in _CORNERS:
        text = corners.text_of(tag)
        value = _number(text)
        if value is None:
            place = corners.child(tag) or corners
            found.problem(f"<{tag}> is missing or not a number ('{text[:40]}'); correct the box", place.line, "value")
            return
        values.append(value)
    if label is not None:
        xmin, ymin, xmax, ymax = values
        found.add((xmin - 1, ymin - 1, xmax, ymax), label, corners.line)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _parse_xml(data: bytes, path: Path) -> _Element:
    """Parse with lines kept. DOCTYPE and entities are refused, so nothing expands and nothing else is opened."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    top = _Element("", 0)
    stack = [top]

    def refuse(*_: object) -> None:
        message = "the XML holds a DOCTYPE or ENTITY, which labels do not need; remove it"
        raise DataError(message, "format", path=path, line=parser.CurrentLineNumber)

    def start(tag: str, _: dict[str, str]) -> None:
        if len(stack) > _MAX_DEPTH:
            message = "the XML is nested too deeply for labels"
            raise DataError(message, "format", path=path, line=parser.CurrentLineNumber)
        element = _Element(tag, parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)

    def text(data: str) -> None:
        stack[-1].text += data

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.CharacterDataHandler = text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, "error")
        raise DataError(f"not valid XML: {reason}", "format", path=path, line=error.lineno) from None
    except (LookupError, ValueError):
        raise DataError("not valid XML: unknown text encoding", "format", path=path, line=1) from None
    return top.children[0]
