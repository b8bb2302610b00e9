"""Which records are kept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Keep:
    """What to keep; 0 sets no bound.

    Attributes:
        days: of records, back from the newest one.
        rows: of inspections, corrections and changes of the model, together.
        size: bytes of the database.
    """

    days: float = 0.0
    rows: int = 0
    size: int = 0

    def __bool__(self) -> bool:
        """Whether there is any bound."""
        return bool(self.days or self.rows or self.size)

    def describe(self) -> str:
        """Return the bounds in words, with the options that set them."""
        parts = []
        if self.days:
            parts.append(f"the last {self.days:g} days (--keep-days)")
        if self.rows:
            parts.append(f"{self.rows:,} rows (--keep-rows)")
        if self.size:
            parts.append(f"{self.size / (1 << 30):g} GiB (--keep-gib)")
        return "the newest records are kept, up to " + ", ".join(parts) if parts else "all records are kept"
