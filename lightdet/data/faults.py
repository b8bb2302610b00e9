"""A fault in a data set: a `UserError` that also has a kind, so that an audit can group and explain faults."""

from pathlib import Path
from typing import Literal

from lightdet.errors import UserError

FaultKind = Literal[
    "format",  # the label file cannot be read in its format
    "class",  # an unknown class name or an id out of range
    "value",  # a coordinate that is not a number, or not in its range
    "degenerate",  # a box without area
    "outside",  # a box that reaches outside its picture
    "size",  # the labels were made for a picture of another size
    "missing-picture",  # a label, or a line of a list, whose picture is missing
    "missing-label",  # a picture without labels
    "repeated",  # listed twice, or two pictures for one label file
    "picture",  # a picture that cannot be read
    "pages",  # a file with several pictures
]


class DataError(UserError):
    """One fault at one place of a data set; `kind` groups faults by cause."""

    def __init__(self, message: str, kind: FaultKind, *, path: str | Path | None = None, line: int | None = None):
        super().__init__(message, path=path, line=line)
        self.kind = kind


def shown_below(place: str, root: Path) -> str:
    """Shorten a path to the part below `root`, for lists that give the root once."""
    return place.removeprefix(f"{root}/") if str(root) not in ("", ".") else place
