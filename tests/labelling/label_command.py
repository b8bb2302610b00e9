"""``lightdet label`` as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx


@contextmanager
def command(folder: Path, told: Path, *more: str, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run it until the end of the block; gives the process and its URL, once it answers."""
    told.unlink(missing_ok=True)
    words = [sys.executable, "-m", "lightdet", "label", str(folder), "--port", str(port), "--json", str(told), *more]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        deadline = time.monotonic() + 60
        while not told.is_file():
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
            time.sleep(0.05)
        url = json.loads(told.read_text())["url"]
        while True:
            try:
                httpx.get(f"{url.partition('?')[0]}api/folder")
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield process, url
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def picture_at(url: str, number: int, **given: Any) -> str:
    """The address of a picture, by its number in the list; `given`: what the server asks for, such as a key."""
    told = httpx.get(f"{url}api/folder", **given).json()
    return f"{url}api/pictures/{told['pictures'][number]['id']}"
