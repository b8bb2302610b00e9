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
)

SCHEMA = 3
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
    # Whether the caller decided by a rule of its own; null where a version that did not record it wrote the row.
    Column("overridden", Boolean),
    Index("inspections_sha256", "sha256"),
)

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
