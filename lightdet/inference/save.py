"""Results as files: JSON, CSV, YOLO labels, COCO. Written as they arrive, put in place when complete.

Each writer takes one `Record` per picture or frame and is closed once with the run's summary, also if the run was
broken off: what was done until then is kept. Boxes are in pixels of the picture, 0-based and continuous
(`lightdet.structures`); frames are counted from 0.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lightdet.arrays import Image
from lightdet.decisions import DecisionRule
from lightdet.errors import UserError
from lightdet.files import atomic_path, make_folder, write_text
from lightdet.geometry.boxes import xyxy_to_cxcywh
from lightdet.inference.formats import Format
from lightdet.inference.results import detection_values
from lightdet.inference.source import frame_place
from lightdet.structures import Detections

SHARED: Mapping[Format, str] = {"json": "detections.json", "csv": "detections.csv", "coco": "coco.json"}
"""The formats with one file for all sources."""
LABELS, CLASS_LIST = "labels", "classes.txt"
MIN_SIDE = 0.01
"""Our readers treat a box with a side below this many pixels as having no area."""
CSV_COLUMNS = (
    "source", "frame", "time_s", "x1", "y1", "x2", "y2", "score", "label", "name", "width", "height", "zone",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Record:
    """What was found in one picture or frame.

    Attributes:
        source: the picture's path, with ``#2`` after it for the second of several in a file; the video's path; the
            stream's name.
        stem: where its results go below the output folder, without suffix (`lightdet.inference.sources`).
        detections: in its pixels; or a classifier's `Classification`, if the writers take those.
        frame: for a video or stream, its number from 0.
        time: for a video or stream, seconds from the start.
        image: the picture itself, uint8 RGB ``[H, W, 3]``, for writers that draw on it; not kept.
    """

    source: str
    stem: Path
    detections: Any
    frame: int | None = None
    time: float | None = None
    image: Image | None = field(default=None, repr=False)

    @property
    def place(self) -> Path:
        """The stem, with the frame's number in six digits if there is one."""
        return self.stem if self.frame is None else frame_place(self.stem, self.frame)


class Writer(Protocol):
    """Takes records and is closed with the run's summary."""

    def add(self, record: Record) -> None:
        """Take one picture or frame."""
        ...

    def close(self, summary: Mapping[str, Any]) -> None:
        """Put the file in place."""
        ...


def make_writer(format_: Format, folder: Path, names: Sequence[str], rule: DecisionRule | None = None) -> Writer:
    """Return the writer into `folder`: ``detections.json``, ``detections.csv``, ``coco.json`` or ``labels/``."""
    if format_ == "json":
        return JsonWriter(folder / SHARED["json"], rule)
    if format_ == "csv":
        return CsvWriter(folder / SHARED["csv"])
    if format_ == "coco":
        return CocoWriter(folder / SHARED["coco"], names)
    return YoloWriter(folder / LABELS, names)


