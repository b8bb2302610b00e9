"""OK or NG for each picture as a table, for a model with a decision rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightdet.decisions import ClassRule, DecisionRule
from lightdet.files import atomic_path
from lightdet.inference.save import Record, Spool, csv_line
from lightdet.structures import Classification

COLUMNS = ("source", "frame", "time_s", "decision", "defects", "score", "promise", "zone")
CLASS_COLUMNS = ("source", "frame", "time_s", "decision", "bad_class", "bad", "threshold", "promise")
FILE = "decisions.csv"


class DecisionWriter:
    """One line per picture or frame under the header of `COLUMNS`: OK or NG, how many detections count, the best score.

    ``promise`` is asked each time whether the verdict promises anything: ``yes``, ``no``, or ``suspended: …``. ``zone``
    names the zones of the detection that decides, if zones were applied.

    Attributes:
        counts: pictures by ``OK`` and ``NG``.
    """

    def __init__(self, rule: DecisionRule, path: Path | None, *, promise: Callable[[], str] = lambda: "no") -> None:
        self.rule = rule
        self.path = path
        self._promise = promise
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
        judged = (decision.verdict, len(decision.defects), best, self._promise(), ", ".join(decision.zones))
        self._rows.append(csv_line((record.source, frame, seconds, *judged)))

    def close(self, summary: Mapping[str, Any]) -> None:
        """Put the file in place."""
        if self.path is not None and self._rows is not None:
            _write_table(self.path, COLUMNS, self._rows)


class ClassDecisionWriter:
    """One line per picture or frame under the header of `CLASS_COLUMNS`: OK or NG, and the reason.

    ``bad_class`` is the bad class that decides, ``bad`` the probability that was compared with ``threshold``; the
    likeliest class of all, which may be a good one, is in ``detections.csv``.

    Attributes:
        counts: pictures by ``OK`` and ``NG``.
    """

    def __init__(self, rule: ClassRule, path: Path | None, *, promise: Callable[[], str] = lambda: "no") -> None:
        self.rule = rule
        self.path = path
        self._promise = promise
        self.counts: Counter[str] = Counter()
        self._rows = Spool(path) if path is not None else None

    def add(self, record: Record) -> None:
        """Take one picture or frame."""
        found: Classification = record.detections
        decision = self.rule.decide(found)
        self.counts[decision.verdict] += 1
        if self._rows is None:
            return
        frame = "" if record.frame is None else record.frame
        seconds = "" if record.time is None else round(record.time, 4)
        judged = (decision.verdict, decision.name, decision.score, decision.threshold, self._promise())
        self._rows.append(csv_line((record.source, frame, seconds, *judged)))

    def close(self, summary: Mapping[str, Any]) -> None:
        """Put the file in place."""
        if self.path is not None and self._rows is not None:
            _write_table(self.path, CLASS_COLUMNS, self._rows)


def _write_table(path: Path, columns: Sequence[str], rows: Spool) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(csv_line(columns) + "\n")
        file.writelines(rows.lines())
