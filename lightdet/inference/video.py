"""Frames of video files, cameras and network streams, with their times."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import cv2

from lightdet.arrays import Image
from lightdet.errors import UserError
from lightdet.inference.newest_frame import NewestFrame
from lightdet.inference.video_end import CONNECTION, ISO_SUFFIXES, VideoEnd, iso_truncated
from lightdet.storage.urls import file_part

DEFAULT_FPS = 25.0
"""For files and cameras that do not report their rate."""
TIMEOUT_MS = 10_000
SLOW_READS = 3
"""A busy computer may be slow to read a buffered frame, but not this often."""
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


class _QuietOpenCV:
    """Keeps OpenCV's own messages off stderr while any thread of this process is within."""

    def __init__(self) -> None:
        self._lock, self._within, self._before = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        with self._lock:
            if self._within == 0:
                self._before = cv2.utils.logging.getLogLevel()
                cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
            self._within += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._within -= 1
            if self._within == 0:
                cv2.utils.logging.setLogLevel(self._before)


_quiet_opencv = _QuietOpenCV()


def open_capture(target: str | int) -> Capture:
    """Open a file, a URL or a camera by its number, without OpenCV's own messages on stderr."""
    quiet_ffmpeg()
    with _quiet_opencv:
        if isinstance(target, str) and "://" in target:
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
            return cv2.VideoCapture(target, cv2.CAP_FFMPEG, limits)
        return cv2.VideoCapture(target)


