"""The options of ``lightdet profile``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from cyclopts import Parameter

from lightdet.options.base import AnyPath, Options, Then
from lightdet.options.ranges import between
from lightdet.options.shared import HIDDEN, Device, Imgsz, Json, Overrides, Precision, Share, Threads
from lightdet.storage.kept import local_file


@dataclass(frozen=True)
class ProfileOptions(Options):
    """The options of `lightdet.profile`.

    Attributes:
        sides: the side of the input for each of `weights`, in place of `imgsz`; empty, or one for each.
    """

    weights: Annotated[
        Sequence[Annotated[AnyPath, Then(local_file)]],
        Parameter(
            name=("--weights", "-w"),
            metavar="FILE",
            help="Trained model or its export (.onnx, .xml), also a URL; several are measured in turn.",
        ),
    ] = ()
    _: KW_ONLY
    config: Annotated[
        Sequence[AnyPath],
        Parameter(name=("--config", "-c"), metavar="FILE", help="Configuration; several are measured in turn."),
    ] = ()
    against: Annotated[
        Sequence[AnyPath],
        Parameter(
            metavar="FILE", help="Another network (.onnx, .xml) to time beside them, on random input of its own shape."
        ),
    ] = ()
    imgsz: Imgsz = None
    sides: Annotated[Sequence[int | None], HIDDEN] = ()
    batch: Annotated[
        int,
        Parameter(
            name=("--batch", "-b"),
            metavar="N",
            validator=between(1),
            help="Batch size for images/s and memory.",
        ),
    ] = 16
    classes: Annotated[
        int | None,
        Parameter(
            metavar="N", validator=between(1, 1000), help="Number of classes for a model without weights; default 6."
        ),
    ] = None
    device: Device = "auto"
    threads: Annotated[Threads, Parameter(help="Number of CPU threads.")] = None
    runs: Annotated[int, Parameter(metavar="N", validator=between(1, 100_000), help="Number of pictures to time.")] = 50
    precision: Precision = None
    confidence: Annotated[float, Share, Parameter(help="Lowest score that reaches NMS.")] = 0.25
    picture: Annotated[
        AnyPath | None, Parameter(metavar="FILE", help="Picture to time; default: a generated 1280 x 960 one.")
    ] = None
    layers: Annotated[bool, Parameter(help="List every layer.")] = False
    json: Json = None
    overrides: Overrides = ()
