"""The server is started again, with other pictures at the same address."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from label_folders import picture
from label_page import Page
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
    sent = first.client.get("/api/pictures/0/image")
    assert "no-cache" in sent.headers["cache-control"]
    known = {"if-none-match": sent.headers["etag"]}
    again = first.client.get("/api/pictures/0/image", headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", known["if-none-match"])
    first.stop()
    os.utime(two / "0.png", ns=(0, (one / "0.png").stat().st_mtime_ns))
    other = start(two, form="yolo").client.get("/api/pictures/0/image", headers=known)
    assert (other.status_code, other.content) == (200, (two / "0.png").read_bytes())
    second = start(one)
    assert second.client.get("/api/pictures/0/image", headers=known).status_code == 304  # after a restart, too
    (one / "new.png").write_bytes(picture(0, GREEN))
    (one / "new.png").replace(one / "0.png")
    replaced = second.client.get("/api/pictures/0/image", headers=known)
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
