"""What ``lightdet profile`` takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from cyclopts import Parameter

from lightdet.options.base import AnyPath, Options
from lightdet.options.ranges import between
from lightdet.options.shared import HIDDEN, Device, Imgsz, Json, Overrides, Precision, Share, Threads


@dataclass(frozen=True)
class ProfileOptions(Options):
    """The options of `lightdet.profile`.

    Attributes:
        sides: the side of the input for each of `weights`, in place of `imgsz`; empty, or one for each.
    """

    weights: Annotated[
        Sequence[AnyPath],
        Parameter(
            name=("--weights", "-w"),
            metavar="FILE",
            help="Trained model or its export (.onnx, .xml); several, in turn.",
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
            metavar="FILE", help="Foreign network (.onnx, .xml) to time beside them, on random input of its own shape."
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
            help="Pictures at once for images/s and memory.",
        ),
    ] = 16
    classes: Annotated[
        int | None,
        Parameter(metavar="N", validator=between(1, 1000), help="Classes of a model without weights; else 6."),
    ] = None
    device: Device = "auto"
    threads: Annotated[Threads, Parameter(help="Threads on the CPU.")] = None
    runs: Annotated[int, Parameter(metavar="N", validator=between(1, 100_000), help="Pictures timed.")] = 50
    precision: Precision = None
    confidence: Annotated[float, Share, Parameter(help="Lowest score that reaches NMS.")] = 0.25
    picture: Annotated[
        AnyPath | None, Parameter(metavar="FILE", help="Picture to time; else a generated 1280 x 960 one.")
    ] = None
    layers: Annotated[bool, Parameter(help="List every layer.")] = False
    json: Json = None
    overrides: Overrides = ()
