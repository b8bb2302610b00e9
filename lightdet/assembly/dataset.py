"""From a data set's YAML to a `DatasetSpec`: its splits and its class names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from lightdet.assembly.dataset_hint import refuse_configuration, refuse_other_kinds, the_one, yaml_in
from lightdet.assembly.recognition import TITLES, Recognised, recognise
from lightdet.assembly.yaml_paths import below, data_folder, error_at, picture_folder, yaml_path
from lightdet.config import YamlFile, load_yaml, validate
from lightdet.config.dataset import DatasetConfig, SplitConfig, UltralyticsConfig, check_class_names
from lightdet.data.box_classes import NAMED, find_box_classes
from lightdet.data.class_list import read_class_names
from lightdet.data.class_names import Place, check_spellings
from lightdet.data.class_records import find_classes
from lightdet.data.drawn import SEED, SHARE, with_validation
from lightdet.data.formats.coco import parse_coco
from lightdet.data.formats.masks import Value, read_values
from lightdet.data.formats.rules import Rules
from lightdet.data.formats.yolo import Rows
from lightdet.data.scanning import scan_pictures
from lightdet.data.spec import SET_FORMATS, ClassFormat, DatasetSpec, SplitSpec, check_there
from lightdet.errors import UserError
from lightdet.storage.datasets import local_dataset
from lightdet.storage.kept import shown_path

_KEYS_OF = {"first_pixel": ("voc",), "rows": ("yolo",), "kpt_shape": ("yolo",), "groups": ("labelme", "cvat")}
_KEYS_OF |= {"coordinates": ("csv-boxes",), "predictions": ("label-studio",), "values": ("masks",)}
"""Keys that say how the labels of some formats are read."""
_ENDINGS = {"coco": "json", "cvat": "xml", "label-studio": "json", "csv-boxes": "csv"}


def load_dataset(path: str | Path, data_root: str | Path | None = None, *, draw: bool = True) -> DatasetSpec:
    """Read a data set's YAML (`lightdet.config.dataset`), or the ``data.yaml`` of YOLO tools.

    Args:
        path: the YAML file, or a folder: with one such YAML in it, or in a format that can be recognised; or one of
            these by URL or in an archive, which is copied first (docs/storage.md).
        data_root: the folder of the data; replaces the YAML's ``root``.
        draw: draw a validation split from a folder without one; False leaves that out, for work on the labels.

    Raises:
        UserError: a fault in the YAML, an environment variable that is not set, a missing root or class file.
    """
    path = local_dataset(path)
    if path.is_dir():
        return _from_folder(path, data_root, draw=draw)
    refuse_other_kinds(path)
    file = load_yaml(path)
    refuse_configuration(file)
    if "format" not in file.values and "names" in file.values:
        return _from_ultralytics(validate(UltralyticsConfig, file), file, data_root)
    if "format" not in file.values and "splits" not in file.values and {"train", "val", "nc"} & set(file.values):
        raise UserError("the key 'names' is missing: list the class names in the order of their ids", path=file.path)
    return _from_config(file, data_root)


def _from_folder(folder: Path, data_root: str | Path | None, *, draw: bool) -> DatasetSpec:
    """The data set of a folder: by the one YAML in it, or by what its files are."""
    if data_root is not None:
        raise UserError("give the folder with --data alone: --data-root replaces the root of a YAML", path=folder)
    described = yaml_in(folder)
    if described is not None:
        spec = load_dataset(described)
        inside = described.relative_to(folder).as_posix()
        return replace(spec, notes=(f"{shown_path(folder)} is described by {inside} in it", *spec.notes))
    return recognised_spec(folder, the_one(folder, recognise(folder)), draw=draw)


def recognised_spec(
    folder: Path, found: Recognised, val: float = SHARE, seed: int = SEED, *, draw: bool = True
) -> DatasetSpec:
    """The data set of `folder` in the format that it was recognised in, with a validation split, drawn if `draw`.

    Raises:
        UserError: its labels cannot be read, or name no class.
    """
    name = re.sub(r"[^\w .+-]", "_", folder.absolute().name).lstrip(" .+-") or "dataset"
    values = {"name": name[:100], "root": str(folder.absolute()), "format": found.format, **found.values}
    nowhere = folder / "dataset.yaml"
    try:
        spec = _from_config(YamlFile(values, nowhere), None, name_classes=True)
    except UserError as error:
        raise UserError(
            error.message, path=folder if str(error.path) == str(nowhere) else error.path, line=error.line
        ) from None
    splits = {name: replace(place, declared=(folder, None)) for name, place in spec.splits.items()}
    classes = ", ".join(spec.classes[:10]) + (", ..." if len(spec.classes) > 10 else "")
    note = f"{shown_path(folder)} is read as {TITLES[found.format]}, with the classes {classes}"
    spec = replace(spec, path=folder, splits=splits, notes=(note,))
    return spec if not draw or spec.misnamed_val() or "val" in splits else with_validation(spec, val, seed)


def _from_config(file: YamlFile, data_root: str | Path | None, *, name_classes: bool = False) -> DatasetSpec:
    """`name_classes`: Pascal VOC's classes may come from its labels, because a person reads which they are."""
    config = validate(DatasetConfig, file)
    root = data_folder(config.root, ("root",), file, data_root)
    splits = {name: _split(split, config, root, file, name) for name, split in config.splits.items()}
    _check_format_keys(config, file)
    rules = Rules(config.groups, config.coordinates, bool(config.predictions), _values(config, root, file))
    named = NAMED if name_classes else tuple(form for form in NAMED if form != "voc")
    classes = _classes(config, root, _found_or_needed(splits), rules, file, named)
    spec = DatasetSpec(
        name=config.name or yaml_path(file).stem,
        root=root,
        format=config.format,
        classes=classes,
        splits=splits,
        bit_depth=config.bit_depth,
        path=file.path,
        outside=config.outside,
        bad=_bad(config, classes, file),
        first_pixel=config.first_pixel,
        rows=Rows(config.rows == "polygons", config.kpt_shape),
        rules=rules,
    )
    return _without_absent(spec)


