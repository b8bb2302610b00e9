"""The result of a training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightdet.training.checkpoint import Progress


class Scores(Mapping[str, Any]):
    """Numbers by name, also as attributes: ``scores.map50`` is ``scores["map50"]``."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self._values:
            return self._values[name]
        raise AttributeError(f"there is no '{name}'; there are {', '.join(self._values) or 'no scores'}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._values})

    def __repr__(self) -> str:
        numbers = (f"{name}={value:.4g}" for name, value in self.items() if isinstance(value, int | float))
        return f"Scores({', '.join(numbers)})"


@dataclass(frozen=True)
class TrainResult:
    """The result of a training.

    Attributes:
        folder: where its files are.
        progress: how far it got.
        stopped: it was interrupted, and can be resumed.
        values: the result as plain values, as ``lightdet train --json`` writes them.
    """

    folder: Path
    progress: Progress = field(repr=False)
    stopped: bool
    values: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def best(self) -> Path:
        """The model file of the best epoch."""
        return self.folder / "best.safetensors"

    @property
    def last(self) -> Path:
        """The model file of the last epoch."""
        return self.folder / "last.safetensors"

    @property
    def metrics(self) -> Scores:
        """The scores of the best epoch on the split ``val``, in [0, 1]; empty if no epoch was scored.

        For a detector ``map50``, ``map75``, ``map50_95``, ``precision``, ``recall``, …; for a classifier ``accuracy``,
        ``balanced_accuracy``, ``f1``, ``auc`` and ``loss``.
        """
        return Scores(self.progress.best_metrics or {})

    @property
    def history(self) -> list[dict[str, Any]]:
        """One row per epoch, as in ``results.csv``: epoch, minutes, learning rate, losses, scores."""
        return list(self.progress.history)
