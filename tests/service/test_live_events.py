"""What other programs send, heard as it happens; and the same on the page."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from browsing import BAD, GOOD, drop, verdict
from page_browser import Open, until
from test_store import inspection

from lightdet.service import live
from lightdet.service.live import Tail
from lightdet.service.records.store import Store


@contextmanager
def listening(served: Any) -> Iterator[Iterator[tuple[str, Any]]]:
    """The events of a service, as a program reads them."""

    def events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
        kind = ""
        for line in lines:
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                yield kind, json.loads(value)

    with served.client.stream("GET", "/api/live") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        yield events(lines)


def now() -> int:
    return time.time_ns() // 1_000_000


def test_every_inspection_is_heard_of_once(served: Any) -> None:
    served.detect(BAD, name="before")
    with listening(served) as first, listening(served) as second:
        results = [served.detect(data, name=f"part {i}").json()["results"][0] for i, data in enumerate((GOOD, BAD))]
        served.service.store.insert([inspection(now(), "red", name="by another worker")])
        for events in (first, second):
            heard = [next(events) for _ in range(3)]
            assert {kind for kind, _ in heard} == {"inspection"}
            assert [value["name"] for _, value in heard] == ["part 0", "part 1", "by another worker"]
            stored = served.client.get(f"/api/inspections/{results[1]['id']}").json()
            assert heard[1][1] == stored


def test_a_record_that_is_written_late_is_heard_of(database: str) -> None:
    store, at = Store(database), now()
    tail = Tail(store, now=lambda: at)
    entries = [inspection(at + each, name=str(each)) for each in (100, 200, 300, -1)]
    store.insert([entries[2]])
    assert [record["name"] for record in tail.new()] == ["300"]
    store.insert([entries[0], entries[3]])  # another worker's, which had to wait
    assert [record["name"] for record in tail.new()] == ["-1", "100"]
    store.insert([inspection(at + 10**9, name="of a clock ahead")])
    assert [record["name"] for record in tail.new()] == ["of a clock ahead"]
    store.insert([entries[1]])
    assert [record["name"] for record in tail.new()] == ["200"]
    assert tail.new() == []
    store.close()


@pytest.mark.parametrize("late", [1_000, 8_000, 30_000, 3_600_000])
def test_a_record_that_took_long_is_heard_of_while_others_are_written(database: str, late: int) -> None:
    store, start = Store(database), now()
    store.insert([inspection(start - 1, name="before")])
    moment = start
    tail = Tail(store, 3, now=lambda: moment)
    assert tail.new() == []
    for number in range(3):
        moment = start + late * (number + 1)
        store.insert([inspection(moment, name=f"fast {number}")])
        store.insert([inspection(moment - late, "red", name=f"slow {number}")])
        assert [record["name"] for record in tail.new()] == [f"slow {number}", f"fast {number}"]
    store.insert([inspection(moment, name=str(number)) for number in range(5)])
    assert len(tail.new()) == 3 and tail.new() == []  # of more, the oldest are left out
    store.close()


def test_listeners_are_bounded_and_do_not_hold_up_the_end(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_LISTENERS", 2)
    served = start(api_key="k")
    assert served.client.get("/api/live").status_code == 401
    served.client.headers["x-api-key"] = "k"
    with listening(served), listening(served):
        refused = served.client.get("/api/live")
        assert refused.status_code == 503 and refused.json()["error"]["code"] == "listeners"
        assert int(refused.headers["retry-after"]) > 0
    deadline = time.monotonic() + 10
    while served.client.stream("GET", "/api/live").__enter__().status_code != 200:  # who has gone has made room
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # The fixture ends the service now, with a listener that stays: were it waited for, that would take half a minute.


def test_the_page_shows_what_others_send(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    verdict(page, "Ready")
    served.detect(BAD, name="not yet")
    page.locator("#past li").wait_for()
    page.keyboard.press("l")
    assert page.locator("#live").get_attribute("aria-pressed") == "true"
    assert verdict(page, "Ready") and page.locator("#live-note").is_visible()
    served.detect(GOOD, name="line 1")
    verdict(page, "OK")
    assert "line 1" in page.locator("#caption").inner_text()
    page.evaluate("Date.now = ((now) => () => now)(Date.now())")  # the moment lasts until the test has seen it
    served.detect(BAD, name="line 2")
    assert "2 defects" in verdict(page, "NG")
    served.detect(GOOD, name="line 3")  # a bad part is not gone in the next moment
    page.locator("#live-note", has_text="held for a moment, 1 newer part OK").wait_for()
    verdict(page, "NG")
    page.evaluate("Date.now = () => Math.round(performance.timeOrigin + performance.now())")
    verdict(page, "OK")
    page.locator("#past button", has_text=re.compile("line 2")).first.click()
    verdict(page, "NG")
    assert page.locator("#live").get_attribute("aria-pressed") == "false"
    served.detect(GOOD, name="line 4")
    page.locator("#past li >> nth=4").wait_for()
    verdict(page, "NG")


def test_what_this_page_sends_is_shown_once(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    verdict(page, "Ready")
    drop(page, ("mine.png", BAD, "image/png"))
    verdict(page, "NG")
    page.locator("#live").click()
    page.wait_for_timeout(1500)
    assert page.locator("#live-note").inner_text() == "Live: waiting for the next part"
    until(page, "document.querySelector('#picture').src.startsWith('blob:')")
