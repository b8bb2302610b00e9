"""``lightdet detect``: find defects on pictures, videos and cameras, mark them, save them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from lightdet.cli.common import (
    Agnostic,
    Batch,
    Device,
    Imgsz,
    Json,
    OnError,
    OnErrorOption,
    OptionalOutput,
    OptionalPrecision,
    Threads,
    Weights,
)
from lightdet.errors import UserError
from lightdet.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.inference.sources import Sources
    from lightdet.runs.detect import Detection, Outcome, Surest
    from lightdet.tasks import Task

FORMATS = ("json", "csv", "yolo", "coco")
SHOWN_SKIPPED = 20


def check_formats(values: list[str] | None) -> list[str]:
    """Turn ``--save json --save csv,coco`` into a list without repetitions."""
    wanted = [part.strip().lower() for value in values or [] for part in value.split(",")]
    for part in wanted:
        if part not in FORMATS:
            raise typer.BadParameter(f"'{part}' is none of {', '.join(FORMATS)}")
    return list(dict.fromkeys(wanted))


def detect(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Pictures, folders, globs ('in/**/*.png'), .txt lists, videos, a camera's number (0), RTSP/HTTP URLs.",
            show_default=False,
        ),
    ],
    weights: Weights,
    imgsz: Imgsz = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence",
            min=0.0,
            max=1.0,
            metavar="P",
            help="Lowest score reported; default 0.25, or what an export says.",
        ),
    ] = None,
    iou: Annotated[
        float | None,
        typer.Option("--iou", min=0.0, max=1.0, metavar="P", help="NMS threshold; default 0.55, between tiles 0.5."),
    ] = None,
    agnostic: Agnostic = False,
    max_detections: Annotated[
        int | None,
        typer.Option(
            "--max-detections",
            min=1,
            max=10_000,
            metavar="N",
            help="Most boxes of a picture; default 300, in tiles 1000.",
        ),
    ] = None,
    device: Device = "auto",
    precision: OptionalPrecision = None,
    threads: Threads = None,
    batch: Batch = None,
    tile: Annotated[
        int | None,
        typer.Option("--tile", min=32, metavar="PIXELS", help="Look at tiles of this side: for large pictures."),
    ] = None,
    overlap: Annotated[
        float | None,
        typer.Option("--overlap", min=0.0, max=0.9, metavar="SHARE", help="Least overlap of tiles; default 0.2."),
    ] = None,
    rect: Annotated[
        bool, typer.Option("--rect", help="Letterbox long pictures to rectangles instead of squares: less work.")
    ] = False,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Look into sub-folders of folders.")] = False,
    max_frames: Annotated[
        int | None, typer.Option("--max-frames", min=1, metavar="N", help="Most frames of each video or stream.")
    ] = None,
    save: Annotated[
        list[str] | None,
        typer.Option(
            "--save", callback=check_formats, metavar="FORMAT", help="json, csv, yolo, coco; several: json,csv."
        ),
    ] = None,
    output: OptionalOutput = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that are in --output.")] = False,
    images: Annotated[bool, typer.Option("--images/--no-images", help="Write marked-up pictures and videos.")] = True,
    explain: Annotated[
        bool, typer.Option("--explain", help="Write pictures with the heat of what was found, too (lightdet explain).")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Show them in a window, too (needs the gui extra).")] = False,
    on_error: OnErrorOption = OnError.fail,
    json: Json = None,
) -> None:
    """Find defects on pictures, videos and cameras: marked-up copies, and the findings as files.

    With a classifier, every picture gets its class and its probability (--save json, csv).

    Results go to --output, else to a fresh folder: runs/detect, runs/detect-2, …
    """
    from rich.console import Console

    from lightdet.runs.detect import Detection, DetectRequest

    if overlap is not None and tile is None:
        raise UserError("--overlap is that of tiles: give --tile as well, such as --tile 608")
    request = DetectRequest(
        sources=sources,
        weights=weights,
        imgsz=imgsz,
        confidence=confidence,
        iou=iou,
        agnostic=agnostic or None,
        max_detections=max_detections,
        device=device,
        precision=None if precision is None else precision.value,
        threads=threads,
        batch=batch,
        tile=tile,
        overlap=0.2 if overlap is None else overlap,
        rect=rect,
        recursive=recursive,
        max_frames=max_frames,
        formats=save or [],  # type: ignore[arg-type]  # check_formats lets no other through
        output=output,
        overwrite=overwrite,
        images=images,
        show=show,
        skip_bad=on_error is OnError.skip,
        json=json,
        explain=explain,
    )
    _run(Detection(request), Console())


def _run(detection: Detection, console: Console) -> None:
    """Run it with a progress bar; the summary is shown also when it was broken off."""
    from lightdet.display.detecting import DetectBar
    from lightdet.runs.detect import check_any_read

    try:
        with _terminate_as_interrupt(), DetectBar(detection.sources) as bar:
            detection.run(bar)
    finally:
        if detection.outcome is not None and (detection.outcome.totals.seen or detection.outcome.totals.skipped):
            _show(console, detection.outcome, detection.sources, detection.task)
    if detection.outcome is not None:
        check_any_read(detection.outcome.totals)


def _show(console: Console, outcome: Outcome, sources: Sources, task: Task) -> None:
    from rich.markup import escape
    from rich.table import Table

    from lightdet.fonts import has_letters

    totals = outcome.totals
    if totals.per_class:
        table = Table("class")
        table.add_column(task.results.count_heading, justify="right")
        for label, number in sorted(totals.per_class.items()):
            table.add_row(escape(outcome.names[label]), str(number))
        console.print(table)
    seen = [counted(n, what) for n, what in ((totals.pictures, "picture"), (totals.frames, "frame")) if n]
    where = f"; results in {outcome.folder}" if outcome.folder is not None else ""
    lines = [f"{' and '.join(seen) or 'no pictures'}{task.results.tell_count(totals.per_class.total())}{where}"]
    if outcome.surest is not None:
        lines.append(_how_near(outcome.surest))
    if outcome.decisions is not None:
        lines.append(f"by the model's decision rule: {outcome.decisions['OK']} OK, {outcome.decisions['NG']} NG")
    if totals.dropped:
        lines.append(f"{counted(totals.dropped, 'frame')} of live streams dropped: newer ones were there")
    medians = totals.medians()
    if medians:
        times = ", ".join(f"{stage} {value:.1f}" for stage, value in medians.items())
        lines.append(f"median ms: {times} ({outcome.computed})")
    drawn = [(label, outcome.names[label]) for label in totals.per_class] if outcome.folder is not None else []
    if numbers := [f"#{label} {name}" for label, name in sorted(drawn) if not has_letters(name)]:
        lines.append(f"no font here has the letters of {', '.join(numbers)}: on pictures the numbers stand for them")
    if sources.passed_over:
        lines.append(f"passed over {counted(sources.passed_over, 'file')}: neither picture nor video")
    if totals.skipped:
        lines.append(f"skipped {len(totals.skipped)} that could not be read whole:")
        lines += [f"  {source}: {reason}" for source, reason in totals.skipped[:SHOWN_SKIPPED]]
        more = len(totals.skipped) - SHOWN_SKIPPED
        lines += [f"  … and {more} more (all of them with --json or --save json)"] if more > 0 else []
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _how_near(surest: Surest) -> str:
    """What to say where nothing was found, so that nobody takes a threshold for a network that sees nothing."""
    from math import floor, log10

    where = "" if surest.pictures == 1 else f" of the first {surest.pictures} pictures"
    if surest.score is None or surest.score >= surest.confidence:
        return f"nothing{where} comes near the confidence of {surest.confidence:g}"
    digit = 10.0 ** floor(log10(surest.score))
    lower = floor(surest.score / digit) * digit
    return (
        f"nothing reached the confidence of {surest.confidence:g}; the surest candidate{where} has {surest.score:.2g}, "
        f"in {surest.source}: --confidence {lower:.1g} shows it"
    )


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end the run as Ctrl-C does, so that what was done is saved."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
