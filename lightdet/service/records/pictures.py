"""Which kept pictures retention has deleted: those of all inspections up to one."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import Connection, delete, exists, func, insert, select

from lightdet.service.records.tables import inspections, pictures_end


def deleted_until(connection: Connection) -> str:
    """Return the id up to which pictures were deleted; "" if none was."""
    return connection.execute(select(func.max(pictures_end.c.until))).scalar() or ""


def move_deleted_until(connection: Connection, identity: str) -> None:
    """Write that the pictures up to this id are deleted, before they are; in a transaction that writes."""
    if identity <= deleted_until(connection):
        return
    connection.execute(delete(pictures_end))
    connection.execute(insert(pictures_end).values(until=identity, time_ms=time.time_ns() // 1_000_000))


def any_of_these(connection: Connection, identities: Sequence[str]) -> bool:
    """Whether any of these is an inspection."""
    query = select(exists().where(inspections.c.id.in_(identities)))
    return bool(connection.execute(query).scalar())


def any_kept(connection: Connection) -> bool:
    """Whether there is an inspection whose picture was kept, and not deleted by retention since."""
    kept = exists().where(inspections.c.original.is_not(None), inspections.c.id > deleted_until(connection))
    return bool(connection.execute(select(kept)).scalar())
