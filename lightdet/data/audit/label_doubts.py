"""Labels that a detector contradicts, as the audit tells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightdet.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class LabelDoubt:
    """A label that is probably wrong, and how to see it.

    Attributes:
        kind: ``missing``, ``extra``, ``class`` or ``place``; see `lightdet.evaluation.label_doubts`.
        doubt: in [0, 1], the most doubtful first.
        message: one line.
        image: the picture; `name` as the labelling page calls it.
        source, line: the label file and the box's 1-based line in it, if known.
        boxes, labels: all boxes of the picture's label, float32 ``[N, 4]`` and int64 ``[N]``.
        box: the one in doubt, by index; None where a box is missing.
        answer: the detector's box (x1, y1, x2, y2 in pixels), its class and score; None where it finds nothing.
    """

    kind: str
    doubt: float
    message: str
    split: str
    image: Path
    name: str
    source: Path | None
    line: int | None
    boxes: FloatArray
    labels: IntArray
    box: int | None
    answer: tuple[tuple[float, float, float, float], int, float] | None

    def as_dict(self, classes: Sequence[str]) -> dict[str, object]:
        """Return plain values ready for JSON."""
        box = None if self.box is None else [round(value, 2) for value in self.boxes[self.box].tolist()]
        label = None if self.box is None else classes[int(self.labels[self.box])]
        told = None
        if self.answer is not None:
            corners, other, score = self.answer
            rounded = [round(value, 2) for value in corners]
            told = {"box": rounded, "class": classes[other], "score": round(score, 4)}
        return {
            "kind": self.kind,
            "doubt": round(self.doubt, 4),
            "message": self.message,
            "split": self.split,
            "picture": str(self.image),
            "path": None if self.source is None else str(self.source),
            "line": self.line,
            "box": box,
            "class": label,
            "found": told,
        }


@dataclass(frozen=True)
class DoubtedLabels:
    """The most doubtful labels, how many there are in all, and what to know about them; `by` names the detector."""

    by: str
    first: Sequence[LabelDoubt]
    total: int
    notes: Sequence[str]

    def pictures(self) -> list[str]:
        """The pictures, each once, the most doubtful first: a list for ``lightdet label --order``."""
        return list(dict.fromkeys(doubt.name for doubt in self.first))

    def as_dict(self, classes: Sequence[str]) -> dict[str, object]:
        """Return plain values ready for JSON."""
        first = [doubt.as_dict(classes) for doubt in self.first]
        return {"by": self.by, "total": self.total, "notes": list(self.notes), "first": first}
