"""Splits of a folder without a YAML, spelled and nested as people do: no picture kept for testing is trained on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from lightdet.assembly.dataset import load_dataset
from lightdet.cli.app import main
from lightdet.data.dataset import read_split
from lightdet.data.split_words import SPLITS, split_of_cell, split_of_name
from lightdet.errors import UserError

Labels = Callable[[Path, int], None]


def labelme(folder: Path, number: int) -> None:
    """A picture that no other resembles, with its label beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.effect_noise((32, 24), 90 + number).convert("RGB").save(folder / f"{number}.png")
    shape = {"label": "dent", "points": [[2, 2], [12, 9]], "shape_type": "rectangle", "group_id": None}
    label = {"shapes": [shape], "imagePath": f"{number}.png", "imageData": None, "imageWidth": 32, "imageHeight": 24}
    (folder / f"{number}.json").write_text(json.dumps(label))


def yolo(folder: Path, number: int) -> None:
    """The same in YOLO's layout."""
    labelme(folder / "images", number)
    (folder / "images" / f"{number}.json").unlink()
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels" / f"{number}.txt").write_text("0 0.5 0.5 0.25 0.5\n")


def coco(path: Path, names: Mapping[str, int]) -> None:
    """A COCO file that lists pictures of 32 x 24 pixels."""
    images = [{"id": number, "file_name": name, "width": 32, "height": 24} for name, number in names.items()]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [2, 2, 9, 9]} for n in names.values()]
    path.parent.mkdir(parents=True, exist_ok=True)
    categories = [{"id": 1, "name": "dent"}]
    path.write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))


def filled(root: Path, folders: Mapping[str, str], save: Labels = labelme) -> dict[str, set[str]]:
    """Two pictures in each folder; returns the names that each split (the value) must have."""
    wanted: dict[str, set[str]] = {}
    for number, (folder, split) in enumerate(folders.items()):
        for each in (2 * number, 2 * number + 1):
            save(root / folder, each)
            wanted.setdefault(split, set()).add(f"{each}.png")
    return wanted


def found(root: Path) -> dict[str, set[str]]:
    spec = load_dataset(root)
    return {split: {truth.image.name for truth in read_split(spec, split)[0]} for split in spec.splits}


def told(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_dataset(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("save", [labelme, yolo])
@pytest.mark.parametrize(
    "folders",
    [
        {"Train": "train", "Test": "test", "VAL": "val"},
        {"training_set": "train", "test_set": "test", "validation-set": "val"},
        {"train2017": "train", "val2017": "val", "test2017": "test"},
        {"train": "train", "Val": "val", "Test": "test"},
        {"parts_train": "train", "parts_test": "test", "parts_valid": "val"},
        {"TrainSet": "train", "TestSet": "test", "Validate": "val"},
        {"parts/train": "train", "parts/val": "val", "parts/test": "test"},
        {"training/train": "train", "training/val": "val", "training/test": "test"},
        {"a/b c/Train": "train", "a/b c/valid": "val", "a/b c/Testing": "test"},
        {"images/train": "train", "images/Test": "test", "images/val": "val"},
    ],
)
def test_splits_are_found_as_people_name_them(folders: dict[str, str], save: Labels, tmp_path: Path) -> None:
    wanted = filled(tmp_path / "set", folders, save)
    (tmp_path / "set" / "classes.txt").write_text("dent\n")
    (tmp_path / "set" / "README.txt").write_text("Parts of line 7\n")
    assert found(tmp_path / "set") == wanted


@pytest.mark.parametrize(
    ("folders", "named"),
    [
        ({"line a/train": "train", "line b/train": "train", "line a/test": "test"}, ("line a/train", "line b/train")),
        ({"train": "train", "val": "val", "valid": "val"}, ("'val'", "'valid'")),
        ({"train": "train", "Train_Set": "train", "val": "val"}, ("'Train_Set'", "'train'")),
        ({"train": "train", "test": "test", "new": ""}, ("'new'",)),
        ({"train": "train", "dev": "", "test": "test"}, ("'dev'",)),
        ({".": "", "test": "test"}, ("'.'",)),
        ({"dent/train": "train", "dent/test": "test", "burr/train": "train"}, ("burr/train", "dent/train")),
        ({"test/train": ""}, ("'test/train'",)),
    ],
)
def test_what_no_split_takes_or_two_could_be_is_refused(
    folders: dict[str, str], named: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path / "set", folders)
    message = told(tmp_path / "set")
    assert message.startswith(f"{tmp_path / 'set'}: is LabelMe JSON, and nothing says ")
    assert all(name in message for name in named)
    assert f"write the YAML and give it: {tmp_path / 'set' / 'dataset.yaml'} with the line {{format: labelme" in message
    for verb in (["data", "init"], ["label"]):
        assert main([*verb, str(tmp_path / "set")]) == 2
        assert message in capsys.readouterr().err


def test_names_that_only_contain_such_a_word_are_no_splits(tmp_path: Path) -> None:
    for place, name in (("valves", "annotations"), ("parts", "export_latest"), ("contest", "interval_7")):
        root = tmp_path / place
        for number in range(2):
            labelme(root / "images", number)
            (root / "images" / f"{number}.json").unlink()
        coco(root / f"{name}.json", {"0.png": 0, "1.png": 1})
        assert next(iter(load_dataset(root).splits)) == "train"
    wanted = filled(tmp_path / "all", {"latest": "train", "valves": "train"})
    assert set.union(*found(tmp_path / "all").values()) == wanted["train"]


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"train.json": ["0.png"], "interval_7.json": ["1.png"]}, ("interval_7.json",)),
        ({"train.json": ["0.png"], "training.json": ["1.png"]}, ("train.json", "training.json")),
        ({"all.json": ["train/2.png", "Test/3.png"]}, ("all.json", "train", "Test")),
    ],
)
def test_files_of_labels_that_belong_to_no_split(
    files: dict[str, list[str]], named: tuple[str, ...], tmp_path: Path
) -> None:
    for folder, number in (("images", 0), ("images", 1), ("images/train", 2), ("images/Test", 3)):
        labelme(tmp_path / folder, number)
        (tmp_path / folder / f"{number}.json").unlink()
    for name, pictures in files.items():
        coco(tmp_path / name, {picture: number for number, picture in enumerate(pictures)})
    message = told(tmp_path)
    assert "is COCO JSON, and nothing says " in message and all(name in message for name in named)


