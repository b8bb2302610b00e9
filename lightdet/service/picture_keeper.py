"""Looks after the kept pictures beside the workers: sends them to a store, and deletes the oldest."""

from __future__ import annotations

import itertools
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from lightdet.errors import UserError
from lightdet.service.keep_pictures import KeepPictures
from lightdet.service.picture_bucket import PictureBucket
from lightdet.service.picture_folder import PictureFolder
from lightdet.service.picture_place import PicturePlace, Places
from lightdet.service.picture_retention import refuse_others, tidy
from lightdet.service.records.store import AwayError, Store
from lightdet.service.repeating import Repeating
from lightdet.storage.filesystem import AwayStoreError

log = logging.getLogger("lightdet.service")

T = TypeVar("T")

_TIDY_SECONDS = 60.0
_SEND_SECONDS = 2.0
_AGAIN_SECONDS = 10.0
"""How long a store that failed is left alone."""
_SOME = 500


class PictureKeeper:
    """Keeps house among the pictures, once a minute; to a store they are sent every two seconds.

    While the store is away, pictures wait in their folder, and the bounds hold for those that wait.

    Args:
        database: whose records.
        keep: what to keep of the pictures.
    """

    def __init__(self, database: str, keep: KeepPictures) -> None:
        self._database, self._keep = database, keep
        self._place = Places(keep.folder, keep.url).open() if keep else None
        self._gone: deque[str] = deque()
        self._sound = not isinstance(self._place, PictureBucket)
        self._tidy_at = self._again_at = float("-inf")
        self._failed = ""
        every = _TIDY_SECONDS if self._sound else _SEND_SECONDS
        self._thread = Repeating(self.work, every, name="pictures")

    def check(self, store: Store) -> None:
        """See that a store can be written and does not hold the pictures of other records.

        One that cannot be reached is asked again by `work`, and nothing is sent or deleted before.

        Raises:
            UserError: it can be reached, but not be used.
        """
        try:
            self._check(store)
        except AwayStoreError as error:
            log.error("%s; pictures wait in %s until it can be", error, self._keep.folder)
            self._failed = error.message

    def _check(self, store: Store) -> None:
        if isinstance(self._place, PictureBucket) and not self._sound:
            self._place.check()
            refuse_others(self._place, store)
            self._sound = True

    def start(self) -> None:
        """Begin, if pictures are kept."""
        if self._place is not None:
            self._thread.start()

    def close(self) -> None:
        """End; what still waits for a store is sent after the next start."""
        self._thread.close()

    def forget(self, name: str) -> None:
        """Delete the picture of a record that is gone; whoever calls does not wait for a store."""
        if self._place is not None:
            try:
                if isinstance(self._place, PictureBucket):
                    self._place.here.delete(name)
                    self._gone.append(name)
                else:
                    self._place.delete(name)
            except (OSError, ValueError) as error:
                log.warning("a picture is left whose record is gone: %s (%s)", name, error)

    def work(self) -> None:
        """Do once what is to be done regularly."""
        if self._place is None or time.monotonic() < self._again_at:
            return
        try:
            done = self._work(self._place)
        except (UserError, AwayError, SQLAlchemyError, OSError) as error:
            said = error.message if isinstance(error, UserError) else str(error)
            if said != self._failed:
                log.warning("the pictures could not be looked after: %s", error)
            self._failed, self._again_at = said, time.monotonic() + _AGAIN_SECONDS
            return
        if self._failed:
            log.info("the pictures are looked after again")
        self._failed = ""
        if done:
            log.info("deleted the oldest %d pictures", done)

    def _work(self, place: PictureFolder | PictureBucket) -> int:
        if isinstance(place, PictureFolder):
            return self._tidy(place)
        due = time.monotonic() >= self._tidy_at
        if due:
            self._tidy_at = time.monotonic() + _TIDY_SECONDS
        done = self._tidy(place.here) if due else 0  # also while the store is away
        if not self._sound:
            self._with_records(self._check)
        place.send(self._thread.ending)
        self._discard(place)
        return done + (self._tidy(place) if due else 0)

    def _tidy(self, place: PicturePlace) -> int:
        return self._with_records(lambda store: tidy(place, self._keep, store, self._thread.ending))

    def _with_records(self, do: Callable[[Store], T]) -> T:
        store = Store(self._database, patient=True, make=False)
        try:
            return do(store)
        finally:
            store.close()

    def _discard(self, place: PictureBucket) -> None:
        while some := list(itertools.islice(self._gone, _SOME)):
            place.discard(some)
            for _ in some:
                self._gone.popleft()
