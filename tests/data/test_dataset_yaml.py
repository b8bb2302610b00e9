"""From a YAML to annotations: roots, lists, folders, customs of each format, and every mistake in them."""

from __future__ import annotations

import json
import os
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from lightdet.assembly.dataset import load_dataset
from lightdet.config.dataset import DatasetConfig
from lightdet.data.dataset import DatasetSpec, read_split
from lightdet.errors import UserError

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
Save = Callable[..., Path]
Write = Callable[[Path, str], Path]
VOC_BOX = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>8</xmax><ymax>6</ymax></bndbox>"
VOC = f"<annotation><object><name>dent</name>{VOC_BOX}</object></annotation>"


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    return message


def names(spec: DatasetSpec, split: str) -> list[str]:
    return [annotation.image.name for annotation in read_split(spec, split)[0]]


def test_yolo_set(yolo_set: Path) -> None:
    spec = load_dataset(yolo_set / "data.yaml")
    assert (spec.name, spec.format, spec.classes) == ("data", "yolo", ("scratch", "dent"))
    train, skipped = read_split(spec, "train")
    assert not skipped
    assert [(a.image.name, a.labels.tolist(), a.size) for a in train] == [
        ("a.png", [0, 1], (80, 60)),
        ("b.png", [1], (80, 60)),
        ("clean.png", [], (80, 60)),
    ]
    assert train[0].boxes[0].tolist() == [30, 15, 50, 45]
    assert names(spec, "val") == ["c.png", "größe d.png"]


def test_minimal_yolo_with_labels_beside_the_pictures(tmp_path: Path, save_picture: Save, write: Write) -> None:
    save_picture(tmp_path / "set" / "a.JPG", format="JPEG")
    write(tmp_path / "set" / "a.txt", "0 0.5 0.5 0.5 0.5")
    write(tmp_path / "set" / "classes.txt", "x")  # labelling tools leave it there
    write(tmp_path / "set" / "readme.txt", "not a label")
    write(tmp_path / "d.yaml", "format: yolo\nclasses: [x]\nsplits: {train: set}\n")
    assert names(load_dataset(tmp_path / "d.yaml"), "train") == ["a.JPG"]


def test_pictures_without_label_file_are_background_in_yolo(yolo_set: Path, save_picture: Save) -> None:
    save_picture(yolo_set / "images" / "train" / "e.png")
    found = {a.image.name: len(a) for a in read_split(load_dataset(yolo_set / "data.yaml"), "train")[0]}
    assert found == {"a.png": 2, "b.png": 1, "clean.png": 0, "e.png": 0}


def test_a_wrong_label_folder_is_not_taken_for_background(yolo_set: Path) -> None:
    (yolo_set / "labels").rename(yolo_set / "label")
    message = refused(lambda: read_split(load_dataset(yolo_set / "data.yaml"), "train"))
    assert "no picture of the split 'train' has a label file" in message
    assert str(yolo_set / "labels" / "train" / "a.txt") in message and "unlabelled: background" in message
    text = "format: yolo\nclasses: [x]\nsplits: {train: {images: images/train, unlabelled: background}}\n"
    (yolo_set / "data.yaml").write_text(text)
    assert [len(a) for a in read_split(load_dataset(yolo_set / "data.yaml"), "train")[0]] == [0, 0, 0]


def test_unlabelled_can_be_an_error_in_yolo(yolo_set: Path, save_picture: Save) -> None:
    extra = save_picture(yolo_set / "images" / "train" / "e.png")
    text = "format: yolo\nclasses: [x, y]\nsplits: {train: {images: images/train, unlabelled: error}}\n"
    (yolo_set / "data.yaml").write_text(text)
    message = refused(lambda: read_split(load_dataset(yolo_set / "data.yaml"), "train"))
    assert message.startswith(f"{extra}: the picture has no label file; expected")


def test_ultralytics_yaml(yolo_set: Path, write: Write) -> None:
    text = f"path: {yolo_set}\ntrain: images/train\nval: [images/val]\ntest:\nnc: 2\nnames:\n  0: scratch\n  1: dent\n"
    spec = load_dataset(write(yolo_set.parent / "elsewhere" / "coco8.yaml", text))
    assert spec.classes == ("scratch", "dent") and list(spec.splits) == ["train", "val"]
    assert len(read_split(spec, "train")[0]) == 3 and len(read_split(spec, "val")[0]) == 2


