"""Alarms: when they begin and end, who gets them, and that nobody else could have sent them."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_browser import Open, axe_findings
from test_serve_process import BAD, GOOD, Process, begin, children  # noqa: F401 - a fixture
from test_store import inspection

from lightdet.errors import UserError
from lightdet.service.alarm_watch import AlarmWatch
from lightdet.service.alarms import Alarm, AlarmRules, Alarms
from lightdet.service.inspection import ModelIdentity
from lightdet.service.live import event
from lightdet.service.records.store import Store
from lightdet.service.webhook import Poster, Webhook

SECRET = "s3cret"


def record(bad: bool, at: int = 0, overridden: bool = False) -> dict[str, Any]:
    return {"decision": "NG" if bad else "OK", "time_ms": at, "overridden": overridden, "model": {"name": "m"}}


parts = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60)


@given(parts, st.integers(1, 8))
def test_bad_parts_in_a_row(given: list[tuple[bool, bool]], row: int) -> None:
    found = Alarms(AlarmRules(row=row)).inspected(record(bad, i, own) for i, (bad, own) in enumerate(given))
    counted = [bad for bad, own in given if not own]
    on = [len(counted[:i]) >= row and all(counted[i - row : i]) for i in range(1, len(counted) + 1)]
    turns = [now for before, now in zip([False, *on], on, strict=False) if before != now]
    assert [each.state == "on" for each in found] == turns
    assert {each.kind for each in found} <= {"bad_in_a_row"}


@given(parts, st.integers(1, 8), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75]))
def test_a_share_of_bad_parts(given: list[tuple[bool, bool]], last: int, share: float) -> None:
    found = Alarms(AlarmRules(share=share, parts=last)).inspected(record(bad, 0, own) for bad, own in given)
    counted = [bad for bad, own in given if not own]
    on = [sum(counted[i - last : i]) / last > share for i in range(last, len(counted) + 1)]
    turns = [now for before, now in zip([False, *on], on, strict=False) if before != now]
    assert [each.state == "on" for each in found] == turns


def test_no_verdicts_and_not_ready() -> None:
    alarms = Alarms(AlarmRules(row=1))
    states = [alarms.ready(ready, 0) for ready in (True, False, False, True)]
    assert [[each.state for each in found] for found in states] == [[], ["on"], [], ["off"]]
    counts = [(0, 0), (2, 1000), (2, 2000), (3, 50_000), (3, 100_000), (3, 111_000)]
    told = [[each.state for each in alarms.failures(count, at)] for count, at in counts]
    assert told == [[], ["on"], [], [], [], ["off"]]  # a quiet minute ends it


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"share": 1.0}, "below 1"), ({"share": float("nan")}, "below 1"), ({"row": 0}, "1 or more"),
        ({"parts": 0}, "1 or more"), ({"url": "http://h/x"}, "need a secret"), ({"url": "file:///etc/passwd"}, "http://"),
        ({"url": "http://u:p4ss@h/"}, "holds a user"), ({"url": "http://["}, "cannot be used"),
        ({"url": "http://h:0x/"}, "cannot be used"), ({"url": "http:///x"}, "cannot be used"),
        ({"url": "http://h/a b"}, "cannot be used"), ({"url": f"http://{'h' * 64}/"}, "cannot be used"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        AlarmRules(**values)
    assert "p4ss" not in str(caught.value)


# --- sending ----------------------------------------------------------------------------------------------


@contextmanager
def receiver(*answers: int) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """An HTTP server that answers so, then with 204; its address, and what it was sent."""
    got: list[tuple[dict[str, str], bytes]] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(left.pop(0) if left else 204)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - http.server's name

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook?line=7", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alarm(number: int) -> Alarm:
    return Alarm("bad_in_a_row", "on", 1_767_268_800_000, f"{number} bad parts in a row", {"row": number})


@pytest.mark.parametrize("answers", [(), (500, 503, 429)])
def test_it_is_sent_signed_until_it_is_taken(answers: tuple[int, ...]) -> None:
    with receiver(*answers) as (url, got):
        webhook = Webhook(url, SECRET, waits=(0.01,) * 5)
        for number in (1, 2):
            webhook.send(alarm(number))
        wait_for(lambda: len(got) == 2 + len(answers))
        webhook.close()
    assert len({headers["X-Lightdet-Delivery"] for headers, _ in got[: 1 + len(answers)]}) == 1  # tries of one
    for headers, body in got:
        timestamp = headers["X-Lightdet-Timestamp"]
        assert abs(int(timestamp) - time.time()) < 60
        wanted = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        assert headers["X-Lightdet-Signature"] == f"sha256={wanted}"
    said = [json.loads(body) for _, body in got]
    assert [each["values"]["row"] for each in said] == [1] * (1 + len(answers)) + [2]
    assert said[0]["time"] == "2026-01-01T12:00:00.000Z" and said[0]["alarm"] == "bad_in_a_row"


@pytest.mark.parametrize("answer", [302, 307, 400, 404, 410])
def test_what_is_refused_is_not_sent_again_nor_elsewhere(answer: int, caplog: pytest.LogCaptureFixture) -> None:
    with receiver(answer) as (url, got):
        webhook = Webhook(url, SECRET, waits=(0.01,) * 5)
        webhook.send(alarm(1))
        webhook.send(alarm(2))
        wait_for(lambda: len(got) == 2)
        webhook.close()
    assert [json.loads(body)["values"]["row"] for _, body in got] == [1, 2]
    assert f"answers {answer}: 1 bad parts" in caplog.text and "line=7" not in caplog.text and SECRET not in caplog.text


def test_an_address_may_have_any_letters() -> None:
    """It is accepted at the start, so alarms have to reach it: the first one would be the last."""
    with receiver() as (url, got):
        rules = AlarmRules(url=url.replace("line=7", "line=Prüfplatz"), secret=SECRET)
        webhook = Webhook(rules.url, rules.secret)
        webhook.send(alarm(1))
        webhook.send(alarm(2))
        wait_for(lambda: len(got) == 2, 10)
        webhook.close()


def test_no_alarm_is_the_last(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong with one, the next is sent."""
    post = Poster.post
    answers: list[Any] = [RuntimeError("secret of a library"), ("", False)]

    def broken_once(self: Poster, body: bytes, delivery: str) -> tuple[str, bool]:
        if isinstance(answer := answers.pop(0), Exception):
            raise answer
        return post(self, body, delivery)

    monkeypatch.setattr(Poster, "post", broken_once)
    with receiver() as (url, got):
        webhook = Webhook(url, SECRET)
        webhook.send(alarm(1))
        webhook.send(alarm(2))
        wait_for(lambda: len(got) == 1, 10)
        webhook.close()
    assert json.loads(got[0][1])["values"]["row"] == 2
    assert "alarm given up" in caplog.text and "1 bad parts in a row" in caplog.text


