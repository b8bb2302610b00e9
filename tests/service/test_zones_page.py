"""Zones on the page in a real browser: drawn over the picture, edited by pointer and keys, downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browsing import BAD, drop, verdict
from page_browser import Open, axe_findings, until

from lightdet.assembly.zones import read_zones
from lightdet.decisions.zones import Zone, Zones

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
ZONES = Zones((Zone("left", LEFT, threshold=0.5), Zone("label", ((0.7, 0.7), (0.9, 0.7), (0.9, 0.9)), ignore=True)))


def shares(page: Any, number: int) -> list[list[float]]:
    """The corners of a zone as they are drawn, in shares of the picture (256 x 192), rounded."""
    text: str = page.locator("#zones .zone-line").nth(number).get_attribute("points")
    return [[round(float(v) / s, 2) for v, s in zip(p.split(","), (256, 192), strict=True)] for p in text.split(" ")]


def drag(page: Any, point: str, right: float, down: float) -> None:
    """Drag a point by shares of the picture."""
    page.locator("#frame").scroll_into_view_if_needed()
    frame, at = page.locator("#frame").bounding_box(), page.locator(f'[data-point="{point}"]').bounding_box()
    x, y = at["x"] + at["width"] / 2, at["y"] + at["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right * frame["width"] / 2, y + down * frame["height"] / 2)
    page.mouse.move(x + right * frame["width"], y + down * frame["height"])
    page.mouse.up()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_zones_are_shown_edited_and_downloaded(
    start: Any, open_page: Open, axe: str, tmp_path: Path, scheme: str
) -> None:
    page = open_page(start(zones=ZONES).url, color_scheme=scheme)
    drop(page, ("a.png", BAD, "image/png"))
    assert verdict(page, "NG") == "1 defect: red"
    assert page.locator("#findings .name").all_inner_texts() == ["red left"]
    assert page.locator("#zones-state").inner_text() == "2 zones: left, label"
    assert shares(page, 0) == [list(point) for point in LEFT] and page.locator("#zones circle").count() == 0

    page.locator("#zones-edit").click()
    drag(page, "0.2", 0.1, -0.1)
    assert shares(page, 0)[2] == [0.6, 0.9]
    page.keyboard.press("ArrowLeft")
    assert shares(page, 0)[2] == [0.59, 0.9]
    page.keyboard.press("Enter")
    assert len(shares(page, 0)) == 5 and page.evaluate("document.activeElement.dataset.point") == "0.3"
    page.keyboard.press("Delete")
    assert len(shares(page, 0)) == 4
    page.locator("#zones-ignore").click()
    page.get_by_label("Name of zone 3").fill("clamp")
    page.get_by_label("Name of zone 3").press("Tab")
    page.locator("#zones-add").click()
    first, ignored, added = (page.locator("#zones-list li").nth(number) for number in (0, 2, 3))
    assert ignored.locator("details").count() == 0  # what is ignored has neither
    assert first.get_by_label("Lowest score").input_value() == "0.5"
    for zone, told in ((first, "looked at"), (added, "looked at, only green")):
        zone.locator("summary").click()
        if zone is added:
            zone.get_by_label("green").check()
            page.locator("#zones-fault", has_text="overlap").wait_for()  # where zones overlap they must say the same
        for score, more in (("0.75", ", from 0.75"), ("", "")):
            zone.get_by_label("Lowest score").fill(score)
            zone.get_by_label("Lowest score").press("Tab")
            assert zone.locator(".told").inner_text() == f"{told}{more}"
    first.get_by_label("green").check()
    for zone in (first, added):
        zone.get_by_label("Lowest score").fill("0.25")
        zone.get_by_label("Lowest score").press("Tab")
    until(page, "!document.getElementById('zones-download').disabled")
    assert axe_findings(page, axe) == [] and page.locator("#zones-save").is_disabled()
    with page.expect_download() as waiting:
        page.locator("#zones-download").click()
    waiting.value.save_as(tmp_path / "zones.yaml")
    saved = read_zones(tmp_path / "zones.yaml")
    assert saved.names == ("left", "label", "clamp", "zone 1") and saved.zones[0].points[2] == (0.59, 0.9)
    assert saved.zones[2].ignore
    assert all((saved.zones[at].classes, saved.zones[at].threshold) == (("green",), 0.25) for at in (0, 3))

    drag(page, "0.0", 0.9, 0.8)  # over the opposite edge: it crosses itself
    page.locator("#zones-fault", has_text="meets itself").wait_for()
    assert page.locator("#zones-download").is_disabled()
    page.locator("#zones-edit").click()
    assert shares(page, 0) == [list(point) for point in LEFT]
