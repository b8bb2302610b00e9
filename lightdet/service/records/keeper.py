"""Keeps house beside the workers: deletes what is too old, and writes the end of the chain down elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from lightdet.errors import UserError
from lightdet.service.inspection import iso_time
from lightdet.service.records.chain import Link
from lightdet.service.records.store import AwayError, Keep, Store
from lightdet.service.repeating import Repeating

log = logging.getLogger("lightdet.service")

_EVERY = 3600.0
_JUMP = 600.0
"""Seconds that the clock may gain or lose within an hour."""


class Keeper:
    """At the start and every hour: deletes the oldest records beyond the bounds, and tells the chain's last link.

    A link that is written down where no one can change it later shows rows that were cut off at the chain's end.

    Args:
        database: whose records.
        keep: what to keep of them.
        chain_file: a line is added to it for each link; None: the log alone.

    Attributes:
        forget: is told the kept picture of each inspection that is deleted.
    """

    def __init__(self, database: str, keep: Keep, chain_file: Path | None) -> None:
        self._database, self._keep, self._file = database, keep, chain_file
        self.forget: Callable[[str], None] = lambda _: None
        self._last: Link | None = None
        self._told = ""
        self._ahead = time.time() - time.monotonic()
        self._thread = Repeating(self.work, _EVERY, name="keeper", last=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Tell the last link once more, and end."""
        self._thread.close()

    def work(self) -> None:
        """Do once what is to be done every hour."""
        try:
            store = Store(self._database, patient=True, make=False)
            try:
                if self._clock_is_steady() and self._keep and not self._thread.ending():
                    self._purge(store)
                self._publish(store)
            finally:
                store.close()
        except (UserError, AwayError, SQLAlchemyError, OSError) as error:
            log.warning("the records could not be looked after: %s", error)

    def _clock_is_steady(self) -> bool:
        """Whether the clock went on as time did; where it jumped, nothing is deleted for this hour, and it is told."""
        before, self._ahead = self._ahead, time.time() - time.monotonic()
        jump = self._ahead - before
        if abs(jump) > _JUMP:
            way = "ahead" if jump > 0 else "back"
            log.warning("the clock jumped %s by %d s; no records are deleted now", way, abs(jump))
        return abs(jump) <= _JUMP

    def _purge(self, store: Store) -> None:
        done = store.purge(self._keep, stop=self._thread.ending, forget=self.forget)
        if done.told and done.told != self._told:
            log.warning("%s", done.told)
        self._told = done.told
        if done.rows:
            log.info("deleted the oldest %d records; %d are left", done.rows, done.left)

    def _publish(self, store: Store) -> None:
        head, time_ms = store.head()
        if head == self._last:
            return
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{iso_time(time_ms)} {head.seq} {head.hash}\n")
        log.info("the chain of records ends with row %d, hash %s", head.seq, head.hash)
        self._last = head


def read_published(file: Path) -> Iterator[Link]:
    """Yield the links of a file that a `Keeper` wrote.

    Raises:
        UserError: it cannot be read, or a line is none of these.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {getattr(error, 'strerror', None) or 'no text'}", path=file) from None
    for number, line in enumerate(lines, 1):
        words = line.split()
        if len(words) != 3 or not (words[1].isascii() and words[1].isdecimal()) or len(words[2]) != 64:
            raise UserError("no line of a chain file (TIME NUMBER HASH)", path=file, line=number)
        yield Link(int(words[1]), words[2])
