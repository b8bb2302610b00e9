"""The page for everybody: contrast, keyboard, screen readers (WCAG 2.2, axe-core), a closer look."""

from __future__ import annotations

from typing import Any

import pytest
from browsing import BAD, BROKEN, GOOD, drop, set_slider, verdict
from colors import paint
from page_browser import Open, axe_findings, until

PALE = """() => {
const parse = (text) => { const n = text.match(/[\\d.]+(e-\\d+)?/g).map(Number);
  const scale = text.startsWith('color(') ? 255 : 1; return [...n.slice(0, 3).map(v => v * scale), n[3] ?? 1]; };
const over = ([r, g, b, a], under) => [r, g, b].map((v, i) => v * a + under[i] * (1 - a));
const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = (c) => { const [r, g, b] = c.map(v => linear(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ground = (e) => { const chain = []; for (let at = e; at; at = at.parentElement) chain.unshift(at);
  return chain.reduce((under, at) => over(parse(getComputedStyle(at).backgroundColor), under), [255, 255, 255]); };
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const e = node.parentElement;
  if (!node.data.trim() || !e.checkVisibility() || e.closest('#boxes, script, option')) continue;
  let opacity = 1;
  for (let at = e; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
  const style = getComputedStyle(e), under = ground(e);
  const ink = parse(e.closest('svg') ? style.fill : style.color);
  const [a, b] = [light(over([...ink.slice(0, 3), ink[3] * opacity], under)), light(under)];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) found.push([node.data.trim().slice(0, 30), ratio.toFixed(2)]);
}
return found; }"""
"""Texts with less contrast than WCAG 2.2, 1.4.3 asks for."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast_in_every_state(start: Any, open_page: Open, scheme: str) -> None:
    served = start(allow_override=True)
    served.detect(BAD, threshold=0.9)
    page = open_page(served.url, color_scheme=scheme)
    page.locator("#past .by").wait_for()
    page.locator("footer summary").click()
    assert page.evaluate(PALE) == [], "ready"
    page.get_by_label("show what does not count, too").check()
    drop(page, ("good.png", GOOD, "image/png"), ("bad.png", BAD, "image/png"), ("cut.png", BROKEN, "image/png"))
    page.locator("#verdict-why", has_text="of 3 pictures: 1 NG, 1 not inspected").wait_for()
    page.locator("#pchart .dot").first.wait_for()
    until(page, "!document.getElementById('verdict').classList.contains('busy')")
    assert page.evaluate(PALE) == [], "several"
    set_slider(page, 0.9)
    assert page.evaluate(PALE) == [], "trial"
    page.locator("#past .by").click()
    page.locator("#verdict.own").wait_for()
    assert page.evaluate(PALE) == [], "another's threshold"
    page.route("**/ready", lambda route: route.abort())
    page.locator("#verdict.stale").wait_for()
    assert page.evaluate(PALE) == [], "without the service"


# --- axe-core ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_in_any_state(start: Any, open_page: Open, axe: str, scheme: str) -> None:
    served = start(allow_override=True)
    page = open_page(served.url, color_scheme=scheme, permissions=["camera"])
    page.locator("#past-empty").wait_for()
    assert axe_findings(page, axe) == [], "empty"
    served.detect(BAD, threshold=0.9, name="own")
    drop(page, ("good.png", GOOD, "image/png"), ("bad.png", BAD, "image/png"), ("cut.png", BROKEN, "image/png"))
    page.locator("#verdict-why", has_text="of 3 pictures: 1 NG, 1 not inspected").wait_for()
    page.locator("#past li >> nth=2").wait_for()
    page.get_by_text("As a table").click()
    assert axe_findings(page, axe) == [], "several, one refused"
    set_slider(page, 0.3)
    page.get_by_label("show what does not count, too").check()
    page.locator("#findings li").first.click()
    assert axe_findings(page, axe) == [], "a trial's finding looked at closely"
    page.locator("#past button", has_text="own").click()
    page.locator("#verdict.own").wait_for()
    page.keyboard.press("c")
    page.locator("#camera-panel").wait_for()
    page.set_viewport_size({"width": 390, "height": 844})
    assert axe_findings(page, axe) == [], "another's threshold, the camera, on a telephone"
    page.route("**/ready", lambda route: route.abort())
    page.locator("#verdict.stale").wait_for()
    assert axe_findings(page, axe) == [], "without the service"


def test_axe_finds_nothing_where_a_key_is_asked_for(start: Any, open_page: Open, axe: str) -> None:
    page = open_page(start(api_key="s3cret").url)
    page.get_by_label("Key", exact=True).wait_for()
    assert axe_findings(page, axe) == []


def test_axe_finds_nothing_on_the_page_of_the_api(shared: Any, open_page: Open, axe: str) -> None:
    page = open_page(shared.url, "docs")
    page.get_by_role("heading", name="/api/detect").wait_for()
    assert axe_findings(page, axe) == []


# --- the keyboard alone -----------------------------------------------------------------------------------


def test_few_stops_whatever_the_history(served: Any, open_page: Open) -> None:
    for number in range(25):
        served.detect(GOOD, name=f"part {number}")
    page = open_page(served.url)
    page.locator("#past li >> nth=23").wait_for()
    page.locator("#pchart .dot").first.wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#stage"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0  # it shows when it has the focus
    stops = ["skip"]
    while True:
        page.keyboard.press("Tab")
        stop = page.evaluate("document.activeElement.id || document.activeElement.innerText")
        if page.evaluate("document.activeElement === document.body") or len(stops) > 40:
            break
        stops.append(stop)
    assert len(stops) <= 25, stops
    assert sum("part" in stop for stop in stops) == 1  # one stop in the history; the arrows go on from there
    page.locator("#past button[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    focused = "document.activeElement.querySelector('.label')?.textContent"
    until(page, f"{focused} === 'part 23' && document.activeElement.getAttribute('aria-current') === 'true'")


def test_a_closer_look(shared: Any, open_page: Open) -> None:
    page = open_page(shared.url)
    drop(page, ("small.png", paint((0, 200, 200, 150, 206, 155)), "image/png"))
    verdict(page, "NG")
    whole = page.locator("#picture").bounding_box()
    line = page.locator("#boxes .box-line").evaluate("e => getComputedStyle(e).strokeWidth")
    page.locator("#findings").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    closer, stage = page.locator("#picture").bounding_box(), page.locator("#drop").bounding_box()
    assert closer["width"] > 3 * whole["width"]
    box = page.locator("#boxes .box-line").bounding_box()
    for side, size in (("x", "width"), ("y", "height")):  # the finding is in the stage, its lines no thicker
        assert box[side] > stage[side] and box[side] + box[size] < stage[side] + stage[size]
    assert page.locator("#boxes .box-line").evaluate("e => getComputedStyle(e).strokeWidth") in (line, "6px")
    before = page.locator("#picture").bounding_box()
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator("#picture").bounding_box()["x"] < before["x"] - 40
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y - 30, steps=3)
    page.mouse.up()
    dragged = page.locator("#picture").bounding_box()
    assert abs(dragged["x"] - (before["x"] - 80 + 60)) < 2 and abs(dragged["y"] - (before["y"] - 30)) < 2
    page.keyboard.press("0")
    assert page.locator("#picture").bounding_box() == whole
    page.keyboard.press("ArrowRight")  # nothing older; arrows without Shift never move the picture
    page.get_by_role("button", name="Larger").click()
    assert page.locator("#picture").bounding_box()["width"] == pytest.approx(1.5 * whole["width"], rel=0.01)
    drop(page, ("next.png", GOOD, "image/png"))  # a new part is seen as a whole
    verdict(page, "OK")
    assert page.locator("#picture").bounding_box()["width"] == pytest.approx(whole["width"], rel=0.01)
