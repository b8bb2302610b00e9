"""A folder in place of a YAML: recognised where its files are of one kind, and refused where they could be two."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml
from PIL import Image

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.describe import describe_folder
from lightdet.assembly.recognition import TITLES, recognise
from lightdet.cli.app import main
from lightdet.data.convert import convert_dataset
from lightdet.data.dataset import ClassFormat, DatasetSpec, Format, read_split
from lightdet.errors import UserError

Save = Callable[..., Path]
FORMATS: tuple[Format, ...] = get_args(Format)


def told(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_dataset(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def content(spec: DatasetSpec) -> dict[str, list[tuple[bytes, list[list[int]], list[str]]]]:
    """The bytes, the boxes (to half a pixel) and the classes of each picture of each split."""
    return {
        split: sorted(
            (a.image.read_bytes(), np.round(a.boxes).tolist(), [spec.classes[label] for label in a.labels])
            for a in read_split(spec, split)[0]
        )
        for split in spec.splits
    }


def test_every_format_has_a_title() -> None:
    assert set(TITLES) == {*FORMATS, *get_args(ClassFormat)}


@pytest.fixture
def written(yolo_set: Path, tmp_path: Path) -> Callable[[str], Path]:
    """The small data set in any format, without its YAML."""

    def write(form: str) -> Path:
        done = convert_dataset(load_dataset(yolo_set / "data.yaml"), tmp_path / form, form)  # type: ignore[arg-type]
        done.yaml.unlink()
        if form == "masks":
            (tmp_path / form / "class_names.txt").write_text("_background_\nscratch\ndent\n")
        return tmp_path / form

    return write


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_with_splits_is_read_without_a_yaml(form: str, written: Callable[[str], Path], yolo_set: Path) -> None:
    folder = written(form)
    spec = load_dataset(folder)
    assert spec.format == form and set(spec.classes) == {"scratch", "dent"}
    (note,) = spec.remarks()
    assert note == f"{folder} is read as {TITLES[form]}, with the classes {', '.join(spec.classes)}"
    same, theirs = content(spec), content(load_dataset(yolo_set / "data.yaml"))
    assert same["val"] == theirs["val"]
    if form == "masks":
        for split in same:
            assert [entry[0] for entry in same[split]] == [entry[0] for entry in theirs[split]]
    else:
        assert same == theirs


@pytest.fixture
def flat(tmp_path: Path, save_picture: Save) -> Path:
    """20 pictures without splits in YOLO's layout: two of each pair look alike."""
    root = tmp_path / "flat"
    (root / "labels").mkdir(parents=True)
    for number in range(20):
        save_picture(root / "images" / f"{number:02}.png", seed=number // 2)
        (root / "labels" / f"{number:02}.txt").write_text(f"{number // 2 % 2} 0.5 0.5 0.25 0.5\n")
    (root / "classes.txt").write_text("scratch\ndent\n")
    return root


@pytest.mark.parametrize("form", FORMATS)
def test_a_missing_validation_split_is_drawn_by_likeness_and_the_same_every_time(
    form: str, flat: Path, tmp_path: Path
) -> None:
    folder = flat
    if form != "yolo":
        (flat / "d.yaml").write_text("format: yolo\nclasses: [scratch, dent]\nsplits: {train: images}\n")
        done = convert_dataset(load_dataset(flat / "d.yaml"), tmp_path / "flat2", form)  # type: ignore[arg-type]
        done.yaml.unlink()
        folder = tmp_path / "flat2"
        if form == "masks":
            (folder / "class_names.txt").write_text("_background_\nscratch\ndent\n")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    first, again = load_dataset(folder), load_dataset(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    sides = {split: {a.image.stem[:2] for a in read_split(first, split)[0]} for split in first.splits}
    assert sides == {split: {a.image.stem[:2] for a in read_split(again, split)[0]} for split in again.splits}
    assert len(sides["train"]) == 16 and len(sides["val"]) == 4
    assert not {int(name) // 2 for name in sides["train"]} & {int(name) // 2 for name in sides["val"]}
    assert "16 pictures to train on and 4 to validate with are drawn (seed 0)" in first.remarks()[1]
    described = describe_folder(folder, tmp_path / "out" / "set.yaml")
    kept = load_dataset(tmp_path / "out" / "set.yaml")
    assert {split: {a.image.stem[:2] for a in read_split(kept, split)[0]} for split in kept.splits} == sides
    assert described.notes == first.notes and kept.classes == first.classes and not kept.remarks()


@pytest.mark.parametrize("form", ["coco", "label-studio"])
@pytest.mark.parametrize("first", [True, False])
def test_a_picture_given_twice_is_refused_in_a_drawn_split_as_well(
    form: str, first: bool, flat: Path, tmp_path: Path
) -> None:
    (flat / "d.yaml").write_text("format: yolo\nclasses: [scratch, dent]\nsplits: {train: images}\n")
    done = convert_dataset(load_dataset(flat / "d.yaml"), tmp_path / "twice", form)  # type: ignore[arg-type]
    done.yaml.unlink()
    (labels,) = (tmp_path / "twice").rglob("*.json")
    entries = json.loads(labels.read_text())
    given = entries["images"] if form == "coco" else entries
    where, key = (given[3], "file_name") if form == "coco" else (given[3]["data"], "image")
    again = json.loads(json.dumps(given[3])) | {"id": 999}
    if form == "coco":
        again[key] = f"./{where[key]}"
    else:
        again["annotations"][0]["result"] = []  # said to be free of defects
    given.insert(0 if first else len(given), again)
    labels.write_text(json.dumps(entries))
    spec = load_dataset(tmp_path / "twice")
    assert "16 pictures to train on and 4 to validate with are drawn" in spec.remarks()[1]
    with pytest.raises(UserError, match=f"{labels.name}.*'(./)?{where[key]}' is also the picture of line"):
        read_split(spec, "train")
    assert len(read_split(spec, "val")[0]) == 4


@pytest.mark.parametrize("split", [False, True])
def test_folders_of_classes(split: bool, tmp_path: Path, save_picture: Save) -> None:
    root = tmp_path / "parts"
    for number in range(20):
        side = ("train" if number < 14 else "valid") if split else "."
        save_picture(root / side / ("ok" if number % 2 else "bad") / f"{number}.png", seed=number)
    spec = load_dataset(root)
    assert spec.format == "folders" and spec.classes == ("bad", "ok")
    sizes = {name: len(read_split(spec, name)[0]) for name in spec.splits}
    assert sizes == ({"train": 14, "val": 6} if split else {"train": 16, "val": 4})
    describe_folder(root)
    again = load_dataset(root)
    assert again.remarks() == [f"{root} is described by dataset.yaml in it"]
    for name in sizes:
        pictures = [[(a.image, a.label) for a in read_split(one, name)[0]] for one in (spec, again)]
        assert sorted(pictures[0]) == sorted(pictures[1])


def test_a_csv_of_classes(tmp_path: Path, save_picture: Save) -> None:
    rows = ["path,label"]
    for number in range(10):
        save_picture(tmp_path / f"{number}.png", seed=number)
        rows.append(f"{number}.png,{'ok' if number % 2 else 'bad'}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    spec = load_dataset(tmp_path)
    assert spec.format == "csv" and {name: len(read_split(spec, name)[0]) for name in spec.splits} == {
        "train": 8,
        "val": 2,
    }
    describe_folder(tmp_path)
    assert sorted(a.image.name for a in read_split(load_dataset(tmp_path), "val")[0]) == sorted(
        a.image.name for a in read_split(spec, "val")[0]
    )


def test_what_could_be_two_formats_is_refused_with_both_named(
    written: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written("yolo")
    shutil.copytree(written("coco") / "annotations", folder / "annotations")
    message = told(folder)
    assert "could be COCO JSON or YOLO txt; write the YAML of the one you mean" in message
    assert main(["data", "init", str(folder)]) == 2
    assert message in capsys.readouterr().err
    assert main(["data", "init", str(folder), "--format", "cvat"]) == 2
    assert "is not recognised as cvat; it looks like coco, yolo" in capsys.readouterr().err
    assert main(["data", "init", str(folder), "--format", "yolo"]) == 0
    assert f"data set: {folder / 'dataset.yaml'}" in capsys.readouterr().out
    assert load_dataset(folder).format == "yolo"
    assert main(["data", "init", str(folder), "--format", "yolo"]) == 2
    assert "dataset.yaml: exists already; name another file with --output" in capsys.readouterr().err


def test_names_that_only_a_person_knows(yolo_set: Path, tmp_path: Path) -> None:
    (yolo_set / "data.yaml").unlink()
    message = told(yolo_set)
    assert (
        "is YOLO txt, and nothing says the names of the classes, in the order of their ids; write the YAML" in message
    )
    line = message.partition(" with the line ")[2].partition(" (classes: yours")[0]
    assert yaml.safe_load(line)["splits"] == {"train": "images/train", "val": "images/val"}
    masks = plain_masks(tmp_path)
    assert "is segmentation masks, and nothing says the values of the classes" in told(masks)
    for folder, names in ((yolo_set, "a\nb\n"), (yolo_set / "labels", "b\na\n")):
        (folder / "classes.txt").write_text(names)
    assert "differ" in told(yolo_set)


def plain_masks(tmp_path: Path) -> Path:
    root = tmp_path / "plain-masks"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(root / folder / "a.png")
    return root


def test_nothing_known_and_several_yamls(tmp_path: Path, yolo_set: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "its labels are of no known kind; write a YAML as docs/formats.md shows" in told(tmp_path / "empty")
    (yolo_set / "second.yaml").write_text((yolo_set / "data.yaml").read_text())
    assert "give one of the YAML files in it" in told(yolo_set)
    with pytest.raises(UserError, match="--data-root replaces the root of a YAML"):
        load_dataset(yolo_set, tmp_path)


def test_other_json_and_xml_in_a_folder_is_no_format(tmp_path: Path, save_picture: Save) -> None:
    save_picture(tmp_path / "a.png")
    (tmp_path / "notes.json").write_text(json.dumps({"anything": 1}))
    (tmp_path / "results.json").write_text(json.dumps([{"image_id": 1, "bbox": [1, 2, 3, 4]}]))
    (tmp_path / "page.xml").write_text("<page/>")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    (tmp_path / "readme.txt").write_text("0 things to read\n")
    assert recognise(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.xml", "<annotations>\n<track id='0'/></annotations>", "a.xml:2: holds tracks: it is CVAT for video"),
        ("a.xml", "<annotations>\n<image", "a.xml:2: not valid XML"),
        ("a.json", '[{"data": {"image": "a.png"},\n"annotations": [}]', "a.json:2: not valid JSON"),
        ("a.json", '{"images": [],\n"categories": [}', "a.json:2: not valid JSON"),
    ],
)
def test_a_broken_file_of_a_known_kind_is_named(
    name: str, text: str, message: str, tmp_path: Path, save_picture: Save
) -> None:
    save_picture(tmp_path / "a.png")
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as caught:
        load_dataset(tmp_path)
    assert message in str(caught.value)


def test_a_drawn_split_counts_corners_as_all_files_do(tmp_path: Path, yolo_set: Path, save_picture: Save) -> None:
    """Pascal VOC with edges from 0 is converted as such, although no split of it names its folders."""
    root = tmp_path / "voc"
    (root / "Annotations").mkdir(parents=True)
    for number in range(10):
        save_picture(root / "JPEGImages" / f"{number}.png", seed=number)
        corners = "<xmin>0</xmin><ymin>0</ymin><xmax>40.5</xmax><ymax>30</ymax>"
        text = f"<annotation><object><name>dent</name><bndbox>{corners}</bndbox></object></annotation>"
        (root / "Annotations" / f"{number}.xml").write_text(text)
    done = convert_dataset(load_dataset(root), tmp_path / "out", "voc")
    spec = load_dataset(done.yaml)
    assert spec.first_pixel == 0 and list(spec.splits) == ["train", "val"]
    assert read_split(spec, "val")[0][0].boxes.tolist() == [[0, 0, 40.5, 30]]


def test_few_pictures_are_trained_on_alone(tmp_path: Path, save_picture: Save) -> None:
    save_picture(tmp_path / "images" / "a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "classes.txt").write_text("dent\n")
    spec = load_dataset(tmp_path)
    assert list(spec.splits) == ["train"]
    assert spec.remarks()[1] == "no split for validation: 1 picture, too few or too alike to draw one"
