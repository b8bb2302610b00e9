"""Of what is live the newest frame is looked at, of what is recorded every one."""

from __future__ import annotations

import http.server
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.arrays import Image
from lightdet.inference.newest_frame import NewestFrame
from lightdet.inference.pipeline import DetectionRun
from lightdet.inference.predictor import Predictor
from lightdet.inference.save import Record
from lightdet.inference.sources import expand_sources
from lightdet.inference.video import Frame, LiveStream

BITS = 12


def numbered(value: int) -> Image:
    """A picture that shows a number in binary, legible after JPEG."""
    image = np.full((48, 16 * BITS, 3), 40, np.uint8)
    for bit in range(BITS):
        image[:, bit * 16 : bit * 16 + 16] = 230 if value >> bit & 1 else 20
    return image


def number_on(image: Image) -> int:
    return sum(int(image[24, bit * 16 + 8].mean() > 128) << bit for bit in range(BITS))


class Camera:
    """Makes `fps` frames per second whether or not anybody looks, and buffers what is not read, as real ones do."""

    def __init__(self, fps: float, backlog: int = 0) -> None:
        self.fps, self.read_so_far = fps, 0
        self.start = time.monotonic() - backlog / fps

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def get(self, what: int) -> float:
        return self.fps if what == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, Any]:
        made = self.start + self.read_so_far / self.fps
        time.sleep(max(0.0, made - time.monotonic()))
        self.read_so_far += 1
        return True, numbered(self.read_so_far - 1)

    def release(self) -> None:
        pass


@given(fps=st.sampled_from([25.0, 50.0, 100.0]), work=st.sampled_from([0.0, 0.02, 0.1]), backlog=st.integers(0, 200))
@settings(max_examples=6, deadline=None)
def test_the_delay_stays_near_a_frame_whatever_the_work(fps: float, work: float, backlog: int) -> None:
    camera = Camera(fps, backlog)
    live = LiveStream(0, "camera 0", opener=lambda _: camera)
    seen, ages, offsets = [], [], []
    with closing(live.frames(8)) as frames:
        for frame in frames:
            made = camera.start + number_on(frame.image) / fps
            ages.append(time.monotonic() - made)
            offsets.append(made - frame.time)
            seen.append(frame)
            time.sleep(work)
    numbers = [number_on(frame.image) for frame in seen]
    assert numbers == sorted(set(numbers))
    # Two frames, and what a busy computer adds; read in turn, the last would be 0.7 s old, or 4 s by the backlog.
    assert np.median(ages) < 2 / fps + 0.2
    assert np.median(np.abs(np.array(offsets) - np.median(offsets))) < 2 / fps + 0.1
    assert seen[0].time == 0.0 and live.dropped == seen[-1].index + 1 - len(seen)
    gaps = [b - a for a, b in itertools.pairwise(numbers)]
    assert gaps == [b.index - a.index for a, b in itertools.pairwise(seen)]


def test_the_last_thing_is_handed_out_before_the_end_and_before_an_error() -> None:
    def read_then(error: Exception | None) -> NewestFrame[int]:
        things = iter([1, 2, 3])

        def read() -> int | None:
            value = next(things, None)
            if value is None and error is not None:
                raise error
            return value

        newest = NewestFrame(read, lambda: None)
        newest._thread.join()
        return newest

    newest = read_then(None)
    assert [newest.take(), newest.take(), newest.take()] == [3, None, None]
    newest = read_then(OSError("gone"))
    assert newest.take() == 3
    with pytest.raises(OSError, match="gone"):
        newest.take()


def test_a_camera_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightdet.inference.newest_frame._CLOSE_SECONDS", 0.05)
    hangs, released = threading.Event(), threading.Event()
    first = iter([7])
    newest = NewestFrame(lambda: next(first, None) or hangs.wait(5) or None, released.set)
    assert newest.take() == 7
    start = time.monotonic()
    newest.close()
    assert time.monotonic() - start < 4 and not released.is_set()
    hangs.set()
    assert released.wait(5)


@contextmanager
def served(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Mjpeg(http.server.BaseHTTPRequestHandler):
    """25 frames per second without an end."""

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=f")
        self.end_headers()
        start = time.monotonic()
        try:
            for number in range(1, 4000):
                data = cv2.imencode(".jpg", numbered(number))[1].tobytes()
                self.wfile.write(b"--f\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data))
                self.wfile.write(data + b"\r\n")
                time.sleep(max(0.0, number / 25 - (time.monotonic() - start)))
        except OSError:
            pass


class SlowFinder:
    """Takes 0.2 s for a picture and finds nothing; a predictor to the pipeline."""

    names = ("a",)

    def __init__(self, real: Any) -> None:
        self.real, self.preprocessing = real, real.preprocessing

    def batch(self, images: list[Image]) -> Any:
        time.sleep(0.2)
        return self.real.batch(images)


class Kept:
    """A writer that keeps records and the summary."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.summary: dict[str, Any] = {}

    def add(self, record: Record) -> None:
        self.records.append(record)

    def close(self, summary: Any) -> None:
        self.summary = dict(summary)


class Nobody:
    """A watcher that does not look."""

    def begin(self, *_: Any) -> None:
        pass

    step = end = begin


def test_an_endless_mjpeg_is_dropped_from_and_that_is_counted(runtime: Any) -> None:
    kept = Kept()
    with served(Mjpeg) as address:
        run = DetectionRun(SlowFinder(Predictor(runtime)), [kept], folder=None, watcher=Nobody(), max_frames=6)  # type: ignore[arg-type]
        totals = run.run(expand_sources([f"{address}/video.mjpg"]).items)
    indices = [record.frame for record in kept.records if record.frame is not None]
    assert totals.frames == 6 and totals.dropped == indices[-1] + 1 - 6 >= 6
    assert kept.summary["dropped_frames"] == totals.dropped
    times = [record.time or 0.0 for record in kept.records]
    assert times[-1] == pytest.approx(indices[-1] / 25, abs=0.4)


def test_a_recorded_video_behind_an_address_is_read_frame_by_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 50.0, (16 * BITS, 48))
    for number in range(30):
        writer.write(numbered(number))
    writer.release()

    class File(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, directory=str(tmp_path), **more)

        def log_message(self, *_: Any) -> None:
            pass

    with served(File) as address:
        live = LiveStream(f"{address}/a.avi", "a")
        frames: list[Frame] = []
        for frame in live.frames():
            frames.append(frame)
            time.sleep(0.005)
    assert [number_on(frame.image) for frame in frames] == list(range(30)) and live.dropped == 0
    assert [frame.time for frame in frames] == pytest.approx([n / 50 for n in range(30)], abs=1e-3)
