"""A data set as its YAML describes it: its splits, its classes and how to read its labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from lightdet.data.formats.label_file import Outside
from lightdet.data.formats.rules import PLAIN_RULES, Rules
from lightdet.data.formats.yolo import PLAIN_ROWS, Rows
from lightdet.data.label_places import LABEL_SUFFIX, custom_folder
from lightdet.data.paths import near_folder
from lightdet.data.split_words import VAL_ALIASES
from lightdet.errors import UserError

Format = Literal["yolo", "voc", "coco", "deeppcb", "labelme", "cvat", "label-studio", "csv-boxes", "masks"]
"""Formats that mark boxes."""
SET_FORMATS = ("coco", "cvat", "label-studio", "csv-boxes")
"""Formats whose files hold the boxes of many pictures, under the names of the classes."""
ClassFormat = Literal["folders", "csv"]
"""Formats that give each picture one class: `lightdet.data.class_records` reads them."""
LabelKind = Literal["boxes", "class"]
"""The kind of labels: any number of boxes per picture, or one class."""
OnError = Literal["fail", "skip"]


@dataclass(frozen=True)
class SplitSpec:
    """The files of one split; all paths absolute or relative to the working folder.

    Attributes:
        images: folders of pictures. Without `listings` every picture below them belongs to the split.
        labels: the folder of label files, or the COCO JSON file. None: the folder beside the pictures by the
            format's convention (``images`` → ``labels``, ``JPEGImages`` → ``Annotations``), or their own.
            For ``csv`` the CSV file.
        listings: text files that name the split's pictures, one per line: a stem, a file name or a path.
        unlabelled: what a picture without a label file means. ``auto``: background for YOLO (unless no picture
            of the split has one), an error for VOC and DeepPCB.
        declared: the file and 1-based line that name the split, for messages.
        parts: for a split put together from others: those; the rest is then empty.
        only: its pictures among those of `parts`, by `lightdet.data.paths.below_root`.
        origin: for a part, the split that it is: a file of labels with a column for the split is read under that name.
        siblings: for a part, all splits of the data set that it is from.
    """

    images: tuple[Path, ...]
    labels: Path | None = None
    listings: tuple[Path, ...] = ()
    unlabelled: Literal["auto", "background", "error"] = "auto"
    declared: tuple[Path | None, int | None] = (None, None)
    parts: tuple[SplitSpec, ...] = ()
    only: frozenset[str] = frozenset()
    origin: str | None = None
    siblings: tuple[str, ...] = ()

    def known(self, spec: DatasetSpec) -> tuple[str, ...]:
        """The names of the splits that the file of this one may put a picture into."""
        return self.siblings or (*spec.splits, *spec.absent)


@dataclass(frozen=True)
class DatasetSpec:
    """A data set as its YAML describes it; only names, no file is opened.

    Attributes:
        root: the folder that holds the data.
        classes: the class names, by label.
        splits: by name, such as ``train``, ``val``, ``test``.
        bit_depth: significant bits of 16-bit pictures (9-16), for `lightdet.data.images.read_image`.
        path: the YAML file, for messages.
        outside: whether a box that reaches outside its picture is an error or is cut at the border.
        bad: for classes of whole pictures, the classes of bad parts; empty if the data set does not say.
        first_pixel: for ``voc``, what corners are counted from; None: what the files show.
        rows: for ``yolo``, what rows of more than five columns hold.
        rules: what the YAML says about labels that could be read in two ways.
        notes: what a folder without a YAML was taken for, and what was drawn.
        absent: missing splits that the YAML names, other than ``train`` and ``val``: the reason for each.
        sources: the splits that those of `parts` are put together from; empty if there are none.
        members: for a data set joined from others: those. `lightdet.data.joined` reads it.
    """

    name: str
    root: Path
    format: Format | ClassFormat
    classes: tuple[str, ...]
    splits: dict[str, SplitSpec]
    bit_depth: int = 16
    path: Path | None = None
    outside: Outside = "error"
    bad: tuple[str, ...] = ()
    first_pixel: Literal[0, 1] | None = None
    rows: Rows = PLAIN_ROWS
    rules: Rules = PLAIN_RULES
    absent: dict[str, UserError] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sources: dict[str, SplitSpec] = field(default_factory=dict)
    members: tuple[DatasetSpec, ...] = ()

    @property
    def label_kind(self) -> LabelKind:
        """What each picture is labelled with: boxes, or a class."""
        return "class" if self.format in get_args(ClassFormat) else "boxes"

    def split(self, name: str) -> SplitSpec:
        """Return the split `name`; a UserError that lists the known ones if there is none."""
        if name in self.absent:
            raise self.absent[name]
        if name not in self.splits:
            raise UserError(f"there is no split '{name}'; the data set has {', '.join(self.splits)}", path=self.path)
        return self.splits[name]

    def files(self) -> list[Path]:
        """The files that name its pictures and hold its labels, where its YAML names them."""
        own = [] if self.path is None else [self.path]
        places = (self.sources or self.splits).values()
        named = [[*place.listings, *([] if place.labels is None else [place.labels])] for place in places]
        return [*own, *(path for each in named for path in each), *(p for each in self.members for p in each.files())]

    def is_label(self, path: Path) -> bool:
        """Whether a file is where its labels are, in the format of one file per picture, and has their ending."""
        if any(each.is_label(path) for each in self.members):
            return True
        if path.suffix.lower() != LABEL_SUFFIX.get(self.format) or not path.is_file():
            return False
        folders: set[Path] = set()
        for place in (self.sources or self.splits).values():
            beside = [*place.images, *(custom_folder(self.format, folder) for folder in place.images)]
            listed = [self.root] if place.listings else []
            folders |= {each for each in ([*beside, *listed] if place.labels is None else [place.labels]) if each}
        return any(path.resolve().is_relative_to(folder.resolve()) for folder in folders)

    def chosen(self, names: Sequence[str], only: Iterable[str]) -> SplitSpec:
        """A split of the pictures `only` (`lightdet.data.paths.below_root`) of those of the splits `names`."""
        known = (*self.splits, *self.absent)
        parts = tuple(replace(place, origin=name, siblings=known) for name in names for place in [self.split(name)])
        return SplitSpec((), parts=parts, only=frozenset(only), declared=parts[0].declared)

    def put_together(self, splits: dict[str, SplitSpec]) -> DatasetSpec:
        """Return the data set with other splits, of those that are `chosen`.

        What all files together say, such as what corners are counted from, is still asked of all: also of a split that
        is left out.
        """
        return replace(self, splits=splits, sources=self.sources or self.splits)

    def remarks(self) -> list[str]:
        """What a user should know before the data set is used: `notes`, and a line for each split of `absent`."""
        return [*self.notes, *(f"{error.message}; it is left out" for error in self.absent.values())]

    def misnamed_val(self) -> str | None:
        """The split that is probably meant for validation but has another name; None if there is ``val``."""
        other = (name for name in self.splits if name.lower() in VAL_ALIASES)
        return None if "val" in self.splits else next(other, None)

    def split_error(self, name: str, message: str) -> UserError:
        """An error about the split `name`, with the line of the YAML that names it if known."""
        path, line = self.splits[name].declared
        return UserError(message, path=path or self.path, line=line)


def check_there(spec: DatasetSpec, split: str, place: SplitSpec) -> None:
    """Refuse a split whose folders or files are missing, naming the line of the YAML that asks for them."""

    def refuse(what: str, path: Path, hint: str = "") -> UserError:
        fault = "is no folder" if path.exists() else "does not exist"
        remedy = "" if split == "train" else f" (correct it, or remove the split '{split}')"
        return spec.split_error(split, f"the {what} of the split '{split}' {fault}: {path}{hint}{remedy}")

    for listing in place.listings:
        if not listing.exists():
            raise refuse("list", listing, _slashes(listing))
    if spec.format in (*SET_FORMATS, "csv"):  # its entries may name pictures other than through the folder
        if place.labels is not None and not place.labels.exists():
            raise refuse(
                f"{spec.format.upper()} file" if spec.format in ("coco", "csv", "cvat") else "file of labels",
                place.labels,
                _slashes(place.labels),
            )
        return
    for folder in place.images:
        if not folder.is_dir():
            raise refuse("picture folder", folder, near_folder(folder, spec.root))
    if place.labels is not None and not place.labels.is_dir():
        raise refuse("label folder", place.labels, near_folder(place.labels, spec.root))


def _slashes(path: Path) -> str:
    return "; write / instead of \\ in the YAML" if "\\" in path.name else ""
