"""Where the results of local sources go: sub-folders are kept, and no two share a place."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lightdet.inference.source import FRAME_DIGITS, HEAT, Source


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
    names: Counter[str] = Counter()
    placed = []
    stems = [stem_of(source, base or common) for source, base in found]
    places = _Places((_key(stem), source.moves) for stem, (source, _) in zip(stems, found, strict=True))
    for (source, _), wanted in zip(found, stems, strict=True):
        stem, number = wanted, 1
        while not places.take(_key(stem), source.moves):
            number += 1
            stem = wanted.with_name(f"{wanted.name}-{number}")
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


def owners(place: str) -> Iterator[tuple[str, bool]]:
    """Yield the places of sources that may have a result at `place`, and whether only a video or stream there has.

    The second page of a.tif goes to ``a#2``, frame 7 of a.avi to ``a_000007``, and the heat of a.png to ``a.heat``.
    """
    whole = place.removesuffix(HEAT)
    if whole != place:
        yield whole, False
    owner, mark, number = whole.rpartition("#")
    if mark and number.isdecimal():
        yield owner, False
    owner, mark, number = place.rpartition("_")
    if mark and number.isdecimal() and len(number) >= FRAME_DIGITS:
        yield owner, True


class _Places:
    """Which places are taken, and by which may be: those of all sources first, each with whether it moves."""

    def __init__(self, wanted: Iterable[tuple[str, bool]]) -> None:
        self._moves: dict[str, bool] = {}
        for place, moves in wanted:
            self._moves[place] = moves or self._moves.get(place, False)
        self._taken: set[str] = set()
        self._parts: set[tuple[str, bool]] = set()

    def take(self, place: str, moves: bool) -> bool:
        """Take a place, unless it or a place of its pages, frames or heat is another's."""
        of = list(owners(place))
        if place in self._taken or any(owner in self._moves and (self._moves[owner] or not only) for owner, only in of):
            return False
        if (place, False) in self._parts or (moves and (place, True) in self._parts):
            return False
        self._moves.setdefault(place, moves)
        self._taken.add(place)
        self._parts.update(of)
        return True


def _common_folder(paths: Sequence[Path]) -> Path | None:
    try:
        return Path(os.path.commonpath([path.parent for path in paths])) if paths else None
    except ValueError:  # different drives
        return None


def absolute(path: str | Path) -> Path:
    """Return an absolute path that still goes through the links it names."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links and change names
