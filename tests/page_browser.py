"""A real browser for the tests of pages: how it is opened, waited for, and looked at by axe-core."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]
"""Opens a page of a service: ``open_page(url, path, **options of the browser's context)``."""


def chromium() -> str | None:
    """Debian's Chromium, or what ``CHROMIUM`` names."""
    names = [os.environ.get("CHROMIUM"), "/usr/bin/chromium", shutil.which("chromium-browser"), shutil.which("chrome")]
    return next((name for name in names if name and Path(name).is_file()), None)


def until(page: Any, condition: str) -> None:
    """Wait for a JavaScript condition (Playwright's own waiting needs eval, which the page's policy forbids)."""
    deadline = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(30)


def becomes(page: Any, read: Callable[[], Any], expected: Any) -> None:
    """Wait until what `read` sees equals `expected`: a busy machine answers a page late."""
    deadline = time.monotonic() + 20
    while (seen := read()) != expected:
        assert time.monotonic() < deadline, (seen, expected)
        page.wait_for_timeout(30)


def axe_findings(page: Any, axe: str) -> list[str]:
    """What axe-core finds in the state that the page is in, of any impact."""
    page.evaluate(f"{axe}\n;0")
    found = page.evaluate("axe.run()")["violations"]
    return [f"{each['id']} ({each['impact']}): {[node['html'][:120] for node in each['nodes']]}" for each in found]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")
    path = chromium()
    if path is None:
        pytest.skip("no Chromium here: apt install chromium, or name one in CHROMIUM")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
        )
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Open the page; at the end nothing may have been loaded from elsewhere, and no script may have failed."""
    contexts: list[Any] = []
    failures: list[str] = []

    def listen(message: Any) -> None:
        # Refused requests are logged by the browser, too; the page tells of them itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            failures.append(message.text)

    def begin(url: str, path: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"} | options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("request", lambda request: None if _own(request.url, url) else failures.append(request.url))
        page.goto(f"{url}/{path}")
        return page

    yield begin
    for context in contexts:
        context.close()
    assert failures == []


def _own(address: str, url: str) -> bool:
    return address.startswith((f"{url}/", "blob:", "data:"))


@pytest.fixture(scope="module")
def axe() -> str:
    """axe-core's script, from a package for tests alone."""
    package = pytest.importorskip("axe_playwright_python.base", reason="the page is tested with axe-core")
    return str(package.AXE_SCRIPT)
