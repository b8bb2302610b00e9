"""The options of ``lightdet detect``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from cyclopts import Parameter

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
    NoPromise,
    OnError,
    OutputOrUrl,
    Overlap,
    Precision,
    Progress,
    Rect,
    Recursive,
    Share,
    Sources,
    Threads,
    Tile,
    ZonesFile,
)


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
        float | None, Share, Parameter(help="Lowest score reported; default: the model's own, 0.25.")
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
    tile: Tile = None
    overlap: Overlap = None
    zones: ZonesFile = None
    rect: Rect = False
    no_promise: NoPromise = False
    recursive: Recursive = False
    max_frames: Annotated[
        int | None, Parameter(metavar="N", validator=between(1), help="Most frames of each video or stream.")
    ] = None
    save: Annotated[
        Sequence[str],
        Parameter(metavar="FORMAT", validator=_formats, help="json, csv, yolo or coco; for several: json,csv."),
        Then(_in_words),
    ] = ()
    output: OutputOrUrl = None
    overwrite: Annotated[bool, Parameter(help="Replace results in --output.")] = False
    images: Annotated[bool, Parameter(negative="--no-images", help="Write marked-up pictures and videos.")] = True
    explain: Annotated[bool, Parameter(help="Also write heat maps of what was found (lightdet explain).")] = False
    show: Annotated[bool, Parameter(help="Also show them in a window (needs the gui extra).")] = False
    on_error: OnError = "fail"
    json: Json = None
    progress: Progress = True
