"""Pictures that wait for a model: a short queue for each source, served in fair shares."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Row(Generic[T]):
    share: float
    places: int
    drop: str
    served: float = 0.0
    """Pictures served, divided by the share: the source with the least is next."""
    items: deque[T] = field(default_factory=deque)


class FairQueue(Generic[T]):
    """Serves the sources so that each gets its share while it has something waiting (start-time fair queueing).

    A source that was idle does not catch up: it continues where the others are.

    Args:
        sources: ``(share, places, what to drop)`` by name: ``oldest``, ``newest``, or ``none``: the caller sees to it
            that there is room.
    """

    def __init__(self, sources: Mapping[str, tuple[float, int, str]]) -> None:
        self._rows = {name: _Row[T](*values) for name, values in sources.items()}
        self._clock = 0.0

    def __len__(self) -> int:
        return sum(len(row.items) for row in self._rows.values())

    def __iter__(self) -> Iterator[T]:
        for row in self._rows.values():
            yield from row.items

    def waiting(self, source: str) -> int:
        """How many of this source wait."""
        return len(self._rows[source].items)

    def add(self, source: str, item: T) -> T | None:
        """Let it wait; returns what is dropped for it, which may be itself."""
        row = self._rows[source]
        if row.drop != "none" and len(row.items) >= row.places:
            if row.drop == "newest":
                return item
            dropped = row.items.popleft()
            row.items.append(item)
            return dropped
        if not row.items:
            row.served = max(row.served, self._clock)
        row.items.append(item)
        return None

    def put_back(self, source: str, item: T) -> None:
        """Let it wait once more, before all others of its source."""
        self._rows[source].items.appendleft(item)

    def take(self, most: int) -> list[T]:
        """Return the next items, at most so many, of whichever sources are next."""
        taken: list[T] = []
        while len(taken) < most:
            row = min((row for row in self._rows.values() if row.items), key=lambda row: row.served, default=None)
            if row is None:
                break
            self._clock = row.served
            row.served += 1.0 / row.share
            taken.append(row.items.popleft())
        return taken

    def remove(self, unwanted: Callable[[T], bool]) -> Iterator[T]:
        """Take out and yield all that are unwanted."""
        for row in self._rows.values():
            out = [item for item in row.items if unwanted(item)]
            if out:
                row.items = deque(item for item in row.items if not unwanted(item))
                yield from out
