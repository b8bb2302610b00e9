"""What the page does with a change that cannot be saved, and with a picture that cannot be shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from label_folders import SIZE, bare_folder, files_of, picture
from label_page import Page, near, rows
from page_browser import Open, becomes

Start = Callable[..., Any]


def deep() -> bytes:
    """A 16-bit picture."""
    pixels = np.random.default_rng(0).integers(0, 1 << 16, (SIZE[1], SIZE[0]), np.uint16)
    return bytes(cv2.imencode(".png", pixels)[1])


BROKEN: dict[str, bytes] = {"no pixels": deep()[:60], "half": deep()[:9000], "no picture": b"nothing", "gone": b""}


@pytest.mark.parametrize("data", list(BROKEN.values()), ids=list(BROKEN))
def test_nothing_is_drawn_on_a_picture_that_is_not_shown(
    start: Start, open_page: Open, folder: Path, data: bytes
) -> None:
    (folder / "1.png").write_bytes(data or picture(1))
    served = start(folder, form="yolo", classes=("scratch", "dent"), model=True)
    label = Page(open_page(served.url))
    if not data:
        (folder / "1.png").unlink()
    label.press("n")
    label.page.locator("#name", has_text="1.png").wait_for()
    label.page.locator("#state", has_text="cannot be labelled").wait_for()
    assert label.page.locator("#alert").is_visible()
    assert not label.page.evaluate("document.getElementById('picture').naturalWidth")  # not the one before
    before = files_of(folder)
    label.page.evaluate("window.dispatchEvent(new Event('focus'))")
    label.press("b", "d", "a", "u", "ArrowRight", "Delete", "0", "+")
    stage = label.page.locator("#drop").bounding_box()
    label.page.mouse.move(stage["x"] + 100, stage["y"] + 100)
    label.page.mouse.down()
    label.page.mouse.move(stage["x"] + 200, stage["y"] + 200, steps=3)
    label.page.mouse.up()
    label.page.wait_for_timeout(300)
    assert label.page.locator("#boxes li").count() == 0 and files_of(folder) == before
    assert label.page.locator("#alert").is_visible()
    label.press("Enter")
    label.page.locator("#name", has_text="2.png").wait_for()
    assert files_of(folder) == before and not label.page.locator("#alert").is_visible()
    label.drag((20, 20), (60, 50))
    label.saved()
    assert near(rows(folder, "2"), [(0, [20, 20, 60, 50])])


def answering(label: Page, status: int) -> None:
    """Let the server answer what the page saves with an error."""
    body = {"error": {"status": status, "code": "refused", "message": "the disk is full"}}

    def answer(route: Any) -> None:
        if route.request.method == "PUT":
            route.fulfill(status=status, json=body)
        else:
            route.continue_()

    label.page.route("**/api/pictures/*", answer)


def test_going_on_waits_until_a_refused_change_is_saved(label: Page, folder: Path) -> None:
    (folder / "0.txt").mkdir()  # so the label file cannot be written
    label.drag((20, 20), (60, 50))
    label.press("Enter")
    label.page.locator("#alert", has_text="Not saved").wait_for()
    for way in ("n", "Enter", "p"):
        label.press(way)
        label.page.wait_for_timeout(200)
        assert label.page.locator("#name").inner_text() == "0.png"
        assert label.page.locator("#boxes li").count() == 1
        assert "Not saved" in label.page.locator("#alert").inner_text()
    label.page.locator("#pictures button", has_text="2.png").click()
    label.page.evaluate("window.dispatchEvent(new Event('focus'))")
    label.drag((100, 60), (150, 120))  # a further change is not lost either
    label.page.wait_for_timeout(300)
    assert label.page.locator("#name").inner_text() == "0.png" and label.page.locator("#boxes li").count() == 2
    (folder / "0.txt").rmdir()
    label.page.locator("#name").click()
    label.press("n")
    label.page.locator("#name", has_text="1.png").wait_for()
    assert near(rows(folder, "0"), [(0, [20, 20, 60, 50]), (0, [100, 60, 150, 120])])
    assert not label.page.locator("#alert").is_visible()
    label.saved()


def test_a_refused_change_can_be_dropped(label: Page, folder: Path) -> None:
    label.drag((20, 20), (60, 50))
    label.saved()
    saved = rows(folder, "0")
    answering(label, 422)
    label.press("2")
    label.page.locator("#alert", has_text="Not saved").wait_for()
    assert "Undo drops" in label.page.locator("#alert").inner_text()
    label.page.unroute_all()
    label.press("u")
    becomes(label.page, lambda: label.page.locator("#boxes .what").all_inner_texts(), ["scratch"])
    assert rows(folder, "0") == saved and not label.page.locator("#alert").is_visible()
    label.press("n")
    label.page.locator("#name", has_text="1.png").wait_for()


def test_the_last_picture_says_that_it_is_not_saved(label: Page, folder: Path) -> None:
    label.page.locator("#pictures button", has_text="3.png").click()
    label.page.locator("#name", has_text="3.png").click()
    (folder / "3.txt").mkdir()
    label.press("Enter")
    label.page.locator("#alert", has_text="Not saved").wait_for()
    label.press("n")
    label.page.wait_for_timeout(300)
    assert "Not saved" in label.page.locator("#alert").inner_text()
    (folder / "3.txt").rmdir()
    label.press("n")
    label.page.locator("#alert", has_text="the last picture of those shown").wait_for()
    assert rows(folder, "3") == []


def test_a_change_that_waits_is_not_overwritten_by_another_picture(label: Page, folder: Path) -> None:
    answering(label, 503)
    label.drag((20, 20), (60, 50))
    label.saved("Not saved: the server does not answer")
    label.press("n")
    label.page.locator("#alert", has_text="not saved yet").wait_for()
    assert label.page.locator("#name").inner_text() == "0.png" and label.page.locator("#boxes li").count() == 1
    label.page.unroute_all()
    label.press("n")
    label.page.locator("#name", has_text="1.png").wait_for()
    label.drag((100, 60), (150, 120))
    becomes(label.page, lambda: any(folder.rglob("1.txt")), True)  # the page said "Saved" before, of the other picture
    label.saved()
    assert near(rows(folder, "0"), [(0, [20, 20, 60, 50])]) and near(rows(folder, "1"), [(0, [100, 60, 150, 120])])


def test_what_is_drawn_while_the_next_picture_loads_is_not_lost_unseen(label: Page, folder: Path) -> None:
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    label.page.route("**/api/pictures/*/image*", hold)
    answering(label, 503)
    label.press("n")
    becomes(label.page, lambda: len(held) > 0, True)
    label.drag((20, 20), (60, 50))
    label.page.wait_for_timeout(300)
    taken = label.page.locator("#boxes li").count()
    for route in held:
        route.continue_()
    label.page.unroute_all()
    label.page.locator("#name", has_text="1.png").wait_for()
    label.drag((100, 60), (150, 120))
    label.saved()
    label.page.wait_for_timeout(300)
    assert len(rows(folder, "1")) == 1
    assert (len(rows(folder, "0")) if (folder / "0.txt").exists() else 0) == taken


POLYGON = {"label": "dent", "points": [[100, 20], [180, 20], [140, 60]], "shape_type": "polygon", "group_id": None,
           "description": "seen twice", "flags": {"sure": True}}  # fmt: skip
EDGE = {"label": "dent", "points": [[20, 30], [60, 90]], "shape_type": "rectangle", "group_id": None,
        "description": "an edge", "flags": {"deep": True}}  # fmt: skip
FIRST = {**EDGE, "points": [[20, 110], [60, 150]], "description": "gone in the other window"}


@pytest.mark.parametrize("moves", [False, True], ids=["draws", "moves"])
def test_saving_mine_keeps_what_the_file_says_of_boxes(
    start: Start, open_page: Open, tmp_path: Path, moves: bool
) -> None:
    folder = bare_folder(tmp_path / "new", 1)
    whole = {"version": "5.0.1", "flags": {}, "shapes": [FIRST, POLYGON, EDGE], "imagePath": "0.png",
             "imageData": None, "imageHeight": SIZE[1], "imageWidth": SIZE[0]}  # fmt: skip
    (folder / "0.json").write_text(json.dumps(whole))
    served = start(folder)
    one, two = Page(open_page(served.url)), Page(open_page(served.url))
    for page in (one, two):
        page.page.locator("#boxes li >> nth=2").wait_for()
    one.click(40, 130)
    one.press("Delete")  # the first: those that follow have other numbers from then on
    one.saved()
    if moves:
        two.click(40, 60)
        two.press("ArrowRight")
    else:
        two.drag((100, 100), (150, 140))
    two.page.locator("#conflict[open]").wait_for()
    two.page.get_by_role("button", name="Save mine instead").click()
    two.saved()
    shapes = json.loads((folder / "0.json").read_text())["shapes"]
    assert [each for each in shapes if each["shape_type"] == "polygon"] == [POLYGON]
    edge = next(each for each in shapes if each.get("description") == "an edge")
    wanted = [[21, 30], [61, 90]] if moves else EDGE["points"]
    assert (
        edge | {"points": wanted} == {**edge, **EDGE, "points": wanted}
        and edge["points"] == wanted
        and len(shapes) == (3 if moves else 4)
    )
    becomes(two.page, lambda: two.names().count("dent (outline)"), 1)
    two.page.wait_for_timeout(300)
    two.press("Escape")
    two.drag((70, 130), (90, 150))  # what follows names them by their new numbers
    becomes(two.page, lambda: len(json.loads((folder / "0.json").read_text())["shapes"]), len(shapes) + 1)
    assert json.loads((folder / "0.json").read_text())["shapes"][: len(shapes)] == shapes
