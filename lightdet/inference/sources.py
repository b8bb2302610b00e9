"""The sources of a run: pictures, folders, globs, lists, videos, cameras and streams named on the command line.

What is stored by URL or in an archive is listed while the run goes (`lightdet.inference.stored_sources`), and so are
folders where the caller wants it (`lightdet.inference.folder_listing`).
"""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lightdet.addresses import may_hold_secret, shown_address, split_address
from lightdet.data.images import SUFFIXES as PICTURE_SUFFIXES
from lightdet.data.paths import counting_order, find_file
from lightdet.errors import UserError
from lightdet.inference.folder_listing import FolderListing, InFolder
from lightdet.inference.places import Placed, absolute, each_once, stem_of, with_stems
from lightdet.inference.source import VIDEO_SUFFIXES, Source, file_source, kind_of, printable
from lightdet.inference.stored_sources import NOT_HERE, TakenPlaces, is_stored, plain_place, stored_pictures
from lightdet.missing import require_there
from lightdet.storage.listing import Listing
from lightdet.storage.stored_file import StoredFile
from lightdet.storage.urls import local_path

MAX_LIST_BYTES = 64 << 20
NO_NAME = (
    "a source is neither a file nor the address of a stream (rtsp://user:password@host:port/path); "
    "it is not shown here because it may hold a password"
)
LAST_CAMERA = 2**31 - 1
"""OpenCV accepts no larger numbers."""


@dataclass
class Sources:
    """All sources, in order and each once.

    Attributes:
        items: those that are known before the run.
        listings: what is listed during the run: never are all of its names held.
        passed_over: files that are neither pictures nor videos; those of `listings` once they are listed.
    """

    items: list[Source] = field(default_factory=list)
    listings: list[Listing | FolderListing] = field(default_factory=list)
    passed_over: int = 0

    @property
    def total(self) -> int | None:
        """Their number, if it is known before the run."""
        counts = [each.count if isinstance(each, FolderListing) else None for each in self.listings]
        known = [count for count in counts if count is not None]
        return len(self.items) + sum(known) if len(known) == len(counts) else None

    def __iter__(self) -> Iterator[Source]:
        """Yield all sources, first `items`.

        Raises:
            UserError: a store, an archive or a folder cannot be read.
        """
        yield from self.items
        if self.listings:
            taken = TakenPlaces((item.stem, item.moves) for item in self.items)
            for listing in self.listings:
                for file in listing:
                    yield _in_folder(file, taken) if isinstance(file, InFolder) else _stored(file, taken)
                self.passed_over += listing.passed_over


def expand_sources(
    arguments: Sequence[str | Path],
    *,
    recursive: bool = False,
    exclude: Callable[[Path], bool] | None = None,
    stored: bool = False,
    held: bool = True,
) -> Sources:
    """Return every picture, video and stream that `arguments` name.

    An argument is a picture, a video, a folder (with sub-folders if `recursive`), a glob (``**`` for any depth),
    a ``.txt`` list (one path per line, from the list's folder or the current one; ``#`` begins a comment line), a
    camera's number, or a URL (RTSP, RTMP, HTTP, UDP, TCP). An existing file with that name has priority over any
    other meaning. Folders and globs are in natural order (``2`` before ``10``), without hidden files. With `stored`,
    also an archive and the URL of a stored picture, folder, glob or archive (docs/storage.md).

    Args:
        arguments: one or more.
        recursive: also search sub-folders.
        exclude: folders for which this is true are not entered (results of earlier runs).
        stored: the caller reads archives and stores.
        held: folders are listed now, and put into order; false: while the run goes, in no order.

    Raises:
        UserError: nothing found, an unreadable folder or list (with its line), a folder without pictures.
    """
    sources = Sources()
    arguments = [local_path(each) or each for each in arguments]
    found: list[Placed] = []
    folders = {absolute(Path(each)): Path(each) for each in arguments if _is_folder(each)}
    several = sum(map(_is_folder, arguments)) > 1
    _check_stored(arguments, stored)
    for argument in arguments:
        text = os.fspath(argument)
        path = Path(text)
        if not text:
            raise UserError("an empty source; give a picture, a folder, a video or a camera's number")
        if _is_folder(path):
            base = absolute(path).parent if several else absolute(path)
            if held:
                found += [Placed(s, base) for s in _folder(path, recursive, exclude, sources)]
            elif folders.pop(absolute(path), None):
                sources.listings += _listing(path, base, recursive, exclude, arguments)
        elif is_stored(text):
            sources.listings.append(stored_pictures(text, PICTURE_SUFFIXES | VIDEO_SUFFIXES, recursive=recursive))
        elif _exists(path):
            files = _list_file(path) if path.suffix.lower() == ".txt" else [file_source(path)]
            found += [Placed(s, None) for s in files]
        elif stream := _stream(text):
            found.append(Placed(stream, None))
        elif may_hold_secret(text):
            raise UserError(NO_NAME)
        elif glob.has_magic(text):
            found += [Placed(s, None) for s in _glob(text, exclude, sources)]
        else:
            require_there(path, "file or folder")
            raise UserError("no such file or folder", path=path)  # it appeared between the two looks
    sources.items = with_stems(each_once(found))
    return sources


def _check_stored(arguments: Sequence[str | Path], allowed: bool) -> None:
    """Refuse archives and addresses where only files will do, and addresses that results would name alike."""
    shown: dict[str, str] = {}
    for text in (os.fspath(each) for each in arguments):
        if not is_stored(text):
            continue
        if not allowed:
            raise UserError(f"is in an archive or by URL; {NOT_HERE}", path=text)
        if shown.setdefault(shown_address(text), text) != text:
            message = "is given twice, with other words behind its '?', which results do not name: run them apart"
            raise UserError(message, path=text)


