"""Where the results of local sources go: sub-folders are kept, and no two share a place."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lightdet.inference.source import Source


class Placed(NamedTuple):
    """A source and the folder that its results are placed relative to (None: among the other single files)."""

    source: Source
    base: Path | None


def each_once(found: Iterable[Placed]) -> list[Placed]:
    """Return them without those that were there before, by their absolute path."""
    seen: dict[str, Placed] = {}
    for entry in found:
        target = entry.source.target
        key = os.path.normcase(absolute(target)) if isinstance(target, Path) else f"stream {target}"
        seen.setdefault(key, entry)
    return list(seen.values())


def with_stems(found: Sequence[Placed]) -> list[Source]:
    """Give each source a unique name and place: sub-folders are kept, duplicates get ``-2``, ``-3``."""
    single = [absolute(f.source.target) for f in found if f.base is None and isinstance(f.source.target, Path)]
    common = _common_folder(single)
    taken: set[str] = set()
    names: Counter[str] = Counter()
    placed = []
    stems = [stem_of(source, base or common) for source, base in found]
    files = {_key(stem) for stem in stems}
    for (source, _), wanted in zip(found, stems, strict=True):
        stem, number = wanted, 1
        while _key(stem) in taken or _may_be_page(_key(stem), files):
            number += 1
            stem = wanted.with_name(f"{wanted.name}-{number}")
        taken.add(_key(stem))
        name = source.name
        if source.kind == "stream":  # two of them may differ only in what is hidden
            names[name] += 1
            name = f"{name} ({names[name]})" if names[name] > 1 else name
        placed.append(replace(source, name=name, stem=stem))
    return placed


def stem_of(source: Source, start: Path | None) -> Path:
    """Where the results of a source go, relative to the folder `start`."""
    if not isinstance(source.target, Path):
        return source.stem
    path = absolute(source.target)
    stem = path.relative_to(start) if start is not None and path.is_relative_to(start) else Path(path.name)
    return stem.with_name(stem.name.removesuffix(stem.suffix))


def _key(stem: Path) -> str:
    """Equal for names that some file systems do not distinguish."""
    return unicodedata.normalize("NFC", str(stem)).casefold()


def _may_be_page(stem: str, files: set[str]) -> bool:
    """The second page of a.tif goes to the same place as a file a#2.png would."""
    file, mark, number = stem.rpartition("#")
    return bool(mark) and number.isdecimal() and file in files


def _common_folder(paths: Sequence[Path]) -> Path | None:
    try:
        return Path(os.path.commonpath([path.parent for path in paths])) if paths else None
    except ValueError:  # different drives
        return None


def absolute(path: str | Path) -> Path:
    """Return an absolute path that still goes through the links it names."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links and change names
