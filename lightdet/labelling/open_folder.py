"""From a path on the command line to the folder that is labelled and its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from lightdet.assembly.dataset import load_dataset, recognised_spec
from lightdet.assembly.dataset_hint import the_one, yaml_in
from lightdet.assembly.recognition import TITLES, Recognised, class_lists, recognise
from lightdet.data.box_classes import find_box_classes
from lightdet.data.class_list import read_class_names
from lightdet.data.formats.coco import parse_coco
from lightdet.data.scanning import list_entries
from lightdet.data.spec import ClassFormat, DatasetSpec, SplitSpec
from lightdet.errors import UserError
from lightdet.labelling.coco_file import new_coco_file
from lightdet.labelling.folder import Folder, in_order, pictures_of
from lightdet.labelling.history import History

WRITTEN = ("labelme", "yolo", "voc", "coco")
"""Formats that are changed in place; the first is that of a folder without labels."""
HIDDEN = ".lightdet"
"""The folder, within the one that is labelled, for what lightdet keeps of it."""
_NO_CLASS = ("no class yet",)
"""Stands for the classes until they are known: a data set has at least one."""


def open_folder(
    path: Path,
    form: str | None = None,
    classes: Sequence[str] = (),
    order: Path | None = None,
    *,
    usual: Sequence[str] = (),
) -> tuple[Folder, History]:
    """Find the pictures of a folder, or of a data set's YAML, and how their labels are read and written.

    Args:
        path: the folder or the YAML.
        form: the format, where the folder could be in several or has no labels.
        classes: class names, where nothing lists them.
        order: a list of pictures: those are shown, in its order.
        usual: class names to begin with, where nothing gives any: those of a model.

    Raises:
        UserError: the format is not written in place, is not clear, or something is missing or broken.
    """
    described = path if path.is_file() else yaml_in(path) if path.is_dir() else None
    if described is not None:
        spec = load_dataset(path, draw=False)
        if form not in (None, spec.format) or classes:
            what = "--classes" if classes else "--format"
            raise UserError(f"the YAML says that already; leave out {what}", path=described)
        _check_written(spec.format, path)
        history = History(spec.root / HIDDEN / "labelling.jsonl")
        folder = Folder(spec.root, TITLES[spec.format], [], list(spec.classes), described, False, list(spec.notes))
    else:
        if not path.is_dir():
            raise UserError("no such folder; give a folder of pictures, or a data set's YAML", path=path)
        history = History(path / HIDDEN / "labelling.jsonl")
        spec, folder = _without_yaml(path, form, classes, history, usual)
    folder.numbered = spec.format == "yolo"
    folder.note_list()
    folder.pictures = pictures_of(spec, folder.classes, folder.notes)
    if not folder.pictures:
        raise UserError("holds no picture that can be read", path=path)
    if order is not None:
        everything, folder.pictures = folder.pictures, in_order(folder.pictures, list(list_entries(order)), order)
        shown = {picture.name for picture in folder.pictures}
        folder.left_out = [picture for picture in everything if picture.name not in shown]
    return folder, history


def _check_written(form: str, path: Path) -> None:
    """Refuse formats that are not written in place, naming the way out."""
    if form in WRITTEN:
        return
    if form in get_args(ClassFormat):
        raise UserError(f"is read as {TITLES[form]}, which marks no boxes; to draw some, give --format yolo", path=path)
    raise UserError(
        f"is read as {TITLES[form]}, which is not written in place; convert it first: "
        f"lightdet data convert --data {path} --format yolo --output NEW",
        path=path,
    )


def _without_yaml(
    path: Path, form: str | None, classes: Sequence[str], history: History, usual: Sequence[str]
) -> tuple[DatasetSpec, Folder]:
    begun = history.format if history.last is not None or history.classes else None
    wanted = form or begun
    found = recognise(path)
    if wanted is None and found:
        _check_written(the_kind(path, found).format, path)
    boxes = [each for each in found if each.format not in get_args(ClassFormat)]
    chosen = [each for each in boxes if wanted in (None, each.format)]
    if not chosen and boxes and form != begun:
        _refuse_others(path, boxes, form, begun)
    if not chosen:
        spec, folder = _new(path, wanted or history.format or WRITTEN[0], classes, history, usual)
        if form not in (None, history.format):
            history.choose(form)
        return spec, folder
    spec, folder = _labelled(path, chosen, classes, history, usual)
    folder.begin = form if history.format is not None else None
    if form is None:
        folder.notes += [
            f"{TITLES[each.format]} is there as well and not read; --format {each.format} reads it"
            for each in boxes
            if each not in chosen and each.format in WRITTEN
        ]
    return spec, folder


def _refuse_others(path: Path, boxes: Sequence[Recognised], form: str | None, begun: str | None) -> None:
    """Refuse to write a format where the labels are of others.

    Raises:
        UserError: always; it names what there is.
    """
    if form is not None or begun is None:
        the_one(path, boxes, form)  # says what it looks like
        return
    ways = " or ".join(f"--format {each}" for each in (*(each.format for each in boxes), begun) if each in WRITTEN)
    there = " and ".join(TITLES[each.format] for each in boxes)
    raise UserError(f"holds {there}, but was begun here as {TITLES[begun]}; choose with {ways}", path=path)


def _labelled(
    path: Path, chosen: Sequence[Recognised], classes: Sequence[str], history: History, usual: Sequence[str]
) -> tuple[DatasetSpec, Folder]:
    """A folder that has labels."""
    if len(chosen) == 1 and chosen[0].format == "yolo" and chosen[0].fault is None:
        return _yolo(path, chosen[0], classes)
    only = the_one(path, chosen)
    spec = recognised_spec(path, replace(only, values={**only.values, "classes": list(_NO_CLASS)}), draw=False)
    named = _named(spec)
    known = list(dict.fromkeys([*history.classes, *named, *classes])) or list(usual)
    folder = Folder(path, TITLES[spec.format], [], known)
    folder.notes.append(f"{path} is read as {folder.title}")
    return replace(spec, classes=tuple(known) or _NO_CLASS), folder


def the_kind(path: Path, found: Sequence[Recognised]) -> Recognised:
    """The one format of those found whose labels could be changed; what is missing is seen to later."""
    if len(found) > 1:
        the_one(path, found)
    return found[0]


def _yolo(path: Path, only: Recognised, classes: Sequence[str]) -> tuple[DatasetSpec, Folder]:
    """YOLO's labels only number their classes: the names are in a file, or come from the command line."""
    lists = class_lists(path)
    if classes and not lists:
        only = replace(only, values={"classes": list(classes), **only.values}, lacks="")
    elif classes and list(classes) != list(only.values.get("classes", [])):
        raise UserError("lists the classes; leave out --classes", path=lists[0])
    spec = recognised_spec(path, the_one(path, [only]), draw=False)
    home = lists[0] if len(lists) == 1 else path / "classes.txt" if not lists else None
    folder = Folder(path, TITLES["yolo"], [], list(spec.classes), home, home is not None, list(spec.notes))
    if not lists:
        folder.write_classes()
    return spec, folder


