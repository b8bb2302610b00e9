"""``lightdet records``: verify, back up, restore, export, migrate or purge the service's records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from lightdet.cli.opened_records import Day, check_packages, kept_pictures, open_records, time_ms
from lightdet.errors import UserError
from lightdet.options.ranges import between
from lightdet.options.shared import DATABASE, Database, Json, KeepFolder

if TYPE_CHECKING:
    from lightdet.service.picture_place import PicturePlace

_SOME = 500
"""Pictures that are deleted in one go."""


def verify(
    *,
    database: Database = DATABASE,
    chain_file: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="The file of 'serve --chain-file'; every link in it must be in the chain."),
    ] = None,
    keep_folder: KeepFolder = None,
    pictures: Annotated[
        bool, Parameter(negative="--no-pictures", help="Also compare each kept picture with its record.")
    ] = True,
    json: Json = None,
) -> int:
    """Check the chain of records, and say where one was changed, removed, inserted or moved.

    Kept pictures are checked too. Rows cut off at the end can be found only with --chain-file. Exit code 1 if anything
    is wrong.
    """
    from lightdet.files import write_json
    from lightdet.wording import counted

    store = open_records(database)
    from lightdet.service.records.keeper import read_published

    published = () if chain_file is None else list(read_published(chain_file))
    folder = kept_pictures(store, database, keep_folder) if pictures else None
    verdict = store.verify(published, _show_progress, None if folder is None else folder.read)
    store.close()
    for line in verdict.told:
        _say(line)
    if verdict.faults > len(verdict.told):
        _say(f"… and {verdict.faults - len(verdict.told)} more")
    span = f"rows {verdict.first} to {verdict.head.seq}" if verdict.rows else "no rows"
    _say(f"{'FAULTS: ' + str(verdict.faults) if verdict.faults else 'whole'}: {span}, hash {verdict.head.hash}")
    if verdict.pictures:
        _say(f"{counted(verdict.pictures, 'picture')} compared with {'its' if verdict.pictures == 1 else 'their'} hash")
    if verdict.deleted:
        _say(f"rows 1 to {verdict.deleted} were deleted by retention")
    if json is not None:
        head = {"row": verdict.head.seq, "hash": verdict.head.hash}
        found = {"rows": verdict.rows, "first": verdict.first, "head": head, "deleted": verdict.deleted}
        found["pictures"] = verdict.pictures
        write_json(json, {**found, "faults": verdict.faults, "told": verdict.told})
    return 1 if verdict.faults else 0


def backup(
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), metavar="FILE", help="The copy; a new file.")],
    database: Database = DATABASE,
) -> None:
    """Copy the records' database as it is at one moment, also while the service writes into it (SQLite).

    For PostgreSQL use pg_dump, or 'records export'.
    """
    check_packages()
    from lightdet.service.records.backup import backup as copy

    head = copy(database, output)
    until = f"up to row {head.seq}, hash {head.hash}" if head.hash else "with tables of an earlier version"
    _say(f"{output}: {output.stat().st_size / (1 << 20):,.1f} MiB, {until}")


def restore(
    source: Annotated[Path, Parameter(name="BACKUP", help="What 'records backup' wrote.")],
    *,
    database: Database = DATABASE,
    replace: Annotated[bool, Parameter(help="Put a database that is there aside, under another name.")] = False,
) -> None:
    """Put a backup in the place of the records' database; stop the service first (SQLite)."""
    check_packages()
    from lightdet.service.records.backup import restore as put_back

    head, aside = put_back(source, database, replace=replace)
    if aside is not None:
        _say(f"what was there is now {aside}")
    _say(
        f"restored up to row {head.seq}, hash {head.hash}"
        if head.hash
        else "restored, with tables of an earlier version"
    )


def export(
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"), metavar="FILE", help="A file .csv or .parquet.")],
    database: Database = DATABASE,
    rows: Annotated[
        Literal["inspections", "detections", "corrections"], Parameter(help="One row for each of these.")
    ] = "inspections",
    since: Day = None,
    until: Day = None,
) -> None:
    """Write records as CSV for spreadsheets or as Parquet, the oldest first."""
    check_packages()
    from lightdet.service.record_files import write_records
    from lightdet.service.records.span import Span
    from lightdet.wording import counted

    store = open_records(database)
    span = Span(time_ms(since, "--since"), time_ms(until, "--until"))
    number = write_records(store.export(span), output, rows)
    store.close()
    _say(f"{output}: {'' if rows == 'inspections' else f'the {rows} of '}{counted(number, 'inspection')}")


def migrate(*, database: Database = DATABASE) -> None:
    """Take a database of an earlier version along; the service does so, too, when it starts.

    Make a copy first: the earlier version does not open it any more.
    """
    check_packages()
    from lightdet.service.records.tables import SCHEMA
    from lightdet.wording import counted

    store = open_records(database, migrate=True)
    before, (head, _) = store.database.version_before, store.head()
    store.close()
    taken = "is of this version" if before == SCHEMA else f"is migrated from tables {before} to {SCHEMA}"
    _say(f"the database {taken}: {counted(head.seq, 'row')} in the chain, hash {head.hash}")


def purge(
    *,
    database: Database = DATABASE,
    days: Annotated[
        float,
        Parameter(metavar="N", validator=between(0.0), help="Keep the last N days, counted from the newest record."),
    ] = 0.0,
    rows: Annotated[int, Parameter(metavar="N", validator=between(0), help="Keep the newest N rows.")] = 0,
    gib: Annotated[
        float,
        Parameter(metavar="N", validator=between(0.0), help="Keep the newest records that fit into N GiB of database."),
    ] = 0.0,
    keep_folder: KeepFolder = None,
) -> None:
    """Delete the oldest records, in small steps, and free their space; the service may keep running.

    Their pictures go with them.
    The rest stays verifiable: the hash of the last row that was deleted is kept.
    """
    check_packages()
    from lightdet.service.keep import Keep
    from lightdet.wording import counted

    keep = Keep(days, rows, round(gib * (1 << 30)))
    if not keep:
        raise UserError("say what to keep: --days, --rows or --gib")
    store = open_records(database)
    folder = kept_pictures(store, database, keep_folder)

    gone = list[str]()
    done = store.purge(keep, forget=gone.append)
    store.close()
    if folder is not None:
        _discard(folder, gone)
    if done.told:
        _say(done.told)
    _say(f"deleted the oldest {counted(done.rows, 'row')}; {counted(done.left, 'row')} left")


def _discard(place: PicturePlace, names: Sequence[str]) -> None:
    """Delete the pictures of rows that are gone; what cannot be deleted is told, and the rows stay gone."""
    from lightdet.service.picture_folder import is_picture_name
    from lightdet.wording import counted

    sound = [name for name in names if is_picture_name(name)]
    for start in range(0, len(sound), _SOME):
        try:
            place.discard(sound[start : start + _SOME])
        except (OSError, UserError) as error:
            left = counted(len(sound) - start, "picture")
            _say(f"up to {left} of these rows could not be deleted, from {sound[start]} on: {error}")
            return


def _show_progress(done: int, total: int) -> None:
    import sys

    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done:,} of {total:,} rows")
        sys.stderr.flush()


def _say(text: str) -> None:
    import sys

    sys.stdout.write(text + "\n")
