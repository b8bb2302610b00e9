"""Labels that contradict each other: with ``--on-error skip``, neither side is taken for the right one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lightdet.assembly.dataset import load_dataset
from lightdet.data.dataset import read_split
from lightdet.errors import UserError

Save = Callable[..., Path]
Write = Callable[[Path, str], Path]
SIDES = {"width": 80, "height": 60}
P0: dict[str, object] = {"id": 0, "file_name": "p0.png", **SIDES}
P1: dict[str, object] = {"id": 1, "file_name": "p1.png", **SIDES}
NAMES: list[dict[str, object]] = [{"id": 1, "name": "ok"}, {"id": 2, "name": "bad"}]
XML = (
    '<annotations><image name="p1.png" width="80" height="60"/>\n<image name="p0.png" width="80" height="60"/>\n{}'
    "</annotations>"
)
COLUMNS = "image,label,xmin,ymin,xmax,ymax\np1.png,,,,,\n"


def box(image: int, category: int = 1) -> dict[str, object]:
    return {"id": image, "image_id": image, "category_id": category, "bbox": [1, 1, 20, 20]}


def coco(*images: dict[str, object], boxes: list[dict[str, object]], names: list[dict[str, object]] = NAMES) -> str:
    return json.dumps({"images": [P1, *images], "categories": names, "annotations": boxes}, indent=1)


FILES = {
    "a name under two ids": ("coco", coco(P0, P0 | {"id": 7}, boxes=[box(0), box(7)])),
    "an id of two pictures": ("coco", coco(P0, P0 | {"file_name": "p2.png"}, boxes=[box(0)])),
    "a name in two spellings": ("coco", coco(P0, P0 | {"id": 7, "file_name": "./p0.png"}, boxes=[box(0), box(7)])),
    "a category of two names": ("coco", coco(P0, boxes=[box(0)], names=[*NAMES, {"id": 1, "name": "bad"}])),
    "two elements of one picture": ("cvat", XML.format('<image name="p0.png" width="80" height="60"/>')),
    "a row too long": ("csv-boxes", COLUMNS + "p0.png,ok,1,2,30,40\np0.png,ok,1,2,30,40,50\n"),
    "a row too long at first": ("csv-boxes", COLUMNS + "p0.png,ok,1,2,30,40,50\np0.png,ok,1,2,30,40\n"),
    "two classes of a picture": ("csv", "path,label\np0.png,ok\np1.png,ok\np0.png,bad\np0.png,ok\n"),
    "a class and one unknown": ("csv", "path,label\np0.png,ok\np1.png,ok\np0.png,dab\n"),
    "one unknown and a class": ("csv", "path,label\np0.png,dab\np1.png,ok\np0.png,ok\n"),
    "a class and none": ("csv", "path,label\np0.png,ok\np1.png,ok\np0.png,\n"),
    "two classes in a list": ("folders", "p0.png ok\np1.png ok\np0.png bad\n"),
    "a class of a list and one unknown": ("folders", "p0.png ok\np1.png ok\np0.png,dab\n"),
}


@pytest.mark.parametrize("case", FILES)
def test_neither_side_is_kept(case: str, tmp_path: Path, save_picture: Save, write: Write) -> None:
    form, text = FILES[case]
    for number in range(3):
        save_picture(tmp_path / "images" / f"p{number}.png")
    write(tmp_path / "labels.txt", text)
    place = "{images: images, list: labels.txt}" if form == "folders" else "{images: images, labels: labels.txt}"
    yaml = write(tmp_path / "d.yaml", f"format: {form}\nclasses: [ok, bad]\nsplits: {{train: {place}}}\n")
    with pytest.raises(UserError):
        read_split(load_dataset(yaml), "train")
    found, skipped = read_split(load_dataset(yaml), "train", on_error="skip")
    assert [each.image.name for each in found] == ["p1.png"] and skipped
    assert len({str(error) for error in skipped}) == len(skipped), "a fault is told twice"


def test_a_second_line_for_the_same_class_changes_nothing(tmp_path: Path, save_picture: Save, write: Write) -> None:
    save_picture(tmp_path / "p0.png")
    write(tmp_path / "l.csv", "path,label\np0.png,ok\np0.png,ok\n")
    yaml = write(tmp_path / "d.yaml", "format: csv\nclasses: [ok, bad]\nsplits: {train: {labels: l.csv}}\n")
    found, skipped = read_split(load_dataset(yaml), "train", on_error="skip")
    assert (len(found), len(skipped)) == (1, 1)