def _split(split: SplitConfig, config: DatasetConfig, root: Path, file: YamlFile, name: str) -> SplitSpec:
    folders = split.images or config.images
    images = tuple(picture_folder(root, folder, file) for folder in folders) if folders else ()
    label_name = split.labels or config.labels
    labels = below(root, label_name, file) if label_name else None
    listings = tuple(below(root, name, file) for name in split.list or ())
    if config.format in SET_FORMATS:
        labels = labels or (_json_beside(images) if config.format == "coco" else None)
        if labels is None:
            shown = {"coco": "the COCO split", "cvat": "the CVAT split"}.get(config.format, "the split")
            raise error_at(f"{shown} '{name}' needs 'labels: FILE.{_ENDINGS[config.format]}'", file, "splits", name)
        images = images or (root,)
    if config.format == "csv":
        if labels is None or listings:
            raise error_at(f"the split '{name}' needs 'labels: FILE.csv' (and no 'list')", file, "splits", name)
        return SplitSpec(images, labels, declared=file.place(("splits", name)))
    if config.format == "folders" and labels is not None:
        raise error_at(f"the split '{name}': format folders has no 'labels'; the folders are", file, "splits", name)
    if not images and not listings:
        raise error_at(f"the split '{name}' needs 'images' (a folder) or 'list' (a text file)", file, "splits", name)
    return SplitSpec(images, labels, listings, split.unlabelled, file.place(("splits", name)))


def _json_beside(images: tuple[Path, ...]) -> Path | None:
    """The one JSON file beside the pictures, as in some exports."""
    found = [path for folder in images if folder.is_dir() for path in folder.glob("*.json")]
    return found[0] if len(found) == 1 else None


def _values(config: DatasetConfig, root: Path, file: YamlFile) -> tuple[tuple[Value, str], ...]:
    """The classes of a mask's values: those of the YAML, or of the list that it names."""
    if isinstance(config.values, str):
        return tuple(read_values(below(root, config.values, file)).items())
    return config.values or ()


def _classes(
    config: DatasetConfig, root: Path, splits: dict[str, SplitSpec], rules: Rules, file: YamlFile, named: Sequence[str]
) -> tuple[str, ...]:
    if isinstance(config.classes, tuple):
        return config.classes
    if config.classes is not None:
        path = below(root, config.classes, file)
        try:
            return check_class_names(read_class_names(path, config.format))
        except ValueError as error:
            raise UserError(f"the class list {error}", path=path) from None
    if config.format in get_args(ClassFormat):
        try:
            return _checked(find_classes(config.format, root, splits))
        except ValueError as error:
            raise UserError(f"the list of classes {error}; add 'classes'", path=file.path) from None
    labels = next((split.labels for split in splits.values() if split.labels), None)
    if config.format not in named:
        raise UserError("the key 'classes' is missing: list the names in the order of their ids", path=file.path)
    try:
        if config.format != "coco" or labels is None:
            return _checked(find_box_classes(config.format, root, splits, rules))
        names = check_class_names(parse_coco(labels).class_names())
        return _checked(dict.fromkeys(names, (labels, None)))
    except ValueError as error:
        way_out = "; or list them under 'classes' in the YAML, and equal names are one class"
        raise UserError(
            f"the list of categories {error}{way_out if 'twice' in str(error) else ''}", path=labels
        ) from None


