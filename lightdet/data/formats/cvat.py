"""CVAT for images, XML 1.1: one file for many pictures, ``<box xtl ytl xbr ybr>`` in pixels.

Corners are edges from 0 of the picture as shown: CVAT applies the EXIF rotation. Polygons, ellipses, masks and rotated
boxes are read as the boxes around them; points, polylines, cuboids and skeletons are refused, and so are the tracks of
CVAT for video. ``occluded`` changes nothing, and tags of whole pictures are left out: the audit says how many.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats.enclosing import MAX_POINTS, Box, ShapeError, ellipse_box, joined, polygon_box, rotated_box
from lightdet.data.formats.enclosing import runs_box as box_of_runs
from lightdet.data.formats.label_file import plain_number, read_bounded
from lightdet.data.formats.listed import ListedFile, ListedImage, Mark
from lightdet.data.formats.rules import PLAIN_RULES, Rules
from lightdet.data.formats.xml_tree import Element, parse_xml
from lightdet.data.split_words import split_cell
from lightdet.errors import UserError
from lightdet.files import write_text
from lightdet.structures import Annotation

MAX_XML_BYTES = 256 << 20
_NO_BOXES = ("points", "polyline", "cuboid", "skeleton")
_NO_CLASSES = ("tag", "points", "polyline", "cuboid", "skeleton")
Part = tuple[Mark, str]
"""A shape's box and its group, empty if it has none."""


def parse_cvat(path: Path, rules: Rules = PLAIN_RULES) -> ListedFile:
    """Read a file; entries that cannot be used are listed with their lines.

    Raises:
        DataError: missing, too large, broken XML, or none of CVAT for images.
    """
    root = parse_xml(read_bounded(path, MAX_XML_BYTES), path)
    if root.tag != "annotations":
        message = f"not a CVAT file: it holds <{root.tag}> instead of <annotations>"
        raise DataError(message, "format", path=path, line=root.line)
    track = root.child("track")
    if track is not None:
        message = "holds tracks: it is CVAT for video; export it again as 'CVAT for images 1.1'"
        raise DataError(message, "format", path=path, line=track.line)
    found = ListedFile(path, names=_declared(root))
    seen: dict[str, ListedImage] = {}
    for image in root.all("image"):
        name = image.attributes.get("name", "")
        if not name or name in seen:
            what = f"the picture '{name}' is given twice; remove one of the two" if name else "<image> has no 'name'"
            fault = found.fault(what, image.line, "repeated" if name else "format")
            found.problems.append(fault)
            if name in seen:  # neither is known to be the right one
                seen[name].problems.append(fault)
            continue
        seen[name] = _image(image, name, found, rules)
    found.images = list(seen.values())
    return found


def read_cvat(path: Path, images: Path, classes: Sequence[str], rules: Rules = PLAIN_RULES) -> list[Annotation]:
    """Read a whole file whose pictures are in the folder `images`; sizes are the declared ones.

    Raises:
        UserError: the first thing that is wrong, with its line. Pictures are not opened.
    """
    file = parse_cvat(path, rules)
    if file.problems:
        raise file.problems[0]
    annotations = []
    for image in file.images:
        if image.size is None:
            raise UserError(f"'{image.file_name}' has no width and height", path=path, line=image.line)
        size = (int(image.size[0]), int(image.size[1]))
        annotations.append(file.labels_of(image, size, classes).annotation(images / image.file_name))
    return annotations


def cvat_text(
    annotations: Sequence[Annotation], classes: Sequence[str], file_names: Sequence[str], *, predicted: bool = False
) -> str:
    """Return the XML of a data set; boxes keep every bit of their float32 corners. CVAT marks `predicted` ones."""
    source = "auto" if predicted else "manual"
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "<version>1.1</version>"]
    lines += ["<meta><task><mode>annotation</mode>", f"<size>{len(annotations)}</size><labels>"]
    kinds = "<type>rectangle</type><attributes></attributes>"
    lines += [f"<label><name>{html.escape(name, quote=False)}</name>{kinds}</label>" for name in classes]
    lines.append("</labels></task></meta>")
    for number, (annotation, file) in enumerate(zip(annotations, file_names, strict=True)):
        width, height = annotation.size
        lines.append(f'<image id="{number}" name="{_attribute(file)}" width="{width}" height="{height}">')
        for box, label in zip(annotation.boxes.tolist(), annotation.labels.tolist(), strict=True):
            corners = zip(("xtl", "ytl", "xbr", "ybr"), box, strict=True)
            written = " ".join(f'{key}="{value!r}"' for key, value in corners)
            name = _attribute(classes[label])
            lines.append(f'<box label="{name}" source="{source}" occluded="0" {written} z_order="0">')
            lines.append("</box>")
        lines.append("</image>")
    return "\n".join([*lines, "</annotations>", ""])


def write_cvat(annotations: Sequence[Annotation], path: Path, classes: Sequence[str], names: Sequence[str]) -> None:
    """Write a whole data set (it cannot hold crowd flags); `names` are the pictures' names, one per annotation."""
    write_text(path, cvat_text(annotations, classes, names))


def _attribute(text: str) -> str:
    """Text between double quotes; line ends and tabs would otherwise be read as spaces."""
    return "".join(f"&#{ord(c)};" if c in "\r\n\t" else c for c in html.escape(text, quote=True))


