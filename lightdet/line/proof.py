"""The proof of a model before it takes over: kept pictures whose verdicts are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lightdet.data.images import SUFFIXES
from lightdet.errors import UserError
from lightdet.line.messages import Answer, Item

VERDICTS = ("OK", "NG")
"""The names of the two sub-folders."""
_SHOWN = 3


def kept_pictures(folder: Path) -> list[tuple[str, Path]]:
    """Return ``(verdict, file)`` of each kept picture.

    Raises:
        UserError: the folder cannot be read, or one of its sub-folders ``OK`` and ``NG`` holds no pictures.
    """
    found = []
    for verdict in VERDICTS:
        try:
            files = sorted(path for path in (folder / verdict).iterdir() if path.suffix.lower() in SUFFIXES)
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", path=folder / verdict) from None
        if not files:
            raise UserError(f"holds no pictures; put some in it that are {verdict}", path=folder / verdict)
        found += [(verdict, path) for path in files]
    return found


def prove(folder: Path, wrong: int, judge: Callable[[Sequence[Item]], Sequence[Answer]], batch: int) -> None:
    """Judge the kept pictures.

    Args:
        folder: of `kept_pictures`.
        wrong: how many may get another verdict than the one that is known.
        judge: pictures → answers.
        batch: pictures at a time.

    Raises:
        UserError: there are more, or see `kept_pictures`.
    """
    pictures = kept_pictures(folder)
    missed = [
        f"{path.name} is {answer.verdict} instead of {verdict}"
        for (verdict, path), answer in zip(pictures, _answers(pictures, judge, batch), strict=True)
        if answer.verdict != verdict
    ]
    if len(missed) > wrong:
        shown = "; ".join(missed[:_SHOWN]) + ("; …" if len(missed) > _SHOWN else "")
        raise UserError(
            f"{len(missed)} of {len(pictures)} kept pictures get another verdict than their folder's, and {wrong} may: "
            f"{shown}",
            path=folder,
        )


def _answers(
    pictures: list[tuple[str, Path]], judge: Callable[[Sequence[Item]], Sequence[Answer]], batch: int
) -> Iterator[Answer]:
    for start in range(0, len(pictures), batch):
        files = [path for _, path in pictures[start : start + batch]]
        try:
            items = [Item(path.name, path.read_bytes()) for path in files]
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", path=error.filename) from None
        yield from judge(items)
