"""A fault in a data set: a `UserError` that also tells its kind, so that an audit can group and explain."""

from pathlib import Path
from typing import Literal

from lightdet.errors import UserError

FaultKind = Literal[
    "format",  # the label file cannot be read as what it should be
    "class",  # an unknown class name or an id out of range
    "value",  # a coordinate that is not a number, or not in its range
    "degenerate",  # a box without area
    "outside",  # a box that reaches outside its picture
    "size",  # the labels were made for a picture of another size
    "missing-picture",  # a label, or a line of a list, whose picture is not there
    "missing-label",  # a picture without labels
    "repeated",  # listed twice, or two pictures for one label file
    "picture",  # a picture that cannot be read
    "pages",  # a file with several pictures
]


class DataError(UserError):
    """One fault at one place of a data set; `kind` groups those of one cause."""

    def __init__(self, message: str, kind: FaultKind, *, path: str | Path | None = None, line: int | None = None):
        super().__init__(message, path=path, line=line)
        self.kind = kind


def shown_below(place: str, root: Path) -> str:
    """Shorten a path to what stands below `root`, for lists in which the root is told once."""
    return place.removeprefix(f"{root}/") if str(root) not in ("", ".") else place