def test_ultralytics_list_and_roboflow_layout(tmp_path: Path, save_picture: Save, write: Write) -> None:
    for split in ("train", "valid"):
        save_picture(tmp_path / split / "images" / "a.png")
        write(tmp_path / split / "labels" / "a.txt", "0 .5 .5 .5 .5")
    text = "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['x']\nroboflow:\n  license: MIT\n"
    spec = load_dataset(write(tmp_path / "data.yaml", text))
    assert [len(a) for a in read_split(spec, "train")[0] + read_split(spec, "val")[0]] == [1, 1]
    write(tmp_path / "train.txt", "./train/images/a.png\n")
    spec = load_dataset(write(tmp_path / "data.yaml", "train: train.txt\nnames: [x]\n"))
    assert [len(a) for a in read_split(spec, "train")[0]] == [1]


@pytest.mark.parametrize(("split", "line"), [("val", 2), ("test", 3)])
def test_a_split_that_an_export_names_and_does_not_hold(
    split: str, line: int, tmp_path: Path, save_picture: Save, write: Write
) -> None:
    save_picture(tmp_path / "train" / "images" / "a.png")
    write(tmp_path / "train" / "labels" / "a.txt", "0 .5 .5 .5 .5")
    text = "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 1\nnames: ['x']\n"
    spec = load_dataset(write(tmp_path / "data.yaml", text))
    assert len(read_split(spec, "train")[0]) == 1
    message = refused(lambda: read_split(spec, split))
    assert message.startswith(
        f"{tmp_path / 'data.yaml'}:{line}: the picture folder of the split '{split}' does not exist"
    )
    assert message.endswith(f"remove the split '{split}')")
    write(tmp_path / "data.yaml", f"train: train/images\n{split}: data.yaml\nnames: [x]\n")
    message = refused(lambda: read_split(load_dataset(tmp_path / "data.yaml"), split))
    assert f":2: the picture folder of the split '{split}' is no folder: {tmp_path / 'data.yaml'}" in message


def test_a_coco_file_that_is_missing(tmp_path: Path, write: Write) -> None:
    text = "format: coco\nclasses: [x]\nsplits:\n  train: {images: a, labels: b.json}\n"
    message = refused(lambda: read_split(load_dataset(write(tmp_path / "d.yaml", text)), "train"))
    assert (
        message == f"{tmp_path / 'd.yaml'}:4: the COCO file of the split 'train' does not exist: {tmp_path / 'b.json'}"
    )


def test_ultralytics_mistakes(tmp_path: Path, write: Write) -> None:
    path = tmp_path / "data.yaml"
    write(path, "train: a\nnc: 3\nnames: [x, y]\n")
    assert "nc is 3, but there are 2 names" in refused(lambda: load_dataset(path))
    write(path, "train: a\nnames: {1: x, 2: y}\n")
    assert "must number its names 0, 1, 2" in refused(lambda: load_dataset(path))
    write(path, "names: [x]\n")
    assert "names no split" in refused(lambda: load_dataset(path))
    write(path, "trian: a\nnames: [x]\n")
    assert "unknown key 'trian'; did you mean 'train'?" in refused(lambda: load_dataset(path))


@pytest.fixture
def voc_set(tmp_path: Path, save_picture: Save, write: Write) -> Path:
    root = tmp_path / "voc"
    for name in ("one", "two.b", "three"):
        save_picture(root / "JPEGImages" / f"{name}.jpg")
        write(root / "Annotations" / f"{name}.xml", VOC)
    write(root / "ImageSets" / "train.txt", "two.b\n\n# comment\none\n")
    write(
        root / "d.yaml",
        "format: voc\nclasses: [dent]\nsplits:\n  train:\n    images: JPEGImages\n    list: ImageSets/train.txt\n",
    )
    return root


def test_voc_by_list_of_stems(voc_set: Path) -> None:
    spec = load_dataset(voc_set / "d.yaml")
    found, _ = read_split(spec, "train")
    assert [a.image.name for a in found] == ["two.b.jpg", "one.jpg"]  # the list's order
    assert found[0].boxes.tolist() == [[0, 0, 8, 6]]
    assert found[0].source == voc_set / "Annotations" / "two.b.xml"


