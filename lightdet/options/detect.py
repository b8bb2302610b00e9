"""The options of ``lightdet detect``."""

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
        float | None, Share, Parameter(help="Lowest score reported; default 0.25, or an export's own.")
    ] = None
    iou: Annotated[float | None, Share, Parameter(help="NMS threshold; default 0.55, with tiles 0.5.")] = None
    agnostic: Agnostic = False
    max_detections: Annotated[
        MaxDetections, Parameter(help="Most boxes per picture; default 300, with tiles 1000.")
    ] = None
    device: Device = "auto"
    precision: Precision = None
    threads: Threads = None
    batch: Batch = None
    tile: Annotated[
        int | None,
        Parameter(metavar="PIXELS", validator=between(32), help="Split large pictures into tiles of this side."),
    ] = None
    overlap: Annotated[
        float | None,
        Parameter(metavar="SHARE", validator=between(0, 0.9), help="Smallest overlap of tiles; default 0.2."),
    ] = None
    rect: Rect = False
    recursive: Recursive = False
    max_frames: Annotated[
        int | None, Parameter(metavar="N", validator=between(1), help="Most frames of each video or stream.")
    ] = None
    save: Annotated[
        Sequence[str],
        Parameter(metavar="FORMAT", validator=_formats, help="json, csv, yolo or coco; for several: json,csv."),
        Then(_in_words),
    ] = ()
    output: OptionalOutput = None
    overwrite: Annotated[bool, Parameter(help="Replace results in --output.")] = False
    images: Annotated[bool, Parameter(negative="--no-images", help="Write marked-up pictures and videos.")] = True
    explain: Annotated[bool, Parameter(help="Also write heat maps of what was found (lightdet explain).")] = False
    show: Annotated[bool, Parameter(help="Also show them in a window (needs the gui extra).")] = False
    on_error: OnError = "fail"
    json: Json = None
    progress: Progress = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.overlap is not None and self.tile is None:
            raise UserError("--overlap is the overlap of tiles: give --tile as well, such as --tile 608")
