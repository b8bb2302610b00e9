"""The options of ``lightdet tune``."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from lightdet.options.base import AnyPath, Options
from lightdet.options.ranges import between
from lightdet.options.shared import (
    ConfigFile,
    DataFile,
    DataRoot,
    Device,
    Epochs,
    Json,
    OnError,
    OutputFolder,
    Overrides,
    Progress,
    TrainBatch,
    TrainImgsz,
)
from lightdet.options.train import training_settings


@dataclass(frozen=True)
class TuneOptions(Options):
    """The options of `lightdet.tune`."""

    data: DataFile
    space: Annotated[
        AnyPath,
        Parameter(
            name="--space", metavar="FILE", help="The values to try, a YAML file: 'train.lr: {low: …, high: …}'."
        ),
    ]
    _: KW_ONLY
    config: ConfigFile = None
    sampler: Annotated[
        Literal["tpe", "random", "grid"],
        Parameter(help="tpe learns from earlier trials; random; grid tries every combination."),
    ] = "tpe"
    pruner: Annotated[
        Literal["median", "hyperband", "none"],
        Parameter(help="End bad trials early, by their score after each epoch."),
    ] = "median"
    trials: Annotated[
        int | None,
        Parameter(
            metavar="N", validator=between(1, 100_000), help="Total number of trials; default 20, for a grid all."
        ),
    ] = None
    storage: Annotated[
        str | None, Parameter(metavar="URL", help="Database of the study; default sqlite:///OUTPUT/study.db.")
    ] = None
    study: Annotated[str | None, Parameter(metavar="NAME", help="The study's name in the database.")] = None
    data_root: DataRoot = None
    imgsz: TrainImgsz = None
    batch: TrainBatch = None
    epochs: Epochs = None
    device: Device = "auto"
    seed: Annotated[int, Parameter(metavar="N", validator=between(0, 2**31 - 1), help="Seed of the search.")] = 0
    output: OutputFolder = "runs/tune"
    overwrite: Annotated[bool, Parameter(help="Delete an existing study and start again.")] = False
    on_error: OnError = "fail"
    json: Json = None
    overrides: Overrides = ()
    progress: Progress = True

    def settings(self) -> list[str]:
        """Return the settings for every trial, each as ``key.path=value``; `seed` belongs to the search itself."""
        return [*(text for text in training_settings(self) if not text.startswith("train.seed=")), *self.overrides]