def test_voc_by_folder(voc_set: Path) -> None:
    (voc_set / "d.yaml").write_text("format: voc\nclasses: [dent]\nsplits: {train: JPEGImages}\n")
    assert len(read_split(load_dataset(voc_set / "d.yaml"), "train")[0]) == 3


def test_voc_picture_without_xml(voc_set: Path) -> None:
    (voc_set / "Annotations" / "one.xml").unlink()
    spec = load_dataset(voc_set / "d.yaml")
    message = refused(lambda: read_split(spec, "train"))
    assert f"one.jpg: the picture has no label file; expected {voc_set / 'Annotations' / 'one.xml'}" in message
    text = (voc_set / "d.yaml").read_text() + "    unlabelled: background\n"
    (voc_set / "d.yaml").write_text(text)
    assert [len(a) for a in read_split(load_dataset(voc_set / "d.yaml"), "train")[0]] == [1, 0]


@pytest.mark.parametrize("entry", ["one.jpg", "JPEGImages/one.jpg", "./JPEGImages/one.jpg", "..\\JPEGImages\\one.jpg"])
def test_list_entries_may_be_paths(entry: str, voc_set: Path) -> None:
    (voc_set / "ImageSets" / "train.txt").write_text(entry + "\r\n")
    if entry.startswith(("JPEG", "./")):  # relative to the list itself
        (voc_set / "ImageSets" / "train.txt").rename(voc_set / "train.txt")
        text = (voc_set / "d.yaml").read_text().replace("ImageSets/", "")
        (voc_set / "d.yaml").write_text(text)
    assert names(load_dataset(voc_set / "d.yaml"), "train") == ["one.jpg"]


def test_list_mistakes_have_lines(voc_set: Path, save_picture: Save) -> None:
    listing = voc_set / "ImageSets" / "train.txt"
    spec = load_dataset(voc_set / "d.yaml")
    listing.write_text("one\nnine\nthree\n")
    message = refused(lambda: read_split(spec, "train"))
    assert message.startswith(f"{listing}:2: there is no picture 'nine' in {voc_set / 'JPEGImages'}")
    listing.write_text("one\n\nthree\none.jpg\n")
    assert refused(lambda: read_split(spec, "train")).startswith(f"{listing}:4: 'one.jpg' is listed already in line 1")
    save_picture(voc_set / "JPEGImages" / "sub" / "one.png")
    listing.write_text("one\n")
    assert "'one' matches 2 pictures" in refused(lambda: read_split(spec, "train"))
    listing.write_text("\n# nothing\n")
    assert "the split 'train' holds no pictures" in refused(lambda: read_split(spec, "train"))
    listing.unlink()
    message = refused(lambda: read_split(spec, "train"))
    assert message == f"{voc_set / 'd.yaml'}:4: the list of the split 'train' does not exist: {listing}"


def test_skip_collects_one_error_for_each(voc_set: Path, write: Write) -> None:
    (voc_set / "ImageSets" / "train.txt").write_text("one\nnine\ntwo.b\nthree\n")
    write(voc_set / "Annotations" / "one.xml", VOC.replace("dent", "dnet").replace(">8<", ">0<"))
    write(voc_set / "Annotations" / "lost.xml", VOC)
    (voc_set / "JPEGImages" / "three.jpg").write_bytes(b"junk")
    found, skipped = read_split(load_dataset(voc_set / "d.yaml"), "train", on_error="skip")
    assert [a.image.name for a in found] == ["two.b.jpg"]
    texts = [str(error) for error in skipped]
    assert len(texts) == 4
    assert any("train.txt:2: there is no picture 'nine'" in text for text in texts)
    assert any("lost.xml: the label file has no picture" in text for text in texts)
    assert any("one.xml:1: unknown class 'dnet': did you mean 'dent'?" in text for text in texts)
    assert any("three.jpg: not a picture" in text for text in texts)


def test_nothing_usable_is_an_error_even_when_skipping(voc_set: Path) -> None:
    for picture in (voc_set / "JPEGImages").iterdir():
        picture.write_bytes(b"junk")
    message = refused(lambda: read_split(load_dataset(voc_set / "d.yaml"), "train", on_error="skip"))
    assert (
        "no usable picture in the split 'train'; the first fault: " in message and "two.b.jpg: not a picture" in message
    )


