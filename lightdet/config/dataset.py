"""The YAML of a data set: every key, its meaning and its default on one page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator, StrictBool, model_validator

from lightdet.config.section import Section
from lightdet.config.yaml_file import no_text
from lightdet.wording import counted, named, shown

MAX_CLASSES = 1000


def check_class_names(value: Iterable[object]) -> tuple[str, ...]:
    """Return class names stripped; a ValueError for none, a blank, a repeated or an unprintable one."""
    names: list[str] = []
    for name in value:
        if not isinstance(name, str):
            raise ValueError(f"must hold names; one is {no_text(name)}")
        stripped = name.strip()
        if not stripped or not stripped.isprintable():
            raise ValueError(f"holds a blank or unprintable name ({shown(name)})")
        if stripped in names:
            raise ValueError(f"holds {named(stripped)} twice; each class needs its own name")
        names.append(stripped)
    if not 1 <= len(names) <= MAX_CLASSES:
        raise ValueError(f"must hold 1 to {MAX_CLASSES} names, got {len(names)}")
    return tuple(names)


def _classes(value: Any) -> tuple[str, ...] | str:
    """A list of names, ids with names (``0: scratch``), or the name of a file."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, dict):
        return check_class_names(_by_number(value))
    if isinstance(value, list | tuple):
        return check_class_names(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError("is a number; list the names in the order of their ids, or put a file's name in quotes")
    _quoted(value)
    raise ValueError("must be a list of names or the name of a file with one per line")


def _by_number(names: dict[Any, Any]) -> list[Any]:
    """The names in the order of their numbers, which may be quoted (``'0': scratch``)."""
    digits = {key: int(key) for key in names if isinstance(key, str) and key.isascii() and key.isdecimal()}
    numbered = {digits.get(key, key): name for key, name in names.items()}
    if len(numbered) < len(names) or any(isinstance(key, bool) for key in numbered):
        raise ValueError("gives a number twice, or one that is not a number")
    if sorted(numbered, key=str) != sorted(range(len(numbered)), key=str):
        first = "; they begin with 1, but labels count from 0" if set(numbered) == set(range(1, len(names) + 1)) else ""
        raise ValueError(f"must number its names 0, 1, 2, ... without a gap{first}")
    return [numbered[number] for number in range(len(numbered))]


def _quoted(value: Any) -> Any:
    """Refuse what YAML reads as a number, a date or a boolean where a name is expected: 010 would have become 8."""
    if value is not None and not isinstance(value, str | list | tuple | dict):
        raise ValueError(f"is {no_text(value)}")
    return value


def _names(value: Any) -> tuple[str, ...]:
    """One class name or a list of them."""
    return check_class_names([value] if isinstance(value, str) else value if isinstance(value, list) else [value])


def _folders(value: Any) -> tuple[str, ...]:
    """One folder or a list of them."""
    entries = [_quoted(value)] if not isinstance(value, list | tuple) else [_quoted(entry) for entry in value]
    if not all(isinstance(entry, str) and entry.strip() for entry in entries):
        raise ValueError("must be a folder or a list of folders")
    return tuple(entry.strip() for entry in entries)


def _optional_folders(value: Any) -> tuple[str, ...] | None:
    """Folders, or nothing: exports write ``test: ''`` for a missing split."""
    blank = value is None or value == [] or (isinstance(value, str) and not value.strip())
    return None if blank else _folders(value)


def _no_switch(value: Any) -> Any:
    if isinstance(value, bool):  # true would count as 1
        raise ValueError("should be 0 or 1")
    return value


def _lists(value: Any) -> tuple[str, ...]:
    """One list file or several."""
    try:
        return _folders(value)
    except ValueError as error:
        message = str(error).replace("a folder or a list of folders", "a text file or several of them")
        raise ValueError(message) from None


def _values(value: Any) -> tuple[tuple[int | tuple[int, int, int], str], ...] | str:
    """Names with their values or colours, or the name of a file."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    if not isinstance(value, dict) or not value:
        raise ValueError("must give each class its value or colour, as in {scratch: 1, dent: [255, 0, 0]}")
    found: dict[int | tuple[int, int, int], str] = {}
    for name, given in value.items():
        several = given if isinstance(given, list) and any(isinstance(each, list) for each in given) else [given]
        for each in several:
            key = tuple(each) if isinstance(each, list) else each
            parts = key if isinstance(key, tuple) else (key,)
            if len(parts) not in (1, 3) or not all(type(part) is int and 0 <= part < 1 << 16 for part in parts):
                raise ValueError(f"holds {each!r:.40} for {name!r:.40}; write a value or a colour [red, green, blue]")
            if key in found:
                raise ValueError(f"gives '{found[key]}' and {name!r:.40} the same value {each!r:.40}")
            if not isinstance(name, str) or not name.strip():
                raise ValueError(f"holds a name that {no_text(name)}")
            found[key] = name.strip()
    return tuple(found.items())


Values = Annotated[tuple[tuple[int | tuple[int, int, int], str], ...] | str, PlainValidator(_values)]
Classes = Annotated[tuple[str, ...] | str, PlainValidator(_classes)]
Folders = Annotated[tuple[str, ...], PlainValidator(_folders)]
MaybeFolders = Annotated[tuple[str, ...] | None, PlainValidator(_optional_folders)]
Lists = Annotated[tuple[str, ...], PlainValidator(_lists)]
Names = Annotated[tuple[str, ...], PlainValidator(_names)]
FileName = Annotated[str, Field(min_length=1), BeforeValidator(_quoted)]
Name = Annotated[str, Field(pattern=r"^\w[\w .+-]*$", max_length=100), BeforeValidator(_quoted)]
"""A name that may become part of a file name."""
KeyPoints = Annotated[tuple[Annotated[int, Field(ge=1)], Literal[2, 3]], Field()]
"""The number of key points per row, and of numbers per key point: x, y and perhaps visibility."""


_KINDS = {"txt": "list", "json": "labels", "csv": "labels", "xml": "labels"}


class SplitConfig(Section):
    """One split. A bare string is its ``list`` (``*.txt``), ``labels`` (``*.json``, ``*.csv``) or otherwise ``images``;
    so is a list of strings."""

    images: Folders | None = None
    """Folder or folders of pictures, relative to `root`. Without `list`, all pictures below them are taken."""
    labels: FileName | None = None
    """Folder of label files or masks, or the one file with the labels (JSON, XML, CSV), relative to `root`, or to this
    YAML if it lies only there. Default: beside the pictures, as is usual for the format."""
    list: Lists | None = None
    """Text file (or several) with one picture per line: a stem, a file name or a path; for ``folders`` perhaps with its
    class. Relative to `root`, or to this YAML if it lies only there."""
    unlabelled: Literal["auto", "background", "error"] = "auto"
    """A picture without a label file is background or an error; auto: background for YOLO, otherwise an error."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        if value is None:  # a CSV file's own column names the split
            return {}
        if isinstance(value, dict):
            return value
        entries = _folders(value)
        kinds = {_KINDS.get(entry.rsplit(".", 1)[-1].lower(), "images") for entry in entries} or {"images"}
        if len(kinds) > 1 or (kinds == {"labels"} and len(entries) > 1):
            raise ValueError("holds files and folders of several kinds; write images:, list: and labels: out")
        kind = kinds.pop()
        return {kind: entries[0] if kind == "labels" else entries}


class DatasetConfig(Section):
    """A data set."""

    name: Name | None = None
    """Its name; default: the YAML's own name."""
    root: FileName = "."
    """Folder of the data, relative to this YAML; ``${NAME}`` is an environment variable."""
    format: Literal[
        "yolo", "voc", "coco", "deeppcb", "labelme", "cvat", "label-studio", "csv-boxes", "masks", "folders", "csv"
    ]
    """The label format. ``folders`` and ``csv`` give each picture one class: they are for classifiers."""
    classes: Classes | None = None
    """The names in the order of their ids, or a file with one per line. COCO and CVAT files have their own; if none are
    given, ``labelme``, ``label-studio`` and ``csv-boxes`` take the names of their labels, sorted, and ``folders`` and
    ``csv`` those of folders and labels."""
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
    first_pixel: Annotated[Literal[0, 1] | None, BeforeValidator(_no_switch)] = None
    """For ``voc``: 1 if corners are pixels counted from 1, the last one included, as in Pascal VOC; 0 if they
    are edges counted from 0, as CVAT and Label Studio write them. Default: 0 if the files show it, otherwise 1."""
    rows: Literal["polygons"] | None = None
    """For ``yolo``: rows of more than five columns are polygons, read as the boxes around them."""
    kpt_shape: KeyPoints | None = None
    """For ``yolo``: rows hold key points after the box: how many, and how many numbers each; the box is read."""
    groups: Literal["join", "apart"] | None = None
    """For ``labelme`` and ``cvat``: shapes of one class with the same group_id are one object (``join``, the default of
    ``labelme``), or each is one (``apart``)."""
    coordinates: Literal["pixels", "shares"] | None = None
    """For ``csv-boxes``: whether the numbers are pixels or shares of the sides. Default: pixels, if one is above 1."""
    predictions: StrictBool | None = None
    """For ``label-studio``: the predictions of a task without annotations are its labels."""
    values: Values | None = None
    """For ``masks``: the value or the colour (``[255, 0, 0]``) of each class, or the list of them that a tool wrote
    (``labelmap.txt``, ``class_names.txt``). Default: the classes have the values 1, 2, 3, ..."""


class UltralyticsConfig(Section):
    """The ``data.yaml`` that YOLO tools write: read as it is if it has ``names`` and no ``format``."""

    path: FileName | None = None
    train: MaybeFolders = None
    val: MaybeFolders = None
    test: MaybeFolders = None
    names: Classes
    nc: Annotated[int, Field(ge=1)] | None = None
    rows: Literal["polygons"] | None = None
    """As in `DatasetConfig`: the file itself does not distinguish polygons from key points."""
    kpt_shape: KeyPoints | None = None
    # Other tools' notes, which have no meaning here:
    download: Any = None
    roboflow: Any = None
    channels: Any = None
    flip_idx: Any = None
    kpt_names: Any = None
    kpt_oks_sigmas: Any = None
    skeleton: Any = None
    colors: Any = None
    is_coco: Any = None
    minival: Any = None
    author: Any = None
    date: Any = None
    description: Any = None
    license: Any = None
    task: Any = None
    url: Any = None
    version: Any = None

    @model_validator(mode="after")
    def _check(self) -> UltralyticsConfig:
        if self.nc is not None and isinstance(self.names, tuple) and self.nc != len(self.names):
            verb = "is" if len(self.names) == 1 else "are"
            raise ValueError(f"nc is {self.nc}, but there {verb} {counted(len(self.names), 'name')}")
        return self
