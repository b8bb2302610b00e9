"""Results to a URL: written to a temporary folder first, then sent file by file, each whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from lightdet.addresses import STORES
from lightdet.errors import UserError
from lightdet.storage.filesystem import explained, filesystem
from lightdet.storage.urls import as_url, local_path, scheme_of

TOGETHER = 16
"""Files that are sent at the same time."""


def output_url(value: str | Path | None) -> str | None:
    """The URL of a folder in a store that results go to; None for a path.

    Raises:
        UserError: a URL that nothing can be written to.
    """
    url = None if value is None else as_url(value)
    if url is None or scheme_of(url) == "file":
        return None
    if scheme_of(url) not in STORES:
        raise UserError(f"cannot be written; results go to a folder, or to {', '.join(STORES)}", path=url)
    return url.rstrip("/")


def local_output(value: str | Path) -> Path:
    """A path for results; ``file://`` is one.

    Raises:
        UserError: a URL, where only a folder of this computer will do.
    """
    if output_url(value) is not None:
        raise UserError("only 'lightdet detect' writes to a URL; give a folder of this computer", path=as_url(value))
    return local_path(value) or Path(value)


def check_free_url(url: str, *, overwrite: bool) -> None:
    """Refuse a folder in which nothing can be written, or (without `overwrite`) that is not empty.

    Raises:
        UserError: which of the two.
    """
    system, path = filesystem(url)
    with explained(url, "written"):
        try:
            there = next(iter(system.ls(path, detail=False)), None)
        except FileNotFoundError:
            there = None
        if there is not None and not overwrite:
            raise UserError("is not empty; add --overwrite to replace results in it, or give another", path=url)
        probe = f"{path}/.lightdet-probe"
        system.pipe_file(probe, b"-")
        system.rm_file(probe)


@contextmanager
def sent_to(url: str) -> Iterator[Path]:
    """Yield a temporary folder, and send what is in it to `url` at the end, also after an error: what was done is kept.

    Raises:
        UserError: a file cannot be sent; all of them stay in the folder then, and the message names it.
    """
    folder = Path(tempfile.mkdtemp(prefix="lightdet-"))
    try:
        yield folder
    except BaseException as error:
        _send_or_keep(folder, url, f"{error}; besides, " if isinstance(error, UserError) else "")
        raise
    _send_or_keep(folder, url)


def _send_or_keep(folder: Path, url: str, before: str = "") -> None:
    try:
        _send(folder, url)
    except UserError as error:
        raise UserError(f"{before}{error}; all results are in {folder}: send them from there") from None
    shutil.rmtree(folder, ignore_errors=True)


def _send(folder: Path, url: str) -> None:
    """Send all files; those beside no other folder last, so that a summary appears when all it tells of is there."""
    system, path = filesystem(url)
    files = [each for each in sorted(folder.rglob("*")) if each.is_file()]

    def send(file: Path) -> None:
        below = file.relative_to(folder).as_posix()
        with explained(f"{url}/{below}", "written"):
            system.put_file(str(file), f"{path}/{below}")

    tables = [file for file in files if file.parent == folder and file.suffix in (".json", ".csv")]
    with ThreadPoolExecutor(TOGETHER) as pool:
        for group in ([file for file in files if file not in set(tables)], tables):
            list(pool.map(send, group))