@pytest.mark.parametrize(("text", "counts"), [("0 .5 .5 .5 .5\n", True), ("", True), ("notes on this set\n", False)])
def test_label_without_picture(text: str, counts: bool, yolo_set: Path, write: Write) -> None:
    lost = write(yolo_set / "labels" / "train" / "lost.txt", text)
    spec = load_dataset(yolo_set / "data.yaml")
    if counts:
        message = refused(lambda: read_split(spec, "train"))
        assert message == f"{lost}: the label file has no picture; add the picture or remove it"
    assert len(read_split(spec, "train", on_error="skip")[1]) == counts


def test_labels_of_another_split_are_no_orphans(yolo_set: Path) -> None:
    for name in ("train", "val"):
        for path in sorted((yolo_set / "labels" / name).iterdir()):
            path.rename(yolo_set / "labels" / path.name)
    (yolo_set / "data.yaml").write_text(
        "format: yolo\nclasses: [x, y]\nlabels: labels\nsplits: {train: images/train, val: images/val}\n"
    )
    assert len(read_split(load_dataset(yolo_set / "data.yaml"), "train")[0]) == 3


def test_two_pictures_for_one_label_file(yolo_set: Path, save_picture: Save) -> None:
    other = save_picture(yolo_set / "images" / "train" / "a.bmp")
    message = refused(lambda: read_split(load_dataset(yolo_set / "data.yaml"), "train"))
    label = yolo_set / "labels" / "train" / "a.txt"
    assert message.startswith(f"{other}: shares the label file {label} with {other.with_suffix('.png')}; ")


def test_hidden_files_are_not_pictures(yolo_set: Path) -> None:
    (yolo_set / "images" / "train" / "._a.png").write_bytes(b"resource fork")
    (yolo_set / "images" / "train" / ".thumbs").mkdir()
    (yolo_set / "images" / "train" / ".thumbs" / "a.png").write_bytes(b"x")
    assert len(names(load_dataset(yolo_set / "data.yaml"), "train")) == 3


def test_links_in_a_circle_end(yolo_set: Path) -> None:
    (yolo_set / "images" / "train" / "again").symlink_to(yolo_set / "images")
    spec = load_dataset(yolo_set / "data.yaml")
    assert {"a.png", "b.png", "clean.png"} <= {a.image.name for a in read_split(spec, "train", on_error="skip")[0]}


def test_both_spellings_of_an_umlaut(tmp_path: Path, save_picture: Save, write: Write) -> None:
    composed, parted = (unicodedata.normalize(form, "prüf") for form in ("NFC", "NFD"))
    save_picture(tmp_path / "images" / f"{parted}.png")
    write(tmp_path / "labels" / f"{composed}.txt", "0 .5 .5 .5 .5")
    write(tmp_path / "list.txt", f"{composed}.png\n")
    write(tmp_path / "d.yaml", "format: yolo\nclasses: [x]\nsplits: {train: {images: images, list: list.txt}}\n")
    assert [len(a) for a in read_split(load_dataset(tmp_path / "d.yaml"), "train")[0]] == [1]


@pytest.fixture
def coco_set(tmp_path: Path, save_picture: Save, write: Write) -> Path:
    root = tmp_path / "coco"
    save_picture(root / "train" / "ä.png")
    save_picture(root / "train" / "b.png")
    content = {
        "images": [
            {"id": 3, "file_name": "ä.png", "width": 80, "height": 60},
            {"id": 9, "file_name": "b.png", "width": 80, "height": 60},
        ],
        "categories": [{"id": 90, "name": "dent"}, {"id": 7, "name": "scratch"}],
        "annotations": [{"id": 1, "image_id": 3, "category_id": 90, "bbox": [1, 2, 3, 4], "iscrowd": 1}],
    }
    write(root / "train" / "_annotations.coco.json", json.dumps(content, indent=1))
    write(root / "d.yaml", "format: coco\nsplits: {train: train}\n")
    return root


def test_coco_brings_its_own_classes(coco_set: Path) -> None:
    spec = load_dataset(coco_set / "d.yaml")
    assert spec.classes == ("scratch", "dent")  # by id
    found, _ = read_split(spec, "train")
    assert [a.labels.tolist() for a in found] == [[1], []]
    assert found[0].crowd is not None and found[0].crowd.tolist() == [True]


