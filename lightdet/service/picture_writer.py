"""Keeps pictures as they came, beside the requests: one thread writes, and no verdict waits long for it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace

from lightdet.errors import UserError
from lightdet.service.inspection import Inspection
from lightdet.service.keep_pictures import GIB, KeepPictures
from lightdet.service.picture_folder import PictureFolder, file_name

log = logging.getLogger("lightdet.service")

MOST_WAITING = 64 << 20
"""Bytes that wait to be written, where any do; what is more is not kept, as the disk is too slow for it."""
TOO_SLOW = "the disk is too slow"
_LONGEST = 100
"""Characters of a reason in the records."""
GONE = "the folder is gone, or another one is in its place"


class Job:
    """The pictures of one request.

    Attributes:
        done: is set when each of them is kept, or could not be.
    """

    def __init__(self, entries: Sequence[Inspection], wanted: Sequence[Inspection]) -> None:
        self._entries = entries
        self.wanted = wanted
        self.done: Future[None] = Future()
        self._lock = threading.Lock()
        self._closed = False
        self._outcomes: dict[str, tuple[str | None, str | None]] = {}

    @property
    def size(self) -> int:
        """Bytes of its pictures; the pages of a file share them."""
        return sum(len(data) for data in {entry.sha256: entry.data or b"" for entry in self.wanted}.values())

    @property
    def closed(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._closed

    def settle(self, entry: Inspection, name: str | None, why: str | None) -> bool:
        """Say where a picture is kept, or why it is not; False: too late, its record says that it is not."""
        with self._lock:
            if not self._closed:
                self._outcomes[entry.id] = (name, why)
            return not self._closed

    def close(self) -> list[Inspection]:
        """Return the inspections, each with where its picture is kept or why it is not; what is not yet, never will."""
        with self._lock:
            self._closed = True
        late = {entry.id: (None, TOO_SLOW) for entry in self.wanted}
        outcomes: dict[str, tuple[str | None, str | None]] = late | self._outcomes
        return [
            replace(entry, data=None, original=name, not_kept=why)
            for entry in self._entries
            for name, why in [outcomes.get(entry.id, (None, None))]
        ]


class PictureWriter:
    """Writes the pictures that are to be kept.

    Args:
        keep: which, and where; the folder must be there (`PictureFolder.prepare`).
        sync: write to the disk before saying that a picture is kept.
        report: is told ``kept`` or ``not_kept`` for each picture.
    """

    def __init__(
        self, keep: KeepPictures, *, sync: bool = False, report: Callable[[str], None] = lambda _: None
    ) -> None:
        self.keep, self._sync, self._report = keep, sync, report
        self.folder = None if keep.folder is None else PictureFolder(keep.folder)
        self._identity = None if self.folder is None else self.folder.identity
        self._waiting: deque[Job] = deque()
        self._held = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._failing = ""
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def close(self, seconds: float = 5.0) -> None:
        """Write what waits, for at most this long."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(seconds)

    @property
    def failing(self) -> str:
        """Why the last picture was not kept; "" if it was."""
        return self._failing

    def take(self, entries: Sequence[Inspection]) -> Job:
        """Take the inspections of one request, with their bytes; wait for `Job.done`, then call `Job.close`."""
        job = Job(entries, [entry for entry in entries if self.keep.choice.wants(entry)])
        with self._changed:
            if not job.wanted:
                job.done.set_result(None)
            elif self._stopping or (self._held and self._held + job.size > MOST_WAITING):
                for entry in job.wanted:
                    self._settle(job, entry, None, TOO_SLOW)
                job.done.set_result(None)
            else:
                self._held += job.size
                self._waiting.append(job)
                self._changed.notify()
        return job

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                if not self._waiting:
                    return
                job = self._waiting.popleft()
            try:
                self._write_all(job)
            finally:
                with self._changed:
                    self._held -= job.size
                job.done.set_result(None)

    def _write_all(self, job: Job) -> None:
        """One file for each record; the pages of a file share its bytes, where the disk can do that."""
        written: dict[str, str] = {}
        for entry in job.wanted:
            if job.closed:
                self._settle(job, entry, None, TOO_SLOW)
                continue
            data = entry.data or b""
            name = file_name(entry.id, data)
            why = self._write(name, data, written.get(entry.sha256))
            if not self._settle(job, entry, None if why else name, why) and why is None and self.folder is not None:
                try:
                    self.folder.delete(name)
                except OSError:
                    log.warning("a picture without a record is left: %s", name)
            written.setdefault(entry.sha256, name)

    def _write(self, name: str, data: bytes, same: str | None) -> str | None:
        """Returns why the picture is not kept; None: it is."""
        folder, floor = self.folder, self.keep.free
        if folder is None or folder.identity != self._identity:
            return GONE
        try:
            if same is not None and folder.link(name, same):
                return None
            if folder.free - len(data) < floor:
                return f"less than {floor / GIB:g} GiB would be free on the disk"
            folder.write(name, data, sync=self._sync)
        except UserError as error:
            return error.message[:_LONGEST]
        except OSError as error:
            return f"cannot be written: {error.strerror}"[:_LONGEST]
        return None

    def _settle(self, job: Job, entry: Inspection, name: str | None, why: str | None) -> bool:
        """Tell the job and the metrics; the log hears when pictures begin not to be kept, and when that ends.

        Returns False if it is too late: its record says that the picture is not kept, and so does this.
        """
        in_time = job.settle(entry, name, why)
        if not in_time:
            why = why or TOO_SLOW
        self._report("not_kept" if why else "kept")
        if why and why != self._failing:
            log.error("pictures are not kept: %s (%s); the service continues", why, self.keep.folder)
        elif not why and self._failing:
            log.info("pictures are kept again")
        self._failing = why or ""
        return in_time
