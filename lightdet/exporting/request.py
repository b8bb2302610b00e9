"""What ``lightdet export`` was asked, and what of it cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from lightdet.errors import UserError
from lightdet.inference.export_card import FilePrecision
from lightdet.model_kind import is_export

Kind = Literal["onnx", "openvino"]
SUFFIXES: dict[Kind, str] = {"onnx": ".onnx", "openvino": ".xml"}
CALIBRATION_PICTURES = 300


@dataclass(frozen=True)
class ExportRequest:
    """What ``lightdet export`` was asked.

    Attributes:
        weights: the checkpoint.
        kind: ``onnx`` or ``openvino``.
        output: the file, ``.onnx`` or ``.xml``; None: beside the checkpoint, under its name.
        imgsz: side of the input; None: the training's.
        batch: pictures that the file takes at once; None: any number.
        dynamic_size: it takes any sides in multiples of 32.
        nms: put non-maximum suppression into the network.
        precision: number format.
        agnostic: boxes of different classes suppress each other, too, when the file is used.
        confidence, iou, max_detections: thresholds that go into the file; with `nms` they are fixed there.
        data: the data set that calibrates (training pictures), proves and scores; None: rendered pictures prove.
        data_root: replaces the root of its YAML.
        split: what 8 bits are scored on.
        calibration: most training pictures that set the ranges of 8 bits.
        max_drop: largest loss of mAP@0.5:0.95 by 8 bits, in points (hundredths).
    """

    weights: Path
    kind: Kind = "onnx"
    output: Path | None = None
    imgsz: int | None = None
    batch: int | None = 1
    dynamic_size: bool = False
    nms: bool = False
    precision: FilePrecision = "fp32"
    confidence: float | None = None
    iou: float | None = None
    agnostic: bool = False
    max_detections: int | None = None
    data: Path | None = None
    data_root: Path | None = None
    split: str = "val"
    calibration: int = CALIBRATION_PICTURES
    max_drop: float = 1.0


def check_request(request: ExportRequest) -> None:
    """Refuse what cannot be, before anything is read.

    Raises:
        UserError: see `Export`.
    """
    if not request.weights.is_file():
        folder = request.weights.is_dir()
        raise UserError("is a folder; give the .safetensors in it" if folder else "no such file", path=request.weights)
    if is_export(request.weights):
        raise UserError("is an export already; give the checkpoint (best.safetensors)", path=request.weights)
    suffix = SUFFIXES[request.kind]
    if request.output is not None and request.output.suffix.lower() != suffix:
        raise UserError(f"the file for {request.kind} must end in {suffix}", path=request.output)
    if request.output is not None and request.output.is_dir():
        raise UserError("is a folder; name a file in it", path=request.output)
    if request.precision == "bf16" and request.kind == "onnx":
        raise UserError("ONNX Runtime does not compute in bf16 on processors; take --format openvino, or fp32")
    if request.precision == "int8" and request.data is None:
        raise UserError("--precision int8 is calibrated and scored on pictures: give --data")
    if request.precision == "int8" and request.nms:
        raise UserError(
            "--nms and --precision int8 exclude each other: 8 bits are scored down to 0.001; leave out --nms"
        )
    if request.precision == "int8" and request.dynamic_size:
        raise UserError("--dynamic-size and --precision int8 exclude each other; export each size that you need")


def check_installed(request: ExportRequest) -> None:
    """Say what is missing before the work begins.

    Raises:
        UserError: a package of the extra ``export`` is not installed.
    """
    wanted = ["onnx", "onnxscript", "onnxruntime" if request.kind == "onnx" else "openvino"]
    if request.precision == "int8" and request.kind == "openvino":
        wanted.append("nncf")
    missing = [name for name in wanted if find_spec(name) is None]
    if missing:
        raise UserError(f"exporting needs {', '.join(missing)}: pip install 'lightdet[export]'")
