"""What a cross-validation needs from its models' task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lightdet.arrays import AnyArray, IntArray
    from lightdet.crossval.results import Figure


class Folding(Protocol):
    """How folds are evened out, which numbers are shown, how predictions are kept; see `lightdet.tasks.task.Task`."""

    def classes_in(self, truth: Any) -> IntArray:
        """The classes that a labelled picture shows: int64 ``[K]``, possibly none."""
        ...

    def figures(self, metrics: Mapping[str, Any]) -> list[Figure]:
        """The numbers to show of an evaluation (its metrics as plain values), the headline first."""
        ...

    def by_class(self, metrics: Mapping[str, Any]) -> tuple[str, dict[str, float | None]]:
        """The number that is shown for each class: its title, and the values by class name."""
        ...

    def packed(self, found: Sequence[Any]) -> dict[str, AnyArray]:
        """Return predictions as arrays, which `unpacked` reads."""
        ...

    def unpacked(self, arrays: Mapping[str, AnyArray], names: tuple[str, ...]) -> list[Any]:
        """Return the predictions of `packed`; `names` are the classes by label.

        Raises:
            ValueError, KeyError: the arrays do not fit together.
        """
        ...
