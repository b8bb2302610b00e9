"""A verdict is marked wrong on the page: a record of its own, shown at once, after a reload, and in a whole chain."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from browsing import BAD, GOOD, verdict
from page_browser import Open, axe_findings

from lightdet.cli.app import main


def say(page: Any, note: str, button: str) -> None:
    page.get_by_text("Correct this verdict").click()
    page.locator("#wrong-note").fill(note)
    page.get_by_role("button", name=button).click()


def test_a_verdict_is_corrected_and_stays_recorded(start: Any, open_page: Open) -> None:
    served = start()
    sent = served.detect(BAD).json()["results"][0]
    page = open_page(served.url, f"#{sent['id']}")
    verdict(page, "NG")
    assert not page.locator("#corrections").is_visible()
    say(page, "<b>dust</b>, no scratch", "It is OK")
    listed = page.locator("#corrections li")
    listed.filter(has_text=re.compile(r"OK: <b>dust</b>, no scratch")).wait_for()
    say(page, "seen by a second person", "Only a remark")
    listed.nth(1).wait_for()
    verdict(page, "NG")  # what was decided stays
    page.reload()
    verdict(page, "NG")
    assert listed.count() == 2
    found = served.client.get(f"/api/inspections/{sent['id']}").json()
    assert [(each["decision"], each["note"]) for each in found["corrections"]] == [
        ("OK", "<b>dust</b>, no scratch"),
        (None, "seen by a second person"),
    ]
    assert found["decision"] == "NG"
    database = served.service.settings.database
    assert Path(database).is_file()
    assert main(["records", "verify", "--database", database]) == 0


def test_it_needs_a_reason_and_a_record_and_belongs_to_one_picture(start: Any, open_page: Open) -> None:
    served = start()
    first, second = (served.detect(BAD).json()["results"][0] for _ in range(2))
    page = open_page(served.url)
    assert not page.locator("#wrong").is_visible()  # nothing is shown yet
    page = open_page(served.url, f"#{first['id']}")
    verdict(page, "NG")
    say(page, "   ", "It is OK")
    page.get_by_text("Say why").wait_for()
    page.locator("#wrong-note").press("o")  # no shortcut: no dialog for files, a letter
    assert page.locator("#wrong-note").input_value().endswith("o")
    page.locator("#past button").first.click()
    page.wait_for_url(re.compile(second["id"]))
    assert not page.locator("#wrong-note").is_visible()
    assert served.client.get(f"/api/inspections/{first['id']}").json()["corrections"] == []


def test_findings_are_ticked_off_on_the_page(start: Any, open_page: Open, axe: Any) -> None:
    served = start()
    sent = served.detect(BAD).json()["results"][0]
    page = open_page(served.url, f"#{sent['id']}")
    verdict(page, "NG")
    page.get_by_text("Correct this verdict").click()
    findings = page.locator("#wrong-list input")
    assert findings.count() == 2  # what does not count is not listed …
    page.get_by_label("show what does not count, too").check()
    findings.nth(2).wait_for()
    assert [findings.nth(i).is_checked() for i in range(3)] == [True, True, False]
    page.get_by_label("show what does not count, too").uncheck()
    page.get_by_label("2. green").uncheck()
    assert page.get_by_label("Nothing is missing").is_checked()
    page.locator("#wrong-note").fill("the green one is dust")
    page.get_by_role("button", name="It is OK").click()
    page.get_by_text("Findings are ticked as right").wait_for()
    assert axe_findings(page, axe) == []
    page.get_by_role("button", name="It is NG").click()
    page.locator("#corrections li").filter(has_text="right: red").wait_for()
    assert not page.get_by_label("2. green").is_visible()
    page.get_by_text("Correct this verdict").click()
    assert findings.nth(1).is_checked() and not page.get_by_label("Nothing is missing").is_checked()
    say_open(page, "seen again, nothing said of boxes", "It is NG")
    page.locator("#corrections li").nth(1).wait_for()
    page.get_by_text("Correct this verdict").click()
    for each in (0, 1):
        findings.nth(each).uncheck()
    say_open(page, "nothing at all", "It is NG")
    page.get_by_text("Tick the findings that are right").wait_for()
    page.get_by_role("button", name="It is OK").click()
    page.locator("#corrections li").filter(has_text="no finding is right").wait_for()
    said = served.client.get(f"/api/inspections/{sent['id']}").json()["corrections"]
    red = next(each for each in sent["detections"] if each["name"] == "red")
    assert [each["boxes"] for each in said] == [[{"name": "red", "box": red["box"]}], None, []]


def test_a_part_without_findings_has_none_to_tick(start: Any, open_page: Open) -> None:
    served = start()
    sent = served.detect(GOOD).json()["results"][0]
    page = open_page(served.url, f"#{sent['id']}")
    verdict(page, "OK")
    page.get_by_text("Correct this verdict").click()
    page.locator("#wrong-note").wait_for()
    assert not page.locator("#wrong-findings").is_visible()


def say_open(page: Any, note: str, button: str) -> None:
    page.locator("#wrong-note").fill(note)
    page.get_by_role("button", name=button).click()
