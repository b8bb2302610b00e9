"""Which picture of a split a name or number in another program's results means."""

from __future__ import annotations

import filecmp
import os
import posixpath
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from lightdet.structures import Annotation


class NamedPictures:
    """Finds the picture for an ``image_id``.

    A file name may stand alone or with folders. It means a picture if it is the end of the picture's path, or if it
    ends with the picture's path inside the data set, one folder at least: only what stands in front of that may differ,
    as on another computer. An absolute path that leads to a file means the picture with the very same content.

    Args:
        annotations: the split's pictures.
        ids: file names by number.
        root: the data set's folder; None: the whole path of a picture must agree.
        folders: in place of it, what the names in `ids` are relative to, if they are the data set's own.
    """

    def __init__(
        self,
        annotations: Sequence[Annotation],
        ids: Mapping[int | str, str],
        root: Path | None = None,
        folders: Sequence[Path] = (),
    ) -> None:
        self.ids = ids
        self.files = [annotation.image for annotation in annotations]
        self.paths = [PurePosixPath(file.as_posix()) for file in self.files]
        self.inner = [_inside(file, [] if root is None else [root], 1) for file in self.files]
        self.inner_by_id = [_inside(file, folders, 0) for file in self.files] if folders else self.inner
        self.by_name: dict[str, list[int]] = defaultdict(list)
        self.by_stem: dict[str, list[int]] = defaultdict(list)
        for index, path in enumerate(self.paths):
            self.by_name[path.name].append(index)
            self.by_stem[path.stem].append(index)
        self._found: dict[tuple[int | str, str | None], int] = {}
        self._named: dict[int | str, int] = {}
        self._called: dict[int, str] = {}

    def find(self, value: int | str, file: str | None = None) -> int:
        """Return the index of the picture with the ``image_id`` `value`; `file` is the entry's ``file_name``.

        Raises:
            LookupError: there is none.
            ValueError: there are several, the number is unexplained, or the two belong to different pictures.
        """
        index = self._find(value, file)
        if file is not None and self._named.setdefault(value, index) != index:
            both = f"{self.paths[self._named[value]]} and {self.paths[index]}"
            raise ValueError(f"image_id {value} and the file names beside it belong to two pictures: {both}")
        return index

    def _find(self, value: int | str, file: str | None) -> int:
        explained = isinstance(value, str) or value in self.ids
        if file is not None and explained:
            self._named.setdefault(value, self._find(value, None))
        if (value, file) not in self._found:
            index, name = self._search(value) if file is None else (self._by_file(file, self.inner), file)
            if self._called.setdefault(index, name) != name:
                both = f"'{self._called[index]}' and '{name}'"
                raise ValueError(f"{both} both match {self.paths[index]}; give more of the path")
            self._found[value, file] = index
        return self._found[value, file]

    def _search(self, value: int | str) -> tuple[int, str]:
        if value in self.ids or isinstance(value, str):
            name = str(self.ids.get(value, value))
            return self._by_file(name, self.inner_by_id if value in self.ids else self.inner), name
        if self.ids:
            raise LookupError(f"image_id {value} is not among 'images'")
        # tools that write results without a list of images take the number from the file name: 000123.jpg
        numbered = [stem for stem in self.by_stem if stem.isdecimal() and int(stem) == value]
        if len(numbered) != 1:
            raise ValueError(
                f"image_id {value} is a number without a meaning here; give file names as image_id, "
                "or an object with 'images'"
            )
        return self._by_file(numbered[0], self.inner), numbered[0]

    def _by_file(self, file: str, inner: Sequence[tuple[str, ...]]) -> int:
        wanted = PurePosixPath(posixpath.normpath(file.replace("\\", "/")))
        called = self.by_name.get(wanted.name) or self.by_stem.get(wanted.name, [])
        if not called:
            raise LookupError(f"there is no picture '{file}' in this split")
        matches = [index for index in called if self._is_meant(wanted, index, inner[index])]
        if not matches:
            known = self.paths[called[0]]
            more = f" and {len(called) - 1} more" if len(called) > 1 else ""
            raise LookupError(
                f"there is no picture '{file}' in this split, but {known}{more}; if that is meant, give its name "
                "without folders, or the end of its path"
            )
        if len(matches) > 1:
            raise ValueError(
                f"several pictures are called '{wanted.name}', and '{file}' does not say which one; give its path"
            )
        return matches[0]

    def _is_meant(self, wanted: PurePosixPath, index: int, inner: tuple[str, ...]) -> bool:
        if wanted.is_absolute() and (same := _same_content(Path(wanted), self.files[index])) is not None:
            return same
        folders, path = wanted.parts[:-1], self.paths[index].parts[:-1]
        return _ends_with(path, folders) or _ends_with(folders, inner)


def _inside(file: Path, folders: Sequence[Path], least: int) -> tuple[str, ...]:
    """The folders in front of a picture up to the nearest of `folders`, or to what it has in common with it, but at
    least so many; all that are written if there are no `folders`.
    """
    place = PurePosixPath(Path(os.path.abspath(file)).as_posix()).parent  # noqa: PTH100 - as written, through links
    inner = [PurePosixPath(file.as_posix()).parent.parts] if not folders else []
    for folder in folders:
        above = PurePosixPath(Path(os.path.abspath(folder)).as_posix())  # noqa: PTH100
        while above not in (place, *place.parents):
            above = above.parent
        inner.append(place.parts[min(len(above.parts), len(place.parts) - least) :])
    return min(inner, key=len)


def _ends_with(parts: tuple[str, ...], end: tuple[str, ...]) -> bool:
    return parts[len(parts) - len(end) :] == end if len(end) <= len(parts) else False


def _same_content(path: Path, picture: Path) -> bool | None:
    """Whether a path leads to a picture or a copy of it; None if it leads nowhere."""
    try:
        if not path.is_file():
            return None
        return path.samefile(picture) or filecmp.cmp(path, picture, shallow=False)
    except (OSError, ValueError):
        return None
