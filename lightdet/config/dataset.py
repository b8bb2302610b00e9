"""The YAML of a data set: every key, its meaning and its default on one page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, model_validator

from lightdet.config.schema import Section

MAX_CLASSES = 1000


def check_class_names(value: Iterable[object]) -> tuple[str, ...]:
    """Return class names stripped; a ValueError for none, a blank, a repeated or an unprintable one."""
    names: list[str] = []
    for name in value:
        if not isinstance(name, str):
            raise ValueError(f"must hold names; put {name!r} into quotes")
        stripped = name.strip()
        if not stripped or not stripped.isprintable():
            raise ValueError(f"holds a blank or unprintable name ({name!r})")
        if stripped in names:
            raise ValueError(f"holds '{stripped}' twice; each class needs its own name")
        names.append(stripped)
    if not 1 <= len(names) <= MAX_CLASSES:
        raise ValueError(f"must hold 1 to {MAX_CLASSES} names, got {len(names)}")
    return tuple(names)


def _classes(value: Any) -> tuple[str, ...] | str:
    """A list of names, ids with names (``0: scratch``), or the name of a file."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, dict):
        if sorted(value, key=str) != sorted(range(len(value)), key=str):
            raise ValueError("must number its names 0, 1, 2, ... without a gap")
        return check_class_names(value[index] for index in range(len(value)))
    if isinstance(value, list | tuple):
        return check_class_names(value)
    raise ValueError("must be a list of names or the name of a file with one a line")


def _names(value: Any) -> tuple[str, ...]:
    """One class name or a list of them."""
    return check_class_names([value] if isinstance(value, str) else value if isinstance(value, list) else [value])


def _folders(value: Any) -> tuple[str, ...]:
    """One folder or a list of them."""
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) and entry.strip() for entry in entries):
        raise ValueError("must be a folder or a list of folders")
    return tuple(entry.strip() for entry in entries)


Classes = Annotated[tuple[str, ...] | str, PlainValidator(_classes)]
Folders = Annotated[tuple[str, ...], PlainValidator(_folders)]
Names = Annotated[tuple[str, ...], PlainValidator(_names)]
FileName = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^\w[\w .+-]*$", max_length=100)]
"""A name that may become part of a file name."""


class SplitConfig(Section):
    """One split. A bare string is its ``list`` (``*.txt``), ``labels`` (``*.json``, ``*.csv``) or else ``images``."""

    images: Folders | None = None
    """Folder or folders of pictures, relative to `root`. Without `list`, all pictures below them are taken."""
    labels: FileName | None = None
    """Folder of label files, the COCO JSON or the CSV file. Default: beside the pictures, as the format's custom is."""
    list: FileName | None = None
    """Text file with one picture a line: a stem, a file name or a path; for ``folders`` perhaps with its class."""
    unlabelled: Literal["auto", "background", "error"] = "auto"
    """A picture without label file is background or an error; auto: background for YOLO, else an error."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        if value is None:  # a CSV file's own column names the split
            return {}
        if not isinstance(value, str):
            return value
        kind = {"txt": "list", "json": "labels", "csv": "labels"}.get(value.rsplit(".", 1)[-1].lower(), "images")
        return {kind: value}


class DatasetConfig(Section):
    """A data set."""

    name: Name | None = None
    """What to call it; default: the YAML's own name."""
    root: FileName = "."
    """Folder of the data, relative to this YAML; ``${NAME}`` stands for an environment variable."""
    format: Literal["yolo", "voc", "coco", "deeppcb", "folders", "csv"]
    """How labels are written. ``folders`` and ``csv`` give each picture one class: they are for classifiers."""
    classes: Classes | None = None
    """The names in the order of their ids, or a file with one a line. COCO files bring their own; ``folders`` and
    ``csv`` take the names of folders and labels, sorted, where none are given."""
    bad: Names | None = None
    """For ``folders`` and ``csv``: the classes of bad parts, for `lightdet calibrate`; a name or a list of them."""
    images: Folders | None = None
    """Picture folders of the splits that name none."""
    labels: FileName | None = None
    """Label folder of the splits that name none."""
    splits: Annotated[dict[Name, SplitConfig], Field(min_length=1)]
    """The splits by name; training takes ``train`` and ``val``."""
    bit_depth: Annotated[int, Field(gt=8, le=16)] = 16
    """Significant bits of 16-bit pictures: 12 for a 12-bit camera."""
    outside: Literal["error", "clip"] = "error"
    """A box that reaches more than a pixel outside its picture is an error, or is cut at the border."""


class UltralyticsConfig(Section):
    """The ``data.yaml`` that YOLO tools write: taken as it is if it has ``names`` and no ``format``."""

    path: FileName = "."
    train: Folders | None = None
    val: Folders | None = None
    test: Folders | None = None
    names: Classes
    nc: Annotated[int, Field(ge=1)] | None = None
    # Other tools' notes, without meaning here:
    download: Any = None
    roboflow: Any = None
    channels: Any = None

    @model_validator(mode="after")
    def _check(self) -> UltralyticsConfig:
        if self.nc is not None and isinstance(self.names, tuple) and self.nc != len(self.names):
            raise ValueError(f"nc is {self.nc}, but there are {len(self.names)} names")
        return self
