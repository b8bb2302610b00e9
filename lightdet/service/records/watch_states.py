"""What the watch over a promise knows, kept in the database beside the records; no part of their chain.

The table has no number in the version of the tables: earlier versions pass it over, and it is made where it is missing.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, Text, delete, insert, inspect, select

states = Table(
    "watch_states",
    MetaData(),
    Column("model_sha256", String(64), primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # JSON, see `lightdet.drift.monitor.Monitor.as_dict`
)


def read_state(connection: Connection, sha256: str) -> Any:
    """Return what was kept for a model, plain values; None if nothing was.

    Raises:
        ValueError: it is no JSON.
    """
    if not inspect(connection).has_table(states.name):
        return None
    text = connection.execute(select(states.c.state).where(states.c.model_sha256 == sha256)).scalar()
    return None if text is None else json.loads(text)


def write_state(connection: Connection, sha256: str, time_ms: int, state: dict[str, Any]) -> None:
    """Keep this for a model instead of what was kept."""
    states.create(connection, checkfirst=True)
    connection.execute(delete(states).where(states.c.model_sha256 == sha256))
    connection.execute(insert(states), {"model_sha256": sha256, "time_ms": time_ms, "state": json.dumps(state)})
