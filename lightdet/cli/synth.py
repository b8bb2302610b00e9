"""``lightdet data synth``: render a data set of parts with defects."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lightdet.cli.common import Json
from lightdet.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.data.synthetic import SyntheticPlan, SyntheticSet


class Labels(StrEnum):
    """Format of the labels."""

    yolo = "yolo"
    voc = "voc"
    coco = "coco"


class Recipe(StrEnum):
    """What is drawn."""

    parts = "parts"
    teacher = "teacher"


class Picture(StrEnum):
    """File format of the pictures."""

    png = "png"
    jpg = "jpg"


def synth(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="New folder for the data set.", show_default=False)
    ],
    images: Annotated[int, typer.Option("--images", "-n", min=1, metavar="N", help="Number of pictures.")] = 500,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**31 - 1, metavar="S", help="Same seed, same pictures.")
    ] = 0,
    imgsz: Annotated[
        int, typer.Option("--imgsz", min=96, max=4096, metavar="PIXELS", help="Side of the square pictures.")
    ] = 320,
    label_format: Annotated[Labels, typer.Option("--format", help="Format of the labels.")] = Labels.yolo,
    val: Annotated[
        float, typer.Option("--val", min=0.0, max=0.9, metavar="SHARE", help="Share of pictures for validation.")
    ] = 0.2,
    clean: Annotated[
        float, typer.Option("--clean", min=0.0, max=1.0, metavar="SHARE", help="Share of pictures without defects.")
    ] = 0.15,
    picture: Annotated[
        Picture, typer.Option("--picture", help="png is exact, jpg takes a quarter of the space.")
    ] = Picture.png,
    recipe: Annotated[
        Recipe,
        typer.Option("--recipe", help="parts: six kinds on parts; teacher: many kinds and grounds, for pretraining."),
    ] = Recipe.parts,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, max=256, metavar="N", help="Processes; default: fitted to the work."),
    ] = None,
    json: Json = None,
) -> None:
    """Render pictures of defects with their exact boxes; leaves DIR/dataset.yaml."""
    from rich.console import Console

    from lightdet.cli.data_display import counting
    from lightdet.data.synthetic import SyntheticPlan, default_workers, write_synthetic
    from lightdet.files import write_json

    plan = SyntheticPlan(images, seed, imgsz, label_format.value, val, clean, picture.value, recipe.value)
    processes = default_workers(images) if workers is None else workers
    console = Console(highlight=False, soft_wrap=True)
    with counting(console, "rendering") as progress:
        done = write_synthetic(output, plan, workers=processes, progress=progress)
    _show(console, plan, done)
    if json is not None:
        write_json(json, done.as_dict())


def _show(console: Console, plan: SyntheticPlan, done: SyntheticSet) -> None:
    parts = ", ".join(f"{done.pictures[name]} {name} ({counted(done.boxes[name], 'defect')})" for name in plan.splits)
    counts = ", ".join(f"{name} {count}" for name, count in done.classes.items())
    pictures = counted(plan.images, "picture")
    console.print(f"{pictures} of {plan.imgsz} x {plan.imgsz}: {parts}; {done.clean} without defects")
    console.print(f"defects: {counts}")
    console.print(f"data set: {done.yaml}", markup=False)
