"""What to say about what is missing: a path that leads nowhere, or a package of one of our extras."""

from __future__ import annotations

import difflib
import errno
import itertools
import os
import stat
from contextlib import suppress
from pathlib import Path

from lightdet.errors import UserError
from lightdet.files import LOST

DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
"""The system's errors for what this account may not read or write."""
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR)
_YAML = (".yaml", ".yml")
_MOST_NAMES = 5000
"""So many names of a folder are compared; a folder of pictures can hold millions."""


def how_to_install(extra: str) -> str:
    """The command that installs an extra of the distribution that is there: never both in one place (docs/adr/0013)."""
    runtime = _extras_of("lightdet-runtime")
    if runtime is None or _extras_of("lightdet") is not None:
        return f"pip install 'lightdet[{extra}]'"
    if extra in runtime:
        return f"pip install 'lightdet-runtime[{extra}]'"
    return f"pip uninstall lightdet-runtime, then pip install 'lightdet[{extra}]'"


def _extras_of(distribution: str) -> list[str] | None:
    """The names of its extras; None: it is not installed."""
    from importlib.metadata import PackageNotFoundError, metadata  # noqa: PLC0415 - it takes 20 ms

    try:
        return metadata(distribution).get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return None


def require_file(path: str | Path, *, give: str = "the file in it", note: str = "") -> None:
    """Refuse a path that is no file.

    Args:
        path: what the user named.
        give: what to give instead, if it is a folder.
        note: ends the message, such as which key names the file.

    Raises:
        UserError: it is missing, a folder, something else than a file, or out of reach.
    """
    mode = require_there(path, note=note)
    if stat.S_ISDIR(mode):
        raise UserError(f"is a folder; give {give}{note}", path=path)
    if not stat.S_ISREG(mode):
        raise UserError(f"is not a file that can be read as a whole{note}", path=path)


def require_there(path: str | Path, what: str = "file", *, note: str = "") -> int:
    """Refuse a path at which there is nothing; return the mode of what there is. `what` was wanted, `note` as above.

    Raises:
        UserError: there is nothing, or it is out of reach.
    """
    try:
        return Path(path).stat().st_mode
    except (OSError, ValueError) as error:
        raise UserError(f"{why_missing(Path(path), error, what)}{note}", path=path) from None


def why_missing(path: Path, error: OSError | ValueError, what: str = "file") -> str:
    """Say why there is nothing at `path`, where looking there raised `error`; `what` was wanted."""
    if isinstance(error, ValueError):  # a zero byte
        return f"no {what} can have this name"
    if error.errno in _NOT_THERE:
        return f"no such {what}{near(path, folders='folder' in what)}"
    return of_the_system(error) or f"cannot be read: {error.strerror or error}"


def of_the_system(error: OSError) -> str | None:
    """What an error of the system means and what to do, if nothing but the user's computer can cause it."""
    if error.errno in DENIED:
        held = ", or close the program that holds it" if os.name == "nt" else ""
        return f"{_reason(error)}; give this account access to it{held}"
    if error.errno in LOST:
        return f"{error.strerror}; check that the drive or network share is connected, and start again"
    return "the name is longer than the system allows" if error.errno == errno.ENAMETOOLONG else None


def near(path: Path, *, folders: bool = False) -> str:
    """For the end of a message: that the folder of `path` is missing too, or a name in it that is much like its own.

    A file with the same ending is named first. With `folders`, folders are named too.
    """
    with suppress(OSError):
        if path.parent.exists() and not path.parent.is_dir():
            return f" ({path.parent} is no folder)"
        if not path.parent.is_dir():
            return f" (the folder {path.parent} does not exist either)"
        with os.scandir(path.parent) as entries:
            some = itertools.islice(entries, _MOST_NAMES)
            names = sorted(entry.name for entry in some if folders or not entry.is_dir())
        close = _like(path, names)
        return f"; did you mean {path.parent / close}?" if close else ""
    return ""


def _like(path: Path, names: list[str]) -> str | None:
    stems = {Path(name).stem: name for name in names if _ending(Path(name)) == _ending(path)}
    if close := difflib.get_close_matches(path.stem, stems, n=1):
        return stems[close[0]]
    compared = set(stems.values())
    others = [name for name in names if name not in compared]  # the ending alone would make the rest alike
    return next(iter(difflib.get_close_matches(path.name, others, n=1)), None)


def _ending(path: Path) -> str:
    suffix = path.suffix.lower()
    return _YAML[0] if suffix in _YAML else suffix


def _reason(error: OSError) -> str:
    return "the file system is read-only" if error.errno == errno.EROFS else "permission denied"
