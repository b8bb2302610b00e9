"""Files by URL kept on this computer: whole ones, by what the server says of their content, within a limit of space."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightdet.addresses import shown_address
from lightdet.errors import UserError
from lightdet.files import atomic_path, make_folder, with_home, write_text
from lightdet.storage.filesystem import explained, filesystem, mark
from lightdet.storage.stored_file import CHUNK, open_url, too_large
from lightdet.storage.urls import as_url, file_part, local_path, place_of

FOLDER_VARIABLE, SPACE_VARIABLE = "LIGHTDET_CACHE", "LIGHTDET_CACHE_GB"
USUAL_SPACE_GB = 50.0
MAX_FILE_BYTES = 16 << 30
UNUSED_SECONDS = 24 * 3600
"""What was used later than this is never removed: another process may be reading it."""
NOTED_EVERY = 3600.0
"""Seconds after which a process says again which copies it uses: a training of days may read them to its end."""
_used: set[Path] = set()
_ADDRESS = ".address"
"""In the folder of each copy: where it came from, without secrets."""


def kept_folder() -> Path:
    """The folder of kept files: of the environment, or the user's."""
    given = os.environ.get(FOLDER_VARIABLE)
    usual = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return with_home(given) if given else with_home(usual) / "lightdet"


def kept_space() -> int:
    """The bytes that kept files may take.

    Raises:
        UserError: the environment's number is none.
    """
    text = os.environ.get(SPACE_VARIABLE, "")
    try:
        return int(float(text or USUAL_SPACE_GB) * 1e9)
    except (ValueError, OverflowError):
        raise UserError(f"{SPACE_VARIABLE} should be a number of gigabytes (given: {text[:40]!r})") from None


def local_file(value: str | Path) -> Path:
    """The file itself, or for a URL a copy that is as the server says the file is now; of ``.xml`` with its ``.bin``.

    Raises:
        UserError: it cannot be read, is too large, or in an archive.
    """
    url = as_url(value)
    if url is None:
        return Path(value)
    if (path := local_path(value)) is not None:
        return path
    if place_of(url).members is not None:
        raise UserError("is in an archive; unpack it, and give the file", path=url)
    urls = [url]
    if file_part(url).lower().endswith(".xml"):  # OpenVINO keeps its weights beside it
        urls.append(f"{file_part(url)[:-4]}.bin{url[len(file_part(url)) :]}")
    facts = [fact for each in urls if (fact := facts_of(each, needed=each == url)) is not None]
    folder = kept_folder() / "files" / named(file_part(url), [url, *(mark(fact) for fact in facts)])
    for each, fact in zip(urls, facts, strict=False):
        target = folder / file_part(each).rpartition("/")[2]
        if mark(fact) is None or not target.is_file() or fact.get("size") not in (None, target.stat().st_size):
            make_room(fact.get("size") or 0, folder)
            _download(each, target, fact.get("size"))
    note_address(folder, url)
    note_used(folder)
    return folder / file_part(url).rpartition("/")[2]


def note_used(folder: Path) -> None:
    """Say that this process uses a copy, now and until it ends, so that none removes it to make room."""
    first = not _used
    _used.add(folder)
    _touch(folder)
    if first:
        threading.Thread(target=_touch_all, name="lightdet-copies", daemon=True).start()


def _touch_all() -> None:
    while True:
        time.sleep(NOTED_EVERY)
        for folder in tuple(_used):
            _touch(folder)


def _touch(folder: Path) -> None:
    with suppress(OSError):
        os.utime(folder)


def note_address(folder: Path, text: str) -> None:
    """Say in the folder of a copy where it came from, for `shown_path`."""
    if not (folder / _ADDRESS).is_file():
        write_text(folder / _ADDRESS, shown_address(text))


def shown_path(path: str | Path) -> str:
    """A path as results name it: a kept copy's by the address that was given, without secrets, any other as it is."""
    kept, absolute = kept_folder().absolute(), Path(path).absolute()
    if not absolute.is_relative_to(kept) or len(parts := absolute.relative_to(kept).parts) < 3:
        return str(path)
    kind, copy, _, *below = parts
    try:
        address = (kept / kind / copy / _ADDRESS).read_text("utf-8")
    except OSError:  # of an earlier version
        return str(path)
    return "/".join([address, *below])


def needs_output(model: Path, output: str | Path | None) -> None:
    """Refuse to write beside a kept copy, or over it: nobody would look for it there.

    Raises:
        UserError: there is no `output`, and `model` is a kept copy.
    """
    if output is None and model.absolute().is_relative_to(kept_folder().absolute()):
        raise UserError("the model is stored by URL: say with --output where the file goes", path=model.name)


def named(path: str, parts: list[Any]) -> str:
    """A folder's name: the end of a path for people, and a hash of what makes the content."""
    plain = re.sub(r"[^\w.-]+", "_", path.rstrip("/").rpartition("/")[2])[-60:].lstrip(".")
    return f"{plain}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]}"


def make_room(needed: int, *keep: Path) -> int:
    """Remove what was unused for longest, until `needed` bytes more are within the limit; never `keep`.

    Returns:
        How many bytes may be written then: `needed` or more.

    Raises:
        UserError: that is not enough.
    """
    limit, sizes = kept_space(), {}
    for folder in _entries():
        with suppress(OSError):
            sizes[folder] = (folder.stat().st_mtime, sum(sizes_in(folder)))
    total = needed + sum(size for _, size in sizes.values())
    for folder, (used, _) in sorted(sizes.items(), key=lambda entry: entry[1]):
        if total <= limit:
            break
        if folder not in keep and time.time() - used > UNUSED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
            total = needed + sum(sum(sizes_in(each)) for each in _entries())  # linked files take their space still
    if total > limit:
        raise UserError(
            f"kept copies would take {total / 1e9:.3g} GB, and {limit / 1e9:.3g} GB are allowed: set {SPACE_VARIABLE} "
            "higher, or delete old ones",
            path=kept_folder(),
        )
    return int(limit - total) + needed


def _entries() -> Iterator[Path]:
    for kind in ("files", "sets"):
        with suppress(OSError):
            yield from [entry for entry in (kept_folder() / kind).iterdir() if entry.is_dir()]


def sizes_in(folder: Path) -> Iterator[float]:
    """The bytes of each file below a folder; of one with several hard links, its share."""
    for here, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                status = os.lstat(Path(here, name))
                yield status.st_size / max(1, status.st_nlink)


def facts_of(url: str, *, needed: bool = True) -> dict[str, Any] | None:
    """What a store says of a file; None if there is none that is `needed`."""
    system, path = filesystem(url)
    try:
        with explained(url):
            found: dict[str, Any] = system.info(path)
    except UserError:
        if needed:
            raise
        return None
    if found.get("type") == "directory":
        raise UserError("is a folder; give the file in it", path=url)
    return found


def _download(url: str, target: Path, size: int | None) -> None:
    if (size or 0) > MAX_FILE_BYTES:
        raise too_large(url, MAX_FILE_BYTES)
    make_folder(target.parent)
    with atomic_path(target, sync=False) as temporary, temporary.open("wb") as file:
        with explained(url), open_url(url, whole=True) as stream:
            while part := stream.read(CHUNK):
                file.write(part)
                if file.tell() > MAX_FILE_BYTES:
                    raise too_large(url, MAX_FILE_BYTES)
        if size is not None and file.tell() != size:
            raise UserError(f"gave {file.tell()} bytes instead of {size}; try again", path=url)
