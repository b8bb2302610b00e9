"""Deletes kept pictures that are too old or too many."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from lightdet.errors import UserError
from lightdet.service.inspection import first_id
from lightdet.service.keep_pictures import KeepPictures
from lightdet.service.picture_folder import PictureFolder, identity_of
from lightdet.service.records.store import AwayError, Store
from lightdet.service.repeating import Repeating

log = logging.getLogger("lightdet.service")

_EVERY = 60.0
_LOOKED_AT = 50


def check_pictures(keep: KeepPictures, store: Store) -> None:
    """Make the folder, if pictures are kept, and refuse one with the pictures of other records: they would be deleted.

    Raises:
        UserError: none of the newest pictures in it has a record in this database, or it cannot be written.
    """
    if not keep or keep.folder is None:
        return
    folder = PictureFolder(keep.folder)
    folder.prepare()
    newest = [identity_of(name) for name in folder.newest(_LOOKED_AT)]
    if newest and not store.knows_any(newest):
        message = "holds pictures of the records in another database; give another --keep-folder"
        raise UserError(message, path=folder.folder)


def tidy(folder: PictureFolder, keep: KeepPictures, store: Store, stop: Callable[[], bool] = lambda: False) -> int:
    """Delete the oldest pictures until what is there is within its bounds; `stop` ends it. Returns how many.

    Days go by the records, as in `retention.purge`. What is deleted is written into the database before, so that
    nobody takes it for a picture that was lost.

    Raises:
        AwayError, SQLAlchemyError, OSError: the database or the folder is away.
    """
    before_ms = store.cutoff(keep.days)
    surplus = max(0, folder.size() - keep.size) if keep.size else 0
    before = first_id(before_ms) if before_ms else ""
    going, freed = list[str](), 0
    for name in folder.names():
        if freed >= surplus and identity_of(name) >= before:
            break
        freed += folder.bytes_of(name)
        going.append(name)
    if going:
        store.note_pictures_deleted(identity_of(going[-1]))
    for done, name in enumerate(going):
        if stop():
            return done
        folder.delete(name)
    return len(going)


class PictureKeeper:
    """Keeps house in the folder of pictures, once a minute, beside the workers.

    Args:
        database: whose records.
        keep: what to keep of the pictures.
    """

    def __init__(self, database: str, keep: KeepPictures) -> None:
        self._database, self._keep = database, keep
        self._folder = None if keep.folder is None else PictureFolder(keep.folder)
        self._failed = ""
        self._thread = Repeating(self.work, _EVERY, name="pictures")

    def start(self) -> None:
        """Begin, if pictures are kept."""
        if self._keep:
            self._thread.start()

    def close(self) -> None:
        """End."""
        self._thread.close()

    def forget(self, name: str) -> None:
        """Delete the picture of a record that is gone."""
        if self._folder is None:
            return
        try:
            self._folder.delete(name)
        except (OSError, ValueError) as error:
            log.warning("a picture is left whose record is gone: %s (%s)", name, error)

    def work(self) -> None:
        """Do once what is to be done every minute."""
        if self._folder is None:
            return
        try:
            store = Store(self._database, patient=True, make=False)
            try:
                done = tidy(self._folder, self._keep, store, self._thread.ending)
            finally:
                store.close()
        except (UserError, AwayError, SQLAlchemyError, OSError) as error:
            if str(error) != self._failed:
                log.warning("the pictures could not be looked after: %s", error)
            self._failed = str(error)
            return
        self._failed = ""
        if done:
            log.info("deleted the oldest %d pictures", done)
