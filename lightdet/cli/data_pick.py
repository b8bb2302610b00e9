"""``lightdet data pick``: which pictures to label next."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from lightdet.options.base import AnyPath
from lightdet.options.outputs import list_file, refuse_inputs
from lightdet.options.ranges import between, existing
from lightdet.options.shared import Json, ModelFile, OnError
from lightdet.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.runs.pick import Picked


def pick(
    *sources: Annotated[str, Parameter(metavar="SOURCE", help="Unlabelled pictures: folders, files, lists, URLs.")],
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
        Path | None,
        Parameter(
            name=("--output", "-o"), metavar="FILE.txt", validator=list_file, help="List to write, a path per line."
        ),
    ] = None,
    recursive: Annotated[bool, Parameter(help="Search sub-folders too.")] = False,
    on_error: OnError = "fail",
    json: Json = None,
) -> None:
    """Pick the unlabelled pictures that the detector would learn most from, best first.

    Those it is unsure of or answers differently in a mirror, far from all that is labelled or picked already.
    """
    from rich.console import Console

    from lightdet.assembly.dataset import load_dataset
    from lightdet.cli.data_display import counting
    from lightdet.errors import UserError
    from lightdet.files import write_json
    from lightdet.runs.pick import pick as picked_from

    if not sources:
        raise UserError("name the unlabelled pictures: a folder, files or a list")
    labelled = None if data is None else load_dataset(data, draw=False)
    refuse_inputs({"--output": output, "--json": json}, [*sources, weights, data], labelled)
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
    _show(console, done, output)
    if json is not None:
        write_json(json, done.as_dict())


def _show(console: Console, done: Picked, output: Path | None) -> None:
    """Print the list, or write it and say so."""
    from lightdet.data.scanning import list_text
    from lightdet.files import write_text

    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    listed = list_text(entry["path"] for entry in done.entries)
    if output is None:
        say(listed, end="")
    else:
        write_text(output, listed)
        say(f"list: {output}")
    for path, error in done.skipped:
        say(f"left out {path}: {error}")
    for note in done.notes:
        say(f"note: {note}")
    if output is not None:
        known = f", {done.labelled:,} labelled" if done.labelled else ""
        say(f"{len(done.entries):,} of {counted(done.pool, 'unlabelled picture')} picked{known}")
