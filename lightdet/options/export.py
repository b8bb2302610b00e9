"""The options of ``lightdet export``."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from lightdet.errors import UserError
from lightdet.inference.formats import FilePrecision
from lightdet.options.base import AnyPath, Options, Then
from lightdet.options.ranges import between
from lightdet.options.shared import (
    Agnostic,
    DataRoot,
    Imgsz,
    Iou,
    Json,
    MaxDetections,
    OptionalData,
    Progress,
    Share,
    Split,
)
from lightdet.storage.kept import local_file

FileFormat: TypeAlias = Literal["onnx", "openvino"]
CALIBRATION_PICTURES = 300


def _number_or_dynamic(declared: object, value: int | str) -> None:
    if value != "dynamic" and not (isinstance(value, int) and 1 <= value <= 1024):
        raise ValueError(f"'{value}' is neither a number from 1 to 1024 nor 'dynamic'")


@dataclass(frozen=True)
class ExportOptions(Options):
    """The options of `lightdet.export`."""

    weights: Annotated[
        AnyPath,
        Parameter(name=("--weights", "-w"), metavar="FILE", help="Trained model (best.safetensors); also a URL."),
        Then(local_file),
    ]
    _: KW_ONLY
    format: Annotated[
        FileFormat, Parameter(name=("--format", "-f"), help="onnx (ONNX Runtime) or openvino (OpenVINO).")
    ] = "onnx"
    output: Annotated[
        AnyPath | None,
        Parameter(
            name=("--output", "-o"), metavar="FILE", help="The file, .onnx or .xml; default: beside the checkpoint."
        ),
    ] = None
    precision: Annotated[FilePrecision, Parameter(help="Number format; int8 needs --data.")] = "fp32"
    imgsz: Imgsz = None
    batch: Annotated[
        int | Literal["dynamic"],
        Parameter(
            name=("--batch", "-b"),
            metavar="N",
            validator=_number_or_dynamic,
            help="Pictures per batch, or 'dynamic'.",
        ),
    ] = 1
    dynamic_size: Annotated[bool, Parameter(help="Accept any sides in multiples of 32, not only one size.")] = False
    nms: Annotated[bool, Parameter(help="Put NMS into the network.")] = False
    confidence: Annotated[
        float | None, Share, Parameter(help="Lowest score, stored in the file; default: the model's, 0.25.")
    ] = None
    iou: Annotated[Iou, Parameter(help="NMS threshold, stored in the file; default 0.55.")] = None
    agnostic: Agnostic = False
    max_detections: Annotated[
        MaxDetections, Parameter(help="Most boxes per picture, stored in the file; default 300.")
    ] = None
    data: OptionalData = None
    data_root: DataRoot = None
    split: Annotated[Split, Parameter(help="The split to verify and score on.")] = "val"
    calibration: Annotated[
        int,
        Parameter(metavar="N", validator=between(1, 100_000), help="Training pictures that int8 is calibrated on."),
    ] = CALIBRATION_PICTURES
    max_drop: Annotated[
        float,
        Parameter(
            metavar="POINTS",
            validator=between(0, 100),
            help="Largest loss of mAP@0.5:0.95 or accuracy allowed for int8.",
        ),
    ] = 1.0
    json: Json = None
    progress: Progress = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split != "val" and self.data is None:
            raise UserError("--split names a split of the data set: give --data as well")

    @property
    def fixed_batch(self) -> int | None:
        """The batch size that the file takes; None: any."""
        return None if self.batch == "dynamic" else int(self.batch)
