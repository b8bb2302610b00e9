"""Streams of a real RTSP server, GStreamer's, on loopback: one that signs in, dies, hangs and comes back."""

from __future__ import annotations

import functools
import itertools
import logging
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from plain_judge import results, running, section, source_status, wait_for

from lightdet.arrays import Image
from lightdet.config.line import LineSection
from lightdet.errors import UserError
from lightdet.inference.video import LiveStream

BITS, FPS = 8, 10
SIGN_IN = ("viewer", "gEh@eim/7")
IN_ADDRESS = "viewer:gEh%40eim%2F7"
_HAS_SERVER = 'import gi; gi.require_version("GstRtspServer", "1.0"); gi.require_version("Gst", "1.0")'


@functools.cache
def python_with_server() -> str | None:
    """A Python that has GStreamer's RTSP server; Debian's packages belong to Debian's own."""
    for python in (sys.executable, shutil.which("python3", path="/usr/bin")):
        if python and subprocess.run([python, "-c", _HAS_SERVER], capture_output=True, check=False).returncode == 0:
            return python
    return None


class RtspCamera:
    """A camera whose pictures show their own number; it may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for number in range(2**BITS):
            cv2.imwrite(str(folder / f"{number:04d}.jpg"), numbered(number))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    def start(self) -> None:
        program = str(Path(__file__).parent / "rtsp_camera.py")
        size = f"{16 * BITS}x48"
        command = [str(python_with_server()), program, str(self.port), str(FPS), size, str(self.folder), *SIGN_IN]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None and self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def address(self, sign_in: str = IN_ADDRESS, path: str = "live") -> str:
        return f"rtsp://{sign_in}@127.0.0.1:{self.port}/{path}"


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[RtspCamera]:
    if python_with_server() is None:
        pytest.skip(
            "needs GStreamer's RTSP server: "
            "apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
        )
    (tmp_path / "film").mkdir()
    made = RtspCamera(tmp_path / "film")
    try:
        yield made
    finally:
        made.kill()


def numbered(value: int) -> Image:
    image = np.full((48, 16 * BITS, 3), 20, np.uint8)
    for bit in range(BITS):
        image[:, bit * 16 : bit * 16 + 16] = 230 if value >> bit & 1 else 20
    return image


def number_on(image: Image) -> int:
    return sum(int(image[24, bit * 16 + 8].mean() > 128) << bit for bit in range(BITS))


def test_the_newest_frame_of_a_slow_reader_keeps_up_with_the_camera(camera: RtspCamera) -> None:
    live = LiveStream(camera.address(), "left")
    made, seen = [], []
    with closing(live.frames(6)) as frames:
        for frame in frames:
            made.append(number_on(frame.image))
            seen.append(frame)
            time.sleep(0.35)
    passed = [(b - a) % 2**BITS for a, b in itertools.pairwise(made)]
    assert all(2 <= step <= 8 for step in passed)
    # A frame of the camera is a tenth of a second, in its pictures as in the times and numbers that are told.
    assert sum(passed) / FPS == pytest.approx(seen[-1].time, abs=0.25)
    assert live.dropped == seen[-1].index + 1 - len(seen) >= 5


def test_who_may_not_see_it_is_told_without_the_password(camera: RtspCamera) -> None:
    """In a process of its own: FFmpeg's messages are switched off before its first use, or not at all."""
    code = "import sys; from lightdet.inference.video import LiveStream; LiveStream(sys.argv[1], 'left')"
    for address in (camera.address("viewer:fAlSch"), camera.address(path="nothing")):
        done = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, check=False)
        said = done.stderr.splitlines()
        assert "left cannot be opened: check the address, the user and password" in said[-1]
        assert said[0].startswith("Traceback") and "[rtsp" not in done.stderr and "fAlSch" not in done.stderr


def test_a_camera_that_hangs_is_given_up_in_silence(
    camera: RtspCamera, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lightdet.inference.video.TIMEOUT_MS", 1000)
    live = LiveStream(camera.address(), "left", attempts=1, wait=0.01)
    with closing(live.frames()) as frames:
        next(frames)
        camera.process.send_signal(signal.SIGSTOP)
        with pytest.raises(UserError, match=r"left stopped after .* did not come back in 1 attempts"):
            list(frames)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_a_line_continues_when_the_camera_is_back_and_tells_nobody_the_password(
    camera: RtspCamera, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    sources = {"left": {"stream": camera.address()}, "right": {"stream": camera.address("viewer:fAlSch")}}
    wanted = section(tmp_path)
    wanted = LineSection.model_validate({**wanted.model_dump(exclude_unset=True), "sources": sources})
    with running(wanted):
        wait_for(lambda: len(results(tmp_path)) > 5, 40)
        wait_for(lambda: source_status(tmp_path, "right")[0] == "away")
        camera.kill()
        wait_for(lambda: source_status(tmp_path)[0] == "away", 40)
        assert "check the address" in source_status(tmp_path)[1]
        before = len(results(tmp_path))
        camera.start()
        wait_for(lambda: len(results(tmp_path)) > before + 5, 60)
        wait_for(lambda: source_status(tmp_path)[0] == "up")
        assert source_status(tmp_path, "right")[0] == "away"
    assert {each["verdict"] for each in results(tmp_path)} <= {"OK", "none"}
    assert results(tmp_path)[0]["picture"] == f"rtsp://127.0.0.1:{camera.port}/live#0"
    told = [caplog.text, *capfd.readouterr(), (tmp_path / "out.jsonl").read_text(encoding="utf-8")]
    told += [path.read_text("utf-8", "replace") for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert not [text for text in told if "gEh" in text or "fAlSch" in text]
    assert "right is away" in caplog.text or "source right" in caplog.text
