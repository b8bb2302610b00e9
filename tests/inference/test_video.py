"""Frames with their times, videos that break off, cameras that come back."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lightdet.errors import UserError
from lightdet.inference.image_writers import VideoWriter
from lightdet.inference.video import Frame, LiveStream, VideoFile


def write_video(path: Path, frames: int = 30, codec: str = "MJPG", size: tuple[int, int] = (64, 48)) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 20.0, size)
    assert writer.isOpened()
    noise = np.random.default_rng(0)
    for index in range(frames):
        frame = noise.integers(0, 40, (size[1], size[0], 3), dtype=np.uint8)
        frame[:, :, 2] += np.uint8(index * 5)  # red, in OpenCV's order
        writer.write(frame)
    writer.release()
    return path


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize(("name", "codec"), [("Prüfung ☃.mp4", "mp4v"), ("clip.avi", "MJPG"), ("clip.mkv", "mp4v")])
def test_frames_come_in_order_with_their_times_in_rgb(tmp_path: Path, name: str, codec: str) -> None:
    video = VideoFile(write_video(tmp_path / name, codec=codec))
    assert (video.fps, video.frame_count) == (20.0, 30)
    frames = list(video.frames())
    assert [f.index for f in frames] == list(range(30))
    assert [f.time for f in frames] == pytest.approx([i / 20 for i in range(30)], abs=1e-3)
    last = frames[-1].image
    assert last.shape == (48, 64, 3) and last.dtype == np.uint8
    assert last[..., 0].mean() > 130
    assert last[..., 2].mean() < 60


def test_a_limit_ends_it_without_complaint(tmp_path: Path) -> None:
    assert len(list(VideoFile(write_video(tmp_path / "a.avi")).frames(limit=7))) == 7


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mkv", "mp4v")])
def test_a_video_that_breaks_off_gives_its_frames_and_then_says_so(tmp_path: Path, name: str, codec: str) -> None:
    frames = []
    with pytest.raises(UserError, match=rf"{name}: the video ends early: \d+ of 30 frames") as caught:
        for frame in VideoFile(cut(write_video(tmp_path / name, codec=codec), 0.5)).frames():
            frames.append(frame)
    assert 5 < len(frames) < 25
    assert f" {len(frames)} of 30" in str(caught.value)


def move_index_first(path: Path) -> Path:
    """What "fast start" does to an MP4: its index before its frames, offsets mended."""
    data = path.read_bytes()
    boxes, position = {}, 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        boxes[data[position + 4 : position + 8]] = data[position : position + size]
        position += size
    moov = bytearray(boxes[b"moov"])
    at = moov.index(b"stco") + 8
    for entry in range(int.from_bytes(moov[at : at + 4], "big")):
        here = at + 4 + 4 * entry
        old = int.from_bytes(moov[here : here + 4], "big")
        moov[here : here + 4] = (old + len(moov)).to_bytes(4, "big")
    before = data[: data.index(b"mdat") - 4]
    path.write_bytes(before + moov + boxes[b"mdat"])
    return path


def test_a_truncated_mp4_with_its_index_first_is_noticed(tmp_path: Path) -> None:
    path = move_index_first(write_video(tmp_path / "a.mp4", codec="mp4v"))
    assert len(list(VideoFile(path).frames())) == 30
    with pytest.raises(UserError, match="ends early"):
        list(VideoFile(cut(path, 0.6)).frames())


def test_what_is_no_video_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it is truncated"):
        VideoFile(cut(write_video(tmp_path / "a.mp4", codec="mp4v"), 0.5))
    (tmp_path / "b.mp4").write_bytes(b"")
    with pytest.raises(UserError, match="empty"):
        VideoFile(tmp_path / "b.mp4")
    (tmp_path / "c.avi").write_bytes(b"no video" * 100)
    with pytest.raises(UserError, match=r"c\.avi: cannot be opened as a video"):
        VideoFile(tmp_path / "c.avi")
    with pytest.raises(UserError, match="no such video"):
        VideoFile(tmp_path / "d.avi")


def test_ffmpeg_and_opencv_keep_quiet(tmp_path: Path) -> None:
    path = cut(write_video(tmp_path / "a.mp4", codec="mp4v"), 0.5)
    code = (
        "import sys\nfrom lightdet.errors import UserError\n"
        "from lightdet.inference.video import LiveStream, VideoFile\n"
        "for make in (lambda: VideoFile(sys.argv[1]), lambda: LiveStream(99, 'camera 99')):\n"
        "    try: make()\n"
        "    except UserError: pass\n"
        "    else: sys.exit(1)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class Camera:
    """A capture that gives `good` frames, each as somebody waits for it, and then none."""

    def __init__(self, good: int, count: float = 0.0, opens: bool = True) -> None:
        self.good, self.count, self.opens = good, count, opens
        self.wanted: threading.Semaphore | None = None

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opens

    def get(self, what: int) -> float:
        return self.count if what == cv2.CAP_PROP_FRAME_COUNT else 0.0

    def read(self) -> tuple[bool, Any]:
        self.good -= 1
        if self.good >= 0 and self.wanted is not None:
            self.wanted.acquire(timeout=5)
        return (True, np.zeros((4, 6, 3), np.uint8)) if self.good >= 0 else (False, None)

    def release(self) -> None:
        self.opens = False


def stream(captures: list[Camera], target: str | int = "rtsp://x", attempts: int = 3) -> tuple[LiveStream, list[float]]:
    waits: list[float] = []
    remaining = iter(captures)
    live = LiveStream(target, "x", attempts=attempts, opener=lambda _: next(remaining), sleep=waits.append, settle=0.0)
    return live, waits


def in_turn(live: LiveStream, captures: list[Camera], limit: int | None = None) -> Iterator[Frame]:
    """The frames of a camera that makes one whenever one is waited for."""
    wanted = threading.Semaphore(0)
    for capture in captures:
        capture.wanted = wanted
    frames = live.frames(limit)
    while True:
        wanted.release()
        try:
            yield next(frames)
        except StopIteration:
            return


def test_a_broken_stream_is_taken_up_again() -> None:
    captures = [Camera(3), Camera(0, opens=False), Camera(0), Camera(4), Camera(9)]
    live, waits = stream(captures)
    frames = list(in_turn(live, captures, limit=9))
    assert [f.index for f in frames] == list(range(9)) and live.dropped == 0
    assert waits == [1, 2, 4, 1]  # the count begins anew after a frame


def test_the_attempts_are_bounded() -> None:
    captures = [Camera(2), *(Camera(0, opens=False) for _ in range(3))]
    live, waits = stream(captures)
    seen = []
    with pytest.raises(UserError, match="stopped after 2 frames and did not come back in 3 attempts"):
        for frame in in_turn(live, captures):
            seen.append(frame)
    assert len(seen) == 2 and waits == [1, 2, 4]


def test_a_recorded_video_behind_a_url_ends() -> None:
    live, waits = stream([Camera(5, count=5)], "http://x/a.mp4")
    assert len(list(live.frames())) == 5 and waits == []


@pytest.mark.parametrize(
    ("address", "shown", "whole"),
    [
        ("http://x/a.avi", 50, False),
        ("http://x/a.avi", 98, True),
        ("http://x/a.mp4", 50, False),
        ("https://x/a.MP4?key=1", 96, True),  # frames before the start of a trimmed file are counted
        ("http://x/clip?name=a.mp4", 50, False),
        ("http://x/clip", 96, True),
        ("http://x/a.mkv", 80, False),
        ("http://x/a.avi", 0, False),
    ],
)
def test_a_recorded_video_that_breaks_off_is_not_played_again(address: str, shown: int, whole: bool) -> None:
    live, waits = stream([Camera(shown, count=100), Camera(100, count=100)], address)
    seen = []
    with nullcontext() if whole else pytest.raises(UserError, match=f"{shown} of 100|not one frame") as caught:
        for frame in live.frames():
            seen.append(frame.index)
    assert seen == list(range(shown)) and waits == []
    assert whole or (str(caught.value).startswith("x: ") and "connection" in str(caught.value))


def test_a_limit_ends_a_recorded_video_without_complaint() -> None:
    live, waits = stream([Camera(50, count=100)], "http://x/a.avi")
    assert len(list(live.frames(limit=50))) == 50 and waits == []


def test_a_camera_that_cannot_be_opened_says_what_to_check(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="camera 9 cannot be opened: check that it is plugged in"):
        LiveStream(9, "camera 9", opener=lambda _: Camera(0, opens=False))
    with pytest.raises(UserError, match="check the address"):
        LiveStream("rtsp://x", "rtsp://x", opener=lambda _: Camera(0, opens=False))
    assert capfd.readouterr() == ("", "")


def test_written_videos_keep_odd_sides_and_every_frame(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "Prüfung ☃.mp4"
    with VideoWriter(path, 10.0) as writer:
        for value in range(12):
            writer.write(np.full((45, 61, 3), value * 20, np.uint8))
        assert not path.exists()  # it appears when it is whole
    video = VideoFile(path)
    frames = list(video.frames())
    assert len(frames) == 12 and video.fps == 10.0
    assert frames[0].image.shape == (46, 62, 3)
    assert abs(float(frames[6].image.mean()) - 120) < 4
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_video_without_frames_is_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", 10.0):
        pass
    assert list(tmp_path.iterdir()) == []
