"""OK or NG for each picture as a table, where the model brings a decision rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightdet.decisions import DecisionRule
from lightdet.files import atomic_path
from lightdet.inference.save import Record, Spool, csv_line

COLUMNS = ("source", "frame", "time_s", "decision", "defects", "score")
FILE = "decisions.csv"


class DecisionWriter:
    """A line a picture or frame under the header of `COLUMNS`: OK or NG, how many detections count, the best score.

    Attributes:
        counts: pictures by ``OK`` and ``NG``.
    """

    def __init__(self, rule: DecisionRule, path: Path | None) -> None:
        self.rule = rule
        self.path = path
        self.counts: Counter[str] = Counter()
        self._rows = Spool(path) if path is not None else None

    def add(self, record: Record) -> None:
        """Take one picture or frame."""
        decision = self.rule.decide(record.detections)
        self.counts[decision.verdict] += 1
        if self._rows is None:
            return
        best = max((entry["score"] for entry in record.detections.as_dicts()), default="")
        frame = "" if record.frame is None else record.frame
        seconds = "" if record.time is None else round(record.time, 4)
        self._rows.append(csv_line((record.source, frame, seconds, decision.verdict, len(decision.defects), best)))

    def close(self, summary: Mapping[str, Any]) -> None:
        """Put the file in place."""
        if self.path is None or self._rows is None:
            return
        with atomic_path(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(csv_line(COLUMNS) + "\n")
            file.writelines(self._rows.lines())
