"""The options of ``lightdet calibrate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from lightdet.errors import UserError
from lightdet.options.base import NEEDED, AnyPath, Options
from lightdet.options.outputs import model_file
from lightdet.options.shared import (
    Agnostic,
    Batch,
    DataFile,
    DataRoot,
    Device,
    Imgsz,
    Json,
    OnError,
    Overlap,
    Overrides,
    OwnModel,
    Precision,
    Predictions,
    Progress,
    Rect,
    Split,
    Tile,
    ZonesFile,
)

Kind: TypeAlias = Literal["escape_rate", "false_reject_rate"]
EscapeRate = Annotated[
    float | None, Parameter(metavar="SHARE", help="Promise: at most this share of bad parts passes.")
]
FalseRejectRate = Annotated[
    float | None, Parameter(metavar="SHARE", help="Or: at most this share of good parts is rejected.")
]
PromiseConfidence = Annotated[float, Parameter(metavar="SHARE", help="Confidence of the promise.")]
PerClass = Annotated[bool, Parameter(help="One threshold per class, each with the promise for its own defects.")]
MinSize = Annotated[float, Parameter(metavar="PIXELS", help="Defects whose longer side is shorter do not count.")]
BadClasses = Annotated[
    Sequence[str],
    Parameter(metavar="NAME", help="For a classifier: a class of bad parts (for several, repeat it or use commas)."),
]


@dataclass(frozen=True)
class CalibrationOptions(Options):
    """The options of `lightdet.calibrate`."""

    weights: OwnModel = None
    data: Annotated[DataFile, Parameter(required=True)] = NEEDED
    _: KW_ONLY
    predictions: Predictions = None
    escape_rate: EscapeRate = None
    false_reject_rate: FalseRejectRate = None
    confidence: PromiseConfidence = 0.95
    per_class: PerClass = False
    min_size: MinSize = 0.0
    bad: BadClasses = ()
    split: Split = "val"
    data_root: DataRoot = None
    imgsz: Imgsz = None
    batch: Batch = None
    precision: Precision = None
    agnostic: Agnostic = False
    rect: Rect = False
    tile: Tile = None
    overlap: Overlap = None
    zones: ZonesFile = None
    device: Device = "auto"
    output: Annotated[
        AnyPath | None,
        Parameter(
            name=("--output", "-o"),
            metavar="FILE",
            validator=model_file,
            help="Model file to write; default: the --weights file itself.",
        ),
    ] = None
    on_error: OnError = "fail"
    json: Json = None
    overrides: Overrides = ()
    progress: Progress = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.escape_rate is None) == (self.false_reject_rate is None):
            raise UserError("give either --escape-rate or --false-reject-rate, such as --escape-rate 0.01")

    @property
    def kind(self) -> Kind:
        """Which rate is promised."""
        return "false_reject_rate" if self.escape_rate is None else "escape_rate"

    @property
    def target(self) -> float:
        """Its largest value, in (0, 1)."""
        return float((self.false_reject_rate if self.escape_rate is None else self.escape_rate) or 0.0)
