"""A part that a line could not judge: on the page it is neither a defect found nor OK."""

from __future__ import annotations

import time
from typing import Any

import pytest
from page_browser import Open, axe_findings, becomes
from test_store import inspection

REASON = "it had waited for 1.9 s, and 1 s is allowed"


@pytest.fixture
def unjudged(served: Any) -> Any:
    """A service on the records of a line: a bad part, a good one, and one without a verdict, the latest."""
    now = time.time_ns() // 1_000_000
    none = inspection(
        now, name="late.png", rule={"none": REASON}, decision="NG", overridden=True, thumbnail=None, detections=[]
    )
    served.service.store.insert(
        [inspection(now - 2000, "red", name="bad.png"), inspection(now - 1000, name="good.png"), none]
    )
    return served


@pytest.mark.smoke
def test_it_has_a_word_and_a_look_of_its_own(unjudged: Any, open_page: Open, axe: str) -> None:
    page = open_page(unjudged.url)
    first = page.locator("#past li").first
    first.wait_for()
    tag = first.locator(".tag")
    assert tag.inner_text().startswith("No verdict") and "NG" not in first.inner_text()
    assert REASON in first.inner_text()
    assert tag.get_attribute("class").split() == ["tag", "none"]
    bad = page.locator("#past .tag.ng")
    assert bad.count() == 1 and page.locator("#past .tag.ok").count() == 1
    look = "e => getComputedStyle(e).backgroundColor"
    assert tag.evaluate(look) not in (bad.evaluate(look), page.locator("#past .tag.ok").evaluate(look))
    first.locator("button").click()
    page.locator("#verdict.none").wait_for()
    assert page.locator("#verdict-word").inner_text() == "No verdict"
    assert REASON in page.locator("#verdict-why").inner_text()
    caption = page.locator("#caption").inner_text()
    assert f"No verdict, {REASON}" in caption and "NG" not in caption and "no defects" not in caption
    assert "threshold" not in page.locator("#verdict-why").inner_text() + caption
    assert page.locator("#findings-note").inner_text() == "not judged"
    assert page.locator("#overridden").inner_text().endswith("or without a verdict.")
    assert axe_findings(page, axe) == []


def test_it_is_found_by_itself(unjudged: Any, open_page: Open) -> None:
    def names(decision: str) -> list[str]:
        answer = unjudged.client.get("/api/inspections", params={"decision": decision}).json()
        return [each["name"] for each in answer["results"]]

    assert (names("NG"), names("OK"), names("none")) == (["bad.png"], ["good.png"], ["late.png"])
    page = open_page(unjudged.url)
    page.locator("#past li").first.wait_for()
    page.locator("#filter").select_option("none")
    becomes(page, page.locator("#past .label").all_inner_texts, ["late.png"])


def test_live_shows_it_as_none(served: Any, open_page: Open) -> None:
    page = open_page(served.url)
    page.locator("#live").click()
    page.locator("#live-note", has_text="waiting").wait_for()
    page.wait_for_timeout(1500)  # it listens
    now = time.time_ns() // 1_000_000
    rule: dict[str, Any] = {"rule": {"none": REASON}, "overridden": True, "decision": "NG", "thumbnail": None}
    served.service.store.insert([inspection(now, name="late.png", **rule), inspection(now + 1, name="good.png")])
    page.locator("#verdict-word", has_text="No verdict").wait_for()
    assert page.locator("#verdict").get_attribute("class").split() == ["verdict", "none"]
