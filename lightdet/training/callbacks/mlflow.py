"""MLflow: a training as a run of an experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightdet.errors import UserError
from lightdet.files import write_text
from lightdet.missing import how_to_install
from lightdet.training.callbacks.base import Callback, TrainingRun, numbers, take_up
from lightdet.training.result import TrainResult

KEPT = "mlflow.txt"


class MLflow(Callback):
    """Logs configuration, numbers by epoch and the best model to MLflow; a resumed training continues its run.

    Args:
        experiment: its name.
        uri: the tracking server, or a folder as ``file:///…``; None: MLflow's own setting.
        models: also log the files of the best model.

    Raises:
        UserError: MLflow is not installed.
    """

    def __init__(self, experiment: str = "lightdet", *, uri: str | None = None, models: bool = True) -> None:
        try:
            import mlflow  # noqa: PLC0415 - an extra
        except ImportError:
            raise UserError(f"MLflow is not installed: {how_to_install('mlflow')}") from None
        self._mlflow, self.experiment, self.uri, self.models = mlflow, experiment, uri, models

    def on_train_begin(self, run: TrainingRun) -> None:
        """Start a run, or continue the earlier one."""
        if self.uri is not None:
            self._mlflow.set_tracking_uri(self.uri)
        self._mlflow.set_experiment(self.experiment)
        before = take_up(run, KEPT)
        started = self._mlflow.start_run(run_id=before, run_name=None if before else run.folder.name)
        write_text(run.folder / KEPT, started.info.run_id)
        for section, values in {} if before else run.config.items():  # a hundred at most go together
            keys = values if isinstance(values, Mapping) else {"": values}
            self._mlflow.log_params({f"{section}.{key}".rstrip("."): value for key, value in keys.items()})

    def on_epoch_end(self, record: Mapping[str, Any]) -> None:
        """Log every number."""
        self._mlflow.log_metrics(numbers(record), step=record["epoch"])

    def on_train_end(self, result: TrainResult) -> None:
        """Log the best model, and end the run."""
        if self.models and result.best.is_file():
            self._mlflow.log_artifact(str(result.best))
        self._mlflow.end_run("KILLED" if result.stopped else "FINISHED")

    def on_train_failed(self, error: BaseException, saved: bool) -> None:
        """End the run as failed."""
        self._mlflow.end_run("FAILED")
