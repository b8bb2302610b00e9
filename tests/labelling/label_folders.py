"""Small folders of painted pictures in every format that is labelled in place."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pil

from lightdet.assembly.dataset import load_dataset
from lightdet.data.convert import convert_dataset
from lightdet.data.dataset import read_split
from lightdet.labelling.history import History
from lightdet.labelling.open_folder import open_folder
from lightdet.labelling.store import Drawn, Store, View

FORMATS = ("labelme", "yolo", "voc", "coco")
SIZE = (200, 160)
BOXES = {"a": [(0, 20, 30, 60, 90)], "b": [(1, 100, 20, 180, 60), (0, 10, 10, 40, 50)], "c": []}
"""Class, x1, y1, x2, y2 of each picture's boxes, in whole pixels."""


def picture(seed: int, boxes: Sequence[tuple[int, ...]] = (), size: tuple[int, int] = SIZE) -> bytes:
    """A gray picture, no two alike, with a patch of red or green in each box."""
    rng = np.random.default_rng(seed)
    image = np.repeat(rng.integers(90, 110, (size[1], size[0], 1), np.uint8), 3, axis=2)
    for label, x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = 30
        image[y1:y2, x1:x2, label] = 220
    stream = io.BytesIO()
    Pil.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def bare_folder(folder: Path, count: int = 3) -> Path:
    """Pictures without labels: ``0.png``, ``1.png``, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number}.png").write_bytes(picture(number))
    return folder


def labelled_folder(folder: Path, form: str) -> Path:
    """The pictures of `BOXES` in a format, without a YAML."""
    source = folder.parent / f"source-of-{folder.name}"
    for name in ("images/train", "labels/train"):
        (source / name).mkdir(parents=True)
    for number, (name, boxes) in enumerate(BOXES.items()):
        (source / f"images/train/{name}.png").write_bytes(picture(number, boxes))
        rows = [
            f"{label} {(x1 + x2) / 2 / SIZE[0]} {(y1 + y2) / 2 / SIZE[1]} {(x2 - x1) / SIZE[0]} {(y2 - y1) / SIZE[1]}\n"
            for label, x1, y1, x2, y2 in boxes
        ]
        (source / f"labels/train/{name}.txt").write_text("".join(rows))
    (source / "data.yaml").write_text(
        "root: .\nformat: yolo\nclasses: [scratch, dent]\nsplits: {train: images/train}\n"
    )
    done = convert_dataset(load_dataset(source / "data.yaml"), folder, form)  # type: ignore[arg-type]
    done.yaml.unlink()
    if form == "yolo":
        (folder / "classes.txt").write_text("scratch\ndent\n")
    return folder


def open_store(folder: Path, form: str | None = None, classes: Sequence[str] = (), order: Path | None = None) -> Store:
    """The store as the command opens it."""
    return Store(*open_folder(folder, form, classes, order))


def files_of(folder: Path) -> dict[str, bytes]:
    """All files but those that lightdet keeps for itself."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".lightdet" not in path.parts
    }


def history_of(folder: Path) -> History:
    return History(folder / ".lightdet" / "labelling.jsonl")


def at(store: Store, name: str) -> int:
    return next(i for i, each in enumerate(store.folder.pictures) if each.path.stem == name)


def seen(view: View) -> list[tuple[str, tuple[int, ...]]]:
    return [(mark.name, tuple(round(value) for value in mark.box)) for mark in view.content or ()]


def kept(view: View) -> list[Drawn]:
    return [Drawn(mark.box, mark.name, number) for number, mark in enumerate(view.content or ())]


def read_by_training(folder: Path) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    """The labels as `lightdet train` reads them."""
    spec = load_dataset(folder, draw=False)
    return {
        each.image.stem: [
            (spec.classes[label], tuple(round(value) for value in box))
            for box, label in zip(each.boxes.tolist(), each.labels.tolist(), strict=True)
        ]
        for split in spec.splits
        for each in read_split(spec, split, on_error="skip")[0]
    }