class JsonWriter:
    """One JSON object: the run's summary, and under ``results`` one object per picture or frame.

    ``{"source", "frame", "time_s", "width", "height", "milliseconds", "detections"}``, where each detection is
    ``{"box": [x1, y1, x2, y2], "score", "label", "name"}``; ``frame`` and ``time_s`` are null for pictures. With a
    decision rule there is also ``"decision"``: OK or NG.
    """

    def __init__(self, path: Path, rule: DecisionRule | None = None) -> None:
        self.path = path
        self.rule = rule
        self._results = Spool(path)

    def add(self, record: Record) -> None:
        """Take one picture or frame."""
        found: Detections = record.detections
        entry = {
            "source": record.source,
            "frame": record.frame,
            "time_s": None if record.time is None else round(record.time, 4),
            **detection_values(found, self.rule),
        }
        self._results.append(json.dumps(entry, ensure_ascii=False, allow_nan=False))

    def close(self, summary: Mapping[str, Any]) -> None:
        """Put the file in place."""
        head = json.dumps({**summary, "results": []}, indent=2, ensure_ascii=False, allow_nan=False)
        before = head[: head.rindex("[]")]
        with atomic_path(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(f"{before}[")
            file.writelines(self._results.items())
            file.write("\n]\n}\n")


class CsvWriter:
    """One line per detection under the header of `CSV_COLUMNS`; a picture without detections has none.

    UTF-8, commas; ``frame`` and ``time_s`` are empty for pictures, ``zone`` where no zones were applied, or only some
    to ignore.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows = Spool(path)

    def add(self, record: Record) -> None:
        """Take one picture or frame."""
        seconds = "" if record.time is None else round(record.time, 4)
        where = (record.source, "" if record.frame is None else record.frame, seconds)
        for entry in record.detections.as_dicts():
            box: Any = entry["box"]
            zones: Any = entry.get("zones", ())
            rest = (entry["score"], entry["label"], entry["name"], *record.detections.size, ", ".join(zones))
            self._rows.append(csv_line((*where, *box, *rest)))

    def close(self, summary: Mapping[str, Any]) -> None:
        """Put the file in place."""
        with atomic_path(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(csv_line(CSV_COLUMNS) + "\n")
            file.writelines(self._rows.lines())


class YoloWriter:
    """One ``labels/<place>.txt`` per picture or frame, empty if nothing was found, and ``classes.txt`` beside them.

    One line per detection: ``class cx cy w h``, the box as centre and sides in shares of the picture. These labels are
    meant for correction and training, so they have no sixth column for the score, which labelling tools reject, and
    no boxes without area. Every folder of labels has its ``classes.txt``, where LabelImg looks for it.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder = make_folder(folder)
        self.names = names
        self._folders = {self.folder}

    def add(self, record: Record) -> None:
        """Write the labels of one picture or frame."""
        width, height = record.detections.size
        shares = xyxy_to_cxcywh(record.detections.boxes.astype("float64")) / [width, height, width, height]
        lines = [
            f"{label} {' '.join(f'{value:.8f}' for value in box)}\n"
            for box, label in zip(shares, record.detections.labels, strict=True)
            if min(box[2] * width, box[3] * height) >= MIN_SIDE
        ]
        target = _label_path(self.folder, record.place)
        if target.name.lower() == CLASS_LIST:
            message = f"its labels would be written to {target}, the list of class names; rename the picture"
            raise UserError(message, path=record.source)
        self._folders.add(target.parent)
        with atomic_path(target, sync=False) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8", newline="\n")

    def close(self, summary: Mapping[str, Any]) -> None:
        """Write the class names, one per line, beside the labels."""
        for folder in sorted(self._folders):
            write_text(folder / CLASS_LIST, class_list(self.names))


class CocoWriter:
    """A COCO data set: ``images``, ``categories`` and ``annotations`` with ``score``; ids count from 1.

    ``bbox`` is x, y, width, height in pixels. ``file_name`` is the path as given; images of a video carry
    ``frame`` and ``time_s`` as well. ``json.load(file)["annotations"]`` is what ``COCO.loadRes`` takes.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.path = path
        self.names = names
        self._images, self._boxes = Spool(path), Spool(path)

    def add(self, record: Record) -> None:
        """Take one picture or frame."""
        found: Detections = record.detections
        image: dict[str, Any] = {
            "id": self._images.count + 1,
            "file_name": record.source,
            "width": found.size[0],
            "height": found.size[1],
        }
        if record.frame is not None:
            image |= {"frame": record.frame, "time_s": round(record.time or 0.0, 4)}
        self._images.append(json.dumps(image, ensure_ascii=False))
        for box, score, label in found:
            x, y = round(float(box[0]), 2), round(float(box[1]), 2)
            width, height = round(float(box[2]) - x, 2), round(float(box[3]) - y, 2)
            annotation = {
                "id": self._boxes.count + 1,
                "image_id": image["id"],
                "category_id": label + 1,
                "bbox": [x, y, width, height],
                "area": round(width * height, 2),
                "iscrowd": 0,
                "score": round(score, 4),
            }
            self._boxes.append(json.dumps(annotation))

    def close(self, summary: Mapping[str, Any]) -> None:
        """Put the file in place."""
        categories = [{"id": number, "name": name} for number, name in enumerate(self.names, start=1)]
        with atomic_path(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write('{\n"info": {},\n"images": [')
            file.writelines(self._images.items())
            file.write(f'\n],\n"categories": {json.dumps(categories, ensure_ascii=False)},\n"annotations": [')
            file.writelines(self._boxes.items())
            file.write("\n]\n}\n")


def label_file(folder: Path, place: Path) -> Path:
    """The labels of a picture or frame in the output folder, by its `Record.place`."""
    return _label_path(folder / LABELS, place)


def class_list(names: Sequence[str]) -> str:
    """The content of ``classes.txt``."""
    return "".join(f"{name}\n" for name in names)


def _label_path(folder: Path, place: Path) -> Path:
    return folder / place.with_name(f"{place.name}.txt")


def csv_line(values: Sequence[object]) -> str:
    """One line of CSV, quoted where necessary, without its line break."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()


class Spool:
    """Lines kept on the disk of `target` until the end of the run: a camera may run for days."""

    def __init__(self, target: Path) -> None:
        self.count = 0
        self.target = target
        with self._explained():
            self._file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="", dir=make_folder(target.parent))  # noqa: SIM115

    def append(self, text: str) -> None:
        """Keep a text without line breaks of its own."""
        with self._explained():
            self._file.write(text + "\n")
        self.count += 1

    def lines(self) -> Iterator[str]:
        """Yield all texts, each with its line break; this deletes the spool."""
        with self._explained(), self._file:
            self._file.seek(0)
            yield from self._file

    def items(self) -> Iterator[str]:
        """Yield all texts as the items of a JSON list, each on a line of its own."""
        for index, line in enumerate(self.lines()):
            yield f"{',' if index else ''}\n{line[:-1]}"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror or error}", path=self.target) from None
