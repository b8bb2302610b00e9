"""Something else given for a data set's YAML: the answer holds the YAML to write, and it works."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lightdet.assembly.dataset import load_dataset
from lightdet.config import load_config, load_yaml
from lightdet.data.convert import convert_dataset
from lightdet.data.dataset import read_split
from lightdet.errors import UserError

Save = Callable[..., Path]


def told(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_dataset(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def follow(message: str) -> Path:
    """Do as the message says: write its line into the file that it names."""
    place, line = message.partition(" with the line ")[::2]
    target = Path(place.rpartition(": ")[2])
    target.write_text(line.partition(" (classes: yours")[0])
    return target


def test_a_coco_file(yolo_set: Path, tmp_path: Path) -> None:
    out = tmp_path / "coco"
    convert_dataset(load_dataset(yolo_set / "data.yaml"), out, "coco").yaml.unlink()
    message = told(out / "annotations" / "val.json")
    assert "is a COCO file; write the YAML" in message
    spec = load_dataset(follow(message))
    assert spec.classes == ("scratch", "dent")
    assert {name: len(read_split(spec, name)[0]) for name in spec.splits} == {"val": 2}


def test_a_coco_file_among_its_pictures(tmp_path: Path, save_picture: Save) -> None:
    for split in ("train", "valid"):
        save_picture(tmp_path / split / "p.png")
        values = {"images": [{"id": 0, "file_name": "p.png"}], "categories": [{"id": 1, "name": "x"}]}
        (tmp_path / split / "_annotations.coco.json").write_text(json.dumps(values))
    spec = load_dataset(tmp_path)
    assert [len(read_split(spec, name)[0]) for name in ("train", "val")] == [1, 1]
    assert list(load_dataset(follow(told(tmp_path / "valid" / "_annotations.coco.json"))).splits) == ["val"]


def test_a_coco_file_without_its_pictures(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text('{"images": [{"id": 1, "file_name": "p.png"}], "categories": []}')
    assert "{images: FOLDER OF THE PICTURES, labels: d.json}" in told(tmp_path / "d.json")


def test_other_json(tmp_path: Path) -> None:
    path = tmp_path / "labelme.json"
    path.write_text('{"version": "5.0", "shapes": []}')
    assert "is neither the YAML of a data set nor a COCO file: not a COCO data set" in told(path)
    path.write_text('{"format": "yolo", "classes": ["x"], "splits": {"train": "images"}}')  # JSON is YAML
    assert load_dataset(path).classes == ("x",)


def test_a_folder_with_a_yaml(yolo_set: Path) -> None:
    (yolo_set / "other.yaml").write_text("answer: 42\n")
    assert load_dataset(yolo_set).remarks() == [f"{yolo_set} is described by data.yaml in it"]
    (yolo_set / "second.yml").write_text((yolo_set / "data.yaml").read_text())
    both = f"{yolo_set / 'data.yaml'}, {yolo_set / 'second.yml'}"
    assert told(yolo_set).endswith(f"give one of the YAML files in it: {both}")


def test_a_folder_in_the_layout_of_yolo(yolo_set: Path) -> None:
    (yolo_set / "data.yaml").unlink()
    spec = load_dataset(follow(told(yolo_set)))
    assert {name: len(read_split(spec, name)[0]) for name in spec.splits} == {"train": 3, "val": 2}


def test_other_folders_and_files(tmp_path: Path, save_picture: Save) -> None:
    assert "docs/formats.md shows" in told(tmp_path)
    assert "is a picture; give the YAML file" in told(save_picture(tmp_path / "p.png"))
    (tmp_path / "set.7z").write_bytes(b"7z")
    assert "is an archive; unpack it" in told(tmp_path / "set.7z")


def test_a_configuration_and_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("imgsz: 320\ntrain: {epochs: 3}\n")
    assert "is a configuration, not a data set: give it with --config" in told(path)
    path.write_text("\n")
    assert "is empty; write the YAML of the data set" in told(path)


def test_a_data_set_given_as_configuration(yolo_set: Path) -> None:
    with pytest.raises(UserError, match=r"data\.yaml: is the YAML of a data set: give it with --data"):
        load_config(load_yaml(yolo_set / "data.yaml"))