@pytest.mark.parametrize(
    "split", ["train/_annotations.coco.json", "{images: train, labels: train/_annotations.coco.json}"]
)
def test_coco_spellings(split: str, coco_set: Path) -> None:
    (coco_set / "d.yaml").write_text(f"format: coco\nclasses: [dent, scratch]\nsplits: {{train: {split}}}\n")
    assert [a.labels.tolist() for a in read_split(load_dataset(coco_set / "d.yaml"), "train")[0]] == [[0], []]


def test_coco_with_a_list(coco_set: Path) -> None:
    (coco_set / "l.txt").write_text("b.png\n")
    text = "format: coco\nlabels: train/_annotations.coco.json\nimages: train\nsplits: {train: l.txt}\n"
    (coco_set / "d.yaml").write_text(text)
    assert names(load_dataset(coco_set / "d.yaml"), "train") == ["b.png"]
    (coco_set / "l.txt").write_text("b.png\nz.png\n")
    message = refused(lambda: read_split(load_dataset(coco_set / "d.yaml"), "train"))
    assert f"{coco_set / 'l.txt'}:2: 'z.png' is not among the images" in message


@pytest.mark.parametrize("prefix", ["camera-b/", ""])
@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        ("camera-b/1.png", True),
        ("images/camera-b/1.png", True),
        ("/content/set/images/camera-b/1.png", True),
        ("C:\\gone\\camera-b\\1.png", True),
        ("1.png", True),
        ("camera-a/1.png", False),
        ("images/camera-a/1.png", False),
        ("/content/set/images/camera-a/1.png", False),
        ("camera-c/1.png", False),
    ],
)
def test_coco_with_a_list_is_not_given_the_picture_of_another_folder(
    prefix: str, entry: str, meant: bool, tmp_path: Path, save_picture: Save, write: Write
) -> None:
    for name in ("camera-a/1.png", "camera-b/1.png", "camera-b/2.png"):
        save_picture(tmp_path / "images" / name)
    images = [{"id": number, "file_name": f"{prefix}{number}.png"} for number in (1, 2)]
    write(tmp_path / "all.json", json.dumps({"images": images, "categories": [], "annotations": []}))
    write(tmp_path / "val.txt", f"{entry}\n2.png\n")
    folder = "images" if prefix else "images/camera-b"
    text = f"format: coco\nclasses: [x]\nsplits: {{train: {{images: {folder}, labels: all.json, list: val.txt}}}}\n"
    spec = load_dataset(write(tmp_path / "d.yaml", text))
    if meant or (entry.startswith("camera-") and not prefix):  # leads nowhere, and the name may have been in any folder
        assert read_split(spec, "train")[0][0].image == tmp_path / "images" / "camera-b" / "1.png"
    else:
        message = refused(lambda: read_split(spec, "train"))
        assert message == f"{tmp_path / 'val.txt'}:1: '{entry}' is not among the images of {tmp_path / 'all.json'}"


def test_coco_picture_missing(coco_set: Path) -> None:
    (coco_set / "train" / "b.png").unlink()
    message = refused(lambda: read_split(load_dataset(coco_set / "d.yaml"), "train"))
    line = 1 + (coco_set / "train" / "_annotations.coco.json").read_text().splitlines().index('   "id": 9,') - 1
    assert f"_annotations.coco.json:{line}: there is no picture 'b.png' in {coco_set / 'train'}" in message


def test_coco_without_json(coco_set: Path) -> None:
    (coco_set / "train" / "_annotations.coco.json").unlink()
    message = refused(lambda: load_dataset(coco_set / "d.yaml"))
    assert message == f"{coco_set / 'd.yaml'}:2: the COCO split 'train' needs 'labels: FILE.json'"


@pytest.fixture
def pcb_set(tmp_path: Path, save_picture: Save, write: Write) -> Path:
    root = tmp_path / "pcb"
    for name in ("1", "2"):
        save_picture(root / "group0" / "000" / f"{name}_test.jpg")
        save_picture(root / "group0" / "000" / f"{name}_temp.jpg")
        write(root / "group0" / "000_not" / f"{name}.txt", f"1 2 30 40 {name}\n")
    write(root / "train.txt", "".join(f"group0/000/{n}.jpg group0/000_not/{n}.txt\n" for n in ("2", "1")))
    write(root / "d.yaml", "format: deeppcb\nclasses: [open, short]\nsplits: {train: train.txt}\n")
    return root


