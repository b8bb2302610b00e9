"""The report of a shift: its numbers against the records, on screen and as PDF."""

from __future__ import annotations

from typing import Any

import pytest
from browsing import BAD, GOOD
from page_browser import Open, axe_findings
from test_store import NOON, inspection

HOUR = 3_600_000


def cells(page: Any, table: str) -> list[list[str]]:
    rows: list[list[str]] = page.locator(f"#{table} tr").evaluate_all(
        "rows => rows.map(row => [...row.children].map(cell => cell.innerText))"
    )
    return rows


def test_a_shift_is_counted_by_hour_and_class(served: Any, open_page: Open, axe: str) -> None:
    entries = [inspection(NOON + i * HOUR // 10, *(["red"] if i % 5 == 0 else []), name=f"part {i}") for i in range(20)]
    entries += [inspection(NOON + 2 * HOUR + 1, "green", "red", "red", name="worst")]
    entries += [inspection(NOON - 1, "red", name="before"), inspection(NOON + 3 * HOUR, "red", name="after")]
    served.service.store.insert(entries)
    address = "report?day=2026-01-01&from=12:00&to=15:00"
    page = open_page(served.url, address, timezone_id="UTC")
    page.locator("#sheet").wait_for()
    head, *hours, total = cells(page, "hours")
    assert head == ["Hour (UTC)", "Inspected", "NG", "Share of NG", "red", "green"]
    assert hours == [
        ["12:00–13:00", "10", "2", "20.0 %", "20.0 %", "0.0 %"],
        ["13:00–14:00", "10", "2", "20.0 %", "20.0 %", "0.0 %"],
        ["14:00–15:00", "1", "1", "100.0 %", "100.0 %", "100.0 %"],
    ]
    assert total == ["Shift", "21", "5", "23.8 %", "23.8 %", "4.76 %"]
    assert cells(page, "classes")[1:3] == [["red", "6", "5", "23.8 %"], ["green", "1", "1", "4.76 %"]]
    assert page.locator(".tile b").all_inner_texts() == ["21", "16", "5", "23.8 %"]
    worst = page.locator("#worst a").all_inner_texts()
    assert worst[0] == "worst" and len(worst) == 5 and not {"before", "after"} & set(worst)
    assert page.locator("#worst a").first.evaluate("e => e.href").startswith(f"{served.url}/#")
    assert axe_findings(page, axe) == []
    page.reload()
    page.locator("#sheet").wait_for()
    assert page.locator("#inspected").inner_text() == "21"
    page.emulate_media(media="print")
    assert not page.locator("#choice").is_visible() and page.locator(".signature").is_visible()
    assert page.pdf().startswith(b"%PDF-")


def test_the_shift_that_runs_now_with_pictures(served: Any, open_page: Open) -> None:
    served.detect(BAD, name="bad")
    served.detect(GOOD, name="good")
    page = open_page(served.url, "report?from=00:00&to=00:00")
    page.locator("#sheet").wait_for()
    assert page.locator("#inspected").inner_text() == "2"
    assert "is not over" in page.locator("#notes").inner_text()
    assert page.locator("#worst img").evaluate("e => e.naturalWidth") == 240
    page.get_by_label("from").fill("6 PM")
    page.get_by_role("button", name="Show").click()
    assert page.locator("#from").evaluate("e => e.validity.patternMismatch")  # it is not guessed at


@pytest.mark.parametrize(
    ("now", "asked", "shown"),
    [
        ("2026-03-10T00:30", "?from=00:00&to=00:00", ("2026-03-10", "00:00", "00:00")),
        ("2026-03-10T00:30", "?from=20:00&to=04:00", ("2026-03-09", "20:00", "04:00")),
        ("2026-03-10T00:30", "", ("2026-03-09", "22:00", "06:00")),
        ("2026-03-01T05:59", "", ("2026-02-28", "22:00", "06:00")),
        ("2026-03-10T06:00", "", ("2026-03-10", "06:00", "14:00")),
        ("2026-03-10T23:00", "", ("2026-03-10", "22:00", "06:00")),
    ],
)
def test_without_a_day_it_is_the_shift_that_has_begun_last(
    served: Any, open_page: Open, now: str, asked: str, shown: tuple[str, str, str]
) -> None:
    page = open_page(served.url, "report?day=2026-01-01", timezone_id="UTC")
    page.clock.set_fixed_time(f"{now}:00Z")
    page.goto(f"{served.url}/report{asked}")
    page.locator("#sheet").wait_for()
    assert tuple(page.locator(f"#{name}").input_value() for name in ("day", "from", "to")) == shown


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 7), ("2026-10-24", 9)])
def test_a_night_has_as_many_hours_as_the_clock_gives_it(served: Any, open_page: Open, day: str, hours: int) -> None:
    page = open_page(served.url, f"report?day={day}&from=22:00&to=06:00", timezone_id="Europe/Berlin")
    page.locator("#sheet").wait_for()
    assert page.locator("#hours tbody tr").count() == hours


def test_an_hour_that_is_no_time_leaves_the_usual_shift(served: Any, open_page: Open) -> None:
    page = open_page(served.url, "report?day=yesterday&from=<b>&to=25")
    page.locator("#sheet").wait_for()
    assert page.locator("#shift").input_value() in ("06:00-14:00", "14:00-22:00", "22:00-06:00")
