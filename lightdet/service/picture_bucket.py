"""Kept pictures in a folder of a store; each waits in a folder of this computer until it is there."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from lightdet.service.picture_folder import Entry, PictureFolder, is_picture_name
from lightdet.storage.bucket import Bucket

_TOGETHER = 8
"""Pictures that are sent at the same time, and held meanwhile."""
_RECOUNT_SECONDS = 86_400


class PictureBucket:
    """The pictures in the store, and those that wait.

    Pictures are written to the folder alone, as `PictureWriter` does; `send` takes them to the store.

    Args:
        url: the folder of the store, such as ``s3://bucket/prefix``.
        here: the folder where pictures wait.
    """

    def __init__(self, url: str, here: PictureFolder) -> None:
        self.here, self._bucket, self._sizes = here, Bucket(url), HourSizes()

    @property
    def shown(self) -> str:
        """What it is called in messages: the URL without secrets."""
        return self._bucket.shown

    def check(self) -> None:
        """Write something into the store, and delete that again.

        Raises:
            AwayStoreError: it cannot be reached now.
            UserError: it cannot be written.
        """
        self._bucket.check()

    def send(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Take to the store what waits, the oldest first; `stop` ends it. Returns how many pictures were sent.

        Raises:
            UserError, OSError: a picture cannot be sent, or the folder not be read.
        """
        sent, waiting = 0, self.here.settled()
        with ThreadPoolExecutor(_TOGETHER) as pool:
            while not stop() and (some := list(itertools.islice(waiting, 4 * _TOGETHER))):
                for name, size in pool.map(self._send, some):
                    self._sizes.add(Entry(name, size))
                    sent += size > 0
        return sent

    def _send(self, name: str) -> Entry:
        data = self.here.read(name)
        if data is None:
            return Entry(name, 0)
        self._bucket.write(name, data)
        if not self.here.delete(name):  # it was deleted meanwhile, and is not to come back
            self._bucket.delete([name])
            return Entry(name, 0)
        return Entry(name, len(data))

    def read(self, name: str) -> bytes | None:
        """Return a picture; None if it is neither here nor there.

        Raises:
            ValueError: no name of a kept picture.
            UserError, OSError: it cannot be read.
        """
        data = self.here.read(name)
        return self._bucket.read(name) if data is None else data

    def discard(self, names: Sequence[str]) -> None:
        """Delete pictures; one that is gone is no error.

        Raises:
            ValueError: no name of a kept picture.
            UserError, OSError: one cannot be deleted.
        """
        self.here.discard(names)
        self._bucket.delete(names)
        self._sizes.doubt(names)

    def entries(self) -> Iterator[Entry]:
        """Yield all pictures, the oldest first; the store is asked for the next thousand when these are used up.

        Raises:
            UserError, OSError: the store or the folder cannot be listed.
        """
        both = heapq.merge(self.here.entries(), self._listed())
        return (next(same) for _, same in groupby(both, key=lambda entry: entry.name))

    def newest(self, most: int) -> list[str]:
        """Return the names of the newest pictures in the store, the newest first; those that wait are not among them.

        Raises:
            UserError: the store cannot be listed.
        """
        found: list[str] = []
        for day in reversed(self._bucket.folders()):
            for hour in reversed(self._bucket.folders(f"{day}/")):
                if len(found) < most:
                    found += reversed([name for name, _ in self._listed(f"{hour}/")])
        return found[:most]

    def size(self) -> int:
        """Return how many bytes the pictures have.

        The store is listed whole once a day. Between, what was sent is added, and hours with deleted pictures are
        listed again.

        Raises:
            UserError, OSError: the store or the folder cannot be listed.
        """
        return self._sizes.total(self._listed) + self.here.size()

    def _listed(self, below: str = "") -> Iterator[Entry]:
        return (Entry(name, size) for name, size in self._bucket.files(below) if is_picture_name(name))


class HourSizes:
    """The bytes of each hour's pictures in the store; one thread alone adds them up."""

    def __init__(self) -> None:
        self._sizes: Counter[str] = Counter()
        self._doubted: set[str] = set()
        self._lock = threading.Lock()
        self._recount_at = float("-inf")

    def add(self, entry: Entry) -> None:
        """Take note of a picture that was added."""
        self._sizes[_hour_of(entry.name)] += entry.size

    def doubt(self, names: Iterable[str]) -> None:
        """Take note that pictures were deleted: their hours are listed again; any thread may call this."""
        with self._lock:
            self._doubted.update(map(_hour_of, names))

    def total(self, listed: Callable[[str], Iterable[Entry]]) -> int:
        """Return the bytes of all; `listed` gives the pictures below ``""`` or ``DAY/HOUR/``."""
        with self._lock:
            doubted, self._doubted = self._doubted, set()
        try:
            if time.monotonic() >= self._recount_at:
                self._sizes = _added_up(listed(""))
                self._recount_at = time.monotonic() + _RECOUNT_SECONDS
            else:
                for hour in doubted:
                    self._sizes[hour] = _added_up(listed(f"{hour}/"))[hour]
        except BaseException:
            with self._lock:
                self._doubted |= doubted
            raise
        return self._sizes.total()


def _added_up(entries: Iterable[Entry]) -> Counter[str]:
    sizes: Counter[str] = Counter()
    for name, size in entries:
        sizes[_hour_of(name)] += size
    return sizes


def _hour_of(name: str) -> str:
    return name.rpartition("/")[0]