def test_deeppcb_list(pcb_set: Path) -> None:
    found, _ = read_split(load_dataset(pcb_set / "d.yaml"), "train")
    assert [(a.image.name, a.labels.tolist()) for a in found] == [("2_test.jpg", [1]), ("1_test.jpg", [0])]


def test_deeppcb_folder_leaves_templates_out(pcb_set: Path) -> None:
    (pcb_set / "d.yaml").write_text("format: deeppcb\nclasses: [open, short]\nsplits: {train: group0}\n")
    assert names(load_dataset(pcb_set / "d.yaml"), "train") == ["1_test.jpg", "2_test.jpg"]


def test_deeppcb_list_mistakes(pcb_set: Path) -> None:
    spec = load_dataset(pcb_set / "d.yaml")
    (pcb_set / "train.txt").write_text("group0/000/9.jpg group0/000_not/9.txt\n")
    assert "train.txt:1: there is no picture 'group0/000/9_test.jpg'" in refused(lambda: read_split(spec, "train"))
    (pcb_set / "train.txt").write_text("group0/000/1.jpg group0/000_not/9.txt\n")
    assert "no picture of the split 'train' has a label file" in refused(lambda: read_split(spec, "train"))
    (pcb_set / "train.txt").write_text("group0/000/1.jpg a b\n")
    assert "3 fields instead of 2" in refused(lambda: read_split(spec, "train"))


