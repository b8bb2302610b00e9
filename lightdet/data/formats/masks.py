"""Segmentation masks: a picture of the same size for each picture, whose values say the class of every pixel.

A mask is a PNG of 8 or 16 bits, of a palette, whose indices count, or of colours, as CVAT and the tools of Pascal VOC
write them. The background is 0, or black. The data set's YAML gives every other value or colour its class; one without
a name is refused. A defect is a group of touching pixels (corners touch, too) of one class, and its box is the box
around it: two defects of one class that touch cannot be told apart.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pil

from lightdet.arrays import AnyArray
from lightdet.data.deep_pixels import UnsupportedError
from lightdet.data.faults import DataError
from lightdet.data.formats.enclosing import MAX_MASK_PIXELS
from lightdet.data.formats.label_file import LabelFile, Outside, read_bounded, read_lines, whole_pixels
from lightdet.data.png_rows import check_rows
from lightdet.data.quiet_warnings import quiet_warnings
from lightdet.files import atomic_path
from lightdet.structures import Annotation

Value = int | tuple[int, int, int]
"""A gray value or an index of a palette, or a colour."""
IGNORED = "__ignore__"
"""The name of values that are neither a class nor background: borders that LabelMe and Pascal VOC leave out."""
BACKGROUND = ("background", "_background_", "__background__")
MAX_MASK_BYTES = 256 << 20
MAX_VALUES = 1024
"""Most values or colours of one mask."""
MAX_PIECES = 10_000
"""Most groups of touching pixels of one mask."""


def parse_mask(
    mask: Path,
    size: tuple[int, int],
    classes: Sequence[str],
    outside: Outside = "error",
    values: Mapping[Value, str] | None = None,
) -> LabelFile:
    """Read `mask`, noting what is wrong instead of raising; `size` is the picture's (width, height).

    `values` gives values or colours their class, or `IGNORED`; without it the classes have the values 1, 2, 3, ...
    """
    found = LabelFile(mask, size, classes, outside)
    names: dict[Value, str] = dict(values or enumerate(classes, start=1))
    try:
        pixels = _pixels(mask)
    except DataError as error:
        found.problems.append(error)
        return found
    if pixels.shape[:2] != size[::-1]:
        found.check_size((pixels.shape[1], pixels.shape[0]), "the mask is", 0, turned=False)
        return found
    coded, present = _coded(pixels)
    if len(present) > MAX_VALUES:
        found.problem(f"holds {len(present)} values; is this a mask of classes, or a picture?", kind="value")
        return found
    pieces = 0
    for number, value in enumerate(present):
        if value in (0, (0, 0, 0)) and names.get(value, BACKGROUND[0]) in BACKGROUND:
            continue
        if value not in names:
            found.problem(_unnamed(value, names), kind="class")
            continue
        if names[value] == IGNORED:
            continue
        label = found.class_index(names[value])
        boxes = _boxes(coded == number)
        pieces += len(boxes)
        if pieces > MAX_PIECES:
            found.problem(f"holds more than {MAX_PIECES} separate pieces; is this a mask of classes?", kind="value")
            return found
        for box in boxes if label is not None else ():
            found.add(box, label or 0)
    return found


def read_mask(
    mask: Path,
    image: Path,
    size: tuple[int, int],
    classes: Sequence[str],
    outside: Outside = "error",
    values: Mapping[Value, str] | None = None,
) -> Annotation:
    """Read the mask of one picture of `size` (width, height).

    Raises:
        UserError: a mask that cannot be read, has another size than the picture, or a value without a name.
    """
    return parse_mask(mask, size, classes, outside, values).annotation(image)


def mask_pixels(annotation: Annotation) -> AnyArray:
    """Return the mask, ``[H, W]`` uint8 or uint16: each box, in whole pixels, is filled with its class from 1."""
    width, height = annotation.size
    pixels = np.zeros((height, width), np.uint8 if annotation.labels.max(initial=0) < 255 else np.uint16)
    for box, label in zip(annotation.boxes.tolist(), annotation.labels.tolist(), strict=True):
        x1, x2 = whole_pixels(box[0], box[2], width)
        y1, y2 = whole_pixels(box[1], box[3], height)
        pixels[y1:y2, x1:x2] = label + 1
    return pixels


def write_mask(annotation: Annotation, path: Path) -> None:
    """Write one picture's mask (it cannot hold crowd flags, fractions of pixels, or boxes of a class that touch)."""
    with atomic_path(path) as temporary:
        Pil.fromarray(mask_pixels(annotation)).save(temporary, "PNG")


def told_apart(annotation: Annotation) -> bool:
    """Whether a mask of the boxes holds as many of each class: none touches another of its class or lies under one."""
    pixels = mask_pixels(annotation)
    counts = np.bincount(annotation.labels).tolist()
    return all(len(_boxes(pixels == label + 1)) == count for label, count in enumerate(counts))


