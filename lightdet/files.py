"""Files written whole or not at all: a temporary file beside the target, synced, then renamed over it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from lightdet.errors import UserError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows: there each writer uses its own name
    fcntl = None


_WINDOWS = os.name == "nt"
_DEVICES = frozenset({"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}) | {
    f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³"
}
"""https://learn.microsoft.com/windows/win32/fileio/naming-a-file"""
_NO_NAME = frozenset('<>:"|?*') | {chr(code) for code in range(32)}
_NO_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}
"""Errors of file systems that cannot sync a file or a folder (network shares, FUSE); any other error is a failure."""
_LONGEST = 200
"""Names up to this many bytes are used in full in the names of temporary files."""
_WAITS = (0.05, 0.1, 0.2, 0.4) if os.name == "nt" else ()
"""Seconds between attempts to replace a file: on Windows, programs that read it (mostly virus scanners) block it."""
LOST = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENODEV}
"""The system's errors for a drive or a network share that is gone."""


def check_names(path: Path) -> None:
    """On Windows, refuse paths that would be written elsewhere or under another name.

    Raises:
        UserError: a part of `path` is a device (what is written to ``nul.json`` is lost, to ``con`` shown), holds a
            character that no name can have (``a:b`` is a hidden stream of ``a``), or ends in a dot or space.
    """
    if not _WINDOWS:
        return
    for part in path.parts[1:] if path.anchor else path.parts:
        if part.partition(".")[0].rstrip(" ").upper() in _DEVICES:
            raise UserError(f"'{part}' is the name of a device on Windows; choose another", path=path)
        if part not in (".", "..") and (set(part) & _NO_NAME or part[-1] in ". "):
            raise UserError(f"'{part}' is not a valid name on Windows; choose another", path=path)


@contextmanager
def atomic_path(path: str | Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the target's folder; on success it is synced and renamed to `path`.

    A process killed at any moment leaves the old file or the new one, never a part. Without `sync` this does
    not cover a power failure: for many small files that can be made again.

    Raises:
        UserError: the folder cannot be made or written.
    """
    target = Path(path)
    check_names(target)
    make_folder(target.parent)
    try:
        temporary, handle = _temporary(target)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", path=target) from None
    renamed = False
    try:
        yield temporary
        if sync:
            _sync(temporary)
        with suppress(OSError):  # file systems without permissions (CIFS, exFAT, many FUSE mounts) may refuse
            temporary.chmod(0o666 & ~_umask())
        _replace(temporary, target)
        renamed = True
        if sync:
            _sync(target.parent)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror or error}", path=target) from None
    finally:
        if not renamed:  # otherwise the name may be another writer's by now
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it is renamed to `path`, otherwise it is deleted.

    Raises:
        UserError: there is something already, other than an empty folder, or the folder cannot be made or written.
    """
    target = Path(path)
    refuse_filled(target)
    make_folder(target.absolute().parent)
    temporary = target.absolute().parent / f".{_short(target.absolute().name)}.{os.getpid()}.lightdet.tmp"
    try:
        temporary.mkdir()
        yield temporary
        if target.exists():
            target.rmdir()
        temporary.rename(target)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror or error}", path=target) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def refuse_filled(folder: Path) -> None:
    """Refuse a folder for results in which something is.

    Raises:
        UserError: it is not empty, or a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError("is a file; name a new folder", path=folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError("the folder is not empty; name a new one", path=folder)


def remove_leftover(path: str | Path) -> None:
    """Delete the remains of a killed process that was writing `path`, if any; never what a living one is writing."""
    leftover = _temporary_name(Path(path))
    if fcntl is None or not leftover.is_file():
        return
    handle = _claim(leftover)
    if handle is not None:
        with suppress(OSError):
            leftover.unlink()
        os.close(handle)


def remove_file(path: Path) -> None:
    """Delete a file, if it is there; a power failure does not bring it back.

    Raises:
        UserError: it cannot be deleted.
    """
    try:
        path.unlink()
        _sync(path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"cannot be deleted: {error.strerror or error}", path=path) from None


def write_bytes(path: str | Path, data: bytes, *, sync: bool = True) -> None:
    """Write `data` to `path`, whole or not at all (`sync` as in `atomic_path`)."""
    with atomic_path(path, sync=sync) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 `text` to `path`, whole or not at all.

    What cannot be encoded in UTF-8 (a file name that is not UTF-8) is written as in JSON: ``\\udcfc``.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON (no NaN: a metric that has no value is null), whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def with_home(text: str | Path) -> Path:
    """A path with ``~`` expanded, if it stands for a home folder."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def run_name(model: Path) -> str:
    """A model's name: its file's stem; for ``best`` and ``last``, which every training writes, its folder's name."""
    folder = model.absolute().parent.name
    return folder if model.stem.lower() in ("best", "last") and folder else model.stem