def _declared(root: Element) -> list[str]:
    """The names of the labels for shapes with an area, in the file's order."""
    meta = root.child("meta")
    names: list[str] = []
    for part in meta.children if meta is not None else ():
        labels = part.child("labels")
        for label in labels.all("label") if labels is not None else ():
            name = label.text_of("name")
            drawn = label.text_of("type") not in _NO_CLASSES and label.child("parent") is None
            if name and drawn and name not in names:
                names.append(name)
    return names


def _image(image: Element, name: str, file: ListedFile, rules: Rules) -> ListedImage:
    sides = [plain_number(image.attributes.get(key, "")) for key in ("width", "height")]
    size = (sides[0], sides[1]) if sides[0] and sides[1] and all(map(math.isfinite, (sides[0], sides[1]))) else None
    found = ListedImage(name, size, image.line, subset=split_cell(image.attributes.get("subset", "")))
    parts: list[Part] = []
    tags = 0
    for shape in image.children:
        tags += shape.tag == "tag"
        if shape.tag == "tag":
            continue
        label = shape.attributes.get("label", "").strip()
        try:
            if not label:
                raise ShapeError("has no label")
            box = _box(shape, found)
        except ShapeError as error:
            message = f"the {shape.tag[:40]} {error}; correct or remove it"
            found.problems.append(file.fault(message, shape.line, "value"))
            continue
        parts.append((Mark(label, box, shape.line), shape.attributes.get("group_id", "").strip()))
    if tags:
        found.remarks.append((f"{tags} of the picture's tags left out: they mark no place", image.line))
    found.marks = _objects(parts, found, file, rules)
    return found


def _objects(parts: list[Part], image: ListedImage, file: ListedFile, rules: Rules) -> list[Mark]:
    """The marks, with those of one class and one group joined if the YAML says so; not deciding is a fault."""
    groups: dict[tuple[str, str], list[Mark]] = {}
    for number, (mark, group) in enumerate(parts):
        alone = group in ("", "0") or rules.groups == "apart"
        groups.setdefault((mark.name, f"alone {number}" if alone else group), []).append(mark)
    several = next((marks for marks in groups.values() if len(marks) > 1), None)
    if several is not None and rules.groups is None:
        message = (
            f"{len(several)} shapes of '{several[0].name}' are in one group: one object in parts, or several? "
            "Set 'groups: join' or 'groups: apart' in the YAML"
        )
        image.problems.append(file.fault(message, several[1].line))
    return [Mark(m[0].name, joined([mark.box for mark in m]), m[0].line) for m in groups.values()]


def _numbers(shape: Element, *keys: str) -> list[float]:
    found = []
    for key in keys:
        value = plain_number(shape.attributes.get(key, "").strip())
        if value is None or not math.isfinite(value):
            raise ShapeError(f"has no number as '{key}'" if key in shape.attributes else f"has no '{key}'")
        found.append(value)
    return found


def _degrees(shape: Element, image: ListedImage) -> float:
    """The rotation, clockwise around the middle; a turned shape is remarked on."""
    degrees = _numbers(shape, "rotation")[0] if "rotation" in shape.attributes else 0.0
    if degrees % 360:
        image.remarks.append((f"a {shape.tag} rotated by {degrees:g}° is read as the box around it", shape.line))
    return degrees


def _rectangle(shape: Element, image: ListedImage) -> Box:
    x1, y1, x2, y2 = _numbers(shape, "xtl", "ytl", "xbr", "ybr")
    degrees = _degrees(shape, image)
    return rotated_box((x1, y1, x2, y2), degrees, ((x1 + x2) / 2, (y1 + y2) / 2)) if degrees else (x1, y1, x2, y2)


def _polygon(shape: Element, _: ListedImage) -> Box:
    pairs = [pair.split(",") for pair in shape.attributes.get("points", "").split(";", MAX_POINTS)]
    numbers = [[plain_number(text.strip()) for text in pair] for pair in pairs]
    xs = [pair[0] for pair in numbers if len(pair) == 2 and pair[0] is not None]
    ys = [pair[1] for pair in numbers if len(pair) == 2 and pair[1] is not None]
    if len(xs) != len(pairs) or len(ys) != len(pairs):
        raise ShapeError("has 'points' that are not pairs of numbers like 1.5,2;3,4")
    return polygon_box(xs, ys)


def _ellipse(shape: Element, image: ListedImage) -> Box:
    x, y, rx, ry = _numbers(shape, "cx", "cy", "rx", "ry")
    return ellipse_box(x, y, rx, ry, _degrees(shape, image))


def _mask(shape: Element, _: ListedImage) -> Box:
    left, top, width, height = _numbers(shape, "left", "top", "width", "height")
    texts = shape.attributes.get("rle", "").split(",")
    if not all(text.strip().isascii() and text.strip().isdecimal() and len(text) < 20 for text in texts):
        raise ShapeError("has an 'rle' that is not a list of whole numbers")
    if not width.is_integer() or not height.is_integer():
        raise ShapeError("needs a whole number of pixels as 'width' and 'height'")
    x1, y1, x2, y2 = box_of_runs(map(int, texts), int(width), int(height))
    return left + x1, top + y1, left + x2, top + y2


_READERS: dict[str, Callable[[Element, ListedImage], Box]] = {
    "box": _rectangle,
    "polygon": _polygon,
    "ellipse": _ellipse,
    "mask": _mask,
}


def _box(shape: Element, image: ListedImage) -> Box:
    if shape.tag in _NO_BOXES:
        raise ShapeError("is not read: draw a rectangle or a polygon")
    if shape.tag not in _READERS:
        raise ShapeError("is of an unknown kind")
    return _READERS[shape.tag](shape, image)
