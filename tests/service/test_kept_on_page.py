"""The page shows a kept picture as it came, saves it, and says where it was not kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browsing import BAD, verdict
from page_browser import Open, until

from lightdet.service.keep_pictures import Choice, KeepPictures

LARGE = "document.querySelector('#picture').naturalWidth > 240"


@pytest.mark.parametrize("key", ["", "s3cret"])
def test_a_kept_picture_is_shown_and_saved(start: Any, open_page: Open, tmp_path: Path, key: str) -> None:
    from colors import paint

    large = paint((0, 200, 10, 20, 50, 60), size=(700, 500))
    served = start(pictures=KeepPictures(Choice(True), tmp_path / "kept", free=0), api_key=key)
    headers = {"x-api-key": key} if key else {}
    sent = served.client.post("/api/detect", content=large, headers=headers).json()["results"][0]
    page = open_page(served.url, f"#{sent['id']}")
    if key:
        page.locator("#key").fill(key)
        page.get_by_role("button", name="Use it").click()
    verdict(page, "NG")
    until(page, LARGE)
    assert "small copy" not in page.locator("#caption").inner_text()
    with page.expect_download() as saved:
        page.locator("#facts").get_by_role("button", name="Save").click()
    assert saved.value.suggested_filename == f"{sent['id']}.png"
    assert Path(saved.value.path()).read_bytes() == large


def test_a_picture_that_was_not_kept_is_told(start: Any, open_page: Open, tmp_path: Path) -> None:
    served = start(pictures=KeepPictures(Choice(True), tmp_path / "kept", free=1 << 62))
    sent = served.detect(BAD).json()["results"][0]
    page = open_page(served.url, f"#{sent['id']}")
    verdict(page, "NG")
    assert "not kept: less than" in page.locator("#facts").inner_text()
    until(page, "document.querySelector('#health').textContent.includes('pictures are not kept')")
    assert "only a small copy is kept" in page.locator("#caption").inner_text()


def test_a_kept_picture_that_is_gone_is_told(start: Any, open_page: Open, tmp_path: Path) -> None:
    served = start(pictures=KeepPictures(Choice(True), tmp_path / "kept", free=0))
    sent = served.detect(BAD).json()["results"][0]
    for file in (tmp_path / "kept").rglob("*.png"):
        file.unlink()
    page = open_page(served.url, f"#{sent['id']}")
    verdict(page, "NG")
    assert "a small copy is shown" in page.locator("#caption").inner_text()
    page.locator("#facts").get_by_role("button", name="Save").click()
    until(page, "document.querySelector('#alert').textContent.includes('is not where pictures are kept')")
