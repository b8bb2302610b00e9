"""What the readers share: one label file's boxes, checked one by one, with the faults of the bad ones.

A reader never stops at the first fault: it records each with its line, so that training can refuse the file with
the first one and an audit can list them all.
"""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.data.faults import DataError, FaultKind
from lightdet.structures import Annotation

Outside = Literal["error", "clip"]
"""How to treat a box that reaches outside its picture: as a mistake, or clipped at the border."""

SLIP_PIXELS, SLIP_SHARE = 1.0, 1e-3
"""A box may overstep the border by one pixel or a thousandth of the side, whichever is more: rounding and
0- or 1-based counting cause that. It is clipped silently and listed by the audit."""
MIN_SIDE = 0.01
"""A box with a side below this many pixels has no area."""
MAX_LABEL_BYTES = 16 << 20
_PIECE = 1 << 20
_LINE_END = re.compile("\r\n|\r|\n")
_NUMBER = re.compile(r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE)


@dataclass
class LabelFile:
    """The labels of one picture of `size` (width, height), being collected by a reader.

    Attributes:
        path: the label file; None for a picture without one (background).
        classes: the data set's class names.
        boxes: usable boxes ``x1, y1, x2, y2`` in the convention of `lightdet.structures`, cut at the border.
        labels, crowd, lines: each box's class index, crowd flag and 1-based line (0 if unknown).
        areas: each box's object area as given by the file; None if it does not give one.
        problems: what makes the file unusable, in the file's order.
        slips: lines of boxes that overstepped the border and were clipped.
        outsiders: lines of boxes that reach further out, whether refused or clipped.
        remarks: oddities that were accepted, with their lines: for the audit.
    """

    path: Path | None
    size: tuple[int, int]
    classes: Sequence[str]
    outside: Outside = "error"
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    crowd: list[bool] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[DataError] = field(default_factory=list)
    slips: list[int] = field(default_factory=list)
    outsiders: list[int] = field(default_factory=list)
    remarks: list[tuple[str, int]] = field(default_factory=list)
    areas: list[float | None] = field(default_factory=list)

    def problem(self, message: str, line: int | None = None, kind: FaultKind = "format") -> None:
        """Record that the file (at `line`) cannot be used as it is."""
        self.problems.append(DataError(message, kind, path=self.path, line=line or None))

    def add(
        self, box: Sequence[float], label: int, line: int = 0, *, crowd: bool = False, area: float | None = None
    ) -> None:
        """Add one box ``x1, y1, x2, y2`` in pixels, or record why it cannot be used."""
        if not all(math.isfinite(value) for value in box):
            self.problem("a coordinate is not a finite number; correct or remove the box", line, "value")
            return
        x1, y1, x2, y2 = box
        extent = f"x {x1:g} to {x2:g}, y {y1:g} to {y2:g}"
        if x2 - x1 < MIN_SIDE or y2 - y1 < MIN_SIDE:
            self.problem(f"the box has no area ({extent}); correct or remove it", line, "degenerate")
            return
        width, height = self.size
        cut = (max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height)))
        if cut[2] - cut[0] < MIN_SIDE or cut[3] - cut[1] < MIN_SIDE:
            self.problem(
                f"the box lies outside the picture of {width} x {height} ({extent}); remove it", line, "outside"
            )
            self.outsiders.append(line)
            return
        slip_x, slip_y = (max(SLIP_PIXELS, SLIP_SHARE * side) for side in self.size)
        over_x, over_y = max(-x1, x2 - width), max(-y1, y2 - height)
        if over_x > slip_x or over_y > slip_y:
            self.outsiders.append(line)
        if (over_x > slip_x or over_y > slip_y) and self.outside == "error":
            picture = f"the picture of {width} x {height}"
            message = f"the box reaches outside {picture} ({extent}); correct it, or set 'outside: clip' in the YAML"
            self.problem(message, line, "outside")
            return
        if max(over_x, over_y) > MIN_SIDE:
            self.slips.append(line)
        self.boxes.append(cut)
        self.labels.append(label)
        self.crowd.append(crowd)
        self.lines.append(line)
        self.areas.append(area)

    def check_size(self, declared: tuple[float, float], what: str, line: int, *, turned: bool) -> None:
        """Compare the size that the labels were made for with the picture's, once all boxes are added.

        Some tools declare the size before EXIF rotation, but mark what they show: the rotated picture. That is
        accepted if all boxes lie in the picture as shown.

        Args:
            declared: (width, height).
            what: start of the message: what declares it.
            line: where it is given.
            turned: whether the picture's EXIF tag swaps its sides.
        """
        if declared == self.size:
            return
        width, height = self.size
        told = f"{what} {declared[0]:g} x {declared[1]:g}, but the picture is {width} x {height}"
        exchanged = declared == (height, width)
        if exchanged and turned and not self.outsiders:
            self.remarks.append((f"{told} after EXIF rotation; its boxes are read in the picture as shown", line))
            return
        advice = "is it the right one?"
        if exchanged and turned:
            advice = "its EXIF tag rotates it, and the boxes do not fit the picture as shown: export it again"
        elif exchanged:
            advice = "are width and height swapped? Correct them, or check that it is the right picture"
        self.problems.insert(0, DataError(f"{told}; {advice}", "size", path=self.path, line=line or None))

    def class_index(self, name: str, line: int | None = None) -> int | None:
        """Look up a class name; an unknown one is recorded with the likely meaning."""
        try:
            return _plain_names(tuple(self.classes)).index(plain_name(name))
        except ValueError:
            self.problem(unknown_class(name, self.classes), line, "class")
            return None

    def annotation(self, image: Path) -> Annotation:
        """Return the labels of `image`.

        Raises:
            UserError: the first of `problems`.
        """
        if self.problems:
            raise self.problems[0]
        return Annotation(
            image=image,
            size=self.size,
            boxes=np.array(self.boxes, dtype=np.float32).reshape(-1, 4),
            labels=np.array(self.labels, dtype=np.int64),
            crowd=np.array(self.crowd, dtype=np.bool_) if any(self.crowd) else None,
            source=self.path,
            lines=tuple(self.lines),
            area=self._area(),
        )

    def _area(self) -> AnyArray | None:
        """The areas that the file gives, with the boxes' own areas in the gaps; None if it gives none."""
        if all(area is None for area in self.areas):
            return None
        own = [(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in self.boxes]
        return np.array([o if a is None else a for o, a in zip(own, self.areas, strict=True)], np.float64)


def plain_name(name: str) -> str:
    """A name as compared: stripped, with umlauts in one Unicode form."""
    return unicodedata.normalize("NFC", name.strip())


@lru_cache(maxsize=64)
def _plain_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Class names as compared."""
    return tuple(plain_name(name) for name in names)


def unknown_class(name: str, classes: Sequence[str]) -> str:
    """Say that `name` is not among `classes`, and which was likely meant."""
    close = difflib.get_close_matches(name.lower(), [known.lower() for known in classes], n=1)
    meant = next((known for known in classes if close and known.lower() == close[0]), None)
    shown = ", ".join(list(classes)[:20]) + (", ..." if len(classes) > 20 else "")
    hint = f"did you mean '{meant}'?" if meant else "add it to 'classes' or correct the label"
    return f"unknown class '{name}': {hint} (known: {shown})"


def read_bounded(path: Path, limit: int = MAX_LABEL_BYTES) -> bytes:
    """Return the bytes of a label or list file of at most `limit` bytes.

    Raises:
        DataError: missing, unreadable or too large.
    """
    try:
        with path.open("rb") as stream:
            data = _read_at_most(stream, limit) if path.stat().st_size <= limit else None
    except FileNotFoundError:
        raise DataError("no such file; check the name and the folder", "format", path=path) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", "format", path=path) from None
    if data is None or len(data) > limit:
        raise DataError(f"larger than {limit >> 20} MiB; is this the right file?", "format", path=path)
    return data


def _read_at_most(stream: BinaryIO, limit: int) -> bytes:
    """Read to the end, but no more than one byte over `limit`: a device or a growing file holds more than its size.

    In pieces, because memory for the whole request is allocated at once.
    """
    pieces, left = [], limit + 1
    while left > 0 and (piece := stream.read(min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def read_lines(path: Path, limit: int = MAX_LABEL_BYTES) -> list[tuple[int, str]]:
    """Return the non-blank lines of a UTF-8 text file with their 1-based numbers, stripped.

    Raises:
        DataError: missing, unreadable, too large or not text.
    """
    try:
        text = read_bounded(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("not UTF-8 text; save it as UTF-8", "format", path=path) from None
    if "\0" in text:
        raise DataError("not a text file; is this the right file?", "format", path=path)
    return [(number, line) for number, line in enumerate(split_lines(text), start=1) if line]


def split_lines(text: str) -> list[str]:
    """The lines of a label file, stripped: they end in LF, CRLF or CR. Unlike splitlines(), no form feed ends one."""
    return [line.strip() for line in _LINE_END.split(text)]


def plain_number(text: str) -> float | None:
    """The value of a decimal number, ``inf`` or ``nan``; None for anything else, such as ``1_0`` or Arabic digits."""
    return float(text) if _NUMBER.fullmatch(text) else None


def whole_pixels(low: float, high: float, side: int) -> tuple[int, int]:
    """Round an extent to whole pixels in ``0..side``, at least one pixel long."""
    start, end = round(low), round(high)
    if end <= start:
        start = min(int(low), side - 1)
        end = start + 1
    return start, end
