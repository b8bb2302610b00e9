"""The options of ``lightdet explain``."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from lightdet.options.base import Options
from lightdet.options.ranges import between
from lightdet.options.shared import (
    Confidence,
    Device,
    Imgsz,
    Iou,
    Json,
    MaxDetections,
    ModelFile,
    OnError,
    OptionalOutput,
    Progress,
    Recursive,
    Sources,
)


@dataclass(frozen=True)
class ExplainOptions(Options):
    """The options of `lightdet.explain`."""

    sources: Annotated[
        Sources, Parameter(help="Pictures, folders, globs ('in/**/*.png'), .txt lists; also URLs, archives.")
    ]
    weights: ModelFile
    _: KW_ONLY
    class_name: Annotated[
        str | None,
        Parameter(name="--class", metavar="NAME", help="Explain this class: all of its boxes, or the best candidate."),
    ] = None
    box: Annotated[
        int | None,
        Parameter(
            metavar="N",
            validator=between(1),
            help="Explain this box: 1 has the highest score, as in detect.",
        ),
    ] = None
    top: Annotated[
        int | None,
        Parameter(
            metavar="N",
            validator=between(1, 300),
            help="How many of the best boxes (default 3) or likeliest classes (1) to explain.",
        ),
    ] = None
    method: Annotated[
        Literal["hires-cam", "grad-cam"],
        Parameter(help="hires-cam points at the evidence; grad-cam is the original from 2017."),
    ] = "hires-cam"
    imgsz: Imgsz = None
    confidence: Confidence = None
    iou: Iou = None
    max_detections: Annotated[MaxDetections, Parameter(parse=False)] = None
    device: Device = "auto"
    recursive: Recursive = False
    output: OptionalOutput = None
    overwrite: Annotated[bool, Parameter(help="Replace overlays in --output.")] = False
    on_error: OnError = "fail"
    json: Json = None
    progress: Progress = True