def make_folder(path: str | Path, *, exist_ok: bool = True) -> Path:
    """Create a folder with its parents, and remember them for `remove_empty_folders`.

    Raises:
        UserError: that cannot be done.
        FileExistsError: it exists already, without `exist_ok`.
    """
    folder = Path(path)
    check_names(folder)
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        if not exist_ok:
            raise
        raise UserError(
            "the folder cannot be made: there is a file with this name; choose another", path=folder
        ) from None
    except OSError as error:
        raise UserError(f"the folder cannot be made: {error.strerror}", path=folder) from None
    _made.extend(each.absolute() for each in missing)
    return folder


def check_writable(folder: Path) -> Path:
    """Make `folder`, check that a file can be written in it, and return it.

    Raises:
        UserError: it cannot.
    """
    make_folder(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise UserError(f"nothing can be written in this folder: {error.strerror}", path=folder) from None


_made: list[Path] = []
"""The folders that this process has made."""


def remove_empty_folders() -> None:
    """Delete the folders made by `make_folder` that are still empty: a failed command leaves none behind."""
    for folder in sorted(set(_made), key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):
            folder.rmdir()
    _made.clear()


def _temporary_name(target: Path) -> Path:
    return target.with_name(f".{_short(target.name)}.lightdet.tmp")


def _short(name: str) -> str:
    """A name that leaves room for prefix and suffix: systems allow 255 bytes."""
    data = os.fsencode(name)
    return name if len(data) <= _LONGEST else hashlib.sha256(data).hexdigest()[:32]


def _temporary(target: Path) -> tuple[Path, int | None]:
    """An empty file beside `target`, and the open file that marks it as in use.

    It always has the same name, so that the remains of a killed process are overwritten and do not pile up; the
    system frees the lock of a dead process. If another writer holds it, a unique name is used.
    """
    temporary = _temporary_name(target)
    handle = _claim(temporary)
    if handle is not None:
        return temporary, handle
    own, name = tempfile.mkstemp(prefix=f".{_short(target.name)}.", suffix=".tmp", dir=target.parent)
    os.close(own)
    return Path(name), None


def _claim(temporary: Path) -> int | None:
    """Open and lock `temporary`, emptied; None if that fails or another writer has it."""
    if fcntl is None:
        return None
    try:
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its writer may have renamed it between our opening and locking it.
        if os.path.samestat(os.fstat(handle), os.lstat(temporary)):
            os.ftruncate(handle, 0)
            return handle
    except BlockingIOError:
        pass
    except OSError:  # a file system without locks: nobody uses this name there
        with suppress(OSError):
            temporary.unlink()
    os.close(handle)
    return None


def _replace(temporary: Path, target: Path) -> None:
    for wait in _WAITS:
        try:
            temporary.replace(target)
            return
        except PermissionError:
            time.sleep(wait)
    temporary.replace(target)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _sync(path: Path) -> None:
    # Windows cannot open a folder for syncing; the rename itself is durable enough there.
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
