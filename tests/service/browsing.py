"""The page in a real browser: how it is opened, dropped on, waited for."""

from __future__ import annotations

import base64
import re
from typing import Any

from colors import paint

RED, GREEN, WEAK_BLUE = (0, 200, 10, 20, 50, 60), (1, 120, 100, 30, 180, 50), (2, 40, 120, 100, 160, 180)
BAD, GOOD = paint(RED, GREEN, WEAK_BLUE), paint()
BROKEN = BAD[:80]


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


def verdict(page: Any, word: str) -> str:
    page.locator("#verdict-word", has_text=re.compile(f"^{word}$")).wait_for()
    why: str = page.locator("#verdict-why").inner_text()
    return why


def set_slider(page: Any, value: float) -> None:
    page.locator("#threshold").fill(str(value))
