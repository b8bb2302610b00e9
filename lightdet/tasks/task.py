"""What a task must be able to say: all that differs between boxes in pictures and classes of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lightdet.card import TaskName
    from lightdet.config import YamlFile
    from lightdet.data.spec import DatasetSpec, OnError
    from lightdet.errors import UserError


class Task(Protocol):
    """One of the two halves: detection or classification.

    Whoever runs a verb asks the task that its model, its configuration or its data set belongs to
    (`lightdet.tasks.task_of_model` and its neighbours), and never which of the two it is. A task imports torch only
    where a network is wanted.
    """

    @property
    def name(self) -> TaskName:
        """What the configuration's key ``task`` calls it."""
        ...

    @property
    def noun(self) -> str:
        """What does it: ``detector`` or ``classifier``."""
        ...

    def configuration(self, file: YamlFile, overrides: Sequence[str] = ()) -> Any:
        """Check a run's configuration with ``key.path=value`` overrides.

        Raises:
            UserError: anything wrong with it.
        """
        ...

    def check_dataset(self, spec: DatasetSpec) -> None:
        """Refuse a data set of the other task.

        Raises:
            UserError: it is.
        """
        ...

    def read_split(
        self, spec: DatasetSpec, split: str, *, on_error: OnError = "fail"
    ) -> tuple[list[Any], list[UserError]]:
        """Read the truth of a split: an `Annotation` or an `ImageLabel` per picture, and what was left out.

        Raises:
            UserError: the first fault, or none is left; a data set of the other task.
        """
        ...