def test_root_from_environment(yolo_set: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "set.yaml"
    path.write_text("format: yolo\nroot: ${MY_DATA}/yolo-set\nclasses: [x, y]\nsplits: {train: images/train}\n")
    monkeypatch.delenv("MY_DATA", raising=False)
    message = refused(lambda: load_dataset(path))
    assert message.startswith(f"{path}:2: the environment variable MY_DATA is not set") and "--data-root" in message
    monkeypatch.setenv("MY_DATA", str(yolo_set.parent))
    assert len(read_split(load_dataset(path), "train")[0]) == 3
    monkeypatch.setenv("MY_DATA", "/no/such/place")
    assert "the data's folder /no/such/place/yolo-set does not exist" in refused(lambda: load_dataset(path))


def test_data_root_replaces_the_root(yolo_set: Path, tmp_path: Path) -> None:
    path = tmp_path / "set.yaml"
    path.write_text("format: yolo\nroot: ${NOT_SET_ANYWHERE}\nclasses: [x, y]\nsplits: {train: images/train}\n")
    assert len(read_split(load_dataset(path, yolo_set), "train")[0]) == 3
    message = refused(lambda: load_dataset(path, tmp_path / "gone"))
    assert message == f"{tmp_path / 'gone'}: the folder given with --data-root does not exist"


def test_root_is_relative_to_the_yaml(yolo_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(yolo_set.parent)
    assert len(read_split(load_dataset("yolo-set/data.yaml"), "train")[0]) == 3
    monkeypatch.chdir(yolo_set)
    assert len(read_split(load_dataset("data.yaml"), "train")[0]) == 3


def test_classes_from_a_file(yolo_set: Path, write: Write) -> None:
    text = "format: yolo\nclasses: names.txt\nsplits: {train: images/train}\n"
    path = write(yolo_set / "data.yaml", text)
    assert "names.txt: no such file" in refused(lambda: load_dataset(path))
    write(yolo_set / "names.txt", "scratch\n\n dent \n")
    assert load_dataset(path).classes == ("scratch", "dent")
    write(yolo_set / "names.txt", "scratch\nscratch\n")
    assert "names.txt: the class list holds 'scratch' twice" in refused(lambda: load_dataset(path))
    write(yolo_set / "names.txt", "\n")
    assert "must hold 1 to 1000 names, got 0" in refused(lambda: load_dataset(path))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("formt: yolo\n", 1, "unknown key 'formt'; did you mean 'format'?"),
        ("format: yolo\nclases: [a]\nsplits: {train: x}\n", 2, "unknown key 'clases'; did you mean 'classes'?"),
        (
            "format: yolov5\nclasses: [a]\nsplits: {t: x}\n",
            1,
            "'format' should be 'yolo', 'voc', 'coco', 'deeppcb', 'labelme'",
        ),
        (
            "format: yolo\nclasses: [a]\nsplits:\n  train: {imges: x}\n",
            4,
            "unknown key 'splits.train.imges'; did you mean",
        ),
        (
            "format: yolo\nclasses: [a]\nsplits:\n  train: 3\n",
            4,
            "'splits.train' is not text in YAML (3); put it in quotes",
        ),
        (
            "format: yolo\nclasses: [a]\nsplits:\n  train: {images: 3}\n",
            4,
            "'splits.train.images' is not text in YAML (3)",
        ),
        ("format: yolo\nclasses: [a]\nsplits:\n  train: {images: []}\n", 4, "the split 'train' needs 'images'"),
        ("format: yolo\nclasses: [a]\nsplits: {}\n", 3, "'splits' "),
        ("format: yolo\nclasses: [a]\nsplits:\n  ../up: x\n", 4, "'splits."),
        ("format: yolo\nclasses: [a]\nsplits: [a]\n", 3, "'splits' should hold keys of its own"),
        (
            "format: yolo\nclasses: [no, yes]\nsplits: {t: x}\n",
            2,
            "'classes' must hold names; one is not text in YAML (false); put it in quotes",
        ),
        ("format: yolo\nclasses: [a, a]\nsplits: {t: x}\n", 2, "'classes' holds 'a' twice"),
        ("format: yolo\nclasses: ['a', ' ']\nsplits: {t: x}\n", 2, "'classes' holds a blank"),
        ("format: yolo\nclasses: []\nsplits: {t: x}\n", 2, "'classes' must hold 1 to 1000 names, got 0"),
        (
            "format: yolo\nclasses: 3\nsplits: {t: x}\n",
            2,
            "'classes' is a number; list the names in the order of their ids",
        ),
        ("format: yolo\nclasses: ' '\nsplits: {t: x}\n", 2, "'classes' must be a list of names"),
        ("format: yolo\nclasses: [a]\nbit_depth: 8\nsplits: {t: x}\n", 3, "'bit_depth' should be greater than 8"),
        ("format: yolo\nclasses: [a]\noutside: cut\nsplits: {t: x}\n", 3, "'outside' should be 'error' or 'clip'"),
        ("format: yolo\nclasses: [a]\nname: a/b\nsplits: {t: x}\n", 3, "'name' "),
        ("format: yolo\nclasses: [a]\nroot: gone\nsplits: {t: x}\n", 3, "the data's folder "),
        (
            "format: yolo\nclasses: [a]\nsplits:\n  train: {labels: x}\n",
            4,
            "the split 'train' needs 'images' (a folder)",
        ),
    ],
)
def test_yaml_mistakes_have_lines(text: str, line: int, message: str, tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    path.write_text(text)
    told = refused(lambda: load_dataset(path))
    assert told.startswith(f"{path}:{line}: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "classes: [a]\nsplits: {t: x}\n",
            "the key 'format' is missing; add 'format: ' with one of yolo, voc, coco, deeppcb, labelme, "
            "cvat, label-studio, csv-boxes, masks, folders, csv",
        ),
        ("format: yolo\nclasses: [a]\n", "the key 'splits' is missing"),
        ("format: voc\nsplits: {t: x}\n", "the key 'classes' is missing: list the names in the order of their ids"),
    ],
)
def test_missing_keys(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    path.write_text(text)
    assert refused(lambda: load_dataset(path)) == f"{path}: {message}"


def test_a_folder_written_with_backslashes(yolo_set: Path) -> None:
    text = "format: yolo\nclasses: [x, y]\nsplits: {train: 'images\\train'}\n"
    (yolo_set / "data.yaml").write_text(text)
    spec = load_dataset(yolo_set / "data.yaml")
    if os.sep == "\\":
        assert read_split(spec, "train")[0]
    else:
        assert "write / instead of \\ in the YAML" in refused(lambda: read_split(spec, "train"))


def test_missing_folders_and_splits_are_told_with_what_there_is(yolo_set: Path) -> None:
    spec = load_dataset(yolo_set / "data.yaml")
    assert refused(lambda: read_split(spec, "test")).endswith("there is no split 'test'; the data set has train, val")
    (yolo_set / "images" / "train").rename(yolo_set / "images" / "Train")
    if (yolo_set / "images" / "train").is_dir():
        pytest.skip("this file system does not tell upper from lower case")
    message = refused(lambda: read_split(spec, "train"))
    missing = yolo_set / "images" / "train"
    told = f"the picture folder of the split 'train' does not exist: {missing}; did you mean 'Train'?"
    assert message == f"{yolo_set / 'data.yaml'}:4: {told}"
    (yolo_set / "data.yaml").write_text(
        "format: yolo\nclasses: [x, y]\nlabels: lables\nsplits: {train: images/Train}\n"
    )
    message = refused(lambda: read_split(load_dataset(yolo_set / "data.yaml"), "train"))
    assert f"data.yaml:4: the label folder of the split 'train' does not exist: {yolo_set / 'lables'}; " in message
    assert "holds images, labels" in message


def test_empty_folder(yolo_set: Path) -> None:
    for path in (yolo_set / "images" / "val").iterdir():
        path.unlink()
    message = refused(lambda: read_split(load_dataset(yolo_set / "data.yaml"), "val"))
    assert "the split 'val' holds no pictures" in message and str(yolo_set / "images" / "val") in message


def test_outside_is_passed_on(yolo_set: Path) -> None:
    (yolo_set / "labels" / "train" / "a.txt").write_text("0 0.95 0.5 0.2 0.5\n")
    message = refused(lambda: read_split(load_dataset(yolo_set / "data.yaml"), "train"))
    assert "a.txt:1: the box reaches outside the picture of 80 x 60" in message
    text = (yolo_set / "data.yaml").read_text() + "outside: clip\nbit_depth: 12\n"
    (yolo_set / "data.yaml").write_text(text)
    spec = load_dataset(yolo_set / "data.yaml")
    assert spec.bit_depth == 12
    assert np.allclose(read_split(spec, "train")[0][0].boxes, [[68, 15, 80, 45]])


def test_exif_turned_picture_has_the_size_as_shown(tmp_path: Path, save_picture: Save, write: Write) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[274] = 6
    save_picture(tmp_path / "images" / "a.jpg", exif=exif)
    write(tmp_path / "labels" / "a.txt", "0 0.5 0.5 1 1")
    write(tmp_path / "d.yaml", "format: yolo\nclasses: [x]\nsplits: {train: images}\n")
    (found,) = read_split(load_dataset(tmp_path / "d.yaml"), "train")[0]
    assert found.size == (60, 80) and found.boxes.tolist() == [[0, 0, 60, 80]]


def test_the_pages_show_yamls_that_are_valid() -> None:
    pages = [DATASETS.parent / "README.md", DATASETS.parent / "docs" / "formats.md"]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    shown = [config for config in map(yaml.safe_load, blocks) if "format" in config]
    assert {config["format"] for config in shown} >= {"yolo", "voc", "coco"}
    for config in shown:
        DatasetConfig.model_validate(config)


@pytest.mark.realdata
def test_neu_det(real_data: Callable[[str], Path]) -> None:
    real_data("neu-det")
    spec = load_dataset(DATASETS / "neu-det.yaml")
    start = time.perf_counter()
    train, val = (read_split(spec, split)[0] for split in ("train", "val"))
    assert time.perf_counter() - start < 10  # half a second when nothing else runs
    assert (len(train), len(val)) == (1440, 360)
    count = Counter(spec.classes[label] for a in train + val for label in a.labels.tolist())
    assert count == {
        "crazing": 689,
        "inclusion": 1011,
        "patches": 881,
        "pitted_surface": 432,
        "rolled-in_scale": 628,
        "scratches": 548,
    }
    boxes = np.concatenate([a.boxes for a in train + val])
    assert boxes.min() == 0 and boxes.max() == 200


@pytest.mark.realdata
def test_deeppcb(real_data: Callable[[str], Path]) -> None:
    real_data("deeppcb")
    spec = load_dataset(DATASETS / "deeppcb.yaml")
    counts = {}
    for split in ("train", "val", "test"):
        found = read_split(spec, split)[0]
        counts[split] = (len(found), np.bincount(np.concatenate([a.labels for a in found])).tolist())
    assert counts["train"] == (1000, [1283, 1028, 1379, 1142, 1010, 1031])
    assert counts["test"] == (500, [659, 478, 586, 483, 464, 470])
    assert counts["val"][0] == 499
