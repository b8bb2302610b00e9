"""Two files that say different things of one data set: the contradiction is told, nothing is chosen silently."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from lightdet.assembly.dataset import load_dataset
from lightdet.data.audit import audit_dataset
from lightdet.data.convert import convert_dataset
from lightdet.data.dataset import read_split
from lightdet.data.draw_splits import draw_splits
from lightdet.data.unread_marks import marks_not_read
from lightdet.errors import UserError

Save = Callable[..., Path]
Write = Callable[[Path, str], Path]


def refused(yaml: Path, split: str = "train") -> str:
    with pytest.raises(UserError) as caught:
        read_split(load_dataset(yaml), split)
    assert "\n" not in str(caught.value)
    return str(caught.value)


LISTS = {
    "classes.txt": "dent\nscratch\n",
    "obj.names": "dent\nscratch\n",
    "_darknet.labels": "dent\nscratch\n",
    "labelmap.txt": "dent\nscratch\n",
    "notes.json": json.dumps({"categories": [{"id": 1, "name": "scratch"}, {"id": 0, "name": "dent"}], "info": {}}),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("place", [".", "labels", "labels/train"])
def test_class_lists_of_labelling_tools(name: str, place: str, yolo_set: Path, write: Write) -> None:
    path = write(yolo_set / place / name, LISTS[name])
    message = refused(yolo_set / "data.yaml")
    assert message.startswith(f"{path}: calls class 0 'dent', but {yolo_set / 'data.yaml'} calls it 'scratch': ")
    findings = audit_dataset(load_dataset(yolo_set / "data.yaml"), 64).findings
    assert any(finding.path == path and finding.severity == "error" for finding in findings)
    path.write_text(LISTS[name].replace("dent", "x").replace("scratch", "Dent ").replace("x", "SCRATCH"))
    assert len(read_split(load_dataset(yolo_set / "data.yaml"), "train")[0]) == 3  # written otherwise, the same names


@pytest.mark.parametrize("names", ["[dent, scratch]", "{1: scratch, 0: dent}"])
def test_the_data_yaml_beside_our_own(names: str, yolo_set: Path, write: Write) -> None:
    (yolo_set / "data.yaml").rename(yolo_set / "ours.yaml")
    path = write(yolo_set / "data.yaml", f"train: images/train\nnames: {names}\n")
    assert refused(yolo_set / "ours.yaml").startswith(f"{path}: calls class 0 'dent'")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "0 0.5 0.5 0.2 0.2\n"),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\ndent:9,9,9::\n"),
        ("labelmap.txt", "???\nscratch\ndent\n"),
        ("labelmap.txt", 'item {\n id: 1\n name: "dent"\n}\nitem {\n id: 2\n name: "scratch"\n}\n'),
        ("notes.json", "[1, {"),
        ("notes.json", '{"categories": 3}'),
        ("data.yml", ""),
    ],
)
def test_other_files_of_those_names_do_not_matter(name: str, text: str, yolo_set: Path, write: Write) -> None:
    write(yolo_set / "labels" / "train" / name, text)
    assert len(read_split(load_dataset(yolo_set / "data.yaml"), "train")[0]) == 3


@pytest.mark.parametrize("form", ["{number} {name}", "{number}: {name}", "{name}: {number}", "{name}={number}"])
def test_lists_with_numbers_are_taken_by_their_numbers(form: str, yolo_set: Path, write: Write) -> None:
    def told(*entries: tuple[int, str]) -> None:
        lines = "\n".join(form.format(number=number, name=name) for number, name in entries)
        write(yolo_set / "labels" / "classes.txt", lines + "\n")

    told((1, "scratch"), (2, "dent"))  # the tool that wrote it counts from 1: its 1 is our 0
    assert "classes.txt: calls class 1 'scratch', but" in refused(yolo_set / "data.yaml")
    told((1, "scratch"), (0, "dent"))
    assert "classes.txt: calls class 0 'dent', but" in refused(yolo_set / "data.yaml")
    told((1, "dent"), (0, "scratch"))
    assert len(read_split(load_dataset(yolo_set / "data.yaml"), "train")[0]) == 3


def test_labels_that_name_their_classes_need_no_list(voc: Path, write: Write) -> None:
    write(voc / "classes.txt", "dent\nscratch\n")
    assert len(read_split(load_dataset(voc / "d.yaml"), "train")[0]) == 1


@pytest.fixture
def voc(tmp_path: Path, save_picture: Save, write: Write) -> Path:
    root = tmp_path / "voc"
    box = "<bndbox><xmin>10.5</xmin><ymin>20.25</ymin><xmax>50.75</xmax><ymax>55.5</ymax></bndbox>"
    save_picture(root / "img" / "a.png")
    write(root / "ann" / "a.xml", f"<annotation><object><name>scratch</name>{box}</object></annotation>")
    text = "format: voc\nclasses: [scratch, dent]\nimages: img\nlabels: ann\nsplits: {train: {}}\n"
    write(root / "d.yaml", text)
    return root


def test_edges_in_voc_are_seen_said_and_kept(voc: Path, tmp_path: Path) -> None:
    spec = load_dataset(voc / "d.yaml")
    edges = [[10.5, 20.25, 50.75, 55.5]]
    assert read_split(spec, "train")[0][0].boxes.tolist() == edges
    told = [finding for finding in audit_dataset(spec, 96).findings if finding.kind == "pixel-base"]
    assert len(told) == 1 and "a.xml" in told[0].message
    done = convert_dataset(spec, tmp_path / "new", "voc")
    assert "first_pixel: 0" in done.yaml.read_text()
    assert read_split(load_dataset(done.yaml), "train")[0][0].boxes.tolist() == edges


@pytest.mark.parametrize(("first", "left"), [(0, 10.5), (1, 9.5)])
def test_what_voc_counts_from_can_be_set(first: int, left: float, voc: Path) -> None:
    text = (voc / "d.yaml").read_text()
    (voc / "d.yaml").write_text(f"{text}first_pixel: {first}\n")
    spec = load_dataset(voc / "d.yaml")
    assert read_split(spec, "train")[0][0].boxes[0][0] == left
    assert not [finding for finding in audit_dataset(spec, 96).findings if finding.kind == "pixel-base"]
    (voc / "d.yaml").write_text(text + "first_pixel: 2\n")
    with pytest.raises(UserError, match="'first_pixel' should be 0 or 1"):
        load_dataset(voc / "d.yaml")


def test_a_switch_is_no_pixel(voc: Path) -> None:
    (voc / "d.yaml").write_text((voc / "d.yaml").read_text() + "first_pixel: true\n")
    with pytest.raises(UserError, match="'first_pixel' should be 0 or 1"):
        load_dataset(voc / "d.yaml")


@pytest.mark.parametrize("text", ["~nobody-of-this-name/x", "/content/y/images", "C:/y/images", "images\\x"])
def test_folders_that_are_not_there(text: str, yolo_set: Path) -> None:
    (yolo_set / "data.yaml").write_text(f"train: {text}\nnames: [x]\n")
    message = refused(yolo_set / "data.yaml")
    assert "data.yaml:1: the picture folder of the split 'train' does not exist" in message
    assert message.endswith(f"there is {yolo_set / 'images'}: if that is meant, write it") == text.endswith("/images")


@pytest.mark.parametrize("blank", ["", "''", "[]", "null"])
def test_splits_left_blank(blank: str, yolo_set: Path) -> None:
    text = (
        f"path: {blank.replace('[]', '')}\ntrain: images/train\nval: {blank}\ntest: {blank}\nnames: [scratch, dent]\n"
    )
    (yolo_set / "data.yaml").write_text(text.replace("path: ''", "path: ."))
    assert list(load_dataset(yolo_set / "data.yaml").splits) == ["train"]


def test_pictures_of_kinds_that_are_not_read_are_named(yolo_set: Path) -> None:
    (yolo_set / "images" / "train" / "phone.JXL").write_bytes(b"\xff\x0a" + bytes(20))
    assert refused(yolo_set / "data.yaml").endswith("phone.JXL: JXL is not read; save it as PNG or JPEG")


@pytest.mark.parametrize("line", ["first_pixel: 0", "rows: polygons\nkpt_shape: [2, 3]"])
def test_keys_of_other_formats(line: str, yolo_set: Path) -> None:
    with (yolo_set / "data.yaml").open("a") as file:
        file.write(line + "\n")
    assert line.split(":", maxsplit=1)[0] in refused(yolo_set / "data.yaml")


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("form", ["yolo", "data.yaml"])
def test_a_test_split_that_is_not_there(form: str, empty: bool, yolo_set: Path, tmp_path: Path) -> None:
    if empty:
        (yolo_set / "images" / "test").mkdir()
    fault = "the split 'test' holds no pictures" if empty else "the picture folder of the split 'test' does not exist"
    text = (yolo_set / "data.yaml").read_text() + "  test: images/test\n"
    if form == "data.yaml":
        text = "train: images/train\nval: images/val\n\n\n\ntest: images/test\nnames: [scratch, dent]\n"
    (yolo_set / "data.yaml").write_text(text)
    spec = load_dataset(yolo_set / "data.yaml")
    assert list(spec.splits) == ["train", "val"]
    assert f"data.yaml:6: {fault}" in refused(yolo_set / "data.yaml", "test")
    findings = [finding for finding in audit_dataset(spec, 64).findings if finding.kind == "split-gone"]
    assert [(finding.severity, finding.line) for finding in findings] == [("warning", 6)]
    done = convert_dataset(spec, tmp_path / "new", "coco")
    assert any("test" in note and "it is left out" in note for note in done.notes)
    assert list(load_dataset(done.yaml).splits) == ["train", "val"]


@pytest.mark.parametrize("empty", [False, True])
def test_a_test_split_of_folders_that_is_not_there(
    empty: bool, tmp_path: Path, save_picture: Save, write: Write
) -> None:
    for number in range(8):
        save_picture(tmp_path / "set" / "train" / "ab"[number % 2] / f"{number}.png", seed=number)
    if empty:
        (tmp_path / "set" / "test").mkdir()
    spec = load_dataset(write(tmp_path / "set" / "d.yaml", "format: folders\nsplits:\n  train: train\n  test: test\n"))
    assert list(spec.splits) == ["train"] and spec.classes == ("a", "b")
    findings = [finding for finding in audit_dataset(spec, 64).findings if finding.kind == "split-gone"]
    assert [(finding.severity, finding.line) for finding in findings] == [("warning", 4)]
    done = draw_splits(spec, tmp_path / "new", val=0.5)
    assert any("'test'" in note and note.endswith("it is left out") for note in done.notes)
    assert list(load_dataset(done.yaml).splits) == ["train", "val"]


def test_marks_are_told_where_there_are_some(voc: Path, tmp_path: Path) -> None:
    spec = load_dataset(voc / "d.yaml")
    assert not any("not carried over" in note for note in convert_dataset(spec, tmp_path / "one", "coco").notes)
    text = (voc / "ann" / "a.xml").read_text()
    (voc / "ann" / "a.xml").write_text(text.replace("<name>", "<difficult>1</difficult><pose>Left</pose><name>"))
    assert (
        "not carried over: the mark 'difficult', the mark 'pose'"
        in convert_dataset(spec, tmp_path / "two", "coco").notes
    )
    coco = load_dataset(tmp_path / "one" / "d.yaml")
    assert not any("not carried over" in note for note in convert_dataset(coco, tmp_path / "three", "yolo").notes)
    path = tmp_path / "one" / "annotations" / "train.json"
    path.write_text(path.read_text().replace('"iscrowd"', '"segmentation": [[1, 2, 3, 4, 5, 6]], "iscrowd"'))
    assert "not carried over: polygons and masks" in convert_dataset(coco, tmp_path / "four", "yolo").notes


BOX = [10.0, 20.0, 30.0, 40.0]
CORNERS = [10, 20, 40, 20, 40, 60, 10, 60]


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        ({}, False),
        ({"segmentation": []}, False),
        ({"segmentation": [[]]}, False),
        ({"segmentation": [CORNERS]}, False),
        ({"segmentation": [CORNERS[2:] + CORNERS[:2]]}, False),
        ({"segmentation": [[10.2, 20.1, 39.9, 19.8, 40, 60, 10, 60]]}, False),
        ({"segmentation": [CORNERS, [1, 2, 3, 4, 5, 6]]}, True),
        ({"segmentation": [[*CORNERS, 25, 30]]}, True),
        ({"segmentation": {"counts": [1, 2], "size": [3, 4]}}, True),
        ({"keypoints": []}, False),
        ({"keypoints": [0, 0, 0]}, False),
        ({"keypoints": [3, 4, 2]}, True),
    ],
)
def test_polygons_are_told_where_they_say_more_than_the_box(
    tmp_path: Path, marks: dict[str, object], told: bool
) -> None:
    """Tools write empty lists, or the box's own corners, for boxes."""
    Image.new("RGB", (100, 80)).save(tmp_path / "a.png")
    value = {
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}],
        "categories": [{"id": 1, "name": "x"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": BOX, "area": 1200, "iscrowd": 0, **marks}],
    }
    (tmp_path / "a.json").write_text(json.dumps(value))
    (tmp_path / "d.yaml").write_text("format: coco\nsplits: {train: {images: ., labels: a.json}}\n")
    spec = load_dataset(tmp_path / "d.yaml")
    notes = marks_not_read(spec, read_split(spec, "train")[0])
    assert bool(notes) == told, notes


@pytest.mark.parametrize(
    "text",
    [
        "root: 2024\nsplits: {train: x}",
        "splits: {1: x}",
        "root: 2024-05-01\nsplits: {train: x}",
        "name: 7\nsplits: {train: x}",
        "images: 1\nsplits: {train: {}}",
        "images: [a, 1]\nsplits: {train: {}}",
        "labels: 010\nsplits: {train: x}",
        "splits: {train: 1}",
        "splits: {train: [1, 2]}",
        "splits: {train: {images: 1.5}}",
        "splits: {train: {labels: 1}}",
        "splits: {train: {list: 1}}",
        "splits: {train: {list: yes}}",
    ],
)
def test_numbers_where_names_belong(text: str, tmp_path: Path, write: Write) -> None:
    path = write(tmp_path / "d.yaml", f"format: yolo\nclasses: [x]\n{text}\n")
    assert "put it in quotes" in refused(path)


@pytest.mark.parametrize("text", ["path: 1\ntrain: x", "train: 1", "train: [x, 2]", "train: x\nval: 3"])
def test_numbers_where_names_belong_in_a_data_yaml(text: str, tmp_path: Path, write: Write) -> None:
    assert "put it in quotes" in refused(write(tmp_path / "d.yaml", f"{text}\nnames: [x]\n"))


@pytest.mark.parametrize(
    ("names", "classes"),
    [("{'0': x, '1': y}", ("x", "y")), ("{1: y, 0: x}", ("x", "y")), ("{0: x, '1': y}", ("x", "y"))],
)
def test_names_by_number(names: str, classes: tuple[str, ...], tmp_path: Path, write: Write) -> None:
    assert load_dataset(write(tmp_path / "d.yaml", f"train: x\nnames: {names}\n")).classes == classes


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("train: x\nnames: {1: x, 2: y}", "they begin with 1, but labels count from 0"),
        ("train: x\nnames: {0: x, '0': y}", "given twice"),
        ("train: x\nnames: {0: x, 2: y}", "must number its names 0, 1, 2"),
        ("train: x\nnc: 1", "the key 'names' is missing"),
        ("train: x\nnc: 2\nnames: [x]", "nc is 2, but there is 1 name"),
        ("path: gone\ntrain: x\nnames: [x]", "correct 'path'"),
    ],
)
def test_data_yamls_with_mistakes(text: str, word: str, tmp_path: Path, write: Write) -> None:
    assert word in refused(write(tmp_path / "d.yaml", text + "\n"))


def test_coco_categories_of_one_name_say_the_way_out(tmp_path: Path, save_picture: Save, write: Write) -> None:
    save_picture(tmp_path / "a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "x"}, {"id": 2, "name": "x"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": n, "bbox": [1, 1, n, 9]} for n in (1, 2)],
    }
    write(tmp_path / "t.json", json.dumps(content))
    text = "format: coco\nsplits: {train: {images: ., labels: t.json}}\n"
    assert "list them under 'classes' in the YAML" in refused(write(tmp_path / "d.yaml", text))
    found, _ = read_split(load_dataset(write(tmp_path / "d.yaml", f"{text}classes: [x]\n")), "train")
    assert found[0].labels.tolist() == [0, 0]
