"""What the watch over a promise knows, kept in the database beside the records; no part of their chain.

The table has no number in the version of the tables: earlier versions pass it over, and it is made where it is missing.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, Text, insert, inspect, select, update

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


def write_state(
    connection: Connection, sha256: str, time_ms: int, state: dict[str, Any], *, anew: bool = False
) -> bool:
    """Keep this for a model instead of what was kept; returns whether it is.

    Several services may keep theirs for one model file: one that has seen no change ends no suspension of another.

    Args:
        connection: within a transaction that writes.
        sha256: of the model file.
        time_ms: now.
        state: plain values; with `suspension` unless that is None.
        anew: the watch was begun anew, which ends a suspension that was kept.
    """
    states.create(connection, checkfirst=True)
    mine = states.c.model_sha256 == sha256
    kept = connection.execute(select(states.c.state).where(mine).with_for_update()).scalar()
    values = {"time_ms": time_ms, "state": json.dumps(state)}
    if kept is None:
        connection.execute(insert(states), {"model_sha256": sha256, **values})
    elif not anew and state.get("suspension") is None and _is_suspended(kept):
        return False
    else:
        connection.execute(update(states).where(mine).values(values))
    return True


def _is_suspended(text: str) -> bool:
    try:
        kept = json.loads(text)
    except ValueError:
        return False
    return isinstance(kept, dict) and kept.get("suspension") is not None
