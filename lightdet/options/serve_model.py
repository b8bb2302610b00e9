"""The options of ``lightdet serve`` for its model: what is a defect, where and how it looks."""

# Annotations are no strings here: cyclopts would look for their names in the module that inherits these options.
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from cyclopts import Group, Parameter

from lightdet.options.base import AnyPath, Options, Then
from lightdet.options.ranges import between
from lightdet.options.shared import (
    Agnostic,
    Device,
    Imgsz,
    Iou,
    MaxDetections,
    NoPromise,
    Overlap,
    Precision,
    Rect,
    Tile,
    ZonesFile,
)
from lightdet.storage.kept import local_file

DECISION = Group("What is NG", sort_key=1)


@dataclass(frozen=True)
class ServedModelOptions(Options):
    """Of one model; several have theirs in a YAML file (`lightdet.config.line_up`)."""

    model: Annotated[
        AnyPath,
        Parameter(
            name="MODEL",
            help="Model file or its URL, as for lightdet.load; or a YAML file that names several.",
        ),
        Then(local_file),
    ]
    _: KW_ONLY
    threshold: Annotated[
        float | None,
        Parameter(
            metavar="P",
            validator=between(0.0, 1.0),
            group=DECISION,
            env_var="LIGHTDET_THRESHOLD",
            help="Lowest score of a defect; default: the model's calibrated rule, else 0.25.",
        ),
    ] = None
    class_threshold: Annotated[
        Sequence[str], Parameter(metavar="NAME=P", group=DECISION, help="The same for one class; may be repeated.")
    ] = ()
    min_size: Annotated[
        float | None,
        Parameter(
            metavar="PIXELS",
            validator=between(0.0),
            group=DECISION,
            env_var="LIGHTDET_MIN_SIZE",
            help="Shortest defect: the longer side of its box, in pixels of the picture.",
        ),
    ] = None
    class_min_size: Annotated[
        Sequence[str], Parameter(metavar="NAME=PIXELS", group=DECISION, help="The same for one class; may be repeated.")
    ] = ()
    confidence: Annotated[
        float | None,
        Parameter(
            metavar="P",
            validator=between(0.0, 1.0),
            group=DECISION,
            help="Lowest score reported at all; default 0.1, or the lowest threshold where that is lower.",
        ),
    ] = None
    imgsz: Imgsz = None
    iou: Iou = None
    agnostic: Agnostic = False
    max_detections: MaxDetections = None
    rect: Rect = False
    tile: Tile = None
    overlap: Overlap = None
    zones: ZonesFile = None
    no_promise: NoPromise = False
    device: Device = "auto"
    precision: Precision = None
