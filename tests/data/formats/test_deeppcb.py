"""DeepPCB's label lines: whole pixels, types from 1."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from label_strategies import CLASSES, annotations, check_equal

from lightdet.data.formats.deeppcb import parse_deeppcb, read_deeppcb, write_deeppcb
from lightdet.errors import UserError
from lightdet.structures import Annotation

SIZE = (640, 480)


def read(tmp_path: Path, text: str, **options: str) -> Annotation:
    path = tmp_path / "a.txt"
    path.write_text(text)
    return read_deeppcb(path, Path("a_test.jpg"), SIZE, CLASSES, **options)


def test_lines_with_spaces_or_commas(tmp_path: Path) -> None:
    found = read(tmp_path, "0 10 20 30 1\n5,6,640,480,3\n1, 2, 3, 4, 2")
    assert found.boxes.tolist() == [[0, 10, 20, 30], [5, 6, 640, 480], [1, 2, 3, 4]]
    assert found.labels.tolist() == [0, 2, 1] and found.lines == (1, 2, 3)


@given(written=annotations(whole=True))
def test_write_then_read(written: Annotation, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("pcb") / "a.txt"
    write_deeppcb(written, path)
    check_equal(read_deeppcb(path, written.image, written.size, CLASSES), written, 0)


@given(written=annotations())
def test_fractions_are_rounded_and_stay_boxes(written: Annotation, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("pcb") / "a.txt"
    write_deeppcb(written, path)
    check_equal(read_deeppcb(path, written.image, written.size, CLASSES), written, 1.0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2 3 4", "4 columns instead of 5: x1 y1 x2 y2 type"),
        ("1 2 3 4 5 6", "6 columns instead of 5"),
        ("1 2 3.5 4 1", "a value is not a whole number"),
        ("1 2 x 4 1", "a value is not a whole number"),
        ("1 2 3 4 0", "type 0 is out of range: 3 classes have types 1 to 3"),
        ("1 2 3 4 4", "type 4 is out of range"),
        ("5 5 5 9 1", "the box has no area"),
        ("9 5 5 9 1", "the box has no area"),
        ("-5 5 5 9 1", "the box reaches outside the picture of 640 x 480"),
        ("630 5 645 9 1", "the box reaches outside"),
        ("700 5 745 9 1", "the box lies outside"),
    ],
)
def test_wrong_lines_are_named(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, f"1 2 3 4 1\n{line}\n")
    assert str(caught.value).startswith(f"{tmp_path / 'a.txt'}:2: {message}")


def test_problems_have_kinds(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1 2 3 4 9\n-50 2 3 4 1\n")
    assert [p.kind for p in parse_deeppcb(path, SIZE, CLASSES).problems] == ["class", "outside"]
    assert parse_deeppcb(path, SIZE, CLASSES, "clip").boxes == [(0, 2, 3, 4)]
