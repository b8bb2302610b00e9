"""What to do if something else is given instead of a data set's YAML: a folder, a COCO file, a picture.

The message ends with the YAML to write, as one line to copy, in YAML's flow style.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lightdet.config import YamlFile
from lightdet.data.formats.coco import parse_coco
from lightdet.data.images import SUFFIXES
from lightdet.errors import UserError

CLASSES = ["first class", "second class"]
"""A placeholder for names that only the user knows."""
_SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test",)}
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_KEYS = ("names", "splits", "format")  # every data set's YAML has one of them
_HEAD = 1 << 16


def refuse_other_kinds(path: Path) -> None:
    """Raise a `UserError` that says what to give instead if `path` is a folder, a JSON file, a picture or an archive.

    A path that does not exist passes, and so does JSON that may be meant as YAML: its reader reports more.
    """
    if path.is_dir():
        raise UserError(_about_folder(path), path=path)
    if not path.is_file():
        return
    if path.suffix.lower() in SUFFIXES:
        raise UserError("is a picture; give the YAML file of the data set", path=path)
    if path.suffix.lower() in _ARCHIVES:
        raise UserError("is an archive; unpack it and give the YAML file of the data set", path=path)
    head = _head(path)
    if not head.strip():
        raise UserError("is empty; write the YAML of the data set as README.md shows", path=path)
    if not head.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return
    try:
        text = _coco_yaml(path)
    except UserError as error:
        if path.suffix.lower() != ".json" or any(f'"{key}"' in head for key in _KEYS):
            return
        raise UserError(f"is neither the YAML of a data set nor a COCO file: {error.message}", path=path) from None
    raise UserError(f"is a COCO file; write the YAML that names it, and give that one: {text}", path=path)


def refuse_configuration(file: YamlFile) -> None:
    """Raise a `UserError` if `file` has sections of a run's configuration but nothing of a data set."""
    sections = {"model", "imgsz", "loss"} | ({"train"} if isinstance(file.values.get("train"), dict) else set())
    if not {"format", "splits", "names"} & set(file.values) and sections & set(file.values):
        raise UserError(
            "is a configuration, not a data set: give it with --config, and the data set's YAML with --data",
            path=file.path,
        )


def _head(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_HEAD)
    except OSError:
        return ""


def _about_folder(folder: Path) -> str:
    yamls = [path for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]) if _has_key(_head(path))]
    if yamls:
        shown = ", ".join(str(path) for path in yamls[:5]) + (", …" if len(yamls) > 5 else "")
        return f"is a folder; give {'the YAML file' if len(yamls) == 1 else 'one of the YAML files'} in it: {shown}"
    text = _coco_folder_yaml(folder) or _voc_yaml(folder) or _yolo_yaml(folder) or _classes_yaml(folder)
    if text is None:
        return "is a folder without the YAML of a data set; write one as README.md shows under 'Your own pictures'"
    return f"is a folder without the YAML of a data set; write one and give it: {text}"


def _has_key(head: str) -> bool:
    return any(line.startswith(tuple(f"{key}:" for key in _KEYS)) for line in head.splitlines())


def _coco_yaml(path: Path) -> str:
    """The YAML for one COCO file; a UserError if it is not one."""
    folder = path.absolute().parent
    for root in (folder, folder.parent):
        images = _coco_images(root, path.absolute())
        if images is not None:
            break
    else:
        root, images = folder, "FOLDER OF THE PICTURES"
    place = {"images": images, "labels": path.absolute().relative_to(root).as_posix()}
    return _yaml_with(root, "coco", {_split_of(path) or "train": place})


def _coco_folder_yaml(folder: Path) -> str | None:
    """The YAML for a folder of COCO files and pictures, None if it holds none."""
    splits: dict[str, Any] = {}
    root = folder.absolute()
    patterns = ("*.json", "annotations/*.json", "*/_annotations.coco.json")
    for path in sorted(path for pattern in patterns for path in root.glob(pattern)):
        name = _split_of(path) or "train"
        try:
            images = None if name in splits else _coco_images(root, path)
        except UserError:
            continue
        if images is not None:
            splits[name] = {"images": images, "labels": path.relative_to(root).as_posix()}
    return _yaml_with(root, "coco", {name: splits[name] for name in _SPLITS if name in splits}) if splits else None


def _coco_images(root: Path, path: Path) -> str | None:
    """The folder at or below `root` that holds the first picture of the COCO file `path`."""
    images = parse_coco(path).images
    stem = path.stem.removeprefix("instances_")
    beside = path.parent.relative_to(root).as_posix()
    for folder in (beside, ".", "images", f"images/{stem}", stem, f"{stem}/images"):
        if images and (root / folder / images[0].file_name).is_file():
            return folder
    return None


def _split_of(path: Path) -> str | None:
    """The split by the file's name, or by its folder's (``valid/_annotations.coco.json``)."""
    for text in (path.stem.lower(), path.absolute().parent.name.lower()):
        for name in _SPLITS:
            if name in text:
                return name
    return None


def _voc_yaml(folder: Path) -> str | None:
    if not (folder / "JPEGImages").is_dir() or not (folder / "Annotations").is_dir():
        return None
    found = _existing(folder, {name: [f"ImageSets/Main/{name}.txt", f"{name}.txt"] for name in _SPLITS})
    splits = found or {"train": "JPEGImages"}
    return _yaml_with(folder, "voc", splits, images="JPEGImages", labels="Annotations", classes=CLASSES)


def _yolo_yaml(folder: Path) -> str | None:
    places = {
        name: [place for other in others for place in (f"images/{other}", f"{other}/images")]
        for name, others in _SPLITS.items()
    }
    splits = _existing(folder, places)
    if not splits and (folder / "images").is_dir() and (folder / "labels").is_dir():
        splits = {"train": "images"}
    return _yaml_with(folder, "yolo", splits, classes=CLASSES) if splits else None


def _classes_yaml(folder: Path) -> str | None:
    """The YAML for folders named after classes, with or without split folders above them."""
    splits = _existing(folder, {name: list(others) for name, others in _SPLITS.items()})
    if splits and all(len(_picture_folders(folder / place)) > 1 for place in splits.values()):
        return _yaml_with(folder, "folders", splits)
    return _yaml_with(folder, "folders", {"train": "."}) if len(_picture_folders(folder)) > 1 and not splits else None


def _picture_folders(folder: Path) -> list[Path]:
    """The folders in `folder` that directly hold pictures."""
    return [
        place
        for place in sorted(folder.iterdir())
        if place.is_dir() and any(path.suffix.lower() in SUFFIXES for path in place.iterdir() if path.is_file())
    ]


def _existing(folder: Path, places: dict[str, list[str]]) -> dict[str, str]:
    """The first of each name's places that exists below `folder`."""
    found = {name: [place for place in candidates if (folder / place).exists()] for name, candidates in places.items()}
    return {name: existing[0] for name, existing in found.items() if existing}


def _yaml_with(root: Path, form: str, splits: dict[str, Any], **more: Any) -> str:
    """``ROOT/dataset.yaml with the line {format: …, splits: …}``."""
    values = {"format": form, **more, "splits": splits}
    text = yaml.safe_dump(values, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6).strip()
    own = " (classes: yours, in the order of their ids)" if "classes" in more else ""
    return f"{root / 'dataset.yaml'} with the line {text}{own}"
