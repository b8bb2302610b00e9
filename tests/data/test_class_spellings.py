"""Class names gathered from labels, folders and rows: two spellings of one name are refused, with both places."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lightdet.assembly.dataset import load_dataset
from lightdet.data.class_names import spelling_key
from lightdet.data.convert import convert_dataset
from lightdet.errors import UserError
from lightdet.labelling.open_folder import open_folder

Make = Callable[[Path, Sequence[str]], tuple[str, str]]


def picture(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise((32, 24), 90 + number).convert("RGB").save(path)


def labelme(root: Path, names: Sequence[str]) -> tuple[str, str]:
    for number, name in enumerate(names):
        picture(root / f"{number}.png", number)
        shape = {"label": name, "points": [[2, 2], [12, 9]], "shape_type": "rectangle", "group_id": None}
        label = {"shapes": [shape], "imagePath": f"{number}.png", "imageData": None, "imageWidth": 32}
        (root / f"{number}.json").write_text(json.dumps(label | {"imageHeight": 24}))
    return f"{root / '0.json'}", f"{root / '1.json'}: "


def voc(root: Path, names: Sequence[str]) -> tuple[str, str]:
    box = "<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>12</xmax><ymax>9</ymax></bndbox>"
    for number, name in enumerate(names):
        picture(root / f"{number}.png", number)
        text = f"<annotation><object><name>{name}</name>{box}</object></annotation>"
        (root / f"{number}.xml").write_text(text)
    return f"{root / '0.xml'}", f"{root / '1.xml'}: "


def boxes(root: Path, names: Sequence[str]) -> tuple[str, str]:
    rows = ["image,xmin,ymin,xmax,ymax,label"]
    for number, name in enumerate(names):
        picture(root / f"{number}.png", number)
        rows.append(f"{number}.png,2,3,12,9,{name}")
    (root / "a.csv").write_text("\n".join(rows))
    return f"{root / 'a.csv'}:2", f"{root / 'a.csv'}:3: "


def coco(root: Path, names: Sequence[str]) -> tuple[str, str]:
    picture(root / "0.png", 0)
    values = {
        "images": [{"id": 1, "file_name": "0.png", "width": 32, "height": 24}],
        "annotations": [],
        "categories": [{"id": number, "name": name} for number, name in enumerate(dict.fromkeys(names))],
    }
    (root / "a.json").write_text(json.dumps(values))
    return f"{root / 'a.json'}", f"{root / 'a.json'}: "


def folders(root: Path, names: Sequence[str]) -> tuple[str, str]:
    for number, name in enumerate(names):
        picture(root / ("train" if number != 1 else "val") / name / f"{number}.png", number)
        picture(root / ("train" if number != 1 else "val") / "other" / f"{number}.png", number + 20)
    return f"{root / 'train' / names[0]}", f"{root / 'val' / names[1]}: "


def rows(root: Path, names: Sequence[str]) -> tuple[str, str]:
    lines = ["path,label"]
    for number, name in enumerate(names):
        picture(root / f"{number}.png", number)
        lines.append(f"{number}.png,{name}")
    (root / "a.csv").write_text("\n".join(lines))
    return f"{root / 'a.csv'}:2", f"{root / 'a.csv'}:3: "


MAKERS: tuple[Make, ...] = (labelme, voc, boxes, coco, folders, rows)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("names", [("Dent", "dent"), ("OK", "ok"), ("deep dent", "deep_dent"), ("NO-ok", "NoOK")])
def test_two_spellings_of_one_class(make: Make, names: tuple[str, str], tmp_path: Path) -> None:
    root = tmp_path / "set"
    root.mkdir()
    first, second = make(root, [*names, "scratch", names[0]])
    with pytest.raises(UserError) as caught:
        load_dataset(root)
    message = str(caught.value)
    assert message.startswith(second) and "\n" not in message
    assert f"'{names[1]}' and '{names[0]}' ({first}) differ only in how they are written" in message
    assert "rename one of them, or list both under 'classes' in a YAML if they are two classes" in message


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_yaml_that_lists_both_means_two(make: Make, tmp_path: Path) -> None:
    root = tmp_path / "set"
    root.mkdir()
    make(root, ["Dent", "dent"])
    form = {"boxes": "csv-boxes", "rows": "csv"}.get(make.__name__, make.__name__)
    place = {"csv-boxes": "a.csv", "csv": "a.csv", "coco": "a.json"}.get(form, ".")
    splits = "{train: train, val: val}" if form == "folders" else f"{{train: {place}}}"
    head = f"format: {form}\nsplits: {splits}\n"
    (root / "d.yaml").write_text(head)
    if form != "voc":  # needs the list anyway
        with pytest.raises(UserError, match="differ only in how they are written"):
            load_dataset(root / "d.yaml")
    (root / "d.yaml").write_text(f"{head}classes: [Dent, dent, other]\n")
    assert load_dataset(root / "d.yaml").classes == ("Dent", "dent", "other")


def test_the_labels_of_such_a_folder_can_still_be_corrected(tmp_path: Path) -> None:
    labelme(tmp_path, ["Dent", "dent"])
    assert open_folder(tmp_path)[0].classes == ["Dent", "dent"]


def test_a_converted_set_of_two_such_classes_says_so(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    labelme(tmp_path / "a", ["Dent", "dent"])
    (tmp_path / "a" / "d.yaml").write_text("format: labelme\nclasses: [Dent, dent]\nsplits: {train: .}\n")
    done = convert_dataset(load_dataset(tmp_path / "a" / "d.yaml"), tmp_path / "b", "csv-boxes")
    assert load_dataset(done.yaml).classes == ("Dent", "dent")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1))
def test_the_key_of_a_name_is_that_of_its_spellings(name: str) -> None:
    key = spelling_key(name)
    assert key == spelling_key(f" {name}_") == spelling_key(name.replace(" ", "-"))
    assert spelling_key("\u00e9tage") == spelling_key("e\u0301TAGE")
