"""Weights & Biases: a training as a run of a project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from lightdet.arrays import Image
from lightdet.errors import UserError
from lightdet.files import write_text
from lightdet.missing import how_to_install
from lightdet.training.callbacks.base import Callback, TrainingRun, numbers, take_up
from lightdet.training.result import TrainResult

KEPT = "wandb.txt"


class WandB(Callback):
    """Logs configuration, numbers by epoch and sheets of pictures; a resumed training continues its run.

    Args:
        project: its name.
        mode: ``online``, ``offline`` (files in the training's folder) or ``disabled``; None: wandb's own setting.

    Raises:
        UserError: wandb is not installed.
    """

    def __init__(
        self, project: str = "lightdet", *, mode: Literal["online", "offline", "disabled"] | None = None
    ) -> None:
        try:
            import wandb  # noqa: PLC0415 - an extra
        except ImportError:
            raise UserError(f"wandb is not installed: {how_to_install('wandb')}") from None
        self._wandb, self.project, self.mode = wandb, project, mode
        self._run: Any = None

    def on_train_begin(self, run: TrainingRun) -> None:
        """Start a run, or continue the earlier one."""
        before = take_up(run, KEPT)
        self._run = self._wandb.init(
            project=self.project,
            name=run.folder.name,
            id=before,
            resume="allow" if before else None,
            dir=str(run.folder),
            config=dict(run.config),
            mode=self.mode,
        )
        write_text(run.folder / KEPT, self._run.id)

    def on_picture(self, name: str, image: Image, epoch: int) -> None:
        """Log a sheet."""
        self._run.log({name: self._wandb.Image(image)}, step=epoch)

    def on_epoch_end(self, record: Mapping[str, Any]) -> None:
        """Log every number."""
        self._run.log(numbers(record), step=record["epoch"])

    def on_train_end(self, result: TrainResult) -> None:
        """End the run."""
        self._run.finish(exit_code=0)

    def on_train_failed(self, error: BaseException, saved: bool) -> None:
        """End the run as failed, if it has begun."""
        if self._run is not None:
            self._run.finish(exit_code=1)
