"""The options of ``lightdet archive run``."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from lightdet.options.base import NEEDED, Options
from lightdet.options.ranges import between
from lightdet.options.shared import (
    Device,
    Json,
    ModelFile,
    NoPromise,
    OutputFolder,
    Progress,
    Recursive,
    Share,
    Sources,
    Threads,
)


@dataclass(frozen=True)
class ArchiveOptions(Options):
    """The options of ``lightdet archive run``."""

    sources: Sources
    weights: ModelFile
    output: Annotated[OutputFolder, Parameter(required=True)] = NEEDED
    _: KW_ONLY
    recursive: Recursive = False
    partition: Annotated[
        Literal["day", "prefix"] | None,
        Parameter(help="A folder of the output for each day, or for each first folder; default: one for all."),
    ] = None
    processes: Annotated[
        int | None,
        Parameter(metavar="N", validator=between(1, 1024), help="Processes; default: one per processor."),
    ] = None
    batch: Annotated[
        int, Parameter(name=("--batch", "-b"), metavar="N", validator=between(1, 1024), help="Pictures per batch.")
    ] = 8
    confidence: Annotated[
        float | None, Share, Parameter(help="Lowest score reported; default 0.25, or an export's own.")
    ] = None
    device: Device = "cpu"
    threads: Threads = None
    no_promise: NoPromise = False
    json: Json = None
    progress: Progress = True
