"""Reads kept pictures for answers, in threads of their own: a store that is slow delays no other answer."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from lightdet.errors import UserError
from lightdet.service.keep_pictures import KeepPictures
from lightdet.service.picture_place import PicturePlace, Places
from lightdet.web.errors import RefusalError, busy

log = logging.getLogger("lightdet.service")

_THREADS = 4
_SECONDS = 10.0
_MOST = 32
"""Requests that wait for the threads; more are refused at once."""


class PictureReader:
    """Reads kept pictures.

    Args:
        keep: where they are.
    """

    def __init__(self, keep: KeepPictures) -> None:
        self._place: PicturePlace | None = Places(keep.folder, keep.url).open()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="kept")
        self._lock, self._reading = threading.Lock(), 0

    async def read(self, name: str) -> tuple[bytes, str] | None:
        """Return a picture and its SHA-256; None if it is not there, or nothing is of this name.

        Raises:
            RefusalError: it cannot be read now (503).
        """
        if self._place is None:
            return None
        with self._lock:
            if self._reading >= _MOST:
                raise _not_now()
            self._reading += 1
        work = self._pool.submit(_read, self._place, name)
        work.add_done_callback(lambda _: self._finish())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(work), _SECONDS)
        except ValueError:
            return None
        except TimeoutError:
            raise _not_now() from None
        except (OSError, UserError) as error:
            log.warning("a kept picture cannot be read: %s", error)
            raise _not_now() from None

    def _finish(self) -> None:
        with self._lock:
            self._reading -= 1

    def close(self) -> None:
        """End; what is still being read is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _read(place: PicturePlace, name: str) -> tuple[bytes, str] | None:
    data = place.read(name)
    return None if data is None else (data, hashlib.sha256(data).hexdigest())


def _not_now() -> RefusalError:
    return busy("pictures", "the kept pictures cannot be read now; try again later", 5)
