"""What a comparison needs from the task of its models."""

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
"""Enough of a split to notice that it was changed; plain values."""


class Comparing(Protocol):
    """Which splits are scored, what is kept of a scored run, and what the page says of both."""

    called: str
    """What a row is called: ``model`` or ``network``."""
    labels: str
    """What the pictures are labelled with."""
    weights: str
    """Stands before "of the last epoch"."""
    packages: tuple[str, ...]
    """The packages whose versions the page names."""

    def default_split(self, spec: DatasetSpec) -> str:
        """Return the split to score on, or to show first, where none is asked for."""

    def splits(self, spec: DatasetSpec, split: str, *, trains: bool) -> tuple[list[str], list[str]]:
        """Return the names of the splits to read, and of those to score, where `split` is the one asked for."""

    def check(self, config: Any, classes: int) -> None:
        """Refuse a network that cannot be trained for that many classes.

        Raises:
            UserError: it cannot.
        """

    def fingerprint(self, truths: Sequence[Any], classes: int) -> dict[str, Any]:
        """Return enough of a split to notice that it was changed."""

    def tell(self, mark: Mark) -> str:
        """Say what a fingerprint counts."""

    def sheet(self, truths: Sequence[Any], classes: int, count: int) -> list[int]:
        """Choose pictures that are shown with what every model finds in them, by their indices."""

    def shown(self, evaluation: Any, sheet: Sequence[Any]) -> list[dict[str, Any]]:
        """Return what the page needs of an evaluation of the split that was asked for; plain values.

        Args:
            evaluation: as the task's `evaluation` gives it.
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
        """Return what makes the page of it, with so many `pictures` at most."""

    def unmeasured(self, val: Sequence[Any]) -> str | None:
        """Why no epoch can be scored on the split `val`; None where each can."""

    def title(self, spec: DatasetSpec, split: str) -> str:
        """Return the page's heading."""

    def scored(self, split: str, marks: Mapping[str, Mark], configs: Sequence[Any]) -> str:
        """Say what the models were scored on, to stand behind "3 models, scored by the same code on"."""

    def data_facts(self, spec: DatasetSpec, split: str, marks: Mapping[str, Mark]) -> dict[str, str]:
        """Return what the page's end says of the data."""

    def data_details(self, split: str, marks: Mapping[str, Mark]) -> dict[str, Any]:
        """Return what the JSON says of the data; plain values."""