def read_values(path: Path) -> dict[Value, str]:
    """The names of values or colours from a tool's own list.

    ``labelmap.txt`` of CVAT and datumaro has lines ``name:r,g,b::``; if all are ``name:::``, the colours are those of
    Pascal VOC by the line, as datumaro writes them. LabelMe's ``class_names.txt`` has the value by
    the line, from 0, after ``__ignore__``, which is 255.

    Raises:
        DataError: missing, unreadable, or a colour that is none or is given twice.
    """
    found: dict[Value, str] = {}
    lines = [(number, line) for number, line in read_lines(path) if not line.startswith("#")]
    if any(line.count(":") >= 3 for _, line in lines):
        plain = all(line.endswith(":::") for _, line in lines)
        for index, (number, line) in enumerate(lines):
            name, _, rest = line.partition(":")
            parts = [str(part) for part in voc_colour(index)] if plain else rest.partition(":")[0].split(",")
            colour = tuple(int(part) for part in parts if part.strip().isdecimal() and len(part) < 5)
            if len(parts) != 3 or len(colour) != 3 or max(colour) > 255:
                raise DataError("no colour; a line is: name:red,green,blue::", "format", path=path, line=number)
            key = (colour[0], colour[1], colour[2])
            if key in found:
                told = f"'{found[key]}' and '{name}' have the same colour"
                raise DataError(told, "class", path=path, line=number)
            found[key] = name.strip()
        return found
    names = [line for _, line in lines]
    if IGNORED in names:
        names.remove(IGNORED)
        found[255] = IGNORED
    if not names or names[0].lower() not in BACKGROUND:
        raise DataError(f"must begin with {BACKGROUND[1]}, which is the value 0", "format", path=path, line=1)
    return found | dict(enumerate(names))


def voc_colour(index: int) -> tuple[int, int, int]:
    """A class's colour in Pascal VOC's masks: bits of its index in turn for red, green, blue, the highest first."""
    red = green = blue = 0
    for bit in range(8):
        red |= (index >> 3 * bit & 1) << (7 - bit)
        green |= (index >> 3 * bit + 1 & 1) << (7 - bit)
        blue |= (index >> 3 * bit + 2 & 1) << (7 - bit)
    return red, green, blue


def class_names(values: Mapping[Value, str]) -> list[str]:
    """The classes that values stand for, each once, in the order of the values as given."""
    names = [name for value, name in values.items() if value not in (0, (0, 0, 0)) or name.lower() not in BACKGROUND]
    return list(dict.fromkeys(name for name in names if name != IGNORED))


def _pixels(path: Path) -> AnyArray:
    """The mask's values ``[H, W]`` or colours ``[H, W, 3]``."""
    data = read_bounded(path, MAX_MASK_BYTES)
    try:
        with quiet_warnings(), Pil.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.width * picture.height > MAX_MASK_PIXELS or getattr(picture, "n_frames", 1) > 1:
                raise DataError("the mask is too large, or holds several pictures", "picture", path=path)
            check_rows(picture, data)  # rows that are filled up would be background
            mode = picture.mode
            if mode in ("P", "L", "I;16", "I;16B", "I", "1", "RGB"):
                pixels = np.asarray(picture)
            elif mode == "RGBA":
                pixels = np.asarray(picture.convert("RGB"))
            else:
                raise DataError(f"a mask of {mode} pixels is not read; save it as PNG", "picture", path=path)
    except DataError:
        raise
    except UnsupportedError as error:
        raise DataError(str(error).replace("the picture", "the mask"), "picture", path=path) from None
    except Exception as error:  # decoders raise many kinds for hostile bytes
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        reason = "not a PNG" if "identify" in reason else reason
        raise DataError(f"the mask cannot be read ({reason}); save it again", "picture", path=path) from None
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8)
    return pixels if pixels.dtype == np.uint8 else pixels.astype(np.int32)


def _coded(pixels: AnyArray) -> tuple[AnyArray, list[Value]]:
    """Each pixel's place in the list of values or colours that occur, ``[H, W]``, and that list."""
    if pixels.ndim == 3:
        channels = pixels.astype(np.int32)
        packed = channels[..., 0] << 16 | channels[..., 1] << 8 | channels[..., 2]
        colours, coded = np.unique(packed, return_inverse=True)
        present: list[Value] = [(c >> 16, c >> 8 & 255, c & 255) for c in colours[: MAX_VALUES + 1].tolist()]
        return coded.reshape(packed.shape), present
    values, coded = np.unique(pixels, return_inverse=True)
    return coded.reshape(pixels.shape), values[: MAX_VALUES + 1].tolist()


def _boxes(where: AnyArray) -> list[tuple[float, float, float, float]]:
    """The boxes of the groups of touching pixels, from top to bottom."""
    stats = cv2.connectedComponentsWithStats(where.astype(np.uint8), connectivity=8)[2][1:]
    return [(float(x), float(y), float(x + width), float(y + height)) for x, y, width, height, _ in stats.tolist()]


def _unnamed(value: Value, names: Mapping[Value, str]) -> str:
    shown = value if isinstance(value, int) else "{},{},{}".format(*value)
    known = ", ".join(f"{name}: {_shown(key)}" for key, name in list(names.items())[:20])
    what = "value" if isinstance(value, int) else "colour"
    example = f"'values: {{scratch: {_shown(value)}}}'"
    return f"the {what} {shown} has no name (known: {known}); name it in the YAML, as in {example}"


def _shown(value: Value) -> str:
    return str(value) if isinstance(value, int) else "[{}, {}, {}]".format(*value)
