"""The service's records, opened by commands that read them or tidy them up."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from lightdet.errors import UserError
from lightdet.missing import how_to_install

if TYPE_CHECKING:
    from lightdet.service.picture_place import PicturePlace
    from lightdet.service.records.store import Store

Day = Annotated[str | None, Parameter(metavar="TIME", help="ISO 8601, such as 2026-11-22; without a zone UTC.")]


def open_records(database: str, *, migrate: bool = False) -> Store:
    """Open a database that is there; one of an earlier version only to `migrate` it.

    Raises:
        UserError: it is not, or is another program's or of another version, or the packages are missing.
    """
    check_packages()
    from lightdet.service.records.backup import check_exists
    from lightdet.service.records.store import Store

    check_exists(database)
    return Store(database, patient=True, migrate=migrate)


def kept_pictures(store: Store, database: str, given: Path | str | None) -> PicturePlace | None:
    """Return the place of the kept pictures; None if none were kept.

    Raises:
        UserError: it is not known, or not there, or a store that cannot be read.
    """
    from lightdet.service.picture_place import places_of

    if not store.any_picture_kept():
        return None
    places = places_of(database, given)
    place = places.open()
    if place is not None and places.url is not None:
        if next(iter(place.entries()), None) is None:
            raise UserError("holds no kept pictures; give the --keep-folder of the service", path=place.shown)
    elif place is None or places.folder is None or not places.folder.is_dir():
        what = "their folder is not known" if place is None else f"there is no folder {place.shown}"
        raise UserError(f"pictures were kept with these records, but {what}: give --keep-folder FOLDER|URL")
    return place


def check_packages() -> None:
    """Refuse where the packages for records are missing.

    Raises:
        UserError: they are.
    """
    if importlib.util.find_spec("sqlalchemy") is None:
        raise UserError(f"records need further packages: {how_to_install('service')}")


def time_ms(value: str | None, option: str) -> int | None:
    """Return a time as milliseconds since 1970.

    Raises:
        UserError: it is none.
    """
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise UserError(f"{option} '{value}': write a day as 2026-11-22, or a time as 2026-11-22T06:30:00Z") from None