def _named(spec: DatasetSpec) -> list[str]:
    """The classes that the labels name; none if none does."""
    try:
        if spec.format == "coco":
            files = dict.fromkeys(place.labels for place in spec.splits.values() if place.labels is not None)
            return list(dict.fromkeys(name for file in files for name in parse_coco(file).class_names()))
        return list(find_box_classes(spec.format, spec.root, spec.splits, spec.rules))
    except UserError as error:
        if "no classes can be found" in error.message:
            return []
        raise


def _new(
    path: Path, form: str, classes: Sequence[str], history: History, usual: Sequence[str]
) -> tuple[DatasetSpec, Folder]:
    """A folder without labels."""
    _check_written(form, path)
    known = list(dict.fromkeys([*history.classes, *classes])) or list(usual)
    if form == "yolo" and (lists := class_lists(path)):
        known = list(read_class_names(lists[0], form))
    labels = path / "annotations.json" if form == "coco" else None
    if labels is not None:
        new_coco_file(labels, known)
    home = path / "classes.txt" if form == "yolo" else None
    place = SplitSpec((path,), labels, unlabelled="background")
    spec = DatasetSpec(path.absolute().name or "pictures", path, form, tuple(known), {"train": place}, path=path)  # type: ignore[arg-type]
    folder = Folder(path, TITLES[form], [], known, home)
    folder.notes.append(f"{path} has no labels yet: they are written as {folder.title}")
    folder.begin = form
    if home is not None and known:
        folder.write_classes()
    return spec, folder