def _checked(places: Mapping[str, Place]) -> tuple[str, ...]:
    """The names of classes that nobody has listed; two spellings of one name are refused."""
    names = check_class_names(places)
    check_spellings(places)
    return names


def _found_or_needed(splits: dict[str, SplitSpec]) -> dict[str, SplitSpec]:
    """The splits that can give class names: a missing ``test`` is left out later, see `_without_absent`."""

    def there(place: SplitSpec) -> bool:
        return all(path.exists() for path in (*place.images, *place.listings, place.labels) if path is not None)

    return {name: place for name, place in splits.items() if name in ("train", "val") or there(place)} or splits


def _check_format_keys(config: DatasetConfig, file: YamlFile) -> None:
    """Refuse keys that say how the labels of another format are read."""
    for key, forms in _KEYS_OF.items():
        if getattr(config, key) is not None and config.format not in forms:
            told = f"'{key}' is for format {' and '.join(forms)}, and this data set is {config.format}: remove it"
            raise error_at(told, file, key)
    if config.rows is not None and config.kpt_shape is not None:
        raise error_at("rows hold polygons or key points: keep either 'rows' or 'kpt_shape'", file, "rows")


def _bad(config: DatasetConfig, classes: tuple[str, ...], file: YamlFile) -> tuple[str, ...]:
    """The classes of bad parts that the YAML names, if it does."""
    if config.bad is None:
        return ()
    if config.format not in get_args(ClassFormat):
        raise error_at(
            "'bad' names classes of whole pictures; a picture with boxes is bad because of them: remove it", file, "bad"
        )
    for name in config.bad:
        if name not in classes:
            raise error_at(f"'bad': there is no class '{name}'; the classes are {', '.join(classes)}", file, "bad")
    if len(config.bad) == len(classes):
        raise error_at("'bad' names every class; at least one must be good", file, "bad")
    return config.bad


def _from_ultralytics(config: UltralyticsConfig, file: YamlFile, data_root: str | Path | None) -> DatasetSpec:
    root = data_folder(config.path or ".", ("path",), file, data_root)
    splits = {}
    for name in ("train", "val", "test"):
        entries: tuple[str, ...] | None = getattr(config, name)
        if not entries:
            continue
        lists = [entry for entry in entries if entry.lower().endswith(".txt")]
        if lists and len(lists) < len(entries):
            raise error_at(f"'{name}' holds lists and folders; give either lists or folders", file, name)
        if lists:
            listings = tuple(below(root, entry, file) for entry in lists)
            splits[name] = SplitSpec((), None, listings, declared=file.place((name,)))
        else:
            folders = tuple(picture_folder(root, entry, file) for entry in entries)
            splits[name] = SplitSpec(folders, declared=file.place((name,)))
    if not splits:
        raise UserError("names no split; add 'train' and 'val'", path=file.path)
    if not isinstance(config.names, tuple):
        raise error_at("'names' must list the class names", file, "names")
    rows = Rows(config.rows == "polygons", config.kpt_shape)
    spec = DatasetSpec(yaml_path(file).stem, root, "yolo", config.names, splits, path=file.path, rows=rows)
    return _without_absent(spec)


def _without_absent(spec: DatasetSpec) -> DatasetSpec:
    """Leave out missing splits other than ``train`` and ``val``: exports name a ``test`` without having one."""
    absent: dict[str, UserError] = {}
    for name, place in spec.splits.items():
        if name not in ("train", "val", spec.misnamed_val()):
            try:
                check_there(spec, name, place)
                _check_filled(spec, name, place)
            except UserError as error:
                absent[name] = error
    left = {name: place for name, place in spec.splits.items() if name not in absent}
    return replace(spec, splits=left, absent=absent) if absent and left else spec


def _check_filled(spec: DatasetSpec, name: str, place: SplitSpec) -> None:
    """Refuse a split whose folders hold no pictures at all."""
    if not place.images or place.listings or spec.format in (*SET_FORMATS, "csv"):
        return
    if not any(scan_pictures(spec.format, folder) for folder in place.images):
        folders = ", ".join(map(str, place.images))
        raise spec.split_error(name, f"the split '{name}' holds no pictures (looked in {folders})")
