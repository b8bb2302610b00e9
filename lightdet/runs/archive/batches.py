"""What is left to do, whatever does it: batches, and those on which a process died, again and one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lightdet.errors import UserError

MAX_DEATHS = 3
"""A batch of one on which so many processes died is given up."""
IDLE_DEATHS = 5
"""So many processes in a row that died before they were ready end the run."""


class DeadError(Exception):
    """What takes the place of a result: process after process died on this job."""


@dataclass(eq=False)
class Batch:
    """Jobs, and how many processes have died on them."""

    jobs: Sequence[Any]
    deaths: int = 0


class Batches:
    """Gives out each batch once; what has died comes again, so that each job has exactly one result.

    Args:
        source: taken one at a time, when `next` is called.
    """

    def __init__(self, source: Iterator[Sequence[Any]]) -> None:
        self._source = source
        self._again: deque[Batch] = deque()
        self._drained = False
        self._idle_deaths = 0

    @property
    def empty(self) -> bool:
        """Whether nothing is left to give out; a batch that is out may still come again."""
        return self._drained and not self._again

    def next(self) -> Batch | None:
        """Return the next one; None if there is none now."""
        if self._again:
            return self._again.popleft()
        jobs = None if self._drained else next(self._source, None)
        self._drained = jobs is None
        return None if jobs is None else Batch(jobs)

    def ready(self) -> None:
        """A process has become ready."""
        self._idle_deaths = 0

    def died(self, batch: Batch | None, why: str) -> Iterator[tuple[Sequence[Any], DeadError]]:
        """A process has died on `batch`, or with none; yields a job that is given up.

        Raises:
            UserError: process after process dies before it is ready.
        """
        self._idle_deaths += batch is None
        if self._idle_deaths >= IDLE_DEATHS:
            raise UserError(f"processes end before they are ready ({why}); is memory short?")
        if batch is None:
            return
        if len(batch.jobs) > 1:
            self._again.extend(Batch([job], batch.deaths + 1) for job in batch.jobs)
        elif batch.deaths + 1 < MAX_DEATHS:
            self._again.append(Batch(batch.jobs, batch.deaths + 1))
        else:
            yield batch.jobs, DeadError(f"process after process ended on it ({why})")
