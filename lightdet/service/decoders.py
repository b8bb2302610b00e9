"""Decoding in processes that can be ended: a picture that takes too long ends its process and delays no other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

import numpy as np

from lightdet.data.images import Page, TooLargeError, UnknownFormatError
from lightdet.errors import UserError
from lightdet.service.decode_process import receive, send

_ERRORS: dict[str, type[Exception]] = {kind.__name__: kind for kind in (TooLargeError, UnknownFormatError, MemoryError)}


class Decoders:
    """Processes that decode, as many as threads use them at the same time; each is started when it is first needed.

    Args:
        seconds: that decoding one file may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._idle: list[subprocess.Popen[bytes]] = []
        self._working: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def pages(self, data: bytes, *, bit_depth: int, max_pixels: int, max_pages: int) -> Iterator[Page]:
        """Like `lightdet.data.images.read_pages`.

        Raises:
            UserError: as there, or it takes longer than `seconds` (`TooLargeError`).
            MemoryError: there was not enough memory.
        """
        process = self._take()
        to, back = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        whole = False
        try:
            options = {"bit_depth": bit_depth, "max_pixels": max_pixels, "max_pages": max_pages}
            with suppress(OSError):  # it has ended: receiving will report it
                send(to, {**options, "seconds": self.seconds}, data)
            while message := receive(back):
                head, content = message
                whole = "number" not in head
                if "error" in head:
                    raise _ERRORS.get(head["kind"], UserError)(head["error"])
                if whole:
                    return
                yield Page(np.frombuffer(content, np.uint8).reshape(head["shape"]), head["number"], head["of"])
            raise TooLargeError(
                f"decoding it takes more than {self.seconds:g} s, or more memory than there is; save it as PNG or JPEG"
            )
        finally:
            self._give_back(process, whole)

    def close(self) -> None:
        """End all of them at once."""
        with self._lock:
            self._closed = True
            processes = [*self._idle, *self._working]
            self._idle.clear()
        for process in processes:
            _end(process)

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    self._working.add(process)
                    return process
                _end(process)
        process = _start()
        with self._lock:
            self._working.add(process)
            closed = self._closed
        if closed:
            _end(process)
        return process

    def _give_back(self, process: subprocess.Popen[bytes], whole: bool) -> None:
        """Keep it for the next picture if it has answered the last one completely."""
        with self._lock:
            self._working.discard(process)
            if whole and not self._closed:
                self._idle.append(process)
                return
        _end(process)


def _start() -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-m", "lightdet.service.decode_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
        start_new_session=True,  # Ctrl-C is for the service, which ends them in its turn
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
