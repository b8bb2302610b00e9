"""``lightdet data collect``: corrected and picked pictures of the service as a data set."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lightdet.cli.opened_records import Day, kept_pictures, open_records, time_ms
from lightdet.errors import UserError
from lightdet.options.base import AnyPath
from lightdet.options.ranges import between, existing
from lightdet.options.shared import DATABASE, Json, KeepFolder, OutputFolder, Seed

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.service.collecting.gather import Wanted
    from lightdet.service.collecting.plan import Plan

_Records = Annotated[
    str,
    Parameter(
        name=("--records", "--database"),
        metavar="FILE|URL|DIR",
        env_var="LIGHTDET_DATABASE",
        help="The service's records: a SQLite file, its folder, or postgresql://user:password@host/name.",
    ),
]
_What = Annotated[
    Sequence[Literal["corrected", "ng", "uncertain", "all"]],
    Parameter(help="Which pictures; may be repeated. Default: those that a person corrected."),
]
_Band = Annotated[
    float,
    Parameter(
        metavar="P",
        validator=between(0.0001, 1.0),
        help="For --what uncertain: moving every threshold by this much would change the verdict.",
    ),
]
_Picked = Annotated[
    Path | None,
    Parameter(
        metavar="FILE.txt",
        validator=existing,
        help="A list of further pictures in the folder of kept ones, as 'data pick' writes it.",
    ),
]
_Model = Annotated[str | None, Parameter(metavar="NAME", help="Only inspections by this model: name, version or hash.")]
_Limit = Annotated[
    int,
    Parameter(
        metavar="N", validator=between(0), help="Most pictures: corrected ones first, then the newest; 0: all of them."
    ),
]
_Data = Annotated[
    AnyPath | None,
    Parameter(
        name=("--data", "-d"),
        metavar="FILE",
        validator=existing,
        help="Take the class names, in their order, from this data set; default: those in the records.",
    ),
]
_Val = Annotated[
    float,
    Parameter(metavar="SHARE", validator=between(0, 0.9), help="Share of the labelled pictures for validation."),
]
_DryRun = Annotated[bool, Parameter(help="Show what would be written, and write nothing.")]
_SQLITE = Path(DATABASE).name


def collect(
    *,
    records: _Records = DATABASE,
    output: OutputFolder,
    keep_folder: KeepFolder = None,
    what: _What = (),
    picked: _Picked = None,
    band: _Band = 0.1,
    since: Day = None,
    until: Day = None,
    model: _Model = None,
    limit: _Limit = 0,
    data: _Data = None,
    val: _Val = 0.2,
    seed: Seed = None,
    dry_run: _DryRun = False,
    json: Json = None,
) -> None:
    """Make a data set of corrected and picked pictures that the service kept, for the next training.

    Pictures whose boxes are known from corrections become a YOLO data set with its YAML. The others are put into
    DIR/to_label for 'lightdet label', with the model's boxes as proposals. With --data, the classes are those of that
    data set. Records and kept pictures are only read.
    """
    from rich.console import Console

    from lightdet.cli.data_display import counting
    from lightdet.files import refuse_filled, write_json
    from lightdet.service.collecting.gather import Wanted
    from lightdet.service.collecting.told import as_dict, collected_lines, plan_lines
    from lightdet.service.collecting.write import write_collection

    console = Console()
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    refuse_filled(Path(output))
    span = time_ms(since, "--since"), time_ms(until, "--until")
    wanted = Wanted(frozenset(what or ("corrected",)), band, _listed(picked), model)
    with ExitStack() as files:
        plan = _planned(files, console, _address(records), keep_folder, wanted, span, limit, _classes(data))
        for line in plan_lines(plan):
            say(line)
        done = None
        if not dry_run:
            if not plan.taken:
                raise UserError("no picture is left to collect; see above")
            with counting(console, "writing") as progress:
                done = write_collection(plan, Path(output), val=val, seed=seed or 0, progress=progress)
            for line in collected_lines(done):
                say(line)
    if json is not None:
        write_json(json, as_dict(plan, done))


def _planned(
    files: ExitStack,
    console: Console,
    database: str,
    keep_folder: Path | str | None,
    wanted: Wanted,
    span: tuple[int | None, int | None],
    limit: int,
    classes: Sequence[str],
) -> Plan:
    """Go through the records and look at the pictures; copies of those in a store are deleted with `files`.

    Raises:
        UserError: there is nothing to be had, or something cannot be read.
    """
    store = open_records(database)
    from lightdet.cli.data_display import counting
    from lightdet.service.collecting.copies import as_files
    from lightdet.service.collecting.gather import gather
    from lightdet.service.collecting.plan import make_plan
    from lightdet.service.collecting.told import first_few
    from lightdet.service.records.span import Span

    try:
        found = gather(store.export(Span(*span)), wanted, store.originals_of)
        if not found.inspections:
            raise UserError(f"{store.database.shown} holds no inspection of this model and time")
        if found.inspections == found.classified:
            raise UserError(f"{store.database.shown} holds inspections of a classifier alone, which have no boxes")
        if not found.pictures:
            told = f"{found.inspections:,} inspections, {found.corrected:,} of them corrected"
            if found.not_found:
                told += f", none of the {len(found.not_found):,} listed ({first_few(found.not_found)})"
            raise UserError(f"no picture is asked for: {told}; choose others with --what")
        place, until = kept_pictures(store, database, keep_folder), store.pictures_deleted_until()
    finally:
        store.close()
    with counting(console, "looking at pictures") as progress:
        return make_plan(
            found, files.enter_context(as_files(place)), until, limit=limit, classes=classes, progress=progress
        )


def _address(records: str) -> str:
    """The database in a folder, if one is given."""
    folder = Path(records)
    if "://" in records or not folder.is_dir():
        return records
    if not (folder / _SQLITE).is_file():
        raise UserError(f"is a folder without {_SQLITE}; name the records' database", path=folder)
    return str(folder / _SQLITE)


def _listed(listing: Path | None) -> frozenset[str]:
    """The ids of the inspections whose kept pictures a list names."""
    if listing is None:
        return frozenset()
    from lightdet.data.scanning import list_entries

    return frozenset(Path(text).stem for _, text in list_entries(listing))


def _classes(data: Path | str | None) -> tuple[str, ...]:
    if data is None:
        return ()
    from lightdet.assembly.dataset import load_dataset

    return load_dataset(data, draw=False).classes
