"""``lightdet.export``."""

from __future__ import annotations

from typing import Literal

from lightdet.api.arguments import AnyPath, as_path, at_least, maybe_path, one_of
from lightdet.display.progress import Bar
from lightdet.errors import UserError
from lightdet.exporting.request import CALIBRATION_PICTURES, SUFFIXES, ExportRequest
from lightdet.inference.export_card import FilePrecision
from lightdet.runs.export import Export, ExportOutcome

PRECISIONS = ("fp32", "fp16", "bf16", "int8")


def export(
    model: AnyPath,
    *,
    format: Literal["onnx", "openvino"] = "onnx",
    precision: FilePrecision = "fp32",
    data: AnyPath | None = None,
    output: AnyPath | None = None,
    imgsz: int | None = None,
    batch: int | None = 1,
    dynamic_size: bool = False,
    nms: bool = False,
    confidence: float | None = None,
    iou: float | None = None,
    agnostic: bool = False,
    max_detections: int | None = None,
    split: str = "val",
    calibration: int = CALIBRATION_PICTURES,
    max_drop: float = 1.0,
    data_root: AnyPath | None = None,
    progress: bool = True,
) -> ExportOutcome:
    """Export a trained model to ONNX or OpenVINO and prove that it finds the same, as ``lightdet export`` does.

    >>> exported = lightdet.export("best.safetensors", data="mine.yaml", output="best.onnx")
    >>> exported.path.name, exported.card.precision
    ('best.onnx', 'fp32')

    Args:
        model: a trained model (.safetensors).
        format: ``onnx`` or ``openvino``.
        precision: number format: ``fp32``, ``fp16``, ``bf16`` (OpenVINO alone) or ``int8`` (needs `data`).
        data: a data set whose pictures prove the export, and calibrate 8 bits; else rendered pictures prove it.
        output: the file, ending in .onnx or .xml; by default beside `model`.
        imgsz: side of the input in pixels, a multiple of 32; by default the training's.
        batch: pictures that the file takes at once, at least 1; None: any number.
        dynamic_size: take any sides in multiples of 32.
        nms: of a detector, put non-maximum suppression into the network.
        confidence, iou: of a detector, thresholds that go into the file, in [0, 1].
        agnostic: of a detector, boxes of different classes suppress each other, too.
        max_detections: of a detector, most boxes per picture, at least 1.
        split: of `data`, for proof and score.
        calibration: training pictures that int8 looks at, at least 1.
        max_drop: most points of mAP@0.5:0.95 (a classifier: accuracy) that int8 may lose, in [0, 100].
        data_root: where the data set lies; replaces its YAML's root.
        progress: show a bar.

    Returns:
        ``path``, ``bytes``, ``card`` (what the file says of itself), ``told`` (the proof in a line), ``as_dict()``.

    Raises:
        UserError: the proof fails (nothing is written then); options that exclude each other; a package is missing.
    """
    one_of(format, tuple(SUFFIXES), "format")
    one_of(precision, PRECISIONS, "precision")
    at_least(1, batch=batch, max_detections=max_detections, calibration=calibration)
    at_least(0, confidence=confidence, iou=iou, max_drop=max_drop)
    if split != "val" and data is None:
        raise UserError("split is one of the data set's: give data as well")
    job = Export(
        ExportRequest(
            weights=as_path(model, "model"),
            kind=format,
            output=maybe_path(output, "output"),
            imgsz=imgsz,
            batch=batch,
            dynamic_size=dynamic_size,
            nms=nms,
            precision=precision,
            confidence=confidence,
            iou=iou,
            agnostic=agnostic,
            max_detections=max_detections,
            data=maybe_path(data, "data"),
            data_root=maybe_path(data_root, "data_root"),
            split=split,
            calibration=calibration,
            max_drop=max_drop,
        )
    )
    with Bar("export", shown=progress) as bar:
        return job.run(bar)
