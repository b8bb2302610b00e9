"""Videos and streams in a line, and processes that hang: every frame of a file once, and nothing stands still."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from plain_judge import put, results, run_once, running, section, source_status, wait_for

from lightdet.errors import UserError
from lightdet.line.ledger import Ledger
from lightdet.line.status import fail_if_incomplete


def write_video(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 10 * number % 255, np.uint8))
    writer.release()
    return path


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def with_source(folder: Path, **source: Any) -> Any:
    wanted = section(folder)
    values = wanted.model_dump(exclude_unset=True)
    values["sources"] = {"left": source}
    return type(wanted).model_validate(values)


def test_every_frame_of_a_video_is_judged_once(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.avi", 12)
    wanted = with_source(tmp_path, video=str(video))
    run_once(wanted)
    assert [each["picture"].rpartition("#")[2] for each in results(tmp_path)] == [str(n) for n in range(12)]
    assert {each["verdict"] for each in results(tmp_path)} == {"OK"}
    run_once(wanted)
    assert len(results(tmp_path)) == 12


@pytest.mark.parametrize("there", [True, False])
def test_frames_of_a_video_that_was_replaced_after_a_kill_are_told(tmp_path: Path, there: bool) -> None:
    video, ids = write_video(tmp_path / "v.avi", 3), []
    wanted = with_source(tmp_path, video=str(video))
    run_once(wanted)
    file = next((tmp_path / "state").rglob("line.sqlite3"))
    ledger, facts = Ledger(file, {"log": 10}), video.stat()
    for number in (7, 8):
        key = f"v.avi|{facts.st_size + 1}|{facts.st_mtime_ns}|{number}"
        ids.append(ledger.arrive("left", key, f"v.avi#{number}", 5)[0])
    ledger.write([], {"log": 0})
    ledger.close()
    if not there:
        video.unlink()
    for _ in range(2):  # and only once
        run_once(wanted)
        last = results(tmp_path)[3:]
        assert [(each["id"], each["verdict"], each["cause"]) for each in last] == [
            (each, "none", "gone") for each in ids
        ]


@pytest.mark.parametrize(("frames", "why"), [(0, "no such video file"), (40, "the video ends early")])
def test_a_video_that_is_missing_or_breaks_off_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, frames: int, why: str
) -> None:
    video = tmp_path / "v.avi"
    if frames:
        content = write_video(video, frames).read_bytes()
        video.write_bytes(content[: len(content) // 2])
    with running(with_source(tmp_path, video=str(video))):
        wait_for(lambda: source_status(tmp_path)[0] == "failed")
        assert why in source_status(tmp_path)[1]
        assert not source_status(tmp_path)[2]
    state, reason, _ = source_status(tmp_path)
    assert state == "failed"  # also after the end
    assert why in reason
    assert [why in each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == [True]


def test_a_line_fails_if_a_video_was_not_there(tmp_path: Path) -> None:
    wanted = with_source(tmp_path, video=str(tmp_path / "v.avi"))
    last = run_once(wanted)
    with pytest.raises(UserError, match=r"source left: .*v\.avi: no such video file; put it right and start again"):
        fail_if_incomplete(last)


def test_a_stream_has_no_end_to_wait_for(tmp_path: Path) -> None:
    wanted = with_source(tmp_path, stream="rtsp://127.0.0.1:9/live")
    with pytest.raises(UserError, match="--once needs an end"):
        run_once(wanted)


def test_frames_of_a_stream_are_judged_and_a_stream_that_is_not_there_is_told(tmp_path: Path) -> None:
    write_video(tmp_path / "v.avi", 30)
    with served(tmp_path) as address:
        wanted = with_source(tmp_path, stream=f"{address}/v.avi", queue=100)
        with running(wanted):
            wait_for(lambda: source_status(tmp_path)[0] == "done")
            wait_for(lambda: len(results(tmp_path)) == 30)
    with running(wanted):  # nobody is there any more
        wait_for(lambda: source_status(tmp_path)[0] == "away")
        assert "check the address" in source_status(tmp_path)[1]


def test_a_source_and_a_judge_that_hang_are_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightdet.line.source.SILENCE", 4.0)
    with running(section(tmp_path, plain={"timeout": 2.0})) as line:
        put(tmp_path / "left", a="OK")
        wait_for(lambda: len(results(tmp_path)) == 1)
        for process in (line._sources["left"].child.process, line._models["plain"].processes[0].child.process):
            os.kill(process.pid, signal.SIGSTOP)
        put(tmp_path / "left", b="OK")
        put(tmp_path / "right", c="NG")
        wait_for(lambda: len(results(tmp_path)) == 3)
        status = line.status("up")
    assert status["sources"]["left"]["restarts"] == status["models"]["plain"]["restarts"] == 1
    assert [each["verdict"] for each in results(tmp_path)].count("none") == 0
