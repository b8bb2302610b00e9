"""The links of an audit's page, clicked in a browser: each opens its picture on the labelling page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from doubted_set import doubted_set

from lightdet.cli.app import main
from lightdet.data.audit import label_doubts_page
from lightdet.options.label import LabelOptions


def test_a_link_opens_the_doubted_picture(
    start: Callable[..., Any], browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"http://127.0.0.1:{LabelOptions('.').port}/" == label_doubts_page.LABEL_PAGE  # the usual address
    folder = doubted_set(tmp_path)
    served = start(folder / "data.yaml")
    monkeypatch.setattr(label_doubts_page, "LABEL_PAGE", f"{served.url}/")
    given = ["--data", str(folder / "data.yaml"), "--weights", str(folder / "cv")]
    assert main(["data", "audit", *given, "--output", str(tmp_path / "audit.html")]) == 0
    context = browser.new_context()
    page = context.new_page()
    page.goto((tmp_path / "audit.html").as_uri())
    with page.expect_popup() as opened:
        page.locator(".doubts a").first.click()
    label = opened.value
    label.locator("#name", has_text="images/p 3.png").wait_for()
    label.locator(".a9s-annotation").first.wait_for()
    assert label.evaluate("document.querySelector('#picture').alt") == "images/p 3.png"
    label.reload()  # the address leads there, too
    label.locator("#name", has_text="images/p 3.png").wait_for()
    context.close()