class VideoFile:
    """A video file: its facts, and its frames in order.

    Attributes:
        fps: frames per second; 25 if the file does not say.
        frame_count: what the header says, 0 if it says nothing.
        dropped: always 0.

    Raises:
        UserError: missing, empty, foreign, or truncated so that nothing can be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError("no such video file", path=path)
        try:
            self._capture = open_capture(str(self.path))
            opened = bool(self._capture.isOpened())
        except (cv2.error, UnicodeError):  # a name that is not UTF-8 cannot be passed on
            opened = False
        if not opened:
            raise UserError(f"cannot be opened as a video: {self._reason()}", path=path)
        self.fps = _rate(self._capture)
        self.frame_count = _count(self._capture)
        self.dropped = 0

    def frames(self, limit: int | None = None) -> Generator[Frame]:
        """Yield the frames, at most `limit`; the file is closed at the end.

        Raises:
            UserError: after the last readable frame, if the header promises more.
        """
        index, last = 0, 0.0
        try:
            while limit is None or index < limit:
                good, picture = self._capture.read()
                if not good:
                    break
                last = _told_time(self._capture, index, last, self.fps)
                yield Frame(_to_rgb(picture), index, last)
                index += 1
        finally:
            self._capture.release()
        if limit is None or index < limit:
            end = VideoEnd(index, self.frame_count, self.fps, last)
            end.check(self.path.suffix.lower(), self.path, truncated=lambda: iso_truncated(self.path))

    def _reason(self) -> str:
        try:
            if self.path.stat().st_size == 0:
                return "it is empty (0 bytes); copy it again"
            with self.path.open("rb"):
                pass
        except OSError as error:
            return error.strerror or str(error)
        if self.path.suffix.lower() in ISO_SUFFIXES and iso_truncated(self.path):
            return "it is truncated; copy or record it again"
        return "it is truncated, damaged or of a kind that OpenCV cannot read; copy it again or convert it to MP4"


class LiveStream:
    """A camera or a network stream; a broken connection is re-established, a limited number of times.

    From a live source the newest frame is handed out, and frames in between are dropped: the delay stays near one
    frame, however slow the caller is. A recorded video behind an HTTP address is read frame by frame.

    Args:
        target: a camera's number, or a URL.
        name: its name in messages (without a password).
        attempts: tries to reconnect after a break; a frame in between restarts the count.
        wait: seconds before the first try, doubled before each further one.
        opener: for tests; opens a capture.
        sleep: for tests; waits.
        settle: seconds after opening during which frames that arrive faster than the camera's rate are dropped, because
            they waited in a buffer.

    Attributes:
        dropped: frames of a live stream that were not handed out because a newer one had arrived.

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
        sleep: Callable[[float], object] | None = None,
        settle: float = 1.0,
    ) -> None:
        self.target, self.name = target, name
        self.attempts, self.wait, self.settle = attempts, wait, settle
        self._closing = threading.Event()
        self._opener, self._sleep = opener, sleep or self._closing.wait
        self._capture = opener(target)
        if not self._capture.isOpened():
            raise UserError(f"{name} cannot be opened: {self._advice()}")
        self.fps = _rate(self._capture)
        # The URL of a recorded video has an end.
        self.frame_count = _count(self._capture) if isinstance(target, str) else 0
        self.recorded = self.frame_count > 0 and str(target).lower().startswith(("http:", "https:"))
        self.dropped = 0
        self._settled = _Settling(settle, self.fps)
        self._read, self._last = 0, 0.0

    def frames(self, limit: int | None = None) -> Generator[Frame]:
        """Yield frames, at most `limit`, with their own numbers (dropped ones counted) and seconds since the first.

        Raises:
            UserError: the stream ended and did not come back; or a recorded video broke off, after its last frame.
        """
        if self.recorded:
            try:
                while (limit is None or self._read < limit) and (frame := self._next()) is not None:
                    yield frame
            finally:
                self._capture.release()
            if limit is None or self._read < limit:
                suffix = PurePosixPath(file_part(str(self.target))).suffix.lower()
                VideoEnd(self._read, self.frame_count, self.fps, self._last).check(suffix, self.name, over=CONNECTION)
            return
        newest = NewestFrame(self._next, lambda: self._capture.release())  # noqa: PLW0108 - it may be another by then
        handed, start = 0, 0.0
        try:
            while (limit is None or handed < limit) and (frame := newest.take()) is not None:
                start = frame.time if handed == 0 else start
                handed += 1
                self.dropped = frame.index + 1 - handed
                yield replace(frame, time=frame.time - start)
        finally:
            self._closing.set()
            newest.close()

    def _next(self) -> Frame | None:
        """The next frame, reconnecting where needed; None at the end of a recorded video."""
        while True:
            began = time.monotonic()
            with _quiet_opencv:  # it tells of a camera that hangs
                good, picture = self._capture.read()
            if not good and (self.recorded or (self.frame_count and self._read >= self.frame_count - 2)):
                return None  # opened again, it would begin from its start
            if not good and (picture := self._reconnected()) is None:
                return None
            now = time.monotonic()
            if not self.recorded and self._settled.from_buffer(now - began, now):
                continue
            index, self._read = self._read, self._read + 1
            self._last = _told_time(self._capture, index, self._last, self.fps) if self.recorded else now
            return Frame(_to_rgb(picture), index, self._last)

    def _reconnected(self) -> Any:
        """Open the stream again; returns its first picture, or None if nobody waits for it any more."""
        for attempt in range(self.attempts):
            self._capture.release()
            self._sleep(self.wait * 2**attempt)
            if self._closing.is_set():
                return None
            self._capture = self._opener(self.target)
            self._settled = _Settling(self.settle, self.fps)
            with _quiet_opencv:
                good, picture = self._capture.read() if self._capture.isOpened() else (False, None)
            if good:
                return picture
        raise UserError(
            f"{self.name} stopped after {self._read} frames and did not come back in {self.attempts} attempts; "
            f"{self._advice()}"
        )

    def _advice(self) -> str:
        if isinstance(self.target, int):
            device = f" that you may read /dev/video{self.target}," if os.path.exists("/dev") else ""  # noqa: PTH110
            return f"check that it is plugged in,{device} and that no other program uses it; or try another number"
        return "check the address, the user and password in it, and that this computer reaches the camera"


class _Settling:
    """Distinguishes frames buffered while a stream was opened from those that arrive at the camera's rate."""

    def __init__(self, seconds: float, fps: float) -> None:
        self._until = time.monotonic() + seconds
        self._waited = 0.5 / fps
        self._slow = 0

    def from_buffer(self, seconds: float, now: float) -> bool:
        """Whether a frame that arrived `now`, after `seconds` of reading, is an old one."""
        self._slow += seconds >= self._waited
        if self._slow >= SLOW_READS:
            self._until = 0.0
        return now < self._until


def _to_rgb(picture: Any) -> Image:
    image: Image = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return image


def _told_time(capture: Capture, index: int, last: float, fps: float) -> float:
    """Seconds from the start of a recorded video; by the frame rate if it gives no times, or 0 for all frames."""
    told = float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1e3
    return told if index == 0 or told > last else index / fps


def _rate(capture: Capture) -> float:
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return fps if math.isfinite(fps) and 0.1 <= fps <= 1000 else DEFAULT_FPS


def _count(capture: Capture) -> int:
    count = float(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    return int(count) if math.isfinite(count) and 0 < count < 1e9 else 0
