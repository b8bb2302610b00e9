"""``lightdet explain``: where in a picture the evidence lies for a box or a class."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from lightdet.cli.common import Device, Imgsz, Json, OnError, OnErrorOption, OptionalOutput, Weights
from lightdet.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.runs.explain import Explained

SHOWN = 20


class Method(StrEnum):
    """How the cells of the feature maps are weighed."""

    hires_cam = "hires-cam"
    grad_cam = "grad-cam"


def explain(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE", help="Pictures, folders, globs ('in/**/*.png'), .txt lists.", show_default=False
        ),
    ],
    weights: Weights,
    class_name: Annotated[
        str | None,
        typer.Option("--class", metavar="NAME", help="Why this class: all of its boxes, or what comes closest to one."),
    ] = None,
    box: Annotated[
        int | None,
        typer.Option("--box", min=1, metavar="N", help="Why this box: 1 is the surest of the picture, as in detect."),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            "--top",
            min=1,
            max=300,
            metavar="N",
            help="So many of the surest boxes (default 3) or likeliest classes (1).",
        ),
    ] = None,
    method: Annotated[
        Method, typer.Option("--method", help="hires-cam points at the evidence; grad-cam is the original of 2017.")
    ] = Method.hires_cam,
    imgsz: Imgsz = None,
    confidence: Annotated[
        float | None,
        typer.Option("--confidence", min=0.0, max=1.0, metavar="P", help="Lowest score of a box; default 0.25."),
    ] = None,
    iou: Annotated[
        float | None, typer.Option("--iou", min=0.0, max=1.0, metavar="P", help="NMS threshold; default 0.55.")
    ] = None,
    device: Device = "auto",
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Look into sub-folders of folders.")] = False,
    output: OptionalOutput = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace overlays that are in --output.")] = False,
    on_error: OnErrorOption = OnError.fail,
    json: Json = None,
) -> None:
    """Show where in a picture the evidence lies for what a detector or classifier reports: heat over the picture.

    Overlays go to --output, else to a fresh folder: runs/explain, runs/explain-2, …
    """
    from rich.console import Console

    from lightdet.display.progress import Bar
    from lightdet.explaining.answers import ExplainRequest
    from lightdet.runs.explain import ExplainRun

    run = ExplainRun(
        ExplainRequest(
            sources=sources,
            weights=weights,
            class_name=class_name,
            box=box,
            top=top,
            method=method.value,
            imgsz=imgsz,
            confidence=confidence,
            iou=iou,
            device=device,
            recursive=recursive,
            output=output,
            overwrite=overwrite,
            skip_bad=on_error is OnError.skip,
            json=json,
        )
    )
    try:
        with Bar("explain", len(run.sources)) as bar:
            run.run(lambda _source: bar.step())
    finally:
        _show(Console(), run.outcome)


def _show(console: Console, outcome: Explained) -> None:
    lines = []
    for entry in outcome.entries[:SHOWN]:
        what = f"box {entry['number']}, '{entry['name']}'" if entry["kind"] == "box" else f"'{entry['name']}'"
        line = f"{entry['source']}: {what} {entry['score']:.2f}"
        if entry["peak"] is None:
            line += ", nothing in the picture speaks for it"
        else:
            line += f", hottest at {entry['peak'][0]}, {entry['peak'][1]}"
        if entry.get("heat_in_box") is not None:
            line += f"; {entry['heat_in_box']:.0%} of the heat lies in the box, {entry['area_of_box']:.1%} of the area"
        lines.append(f"{line}; {entry['note']}" if "note" in entry else line)
    more = len(outcome.entries) - SHOWN
    lines += [f"… and {more} more (all of them with --json)"] if more > 0 else []
    if outcome.empty:
        lines.append(
            f"nothing was found in {counted(len(outcome.empty), 'picture')}, such as {outcome.empty[0]}: "
            "lower --confidence, or ask for what comes closest with --class"
        )
    if outcome.skipped:
        lines.append(f"skipped {len(outcome.skipped)}:")
        lines += [f"  {source}: {reason}" for source, reason in outcome.skipped[:SHOWN]]
    if outcome.pictures:
        where = f"; overlays in {outcome.folder}" if outcome.folder is not None else ""
        lines.append(f"{counted(outcome.pictures, 'picture')}: {counted(len(outcome.entries), 'explanation')}{where}")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
