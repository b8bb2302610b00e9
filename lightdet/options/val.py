"""The options of ``lightdet val``."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from cyclopts import Parameter

from lightdet.options.base import NEEDED, AnyPath, Options, Then
from lightdet.options.ranges import between
from lightdet.options.shared import (
    Agnostic,
    Batch,
    DataFile,
    DataRoot,
    Device,
    Imgsz,
    Json,
    NoPromise,
    OnError,
    OptionalModel,
    OptionalOutput,
    Overlap,
    Overrides,
    Precision,
    Predictions,
    Progress,
    Rect,
    Split,
    Threads,
    Tile,
    ZonesFile,
)
from lightdet.storage.kept import local_file


@dataclass(frozen=True)
class ValOptions(Options):
    """The options of `lightdet.validate`."""

    weights: OptionalModel = None
    data: Annotated[DataFile, Parameter(required=True)] = NEEDED
    _: KW_ONLY
    predictions: Predictions = None
    against: Annotated[
        AnyPath | None,
        Parameter(
            metavar="FILE",
            help="An older model to compare with on the same pictures; exit code 1 unless the new one is shown to be "
            "better.",
        ),
        Then(local_file),
    ] = None
    split: Split = "val"
    data_root: DataRoot = None
    imgsz: Imgsz = None
    batch: Batch = None
    device: Device = "auto"
    precision: Precision = None
    threads: Threads = None
    agnostic: Agnostic = False
    rect: Rect = False
    tile: Tile = None
    overlap: Overlap = None
    zones: ZonesFile = None
    no_promise: NoPromise = False
    output: OptionalOutput = None
    pictures: Annotated[
        int,
        Parameter(
            metavar="N", validator=between(0, 200), help="How many of the worst misses and false alarms to show."
        ),
    ] = 8
    on_error: OnError = "fail"
    json: Json = None
    overrides: Overrides = ()
    progress: Progress = True
