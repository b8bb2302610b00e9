"""Pascal VOC XML: ``<object><name/><bndbox><xmin/><ymin/><xmax/><ymax/></bndbox></object>``.

VOC counts pixels from 1 and names the first and the last pixel of a box. Internally a box is the span between
edges, so ``x1 = xmin - 1`` and ``x2 = xmax``; writing reverses this. Some tools write the edges themselves, counted
from 0 and possibly with fractions: ``first_pixel=0`` takes them as they are. A picture belongs to the XML with the same
stem: ``<filename>`` is often wrong and is ignored. Boxes marked ``difficult`` are boxes like any other.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import LabelFile, Outside, plain_number, read_bounded, whole_pixels
from lightdet.data.formats.xml_tree import Element, parse_xml
from lightdet.files import write_text
from lightdet.structures import Annotation

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def parse_voc(
    label: Path,
    size: tuple[int, int],
    classes: Sequence[str],
    outside: Outside = "error",
    *,
    first_pixel: int = 1,
    turned: bool = False,
) -> LabelFile:
    """Read `label`, noting what is wrong instead of raising; `size` is the picture's (width, height).

    `first_pixel` is what corners are counted from; for `turned` see `LabelFile.check_size`.
    """
    found = LabelFile(label, size, classes, outside)
    try:
        root = parse_xml(read_bounded(label), label)
    except DataError as error:
        found.problems.append(error)
        return found
    if root.tag != "annotation":
        found.problem(f"not a Pascal VOC file: it holds <{root.tag}> instead of <annotation>", root.line)
        return found
    for item in root.all("object"):
        _parse_object(item, found, first_pixel)
    _check_size(root, found, turned)
    return found


def read_voc(
    label: Path,
    image: Path,
    size: tuple[int, int],
    classes: Sequence[str],
    outside: Outside = "error",
    *,
    first_pixel: int = 1,
) -> Annotation:
    """Read the labels of one picture of `size` (width, height).

    Raises:
        UserError: with the line, for XML that is broken or holds a DOCTYPE, an unknown class, a missing or bad
            corner, a box outside the picture or without area, or a declared size that is not the picture's.
    """
    return parse_voc(label, size, classes, outside, first_pixel=first_pixel).annotation(image)


def voc_names(label: Path) -> set[str]:
    """The class names that a file uses; a DataError if it is no Pascal VOC file."""
    root = parse_xml(read_bounded(label), label)
    if root.tag != "annotation":
        message = f"not a Pascal VOC file: it holds <{root.tag}> instead of <annotation>"
        raise DataError(message, "format", path=label, line=root.line)
    return {name for item in root.all("object") if (name := item.text_of("name"))}


def voc_text(
    annotation: Annotation, classes: Sequence[str], filename: str | None = None, *, first_pixel: int = 1
) -> str:
    """Return the XML. Corners are rounded to whole pixels, each box keeps at least one; edges from 0 are not."""
    width, height = annotation.size
    name = html.escape(filename or annotation.image.name, quote=False)
    lines = [
        "<annotation>",
        f"\t<filename>{name}</filename>",
        f"\t<size><width>{width}</width><height>{height}</height><depth>3</depth></size>",
        "\t<segmented>0</segmented>",
    ]
    for box, label in zip(annotation.boxes.tolist(), annotation.labels.tolist(), strict=True):
        lines.append("\t" + voc_object(box, classes[label], annotation.size, first_pixel))
    return "\n".join([*lines, "</annotation>", ""])


def write_voc(
    annotation: Annotation,
    path: Path,
    classes: Sequence[str],
    filename: str | None = None,
    *,
    first_pixel: int = 1,
) -> None:
    """Write one picture's XML (it cannot hold crowd flags, nor fractions if pixels are counted from 1)."""
    write_text(path, voc_text(annotation, classes, filename, first_pixel=first_pixel))


def voc_object(box: Sequence[float], name: str, size: tuple[int, int], first_pixel: int) -> str:
    """Return the ``<object>`` of one box ``x1, y1, x2, y2`` in pixels of a picture of `size` (width, height)."""
    corners = written_corners(box, size, first_pixel)
    lines = [
        "<object>",
        f"\t\t<name>{html.escape(name, quote=False)}</name>",
        "\t\t<pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>",
        "\t\t<bndbox>" + "".join(f"<{tag}>{value}</{tag}>" for tag, value in corners.items()) + "</bndbox>",
        "\t</object>",
    ]
    return "\n".join(lines)


def written_corners(box: Sequence[float], size: tuple[int, int], first_pixel: int) -> dict[str, str]:
    """Return what a file says for ``xmin``, ``ymin``, ``xmax`` and ``ymax``."""
    return dict(zip(_CORNERS, _written(box, size, first_pixel), strict=True))


def _written(box: Sequence[float], size: tuple[int, int], first_pixel: int) -> tuple[str, ...]:
    if first_pixel == 0:
        return tuple(f"{value:g}" if value.is_integer() and value < 1e6 else repr(value) for value in box)
    x1, x2 = whole_pixels(box[0], box[2], size[0])
    y1, y2 = whole_pixels(box[1], box[3], size[1])
    return str(x1 + 1), str(y1 + 1), str(x2), str(y2)


def _check_size(root: Element, found: LabelFile, turned: bool) -> None:
    for size in root.all("size"):
        width, height = (plain_number(size.text_of(side)) for side in ("width", "height"))
        if width and height:  # labelling tools write 0 for "not given"
            found.check_size((width, height), "<size> says", size.line, turned=turned)


def _parse_object(item: Element, found: LabelFile, first_pixel: int) -> None:
    for tag in ("name", "bndbox"):
        if len(several := list(item.all(tag))) > 1:
            found.problem(f"<object> has {len(several)} <{tag}>; write an object for each", several[1].line)
            return
    name = item.text_of("name")
    named = item.child("name")
    if named is None or not name or named.children:
        what = "no <name>; add the class" if not name else "a <name> with elements inside; write only the class"
        found.problem(f"<object> has {what}", item.line)
        return
    label = found.class_index(name, named.line)
    corners = item.child("bndbox")
    if corners is None:
        found.problem("<object> has no <bndbox>; add its box or remove it", item.line)
        return
    values = []
    for tag in _CORNERS:
        given = list(corners.all(tag))
        value = plain_number(given[0].text.strip()) if given else None
        if value is None or len(given) > 1 or given[0].children:
            text = given[0].text.strip()[:40] if given else ""
            what = f"is missing or not a number ('{text}')" if value is None else "has elements inside"
            what = "is given twice" if len(given) > 1 else what
            line = given[0].line if given else corners.line
            found.problem(f"<{tag}> {what}; correct the box", line, "value")
            return
        values.append(value)
    if label is not None:
        xmin, ymin, xmax, ymax = values
        found.add((xmin - first_pixel, ymin - first_pixel, xmax, ymax), label, corners.line)
