"""``lightdet data pick``: which pictures to label next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from lightdet.options.base import AnyPath
from lightdet.options.ranges import between, existing
from lightdet.options.shared import Json, ModelFile, OnError
from lightdet.wording import counted


def pick(
    *sources: Annotated[str, Parameter(metavar="SOURCE", help="Unlabelled pictures: folders, files, lists.")],
    weights: ModelFile,
    count: Annotated[
        int, Parameter(name=("--count", "-n"), metavar="N", validator=between(1, 100_000), help="How many to pick.")
    ] = 50,
    data: Annotated[
        AnyPath | None,
        Parameter(
            name=("--data", "-d"),
            metavar="FILE",
            validator=existing,
            help="Data set of the labelled pictures: they and their look-alikes are not picked.",
        ),
    ] = None,
    output: Annotated[
        Path | None, Parameter(name=("--output", "-o"), metavar="FILE.txt", help="List to write, a path per line.")
    ] = None,
    recursive: Annotated[bool, Parameter(help="Search sub-folders too.")] = False,
    on_error: OnError = "fail",
    json: Json = None,
) -> None:
    """Pick the unlabelled pictures that the detector would learn most from, best first.

    Those it is unsure of or answers differently in a mirror, far from all that is labelled or picked already.
    """
    from rich.console import Console

    from lightdet.cli.data_display import counting
    from lightdet.errors import UserError
    from lightdet.files import write_json, write_text
    from lightdet.runs.pick import pick as picked_from

    if not sources:
        raise UserError("name the unlabelled pictures: a folder, files or a list")
    console = Console()
    with counting(console, "looking at pictures") as progress:
        done = picked_from(
            sources,
            Path(weights),
            count,
            data=data,
            recursive=recursive,
            skip_broken=on_error == "skip",
            progress=progress,
        )
    listed = "".join(f"{entry['path']}\n" for entry in done.entries)
    if output is None:
        console.print(listed, end="", markup=False, highlight=False, soft_wrap=True)
    else:
        write_text(output, listed)
        console.print(f"list: {output}", markup=False, highlight=False, soft_wrap=True)
    for path, error in done.skipped:
        console.print(f"left out {path}: {error}", markup=False, highlight=False, soft_wrap=True)
    for note in done.notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    if output is not None:
        known = f", {done.labelled:,} labelled" if done.labelled else ""
        console.print(f"{len(done.entries):,} of {counted(done.pool, 'unlabelled picture')} picked{known}")
    if json is not None:
        write_json(json, done.as_dict())
