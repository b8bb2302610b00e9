"""Boxes in CSV: columns by name, AutoML's rows without names, and pixels or shares."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_strategies import CLASSES, annotations, check_equal

from lightdet.data.formats.box_csv import has_boxes, parse_box_csv, write_box_csv
from lightdet.data.formats.rules import Rules
from lightdet.errors import UserError
from lightdet.structures import Annotation

SIZE = (200, 100)
VOTT = '"image","xmin","ymin","xmax","ymax","label"\n'


def read(folder: Path, text: str, rules: Rules = Rules()) -> dict[str, list[list[float]]]:  # noqa: B008
    path = folder / "boxes.csv"
    path.write_text(text, encoding="utf-8")
    file = parse_box_csv(path, rules)
    if file.problems:
        raise file.problems[0]
    return {
        image.file_name: file.labels_of(image, SIZE, ("scratch", "dent")).annotation(Path("a")).boxes.tolist()
        for image in file.images
    }


@given(sets=st.lists(annotations(), max_size=3))
def test_write_then_read_is_exact(sets: list[Annotation], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    names = [f'{number} é ,";.png' for number in range(len(sets))]
    write_box_csv(sets, path, CLASSES, names)
    file = parse_box_csv(path, Rules(coordinates="pixels"))
    assert [image.file_name for image in file.images] == names and not file.problems
    for image, written in zip(file.images, sets, strict=True):
        check_equal(file.labels_of(image, written.size, CLASSES).annotation(written.image), written, 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            VOTT + '"a.png",10,20.5,50,40,"dent"\n"a.png",1,2,3,4,"dent"\n',
            {"a.png": [[10, 20.5, 50, 40], [1, 2, 3, 4]]},
        ),
        ("filename;width;height;class;xmin;ymin;xmax;ymax\na.png;200;100;dent;1;2;3;4\n", {"a.png": [[1, 2, 3, 4]]}),
        ("path,x1,y1,x2,y2,label\na.png,1,2,3,4,dent\nb.png,,,,,\n", {"a.png": [[1, 2, 3, 4]], "b.png": []}),
        (
            "TRAIN,gs://b/set/a.png,dent,0.1,0.2,,,0.5,0.4,,\nTEST,gs://b/set/b.png,,,,,,,,,\n",
            {"set/a.png": [[20, 20, 100, 40]], "set/b.png": []},
        ),
        ("a.png,dent,0.1,0.2,0.5,0.2,0.5,0.4,0.1,0.4\n", {"a.png": [[20, 20, 100, 40]]}),
    ],
)
def test_what_tools_write(text: str, found: dict[str, list[list[float]]], tmp_path: Path) -> None:
    read_ = read(tmp_path, text)
    assert list(read_) == list(found) and has_boxes(tmp_path / "boxes.csv")
    for name, boxes in found.items():
        assert read_[name] == [pytest.approx(box) for box in boxes]


def test_splits_of_the_file(tmp_path: Path) -> None:
    rows = "TRAIN,a.png,dent,0.1,0.2,,,0.5,0.4,,\nUNASSIGNED,b.png,,,,,,,,,\n"
    (tmp_path / "a.csv").write_text(rows)
    assert [image.subset for image in parse_box_csv(tmp_path / "a.csv").images] == ["TRAIN", None]
    with pytest.raises(UserError, match=r":3: 'a\.png' is in two splits, see line 1"):
        read(tmp_path, rows + "TEST,a.png,dent,0.1,0.2,,,0.5,0.4,,\n")


def test_shares_or_pixels_is_not_guessed(tmp_path: Path) -> None:
    text = VOTT + "a.png,0.1,0.2,0.5,0.4,dent\n"
    with pytest.raises(
        UserError, match=r":2: every number is from 0 to 1: pixels or shares .* Set 'coordinates: pixels'"
    ):
        read(tmp_path, text)
    assert read(tmp_path, text, Rules(coordinates="shares")) == {"a.png": [pytest.approx([20, 20, 100, 40])]}
    assert read(tmp_path, text, Rules(coordinates="pixels")) == {"a.png": [pytest.approx([0.1, 0.2, 0.5, 0.4])]}
    with pytest.raises(UserError, match="the value 50 is more than 1"):
        read(tmp_path, VOTT + "a.png,10,20,50,40,dent\n", Rules(coordinates="shares"))
    with pytest.raises(UserError, match="the value 50 is more than 1, and AutoML's rows have shares"):
        read(tmp_path, "a.png,dent,10,20,,,50,40,,\n")


@pytest.mark.parametrize("outlier", ["1.02", "300"])
def test_shares_and_pixels_in_one_file_are_not_guessed(outlier: str, tmp_path: Path) -> None:
    rows = [f"{name}.png,0.2,0.2,{outlier if name == 'd' else 0.6},0.5,dent\n" for name in "abcde"]
    with pytest.raises(UserError, match=rf":2: the box's numbers are from 0 to 1, but line 5 has {outlier}: pixels or"):
        read(tmp_path, VOTT + "".join(rows))
    file = parse_box_csv(tmp_path / "boxes.csv")
    found = [file.labels_of(image, SIZE, ("dent",)) for image in file.images]
    assert all(each.problems for each in found), "a picture would be used where faults are skipped"
    pixels = read(tmp_path, VOTT + "a.png,0,0,1,1,dent\na.png,1,2,9,9,dent\n", Rules(coordinates="pixels"))
    assert pixels == {"a.png": [[0, 0, 1, 1], [1, 2, 9, 9]]}


def test_each_row_declares_the_size(tmp_path: Path) -> None:
    head = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    with pytest.raises(UserError, match=r":3: 'a\.png' is declared 100 x 50, but 200 x 100 in line 2; correct"):
        read(tmp_path, head + "a.png,200,100,dent,10,20,50,40\na.png,100,50,dent,10,20,50,40\n")
    with pytest.raises(UserError, match=r":3: 'a\.png' is declared 100 x 50, but the picture is 200 x 100"):
        read(tmp_path, head + "a.png,,,dent,10,20,50,40\na.png,100,50,dent,10,20,50,40\n")
    rows = "a.png,,,dent,1,2,3,4\na.png,200,100,dent,10,20,50,40\na.png,,,dent,5,6,7,8\n"
    assert len(read(tmp_path, head + rows)["a.png"]) == 3


def test_a_box_without_area_is_no_share(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r":3: the box has no area"):
        read(tmp_path, VOTT + "a.png,10,20,50,40,dent\nb.png,0,0,0,0,dent\n")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",1,2,3,4,dent", "the row names no picture"),
        ("a.png,1,2,3,4,", "the row has a box and no class"),
        ("a.png,1,2,x,4,dent", "'x' is not a number; a row has xmin, ymin, xmax, ymax"),
        ("a.png,1,2,nan,4,dent", "'nan' is not a number"),
        ("a.png,,,,,dent", "'' is not a number"),
        ("a.png,1,2,3,4,dent,5", "7 cells instead of 6"),
        ("a.png,1,2,3,4,dint", "unknown class 'dint': did you mean 'dent'?"),
        ("a.png,1,2,300,4,dent", "the box reaches outside the picture"),
        ('a.png,"1,2,3,4,dent', "not valid CSV in the row that begins here"),
    ],
)
def test_wrong_rows_are_named(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, VOTT + "ok.png,10,20,30,40,dent\n" + row)
    assert str(caught.value).startswith(f"{tmp_path / 'boxes.csv'}:3: ") and message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line must name the columns, one of them 'xmin'; it has nothing"),
        ("image,label\na.png,dent\n", "one of them 'xmin'; it has image, label"),
        ("image,xmin,xmin,ymin,xmax,ymax,label\n", "names the column 'xmin' twice"),
        ("a\0b", "not a text file"),
    ],
)
def test_other_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert not has_boxes(tmp_path / "boxes.csv") and not has_boxes(tmp_path / "none.csv")
