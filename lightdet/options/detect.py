"""What ``lightdet detect`` takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from cyclopts import Parameter

from lightdet.errors import UserError
from lightdet.inference.formats import FORMATS
from lightdet.options.base import Options, Then
from lightdet.options.ranges import between, words
from lightdet.options.shared import (
    Agnostic,
    Batch,
    Device,
    Imgsz,
    Json,
    MaxDetections,
    ModelFile,
    OnError,
    OptionalOutput,
    Precision,
    Progress,
    Rect,
    Recursive,
    Share,
    Sources,
    Threads,
)

OVERLAP = 0.2


def _in_words(value: Sequence[str]) -> tuple[str, ...]:
    return words([each.lower() for each in value])


def _formats(_declared: object, value: Sequence[str]) -> None:
    for part in _in_words(value):
        if part not in FORMATS:
            raise ValueError(f"'{part}' is none of {', '.join(FORMATS)}")


@dataclass(frozen=True)
class DetectOptions(Options):
    """The options of `lightdet.detect`."""

    sources: Sources
    weights: ModelFile
    _: KW_ONLY
    imgsz: Imgsz = None
    confidence: Annotated[
        float | None, Share, Parameter(help="Lowest score reported; default 0.25, or what an export says.")
    ] = None
    iou: Annotated[float | None, Share, Parameter(help="NMS threshold; default 0.55, between tiles 0.5.")] = None
    agnostic: Agnostic = False
    max_detections: Annotated[MaxDetections, Parameter(help="Most boxes of a picture; default 300, in tiles 1000.")] = (
        None
    )
    device: Device = "auto"
    precision: Precision = None
    threads: Threads = None
    batch: Batch = None
    tile: Annotated[
        int | None,
        Parameter(metavar="PIXELS", validator=between(32), help="Look at tiles of this side: for large pictures."),
    ] = None
    overlap: Annotated[
        float | None,
        Parameter(metavar="SHARE", validator=between(0, 0.9), help="Least overlap of tiles; default 0.2."),
    ] = None
    rect: Rect = False
    recursive: Recursive = False
    max_frames: Annotated[
        int | None, Parameter(metavar="N", validator=between(1), help="Most frames of each video or stream.")
    ] = None
    save: Annotated[
        Sequence[str],
        Parameter(metavar="FORMAT", validator=_formats, help="json, csv, yolo, coco; several: json,csv."),
        Then(_in_words),
    ] = ()
    output: OptionalOutput = None
    overwrite: Annotated[bool, Parameter(help="Replace results that are in --output.")] = False
    images: Annotated[bool, Parameter(negative="--no-images", help="Write marked-up pictures and videos.")] = True
    explain: Annotated[
        bool, Parameter(help="Write pictures with the heat of what was found, too (lightdet explain).")
    ] = False
    show: Annotated[bool, Parameter(help="Show them in a window, too (needs the gui extra).")] = False
    on_error: OnError = "fail"
    json: Json = None
    progress: Progress = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.overlap is not None and self.tile is None:
            raise UserError("--overlap is that of tiles: give --tile as well, such as --tile 608")
