"""``lightdet data prelabel``: a model's boxes as proposals for a labelling tool."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lightdet.options.shared import Confidence, Device, Imgsz, Json, ModelFile, OnError, Overlap, Recursive, Tile
from lightdet.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.runs.prelabel import Prelabelled


_Place = Annotated[
    Path,
    Parameter(name=("--output", "-o"), metavar="PLACE", help="File to write; for LabelMe a folder of a JSON each."),
]


def prelabel(
    *sources: Annotated[str, Parameter(metavar="SOURCE", help="Pictures: folders, files, lists, URLs.")],
    weights: ModelFile,
    form: Annotated[
        Literal["label-studio", "cvat", "labelme"],
        Parameter(name=("--format", "-f"), help="The tool that they are for."),
    ],
    output: _Place,
    root: Annotated[
        Path | None,
        Parameter(metavar="DIR", help="The folder that the tool has: pictures are named by their place in it."),
    ] = None,
    address: Annotated[
        str, Parameter(metavar="URL", help="Label Studio only: what comes before a picture's name.")
    ] = "/data/local-files/?d=",
    confidence: Confidence = None,
    tile: Tile = None,
    overlap: Overlap = None,
    imgsz: Imgsz = None,
    device: Device = "auto",
    recursive: Recursive = False,
    overwrite: Annotated[
        bool, Parameter(help="Replace files that are there, with what was corrected in them.")
    ] = False,
    on_error: OnError = "fail",
    json: Json = None,
) -> None:
    """Write what a model finds as proposals for Label Studio, CVAT or LabelMe, to be corrected there.

    The pictures are not touched. Label files that are there are not replaced, unless --overwrite is given.
    """
    from rich.console import Console

    from lightdet.cli.data_display import counting
    from lightdet.files import write_json
    from lightdet.options.ranges import device_name
    from lightdet.runs.prelabel import prelabel as prelabelled

    console = Console()
    given = {"confidence": confidence, "tile": tile, "overlap": overlap, "imgsz": imgsz}
    with counting(console, "looking at pictures") as progress:
        done = prelabelled(
            sources,
            Path(weights),
            form,
            output,
            root=root,
            address=address,
            recursive=recursive,
            overwrite=overwrite,
            skip_broken=on_error == "skip",
            options=given | {"device": device_name(device)},
            progress=progress,
        )  # fmt: skip
    _show(console, done, output)
    if json is not None:
        write_json(json, done.as_dict())


def _show(console: Console, done: Prelabelled, output: Path) -> None:
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    for path, error in done.skipped:
        say(f"left out {path}: {error}")
    if done.left:
        say(f"left as they are: {counted(done.left, 'picture')} with a label file")
    for note in done.notes:
        say(f"note: {note}")
    boxes = ", ".join(f"{name} {count}" for name, count in sorted(done.boxes.items())) or "none"
    say(f"{counted(sum(done.boxes.values()), 'box')} proposed in {counted(done.pictures, 'picture')}: {boxes}")
    for place in done.files if len(done.files) <= 2 else [output]:
        say(f"written: {place}")
