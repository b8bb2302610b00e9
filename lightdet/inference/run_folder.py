"""Where a run's results go, so that no run overwrites another or its own pictures."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from lightdet.errors import UserError
from lightdet.files import make_folder
from lightdet.inference.formats import Format
from lightdet.inference.save import CLASS_LIST, LABELS, SHARED, class_list, label_file
from lightdet.inference.source import HEAT, Source, frame_place, page_place

SINGLE = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".jp2", ".j2k"})
"""Suffixes of files that hold one picture."""


def fresh_folder(base: Path) -> Path:
    """Make and return `base`, or ``base-2``, ``base-3``, … if it exists already.

    Raises:
        UserError: no folder can be made there.
    """
    number = 1
    while True:
        folder = base if number == 1 else base.with_name(f"{base.name}-{number}")
        try:
            return make_folder(folder, exist_ok=False)
        except FileExistsError:  # also if another run makes it at this moment
            number += 1


def results_of_runs(base: Path) -> Callable[[Path], bool]:
    """Return a test for folders: is it `base` or one of its numbered siblings?"""
    parent, name = base.absolute().parent, re.compile(rf"{re.escape(base.name)}(-[0-9]+)?")
    return lambda folder: name.fullmatch(folder.name) is not None and folder.absolute().parent == parent


def marked_file(folder: Path, source: Source) -> Path:
    """Where the marked-up picture or video of `source` goes."""
    suffix = ".jpg" if source.kind == "picture" else ".mp4"
    return folder / source.stem.with_name(f"{source.stem.name}{suffix}")


def heat_file(folder: Path, stem: Path) -> Path:
    """Where the heat map of ``--explain`` goes."""
    return folder / stem.with_name(f"{stem.name}{HEAT}.jpg")


def check_free(
    folder: Path,
    sources: Sequence[Source],
    formats: Sequence[Format],
    *,
    marked: bool,
    extra: Sequence[Path] = (),
    overwrite: bool = False,
    fresh: bool = False,
    listed: bool = False,
) -> None:
    """Refuse a run that would overwrite its own sources, or (without `overwrite`) existing files.

    Args:
        folder: where results go.
        sources: what will be processed.
        formats: what will be saved.
        marked: marked-up pictures and videos will be written.
        extra: single files that may be replaced, except sources.
        overwrite: results may be replaced.
        fresh: the folder will be new, so only `extra` is checked.
        listed: there are more sources, which are listed during the run: what has a file for each needs an empty folder.

    Raises:
        UserError: names the first such file.
    """
    many = listed and not (fresh or overwrite) and (marked or "yolo" in formats)
    if many and folder.is_dir() and any(folder.iterdir()):
        raise UserError("is not empty; add --overwrite to replace results in it, or give another", path=folder)
    originals = originals_of(sources)
    for path in () if fresh else _planned(folder, sources, formats, marked):
        check_file(path, originals, overwrite=overwrite)
    for path in extra:
        check_file(path, originals, overwrite=True)


def originals_of(sources: Iterable[Source]) -> frozenset[Path]:
    """Return the files of this computer that `sources` are, with all links resolved."""
    return frozenset(source.target.resolve() for source in sources if isinstance(source.target, Path))


def check_file(path: Path, originals: Container[Path], *, overwrite: bool) -> None:
    """Refuse a file for results that is a folder, one of the `originals`, or (without `overwrite`) there already.

    Raises:
        UserError: which of these.
    """
    if path.is_dir():
        raise UserError("is a folder, and a file with this name is to be written", path=path)
    if not path.exists():
        return
    if path.resolve() in originals:
        raise UserError("would be overwritten, and it is one of the sources; give another --output", path=path)
    if not overwrite:
        raise UserError("exists already; add --overwrite to replace it, or give another --output", path=path)


def check_class_lists(folder: Path, sources: Iterable[Source], names: Sequence[str], *, overwrite: bool) -> None:
    """Refuse (without `overwrite`) labels beside those of a model with other classes: a number would mean another one.

    Raises:
        UserError: a ``classes.txt`` that lists others than `names`.
    """
    wanted = class_list(names).encode("utf-8", "backslashreplace").splitlines()
    for place in {source.stem.parent for source in sources}:
        path = folder / LABELS / place / CLASS_LIST
        if not overwrite and path.is_file() and path.read_bytes().splitlines() != wanted:
            raise UserError(
                "lists other classes than this model has, and the labels beside it go by it; give another --output, "
                "or add --overwrite to replace it",
                path=path,
            )


def _planned(folder: Path, sources: Sequence[Source], formats: Sequence[Format], marked: bool) -> Iterator[Path]:
    yield from (folder / SHARED[format_] for format_ in formats if format_ in SHARED)
    for source in sources:
        # The number of pages is not known yet; if there are several, the first has its own file.
        pages = source.kind == "picture" and source.target.suffix.lower() not in SINGLE  # type: ignore[union-attr]
        first = [replace(source, stem=page_place(source.stem, 1))] if pages else []
        for each in (source, *first):
            if marked:
                yield marked_file(folder, each)
            if "yolo" in formats:
                yield _first_labels(folder, each)


def _first_labels(folder: Path, source: Source) -> Path:
    """The first labels that a run would write for a source, or that another has written."""
    if source.kind == "picture":
        return label_file(folder, source.stem)
    first = label_file(folder, frame_place(source.stem, 0))
    if source.kind == "stream":  # which of its frames are judged depends on the moment
        others = first.parent.glob(f"{glob.escape(source.stem.name)}_*.txt")
        return min((path for path in others if path.stem.rpartition("_")[2].isdecimal()), default=first)
    return first
