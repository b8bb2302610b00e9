"""What a training needs from a task: data, trainer, messages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lightdet.assembly.trainer import RunContext
    from lightdet.card import ModelCard
    from lightdet.config import YamlFile
    from lightdet.data.spec import DatasetSpec, OnError
    from lightdet.training.trainer import Trainer


class Training(Protocol):
    """How a network is trained; see `lightdet.tasks.task.Task`."""

    @property
    def score_column(self) -> str:
        """The column of results.csv by which the best epoch and the best trial are chosen."""
        ...

    @property
    def score_words(self) -> str:
        """That number's name, for messages."""
        ...

    def training_data(self, config: Any, spec: DatasetSpec, *, on_error: OnError, **more: Any) -> Any:
        """Read the splits ``train`` and ``val`` and decode their pictures.

        `more` is ``progress`` (it gets pictures done, and in all) and ``complete`` (see
        `lightdet.assembly.training_data.read_training_data`).

        Returns:
            Data with ``names``, ``train``, ``val``, ``skipped``, ``unmeasured`` and ``notes``.

        Raises:
            UserError: the first broken picture or label (unless skipped); nothing to learn from.
        """
        ...

    def trainer(self, config: Any, data: Any, context: RunContext, **more: Any) -> Trainer:
        """Assemble a training; `more` is ``bit_depth`` (of the pictures) and ``start`` (a model file to start from).

        Raises:
            UserError: the settings cannot be combined.
        """
        ...

    def network_of(self, card: ModelCard, weights: Path) -> dict[str, Any]:
        """Return the configuration of the network in a model's card, for a training that starts from its weights.

        Returns:
            The complete ``model`` section, ``imgsz``, and any other settings that belong to the network.

        Raises:
            UserError: the card's network is not valid.
        """
        ...

    def network_config(self, file: YamlFile) -> Any:
        """Check the ``model`` section of a configuration.

        Raises:
            UserError: anything wrong with it.
        """
        ...

    def messages(self) -> Any:
        """Return the module that writes a training's messages, such as `lightdet.training.messages`."""
        ...

    @property
    def enough_steps(self) -> int | None:
        """The steps that a network needs from scratch; None if unknown."""
        ...

    def way_to_train_on(self, config: Any, last: Path) -> str:
        """Say how to continue from the last weights of a training that has ended."""
        ...
