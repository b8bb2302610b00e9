"""The result of an audit: findings with a kind, a severity and a place, and the report that holds them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lightdet.data.audit.gallery import Shelf
from lightdet.data.audit.label_doubts import DoubtedLabels
from lightdet.data.audit.statistics import SplitStatistics
from lightdet.data.audit.tables import Table
from lightdet.data.audit.tiles import TileProposal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing at one place.

    Attributes:
        kind: a key of `KINDS`.
        severity: ``error`` stops training or falsifies its result, ``warning`` should be looked at, ``note`` informs.
        message: one line.
        split: the split it was found in; empty for the whole set.
        path, line: the file and its 1-based line, if any.
        other: the second file of a pair.
        first: it comes before the others of its kind, most of which matter less.
    """

    kind: str
    severity: Severity
    message: str
    split: str = ""
    path: Path | None = None
    line: int | None = None
    other: Path | None = None
    first: bool = False

    def place(self) -> str:
        """``path:line``, as far as known."""
        if self.path is None:
            return f"split {self.split}" if self.split else "data set"
        return f"{self.path}:{self.line}" if self.line else str(self.path)

    def as_dict(self) -> dict[str, object]:
        """Return plain values ready for JSON."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "message": self.message,
            "split": self.split or None,
            "path": str(self.path) if self.path else None,
            "line": self.line,
            "other": str(self.other) if self.other else None,
        }


@dataclass(frozen=True)
class Kind:
    """A group of findings: its `title`, and what to do about it."""

    title: str
    advice: str


KINDS: dict[str, Kind] = {
    # Errors: reading stops at them.
    "split": Kind("split that cannot be read", "correct the YAML, the list or the folder"),
    "format": Kind("label file that cannot be read", "export it again, or correct the line"),
    "class": Kind("unknown class", "correct the label, or the class list of the YAML"),
    "value": Kind("coordinate that is no number or out of range", "correct or remove the box"),
    "degenerate": Kind("box without area", "correct or remove the box"),
    "outside": Kind("box outside its picture", "correct it, or set 'outside: clip' in the YAML"),
    "size": Kind("labels for another picture size", "check that picture and labels belong together"),
    "missing-picture": Kind("label or list entry without picture", "add the picture, or remove the entry"),
    "missing-label": Kind("picture without labels", "label it, or set 'unlabelled: background'"),
    "repeated": Kind("listed twice", "remove one of the two"),
    "picture": Kind("picture that cannot be read", "copy or export it again, or remove it from the list"),
    "pages": Kind("file with several pictures", "labels do not say which one they are for: save each in its own file"),
    "shared": Kind("picture in two splits", "keep it in one split: scores on known pictures are too good"),
    "leak": Kind("identical picture in two splits", "remove one: scores on known pictures are too good"),
    "val-name": Kind("validation split under another name", "training takes only 'val' and stops: rename it"),
    # Warnings.
    "split-gone": Kind("missing split", "correct the YAML, or remove the split from it"),
    "leak-near": Kind(
        "very similar pictures in two splits",
        "keep shots of one part in one split; expected if all parts look alike and are held in one place",
    ),
    "duplicate": Kind("identical pictures in a split", "remove all but one; if their labels differ, decide"),
    "duplicate-near": Kind("very similar pictures in a split", "harmless in small numbers; they add little"),
    "duplicate-box": Kind("box given twice", "remove one: a detector is punished for finding it once"),
    "same-place": Kind("two boxes in the same place", "keep one of them, or correct the class"),
    "pixel-base": Kind(
        "labels that are not counted as their format says", "set 'first_pixel' in the YAML to 0, or 1 if they are"
    ),
    "slip": Kind("box that oversteps the border by a pixel", "cut when read; check what the tool counts from"),
    "tiny": Kind("box too small for the input", "use a larger --imgsz, or cut the pictures into tiles"),
    "tiles": Kind("small boxes in large pictures", "train on tiles: pictures shrunk to the input show little of them"),
    "class-alike": Kind("class names that differ only in spelling", "if they are one class, use one name"),
    "class-empty": Kind("class without examples", "label some, or remove the class"),
    "class-absent": Kind("class missing in a split", "split again, so that every class is trained and measured"),
    "class-rare": Kind("class with few examples", "label more: with fewer than about 50, scores are chance"),
    "bit-depth": Kind("16-bit pictures with another bit depth", "set 'bit_depth' in the YAML"),
    "colour": Kind("coloured picture among gray ones", "look at it: are marks or labels drawn on it?"),
    # Notes.
    "split-absent": Kind("split that training needs", "add it to the YAML, or draw it from the pictures"),
    "imbalance": Kind(
        "very unequal numbers per class",
        "train with loss.class_weights, or train.image_weights (classifiers: sampling)",
    ),
    "background": Kind("background", "pictures of good parts teach and measure false alarms"),
    "huge": Kind("box over nearly the whole picture", "fine if the defect covers it"),
    "exif": Kind("picture turned by its EXIF tag", "boxes must fit the picture as shown, which is how it is read"),
    "elongated": Kind("very long picture", "much of the square input is padding: a detector can use tiles"),
    "flat": Kind("picture almost without contrast", "compared by its bytes only; is the exposure right?"),
    "folder-empty": Kind("folder without pictures", "it is not a class: fill it, or remove it"),
    "unlisted": Kind("picture in no split", "list it if it should be used"),
}


@dataclass
class AuditReport:
    """The whole result: statistics of each split, and all findings, errors first.

    `tables` show the statistics; `gallery` is for the page, with 16-bit pictures of `bit_depth`; `tiles` are proposed
    where they would help; `doubts` are labels that a detector contradicts, if one was asked.
    """

    name: str
    classes: tuple[str, ...]
    imgsz: int
    splits: dict[str, SplitStatistics] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    bit_depth: int = 16
    tables: list[Table] = field(default_factory=list)
    gallery: list[Shelf] = field(default_factory=list)
    tiles: TileProposal | None = None
    doubts: DoubtedLabels | None = None

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def by_kind(self) -> list[tuple[str, Severity, list[Finding]]]:
        """Findings grouped by kind and severity, errors first, in the order of `KINDS`."""
        order = list(KINDS)
        keys = {(finding.severity, finding.kind) for finding in self.findings}
        ranked = sorted(keys, key=lambda key: (("error", "warning", "note").index(key[0]), order.index(key[1])))
        urgent = sorted(self.findings, key=lambda finding: not finding.first)
        return [(k, s, [f for f in urgent if (f.severity, f.kind) == (s, k)]) for s, k in ranked]

    def as_dict(self) -> dict[str, object]:
        """Return plain values ready for JSON."""
        counts = Counter(finding.severity for finding in self.findings)
        return {
            "name": self.name,
            "imgsz": self.imgsz,
            "classes": list(self.classes),
            "errors": counts["error"],
            "warnings": counts["warning"],
            "notes": counts["note"],
            "splits": {name: split.as_dict(self.classes) for name, split in self.splits.items()},
            "tiles": None if self.tiles is None else self.tiles.as_dict(),
            "doubts": None if self.doubts is None else self.doubts.as_dict(self.classes),
            "findings": [finding.as_dict() for _, _, group in self.by_kind() for finding in group],
        }
