"""A verdict is marked wrong on the page: a record of its own, shown at once, after a reload, and in a whole chain."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from browsing import BAD, GOOD, RED, verdict
from colors import paint
from page_browser import Open, axe_findings

from lightdet.cli.app import main
from lightdet.service.keep_pictures import Choice, KeepPictures


def say(page: Any, note: str, button: str) -> None:
    page.get_by_text("Correct this verdict").click()
    page.locator("#wrong-note").fill(note)
    page.get_by_role("button", name=button).click()


@pytest.mark.smoke
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
    assert page.get_by_label("Nothing else is missing").is_checked()
    page.locator("#wrong-note").fill("the green one is dust")
    page.get_by_role("button", name="It is OK").click()
    page.get_by_text("Findings are ticked as right").wait_for()
    assert axe_findings(page, axe) == []
    page.get_by_role("button", name="It is NG").click()
    page.locator("#corrections li").filter(has_text="right: red").wait_for()
    assert not page.get_by_label("2. green").is_visible()
    page.get_by_text("Correct this verdict").click()
    assert findings.nth(1).is_checked() and not page.get_by_label("Nothing else is missing").is_checked()
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


def drag(page: Any, box: tuple[float, float, float, float], size: tuple[int, int]) -> None:
    """Draw a box of the picture's pixels on the screen."""
    bounds = page.locator("#picture").bounding_box()
    unit = bounds["width"] / size[0]
    x1, y1, x2, y2 = (bounds["xy"[i % 2]] + value * unit for i, value in enumerate(box))
    page.mouse.move(x1, y1)
    page.mouse.down()
    page.mouse.move((x1 + x2) / 2, (y1 + y2) / 2)
    page.mouse.move(x2, y2)
    page.mouse.up()


def begin_to_draw(page: Any) -> None:
    page.get_by_text("Correct this verdict").click()
    page.get_by_role("button", name="Draw boxes").click()
    page.locator(".a9s-annotationlayer").wait_for()


def boxes_said(served: Any, sent: dict[str, Any]) -> Any:
    return served.client.get(f"/api/inspections/{sent['id']}").json()["corrections"][-1]["boxes"]


def test_what_was_missed_is_drawn_on_the_page(start: Any, open_page: Open, axe: Any, tmp_path: Path) -> None:
    served = start(pictures=KeepPictures(Choice(True), tmp_path / "kept", free=0))
    sent = served.detect(GOOD).json()["results"][0]
    page = open_page(served.url, f"#{sent['id']}")
    verdict(page, "OK")
    begin_to_draw(page)
    size = tuple(sent["size"])
    drag(page, (20, 30, 60, 50), size)
    page.get_by_role("button", name=re.compile("red 40 × 20")).wait_for()
    page.locator("#draw-class").select_option("green")  # of the chosen box
    drag(page, (100, 40, 130, 80), size)  # a press beside it draws the next one
    rows = page.locator("#drawn li")
    rows.nth(1).wait_for()
    page.keyboard.press("ArrowRight")  # moves the box, and opens no other inspection
    page.keyboard.press("Shift+ArrowDown")
    page.locator("#drawn").get_by_text("green 30 × 41").wait_for()
    drag(page, (5, 5, 15, 15), size)
    rows.nth(2).wait_for()
    page.keyboard.press("Delete")
    page.get_by_role("button", name="New box").click()
    rows.nth(2).wait_for()
    page.get_by_role("button", name="Remove green, drawn box 3").click()
    assert rows.count() == 2 and page.locator("#over text").count() == 2
    assert axe_findings(page, axe) == []
    page.locator("#wrong-note").fill("two dents in the shadow")
    page.get_by_role("button", name="It is OK").click()
    page.get_by_text("Boxes are drawn: remove them, or it is not OK").wait_for()
    page.get_by_label("Nothing else is missing").uncheck()
    page.get_by_role("button", name="It is NG").click()
    page.get_by_text("tick “Nothing else is missing”").wait_for()
    page.get_by_label("Nothing else is missing").check()
    page.get_by_role("button", name="It is NG").click()
    page.locator("#corrections li").filter(has_text="right: green, green").wait_for()
    assert page.locator(".a9s-annotationlayer").count() == 0 and rows.count() == 0
    said = boxes_said(served, sent)
    assert [each["name"] for each in said] == ["green", "green"]
    assert said[0]["box"] == pytest.approx([20, 30, 60, 50], abs=1)
    assert said[1]["box"] == pytest.approx([101, 40, 131, 81], abs=1)
    out, database = tmp_path / "next", served.service.settings.database
    keep = ["--keep-folder", str(tmp_path / "kept"), "--val", "0"]
    assert main(["data", "collect", "--database", database, "-o", str(out), *keep]) == 0
    assert len((out / "labels" / "train" / f"{sent['id']}.txt").read_text().splitlines()) == 2


def test_drawn_boxes_join_the_ticked_findings_also_on_a_small_copy(start: Any, open_page: Open) -> None:
    served = start()
    sent = served.detect(paint(RED, size=(960, 720))).json()["results"][0]
    page = open_page(served.url, f"#{sent['id']}")
    verdict(page, "NG")
    begin_to_draw(page)
    page.get_by_text("Only a small copy is shown").wait_for()
    drag(page, (400, 300, 800, 600), (960, 720))
    page.locator("#drawn li").wait_for()
    say_open(page, "one was missed", "It is NG")
    page.locator("#corrections li").filter(has_text="right: red, red").wait_for()
    said = boxes_said(served, sent)
    assert said[0]["box"] == sent["detections"][0]["box"]
    assert said[1]["box"] == pytest.approx([400, 300, 800, 600], abs=5)


def test_drawing_ends_with_another_inspection(start: Any, open_page: Open) -> None:
    served = start()
    first, second = (served.detect(each).json()["results"][0] for each in (GOOD, BAD))
    page = open_page(served.url, f"#{first['id']}")
    verdict(page, "OK")
    begin_to_draw(page)
    drag(page, (20, 30, 60, 50), tuple(first["size"]))
    page.locator("#drawn li").wait_for()
    page.locator("#past button").first.click()
    page.wait_for_url(re.compile(second["id"]))
    verdict(page, "NG")
    assert page.locator(".a9s-annotationlayer").count() == 0 and page.locator("#drawn li").count() == 0
    page.mouse.move(0, 0)
    begin_to_draw(page)  # and begins anew
    drag(page, (200, 100, 220, 120), tuple(second["size"]))
    page.locator("#drawn li").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert page.locator(".a9s-annotationlayer").count() == 0 and page.locator("#drawn li").count() == 1
