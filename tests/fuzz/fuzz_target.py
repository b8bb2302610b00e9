"""What a fuzz target is, and what is asked of every file that is given to lightdet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzz_mutations import TEXT_EDITS, Edit
from hypothesis import strategies as st

from lightdet.data.formats.label_file import LabelFile
from lightdet.errors import UserError

CLASSES = ("scratch", "dent", "größe", "class 3")


@dataclass(frozen=True)
class Sound:
    """A file as it should be, how to read it, and the boxes that were written into it."""

    data: bytes
    options: Any = None
    truth: Any = None


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Attributes:
        name: for the command line and the log.
        share: of all cases of a long run.
        sound: draws a sound file.
        judge: reads a file (its bytes, the options, a folder to write to); gives what was read, None where it was
            refused, and fails by AssertionError or whatever lightdet raises besides `UserError`.
        words: that slips of hand and hostile people put into such files.
        edits: the kinds of changes.
        most: changes of one file; after each the file is read again, so each is a case.
        most_bytes: what a changed file may grow to.
    """

    name: str
    share: float
    sound: st.SearchStrategy[Sound]
    judge: Callable[[bytes, Any, Path], Any]
    words: Sequence[bytes] = ()
    edits: Sequence[Edit] = TEXT_EDITS
    most: int = 200
    most_bytes: int = 200_000


def check_line(error: UserError) -> None:
    """A complaint is one line that a terminal can show, and none about memory: that is bounded beforehand."""
    message = str(error)
    assert message.strip() and len(message.splitlines()) == 1, repr(message)
    assert "memory" not in message.lower(), message
    assert "Traceback" not in message, message


def boxes_of(found: LabelFile) -> list[tuple[int, float, float, float, float]] | None:
    """The boxes of a label file; None if it is refused."""
    try:
        annotation = found.annotation(Path("a.png"))
    except UserError:
        for problem in found.problems:
            check_line(problem)
        return None
    crowd = [False] * len(annotation) if annotation.crowd is None else annotation.crowd.tolist()
    labels = [label + 1000 * flag for label, flag in zip(annotation.labels.tolist(), crowd, strict=True)]
    return [(label, *box) for label, box in zip(labels, annotation.boxes.tolist(), strict=True)]


def check_same(found: Sequence[Sequence[float]], plain: Sequence[Sequence[float]]) -> None:
    """The same boxes of the same classes in the same order; float32 keeps some seven digits."""
    assert len(found) == len(plain), f"{len(found)} boxes instead of {len(plain)}"
    for ours, theirs in zip(found, plain, strict=True):
        assert ours[0] == theirs[0], f"class {ours[0]} instead of {theirs[0]}"
        assert all(math.isclose(a, b, abs_tol=1e-3) for a, b in zip(ours[1:], theirs[1:], strict=True)), (
            f"{ours} instead of {theirs}"
        )


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path
