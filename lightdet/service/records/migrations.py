"""Takes the tables of earlier versions along, one step per number, inside the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select, update

from lightdet.service.records.tables import SCHEMA, about, metadata

_STEPS: dict[int, tuple[str, ...]] = {
    1: (
        "ALTER TABLE inspections ADD COLUMN overridden BOOLEAN",
        "CREATE INDEX inspections_overridden ON inspections (id) WHERE overridden IS {true}",
    ),
    2: (),  # a new table alone, which is there already
}
"""By the number that the tables have: what brings them to the next one."""
_TRUE = {"sqlite": "1", "postgresql": "true"}


def stored_version(connection: Connection) -> int | None:
    """Return the number that the tables have; None where they are new."""
    version: int | None = connection.execute(select(about.c.schema_version)).scalar()
    return version


def is_current(connection: Connection) -> bool:
    """Whether every table is there, and of this version."""
    there = set(inspect(connection).get_table_names())
    return there >= set(metadata.tables) and stored_version(connection) == SCHEMA


def migrate(connection: Connection) -> int | None:
    """Bring the tables to `SCHEMA`, under the caller's lock.

    Returns the number that they have then: another one where no step leads on.
    """
    version = stored_version(connection)
    while version in _STEPS and version != SCHEMA:
        for step in _STEPS[version]:
            connection.exec_driver_sql(step.format(true=_TRUE[connection.dialect.name]))
        version += 1
        connection.execute(update(about).values(schema_version=version))
    return version
