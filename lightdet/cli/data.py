"""``lightdet data``: convert or divide a data set, audit it, or render one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lightdet.cli.common import Data, DataRoot, Imgsz, Json, OnError, OnErrorOption, Output, Seed
from lightdet.cli.synth import synth

app = typer.Typer(help="Convert, divide, audit or render a data set.", add_completion=False)
app.command("synth")(synth)


class FormatName(StrEnum):
    """A label format."""

    yolo = "yolo"
    voc = "voc"
    coco = "coco"
    deeppcb = "deeppcb"


@app.command()
def convert(
    data: Data,
    output: Output,
    form: Annotated[FormatName, typer.Option("--format", "-f", help="Format to write.")],
    data_root: DataRoot = None,
    link: Annotated[bool, typer.Option("--link", help="Link to the pictures instead of copying them.")] = False,
    val: Annotated[
        float | None,
        typer.Option("--val", min=0.01, max=0.9, metavar="SHARE", help="Draw a new division into train and val."),
    ] = None,
    seed: Seed = None,
    on_error: OnErrorOption = OnError.fail,
    json: Json = None,
) -> None:
    """Write a data set anew in another label format, with its YAML, into a new folder.

    With --val the pictures of all splits but 'test' are divided anew into 'train' and 'val', classes evenly, and
    pictures that resemble each other stay together.
    """
    from rich.console import Console

    from lightdet.assembly.dataset import load_dataset
    from lightdet.cli.data_display import counting, show_conversion
    from lightdet.data.convert import convert_dataset
    from lightdet.files import write_json

    console = Console()
    spec = load_dataset(data, data_root)
    with counting(console, "writing") as progress:
        done = convert_dataset(
            spec,
            output,
            form.value,
            link=link,
            on_error=on_error.value,
            val=val,
            seed=seed or 0,
            progress=progress,
        )
    show_conversion(console, done)
    if json is not None:
        write_json(json, done.as_dict())


@app.command()
def split(
    data: Data,
    output: Output,
    val: Annotated[
        float, typer.Option("--val", min=0.01, max=0.9, metavar="SHARE", help="Share of pictures for validation.")
    ] = 0.2,
    test: Annotated[
        float, typer.Option("--test", min=0.0, max=0.9, metavar="SHARE", help="Share of pictures for a test split.")
    ] = 0.0,
    data_root: DataRoot = None,
    seed: Seed = None,
    on_error: OnErrorOption = OnError.fail,
    json: Json = None,
) -> None:
    """Draw train, val and test anew for a classifier: lists and a YAML in a new folder, no picture is copied.

    Classes are shared out evenly, and pictures that resemble each other stay in one split. A split 'test' is kept.
    For data sets of boxes, 'lightdet data convert --val' does it.
    """
    from rich.console import Console

    from lightdet.assembly.dataset import load_dataset
    from lightdet.cli.data_display import counting, show_drawn_splits
    from lightdet.data.draw_splits import draw_splits
    from lightdet.files import write_json

    spec = load_dataset(data, data_root)
    console = Console()
    with counting(console, "looking at pictures") as progress:
        done = draw_splits(spec, output, val=val, test=test, seed=seed or 0, on_error=on_error.value, progress=progress)
    show_drawn_splits(console, done)
    if json is not None:
        write_json(json, done.as_dict())


@app.command()
def audit(
    data: Data,
    data_root: DataRoot = None,
    imgsz: Imgsz = None,
    examples: Annotated[
        int, typer.Option("--examples", min=0, metavar="N", help="Findings of a kind to print; 0 prints all.")
    ] = 5,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.html", help="Write a page with pictures, too.")
    ] = None,
    json: Json = None,
) -> None:
    """Say what is in a data set and what is wrong with it.

    Exit code 1 if there are errors (training would stop or its result would be false), 0 with warnings alone.
    """
    from rich.console import Console

    from lightdet.assembly.dataset import load_dataset
    from lightdet.cli.data_display import counting, show_audit
    from lightdet.data.audit import audit_dataset
    from lightdet.data.audit.page import audit_page
    from lightdet.errors import UserError
    from lightdet.files import write_json, write_text

    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise UserError("--output names the page to write, such as audit.html", path=output)
    console = Console()
    spec = load_dataset(data, data_root)
    with counting(console, "looking at pictures") as progress:
        report = audit_dataset(spec, imgsz or 608, progress=progress)
    show_audit(console, report, spec.root, examples)
    if json is not None:
        write_json(json, report.as_dict())
    if output is not None:
        write_text(output, audit_page(report, spec.root))
        console.print(f"page: {output}", markup=False, highlight=False)
    if report.count("error"):
        raise typer.Exit(1)
