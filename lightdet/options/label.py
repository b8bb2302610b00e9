"""The options of ``lightdet label``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from lightdet.options.base import AnyPath, Options, Then
from lightdet.options.ranges import between
from lightdet.options.shared import Device, Imgsz, Json
from lightdet.storage.kept import local_file


@dataclass(frozen=True)
class LabelOptions(Options):
    """The options of ``lightdet label``."""

    folder: Annotated[
        AnyPath, Parameter(name="FOLDER", help="Folder of pictures, with or without labels, or a data set's YAML.")
    ]
    _: KW_ONLY
    weights: Annotated[
        AnyPath | None,
        Parameter(
            name=("--weights", "-w"), metavar="FILE", help="A detector that proposes boxes, as for lightdet.load."
        ),
        Then(local_file),
    ] = None
    form: Annotated[
        Literal["labelme", "yolo", "voc", "coco"] | None,
        Parameter(name=("--format", "-f"), help="Format of the labels, if the folder has none or could be in several."),
    ] = None
    classes: Annotated[
        Sequence[str],
        Parameter(name="--class", metavar="NAME", help="A class, where no file lists them; may be repeated."),
    ] = ()
    order: Annotated[
        AnyPath | None,
        Parameter(metavar="FILE.txt", help="Show these pictures in this order; default: all, by name."),
    ] = None
    host: Annotated[
        str,
        Parameter(
            metavar="ADDRESS", help="Where to listen; 0.0.0.0: on all networks, with a key in the page's address."
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Parameter(metavar="N", validator=between(0, 65535), help="0: any free one.")] = 8010
    allow_host: Annotated[
        Sequence[str],
        Parameter(metavar="NAME", help="A host name that it also answers to, besides numeric addresses."),
    ] = ()
    imgsz: Imgsz = None
    device: Device = "auto"
    json: Json = None
