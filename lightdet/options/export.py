"""What ``lightdet export`` takes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from lightdet.errors import UserError
from lightdet.inference.formats import FilePrecision
from lightdet.options.base import AnyPath, Options
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
        Parameter(name=("--weights", "-w"), metavar="FILE", help="Trained model (best.safetensors)."),
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
            help="Pictures at once, or 'dynamic'.",
        ),
    ] = 1
    dynamic_size: Annotated[bool, Parameter(help="Take any sides in multiples of 32, not one size alone.")] = False
    nms: Annotated[bool, Parameter(help="Put non-maximum suppression into the network.")] = False
    confidence: Annotated[float | None, Share, Parameter(help="Lowest score; goes into the file; default 0.25.")] = None
    iou: Annotated[Iou, Parameter(help="NMS threshold; goes into the file; default 0.55.")] = None
    agnostic: Agnostic = False
    max_detections: Annotated[MaxDetections, Parameter(help="Most boxes; goes into the file; default 300.")] = None
    data: OptionalData = None
    data_root: DataRoot = None
    split: Annotated[Split, Parameter(help="Which split of the data set proves and scores.")] = "val"
    calibration: Annotated[
        int,
        Parameter(metavar="N", validator=between(1, 100_000), help="Training pictures that int8 looks at."),
    ] = CALIBRATION_PICTURES
    max_drop: Annotated[
        float,
        Parameter(
            metavar="POINTS",
            validator=between(0, 100),
            help="Most mAP@0.5:0.95 or accuracy that int8 may lose.",
        ),
    ] = 1.0
    json: Json = None
    progress: Progress = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split != "val" and self.data is None:
            raise UserError("--split is one of the data set's: give --data as well")

    @property
    def fixed_batch(self) -> int | None:
        """Pictures that the file takes at once; None: any number."""
        return None if self.batch == "dynamic" else int(self.batch)
