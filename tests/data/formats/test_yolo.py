"""YOLO labels: shares of the picture, polygons, and every wrong line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_strategies import CLASSES, annotations, check_equal

from lightdet.data.formats.yolo import Rows, parse_yolo, read_yolo, write_yolo
from lightdet.errors import UserError
from lightdet.structures import Annotation

SIZE = (200, 100)


def read(tmp_path: Path, text: str, **options: Any) -> Annotation:
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8")
    return read_yolo(path, Path("a.png"), SIZE, CLASSES, **options)


def test_shares_become_pixels(tmp_path: Path) -> None:
    found = read(tmp_path, "1 0.5 0.5 0.1 0.2\n\n  0 0.25 0.75 0.5 0.5 \n")
    assert np.allclose(found.boxes, [[90, 40, 110, 60], [0, 50, 100, 100]])
    assert found.labels.tolist() == [1, 0]
    assert found.lines == (1, 3)
    assert found.source == tmp_path / "a.txt" and found.crowd is None


def test_empty_file_is_background(tmp_path: Path) -> None:
    assert len(read(tmp_path, "")) == 0
    assert len(read(tmp_path, "\n \n")) == 0


def test_polygon_becomes_its_box(tmp_path: Path) -> None:
    found = read(tmp_path, "2 0.1 0.2 0.3 0.2 0.3 0.6 0.2 0.8\n", rows=Rows(polygons=True))
    assert np.allclose(found.boxes, [[20, 20, 60, 80]])


def test_byte_order_mark_line_ends_and_float_ids(tmp_path: Path) -> None:
    found = read(tmp_path, "\ufeff1.0 0.5 0.5 0.1 0.2\r\n2.00 0.5 0.5 1 1\r\n")
    assert found.labels.tolist() == [1, 2]


def test_rounding_beyond_the_border_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("0 0.5 0.5 1.0005 1.0009\n")
    found = parse_yolo(path, SIZE, CLASSES)
    assert not found.problems
    assert np.allclose(found.boxes, [[0, 0, 200, 100]])


@given(written=annotations())
def test_write_then_read(written: Annotation, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("yolo") / "a.txt"
    write_yolo(written, path)
    found = read_yolo(path, written.image, written.size, CLASSES)
    side = max(written.size)
    check_equal(found, written, 1e-8 * side + 2 * float(np.spacing(np.float32(side))))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3 0.5 0.5 0.1 0.1", "class id 3 is out of range: 3 classes have ids 0 to 2"),
        ("-1 0.5 0.5 0.1 0.1", "class id -1 is out of range"),
        ("scratch 0.5 0.5 0.1 0.1", "the class id 'scratch' is not a whole number"),
        ("0.5 0.5 0.5 0.1 0.1", "the class id '0.5' is not a whole number"),
        ("nan 0.5 0.5 0.1 0.1", "the class id 'nan' is not a whole number"),
        ("inf 0.5 0.5 0.1 0.1", "the class id 'inf' is not a whole number"),
        ("0 0.5 0.5 0.1", "4 columns instead of 5: class cx cy w h"),
        ("0 0.5 0.5 0.1 0.1 0.9", "6 columns instead of 5: class cx cy w h; a sixth column (a score)"),
        ("0,0.5,0.5,0.1,0.1", "1 column instead of 5: class cx cy w h; columns are separated by spaces"),
        ("0 0.5 x 0.1 0.1", "'x' is not a number"),
        ("0 0.5 nan 0.1 0.1", "a coordinate is not a finite number"),
        ("0 0.5 0.5 inf 0.1", "a coordinate is not a finite number"),
        ("0 100 50 20 20", "the value 100 is not a share in 0-1 (pixels?)"),
        ("0 0.5 1.01 0.1 0.1", "the value 1.01 is not a share in 0-1 (outside the picture?)"),
        ("0 -0.01 0.5 0.1 0.1", "the value -0.01 is not a share"),
        ("0 0.5 0.5 0 0.1", "the box has no area (x 100 to 100, y 45 to 55)"),
        ("0 0.5 0.5 -0.0005 0.1", "the box has no area"),
        ("0 0.95 0.5 0.2 0.1", "the box reaches outside the picture of 200 x 100 (x 170 to 210"),
    ],
)
def test_wrong_lines_are_named(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, f"0 0.5 0.5 0.1 0.1\n{line}\n")
    assert str(caught.value).startswith(f"{tmp_path / 'a.txt'}:2: {message}")


def test_boxes_can_be_cut_at_the_border(tmp_path: Path) -> None:
    found = read(tmp_path, "0 0.95 0.5 0.2 0.1\n0 -0.1 0.5 0.3 0.6 0.2 0.7\n", outside="clip", rows=Rows(True))
    assert np.allclose(found.boxes, [[170, 45, 200, 55], [0, 50, 60, 70]])


def test_all_problems_are_noted_with_their_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("9 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.1 0.1\n0 0.5\n0 0.5 0.5 0 0\n0 2 2 2 2\n")
    found = parse_yolo(path, SIZE, CLASSES)
    assert [(p.kind, p.line) for p in found.problems] == [("class", 1), ("format", 3), ("degenerate", 4), ("value", 5)]
    assert len(found.boxes) == 1


def test_binary_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff\xd8\xff\xe0binary")
    with pytest.raises(UserError, match="not UTF-8 text"):
        read_yolo(path, Path("a.png"), SIZE, CLASSES)
    path.write_bytes(b"0 0.5\0 0.5")
    with pytest.raises(UserError, match="not a text file"):
        read_yolo(path, Path("a.png"), SIZE, CLASSES)
    with pytest.raises(UserError, match="no such file"):
        read_yolo(tmp_path / "none.txt", Path("a.png"), SIZE, CLASSES)


share = st.floats(0.3, 0.7).map(lambda value: f"{value:.6f}")
BOX_ROW = "0 0.5 0.5 0.2 0.2"
BOX = [[80, 40, 120, 60]]


@given(further=st.lists(share | st.sampled_from(["0", "1", "2", "17", "0.91"]), min_size=1, max_size=40))
def test_a_row_of_more_columns_is_never_guessed(further: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Key points, turned boxes, a tracker's score and number, lost line breaks: all look like polygons."""
    path = tmp_path_factory.getbasetemp() / "wide.txt"
    path.write_text(f"{BOX_ROW}\n{BOX_ROW} {' '.join(further)}\n")
    found = parse_yolo(path, SIZE, CLASSES)
    assert np.allclose(found.boxes, BOX) and [problem.line for problem in found.problems] == [2]
    assert "\n" not in str(found.problems[0]) and f"{5 + len(further)} columns instead of 5" in str(found.problems[0])


