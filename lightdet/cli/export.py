"""``lightdet export``: a checkpoint for use without torch."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightdet.cli.common import Agnostic, DataRoot, Imgsz, Json, OptionalData
from lightdet.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.runs.export import ExportOutcome


class Format(StrEnum):
    """What runs the file."""

    onnx = "onnx"
    openvino = "openvino"


class FilePrecision(StrEnum):
    """Number format that a file is made for."""

    fp32 = "fp32"
    fp16 = "fp16"
    bf16 = "bf16"
    int8 = "int8"


def check_batch(value: str) -> str:
    """Accept a number from 1 on, or ``dynamic``."""
    if value != "dynamic" and not (value.isdecimal() and 1 <= int(value) <= 1024):
        raise typer.BadParameter(f"'{value}' is neither a number from 1 to 1024 nor 'dynamic'")
    return value


def export(
    weights: Annotated[
        Path,
        typer.Option("--weights", "-w", metavar="FILE", help="Trained model (best.safetensors).", show_default=False),
    ],
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="onnx (ONNX Runtime) or openvino (OpenVINO).")
    ] = Format.onnx,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The file, .onnx or .xml; default: beside the checkpoint."),
    ] = None,
    precision: Annotated[
        FilePrecision, typer.Option("--precision", help="Number format; int8 needs --data.")
    ] = FilePrecision.fp32,
    imgsz: Imgsz = None,
    batch: Annotated[
        str, typer.Option("--batch", "-b", metavar="N", callback=check_batch, help="Pictures at once, or 'dynamic'.")
    ] = "1",
    dynamic_size: Annotated[
        bool, typer.Option("--dynamic-size", help="Take any sides in multiples of 32, not one size alone.")
    ] = False,
    nms: Annotated[bool, typer.Option("--nms", help="Put non-maximum suppression into the network.")] = False,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence", min=0.0, max=1.0, metavar="P", help="Lowest score; goes into the file; default 0.25."
        ),
    ] = None,
    iou: Annotated[
        float | None,
        typer.Option("--iou", min=0.0, max=1.0, metavar="P", help="NMS threshold; goes into the file; default 0.55."),
    ] = None,
    agnostic: Agnostic = False,
    max_detections: Annotated[
        int | None,
        typer.Option(
            "--max-detections", min=1, max=10_000, metavar="N", help="Most boxes; goes into the file; default 300."
        ),
    ] = None,
    data: OptionalData = None,
    data_root: DataRoot = None,
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="Which split of the data set proves and scores.")
    ] = "val",
    calibration: Annotated[
        int,
        typer.Option("--calibration", min=1, max=100_000, metavar="N", help="Training pictures that int8 looks at."),
    ] = 300,
    max_drop: Annotated[
        float,
        typer.Option(
            "--max-drop", min=0.0, max=100.0, metavar="POINTS", help="Most mAP@0.5:0.95 or accuracy that int8 may lose."
        ),
    ] = 1.0,
    json: Json = None,
) -> None:
    """Export a trained model to ONNX or OpenVINO, and prove that it finds the same.

    The file is written only if it gives the checkpoint's detections, or a classifier's probabilities: on pictures of
    --data, else on rendered ones.
    With int8 the loss of mAP on --split (of a classifier: of accuracy) is told, and must not pass --max-drop.
    """
    from rich.console import Console

    from lightdet.display.progress import Bar
    from lightdet.exporting.request import ExportRequest
    from lightdet.files import write_json
    from lightdet.runs.export import Export

    if split != "val" and data is None:
        raise UserError("--split is one of the data set's: give --data as well")
    request = ExportRequest(
        weights=weights,
        kind=format_.value,
        output=output,
        imgsz=imgsz,
        batch=None if batch == "dynamic" else int(batch),
        dynamic_size=dynamic_size,
        nms=nms,
        precision=precision.value,
        confidence=confidence,
        iou=iou,
        agnostic=agnostic,
        max_detections=max_detections,
        data=data,
        data_root=data_root,
        split=split,
        calibration=calibration,
        max_drop=max_drop,
    )
    job = Export(request)
    with Bar("export") as bar:
        outcome = job.run(bar)
    _show(Console(), outcome)
    if json is not None:
        write_json(json, outcome.as_dict())


def _show(console: Console, outcome: ExportOutcome) -> None:
    card = outcome.card
    side = f"{card.preprocessing.imgsz} x {card.preprocessing.imgsz}"
    takes = f"any multiples of 32 (trained at {side})" if card.dynamic_size else side
    many = "any number of pictures" if card.batch is None else f"{card.batch} picture{'s' * (card.batch > 1)}"
    made = "" if card.facts["proof"]["computed"] == card.precision else "made for "
    lines = (
        f"{outcome.path}: {outcome.bytes / 1e6:.2f} MB, {made}{card.precision}, takes {many} of {takes}, "
        f"gives {card.outputs}",
        outcome.told,
    )
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
