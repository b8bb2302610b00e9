"""What a data set is, and how one of its splits becomes annotations."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from lightdet.data.faults import DataError
from lightdet.data.formats.coco import parse_coco
from lightdet.data.formats.deeppcb import parse_deeppcb
from lightdet.data.formats.label_file import LabelFile, Outside
from lightdet.data.formats.voc import parse_voc
from lightdet.data.formats.yolo import parse_yolo
from lightdet.data.images import image_size
from lightdet.data.pairing import Pair, find_pairs, first_file, list_entries, near_folder, orphan_labels
from lightdet.errors import UserError
from lightdet.structures import Annotation

Format = Literal["yolo", "voc", "coco", "deeppcb"]
"""Formats that mark boxes."""
ClassFormat = Literal["folders", "csv"]
"""Formats that give each picture one class: `lightdet.data.image_labels` reads them."""
OnError = Literal["fail", "skip"]
VAL_ALIASES = ("valid", "validate", "validation", "vall", "eval", "dev")


@dataclass(frozen=True)
class SplitSpec:
    """Where one split lies; all paths absolute or relative to the working folder.

    Attributes:
        images: folders of pictures. Without `listing` every picture below them belongs to the split.
        labels: the folder of label files, or the COCO JSON file. None: the folder beside the pictures that the
            format's custom gives (``images`` → ``labels``, ``JPEGImages`` → ``Annotations``), or their own.
            For ``csv`` the CSV file.
        listing: a text file that names the split's pictures, one a line: a stem, a file name or a path.
        unlabelled: what a picture without label file means. ``auto``: background for YOLO (unless no picture
            of the split has one), an error for VOC and DeepPCB.
        declared: the file and 1-based line that name the split, for messages.
    """

    images: tuple[Path, ...]
    labels: Path | None = None
    listing: Path | None = None
    unlabelled: Literal["auto", "background", "error"] = "auto"
    declared: tuple[Path | None, int | None] = (None, None)


@dataclass(frozen=True)
class DatasetSpec:
    """A data set as its YAML describes it; nothing but names, no file is opened for it.

    Attributes:
        root: the folder that holds the data.
        classes: the class names, by label.
        splits: by name, such as ``train``, ``val``, ``test``.
        bit_depth: significant bits of 16-bit pictures (9-16), for `lightdet.data.images.read_image`.
        path: the YAML file, for messages.
        outside: whether a box that reaches outside its picture is an error or is cut at the border.
        bad: of classes of whole pictures, those of bad parts; empty where the data set does not say.
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

    @property
    def labels_pictures(self) -> bool:
        """Whether each picture has one class, and no boxes."""
        return self.format in get_args(ClassFormat)

    def split(self, name: str) -> SplitSpec:
        """Return the split `name`; a UserError that lists the known ones if there is none."""
        if name not in self.splits:
            raise UserError(f"there is no split '{name}'; the data set has {', '.join(self.splits)}", path=self.path)
        return self.splits[name]

    def misnamed_val(self) -> str | None:
        """The split that is likely meant for validation but has another name; None if there is ``val``."""
        other = (name for name in self.splits if name.lower() in VAL_ALIASES)
        return None if "val" in self.splits else next(other, None)

    def split_error(self, name: str, message: str) -> UserError:
        """An error about the split `name`, at the line of the YAML that names it where that is known."""
        path, line = self.splits[name].declared
        return UserError(message, path=path or self.path, line=line)


@dataclass
class Record:
    """A picture of a split and its labels; `labels` is None where the picture or its label file was not found."""

    image: Path
    labels: LabelFile | None = None
    problems: list[DataError] = field(default_factory=list)


def read_split(
    spec: DatasetSpec, split: str, *, on_error: OnError = "fail"
) -> tuple[list[Annotation], list[UserError]]:
    """Read the annotations of `split`, in the order of its list (or of the sorted paths).

    Pixels are not decoded: sizes come from the headers.

    Returns:
        The annotations, and with ``on_error="skip"`` one error for each picture or label file left out.

    Raises:
        UserError: the first fault (with its file and line) if `on_error` is ``fail``; in any case an unknown or
            empty split, a folder or list that is missing, or a split without a single good picture.
    """
    records, faults = split_records(spec, split)
    if on_error == "fail" and faults:
        raise faults[0]
    skipped: list[UserError] = list(faults)
    annotations = []
    for record in records:
        try:
            if record.problems:
                raise record.problems[0]
            if record.labels is not None:
                annotations.append(record.labels.annotation(record.image))
        except UserError as error:
            if on_error == "fail":
                raise
            skipped.append(error)
    if not annotations:
        raise spec.split_error(split, f"no usable picture in the split '{split}'; the first fault: {skipped[0]}")
    return annotations, skipped


