"""The page in a real browser: how it is opened, dropped on, waited for."""

from __future__ import annotations

import base64
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from colors import paint

RED, GREEN, WEAK_BLUE = (0, 200, 10, 20, 50, 60), (1, 120, 100, 30, 180, 50), (2, 40, 120, 100, 160, 180)
BAD, GOOD = paint(RED, GREEN, WEAK_BLUE), paint()
BROKEN = BAD[:80]

Open = Callable[..., Any]
"""Opens a page of a service: ``open_page(url, path, **options of the browser's context)``."""


def chromium() -> str | None:
    """Debian's Chromium, or what ``CHROMIUM`` names."""
    names = [os.environ.get("CHROMIUM"), "/usr/bin/chromium", shutil.which("chromium-browser"), shutil.which("chrome")]
    return next((name for name in names if name and Path(name).is_file()), None)


def drop(page: Any, *files: tuple[str, bytes, str]) -> None:
    """Drop files on the page as from a folder."""
    given = [[name, base64.b64encode(data).decode(), kind] for name, data, kind in files]
    transfer = page.evaluate_handle(
        """files => { const transfer = new DataTransfer();
        for (const [name, data, type] of files) {
          const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
          transfer.items.add(new File([bytes], name, { type })); }
        return transfer; }""",
        given,
    )
    for kind in ("dragenter", "dragover", "drop"):
        page.dispatch_event("#drop", kind, {"dataTransfer": transfer})


def until(page: Any, condition: str) -> None:
    """Wait for a JavaScript condition (Playwright's own waiting needs eval, which the page's policy forbids)."""
    deadline = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(30)


def verdict(page: Any, word: str) -> str:
    page.locator("#verdict-word", has_text=re.compile(f"^{word}$")).wait_for()
    why: str = page.locator("#verdict-why").inner_text()
    return why


def set_slider(page: Any, value: float) -> None:
    page.locator("#threshold").fill(str(value))


def axe_findings(page: Any, axe: str) -> list[str]:
    """What axe-core finds in the state that the page is in, of any impact."""
    page.evaluate(f"{axe}\n;0")
    found = page.evaluate("axe.run()")["violations"]
    return [f"{each['id']} ({each['impact']}): {[node['html'][:120] for node in each['nodes']]}" for each in found]
