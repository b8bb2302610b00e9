"""What an audit checks about labels: boxes in pictures, or classes of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lightdet.arrays import FloatArray, IntArray
from lightdet.data.audit.box_checks import check_boxes
from lightdet.data.audit.findings import Finding
from lightdet.data.audit.gallery import Shelf, boxes_gallery, pictures_gallery
from lightdet.data.audit.statistics import BoxStatistics, SplitStatistics, box_statistics, class_statistics
from lightdet.data.audit.tables import Table, class_table, side_table, split_table
from lightdet.data.audit.tiles import TileProposal, propose_tiles
from lightdet.data.formats.label_file import LabelFile
from lightdet.data.records import BoxRecord, ClassRecord
from lightdet.data.spec import LabelKind
from lightdet.wording import counted


class LabelAudit(Protocol):
    """The checks that depend on the kind of labels; records and statistics are of that kind."""

    example: str
    """The word for an example of a class: ``box`` or ``picture``."""
    splitter: str
    """The command that draws a validation split."""
    whole: bool
    """Whether a label describes the whole picture: similar pictures must have the same."""

    def content(self, record: Any) -> tuple[tuple[float, ...], ...] | None:
        """Return the labels, to be compared with a copy's; None if unknown."""

    def findings(self, records: Sequence[Any], split: str, imgsz: int) -> Iterator[Finding]:
        """Oddities of readable labels."""

    def statistics(self, records: Sequence[Any], classes: int, imgsz: int) -> SplitStatistics:
        """Count."""

    def background(self, splits: Mapping[str, Any]) -> Iterator[Finding]:
        """Say how many pictures are free of defects, if no class counts them."""

    def tiles(self, records: Mapping[str, Sequence[Any]], imgsz: int) -> TileProposal | None:
        """Propose tiles from the records of all splits, if they would help."""

    def tables(self, splits: Mapping[str, Any], classes: Sequence[str], imgsz: int) -> list[Table]:
        """Return the statistics as tables."""

    def gallery(self, records: Mapping[Path, Any], classes: Sequence[str]) -> list[Shelf]:
        """Choose what to look at, for pictures by path."""


class BoxLabels:
    """Boxes."""

    example, splitter, whole = "box", "lightdet data convert", False

    def content(self, record: BoxRecord) -> tuple[tuple[float, ...], ...] | None:
        """Boxes with their labels, in any order of the file."""
        found = record.labels
        if found is None:
            return None
        return tuple(sorted((*box, label) for box, label in zip(found.boxes, found.labels, strict=True)))

    def findings(self, records: Sequence[BoxRecord], split: str, imgsz: int) -> Iterator[Finding]:
        """Odd boxes, the readers' remarks, and pictures without a label file."""
        without = 0
        for record in records:
            labels = record.labels
            if labels is not None:
                without += labels.path is None
                for message, line in labels.remarks:
                    yield Finding("size", "warning", message, split, labels.path, line or None)
                yield from check_boxes(record.image, labels, split, imgsz)
        if without:
            verbs = ("has", "counts") if without == 1 else ("have", "count")
            message = f"{counted(without, 'picture')} {verbs[0]} no label file and {verbs[1]} as background"
            yield Finding("background", "note", message, split)

    def statistics(self, records: Sequence[BoxRecord], classes: int, imgsz: int) -> BoxStatistics:
        """Boxes by class and by size."""
        labelled = [_arrays(record.labels) for record in records if record.labels is not None]
        return box_statistics(labelled, len(records), classes, imgsz)

    def background(self, splits: Mapping[str, BoxStatistics]) -> Iterator[Finding]:
        """Pictures without a box."""
        for split, numbers in splits.items():
            verb = "is" if numbers.background == 1 else "are"
            message = f"{numbers.background} of {counted(numbers.pictures, 'picture')} {verb} without defects"
            if not numbers.background:
                message = "no picture without defects: false alarms on good parts are neither unlearned nor measured"
            yield Finding("background", "note", message, split)

    def tiles(self, records: Mapping[str, Sequence[BoxRecord]], imgsz: int) -> TileProposal | None:
        """From the sizes of the boxes that training learns from."""
        chosen = records.get("train") or [record for group in records.values() for record in group]
        found = [_arrays(record.labels) for record in chosen if record.labels is not None]
        return propose_tiles([(size, boxes) for size, boxes, _ in found], imgsz)

    def tables(self, splits: Mapping[str, BoxStatistics], classes: Sequence[str], imgsz: int) -> list[Table]:
        """Pictures, boxes by class, and how large they are."""

        def numbers(split: BoxStatistics) -> tuple[str, ...]:
            boxes = int(split.counts.sum())
            return f"{split.background:,}", f"{boxes:,}", f"{boxes / split.pictures:.2f}"

        def held(split: BoxStatistics, label: int) -> str:
            return f" ({split.with_class[label]:,})"

        return [
            split_table(splits, ("without boxes", "boxes", "per picture"), numbers),
            class_table("boxes by class (pictures that show it)", splits, classes, held),
            side_table(splits, imgsz),
        ]

    def gallery(self, records: Mapping[Path, BoxRecord], classes: Sequence[str]) -> list[Shelf]:
        """Pictures of each class, and its smallest, largest and oddest boxes."""
        found = [(path, record.labels) for path, record in records.items() if record.labels is not None]
        return boxes_gallery(found, classes)


class ClassLabels:
    """A class for each picture."""

    example, splitter, whole = "picture", "lightdet data split", True

    def content(self, record: ClassRecord) -> tuple[tuple[float, ...], ...] | None:
        """The class."""
        return ((record.label,),)

    def findings(self, records: Sequence[ClassRecord], split: str, imgsz: int) -> Iterator[Finding]:
        """Nothing: a known class is not odd."""
        yield from ()

    def statistics(self, records: Sequence[ClassRecord], classes: int, imgsz: int) -> SplitStatistics:
        """Pictures by class."""
        readable = [(record.size, record.label) for record in records if record.size is not None]
        return class_statistics(readable, len(records), classes)

    def background(self, splits: Mapping[str, SplitStatistics]) -> Iterator[Finding]:
        """Nothing: good parts are a class."""
        yield from ()

    def tiles(self, records: Mapping[str, Sequence[ClassRecord]], imgsz: int) -> TileProposal | None:
        """None: a classifier sees whole pictures."""
        return None

    def tables(self, splits: Mapping[str, SplitStatistics], classes: Sequence[str], imgsz: int) -> list[Table]:
        """Pictures, and pictures by class."""
        return [split_table(splits), class_table("pictures by class", splits, classes)]

    def gallery(self, records: Mapping[Path, ClassRecord], classes: Sequence[str]) -> list[Shelf]:
        """Pictures of each class."""
        by_class: dict[int, list[Path]] = {}
        for path, record in records.items():
            by_class.setdefault(record.label, []).append(path)
        return pictures_gallery(by_class, classes)


LABEL_AUDITS: Mapping[LabelKind, LabelAudit] = {"boxes": BoxLabels(), "class": ClassLabels()}


def _arrays(labels: LabelFile) -> tuple[tuple[int, int], FloatArray, IntArray]:
    boxes = np.array(labels.boxes, np.float32).reshape(-1, 4)
    return labels.size, boxes, np.array(labels.labels, np.int64)
