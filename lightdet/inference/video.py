"""Frames of video files, cameras and network streams, with their times; how a video that breaks off is told."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from lightdet.arrays import Image
from lightdet.errors import UserError

DEFAULT_FPS = 25.0
"""For files and cameras that do not tell theirs."""
TIMEOUT_MS = 10_000
_ISO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".3gp"})
Capture = Any
"""A ``cv2.VideoCapture`` or what reads like one: isOpened, read, get, release."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame: uint8 RGB ``[H, W, 3]``, its number from 0, and its time in seconds from the start."""

    image: Image
    index: int
    time: float


def quiet_ffmpeg() -> None:
    """Keep FFmpeg's own messages off stderr; works only before this process first reads or writes a video."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


def open_capture(target: str | int) -> Capture:
    """Open a file, a URL or a camera by its number, without OpenCV's own messages on stderr."""
    quiet_ffmpeg()
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        if isinstance(target, str) and "://" in target:
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
            return cv2.VideoCapture(target, cv2.CAP_FFMPEG, limits)
        return cv2.VideoCapture(target)
    finally:
        cv2.utils.logging.setLogLevel(before)


class VideoFile:
    """A video file: its facts, and its frames in order.

    Attributes:
        fps: frames a second; 25 where the file does not tell.
        frame_count: what the header says, 0 where it says nothing.

    Raises:
        UserError: missing, empty, foreign, or truncated so that nothing of it can be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError("no such video file", path=path)
        try:
            self._capture = open_capture(str(self.path))
            opened = bool(self._capture.isOpened())
        except (cv2.error, UnicodeError):  # a name that is no UTF-8 cannot be handed over
            opened = False
        if not opened:
            raise UserError(f"cannot be opened as a video: {self._reason()}", path=path)
        self.fps = _rate(self._capture)
        self.frame_count = _count(self._capture)

    def frames(self, limit: int | None = None) -> Generator[Frame]:
        """Yield the frames, at most `limit`; the file is closed at the end.

        Raises:
            UserError: after the last readable frame, when the header tells of more.
        """
        index, last = 0, 0.0
        try:
            while limit is None or index < limit:
                good, picture = self._capture.read()
                if not good:
                    break
                # Some files tell no times, or 0 for all: then by the frame rate.
                told = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1e3
                last = told if index == 0 or told > last else index / self.fps
                yield Frame(_to_rgb(picture), index, last)
                index += 1
        finally:
            self._capture.release()
        if limit is None or index < limit:
            self._check_end(index, last)

    def _check_end(self, read: int, last: float) -> None:
        if read == 0:
            raise UserError("not one frame can be read; the video is truncated or damaged", path=self.path)
        missing = self.frame_count - read
        if missing <= 2 or not self._broken_off(missing, last):
            return
        raise UserError(
            f"the video ends early: {read} of {self.frame_count} frames can be read; it is truncated or damaged",
            path=self.path,
        )

    def _broken_off(self, missing: int, last: float) -> bool:
        """Whether missing frames mean damage: the header of an intact video may count more than is shown."""
        suffix = self.path.suffix.lower()
        if suffix in _ISO_SUFFIXES:
            # A file trimmed without encoding keeps frames before its start: they are counted and never shown.
            return missing > 0.1 * self.frame_count or _iso_truncated(self.path)
        if suffix == ".avi":
            return True
        # Elsewhere the count is the duration times a mean rate, wrong where the rate changes; the duration is right.
        return self.frame_count / self.fps - last > 0.25 + 1 / self.fps

    def _reason(self) -> str:
        try:
            if self.path.stat().st_size == 0:
                return "it is empty (0 bytes); copy it again"
            with self.path.open("rb"):
                pass
        except OSError as error:
            return error.strerror or str(error)
        if self.path.suffix.lower() in _ISO_SUFFIXES and _iso_truncated(self.path):
            return "it is truncated; copy or record it again"
        return "it is truncated, damaged or of a kind that OpenCV cannot read; copy it again or convert it to MP4"


class LiveStream:
    """A camera or a network stream; a broken connection is taken up again, a bounded number of times.

    Args:
        target: a camera's number, or a URL.
        name: how messages call it (without a password).
        attempts: tries to reconnect after a break; a frame in between starts the count anew.
        wait: seconds before the first try, doubled before each further one.
        opener: for tests; opens a capture.
        sleep: for tests; waits.

    Raises:
        UserError: it cannot be opened; the message says what to check.
    """

    def __init__(
        self,
        target: str | int,
        name: str,
        *,
        attempts: int = 5,
        wait: float = 1.0,
        opener: Callable[[str | int], Capture] = open_capture,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.target, self.name = target, name
        self.attempts, self.wait = attempts, wait
        self._opener, self._sleep = opener, sleep
        self._capture = opener(target)
        if not self._capture.isOpened():
            raise UserError(f"{name} cannot be opened: {self._advice()}")
        self.fps = _rate(self._capture)
        # A URL of a recorded video has an end; taking it up again would play it from the start.
        self.frame_count = _count(self._capture) if isinstance(target, str) else 0

    def frames(self, limit: int | None = None) -> Generator[Frame]:
        """Yield frames as they come, at most `limit`, with the seconds since the first.

        Raises:
            UserError: the stream ended and did not come back.
        """
        index, start = 0, time.monotonic()
        try:
            while limit is None or index < limit:
                picture = self._next(index)
                if picture is None:
                    return
                if index == 0:
                    start = time.monotonic()
                yield Frame(picture, index, time.monotonic() - start)
                index += 1
        finally:
            self._capture.release()

    def _next(self, seen: int) -> Image | None:
        """The next frame, reconnecting where needed; None at the end of a recorded video."""
        good, picture = self._capture.read()
        if not good and self.frame_count and seen >= self.frame_count - 2:
            return None
        for attempt in range(self.attempts):
            if good:
                break
            self._capture.release()
            self._sleep(self.wait * 2**attempt)
            self._capture = self._opener(self.target)
            good, picture = self._capture.read() if self._capture.isOpened() else (False, None)
        if not good:
            raise UserError(
                f"{self.name} stopped after {seen} frames and did not come back in {self.attempts} attempts; "
                f"{self._advice()}"
            )
        return _to_rgb(picture)

    def _advice(self) -> str:
        if isinstance(self.target, int):
            device = f" that you may read /dev/video{self.target}," if os.path.exists("/dev") else ""  # noqa: PTH110
            return f"check that it is plugged in,{device} and that no other program uses it; or try another number"
        return "check the address, the user and password in it, and that this computer reaches the camera"


def _to_rgb(picture: Any) -> Image:
    image: Image = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return image


def _rate(capture: Capture) -> float:
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return fps if math.isfinite(fps) and 0.1 <= fps <= 1000 else DEFAULT_FPS


def _count(capture: Capture) -> int:
    count = float(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    return int(count) if math.isfinite(count) and 0 < count < 1e9 else 0


def _iso_truncated(path: Path) -> bool:
    """Whether an MP4 or MOV ends inside one of its boxes (ISO/IEC 14496-12: size, type, content; on and on)."""
    end, position = path.stat().st_size, 0
    kinds = set()
    with path.open("rb") as file:
        while position < end:
            file.seek(position)
            header = file.read(16)
            size = int.from_bytes(header[:4], "big")
            if size == 1:
                size = int.from_bytes(header[8:16], "big")
            elif size == 0:  # up to the end of the file
                size = end - position
            if len(header) < 8 or size < 8 or position + size > end:
                return True
            kinds.add(header[4:8])
            position += size
    return b"moov" not in kinds
