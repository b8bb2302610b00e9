"""The server is started again, with other pictures at the same address."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from label_folders import bare_folder, files_of, picture
from label_page import Page, rows
from page_browser import Open, becomes

Start = Callable[..., Any]
RED, GREEN = [(0, 0, 0, 200, 160)], [(1, 0, 0, 200, 160)]
COLOUR = """(() => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [1, 1];
  canvas.getContext("2d").drawImage(document.getElementById("picture"), 0, 0, 1, 1);
  const [red, green] = canvas.getContext("2d").getImageData(0, 0, 1, 1).data;
  return red > 150 ? "red" : green > 150 ? "green" : "gray";
})()"""
"""What the picture on the page looks like."""


def painted(folder: Path, *boxes: list[tuple[int, ...]]) -> Path:
    """Pictures of one colour each: ``0.png``, ``1.png``, ..."""
    folder.mkdir(exist_ok=True)
    for number, each in enumerate(boxes):
        (folder / f"{number}.png").write_bytes(picture(0, each))
    return folder


def test_a_kept_picture_is_shown_only_if_it_is_still_the_same(start: Start, tmp_path: Path) -> None:
    one, two = painted(tmp_path / "one", RED), painted(tmp_path / "two", GREEN)
    first = start(one, form="yolo")
    sent = first.client.get(first.of(0, "/image"))
    assert "no-cache" in sent.headers["cache-control"]
    known = {"if-none-match": sent.headers["etag"]}
    again = first.client.get(first.of(0, "/image"), headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", known["if-none-match"])
    first.stop()
    os.utime(two / "0.png", ns=(0, (one / "0.png").stat().st_mtime_ns))
    second = start(two, form="yolo")
    other = second.client.get(second.of(0, "/image"), headers=known)
    assert (other.status_code, other.content) == (200, (two / "0.png").read_bytes())
    third = start(one)
    assert third.client.get(third.of(0, "/image"), headers=known).status_code == 304  # after a restart, too
    (one / "new.png").write_bytes(picture(0, GREEN))
    (one / "new.png").replace(one / "0.png")
    replaced = third.client.get(third.of(0, "/image"), headers=known)
    assert (replaced.status_code, replaced.content) == (200, (one / "0.png").read_bytes())


def test_the_page_shows_the_pictures_of_the_server_that_runs(start: Start, open_page: Open, tmp_path: Path) -> None:
    first = start(painted(tmp_path / "one", RED, RED), form="yolo", classes=("dent",))
    label = Page(open_page(first.url))
    becomes(label.page, lambda: label.page.evaluate(COLOUR), "red")
    label.press("n")
    label.page.locator("#name", has_text="1.png").wait_for()
    first.stop()
    start(painted(tmp_path / "two", GREEN, GREEN), form="yolo", classes=("dent",), port=first.port)
    label.page.goto(f"{first.url}/#0.png")
    label.page.reload()
    label.page.locator("#folder", has_text="two").wait_for()
    label.page.locator("#name", has_text="0.png").wait_for()
    becomes(label.page, lambda: label.page.evaluate(COLOUR), "green")
    painted(tmp_path / "two", RED, RED)  # replaced in place
    label.press("n")
    label.page.locator("#name", has_text="1.png").wait_for()
    becomes(label.page, lambda: label.page.evaluate(COLOUR), "red")


NEW = {"version": 0, "marks": [{"box": [5, 6, 50, 60], "name": "dent", "origin": None}], "state": "labelled"}


def a_picture_came(folder: Path) -> dict[str, Any]:
    (folder / "00.png").write_bytes(picture(7))
    return {"folder": folder}


def another_order(folder: Path) -> dict[str, Any]:
    (folder / "next.txt").write_text("2.png\n0.png\n1.png\n")
    return {"folder": folder, "order": folder / "next.txt"}


def it_is_gone(folder: Path) -> dict[str, Any]:
    (folder / "1.png").rename(folder / "9.png")
    return {"folder": folder}


def another_folder(folder: Path) -> dict[str, Any]:
    return {"folder": bare_folder(folder.parent / "other"), "form": "yolo", "classes": ("dent",)}


@pytest.mark.parametrize(
    ("change", "written"),
    [(a_picture_came, True), (another_order, True), (it_is_gone, False), (another_folder, False)],
)
def test_labels_go_to_the_picture_that_they_were_drawn_on(
    start: Start, tmp_path: Path, change: Callable[[Path], dict[str, Any]], written: bool
) -> None:
    folder = bare_folder(tmp_path / "new")
    first = start(folder, form="yolo", classes=("dent",))
    address = first.of(1)
    assert first.get(address)["name"] == "1.png"
    first.stop()
    second = start(**change(folder))
    before = {place: files_of(place) for place in (folder, second.store.folder.root)}
    sent = second.client.put(address, json=NEW)
    if written:
        assert (sent.status_code, sent.json()["name"]) == (200, "1.png")
        assert files_of(folder).keys() - before[folder].keys() == {"1.txt"}
        undone = second.client.post(f"{address}/undo", json={"version": sent.json()["version"]})
        assert undone.json()["name"] == "1.png"
        return
    for answer in (sent, *(second.client.post(f"{address}/{way}", json={"version": 0}) for way in ("undo", "redo"))):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_picture")
        assert "reload the page" in answer.json()["error"]["message"]
    assert {place: files_of(place) for place in before} == before


def test_a_class_goes_to_the_folder_that_the_page_shows(start: Start, tmp_path: Path) -> None:
    one, two = (start(bare_folder(tmp_path / name), form="yolo") for name in ("one", "two"))
    body = {"name": "crack", "folder": one.get("/api/folder")["id"]}
    refused = two.client.post("/api/classes", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "another_folder")
    assert "reload the page" in refused.json()["error"]["message"]
    assert one.client.post("/api/classes", json=body).status_code == 200
    assert not (tmp_path / "two/classes.txt").exists()


def test_a_page_that_was_left_open_writes_to_its_own_pictures(start: Start, open_page: Open, tmp_path: Path) -> None:
    folder = bare_folder(tmp_path / "new")
    first = start(folder, form="yolo", classes=("dent",))
    label = Page(open_page(first.url, "#1.png"))
    label.page.locator("#name", has_text="1.png").wait_for()
    first.stop()
    second = start(**a_picture_came(folder), port=first.port)
    label.drag((20, 20), (60, 50))
    label.saved()
    assert len(rows(folder, "1")) == 1 and not (folder / "00.txt").exists() and not (folder / "0.txt").exists()
    label.press("n")
    label.page.locator("#name", has_text="2.png").wait_for()
    label.press("p")
    label.page.locator("#name", has_text="1.png").wait_for()
    second.stop()
    other = another_folder(folder)
    start(**other, port=first.port)
    label.drag((100, 60), (150, 120))
    label.page.locator("#alert", has_text="reload the page").wait_for()
    label.saved("Not saved")
    assert not list(other["folder"].glob("?.txt"))
