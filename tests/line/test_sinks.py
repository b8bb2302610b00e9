"""Each sink against a real receiver on loopback, cut off and returning: nothing lost, nothing twice that has an id."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from plain_judge import wait_for

from lightdet.config.line import SinkSection
from lightdet.errors import UserError
from lightdet.line.ledger import Finished, Ledger, Waiting
from lightdet.line.messages import Answer, Picture
from lightdet.line.sinks.file_sink import FileSink
from lightdet.line.sinks.make import make_sink
from lightdet.line.sinks.sink import AwayError, Feeder
from lightdet.line.work import Served, Work, result_of
from lightdet.service.inspection import ModelIdentity, new_id
from lightdet.service.webhook import signature

SERVED = Served(
    ModelIdentity("m", "abc", "abc" * 20), {"threshold": 0.25, "thresholds": {}}, {"holds": False, "text": "none"}
)


def body(number: int, verdict: str = "OK") -> dict[str, Any]:
    answer = Answer(verdict, "late" * (verdict == "none"), "too late" * (verdict == "none"), (8, 6))
    picture = Picture(f"k{number}", f"{number}.png", time.monotonic(), 1_800_000_000_000 + number, sha256="0" * 64)
    work = Work(new_id(picture.time_ms), "left", picture, ("m",), {"m": answer}, {"m": SERVED})
    return result_of(work, 0.1, None)


class Desk:
    """A ledger with one sink, fed by hand."""

    def __init__(self, folder: Path, spool: int = 1000) -> None:
        self.file = folder / "line.sqlite3"
        self.ledger = Ledger(self.file, {"it": spool})
        self.folder = folder
        self.ids: list[str] = []
        self.feeder: Feeder | None = None

    def add(self, count: int, verdict: str = "OK") -> None:
        made = [body(len(self.ids) + number, verdict) for number in range(count)]
        self.ids += [each["id"] for each in made]
        finished = [Finished("left", each["id"], each["id"], each["picture"], each["time_ms"], each) for each in made]
        self.ledger.write(finished, {"it": self.feeder.delivered if self.feeder else 0})

    @contextmanager
    def feeding(self, sink: Any) -> Iterator[Feeder]:
        self.feeder = Feeder("it", sink, self.file, self.folder / "refused.jsonl")
        try:
            yield self.feeder
        finally:
            self.feeder.close(10)

    @property
    def waiting(self) -> int:
        with sqlite3.connect(self.file) as connection:
            return int(connection.execute("SELECT count(*) FROM spool").fetchone()[0])


def waiting_rows(desk: Desk, first: int, last: int) -> list[Waiting]:
    return [Waiting(number, desk.ids[number], {"id": desk.ids[number]}) for number in range(first, last)]


# --- the spool ----------------------------------------------------------------------------------------------------


class Gate:
    """A sink that is away until it is opened."""

    batch = 8

    def __init__(self) -> None:
        self.open, self.taken = False, []  # type: ignore[var-annotated]

    def take(self, results: list[Waiting]) -> None:
        if not self.open:
            raise AwayError("closed")
        self.taken += [each.body for each in results]

    def close(self) -> None:
        pass


def test_what_a_full_spool_loses_is_counted_and_told(tmp_path: Path) -> None:
    desk, gate = Desk(tmp_path, spool=20), Gate()
    desk.add(15)
    desk.add(15)
    assert desk.ledger.lost == {"it": 10}
    gate.open = True
    with desk.feeding(gate) as feeder:
        wait_for(lambda: feeder.delivered == 20)
        desk.add(1)
        wait_for(lambda: feeder.delivered == 21)
    assert [each["id"] for each in gate.taken] == [*desk.ids[:20], desk.ids[30]]
    assert gate.taken[-1]["lost_before"] == 10
    assert all("lost_before" not in each for each in gate.taken[:-1])


def test_what_waits_survives_the_process(tmp_path: Path) -> None:
    desk, gate = Desk(tmp_path), Gate()
    desk.add(10)
    with desk.feeding(gate):
        pass
    assert desk.waiting == 10
    gate.open = True
    with desk.feeding(gate) as feeder:
        wait_for(lambda: feeder.delivered == 10)
    assert [each["id"] for each in gate.taken] == desk.ids
    assert desk.waiting == 0


# --- file ---------------------------------------------------------------------------------------------------------


def test_a_file_has_whole_lines_each_once_after_a_kill(tmp_path: Path) -> None:
    desk, path = Desk(tmp_path), tmp_path / "out.jsonl"
    desk.add(10)
    sink = FileSink(path, 10_000_000, 3)
    sink.take(waiting_rows(desk, 0, 4))
    with path.open("a") as file:
        file.write('{"id": "half')  # as a kill leaves it, before the spool hears of any
    after = FileSink(path, 10_000_000, 3)
    after.take(waiting_rows(desk, 0, 6))
    after.take(waiting_rows(desk, 6, 10))
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == desk.ids


def test_a_long_file_is_renamed(tmp_path: Path) -> None:
    desk, path = Desk(tmp_path), tmp_path / "out.jsonl"
    desk.add(12)
    sink = FileSink(path, 120, 2)
    for number in range(12):
        sink.take(waiting_rows(desk, number, number + 1))
    files = [tmp_path / "out.jsonl.2", tmp_path / "out.jsonl.1", path]
    found = [json.loads(line)["id"] for file in files for line in file.read_text().splitlines()]
    assert found == desk.ids[-len(found) :]
    assert all(file.stat().st_size <= 120 for file in files)
    assert not (tmp_path / "out.jsonl.3").exists()


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, path = Desk(tmp_path), tmp_path / "out.jsonl"
    desk.add(4)
    sink = FileSink(path, 10_000_000, 3)
    sink.take(waiting_rows(desk, 0, 2))
    with monkeypatch.context() as patch:
        patch.setattr("lightdet.line.sinks.file_sink.os.fsync", _full)
        with pytest.raises(AwayError, match="No space"):
            sink.take(waiting_rows(desk, 2, 4))
    assert len(path.read_text().splitlines()) == 2
    sink.take(waiting_rows(desk, 2, 4))
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == desk.ids


def _full(_: int) -> None:
    raise OSError(28, "No space left on device")


# --- records ------------------------------------------------------------------------------------------------------


def test_records_have_each_result_once_and_no_ok_without_a_verdict(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy", reason="the records need pip install 'lightdet[service]'")
    from lightdet.service.records.span import Span
    from lightdet.service.records.store import Store

    desk, database = Desk(tmp_path), tmp_path / "records.sqlite3"
    desk.add(3)
    desk.add(2, "none")
    sink = make_sink(SinkSection.model_validate({"records": {"database": str(database)}}))
    rows = [Waiting(n, each["id"], each) for n, each in enumerate([body(7), body(8, "none")])]
    sink.take(rows)
    sink.take(rows)  # a kill between taking and noting it
    with desk.feeding(sink) as feeder:
        wait_for(lambda: feeder.delivered == 5)
    store = Store(str(database))
    try:
        found = store.history(Span(), limit=100)
        assert [each["decision"] for each in found].count("OK") == 4
        without = [each for each in found if each["decision"] != "OK"]
        assert len(without) == 3
        assert all(each["overridden"] and each["rule"]["none"] == "too late" for each in without)
        assert store.totals(Span())[:2] == (4, 0)
        assert store.verify().faults == 0
    finally:
        store.close()


# --- webhook ------------------------------------------------------------------------------------------------------


class _Receiver(ThreadingHTTPServer):
    allow_reuse_address = True

    def __init__(self, port: int, answers: list[int]) -> None:
        super().__init__(("127.0.0.1", port), _Post)
        self.answers, self.got = answers, []  # type: ignore[var-annotated]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


class _Post(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        server: Any = self.server
        code = server.answers.pop(0) if server.answers else 204
        if code < 300:
            server.got.append((dict(self.headers), data))
        self.send_response(code)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_webhook_that_was_away_gets_everything_once_and_signed(tmp_path: Path) -> None:
    secret, port, desk = tmp_path / "secret", free_port(), Desk(tmp_path)
    secret.write_text("hush\n", encoding="utf-8-sig")  # as PowerShell 5 writes it
    values = {"webhook": {"url": f"http://127.0.0.1:{port}/Prüfplatz", "secret_file": str(secret)}}
    desk.add(3)
    with desk.feeding(make_sink(SinkSection.model_validate(values))) as feeder:
        wait_for(lambda: feeder.problem)
        receiver = _Receiver(port, [503, 422, 404])
        try:
            wait_for(lambda: feeder.delivered == 3)
        finally:
            receiver.shutdown()
            receiver.server_close()
    assert feeder.refused == 1
    (refused,) = (tmp_path / "refused.jsonl").read_text().splitlines()
    assert json.loads(refused)["id"] == desk.ids[0]
    assert [headers["X-Lightdet-Delivery"] for headers, _ in receiver.got] == desk.ids[1:]
    for headers, data in receiver.got:
        assert headers["X-Lightdet-Signature"] == signature("hush", headers["X-Lightdet-Timestamp"], data)
        assert json.loads(data)["id"] == headers["X-Lightdet-Delivery"]


# --- MQTT ---------------------------------------------------------------------------------------------------------


@contextmanager
def broker(folder: Path, port: int) -> Iterator[None]:
    """Debian's mosquitto, that keeps what it has confirmed."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip("needs mosquitto: apt-get install mosquitto")
    config = folder / "mosquitto.conf"
    kept = f"persistence true\npersistence_location {folder}/\n"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n{kept}")
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _answers(port))
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def subscriber(port: int, topic: str) -> Iterator[list[dict[str, Any]]]:
    """What one subscriber gets, for whom the broker keeps what comes while it is away."""
    import paho.mqtt.client as mqtt

    got: list[dict[str, Any]] = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="seer", clean_session=False)
    ready = threading.Event()
    client.on_connect = lambda own, *_: own.subscribe(topic, qos=1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _own, _data, message: got.append(json.loads(message.payload))
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(10)
    try:
        yield got
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_broker_without_the_authoritys_certificate_is_refused_at_the_start(tmp_path: Path) -> None:
    pytest.importorskip("paho.mqtt.client", reason="needs pip install 'lightdet[line]'")
    file = tmp_path / "ca.pem"
    section = SinkSection.model_validate({"mqtt": {"url": "mqtts://127.0.0.1", "ca_file": str(file)}})
    with pytest.raises(UserError, match=r"ca\.pem: no such file"):
        make_sink(section)
    file.write_text("no certificate", encoding="utf-8")
    with pytest.raises(UserError, match=r"ca\.pem: holds no certificate"):
        make_sink(section)


def test_a_broker_that_was_away_gets_everything_and_ids_tell_what_came_twice(tmp_path: Path) -> None:
    pytest.importorskip("paho.mqtt.client", reason="needs pip install 'lightdet[line]'")
    desk, port = Desk(tmp_path), free_port()
    values = {"mqtt": {"url": f"mqtt://127.0.0.1:{port}", "topic": "plant/{source}/result"}}
    desk.add(5)
    with broker(tmp_path, port), subscriber(port, "plant/left/#"):
        pass  # the broker knows it from now on
    with desk.feeding(make_sink(SinkSection.model_validate(values))) as feeder:
        wait_for(lambda: feeder.problem)  # there is no broker
        with broker(tmp_path, port), subscriber(port, "plant/left/#") as before:
            desk.add(300)
            wait_for(lambda: len(before) > 20)
        wait_for(lambda: feeder.problem or feeder.delivered == 305)  # cut off, with some of them on their way
        with broker(tmp_path, port), subscriber(port, "plant/left/#") as after:
            desk.add(20)
            wait_for(lambda: feeder.delivered == 325)
            wait_for(lambda: {each["id"] for each in before + after} == set(desk.ids))
    received = before + after
    assert desk.waiting == 0
    by_id: dict[str, dict[str, Any]] = {}
    for each in received:
        assert by_id.setdefault(each["id"], each) == each  # what comes twice is the same