def test_a_receiver_that_is_away_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    webhook = Webhook(url, SECRET)
    webhook.send(alarm(1))
    wait_for(lambda: "not yet sent (try 1)" in caplog.text)
    began = time.monotonic()
    webhook.close()
    assert time.monotonic() - began < 5 and "not sent before the end" in caplog.text


# --- the records ------------------------------------------------------------------------------------------


def test_a_slow_model_rings_beside_a_fast_one(tmp_path: Path) -> None:
    database = str(tmp_path / "i.sqlite3")
    store = Store(database)
    watch = AlarmWatch(AlarmRules(row=3), database, several=True)
    slow, found = ModelIdentity("tiles", "0" * 12), list[Alarm]()

    def rung() -> bool:
        at = time.time_ns() // 1_000_000
        store.insert([inspection(at)])
        time.sleep(0.1)
        store.insert([inspection(at - 8000, "dent", model=slow)])  # so long it has taken
        found.extend(watch.raised())
        return bool(found)

    time.sleep(2.2)  # what was inspected before the watch began is another matter
    wait_for(rung, 8)
    assert [(each.kind, each.state, each.model) for each in found] == [("bad_in_a_row", "on", "tiles")]
    watch.close()
    store.close()


def test_a_database_that_was_put_back_as_a_copy_is_heard(tmp_path: Path) -> None:
    database = tmp_path / "i.sqlite3"
    Store(str(database)).close()
    watch = AlarmWatch(AlarmRules(row=3), str(database))
    time.sleep(2.2)
    database.rename(tmp_path / "kept")
    shutil.copy(tmp_path / "kept", database)
    store, found = Store(str(database)), list[Alarm]()
    store.insert([inspection(time.time_ns() // 1_000_000, "dent") for _ in range(3)])
    store.close()
    wait_for(lambda: bool(found.extend(watch.raised()) or found), 8)
    assert [each.kind for each in found] == ["bad_in_a_row"]
    watch.close()


# --- the whole service ------------------------------------------------------------------------------------


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Callable[[], list[bytes]]]:
    """What a process was heard to say at ``tmp_path / "notify"`` since the last look; nobody reads it meanwhile."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.setblocking(False)

        def read() -> list[bytes]:
            found = []
            with suppress(BlockingIOError):
                while True:
                    found.append(line.recv(100))
            return found

        yield read


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="systemd is for Linux")
def test_two_workers_raise_one_alarm_and_tell_systemd(
    begin: Callable[..., Process],  # noqa: F811
    tmp_path: Path,
    systemd: Callable[[], list[bytes]],
) -> None:
    with receiver() as (url, got):
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        service = begin(environment, workers=2, **{"alarms.row": 3, "alarms.url": url, "alarms.secret": SECRET})
        service.wait()
        time.sleep(3)  # longer than it takes to fill the line to a systemd that does not listen
        heard = systemd()
        assert heard[0] == b"READY=1" and set(heard[1:]) == {b"WATCHDOG=1"}
        with httpx.stream("GET", f"{service.url}api/live", timeout=60) as live:
            lines = live.iter_lines()
            assert next(lines).startswith("retry")
            for number, data in enumerate((GOOD, BAD, BAD, BAD, BAD)):
                service.detect(data, f"part {number}")
            wait_for(lambda: len(got) == 1)
            told = json.loads(got[0][1])
            assert (told["alarm"], told["state"], told["values"]["row"]) == ("bad_in_a_row", "on", 3)
            assert "event: alarm" in lines
            assert json.loads(next(lines).removeprefix("data: "))["text"] == "3 bad parts in a row"
        service.detect(GOOD)
        wait_for(lambda: len(got) == 2)
        assert json.loads(got[1][1])["state"] == "off"
        for worker in children(service.process.pid):
            os.kill(worker, signal.SIGKILL)
        wait_for(lambda: len(got) == 4, 120)
        assert [(each["alarm"], each["state"]) for each in (json.loads(body) for _, body in got[2:])] == [
            ("not_ready", "on"), ("not_ready", "off"),
        ]  # fmt: skip
        systemd()
        assert service.end() == 0
        assert b"STOPPING=1" in systemd() and len(got) == 4  # the end that was asked for is no alarm


def test_the_page_tells_and_sounds(served: Any, open_page: Open, axe: str) -> None:
    page = open_page(served.url)
    page.get_by_label("a sound with alarms").check()
    assert page.locator("#sound").get_attribute("data-rung") == "1"  # heard once, to know it
    wait_for(lambda: bool(served.service.live._listeners))
    loop = served.service.live._reading.get_loop()
    for number in (3, 4):
        loop.call_soon_threadsafe(served.service.live.tell, event("alarm", alarm(number).as_dict()))
    page.locator("#alarms li", has_text="4 bad parts in a row").wait_for()
    assert page.locator("#alarms li").count() == 1 and page.locator("#sound").get_attribute("data-rung") == "3"
    assert axe_findings(page, axe) == []
    page.get_by_role("button", name="Seen").click()
    assert not page.locator("#alarms").is_visible()
