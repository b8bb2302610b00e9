"""What an evaluation needs from a task: settings, scores, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lightdet.arrays import Image, IntArray
    from lightdet.evaluation.report.summary import Summary


class Scores(Protocol):
    """How a model is scored; see `lightdet.tasks.task.Task`."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages whose versions a report names."""
        ...

    def evaluation_settings(self, overrides: Sequence[str]) -> Any:
        """Read the settings of an evaluation, ``imgsz`` (None: the model's own) and ``eval``, from overrides.

        Raises:
            UserError: a wrong key or value.
        """
        ...

    def thresholds(self, settings: Any) -> dict[str, Any]:
        """The options for `predictor` from the evaluation's `settings`."""
        ...

    def settings_facts(self, settings: Any, *, across_classes: bool) -> tuple[dict[str, str], dict[str, Any]]:
        """What a report says about the `settings`, for people and for the JSON; possibly empty."""
        ...

    def in_order(self, found: Any, order: IntArray, names: tuple[str, ...]) -> Any:
        """Renumber the classes of a result to match the data set.

        Args:
            found: the predictor's result for a picture.
            order: int64 ``[C]``, the data set's label for each of the model's; -1: leave it out.
            names: the data set's class names, by label.
        """
        ...

    def evaluation(
        self, truths: list[Any], found: list[Any], names: tuple[str, ...], settings: Any, source: Path, **about: Any
    ) -> Any:
        """Score the results for pictures against the truth.

        Args:
            truths, found: one each per picture.
            names: class names by label.
            settings: of the evaluation.
            source: the model file, or the file of detections.
            about: ``title``, ``facts``, ``details`` and ``skipped`` of the report.
        """
        ...

    def write_report(
        self, folder: Path, evaluation: Any, load: Callable[[Path], Image], *, pictures: int
    ) -> tuple[Path, Path]:
        """Write page and JSON of an evaluation; returns their paths."""
        ...

    def summary(self, evaluation: Any) -> Summary:
        """An evaluation in a few lines and tables of text."""
        ...

    @property
    def headline(self) -> str:
        """The name of the one number that a model is judged by."""
        ...

    @property
    def headline_key(self) -> str:
        """That number's key in JSON."""
        ...

    def headline_score(self, truths: list[Any], found: list[Any], names: tuple[str, ...]) -> float | None:
        """That number, in [0, 1]; None if it cannot be measured."""
        ...
