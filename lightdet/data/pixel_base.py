"""What the corners of Pascal VOC files are counted from if the YAML does not say, judged by the files themselves.

Pascal VOC counts pixels from 1 and includes the last one; CVAT, Label Studio and others write edges counted from 0 into
the same format. A corner of 0 or with a fraction cannot be a pixel counted from 1; a box that begins and ends with
the same number cannot lie between two edges.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import plain_number, read_bounded
from lightdet.errors import UserError
from lightdet.wording import counted

_BOX = re.compile(r"<bndbox\s*>(.*?)</bndbox\s*>", re.DOTALL)
_CORNER = re.compile(r"<([xy]m(?:in|ax))\s*>\s*([^<]*?)\s*</")


@dataclass(frozen=True)
class PixelBase:
    """`first`: what corners are counted from; `reason`: which files show that, empty if it is the format's rule."""

    first: Literal[0, 1] = 1
    reason: str = ""


def find_pixel_base(labels: Iterable[Path]) -> PixelBase:
    """Check all label files of a data set.

    Raises:
        UserError: some files count from 0 and others from 1.
    """
    edges: list[tuple[Path, str]] = []
    pixels: list[tuple[Path, str]] = []
    count = 0
    for label in labels:
        count += 1
        from_zero, from_one = _signs(label)
        if from_zero:
            edges.append((label, from_zero))
        if from_one:
            pixels.append((label, from_one))
    if edges and pixels:
        one, other = edges[0], pixels[0]
        raise UserError(
            f"{one[1]} shows corners counted from 0, but {other[1]} in {other[0]} pixels counted from 1; "
            "set 'first_pixel: 0' or 'first_pixel: 1' in the YAML",
            path=one[0],
        )
    if not edges:
        return PixelBase()
    what = f"{edges[0][1]} in {edges[0][0]}, and the like in {len(edges)} of {counted(count, 'file')}"
    return PixelBase(0, what)


def _signs(label: Path) -> tuple[str, str]:
    """A corner impossible for pixels counted from 1, and a box impossible for edges; each empty if there is none."""
    try:
        text = read_bounded(label).replace(b"\0", b"").decode("utf-8", "replace")  # UTF-16 is read so, too
    except DataError:
        return "", ""  # told when it is read
    from_zero = from_one = ""
    for box in _BOX.findall(text):
        values = {tag: value for tag, word in _CORNER.findall(box) if (value := plain_number(word)) is not None}
        for tag, value in values.items():
            if value % 1 or (value == 0 and tag.endswith("min")):
                from_zero = from_zero or f"<{tag}>{value:g}"
        for low, high in (("xmin", "xmax"), ("ymin", "ymax")):
            if low in values and values[low] == values.get(high) and not values[low] % 1:
                from_one = from_one or f"<{low}>{values[low]:g} to <{high}>{values[high]:g}"
    return from_zero, from_one
