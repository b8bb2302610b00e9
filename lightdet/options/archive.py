"""The options of ``lightdet archive``."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from lightdet.options.base import NEEDED, AnyPath, Options
from lightdet.options.outputs import Replaces, json_file
from lightdet.options.ranges import between, existing
from lightdet.options.shared import (
    ClusterAddress,
    Device,
    Engine,
    Json,
    ModelFiles,
    NoPromise,
    OutputFolder,
    Progress,
    Recursive,
    Share,
    Sources,
    Threads,
    check_engine,
)


@dataclass(frozen=True)
class ArchiveOptions(Options):
    """The options of ``lightdet archive run``."""

    sources: Sources
    weights: ModelFiles
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
    engine: Engine = "processes"
    address: ClusterAddress = None
    batch: Annotated[
        int, Parameter(name=("--batch", "-b"), metavar="N", validator=between(1, 1024), help="Pictures per batch.")
    ] = 8
    confidence: Annotated[
        float | None, Share, Parameter(help="Lowest score reported; default: the model's own, 0.25.")
    ] = None
    device: Device = "cpu"
    threads: Threads = None
    no_promise: NoPromise = False
    summary: Annotated[
        bool, Parameter(negative="--no-summary", help="Write a summary page into the output at the end.")
    ] = True
    json: Json = None
    progress: Progress = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_engine(self.engine, self.address)


ArchiveFolder = Annotated[
    AnyPath, Parameter(name="FOLDER", validator=existing, help="The --output of 'lightdet archive run'.")
]


@dataclass(frozen=True)
class QueryOptions(Options):
    """The options of ``lightdet archive query``."""

    folder: ArchiveFolder
    sql: Annotated[
        str | None,
        Parameter(name="SQL", help="One SELECT over the tables 'archive' and 'boxes', in place of the flags."),
    ] = None
    _: KW_ONLY
    name: Annotated[str | None, Parameter(name="--class", metavar="NAME", help="With this class.")] = None
    above: Annotated[
        float | None, Share, Parameter(help="With at least this score; with --class, of a box of that class.")
    ] = None
    since: Annotated[str | None, Parameter(metavar="DAY", help="From this day on, such as 2026-11-22.")] = None
    until: Annotated[str | None, Parameter(metavar="DAY", help="Before this day.")] = None
    decision: Annotated[Literal["OK", "NG"] | None, Parameter(help="With this decision.")] = None
    source: Annotated[str | None, Parameter(metavar="TEXT", help="With this in the picture's path.")] = None
    model: Annotated[
        str | None, Parameter(metavar="NAME", help="Of this model: its file's name, or the start of its SHA-256.")
    ] = None
    failed: Annotated[bool, Parameter(help="Without a result: those with a reason.")] = False
    limit: Annotated[
        int | None, Parameter(metavar="N", validator=between(1), help="The N with the highest scores; default: all.")
    ] = None
    csv: Annotated[
        AnyPath | None,
        Parameter(metavar="FILE", validator=Replaces(".csv"), help="Also write all rows to this file as CSV."),
    ] = None
    json: Annotated[
        AnyPath | None, Parameter(metavar="FILE", validator=json_file, help="Also write all rows to this file as JSON.")
    ] = None
    sheet: Annotated[
        AnyPath | None,
        Parameter(
            metavar="FILE",
            validator=Replaces(".html", ".htm", ".png", ".jpg", ".jpeg"),
            help="Also draw the first pictures (--limit, default 60) with boxes: a page (.html) or a picture (.png).",
        ),
    ] = None


@dataclass(frozen=True)
class SummaryOptions(Options):
    """The options of ``lightdet archive summary``."""

    folder: ArchiveFolder
    _: KW_ONLY
    output: Annotated[
        AnyPath | None,
        Parameter(
            name=("--output", "-o"),
            metavar="FILE",
            validator=Replaces(".html", ".htm"),
            help="The page; default: _summary.html in the folder.",
        ),
    ] = None