@given(points=st.integers(1, 20), numbers=st.sampled_from([2, 3]), data=st.data())
def test_rows_with_key_points_are_the_box_in_front(
    points: int, numbers: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "points.txt"
    count = points * numbers
    further = data.draw(st.lists(share, min_size=count, max_size=count))
    path.write_text(f"{BOX_ROW} {' '.join(further)}\n{BOX_ROW}\n")
    rows = Rows(kpt_shape=(points, numbers))
    assert np.allclose(read_yolo(path, Path("a.png"), SIZE, CLASSES, rows=rows).boxes, BOX * 2)
    path.write_text(f"{BOX_ROW} {' '.join(further)} 0.5\n")
    with pytest.raises(
        UserError, match=f":1: {count + 6} columns instead of 5: class cx cy w h, or the {count + 5} that"
    ):
        read_yolo(path, Path("a.png"), SIZE, CLASSES, rows=rows)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("rows", [Rows(), Rows(polygons=True)])
def test_every_line_break_ends_a_row(end: str, rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(end.join([BOX_ROW] * 3 + [""]).encode())
    assert np.allclose(read_yolo(tmp_path / "a.txt", Path("a.png"), SIZE, CLASSES, rows=rows).boxes, BOX * 3)


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1e", "\x85", "\u2028"])
@pytest.mark.parametrize("rows", [Rows(), Rows(polygons=True)])
def test_no_other_sign_ends_a_row(end: str, rows: Rows, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.txt:1: .*are 3 rows in one line"):
        read(tmp_path, end.join([BOX_ROW] * 3), rows=rows)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("rows", [Rows(), Rows(polygons=True)])
def test_lost_line_breaks_are_no_polygon(count: int, rows: Rows, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"are {count} rows in one line"):
        read(tmp_path, " ".join([BOX_ROW] * count), rows=rows)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0_5 0.5 0.1 0.1", "'0_5' is not a number"),
        ("0 ٠.5 0.5 0.1 0.1", "'٠.5' is not a number"),
        ("0_0 0.5 0.5 0.1 0.1", "the class id '0_0' is not a whole number"),
        (
            "0 0,5 0,5 0,1 0,1",
            "'0,5' is not a number; each line is: class cx cy w h; write a point instead of the comma",
        ),
    ],
)
def test_what_python_takes_for_a_number_and_no_tool_writes(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, line)
    assert str(caught.value).startswith(f"{tmp_path / 'a.txt'}:1: {message}")
