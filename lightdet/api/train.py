"""``lightdet.train``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lightdet.api.arguments import AnyPath, OnError, as_path, changed, maybe_path, skips
from lightdet.runs.train import QuietDisplay, TrainingDisplay, TrainRequest
from lightdet.runs.train import train as run
from lightdet.training.result import TrainResult

if TYPE_CHECKING:
    from lightdet.tasks import Task


def train(
    data: AnyPath,
    *,
    imgsz: int | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    batch: int | None = None,
    output: AnyPath = "runs/train",
    config: AnyPath | None = None,
    weights: AnyPath | None = None,
    seed: int | None = None,
    device: str = "auto",
    data_root: AnyPath | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_error: OnError = "fail",
    callbacks: Sequence[Any] = (),
    progress: bool = True,
    **changes: Any,
) -> TrainResult:
    """Train a detector, or with ``task="classify"`` a classifier, as ``lightdet train`` does.

    >>> run = lightdet.train("mine.yaml", imgsz=64, epochs=1, batch=4, output="runs/x", progress=False)
    >>> run.best.name, 0 <= run.metrics.map50 <= 1, len(run.history)
    ('best.safetensors', True, 1)

    Args:
        data: the data set, a YAML file.
        imgsz: side of the network input in pixels, a multiple of 32; by default the configuration's.
        epochs: rounds over the training pictures, at least 1; by default the configuration's.
        minutes: instead of `epochs`, end this long after the call.
        batch: pictures per batch, at least 1; by default the configuration's.
        output: folder for what is written: best.safetensors, last.safetensors, results.csv, training.html.
        config: a configuration, a YAML file.
        weights: a trained model to begin with: its network, its weights as far as they fit.
        seed: of all that is drawn, from 0.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        data_root: where the data set lies; replaces its YAML's root.
        resume: go on with the training in `output`.
        overwrite: start anew in an `output` that holds one.
        on_error: of a bad picture or label: ``fail``, or ``skip`` and tell at the end.
        callbacks: objects that hear how it goes and may stop it (`lightdet.Callback`), such as `lightdet.MLflow`.
        progress: show lines and a bar, in a terminal and in a notebook.
        changes: values of the configuration, by section, ``augment={"flip_ud": 0.5}``, or by dotted key,
            ``**{"train.lr": 0.005}``; they stand over `config`.

    Returns:
        The result: ``best`` and ``last`` (model files), ``metrics``, ``history``, ``stopped``.

    Raises:
        UserError: anything wrong with data, configuration or folder; a key given twice with different values.
    """
    began = time.perf_counter()
    named = {
        "imgsz": imgsz,
        "train.epochs": epochs,
        "train.minutes": minutes,
        "train.batch": batch,
        "train.seed": seed,
    }
    request = TrainRequest(
        data=as_path(data, "data"),
        config=maybe_path(config, "config"),
        data_root=maybe_path(data_root, "data_root"),
        device=device,
        output=as_path(output, "output"),
        resume=resume,
        overwrite=overwrite,
        skip_broken=skips(on_error),
        weights=maybe_path(weights, "weights"),
        changes=changed(changes, named),
        callbacks=callbacks,
    )
    return run(request, _display(progress), began)


def _display(progress: bool) -> Callable[[Task, bool], TrainingDisplay]:
    def show(task: Task, first: bool) -> TrainingDisplay:
        if not progress:
            return QuietDisplay()
        from lightdet.display.progress import lines_console  # noqa: PLC0415 - torch, now that all is checked
        from lightdet.display.training import TrainDisplay  # noqa: PLC0415

        return TrainDisplay(lines_console(quiet=not first), task)

    return show
