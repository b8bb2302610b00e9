"""Takes the tables of earlier versions along, one step per number, inside the caller's transaction."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select, update

from lightdet.service.records.tables import SCHEMA, about, metadata

_STEPS: dict[int, tuple[str, ...]] = {
    1: ("ALTER TABLE inspections ADD COLUMN overridden BOOLEAN",),
    2: (),  # a new table alone, which is there already
    3: (
        *(
            f"ALTER TABLE inspections ADD COLUMN {column}"
            for column in (
                "model_sha256 VARCHAR(64)",
                "key_name VARCHAR(64)",
                "role VARCHAR(16)",
                "station VARCHAR(100)",
                "order_number VARCHAR(100)",
                "software VARCHAR(64)",
            )
        ),
        "DROP INDEX IF EXISTS inspections_sha256",
    ),
}
"""By the number that the tables have: what brings them to the next one."""


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
            connection.exec_driver_sql(step)
        version += 1
        connection.execute(update(about).values(schema_version=version))
    if version == SCHEMA:
        _make_missing_indexes(connection)
    return version


def _make_missing_indexes(connection: Connection) -> None:
    for table in metadata.tables.values():
        for index in table.indexes:
            index.create(connection, checkfirst=True)
