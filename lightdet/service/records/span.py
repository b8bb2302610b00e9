"""A stretch of time, as a condition on the ids of inspections, which sort by time."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, literal

from lightdet.service.inspection import first_id


@dataclass(frozen=True)
class Span:
    """A stretch of time in milliseconds since 1970, the end outside; None: unbounded."""

    since_ms: int | None = None
    until_ms: int | None = None

    def condition(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition on a column of ids."""
        bounds = []
        if self.since_ms is not None:
            bounds.append(column >= first_id(self.since_ms))
        if self.until_ms is not None:
            bounds.append(column < first_id(self.until_ms))
        return and_(literal(True), *bounds)
