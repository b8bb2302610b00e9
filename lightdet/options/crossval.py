"""The options of ``lightdet crossval``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from cyclopts import Parameter

from lightdet.errors import UserError
from lightdet.options.base import Options
from lightdet.options.calibrate import BadClasses, EscapeRate, FalseRejectRate, Kind, MinSize, PerClass
from lightdet.options.ranges import between
from lightdet.options.shared import (
    Agnostic,
    ClusterAddress,
    ConfigFile,
    DataFile,
    DataRoot,
    Device,
    Engine,
    Epochs,
    Json,
    Minutes,
    OnError,
    OutputFolder,
    Overlap,
    Overrides,
    Precision,
    Progress,
    Rect,
    Seed,
    Tile,
    TrainBatch,
    TrainImgsz,
    check_engine,
)
from lightdet.options.train import training_settings


@dataclass(frozen=True)
class CrossvalOptions(Options):
    """The options of `lightdet.cross_validate`."""

    data: DataFile
    _: KW_ONLY
    config: ConfigFile = None
    folds: Annotated[
        int,
        Parameter(metavar="K", validator=between(2, 100), help="Number of folds; each is left out of one training."),
    ] = 5
    split: Annotated[
        Sequence[str],
        Parameter(
            metavar="NAME",
            help="A split to take pictures from (repeat it for several); default: train, and val if there is one.",
        ),
    ] = ()
    escape_rate: Annotated[
        EscapeRate, Parameter(help="Cross-calibrate: at most this share of bad parts passes (an estimate).")
    ] = None
    false_reject_rate: Annotated[
        FalseRejectRate, Parameter(help="Or: at most this share of good parts is rejected (an estimate).")
    ] = None
    confidence: Annotated[float, Parameter(metavar="SHARE", help="Confidence of the estimate.")] = 0.95
    per_class: Annotated[PerClass, Parameter(help="One threshold per class, each for its own defects.")] = False
    min_size: MinSize = 0.0
    bad: BadClasses = ()
    final: Annotated[
        bool, Parameter(negative="--no-final", help="Also train a model on all pictures, which gets the threshold.")
    ] = True
    epochs: Epochs = None
    minutes: Annotated[Minutes, Parameter(help="Time limit for each training, instead of --epochs.")] = None
    imgsz: TrainImgsz = None
    batch: TrainBatch = None
    seed: Annotated[Seed, Parameter(help="Seed of the folds and of every training.")] = None
    data_root: DataRoot = None
    precision: Precision = None
    agnostic: Agnostic = False
    rect: Rect = False
    tile: Tile = None
    overlap: Overlap = None
    device: Device = "auto"
    together: Annotated[int, Parameter(metavar="N", validator=between(1, 64), help="Number of parallel trainings.")] = 1
    engine: Engine = "processes"
    address: ClusterAddress = None
    output: OutputFolder = "runs/crossval"
    on_error: OnError = "fail"
    json: Json = None
    overrides: Overrides = ()
    progress: Progress = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_engine(self.engine, self.address)
        if self.escape_rate is not None and self.false_reject_rate is not None:
            raise UserError("give either --escape-rate or --false-reject-rate")
        if self.per_class and self.kind is None:
            raise UserError("--per-class is about the threshold: give --escape-rate as well")

    @property
    def kind(self) -> Kind | None:
        """Which rate is to be kept; None: no threshold is chosen."""
        if self.escape_rate is not None:
            return "escape_rate"
        return None if self.false_reject_rate is None else "false_reject_rate"

    @property
    def target(self) -> float:
        """Its largest value, in (0, 1); 0: none is asked for."""
        return float((self.false_reject_rate if self.escape_rate is None else self.escape_rate) or 0.0)

    def settings(self) -> list[str]:
        """Return the settings for the configuration, each as ``key.path=value``."""
        return [*training_settings(self), *self.overrides]
