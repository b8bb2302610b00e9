"""What to do if something else is given instead of a data set's YAML: a COCO file, a picture, a folder of unclear kind.

The message ends with the YAML to write, as one line to copy, in YAML's flow style.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lightdet.assembly.recognition import TITLES, Recognised
from lightdet.assembly.split_folders import split_of
from lightdet.config import YamlFile
from lightdet.data.formats.coco import parse_coco
from lightdet.data.images import SUFFIXES
from lightdet.errors import UserError

CLASSES = ["first class", "second class"]
"""A placeholder for names that only the user knows."""
VALUES = {"first class": 1, "second class": 2}
"""The same for masks."""
_ARCHIVES = (".gz", ".bz2", ".xz", ".7z", ".rar")
"""Archives that are not read; zip and tar are."""
_KEYS = ("names", "splits", "format")  # every data set's YAML has one of them
_HEAD = 1 << 16


def refuse_other_kinds(path: Path) -> None:
    """Raise a `UserError` that says what to give instead if `path` is a JSON file, a picture or an archive.

    A path that does not exist passes, and so does JSON that may be meant as YAML: its reader reports more.
    """
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


def yaml_in(folder: Path) -> Path | None:
    """The data set's YAML in `folder`, or in the only folder in it; None if there is none.

    Raises:
        UserError: there are several.
    """
    yamls = [path for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]) if _has_key(_head(path))]
    if len(yamls) > 1:
        shown = ", ".join(str(path) for path in yamls[:5]) + (", …" if len(yamls) > 5 else "")
        raise UserError(f"is a folder; give one of the YAML files in it: {shown}", path=folder)
    if yamls:
        return yamls[0]
    entries = [path for path in folder.glob("*") if not path.name.startswith((".", "__MACOSX"))]
    inside = [path for path in entries if path.is_dir()]
    alone = len(inside) == 1 and not any(path.suffix.lower() in SUFFIXES for path in entries)
    return yaml_in(inside[0]) if alone else None


def the_one(folder: Path, found: Sequence[Recognised], form: str | None = None) -> Recognised:
    """The format that `folder` is in, or `form` of several.

    Raises:
        UserError: none is recognised, several are, or what only a person knows is missing.
    """
    if form is not None:
        chosen = [each for each in found if each.format == form]
        if not chosen:
            known = ", ".join(each.format for each in found) or "nothing that is known"
            raise UserError(f"is not recognised as {form}; it looks like {known}", path=folder)
        found = chosen
    if not found:
        message = "is a folder without the YAML of a data set, and its labels are of no known kind; write a YAML"
        raise UserError(f"{message} as docs/formats.md shows", path=folder)
    if len(found) > 1:
        titles = [TITLES[each.format] for each in found]
        named = ", ".join(titles[:-1]) + f" or {titles[-1]}"
        choice = f"lightdet data init {folder} --format {found[0].format}"
        raise UserError(f"could be {named}; write the YAML of the one you mean, as with '{choice}'", path=folder)
    (only,) = found
    if only.fault is not None:
        raise only.fault
    if only.lacks:
        text = _yaml_with(folder.absolute(), only.format, **_to_fill_in(only))
        raise UserError(
            f"is {TITLES[only.format]}, and nothing says {only.lacks}; write the YAML and give it: {text}", path=folder
        )
    return only


def _to_fill_in(only: Recognised) -> dict[str, Any]:
    """What is known of `only`, with placeholders for the names that its labels do not give."""
    lacking: dict[str, Any] = {"values": VALUES} if only.format == "masks" else {}
    return lacking | ({"classes": CLASSES} if only.format in ("yolo", "deeppcb") else {}) | only.values


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
    return _yaml_with(root, "coco", splits={split_of(path, path.parent) or "train": place})


def _coco_images(root: Path, path: Path) -> str | None:
    """The folder at or below `root` that holds the first picture of the COCO file `path`."""
    images = parse_coco(path).images
    stem = path.stem.removeprefix("instances_")
    beside = path.parent.relative_to(root).as_posix()
    for folder in (beside, ".", "images", f"images/{stem}", stem, f"{stem}/images"):
        if images and (root / folder / images[0].file_name).is_file():
            return folder
    return None


def _yaml_with(root: Path, form: str, splits: dict[str, Any], **more: Any) -> str:
    """``ROOT/dataset.yaml with the line {format: …, splits: …}``."""
    values = {"format": form, **more, "splits": splits}
    text = yaml.safe_dump(values, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6).strip()
    own = " (classes: yours, in the order of their ids)" if more.get("classes") is CLASSES else ""
    own = " (values: yours)" if more.get("values") is VALUES else own
    return f"{root / 'dataset.yaml'} with the line {text}{own}"
