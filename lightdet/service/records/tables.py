"""The tables of the records; plain enough that other programs can read them, too."""

from __future__ import annotations

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

SCHEMA = 4
"""Raised with every change of the tables, together with a step in `migrations.py`."""

metadata = MetaData()


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
    # What follows is null where a version that did not record it wrote the row.
    Column("overridden", Boolean),  # whether the caller decided by a rule of its own
    Column("model_sha256", String(64)),
    Column("key_name", String(64)),  # of the API key; "" where the service asks for none
    Column("role", String(16)),  # of that key
    Column("station", String(100)),  # "" where it was not said
    Column("order_number", String(100)),  # "" where it was not said
    Column("software", String(64)),  # lightdet's version
    # Each ends with the id, so that the latest of a kind are found without sorting.
    Index("inspections_by_sha256", "sha256", "id"),
    Index("inspections_by_model", "model", "id"),
    Index("inspections_by_version", "version", "id"),
    Index("inspections_by_station", "station", "id"),
    Index("inspections_by_order", "order_number", "id"),
)

REJECTED = inspections.c.decision == literal_column("'NG'")  # literal, as a partial index wants it
Index("inspections_rejected", inspections.c.id, sqlite_where=REJECTED, postgresql_where=REJECTED)

OVERRIDDEN = inspections.c.overridden.is_(True)
"""Rows that say nothing about the parts under the service's rule: left out of every count."""
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
)
"""When the service began with a model, or changed it."""
