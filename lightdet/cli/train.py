"""``lightdet train``: from a data set to a trained model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from lightdet.cli.common import (
    Data,
    DataRoot,
    Device,
    Epochs,
    Json,
    OnError,
    OnErrorOption,
    OptionalConfig,
    Output,
    Overrides,
    Seed,
    TrainBatch,
    TrainImgsz,
)


def train(
    data: Data,
    overrides: Overrides = None,
    config: OptionalConfig = None,
    data_root: DataRoot = None,
    imgsz: TrainImgsz = None,
    batch: TrainBatch = None,
    epochs: Epochs = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=0.01, metavar="M", help="Instead of --epochs: end this long after the start."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            "-w",
            metavar="FILE",
            help="Begin with a trained model (best.safetensors): its network, its weights as far as they fit; "
            "classes may be others.",
        ),
    ] = None,
    device: Device = "auto",
    seed: Seed = None,
    output: Output = Path("runs/train"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in --output.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start anew in an --output that holds one.")] = False,
    on_error: OnErrorOption = OnError.fail,
    json: Json = None,
) -> None:
    """Train a detector, or a classifier where the configuration says 'task: classify'.

    Leaves best.safetensors, last.safetensors and results.csv in --output.
    """
    from lightdet.runs.train import TrainingDisplay, TrainRequest
    from lightdet.runs.train import train as run
    from lightdet.tasks import Task

    began = time.perf_counter()
    flags = {"imgsz": imgsz, "train.batch": batch, "train.epochs": epochs, "train.minutes": minutes, "train.seed": seed}
    changes = [f"{key}={value}" for key, value in flags.items() if value is not None]
    request = TrainRequest(
        data=data,
        config=config,
        data_root=data_root,
        overrides=[*changes, *(overrides or [])],
        device=device,
        output=output,
        resume=resume,
        overwrite=overwrite,
        skip_broken=on_error is OnError.skip,
        json=json,
        weights=weights,
    )

    def show(task: Task, first: bool) -> TrainingDisplay:
        from lightdet.display.progress import lines_console
        from lightdet.display.training import TrainDisplay

        return TrainDisplay(lines_console(quiet=not first), task)

    if run(request, show, began).stopped:
        raise typer.Exit(130)
