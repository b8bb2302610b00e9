"""What fuzzing found to be read although it can mean two things, or something else than its format says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lightdet.assembly.dataset import load_dataset
from lightdet.data.class_list import read_class_names
from lightdet.data.formats.class_csv import read_rows
from lightdet.data.formats.coco import parse_coco
from lightdet.data.formats.deeppcb import parse_deeppcb
from lightdet.data.formats.label_file import read_bounded
from lightdet.data.formats.voc import parse_voc
from lightdet.data.formats.yolo import parse_yolo
from lightdet.errors import UserError

SIZE, CLASSES = (64, 48), ("scratch", "dent")
COCO = {"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "dent"}], "annotations": []}


def test_two_coco_files_in_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for behind in (json.dumps(COCO), "0", "}"):
        path.write_text(json.dumps(COCO, indent=1) + "\n" + behind)
        with pytest.raises(UserError, match=r"a\.json:\d+: the file continues after its last"):
            parse_coco(path)


@pytest.mark.parametrize("key", ["id", "file_name", "images", "extra"])
def test_a_key_given_twice_in_coco(key: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(COCO).replace('{"id": 1, "file', f'{{"{key}": 1, "{key}": 2, "file', 1))
    with pytest.raises(UserError, match=f"'{key}' is given twice in one object"):
        parse_coco(path)


@pytest.mark.parametrize(
    ("name", "corner"), [("dent", "1<b/>2"), ("dent", "1<ymin>3</ymin>"), ("de<b/>nt", "1"), ("dent<name/>", "1")]
)
def test_elements_within_a_value_of_voc(name: str, corner: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    box = f"<xmin>{corner}</xmin><ymin>1</ymin><xmax>30</xmax><ymax>30</ymax>"
    path.write_text(f"<annotation><object><name>{name}</name><bndbox>{box}</bndbox></object></annotation>")
    (problem,) = parse_voc(path, SIZE, CLASSES).problems
    assert "elements inside" in problem.message


@pytest.mark.parametrize("number", ["\N{FULLWIDTH DIGIT ONE}", "\N{ARABIC-INDIC DIGIT ONE}", "1_0", "9" * 400, "1.0"])
def test_numbers_of_deeppcb_are_plain_digits(number: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"{number} 1 20 20 1\n")
    assert [problem.line for problem in parse_deeppcb(path, SIZE, CLASSES).problems] == [1]


def test_digits_of_other_scripts_number_no_classes(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("0 scratch\n\N{ARABIC-INDIC DIGIT ONE} dent\n")
    assert read_class_names(path, "yolo") == ("0 scratch", "\N{ARABIC-INDIC DIGIT ONE} dent")


def test_a_column_named_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("path,label,label\na.png,dent,scratch\n")
    with pytest.raises(UserError, match=r"a\.csv:1: the first line names the column 'label' twice"):
        list(read_rows(path))


@pytest.mark.parametrize("sign", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_only_line_ends_end_rows(sign: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(f"0 .5 .5 .1 .1{sign}1 .5 .5 .2 .2\r0 .5 .5 .3 .3\n".encode())
    found = parse_yolo(path, SIZE, CLASSES)
    assert [problem.line for problem in found.problems] == [1] and found.lines == [2]


@pytest.mark.parametrize("sign", ["\n", "\r", "\x0b", "\x1b[2J", "\x85", "\u2028", "\0"])
def test_messages_stay_one_line_whatever_files_hold(sign: str) -> None:
    error = UserError(f"unknown class 'a{sign}b'", path=f"odd{sign}.txt", line=3)
    for text in (str(error), error.message):
        assert text.isprintable() and "unknown class 'a\\" in text


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    yaml = tmp_path / "data.yaml"
    good = {"root": ".", "splits": "{train: images}", "classes": "[x]", "labels": "labels"}
    for key, value in (("root", "{}"), ("splits", "{{train: {}}}"), ("splits", "{{train: {}.txt}}"), ("classes", "{}")):
        values = good | {key: value.format("x" * 5000)}
        yaml.write_text("format: yolo\n" + "".join(f"{name}: {text}\n" for name, text in values.items()))
        with pytest.raises(UserError, match=r"data\.yaml: 'x{40}\.\.\.' cannot be a path: File name too long"):
            load_dataset(yaml)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no endless file here")
@pytest.mark.parametrize("read", [read_bounded, lambda path: read_bounded(path, 1000), load_dataset])
def test_endless_files_are_not_read_to_their_end(read: Callable[[Path], object]) -> None:
    with pytest.raises(UserError, match="/dev/zero: larger than"):
        read(Path("/dev/zero"))
