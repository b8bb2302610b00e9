"""Each label file belongs to one picture at most, over all splits and lists, and nothing is left over unsaid."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lightdet.assembly.dataset import load_dataset
from lightdet.data.audit import audit_dataset
from lightdet.data.dataset import read_split
from lightdet.data.label_places import LabelIndex
from lightdet.errors import UserError

Save = Callable[..., Path]
Write = Callable[[Path, str], Path]
ROW = "0 .5 .5 .5 .5\n"
VOC = (
    "<annotation><object><name>x</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>8</xmax><ymax>6</ymax></bndbox>"
    "</object></annotation>"
)


def refused(yaml: Path, split: str = "train") -> str:
    with pytest.raises(UserError) as caught:
        read_split(load_dataset(yaml), split)
    return str(caught.value)


def boxes(yaml: Path, split: str = "train") -> dict[str, int]:
    return {annotation.image.name: len(annotation) for annotation in read_split(load_dataset(yaml), split)[0]}


@settings(max_examples=60, deadline=None)
@given(
    pictures=st.sets(
        st.tuples(st.sampled_from("ab"), st.sampled_from("12"), st.sampled_from([".jpg", ".PNG"])), min_size=1
    ),
    labels=st.sets(
        st.tuples(st.sampled_from(["", "a/", "b/"]), st.sampled_from("12"), st.sampled_from([".txt", ".TXT"]))
    ),
    listed=st.booleans(),
    split_by_folder=st.booleans(),
)
def test_no_box_is_read_twice_and_none_is_lost(
    pictures: set[tuple[str, str, str]],
    labels: set[tuple[str, str, str]],
    listed: bool,
    split_by_folder: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever lies in the folders: refused, or every label file is exactly one picture's."""
    root = tmp_path_factory.mktemp("set")
    for number, (folder, stem, suffix) in enumerate(sorted(pictures)):
        target = root / "img" / folder / f"{stem}{suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8 + number, 8)).save(target, "PNG")
    for number, (folder, stem, suffix) in enumerate(sorted(labels)):
        target = root / "ann" / f"{folder}{stem}{suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"0 .5 .5 .{number + 1} .5\n")
    (root / "ann").mkdir(exist_ok=True)
    splits = {"train": ["a"], "val": ["b"]} if split_by_folder else {"train": ["a", "b"]}
    places = []
    for name, folders in splits.items():
        entries = [f"{f}/{s}{e}" for f, s, e in sorted(pictures) if f in folders]
        (root / f"{name}.txt").write_text("\n".join(entries))
        (root / "img" / folders[0]).mkdir(parents=True, exist_ok=True)
        shown = f"list: {name}.txt, images: img" if listed or len(folders) > 1 else f"images: img/{folders[0]}"
        places.append(f"  {name}: {{{shown}, unlabelled: background}}\n")
    (root / "d.yaml").write_text("format: yolo\nclasses: [x]\nlabels: ann\nsplits:\n" + "".join(places))
    spec = load_dataset(root / "d.yaml")
    found = []
    for name in splits:
        try:
            found += read_split(spec, name)[0]
        except UserError:
            return
    sources = [annotation.source for annotation in found if annotation.source is not None]
    assert len(sources) == len(set(sources))
    read = {path.resolve() for path in sources}
    unread = [path for path in (root / "ann").rglob("*") if path.is_file() and path.resolve() not in read]
    for path in unread:  # only a file that says the same as the one read, and is no other picture's, may stay unread
        assert any(source.read_bytes() == path.read_bytes() for source in sources)


@pytest.mark.parametrize("suffix", ["txt", "TXT", "Txt"])
@pytest.mark.parametrize("picture", ["b.jpg", "b.JPG", "größe b.Png"])
def test_suffixes_in_any_case(suffix: str, picture: str, tmp_path: Path, save_picture: Save, write: Write) -> None:
    save_picture(tmp_path / "images" / picture, format="PNG")
    write(tmp_path / "labels" / f"{Path(picture).stem}.{suffix}", ROW)
    yaml = write(tmp_path / "d.yaml", "format: yolo\nclasses: [x]\nsplits: {train: images}\n")
    assert boxes(yaml) == {picture: 1}


def test_two_label_files_for_one_picture(tmp_path: Path, save_picture: Save, write: Write) -> None:
    save_picture(tmp_path / "images" / "a.jpg")
    first = write(tmp_path / "labels" / "a.txt", ROW)
    second = write(tmp_path / "images" / "a.txt", "0 .5 .5 .1 .1\n")
    yaml = write(tmp_path / "d.yaml", "format: yolo\nclasses: [x]\nsplits: {train: images}\n")
    assert f"its labels could be {first} or {second}, which differ" in refused(yaml)
    second.write_text(ROW)
    assert boxes(yaml) == {"a.jpg": 1}


