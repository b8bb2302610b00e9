"""From a data set's YAML to a `DatasetSpec`: the root, the paths below it, the class names."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import get_args

from lightdet.build.dataset_hint import refuse_configuration, refuse_other_kinds
from lightdet.config import YamlFile, load_yaml, validate
from lightdet.config.dataset import DatasetConfig, SplitConfig, UltralyticsConfig, check_class_names
from lightdet.data.class_list import read_class_names
from lightdet.data.dataset import ClassFormat, DatasetSpec, SplitSpec
from lightdet.data.formats.coco import parse_coco
from lightdet.data.image_labels import find_classes
from lightdet.errors import UserError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def load_dataset(path: str | Path, data_root: str | Path | None = None) -> DatasetSpec:
    """Read a data set's YAML (`lightdet.config.dataset`), or the ``data.yaml`` of YOLO tools.

    Args:
        path: the YAML file.
        data_root: the folder of the data; replaces the YAML's ``root``.

    Raises:
        UserError: a fault in the YAML, an environment variable that is not set, a root or class file that is missing.
    """
    refuse_other_kinds(Path(path))
    file = load_yaml(path)
    refuse_configuration(file)
    if "format" not in file.values and "names" in file.values:
        return _from_ultralytics(validate(UltralyticsConfig, file), file, data_root)
    config = validate(DatasetConfig, file)
    root = _root(config.root, ("root",), file, data_root)
    splits = {name: _split(split, config, root, file, name) for name, split in config.splits.items()}
    classes = _classes(config, root, splits, file)
    return DatasetSpec(
        name=config.name or _yaml_path(file).stem,
        root=root,
        format=config.format,
        classes=classes,
        splits=splits,
        bit_depth=config.bit_depth,
        path=file.path,
        outside=config.outside,
        bad=_bad(config, classes, file),
    )


def _yaml_path(file: YamlFile) -> Path:
    return file.path or Path("dataset.yaml")


def _error(message: str, file: YamlFile, *key: str) -> UserError:
    path, line = file.place(key)
    return UserError(message, path=path, line=line)


def _root(text: str, key: tuple[str, ...], file: YamlFile, data_root: str | Path | None) -> Path:
    if data_root is not None:
        root = Path(data_root).expanduser()
        if not root.is_dir():
            raise UserError("the folder given with --data-root does not exist", path=root)
        return root

    def variable(match: re.Match[str]) -> str:
        name = match.group(1)
        value = os.environ.get(name)
        if not value:
            message = f"the environment variable {name} is not set; set it, or give the data's folder with --data-root"
            raise _error(message, file, *key)
        return value

    expanded = Path(_VARIABLE.sub(variable, text)).expanduser()
    root = _yaml_path(file).parent / expanded
    if not root.is_dir():
        message = f"the data's folder {root} does not exist; correct 'root', or give the folder with --data-root"
        raise _error(message, file, *key)
    return root


def _below(root: Path, name: str, file: YamlFile) -> Path:
    """A path relative to the root, or to the YAML if it lies only there."""
    below, beside = root / Path(name).expanduser(), _yaml_path(file).parent / name
    if below.is_file() and beside.is_file() and not below.samefile(beside):
        message = f"'{name}' could be {below} or {beside}; write the path of the one that is meant"
        raise UserError(message, path=file.path)
    return beside if not below.exists() and beside.exists() else below


def _split(split: SplitConfig, config: DatasetConfig, root: Path, file: YamlFile, name: str) -> SplitSpec:
    folders = split.images or config.images
    images = tuple(root / folder for folder in folders) if folders else ()
    label_name = split.labels or config.labels
    labels = _below(root, label_name, file) if label_name else None
    listing = _below(root, split.list, file) if split.list else None
    if config.format == "coco":
        labels = labels or _json_beside(images)
        if labels is None:
            raise _error(f"the COCO split '{name}' needs 'labels: FILE.json'", file, "splits", name)
        images = images or (root,)
    if config.format == "csv":
        if labels is None or listing is not None:
            raise _error(f"the split '{name}' needs 'labels: FILE.csv' (and no 'list')", file, "splits", name)
        return SplitSpec(images, labels, declared=file.place(("splits", name)))
    if config.format == "folders" and labels is not None:
        raise _error(f"the split '{name}': format folders has no 'labels'; the folders are", file, "splits", name)
    if not images and listing is None:
        raise _error(f"the split '{name}' needs 'images' (a folder) or 'list' (a text file)", file, "splits", name)
    return SplitSpec(images, labels, listing, split.unlabelled, file.place(("splits", name)))


def _json_beside(images: tuple[Path, ...]) -> Path | None:
    """The one JSON file that lies with the pictures, as some exports have it."""
    found = [path for folder in images if folder.is_dir() for path in folder.glob("*.json")]
    return found[0] if len(found) == 1 else None


def _classes(config: DatasetConfig, root: Path, splits: dict[str, SplitSpec], file: YamlFile) -> tuple[str, ...]:
    if isinstance(config.classes, tuple):
        return config.classes
    if config.classes is not None:
        path = _below(root, config.classes, file)
        try:
            return check_class_names(read_class_names(path, config.format))
        except ValueError as error:
            raise UserError(f"the class list {error}", path=path) from None
    if config.format in get_args(ClassFormat):
        try:
            return check_class_names(find_classes(config.format, root, splits))
        except ValueError as error:
            raise UserError(f"the list of classes {error}; add 'classes'", path=file.path) from None
    labels = next((split.labels for split in splits.values() if split.labels), None)
    if config.format != "coco" or labels is None:
        raise UserError("the key 'classes' is missing: list the names in the order of their ids", path=file.path)
    categories = parse_coco(labels).categories
    try:
        return check_class_names(categories[number] for number in sorted(categories))
    except ValueError as error:
        raise UserError(f"the list of categories {error}", path=labels) from None


def _bad(config: DatasetConfig, classes: tuple[str, ...], file: YamlFile) -> tuple[str, ...]:
    """The classes of bad parts that the YAML names, if it does."""
    if config.bad is None:
        return ()
    if config.format not in get_args(ClassFormat):
        raise _error(
            "'bad' names classes of whole pictures; a picture with boxes is bad by them: take it out", file, "bad"
        )
    for name in config.bad:
        if name not in classes:
            raise _error(f"'bad': there is no class '{name}'; the classes are {', '.join(classes)}", file, "bad")
    if len(config.bad) == len(classes):
        raise _error("'bad' names every class; one at least must be good", file, "bad")
    return config.bad


def _from_ultralytics(config: UltralyticsConfig, file: YamlFile, data_root: str | Path | None) -> DatasetSpec:
    root = _root(config.path, ("path",), file, data_root)
    splits = {}
    for name in ("train", "val", "test"):
        entries: tuple[str, ...] | None = getattr(config, name)
        if not entries:
            continue
        if len(entries) == 1 and entries[0].lower().endswith(".txt"):
            splits[name] = SplitSpec((), None, _below(root, entries[0], file), declared=file.place((name,)))
        else:
            folders = tuple(_picture_folder(root, entry) for entry in entries)
            splits[name] = SplitSpec(folders, declared=file.place((name,)))
    if not splits:
        raise UserError("names no split; add 'train' and 'val'", path=file.path)
    if not isinstance(config.names, tuple):
        raise _error("'names' must list the class names", file, "names")
    return DatasetSpec(_yaml_path(file).stem, root, "yolo", config.names, splits, path=file.path)


def _picture_folder(root: Path, entry: str) -> Path:
    """Some exports write ``../train/images`` for a folder that lies beside their YAML."""
    folder = root / entry
    beside = root / entry.removeprefix("../")
    return beside if not folder.is_dir() and beside.is_dir() else folder
