"""Where a path in a YAML, a list, a JSON or a CSV file leads: one way to resolve them all.

A path is first taken as written, below every folder that it may be relative to; ``\\`` is read as ``/``, as
Windows writes it. Only where that leads nowhere, what another computer or a tool put in front is left out:
``C:\\Users\\me\\set\\images\\a.jpg``, ``/content/set/images/a.jpg``, ``data/obj_train_data/a.jpg`` and ``../a.jpg``
are looked for by their ends, as long as one folder of the path is left to tell the file from others of its name.
What fits two different files is refused, never chosen.
"""

from __future__ import annotations

import errno
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from lightdet.errors import UserError
from lightdet.files import with_home

_DRIVE = re.compile(r"\A[A-Za-z]:(?=[\\/])")


def counting_order(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Return a key that sorts paths as people count, ``part2`` before ``part10``; files of one folder come together."""
    text = "/".join(path.parts)
    pieces = re.split(r"([0-9]+)", text.casefold())
    return [(0, int(piece), "") if index % 2 else (1, 0, piece) for index, piece in enumerate(pieces)], text


def find_file(text: str, bases: Iterable[Path]) -> Path | None:
    """The file that `text` names below one of `bases`; None if there is none.

    Raises:
        UserError: it may be either of two different files.
    """
    try:
        exact, moved = _ways(text, list(bases))
        return _only(text, exact, _as_file) or _only(text, moved, _as_file)
    except (OSError, ValueError):  # a name that is too long, or contains a zero byte
        return None


class FileFinder:
    """`find_file` below the same folders for thousands of paths, each of which is tried in many places.

    The possible places of a path's folder are worked out once per folder, and their content is listed once.
    """

    def __init__(self, bases: Iterable[Path]) -> None:
        self.bases = list(bases)
        self._places: dict[str, tuple[list[Path], list[Path]]] = {}
        self._names: dict[Path, frozenset[str] | None] = {}

    def find(self, text: str) -> Path | None:
        """The file that `text` names; None if there is none. Raises what `find_file` raises."""
        names = [spelled.rpartition("/") for spelled in _spellings(text)]
        if any(name in ("", ".", "..") for *_, name in names):
            return find_file(text, self.bases)
        try:
            places = [(*self._folders(folder + slash), name) for folder, slash, name in names]
            exact = [path for folders, _, name in places for path in self._named(folders, name)]
            return _only(text, exact, _as_file) or _only(text, self._named(*places[-1][1:]), _as_file)
        except (OSError, ValueError):
            return None

    def _named(self, folders: Sequence[Path], name: str) -> list[Path]:
        """What may be called `name` in `folders`, by their listings."""
        wanted = _any_case(name)
        held = [(folder, self._names[folder]) for folder in folders]
        return [folder / name for folder, names in held if names is None or wanted in names]

    def _folders(self, front: str) -> tuple[list[Path], list[Path]]:
        """The folders that `front`, the path in front of a name, may mean: as written, and by its end."""
        if front not in self._places:
            ways = _ways(f"{front}name", self.bases)
            exact, moved = ([*dict.fromkeys(path.parent for path in way)] for way in ways)
            for folder in (*exact, *moved):
                if folder not in self._names:
                    self._names[folder] = _names_in(folder)
            self._places[front] = exact, moved
        return self._places[front]


def _names_in(folder: Path) -> frozenset[str] | None:
    """The content of `folder`, as `_any_case` writes it; None if it cannot be listed."""
    try:
        return frozenset(_any_case(name) for name in os.listdir(folder))  # noqa: PTH208 - 5 x faster
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except (OSError, ValueError):
        return None


def _any_case(name: str) -> str:
    """The same for all names that a file system may treat as one: in other case, in another Unicode form."""
    return name.lower() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def _ways(text: str, bases: Sequence[Path]) -> tuple[list[Path], Iterator[Path]]:
    """Where the file that `text` names may be: as written; only if it is not there, by its end."""
    return [base / spelled for base in bases for spelled in _spellings(text)], _moved(text, bases)


def find_folder(text: str, root: Path) -> Path:
    """The folder of pictures or labels that a YAML calls `text`, relative to `root`; ``root / text`` if there is none.

    Exports write ``../train/images`` for a folder beside their YAML, or the path on the computer that
    made them (``/content/set/train/images``): the end of such a path is looked for below `root`. At least two named
    folders are kept, so that no split is mistaken for another.

    Raises:
        UserError: it may be either of two different folders.
    """
    written = root / with_home(text)
    parts = _named(text)
    if _as_folder(written):
        beside = [root.joinpath(*parts)] if text.replace("\\", "/").startswith("../") and parts else []
        return _only(text, [written, *beside], _as_folder) or written
    if not _from_elsewhere(text) or "\\" in text or not parts:
        return written
    starts = range(1 if text.startswith("..") else len(parts) - 1)
    return _only(text, [root.joinpath(*parts[start:]) for start in starts], _as_folder) or written


def first_file(candidates: Iterable[Path]) -> Path | None:
    """The first candidate that is a file, also under the other Unicode form of its name (macOS writes ä as a+¨)."""
    return next((found for path in candidates if (found := _as_file(path)) is not None), None)


def lookalike(text: str, bases: Sequence[Path]) -> str:
    """For the end of a message about a path that leads nowhere: a file with that name in one of the folders."""
    name = PurePosixPath(text.replace("\\", "/")).name
    try:
        found = first_file(base / name for base in bases) if name else None
    except (OSError, ValueError):
        found = None
    return f"; there is {found}: if that is meant, correct the path" if found else ""


def near_folder(folder: Path, root: Path | None = None) -> str:
    """Name a folder beside the missing one that differs only in upper and lower case, or say what there is.

    For the end of a message; empty if there is nothing to say. `root` is searched if even the parent folder does not
    exist.
    """
    if "\\" in folder.name:
        return "; write / instead of \\ in the YAML"
    if not _as_folder(folder.parent):
        beside = root / folder.name if root is not None else None
        return f"; there is {beside}: if that is meant, write it" if beside is not None and _as_folder(beside) else ""
    names = sorted(entry.name for entry in folder.parent.iterdir() if entry.is_dir() and entry.name[0] != ".")
    alike = [name for name in names if name.lower() == folder.name.lower()]
    if alike:
        return f"; did you mean '{alike[0]}'?"
    return f"; {folder.parent} holds {', '.join(names[:8])}" if names else ""


def refuse_two(text: str, candidates: Iterable[Path]) -> None:
    """Raise a UserError if more than one of `candidates` exists and they are not the same."""
    _only(text, candidates, lambda path: path if path.exists() else None)


def _spellings(text: str) -> list[str]:
    """`text` as written, if a file may be called that, and last with ``/`` for ``\\``."""
    plain = text.replace("\\", "/")
    return [text, plain] if plain != text and os.sep == "/" else [plain]


def _from_elsewhere(text: str) -> bool:
    return text.startswith(("/", "\\", "..")) or _DRIVE.match(text) is not None


def _named(text: str) -> tuple[str, ...]:
    """The parts of a path without drive, root and leading dots."""
    parts = [part for part in PurePosixPath(_DRIVE.sub("", text, count=1).replace("\\", "/")).parts if part != "/"]
    while parts and parts[0] in ("..", ".", "//"):
        parts.pop(0)
    return tuple(parts)


def _moved(text: str, bases: Sequence[Path]) -> Iterator[Path]:
    """Where the end of a path may be: all of it, then less and less, with at least one named folder."""
    parts = _named(text)
    if not parts or ".." in parts:
        return
    climbs = text.replace("\\", "/").startswith("../")
    names = [Path(os.path.abspath(base)).name for base in bases]  # noqa: PTH100 - no links followed
    for start in range(max(len(parts) - 1, 1)):
        end = parts[start:]
        for base, name in zip(bases, names, strict=True):
            if len(end) > 1 or (climbs and start == 0):
                yield base.joinpath(*end)
            if len(end) > 1 and end[0] == name:
                yield base.joinpath(*end[1:])


def _only(text: str, candidates: Iterable[Path], there: Callable[[Path], Path | None]) -> Path | None:
    """The one candidate that exists; a UserError if there are several that differ."""
    found: list[Path] = []
    for path in dict.fromkeys(candidates):
        existing = there(path)
        if existing is not None and not any(existing.samefile(other) for other in found):
            found.append(existing)
    if len(found) > 1:
        raise UserError(f"'{text}' could be {found[0]} or {found[1]}; write the path of the one you mean")
    return found[0] if found else None


def _as_file(path: Path) -> Path | None:
    if path.is_file():
        return path
    if not path.name.isascii():
        for form in ("NFC", "NFD"):
            other = path.with_name(unicodedata.normalize(form, path.name))
            if other.is_file():
                return other
    return None


def _as_folder(path: Path) -> Path | None:
    try:
        return path if path.is_dir() else None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # nothing can be called that
            return None
        raise


def below_root(path: Path, root: Path) -> str:
    """A picture's path below its data set's folder, with ``/``; the whole path if it lies elsewhere.

    The same for the same file, from whatever working folder it is named; no links are followed.
    """
    here = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links out of the root
    above = Path(os.path.abspath(root))  # noqa: PTH100
    return here.relative_to(above).as_posix() if here.is_relative_to(above) else here.as_posix()


def path_from(folder: Path, path: Path) -> str:
    """The path from `folder` to `path`, with ``/``; the whole path if there is none: on Windows, from another drive."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return Path(os.path.abspath(path)).as_posix()  # noqa: PTH100 - no links followed
