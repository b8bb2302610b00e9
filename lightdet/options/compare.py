"""The options of ``lightdet compare``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from lightdet.options.base import AnyPath, Options
from lightdet.options.ranges import between
from lightdet.options.shared import (
    HIDDEN,
    ClusterAddress,
    DataFile,
    DataRoot,
    Device,
    Engine,
    Epochs,
    Json,
    Minutes,
    OnError,
    OutputFolder,
    Overrides,
    Progress,
    Split,
    Threads,
    TrainBatch,
    TrainImgsz,
    check_engine,
)
from lightdet.options.train import training_settings


@dataclass(frozen=True)
class CompareOptions(Options):
    """The options of `lightdet.compare`."""

    data: DataFile
    models: Annotated[
        Sequence[str],
        HIDDEN,
        Parameter(help="Configurations (.yaml) to train and trained models (.safetensors), each FILE or NAME=FILE."),
    ] = ()
    _: KW_ONLY
    config: Annotated[
        Sequence[str],
        Parameter(name=("--config", "-c"), metavar="[NAME=]FILE", help="Another configuration to train."),
    ] = ()
    weights: Annotated[
        Sequence[str],
        Parameter(
            name=("--weights", "-w"),
            metavar="[NAME=]FILE",
            help="Another trained model, also by URL; with the same NAME: another run.",
        ),
    ] = ()
    predictions: Annotated[
        Sequence[str], Parameter(metavar="[NAME=]FILE", help="Another program's detections as COCO JSON: one row.")
    ] = ()
    model_list: Annotated[
        AnyPath | None,
        Parameter(name="--models", metavar="FILE", help="YAML list of models with their own settings."),
    ] = None
    seeds: Annotated[
        Sequence[int | str],
        Parameter(metavar="S,S,…", help="Seeds to train each configuration with (0,1,2 or 0 1 2); default 0."),
    ] = ()
    seeds_for: Annotated[Sequence[str], Parameter(metavar="NAME=S,S,…", help="Other seeds for one configuration.")] = ()
    epochs: Epochs = None
    minutes: Annotated[Minutes, Parameter(help="Time limit for each training, instead of --epochs.")] = None
    imgsz: TrainImgsz = None
    batch: TrainBatch = None
    data_root: DataRoot = None
    split: Annotated[
        Split,
        Parameter(
            help="Which split to score on (val); of classifiers, all are: which one to show first (test, else val)."
        ),
    ] = ""
    device: Device = "auto"
    together: Annotated[int, Parameter(metavar="N", validator=between(1, 64), help="Number of parallel trainings.")] = 1
    engine: Engine = "processes"
    address: ClusterAddress = None
    take: Annotated[
        Literal["last", "best"], Parameter(help="Weights of the last epoch, or of the one that scored best.")
    ] = "last"
    train: Annotated[
        bool,
        Parameter(negative="--no-train", help="Train what is missing, or only write the page with what is finished."),
    ] = True
    pictures: Annotated[
        int, Parameter(metavar="N", validator=between(0, 100), help="Pictures to show side by side.")
    ] = 6
    runs: Annotated[int, Parameter(metavar="N", validator=between(1, 100_000), help="Pictures to time per model.")] = 50
    threads: Annotated[Threads, Parameter(help="CPU threads for the timing.")] = None
    output: OutputFolder = "runs/compare"
    on_error: OnError = "fail"
    json: Json = None
    overrides: Overrides = ()
    command: Annotated[str, HIDDEN, Parameter(help="The command that the page names.")] = "lightdet.compare"
    progress: Progress = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_engine(self.engine, self.address)

    def settings(self) -> list[str]:
        """Return the settings for every configuration, each as ``key.path=value``."""
        return [*training_settings(self), *self.overrides]
