"""Which kept pictures retention has deleted: those of all inspections up to one."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import Connection, delete, exists, func, insert, select

from lightdet.service.records.tables import inspections, pictures_end

_SOME = 500


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


def originals_of(connection: Connection, digests: Sequence[str]) -> dict[str, list[str]]:
    """Return by the SHA-256 of a picture's bytes under which names it was kept, the newest first."""
    found: dict[str, list[str]] = {}
    query = select(inspections.c.sha256, inspections.c.original).where(inspections.c.original.is_not(None))
    for start in range(0, len(digests), _SOME):
        some = query.where(inspections.c.sha256.in_(digests[start : start + _SOME]))
        for sha256, name in connection.execute(some.order_by(inspections.c.id.desc())):
            found.setdefault(sha256, []).append(name)
    return found


def any_kept(connection: Connection) -> bool:
    """Whether there is an inspection whose picture was kept, and not deleted by retention since."""
    kept = exists().where(inspections.c.original.is_not(None), inspections.c.id > deleted_until(connection))
    return bool(connection.execute(select(kept)).scalar())
