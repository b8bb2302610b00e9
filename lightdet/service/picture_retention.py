"""Deletes kept pictures that are too old or too many."""

from __future__ import annotations

from collections.abc import Callable

from lightdet.errors import UserError
from lightdet.service.inspection import first_id
from lightdet.service.keep_pictures import KeepPictures
from lightdet.service.picture_folder import PictureFolder, identity_of
from lightdet.service.picture_place import PicturePlace
from lightdet.service.records.store import Store

_LOOKED_AT = 50
_STEP = 500
"""Pictures that are deleted before it is asked whether to stop."""


def check_pictures(keep: KeepPictures, store: Store) -> None:
    """Make the folder that pictures are written to, and refuse one with the pictures of other records.

    A store is not asked: one that is away keeps no worker from its work (`PictureKeeper.check`).

    Raises:
        UserError: none of the newest pictures in it has a record in this database, or it cannot be written.
    """
    if not keep or keep.folder is None:
        return
    folder = PictureFolder(keep.folder)
    folder.prepare()
    if keep.url is None:
        refuse_others(folder, store)


def refuse_others(place: PicturePlace, store: Store) -> None:
    """Refuse a place with the pictures of other records: they would be deleted.

    Raises:
        UserError: none of the newest pictures there has a record in this database.
    """
    newest = [identity_of(name) for name in place.newest(_LOOKED_AT)]
    if newest and not store.knows_any(newest):
        message = "holds pictures of the records in another database; give another --keep-folder"
        raise UserError(message, path=place.shown)


def tidy(place: PicturePlace, keep: KeepPictures, store: Store, stop: Callable[[], bool] = lambda: False) -> int:
    """Delete the oldest pictures until what is there is within its bounds; `stop` ends it. Returns how many.

    Days go by the records, as in `retention.purge`. What is deleted is written into the database before, so that
    nobody takes it for a picture that was lost.

    Raises:
        AwayError, SQLAlchemyError, OSError, UserError: the database, the folder or the store is away.
    """
    before_ms = store.cutoff(keep.days)
    surplus = max(0, place.size() - keep.size) if keep.size else 0
    before = first_id(before_ms) if before_ms else ""
    if not surplus and not before:
        return 0
    going, freed = list[str](), 0
    for name, size in place.entries():
        if freed >= surplus and identity_of(name) >= before:
            break
        freed += size
        going.append(name)
    if going:
        store.note_pictures_deleted(identity_of(going[-1]))
    for start in range(0, len(going), _STEP):
        if stop():
            return start
        place.discard(going[start : start + _STEP])
    return len(going)