@pytest.mark.parametrize(("form", "label"), [("yolo", ROW), ("voc", VOC)])
@pytest.mark.parametrize("listed", [True, False])
def test_pictures_of_one_name_in_two_folders(
    form: str, label: str, listed: bool, tmp_path: Path, save_picture: Save, write: Write
) -> None:
    pictures = [save_picture(tmp_path / "img" / folder / "1.jpg") for folder in "ab"]
    shared = write(tmp_path / "ann" / f"1.{'xml' if form == 'voc' else 'txt'}", label)
    write(tmp_path / "train.txt", "a/1.jpg\nb/1.jpg\n")
    split = "train.txt" if listed else "img"
    text = f"format: {form}\nclasses: [x]\nimages: img\nlabels: ann\nsplits: {{train: {split}}}\n"
    message = refused(write(tmp_path / "d.yaml", text))
    assert message.startswith(f"{pictures[0]}: shares the label file {shared} with {pictures[1]}; ")
    with pytest.raises(UserError, match="no usable picture"):  # neither is known to be the right one
        read_split(load_dataset(tmp_path / "d.yaml"), "train", on_error="skip")


def test_pictures_of_one_name_in_two_splits(tmp_path: Path, save_picture: Save, write: Write) -> None:
    train, val = (save_picture(tmp_path / "images" / split / "1.jpg") for split in ("train", "val"))
    shared = write(tmp_path / "labels" / "1.txt", ROW)
    text = "format: yolo\nclasses: [x]\nlabels: labels\nsplits: {train: images/train, val: images/val}\n"
    yaml = write(tmp_path / "d.yaml", text)
    assert f"{train}: shares the label file {shared} with {val} of the split 'val'" in refused(yaml)
    assert f"{val}: shares the label file {shared} with {train} of the split 'train'" in refused(yaml, "val")
    findings = [str(shared) in finding.message for finding in audit_dataset(load_dataset(yaml), 64).findings]
    assert any(findings)
    (tmp_path / "d.yaml").write_text(text.replace("images/val", "images/train"))
    assert boxes(yaml) == boxes(yaml, "val") == {"1.jpg": 1}  # one picture in two splits is no conflict here


def test_good_pictures_of_one_name_are_no_conflict(tmp_path: Path, save_picture: Save, write: Write) -> None:
    for name in ("d.jpg", "g.jpg", "g.png"):
        save_picture(tmp_path / "images" / name)
    write(tmp_path / "labels" / "d.txt", ROW)
    yaml = write(tmp_path / "d.yaml", "train: images\nval: images\nnames: [x]\n")
    assert boxes(yaml) == {"d.jpg": 1, "g.jpg": 0, "g.png": 0}


