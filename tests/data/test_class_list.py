"""Lists of classes as tools write them: names, or names with numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightdet.data.class_list import read_class_names
from lightdet.errors import UserError

NAMES = ("crazing", "rolled-in scale", "scratches")


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    return tmp_path / "classes.txt"


@pytest.mark.parametrize(
    ("lines", "form"),
    [
        ("{1}\n{2}\n{3}\n", "yolo"),
        ("0 {1}\n1 {2}\n2 {3}\n", "yolo"),
        ("0: {1}\n1: {2}\n2: {3}\n", "voc"),
        ("2\t{3}\n0\t{1}\n1\t{2}\n", "yolo"),  # in any order: the numbers count
        ("1. {1}\n2. {2}\n3. {3}\n", "voc"),
        ("1 {1}\n2 {2}\n3 {3}\n", "deeppcb"),
        ("{1}: 0\n{2}: 1\n{3}: 2\n", "yolo"),
        ("{1},1\n{2},2\n{3},3\n", "voc"),
    ],
)
def test_names_with_and_without_numbers(lines: str, form: str, listed: Path) -> None:
    listed.write_text(lines.format("", *NAMES))
    assert read_class_names(listed, form) == NAMES


@pytest.mark.parametrize(
    "names",
    [
        ("type 1", "type 2"),
        ("0 dent", "scratch"),  # not all
        ("1 dent", "3 scratch"),  # a gap
        ("5 dent", "6 scratch"),  # from 5
        ("1 hole", "2 hole"),  # would be one name twice
        ("0.5 mm", "1.5 mm"),
        ("dent 0", "scratch 1"),
    ],
)
def test_numbers_that_belong_to_the_names(names: tuple[str, ...], listed: Path) -> None:
    listed.write_text("\n".join(names))
    assert read_class_names(listed, "voc") == names


@pytest.mark.parametrize(
    ("text", "form", "message"),
    [
        ("1 dent\n2 hole\n", "yolo", "numbers its classes from 1, but yolo labels count from 0: which is right?"),
        ("0 dent\n1 hole\n", "deeppcb", "numbers its classes from 0, but deeppcb labels count from 1"),
        ("0\n1\n", "voc", "holds numbers instead of class names"),
    ],
)
def test_what_is_refused(text: str, form: str, message: str, listed: Path) -> None:
    listed.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_class_names(listed, form)
    assert str(caught.value).startswith(f"{listed}: ")


def test_another_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "map.pbtxt").write_text("item { id: 1 name: 'dent' }")
    with pytest.raises(UserError, match="must be a text file with one name per line"):
        read_class_names(tmp_path / "map.pbtxt", "voc")
