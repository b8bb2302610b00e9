"""The tables of the records; simple enough for other programs to read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    literal_column,
)

SCHEMA = 8
"""Raised with every change of the tables, together with a step in `migrations.py`."""

metadata = MetaData()


def _links() -> tuple[Column[Any], ...]:
    """The columns of a row's place in the chain, see `lightdet.service.records.chain`."""
    return (
        Column("seq", BigInteger, unique=True, index=True),  # over all tables that have it, from 1 on
        Column("previous", String(64)),
        Column("hash", String(64)),
    )


about = Table("lightdet_about", metadata, Column("schema_version", Integer, primary_key=True))

inspections = Table(
    "inspections",
    metadata,
    Column("id", String(32), primary_key=True),  # sorts by time, see `lightdet.service.inspection`
    Column("time_ms", BigInteger, nullable=False),  # milliseconds since 1970 UTC
    Column("name", String(200), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("model", String(200), nullable=False),
    Column("version", String(64), nullable=False),
    Column("rule", Text, nullable=False),  # JSON
    Column("decision", String(2), nullable=False),  # OK or NG
    Column("defects", Integer, nullable=False),
    Column("total_ms", Float, nullable=False),
    Column("stages", Text, nullable=False),  # JSON, milliseconds by stage
    # The following are null if a version that did not record them wrote the row.
    Column("overridden", Boolean),  # whether the caller decided by a rule of its own
    Column("model_sha256", String(64)),
    Column("key_name", String(64)),  # of the API key; "" where the service asks for none
    Column("role", String(16)),  # of that key
    Column("station", String(100)),  # "" where it was not said
    Column("order_number", String(100)),  # "" where it was not said
    Column("software", String(64)),  # lightdet's version
    Column("original", String(80)),  # file of the picture, within the folder of kept ones; null: it was not kept
    Column("not_kept", String(100)),  # why it was to be kept and was not; null: it was, or was not to be
    *_links(),
    # Each ends with the id, so that the latest of a kind are found without sorting.
    Index("inspections_by_sha256", "sha256", "id"),
    # with all that the statistics of one model need, so that they never look at the rows themselves
    Index("inspections_of_model", "model", "id", "time_ms", "decision", "overridden"),
    Index("inspections_by_version", "version", "id"),
    Index("inspections_by_station", "station", "id"),
    Index("inspections_by_order", "order_number", "id"),
)

REJECTED = inspections.c.decision == literal_column("'NG'")  # literal, as a partial index wants it
Index("inspections_rejected", inspections.c.id, sqlite_where=REJECTED, postgresql_where=REJECTED)

OVERRIDDEN = inspections.c.overridden.is_(True)
"""Rows that were not decided by the service's rule: left out of every count."""
Index("inspections_overridden", inspections.c.id, sqlite_where=OVERRIDDEN, postgresql_where=OVERRIDDEN)

detections = Table(
    "detections",
    metadata,
    Column("inspection", ForeignKey("inspections.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True),  # 0 is the best score
    Column("name", String(200), nullable=False),
    Column("label", Integer, nullable=False),
    Column("score", Float, nullable=False),
    Column("x1", Float, nullable=False),
    Column("y1", Float, nullable=False),
    Column("x2", Float, nullable=False),
    Column("y2", Float, nullable=False),
    Column("defect", Boolean, nullable=False),
    Index("detections_by_class", "name", "defect", "inspection"),
)

thumbnails = Table(
    "thumbnails",
    metadata,
    Column("inspection", ForeignKey("inspections.id", ondelete="CASCADE"), primary_key=True),
    Column("jpeg", LargeBinary, nullable=False),
)

model_changes = Table(
    "model_changes",
    metadata,
    Column("id", String(32), primary_key=True),  # sorts by time
    Column("time_ms", BigInteger, nullable=False),
    Column("model", String(200), nullable=False),
    Column("sha256", String(64), nullable=False),  # of what answers from then on
    Column("before", String(64)),  # of what answered until then; null at a start
    *_links(),
)
"""When the service began with a model, or changed it."""

corrections = Table(
    "corrections",
    metadata,
    Column("id", String(32), primary_key=True),  # sorts by time
    Column("time_ms", BigInteger, nullable=False),
    Column("inspection", String(32), nullable=False, index=True),  # it may be deleted before its correction
    Column("decision", String(2)),  # what a person says the part is: OK or NG; null: a remark alone
    Column("note", String(1000), nullable=False),
    Column("key_name", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("software", String(64), nullable=False),
    Column("boxes", Text),  # JSON, all boxes that are right: [{"name", "box"}]; null: nothing was said of boxes
    *_links(),
)
"""What people said later of an inspection, whose own row never changes."""

chain_ends = Table(
    "chain_ends",
    metadata,
    Column("name", String(8), primary_key=True),  # head: the last row; anchor: the last one that was deleted
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
)

pictures_end = Table(
    "pictures_end",
    metadata,
    Column("until", String(32), primary_key=True),  # an inspection's id
    Column("time_ms", BigInteger, nullable=False),
)
"""At most one row: the kept pictures of inspections with ids up to this were deleted by retention."""

hours = Table(
    "hours",
    metadata,
    Column("hour", BigInteger, primary_key=True),  # since 1970 UTC
    Column("inspected", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("overridden", Integer, nullable=False),  # counted in neither of the others
)
"""Counts of the rows that are there, kept with them; see `lightdet.service.records.hours`."""

class_hours = Table(
    "class_hours",
    metadata,
    Column("hour", BigInteger, primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("defects", Integer, nullable=False),
    Column("pictures", Integer, nullable=False),
)
