"""The service as a process: it starts, it stops after what has begun, and several workers are one service."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from colors import paint
from one_model import one_model
from s3_server import s3_server_to_cut_off

from lightdet.errors import UserError
from lightdet.storage.bucket import Bucket

ROOT = Path(__file__).resolve().parents[2]
GOOD, BAD = paint(), paint((0, 200, 10, 20, 50, 60))

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as in POSIX")


def test_a_file_for_the_address_that_cannot_be_written_is_told_first(tmp_path: Path) -> None:
    from lightdet.service.run import run

    (tmp_path / "taken").write_bytes(b"")
    settings = one_model(tmp_path / "none.onnx", port=0, database=str(tmp_path / "i.sqlite3"))
    with pytest.raises(UserError, match="taken: the folder cannot be made"):
        run(settings, tmp_path / "taken" / "ready.json", lambda _: pytest.fail("too late"))


class Process:
    """A running service."""

    def __init__(self, folder: Path, model: Path, environment: dict[str, str], **settings: Any) -> None:
        self.folder = folder
        self.ready, self.log = folder / "ready.json", folder / "log"
        given = {"model": str(model), "port": 0, "database": str(folder / "i.sqlite3")} | settings
        command = [sys.executable, str(ROOT / "tests/service/serve_colors.py"), str(self.ready)]
        command += [f"{name}={json.dumps(value)}" for name, value in given.items()]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)} | environment,
            )

    def wait(self) -> dict[str, Any]:
        """Until it is ready; what it says then."""
        deadline = time.monotonic() + 240
        while not self.ready.exists():
            assert self.process.poll() is None and time.monotonic() < deadline, self.text()
            time.sleep(0.02)
        said: dict[str, Any] = json.loads(self.ready.read_text())
        self.url = said["url"]
        return said

    def text(self) -> str:
        return self.log.read_text()

    def detect(self, data: bytes, name: str = "") -> httpx.Response:
        headers = {"connection": "close"}  # so that each may meet another worker
        return httpx.post(f"{self.url}api/detect", content=data, params={"name": name}, headers=headers, timeout=30)

    def end(self, kind: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(kind)
        return self.process.wait(60)

    def names(self) -> list[str]:
        connection = sqlite3.connect(self.folder / "i.sqlite3")
        names = [row[0] for row in connection.execute("SELECT name FROM inspections ORDER BY id")]
        connection.close()
        return names


@pytest.fixture
def begin(tmp_path: Path, model_file: Path) -> Iterator[Callable[..., Process]]:
    running: list[Process] = []

    def start(environment: dict[str, str] | None = None, **settings: Any) -> Process:
        running.append(Process(tmp_path, model_file, environment or {}, **settings))
        return running[-1]

    yield start
    for each in running:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


@pytest.mark.parametrize("kind", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_it_ends_after_what_has_begun(begin: Callable[..., Process], kind: signal.Signals) -> None:
    service = begin({"COLORS_DELAY": "2"})
    said = service.wait()
    assert (said["model"], said["workers"], said["pid"]) == ("colors", 1, service.process.pid)
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda i=i: answers.append(service.detect(BAD, f"part {i}"))) for i in range(2)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while metric(service, "lightdet_working") + metric(service, "lightdet_waiting") < 2:
        assert time.monotonic() < deadline and not answers
    assert service.end(kind) == 0
    for thread in threads:
        thread.join()
    assert [(a.status_code, a.json()["decision"], a.json()["recorded"]) for a in answers] == [(200, "NG", True)] * 2
    assert sorted(service.names()) == ["part 0", "part 1"]
    assert "Traceback" not in service.text() and service.text().rstrip().endswith("ended")
    with pytest.raises(httpx.ConnectError):
        service.detect(BAD)


def test_an_idle_connection_does_not_hold_up_the_end(begin: Callable[..., Process]) -> None:
    service = begin()
    service.wait()
    port = int(service.url.rstrip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as idle, httpx.Client() as client:
        assert client.get(f"{service.url}health").status_code == 200
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        idle.settimeout(30)
        assert idle.recv(1) == b"" and time.monotonic() - began < 5  # a head is waited for 10 s
        assert service.process.wait(60) == 0


def metric(service: Process, line: str) -> float:
    text = httpx.get(f"{service.url}metrics").text
    return next((float(each.rpartition(" ")[2]) for each in text.splitlines() if each.startswith(line + " ")), 0.0)


def children(process: int) -> set[int]:
    found = subprocess.run(
        ["pgrep", "-P", str(process), "-f", "spawn_main"], capture_output=True, text=True, check=False
    )
    return {int(number) for number in found.stdout.split()}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/usr/bin/pgrep").exists(), reason="looks for the workers with pgrep")
def test_several_workers_are_one_service(begin: Callable[..., Process]) -> None:
    service = begin(workers=2)
    said = service.wait()
    assert (said["workers"], said["pid"]) == (2, service.process.pid)
    first = children(service.process.pid)
    assert len(first) == 2
    for number in range(12):
        answer = service.detect(BAD, str(number)).json()
        assert (answer["decision"], answer["recorded"]) == ("NG", True)
    # Whichever worker is asked tells of all of them.
    assert {metric(service, 'lightdet_inspections_total{decision="NG",model="colors"}') for _ in range(6)} == {12}
    assert metric(service, "lightdet_database_up") == 1
    assert [int(name) for name in service.names()] == list(range(12))

    os.kill(min(first), signal.SIGKILL)
    deadline = time.monotonic() + 240
    while len(children(service.process.pid) - {min(first)}) < 2:
        assert time.monotonic() < deadline, service.text()
        time.sleep(0.05)
    for number in range(6):
        assert service.detect(GOOD, str(number)).json()["decision"] == "OK"
    assert metric(service, 'lightdet_inspections_total{decision="NG",model="colors"}') == 12
    workers = children(service.process.pid)
    assert service.end() == 0
    assert "a worker ended unexpectedly" in service.text() and "Traceback" not in service.text()
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for the workers in /proc")
def test_workers_do_not_outlive_their_parent(begin: Callable[..., Process]) -> None:
    service = begin(workers=2)
    service.wait()
    workers = children(service.process.pid)
    assert len(workers) == 2
    service.end(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("kind", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL])
def test_what_a_missing_database_could_not_take_is_written_at_the_next_start(
    begin: Callable[..., Process], tmp_path: Path, kind: signal.Signals
) -> None:
    service = begin()
    service.wait()
    assert service.detect(GOOD, "before").json()["recorded"]
    away = tmp_path / "away"
    away.mkdir()
    for path in tmp_path.glob("i.sqlite3*"):
        path.rename(away / path.name)
    assert [service.detect(BAD, f"part {i}").json()["recorded"] for i in range(3)] == [False] * 3
    assert httpx.get(f"{service.url}ready").status_code == 503
    service.end(kind)
    assert not (tmp_path / "i.sqlite3").exists()  # nobody has made an empty one in its place
    for path in away.iterdir():
        path.rename(tmp_path / path.name)
    service.ready.unlink(missing_ok=True)
    again = begin()
    again.wait()
    deadline = time.monotonic() + 30
    while len(again.names()) < 4:
        assert time.monotonic() < deadline, again.text()
    assert again.end() == 0
    assert again.names() == ["before", *(f"part {i}" for i in range(3))]
    assert not (tmp_path / "i.sqlite3.journal").exists()


# --- what keeps it from starting --------------------------------------------------------------------------


def refusal(service: Process) -> str:
    assert service.process.wait(60) == 2, service.text()
    lines = service.text().splitlines()
    assert sum(line.startswith("error: ") for line in lines) == 1 and "Traceback" not in service.text()
    return lines[-1]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_port_that_is_taken(begin: Callable[..., Process], workers: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = refusal(begin(port=port, workers=workers))
    assert f"port {port}" in told and "--port" in told


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_rule_for_a_class_that_is_not_there(begin: Callable[..., Process], workers: int) -> None:
    """Found out in a worker, told once."""
    assert "no class 'dent'" in refusal(begin(thresholds={"dent": 0.5}, workers=workers))


def test_other_mistakes(begin: Callable[..., Process], tmp_path: Path) -> None:
    assert "is no address of this computer" in refusal(begin(host="no.such.host.invalid"))
    assert "cannot be used" in refusal(begin(database="postgresql://a:b@127.0.0.1:1/c", workers=2))
    (tmp_path / "cert.pem").write_text("none")
    pem = str(tmp_path / "cert.pem")
    told = refusal(begin(tls_cert=pem, tls_key=pem))
    assert "cannot be used together" in told


@pytest.mark.slow
def test_a_model_that_kills_its_process(begin: Callable[..., Process]) -> None:
    told = refusal(begin({"COLORS_CRASH": "1"}, workers=2))
    assert "a worker ended before it was ready (exit code 7)" in told


@pytest.mark.slow
def test_pictures_reach_a_store_that_was_away_at_the_start(begin: Callable[..., Process], tmp_path: Path) -> None:
    with s3_server_to_cut_off() as server:
        server.stop()
        service = begin(workers=2, pictures_url=server.url)
        service.wait()
        results = [service.detect(BAD).json()["results"][0] for _ in range(4)]
        assert all(each["decision"] == "NG" and each["original"] for each in results), service.text()
        server.start()
        deadline = time.monotonic() + 120
        while list((tmp_path / "waiting").rglob("*.png")) and time.monotonic() < deadline:
            time.sleep(0.2)
        stored = [name for name, _ in Bucket(server.url).files()]
        assert sorted(Path(name).stem for name in stored) == sorted(each["id"] for each in results), service.text()
        assert httpx.get(service.url.rstrip("/") + results[0]["original"]).content == BAD
        assert service.end() == 0