def split_records(spec: DatasetSpec, split: str) -> tuple[list[Record], list[DataError]]:
    """Read every picture's header and label file of `split`, noting faults instead of raising them.

    Returns:
        The records, and the faults that belong to no picture (list entries, labels without picture).

    Raises:
        UserError: an unknown or empty split, or a folder, list or JSON file that is missing.
    """
    if spec.labels_pictures:
        raise UserError(
            f"this data set gives each picture a class and marks no boxes (format: {spec.format}): it is for "
            "classifiers (--config configs/classify/….yaml), not for a detector",
            path=spec.path,
        )
    place = spec.split(split)
    check_there(spec, split, place)
    records, faults = _coco_records(spec, place) if spec.format == "coco" else _paired_records(spec, split, place)
    if not records:
        where = place.listing or ", ".join(str(folder) for folder in place.images)
        first = f"; the first fault: {faults[0]}" if faults else ""
        raise spec.split_error(split, f"the split '{split}' holds no pictures (looked in {where}){first}")
    return records, faults


def check_there(spec: DatasetSpec, split: str, place: SplitSpec) -> None:
    """Refuse a split whose folders or files are missing, naming the line of the YAML that asks for them."""

    def refuse(what: str, path: Path, hint: str = "") -> UserError:
        fault = "is no folder" if path.exists() else "does not exist"
        remedy = "" if split == "train" else f" (correct it, or take the split '{split}' out)"
        return spec.split_error(split, f"the {what} of the split '{split}' {fault}: {path}{hint}{remedy}")

    if place.listing is not None and not place.listing.exists():
        raise refuse("list", place.listing)
    if spec.format in ("coco", "csv"):  # its entries may name pictures by other ways than the folder
        if place.labels is not None and not place.labels.exists():
            raise refuse(f"{spec.format.upper()} file", place.labels)
        return
    for folder in place.images:
        if not folder.is_dir():
            raise refuse("picture folder", folder, near_folder(folder))
    if place.labels is not None and not place.labels.is_dir():
        raise refuse("label folder", place.labels, near_folder(place.labels))


def _paired_records(spec: DatasetSpec, split: str, place: SplitSpec) -> tuple[list[Record], list[DataError]]:
    pairs, faults = find_pairs(spec.format, spec.root, place.images, place.labels, place.listing)
    background = place.unlabelled == "background" or (place.unlabelled == "auto" and spec.format == "yolo")
    if pairs and place.unlabelled == "auto" and all(pair.label is None for pair in pairs):
        message = (
            f"no picture of the split '{split}' has a label file; expected for example {pairs[0].expected}"
            f" (set 'labels' to their folder, or 'unlabelled: background' if all are free of defects)"
        )
        raise spec.split_error(split, message)
    folders = {name: (other.images, other.labels) for name, other in spec.splits.items()}
    orphans = orphan_labels(spec.format, spec.root, folders, split, pairs)
    message = "the label file has no picture; add the picture or remove it"
    faults += [DataError(message, "missing-picture", path=path) for path in orphans]
    return [_paired_record(spec, pair, background) for pair in pairs], faults


def _paired_record(spec: DatasetSpec, pair: Pair, background: bool) -> Record:
    record = Record(pair.image)
    try:
        size = image_size(pair.image)
    except UserError as error:
        record.problems.append(DataError(error.message, "picture", path=error.path))
        return record
    if pair.label is not None:
        parse = {"yolo": parse_yolo, "voc": parse_voc, "deeppcb": parse_deeppcb}[spec.format]
        record.labels = parse(pair.label, size, spec.classes, spec.outside)
        record.problems += record.labels.problems
    elif background:
        record.labels = LabelFile(None, size, spec.classes)
    else:
        message = f"the picture has no label file; expected {pair.expected} (or set 'unlabelled: background')"
        record.problems.append(DataError(message, "missing-label", path=pair.image))
    return record


def _coco_records(spec: DatasetSpec, place: SplitSpec) -> tuple[list[Record], list[DataError]]:
    if place.labels is None:
        raise UserError("a COCO split needs 'labels: FILE.json'", path=spec.path)
    file = parse_coco(place.labels)
    faults, images = list(file.problems), file.images
    if place.listing is not None:
        by_name = {image.file_name: image for image in images} | {Path(i.file_name).name: i for i in images}
        images = []
        for line, entry in list_entries(place.listing):
            image = by_name.get(entry) or by_name.get(Path(entry).name)
            if image is None:
                message = f"'{entry}' is not among the images of {place.labels}"
                faults.append(DataError(message, "missing-picture", path=place.listing, line=line))
            else:
                images.append(image)
    folders = (*place.images, place.labels.parent, spec.root)
    records = []
    for image in images:
        path = first_file([folder / image.file_name for folder in folders])
        record = Record(path or folders[0] / image.file_name)
        records.append(record)
        if path is None:
            message = f"there is no picture '{image.file_name}' in {folders[0]}"
            record.problems.append(DataError(message, "missing-picture", path=place.labels, line=image.line))
            continue
        try:
            size = image_size(path)
        except UserError as error:
            record.problems.append(DataError(error.message, "picture", path=error.path))
            continue
        record.labels = file.labels_of(image, size, spec.classes, spec.outside)
        record.problems += record.labels.problems
    return records, faults
