"""What is served is a copy: the file may be damaged or replaced, and only a command brings another model, whole."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from test_serve_process import BAD, GOOD, Process, children

from lightdet.service.model_copy import copy_model, identify
from lightdet.service.origin import is_this_computer

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as in POSIX")
ONE, TWO = b"one lightdet_sha256", b"two lightdet_sha256"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model" / "part.onnx"
    path.parent.mkdir()
    path.write_bytes(ONE)
    return path


@pytest.fixture
def begin(tmp_path: Path, model: Path) -> Iterator[Callable[..., Process]]:
    running: list[Process] = []

    def start(environment: dict[str, str] | None = None, **settings: Any) -> Process:
        running.append(Process(tmp_path, model, environment or {}, **settings))
        running[-1].wait()
        return running[-1]

    yield start
    for each in running:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def change(service: Process, **headers: str) -> httpx.Response:
    return httpx.post(f"{service.url}api/model/change", headers=headers, timeout=120)


def version(service: Process) -> str:
    answer = service.detect(GOOD)
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["results"][0]["model"]["version"]
    return found


def changes(service: Process) -> list[tuple[str, str | None]]:
    connection = sqlite3.connect(service.folder / "i.sqlite3")
    rows = connection.execute("SELECT sha256, before FROM model_changes ORDER BY id").fetchall()
    connection.close()
    return rows


def test_another_model_takes_over_when_told_and_proved(begin: Callable[..., Process], model: Path) -> None:
    service = begin()
    one, two = digest(ONE), digest(TWO)
    assert httpx.get(f"{service.url}api/model", timeout=60).json()["sha256"] == one
    for bad, why in [(b"nothing", "no check sum"), (b"broken lightdet_sha256", "is damaged"),
                     (b"crash lightdet_sha256", "ended the process (exit code 7)")]:  # fmt: skip
        model.write_bytes(bad)
        answer = change(service)
        told = answer.json()["error"]
        assert (answer.status_code, told["code"]) == (409, "model_refused")
        assert why in told["message"] and "\n" not in told["message"] and "lightdet-model-" not in told["message"]
        assert version(service) == one[:12]
    model.write_bytes(TWO)
    assert version(service) == one[:12]  # nobody has told it
    answer = change(service).json()
    assert (answer["changed"], answer["sha256"], answer["before"], answer["recorded"]) == (True, two, one, True)
    assert answer["classes"] == ["red", "green", "=blue+"] and "0.25" in answer["rule"]
    deadline = time.monotonic() + 60
    while version(service) != two[:12]:  # the answer comes first
        assert time.monotonic() < deadline, service.text()
    assert change(service).json()["changed"] is False
    model.unlink()
    assert "part.onnx: cannot be read" in change(service).json()["error"]["message"]
    assert changes(service) == [(one, None), (two, one)]
    assert service.end() == 0
    assert f"the model is changed: part, SHA-256 {two}, before {one}" in service.text()
    assert "Traceback" not in service.text()
    assert not list(service.folder.glob("lightdet-model-*"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/usr/bin/pgrep").exists(), reason="looks for the workers with pgrep")
def test_a_worker_that_dies_comes_back_with_the_same_model(begin: Callable[..., Process], model: Path) -> None:
    service = begin(workers=2)
    for content in (b"broken", TWO):
        model.write_bytes(content)
        before = children(service.process.pid)
        os.kill(min(before), signal.SIGKILL)
        deadline = time.monotonic() + 120
        while len(children(service.process.pid) - {min(before)}) < 2:
            assert time.monotonic() < deadline, service.text()
            time.sleep(0.05)
        assert {version(service) for _ in range(12)} == {digest(ONE)[:12]}
    assert "could not start" not in service.text()


@pytest.mark.slow
def test_two_versions_never_answer_side_by_side(begin: Callable[..., Process], model: Path) -> None:
    """Under load no request is lost, and none that begins after an answer of the new model gets one of the old."""
    service = begin({"COLORS_DELAY": "0.05"}, workers=2)
    answers: list[tuple[float, float, str]] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            began = time.monotonic()
            found = version(service)
            answers.append((began, time.monotonic(), found))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    new = digest(TWO)[:12]
    model.write_bytes(TWO)
    service.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 120
    while sum(each[2] == new for each in answers) < 20:
        assert time.monotonic() < deadline and all(t.is_alive() for t in threads), service.text()
        time.sleep(0.05)
    ended.set()
    for thread in threads:
        thread.join()
    first = min(end for _, end, found in answers if found == new)
    assert {found for began, _, found in answers if began > first} == {new}
    assert {found for _, _, found in answers} == {new, digest(ONE)[:12]}


def test_with_a_key_the_command_needs_it(begin: Callable[..., Process]) -> None:
    service = begin(api_key="secret")
    assert change(service).status_code == 401
    assert change(service, **{"x-api-key": "secret"}).json()["changed"] is False
    assert change(service, **{"x-api-key": "secret", "origin": "http://else.where"}).status_code == 403
    assert service.detect(BAD).status_code == 401


@pytest.mark.parametrize(
    ("client", "here"),
    [("127.0.0.1", True), ("::1", True), ("10.0.0.7", False), ("192.168.1.2", False), ("x", False), (None, False)],
)
def test_without_a_key_only_this_computer_may_change_the_model(client: str | None, here: bool) -> None:
    request = SimpleNamespace(client=None if client is None else SimpleNamespace(host=client))
    assert is_this_computer(request) is here  # type: ignore[arg-type]


def test_a_copy_is_what_the_file_was(tmp_path: Path) -> None:
    xml, weights = tmp_path / "best.xml", tmp_path / "best.bin"
    xml.write_bytes(b'<?xml version="1.0"?><net name="a" lightdet_sha256="">')
    weights.write_bytes(b"weights")
    (tmp_path / "copies").mkdir()
    copy = copy_model(xml, tmp_path / "copies")
    whole = digest(xml.read_bytes() + weights.read_bytes())
    assert (copy.model.sha256, copy.model.version, copy.model.name) == (whole, whole[:12], tmp_path.name)
    assert copy.sealed and identify(xml, copy.file) == copy.model
    for path in (xml, weights):
        path.write_bytes(b"else")
    assert identify(xml, copy.file) == copy.model  # of the copy, under the file's name
    assert copy.file.with_suffix(".bin").read_bytes() == b"weights"
    assert copy.file.stat().st_mode & 0o222 == 0
