"""What a comparison needs from its models' task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lightdet.comparison.results import Run
    from lightdet.comparison.view import View
    from lightdet.data.spec import DatasetSpec

ORDER = ("train", "val", "test")
Mark = Mapping[str, Any]
"""Enough of a split to notice a change; plain values."""


class Comparing(Protocol):
    """Which splits are scored, what is kept of a scored run, and what the page says about both."""

    called: str
    """The word for a row: ``model`` or ``network``."""
    labels: str
    """The word for the pictures' labels."""
    weights: str
    """The text before "of the last epoch"."""
    packages: tuple[str, ...]
    """The packages whose versions the page names."""

    def default_split(self, spec: DatasetSpec) -> str:
        """Return the split to score on, or to show first, if none is asked for."""

    def splits(self, spec: DatasetSpec, split: str, *, trains: bool) -> tuple[list[str], list[str]]:
        """Return the names of the splits to read, and of those to score; `split` is the one asked for."""

    def check(self, config: Any, classes: int) -> None:
        """Refuse a network that cannot be trained for this many classes.

        Raises:
            UserError: it cannot.
        """

    def fingerprint(self, truths: Sequence[Any], classes: int) -> dict[str, Any]:
        """Return enough of a split to notice a change."""

    def tell(self, mark: Mark) -> str:
        """Say in words what a fingerprint counts."""

    def sheet(self, truths: Sequence[Any], classes: int, count: int) -> list[int]:
        """Choose the pictures that are shown with every model's results, by index."""

    def shown(self, evaluation: Any, sheet: Sequence[Any]) -> list[dict[str, Any]]:
        """Return what the page needs from an evaluation of the split that was asked for; plain values.

        Args:
            evaluation: from the task's `evaluation`.
            sheet: the truths of the sheet's pictures.
        """

    def run(
        self,
        label: str,
        seed: int | None,
        result: Mapping[str, Any],
        split: str,
        file: Path,
        history: Sequence[Mapping[str, float]],
        sheet: Sequence[Any],
        names: tuple[str, ...],
    ) -> Run:
        """Return a scored run; `result` holds the metrics by split under ``splits``, and ``shown``."""

    def view(self, sheet: Sequence[Any], splits: tuple[str, ...], split: str, pictures: int) -> View:
        """Return what makes the page, with at most `pictures` pictures."""

    def unmeasured(self, val: Sequence[Any]) -> str | None:
        """Why no epoch can be scored on the split `val`; None if they can."""

    def title(self, spec: DatasetSpec, split: str) -> str:
        """Return the page's heading."""

    def scored(self, split: str, marks: Mapping[str, Mark], evaluations: Sequence[Any]) -> str:
        """Say what the models were scored on, to follow "3 models, scored by the same code on".

        Args:
            split: the one asked for.
            marks: fingerprints of the scored splits, by name.
            evaluations: settings of the evaluation, of each row.
        """

    def data_facts(self, spec: DatasetSpec, split: str, marks: Mapping[str, Mark]) -> dict[str, str]:
        """Return what the end of the page says about the data."""

    def data_details(self, split: str, marks: Mapping[str, Mark]) -> dict[str, Any]:
        """Return what the JSON says about the data; plain values."""
