"""An output replaces no file of another kind, and none that the command reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from lightdet.errors import UserError
from lightdet.options.ranges import Check, writable

_LISTED = 4096
"""Bytes that show whether a text is a list of pictures."""


class ReadFiles(Protocol):
    """A data set (`lightdet.data.spec.DatasetSpec`)."""

    def files(self) -> list[Path]:
        """Those that its YAML names, and itself."""
        ...

    def is_label(self, path: Path) -> bool:
        """Whether a file is one of its labels."""
        ...


class Replaces:
    """Allow files that can be written, and of those that are there only such as have one of these endings."""

    def __init__(self, *endings: str) -> None:
        self.endings = endings

    def __call__(self, _declared: Any, value: Path | str | None) -> None:
        """Refuse a `value` as `Check` has it."""
        writable(None, value)
        if value is not None and Path(value).is_file() and Path(value).suffix.lower() not in self.endings:
            raise ValueError(f"{value} is there already and is no {' or '.join(self.endings)} file; give another name")


json_file: Check = Replaces(".json")


def model_file(_declared: Any, value: Path | str | None) -> None:
    """Allow the name of a model file, which may be the one that is read; a folder is refused where it is written."""
    if value is not None and Path(value).suffix != ".safetensors" and not Path(value).is_dir():
        raise ValueError(f"{value} is no .safetensors file; give another name, such as calibrated.safetensors")


def list_file(_declared: Any, value: Path | None) -> None:
    """Allow a list of pictures to replace another one, and no other text: labels of YOLO are .txt files as well."""
    Replaces(".txt")(None, value)
    if value is None or not value.is_file():
        return
    with value.open("rb") as stream:
        first = stream.read(_LISTED).decode("utf-8", "replace").strip().partition("\n")[0]
    if first and not Path(first.strip()).suffix[1:].isalpha():
        raise ValueError(f"{value} is there already and holds no list of pictures; give another name")


def refuse_inputs(
    outputs: Mapping[str, Path | str | None],
    inputs: Iterable[Path | str | None],
    data: ReadFiles | None = None,
) -> None:
    """Refuse outputs that would replace an input, or each other.

    Args:
        outputs: by their flags.
        inputs: what is read; addresses and what is not there count for nothing.
        data: a data set that is read as well.

    Raises:
        UserError: two are the same file.
    """
    there = {flag: Path(value) for flag, value in outputs.items() if value is not None}
    files = [*inputs, *(() if data is None else data.files())]
    read = {Path(each).resolve() for each in files if each is not None} if there else set()
    taken: set[Path] = set()
    for flag, path in there.items():
        if path.resolve() in read or (data is not None and data.is_label(path)):
            raise UserError(f"{flag} would replace a file that is read here; give another name", path=path)
        if path.resolve() in taken:
            raise UserError(f"{flag} names the same file as another option; give another name", path=path)
        taken.add(path.resolve())