def _stored(file: StoredFile, taken: TakenPlaces) -> Source:
    """A source for a file of a store or an archive."""
    name = printable(file.name)
    kind = kind_of(Path(file.place))
    return Source(kind, file, name, taken.free(plain_place(file.place), moves=kind != "picture"))


def _in_folder(file: InFolder, taken: TakenPlaces) -> Source:
    source = file_source(file.path)
    return replace(source, stem=taken.free(stem_of(source, file.base), moves=source.moves))


def _exists(path: str | Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - Path.exists fails on a name that is too long, such as some URLs


def _is_folder(path: str | Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - as above


def _folder(folder: Path, recursive: bool, exclude: Callable[[Path], bool] | None, sources: Sources) -> list[Source]:
    files, passed_over, deeper = [], 0, 0
    for path, depth in _walk(folder, exclude):
        if path.name.startswith(".") or path.suffix.lower() not in PICTURE_SUFFIXES | VIDEO_SUFFIXES:
            passed_over += depth == 0 or recursive
        elif depth == 0 or recursive:
            files.append(path)
        else:
            deeper += 1
    if not files:
        hint = f"; {deeper} in its sub-folders: add --recursive" if deeper else "; give another folder"
        raise UserError(f"holds no pictures or videos{hint}", path=folder)
    sources.passed_over += passed_over
    return [file_source(path) for path in sorted(files, key=counting_order)]


def _listing(
    folder: Path,
    base: Path,
    recursive: bool,
    exclude: Callable[[Path], bool] | None,
    arguments: Sequence[str | Path],
) -> list[FolderListing]:
    """The same, listed later: without what `arguments` name by itself, so that each picture comes once."""
    apart = {absolute(Path(each)) for each in arguments} - {absolute(folder)}
    out = lambda path: absolute(path) in apart or (exclude is not None and path.is_dir() and exclude(path))  # noqa: E731
    listing = FolderListing(folder, PICTURE_SUFFIXES | VIDEO_SUFFIXES, recursive=recursive, exclude=out, base=base)
    if not listing.count:
        _folder(folder, recursive, exclude, Sources())  # says why there are none
    return [listing] if listing.count else []


def _walk(folder: Path, exclude: Callable[[Path], bool] | None) -> Iterator[tuple[Path, int]]:
    """Yield every file below `folder` with its depth; links to folders are not followed (they may be circular)."""

    def refuse(error: OSError) -> None:
        raise UserError(f"the folder cannot be read: {error.strerror}", path=error.filename)

    for here, folders, files in os.walk(folder, onerror=refuse):
        depth = len(Path(here).relative_to(folder).parts)
        folders[:] = [f for f in folders if not f.startswith(".") and not (exclude and exclude(Path(here) / f))]
        for name in files:
            yield Path(here) / name, depth


def _glob(pattern: str, exclude: Callable[[Path], bool] | None, sources: Sources) -> list[Source]:
    matches = [Path(match) for match in glob.glob(pattern, recursive=True)]  # noqa: PTH207 - the pattern may be absolute
    fixed = len(list(itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts)))
    files = [m for m in matches if not m.is_dir() and not (exclude and any(map(exclude, _folders(m, fixed))))]
    known = [m for m in files if m.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES]
    if not known:
        what = "no file" if not files else "no picture or video"
        raise UserError(f"{what} matches '{printable(pattern)}'")
    sources.passed_over += len(files) - len(known)
    return [file_source(path) for path in sorted(known, key=counting_order)]


def _folders(path: Path, fixed: int) -> list[Path]:
    """The folders of `path` below its first `fixed` parts, which were given literally."""
    return [Path(*path.parts[:end]) for end in range(fixed + 1, len(path.parts))]


def _list_file(path: Path) -> list[Source]:
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise UserError(f"larger than {MAX_LIST_BYTES >> 20} MiB; is this a list of pictures?", path=path)
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError("not UTF-8 text; a list holds one path per line, saved as UTF-8", path=path) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", path=path) from None
    found = []
    for number, line in enumerate(lines, start=1):
        entry = line.strip()
        if entry and not entry.startswith("#"):
            try:
                target = find_file(entry, (path.parent, Path()))
            except UserError as error:
                raise UserError(error.message, path=path, line=number) from None
            if target is None and may_hold_secret(entry):
                raise UserError(
                    "is not a file; name a stream on the command line, not in a list", path=path, line=number
                )
            if target is None:
                message = f"no such picture or video: '{entry[:200]}' (paths are relative to the list's folder)"
                raise UserError(message, path=path, line=number)
            found.append(file_source(target))
    if not found:
        raise UserError("the list names no pictures; put one path on each line", path=path)
    return found


def _stream(text: str) -> Source | None:
    if text.isascii() and text.isdigit():
        if int(text) > LAST_CAMERA:
            raise UserError(f"there is no camera with number {text[:30]}; they are counted from 0")
        return Source("stream", int(text), f"camera {int(text)}", Path(f"camera-{int(text)}"))
    if "://" not in text:
        return None
    try:
        shown = split_address(text.strip())
    except ValueError as error:
        raise UserError(str(error)) from None
    place = re.sub(r"[^\w.-]+", "_", f"{shown.host}{shown.path}").strip("._")
    return Source("stream", text.strip(), str(shown), Path(place or "stream"))