@pytest.mark.parametrize(
    ("label", "word"),
    [
        ("B.txt", "does it belong to {}"),
        ("b.jpg.txt", "does it belong to {}"),
        ("c.txt", "add the picture or remove it"),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_label_files_left_over(
    label: str, word: str, listed: bool, tmp_path: Path, save_picture: Save, write: Write
) -> None:
    save_picture(tmp_path / "images" / "a.jpg")
    near = save_picture(tmp_path / "images" / "b.jpg")
    write(tmp_path / "labels" / "a.txt", ROW)
    left = write(tmp_path / "labels" / label, ROW)
    write(tmp_path / "l.txt", "images/a.jpg\nimages/b.jpg\n")
    yaml = write(tmp_path / "d.yaml", f"train: {'l.txt' if listed else 'images'}\nnames: [x]\n")
    assert refused(yaml).startswith(f"{left}: the label file has no picture") and word.format(near) in refused(yaml)


JSON = '{"shapes": [{"label": "x", "points": [[1, 1], [8, 6]], "shape_type": "rectangle"}], "imagePath": ""}'
BESIDE = {"yolo": (".txt", ROW), "voc": (".xml", VOC), "labelme": (".json", JSON)}


@pytest.mark.parametrize("form", BESIDE)
@pytest.mark.parametrize("place", ["images", "images/train", "JPEGImages", "pics"])
@pytest.mark.parametrize("source", ["folder", "list", "list and folder", "list elsewhere"])
def test_label_files_left_over_beside_the_pictures(
    form: str, place: str, source: str, tmp_path: Path, save_picture: Save, write: Write
) -> None:
    """Also where the pictures' folder has a counterpart for labels, such as ``labels``: beside them is a place, too."""
    suffix, text = BESIDE[form]
    near = save_picture(tmp_path / place / "B.png")
    for name in ("a.png", "unlisted.png"):
        save_picture(tmp_path / place / name)
    for name in ("a", "unlisted"):
        write(tmp_path / place / f"{name}{suffix}", text)
    save_picture(tmp_path / "empty" / "c.png")
    write(tmp_path / "l.txt", f"{place}/a.png\n{place}/B.png\n")
    split = {
        "folder": f"{{images: {place}, unlabelled: background}}",
        "list": "{list: l.txt, unlabelled: background}",
        "list and folder": f"{{images: {place}, list: l.txt, unlabelled: background}}",
        "list elsewhere": "{images: empty, list: l.txt, unlabelled: background}",
    }[source]
    yaml = write(tmp_path / "d.yaml", f"format: {form}\nclasses: [x]\nsplits: {{train: {split}}}\n")
    others = {"unlisted.png": 1} if source == "folder" else {}
    assert boxes(yaml) == {"a.png": 1, "B.png": 0, **others}
    left = write(tmp_path / place / f"b{suffix}", text)
    assert (
        refused(yaml)
        == f"{left}: the label file has no picture; does it belong to {near}? Then give both the same name"
    )


def test_pictures_that_are_not_listed_are_no_masks(tmp_path: Path, save_picture: Save, write: Write) -> None:
    for name in ("a.jpg", "b.png"):
        save_picture(tmp_path / "images" / name, (10, 8))
    (tmp_path / "masks").mkdir()
    Image.new("L", (10, 8)).save(tmp_path / "masks" / "a.png")
    write(tmp_path / "l.txt", "images/a.jpg\n")
    yaml = write(tmp_path / "d.yaml", "format: masks\nclasses: [x]\nsplits: {train: {list: l.txt}}\n")
    assert boxes(yaml) == {"a.jpg": 0}


def test_a_label_in_the_folder_of_another_split(tmp_path: Path, save_picture: Save, write: Write) -> None:
    """The picture was moved to val and its label stayed: it would count as a good part."""
    for name in ("train/a", "val/b", "val/c"):
        save_picture(tmp_path / "images" / f"{name}.jpg")
    for name in ("train/a", "train/b", "val/c"):
        write(tmp_path / "labels" / f"{name}.txt", ROW)
    yaml = write(tmp_path / "d.yaml", "train: images/train\nval: images/val\nnames: [x]\n")
    message = refused(yaml)
    assert f"{tmp_path / 'labels' / 'train' / 'b.txt'}: the label file has no picture" in message
    assert f"{tmp_path / 'images' / 'val' / 'b.jpg'} has the same name" in message


def test_lists_with_a_tools_prefix(tmp_path: Path, save_picture: Save, write: Write) -> None:
    for subset in ("train", "val"):
        save_picture(tmp_path / f"obj_{subset}_data" / "1.jpg")
        write(tmp_path / f"obj_{subset}_data" / "1.txt", ROW * (1 + (subset == "val")))
        write(tmp_path / f"{subset}.txt", f"data/obj_{subset}_data/1.jpg\n")
    yaml = write(tmp_path / "d.yaml", "path: .\ntrain: train.txt\nval: val.txt\nnames: {0: x}\n")
    assert (boxes(yaml), boxes(yaml, "val")) == ({"1.jpg": 1}, {"1.jpg": 2})


def test_several_lists(tmp_path: Path, save_picture: Save, write: Write) -> None:
    for name in "ab":
        save_picture(tmp_path / "images" / f"{name}.jpg")
        write(tmp_path / "labels" / f"{name}.txt", ROW)
        write(tmp_path / f"{name}.txt", f"images/{name}.jpg\n")
    yaml = write(tmp_path / "d.yaml", "train: [a.txt, b.txt]\nnames: [x]\n")
    assert boxes(yaml) == {"a.jpg": 1, "b.jpg": 1}
    write(tmp_path / "b.txt", "./images/../images/a.jpg\n")
    assert f"b.txt:1: './images/../images/a.jpg' is listed already in {tmp_path / 'a.txt'}:1" in refused(yaml)
    write(tmp_path / "d.yaml", "train: [a.txt, images]\nnames: [x]\n")
    assert "'train' holds lists and folders" in refused(yaml)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ESTALE, errno.EIO])
def test_labels_that_cannot_be_reached_are_not_taken_for_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    def fail(folder: Path) -> None:
        raise OSError(number, os.strerror(number), str(folder))

    assert LabelIndex().find(tmp_path / "labels" / "a.txt") == []
    assert LabelIndex().find(tmp_path / ("x" * 5000) / "a.txt") == []
    monkeypatch.setattr(os, "scandir", fail)
    with pytest.raises(UserError, match="the folder cannot be read"):
        LabelIndex().find(tmp_path / "labels" / "a.txt")
