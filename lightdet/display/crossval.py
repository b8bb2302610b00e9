"""What a cross-validation shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightdet.crossval.page import evidence_lines, tables
from lightdet.display.comparing import drawn
from lightdet.display.trainings import TrainingsDisplay

if TYPE_CHECKING:
    from lightdet.runs.crossval.run import CrossValidated


class CrossvalDisplay(TrainingsDisplay):
    """Also the steps before and after the trainings, and the tables; a `lightdet.runs.crossval.run.Watcher`."""

    def reading(self, done: int, total: int) -> None:
        """Say once that it takes a moment."""
        if done == 1:
            self.say(f"looking for look-alikes among {total} pictures")

    def judging(self, label: str) -> None:
        """Say whose turn it is."""
        self.say(f"judging {label} by the model that has not seen it")

    def begin(self, pictures: int) -> None:
        """The line before says it."""

    def step(self, pictures: int) -> None:
        """The line before says it."""

    def end(self, done: CrossValidated) -> None:
        """Print the tables, what the threshold means, and where the files are."""
        result = done.result
        for table in tables(result):
            self.console.print(drawn(table))
        for label, reason in result.problems.items():
            self.note(f"failed: {label}: {reason}")
        for line in result.skipped[:20]:
            self.note(f"skipped: {line}")
        if result.calibration is not None:
            for line in evidence_lines(result):
                self.note(line)
            self.note(f"estimated by cross-calibration, not guaranteed: {result.calibration.statement}")
        elif result.why_not:
            self.note(f"no threshold for {result.asked}: {result.why_not}")
        if done.model is not None:
            self.note(f"trained on all pictures: {done.model}")
        if result.calibration is not None and done.model is not None:
            others = [name for name in result.left_out if name == "test"] or ["SPLIT"]
            self.note(
                "whether it holds, pictures that no training has seen can tell: "
                f"lightdet val --weights {done.model} --data … --split {others[0]}"
            )
        self.note(f"page: {done.html}; numbers: {done.json}")
