"""The classes of pictures as files: JSON and CSV; the detectors' writers are in `lightdet.inference.save`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightdet.decisions import ClassRule
from lightdet.files import atomic_path
from lightdet.inference.results import class_values
from lightdet.inference.save import Record, Spool, csv_line
from lightdet.structures import Classification


class ClassJsonWriter:
    """One JSON object: the run's summary, and under ``results`` one object per picture or frame.

    ``{"source", "frame", "time_s", "width", "height", "milliseconds", "label", "name", "probability",
    "probabilities"}``, the last by class name; ``frame`` and ``time_s`` are null for pictures. With a decision rule
    there are also ``"decision"``, OK or NG, and its basis: ``"bad_class"``, ``"bad"`` (the probability) and
    ``"threshold"``.
    """

    def __init__(self, path: Path, rule: ClassRule | None = None) -> None:
        self.path = path
        self.rule = rule
        self._results = Spool(path)

    def add(self, record: Record) -> None:
        """Take one picture or frame."""
        found: Classification = record.detections
        entry = {
            "source": record.source,
            "frame": record.frame,
            "time_s": None if record.time is None else round(record.time, 4),
            **class_values(found, self.rule),
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


class ClassCsvWriter:
    """One line per picture or frame: its class, that class's probability, and the probability of each class.

    UTF-8, commas; ``frame`` and ``time_s`` are empty for pictures. With a decision rule the decision is there,
    too: a picture may be NG for a bad class that is not its likeliest.
    """

    def __init__(self, path: Path, names: Sequence[str], rule: ClassRule | None = None) -> None:
        self.path, self.rule = path, rule
        self.columns = ["source", "frame", "time_s", "label", "name", "probability", "width", "height"]
        self.columns += [f"p({name})" for name in names]
        self.columns += ["decision", "bad_class", "bad", "threshold"] if rule is not None else []
        self._rows = Spool(path)

    def add(self, record: Record) -> None:
        """Take one picture or frame."""
        found: Classification = record.detections
        frame = "" if record.frame is None else record.frame
        seconds = "" if record.time is None else round(record.time, 4)
        shares: list[object] = [round(float(value), 4) for value in found.probabilities]
        row = [record.source, frame, seconds, found.label, found.name, round(found.probability, 4), *found.size]
        if self.rule is not None:
            why = self.rule.decide(found)
            shares += [why.verdict, why.name, why.score, why.threshold]
        self._rows.append(csv_line([*row, *shares]))

    def close(self, summary: Mapping[str, Any]) -> None:
        """Put the file in place."""
        with atomic_path(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(csv_line(self.columns) + "\n")
            file.writelines(self._rows.lines())