def test_lists_of_pascal_voc_are_found_as_people_name_them_and_keep_the_rest_out(tmp_path: Path) -> None:
    corners = "<xmin>2</xmin><ymin>2</ymin><xmax>12</xmax><ymax>9</ymax>"
    inner = tmp_path / "VOCdevkit" / "VOC2007"
    for number in range(6):
        labelme(inner / "JPEGImages", number)
        (inner / "JPEGImages" / f"{number}.json").unlink()
        (inner / "Annotations").mkdir(exist_ok=True)
        text = f"<annotation><object><name>dent</name><bndbox>{corners}</bndbox></object></annotation>"
        (inner / "Annotations" / f"{number}.xml").write_text(text)
    lists = inner / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "trainval.txt").write_text("0\n1\n2\n3\n")
    (lists / "Test.txt").write_text("4\n5\n")
    pools = {"train": {"0.png", "1.png", "2.png", "3.png"}, "test": {"4.png", "5.png"}}
    for root in (inner, tmp_path):
        splits = found(root)
        assert splits["test"] == pools["test"] and splits["train"] | splits.get("val", set()) == pools["train"]
    (lists / "train.txt").write_text("0\n1\n")
    (lists / "val.txt").write_text("2\n3\n")
    assert found(inner) == {"train": {"0.png", "1.png"}, "val": {"2.png", "3.png"}, "test": {"4.png", "5.png"}}
    (lists / "train.txt").unlink()
    (lists / "trainval.txt").unlink()
    assert "which pictures are to be trained on" in told(inner)
    shutil.copytree(inner, inner.with_name("VOC2012"))
    assert "VOC2007" in told(tmp_path) and "VOC2012" in told(tmp_path)


def test_folders_of_classes_below_splits(tmp_path: Path) -> None:
    for place in ("plain", "nested/inside"):
        wanted = {}
        for number, (split, name) in enumerate((s, c) for s in ("Train", "Val", "test_set") for c in ("ok", "bad")):
            labelme(tmp_path / place / split / name, number)
            (tmp_path / place / split / name / f"{number}.json").unlink()
            wanted.setdefault(split_of_name(split), set()).add(f"{number}.png")
        assert found(tmp_path / place.partition("/")[0]) == wanted
    labelme(tmp_path / "plain" / "new" / "ok", 9)
    (tmp_path / "plain" / "new" / "ok" / "9.json").unlink()
    assert "'new/ok'" in told(tmp_path / "plain")


def test_a_yaml_in_the_only_folder_describes_it(tmp_path: Path) -> None:
    wanted = filled(tmp_path / "set" / "parts.v1i", {"train": "train", "valid": "val", "test": "test"}, yolo)
    (tmp_path / "set" / "__MACOSX").mkdir()
    (tmp_path / "set" / "README.dataset.txt").write_text("parts\n")
    text = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 1\nnames: ['dent']\n"
    (tmp_path / "set" / "parts.v1i" / "data.yaml").write_text(text)
    assert found(tmp_path / "set") == wanted
    assert load_dataset(tmp_path / "set").remarks()[0].endswith("is described by parts.v1i/data.yaml in it")


WORDS = [(word, split) for split, words in SPLITS.items() for word in words]


@given(
    word=st.sampled_from(WORDS), case=st.sampled_from([str, str.upper, str.title]), more=st.text("abcxyz", max_size=8)
)
def test_a_split_is_a_whole_word(word: tuple[str, str], case: Callable[[str], str], more: str) -> None:
    name, split = case(word[0]), word[1]
    for around in ("{}", "{}_set", "{}2017", "instances_{}", "my parts-{}.v3", "{}-00001-of-00002"):
        assert split_of_name(around.format(name)) == split
    assert split_of_cell(f" {name} ") == split
    glued = f"{more}{name.lower()}"
    if more and not any(glued.lower() == other for other, _ in WORDS):
        assert split_of_name(glued) is None and split_of_cell(glued) is None


PARTS = st.sampled_from(["train", "Test", "val", "dev", "a", "images", "test_set", "TRAINING", "2024"])


@settings(max_examples=40, deadline=None)
@given(folders=st.sets(st.lists(PARTS, max_size=3).map("/".join), min_size=1, max_size=4))
@example(folders={"", "images"})
@example(folders={"a", "images/a"})
def test_no_picture_in_a_folder_named_after_a_test_is_trained_on(
    folders: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Unless a split folder above it says otherwise, or all pictures lie there: then nothing is trained on."""
    root = tmp_path_factory.mktemp("set")
    filled(root, dict.fromkeys(sorted(folders), ""))
    try:
        spec = load_dataset(root)
    except UserError:
        return
    seen: dict[Path, str] = {}
    for split in spec.splits:
        for truth in read_split(spec, split)[0]:
            assert truth.image not in seen
            seen[truth.image] = split
            parts = truth.image.relative_to(root).parent.parts
            meant = {found for part in parts if (found := split_of_name(part)) is not None}
            assert split in meant or "test" not in meant or len(meant) > 1
    assert len(seen) == 2 * len(folders)
