"""LabelMe: rectangles, polygons, circles and masks as boxes; the picture beside the file or in it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_strategies import CLASSES, annotations, check_equal
from PIL import Image

from lightdet.assembly.dataset import load_dataset
from lightdet.data.convert import convert_dataset
from lightdet.data.dataset import read_split
from lightdet.data.formats.labelme import parse_labelme, read_labelme, write_labelme
from lightdet.data.formats.rules import Rules
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.structures import Annotation

SIZE = (200, 100)
Save = Callable[..., Path]


def mask(width: int, height: int) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.ones((height, width), np.uint8)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def shape(kind: str, *points: list[float], label: str = "scratch", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": [*points], "group_id": None, "shape_type": kind, "flags": {}} | more


def save(folder: Path, *shapes: object, name: str = "a.json", **more: object) -> Path:
    values = {"version": "5.5.0", "flags": {}, "shapes": list(shapes), "imagePath": "a.png", "imageData": None}
    path = folder / name
    path.write_text(json.dumps(values | {"imageHeight": 100, "imageWidth": 200} | more, indent=2), encoding="utf-8")
    return path


@given(written=annotations())
def test_write_then_read_is_exact(written: Annotation, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("labelme") / "é.json"
    write_labelme(written, path, CLASSES)
    read = read_labelme(path, written.image, written.size, CLASSES)
    check_equal(read, written, 0)
    assert read.lines == tuple(range(2, 2 + len(written)))


@pytest.mark.parametrize(
    ("drawn", "box"),
    [
        (shape("rectangle", [50.5, 40], [10, 20.25]), [10, 20.25, 50.5, 40]),  # drawn from the lower right
        (shape("polygon", [10, 20], [50, 25], [30, 60.5]), [10, 20, 50, 60.5]),
        (shape("circle", [50, 40], [53, 44]), [45, 35, 55, 45]),
        (shape("mask", [10, 20], [29, 24], mask=mask(20, 5)), [10, 20, 30, 25]),
        (shape("rotation", [20, 10], [30, 20], [20, 30], [10, 20]), [10, 10, 30, 30]),
        ({"label": "dent", "points": [[1, 2], [9, 2], [9, 8]]}, [1, 2, 9, 8]),  # of before 'shape_type' was written
    ],
)
def test_every_shape_with_an_area_is_the_box_around_it(drawn: dict[str, Any], box: list[float], tmp_path: Path) -> None:
    assert read_labelme(save(tmp_path, drawn), Path("a.png"), SIZE, ("scratch", "dent")).boxes.tolist() == [box]


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (shape("line", [1, 2], [30, 40]), "shape 2: the line has no area: draw a rectangle or a polygon; correct or"),
        (shape("linestrip", [1, 2], [30, 40]), "the linestrip has no area"),
        (shape("point", [1, 2]), "the point has no area"),
        (shape("cuboid", [1, 2]), "the cuboid is of an unknown kind"),
        (shape("rectangle", [1, 2]), "the rectangle has 1 points instead of 2"),
        (shape("rectangle", [1, 2], [1, 9]), "the box has no area"),
        (shape("polygon", [1, 2], [5, 6]), "the polygon has 2 of at least 3 points"),
        (shape("polygon", [1, 2], [5, 6], ["7", 8]), "the polygon needs 'points': a list of [x, y]"),
        (shape("mask", [10, 20], [29, 24]), "the mask has no PNG as 'mask'"),
        (shape("mask", [10, 20], [29, 25], mask=mask(20, 5)), "the mask is 20 x 5 pixels, and its two points say"),
        (shape("rectangle", [1, 2], [9, 8], label="scrach"), "unknown class 'scrach': did you mean 'scratch'?"),
        (shape("rectangle", [1, 2], [9, 8], label=""), "shape 2: 'label' must be the name of a class"),
        (shape("rectangle", [1, 2], [9, 8], group_id="x"), "shape 2: 'group_id' must be null or a whole number"),
        (shape("rectangle", [1, 2], [900, 8]), "the box reaches outside the picture of 200 x 100"),
    ],
)
def test_wrong_shapes_are_named_with_their_line(drawn: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = save(tmp_path, shape("rectangle", [1, 2], [9, 8]), drawn)
    with pytest.raises(UserError) as caught:
        read_labelme(path, Path("a.png"), SIZE, ("scratch", "dent"))
    lines = path.read_text().splitlines()
    second = [number for number, line in enumerate(lines, start=1) if line == "    {"][1]
    assert message in str(caught.value) and str(caught.value).startswith(f"{path}:{second}: ")


def test_shapes_of_a_group_are_one_object(tmp_path: Path) -> None:
    parts = [
        shape("rectangle", [1, 2], [9, 8], group_id=0),
        shape("rectangle", [30, 40], [50, 60], group_id=0),
        shape("rectangle", [30, 40], [50, 60], group_id=0, label="dent"),  # another class, another object
        shape("rectangle", [70, 10], [80, 20]),
    ]
    path = save(tmp_path, *parts)
    found = parse_labelme(path, SIZE, ("scratch", "dent"))
    assert found.boxes == [(1, 2, 50, 60), (30, 40, 50, 60), (70, 10, 80, 20)] and found.labels == [0, 1, 0]
    assert found.remarks == [("2 shapes of one group_id are read as one object", found.lines[0])]
    assert len(parse_labelme(path, SIZE, ("scratch", "dent"), rules=Rules("apart")).boxes) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("[1]", "not a LabelMe file: it holds a list"),
        ('{"shapes": 3}', "'shapes' must be a list"),
        ('{"images": []}', "not a LabelMe file: the list 'shapes' is missing"),
        ('{"shapes": [{"label": "a", "label": "b"}]}', "'label' is given twice"),
        ('{"x": ' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_other_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError) as caught:
        read_labelme(tmp_path / "a.json", Path("a.png"), SIZE, CLASSES)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_large_file_without_its_picture_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightdet.data.formats.embedded.MAX_LABEL_BYTES", 1000)
    path = save(tmp_path, imageData="A" * 4000)
    assert not parse_labelme(path, SIZE, CLASSES).problems
    save(tmp_path, *[shape("rectangle", [1, 2], [9, 8])] * 20)
    assert "without its picture" in str(parse_labelme(path, SIZE, CLASSES).problems[0])


@pytest.fixture
def folder(tmp_path: Path, save_picture: Save) -> Path:
    """A picture beside its file, one in its file, and a YAML."""
    root = tmp_path / "labelme"
    save_picture(root / "a.png", SIZE)
    save(root, shape("rectangle", [10, 20], [50, 40]))
    inside = save_picture(tmp_path / "b.jpg", SIZE).read_bytes()
    data = base64.b64encode(inside).decode()
    save(root, shape("polygon", [10, 20], [50, 25], [30, 60]), name="ü b.json", imagePath="b.jpg", imageData=data)
    (root / "set.yaml").write_text("format: labelme\nclasses: [scratch, dent]\nsplits: {train: .}\n")
    return root


def test_a_picture_in_its_file_is_read_and_taken_out(folder: Path, tmp_path: Path) -> None:
    spec = load_dataset(folder / "set.yaml")
    first, second = read_split(spec, "train")[0]
    assert second.image == folder / "ü b.json" and second.size == SIZE
    assert np.array_equal(read_image(second.image), read_image(tmp_path / "b.jpg"))
    for form in ("yolo", "labelme"):
        copy = load_dataset(convert_dataset(spec, tmp_path / f"to-{form}", form).yaml)  # type: ignore[arg-type]
        one, two = read_split(copy, "train")[0]
        assert two.image.name == "ü b.jpg" and two.image.read_bytes() == (tmp_path / "b.jpg").read_bytes()
        check_equal(one, first, 1e-3)
        check_equal(two, second, 1e-3)


def test_a_list_may_name_the_file_with_the_picture(folder: Path) -> None:
    for entry in ("ü b.json", "ü b"):
        (folder / "t.txt").write_text(f"{entry}\n")
        (folder / "set.yaml").write_text(
            "format: labelme\nclasses: [scratch]\nimages: .\nsplits: {train: {list: t.txt}}\n"
        )
        assert [a.image.name for a in read_split(load_dataset(folder / "set.yaml"), "train")[0]] == ["ü b.json"]


@pytest.mark.parametrize("data", ["", "AAAA", "!"])
def test_a_broken_picture_in_a_file_is_one_line(data: str, folder: Path) -> None:
    path = save(folder, name="c.json", imageData=data)
    with pytest.raises(UserError) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


def test_a_file_that_names_another_picture_is_refused(folder: Path, save_picture: Save) -> None:
    save_picture(folder / "other.png", SIZE)
    save(folder, name="other.json")
    save(folder, name="a.json", imagePath="other.png")
    with pytest.raises(UserError, match=r"a\.json: is the label file of 'a' by its name, but of 'other\.png' by"):
        read_split(load_dataset(folder / "set.yaml"), "train")


def test_a_file_without_any_picture_and_a_size_that_is_not_the_pictures(folder: Path) -> None:
    save(folder, name="lost.json", imagePath="lost.png")
    save(folder, name="a.json", imageWidth=100, imageHeight=200)
    records, skipped = read_split(load_dataset(folder / "set.yaml"), "train", on_error="skip")
    told = "\n".join(map(str, skipped))
    assert "lost.json: the label file has no picture" in told and len(records) == 1
    assert "imageWidth and imageHeight are 100 x 200, but the picture is 200 x 100; are width and" in told


@given(data=st.binary(max_size=60))
def test_any_bytes_in_place_of_a_picture(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = save(tmp_path_factory.getbasetemp(), name="any.json", imageData=base64.b64encode(data).decode())
    with pytest.raises(UserError):
        read_image(path)
