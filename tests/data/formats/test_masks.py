"""Masks: a box around each group of touching pixels, a name for every value, and no other picture."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_strategies import CLASSES, check_equal
from PIL import Image

from lightdet.assembly.dataset import load_dataset
from lightdet.data.dataset import read_split
from lightdet.data.formats.masks import IGNORED, class_names, parse_mask, read_mask, read_values, told_apart, write_mask
from lightdet.errors import UserError
from lightdet.structures import Annotation

SIZE = (20, 10)


def save(folder: Path, pixels: Any, mode: str | None = None) -> Path:
    path = folder / "mask.png"
    picture = Image.fromarray(np.asarray(pixels))
    if mode == "P":
        picture = Image.frombytes("P", picture.size, picture.tobytes())
        picture.putpalette([7, 7, 7] * 256)  # all of one colour: the indices count
    picture.save(path)
    return path


def blobs(value: Any = 1, other: Any = 2) -> np.ndarray:
    depth = (3,) if isinstance(value, tuple) else ()
    pixels = np.zeros((10, 20, *depth), np.uint16 if depth == () and max(value, other) > 255 else np.uint8)
    pixels[1:3, 2:6] = value
    pixels[3, 6] = value  # touches by its corner
    pixels[7:9, 2:6] = value
    pixels[2:8, 10:19] = other
    return pixels


BOXES = [(2, 1, 7, 4), (2, 7, 6, 9), (10, 2, 19, 8)]


@pytest.mark.parametrize(
    ("pixels", "mode", "values"),
    [
        (blobs(), None, None),
        (blobs(), "P", None),
        (blobs(7, 9), None, {7: "scratch", 9: "dent"}),
        (blobs(300, 900), None, {300: "scratch", 900: "dent"}),
        (blobs((255, 0, 0), (0, 9, 255)), None, {(255, 0, 0): "scratch", (0, 9, 255): "dent", (0, 0, 0): "background"}),
    ],
)
def test_groups_of_touching_pixels_are_boxes(pixels: np.ndarray, mode: str | None, values: Any, tmp_path: Path) -> None:
    found = parse_mask(save(tmp_path, pixels, mode), SIZE, ("scratch", "dent"), values=values)
    assert sorted(zip(found.boxes, found.labels, strict=True)) == list(zip(BOXES, [0, 0, 1], strict=True))
    assert not found.problems


def test_ignored_values_are_neither_a_class_nor_background(tmp_path: Path) -> None:
    path = save(tmp_path, blobs(1, 255))
    assert len(read_mask(path, path, SIZE, ("scratch",), values={1: "scratch", 255: IGNORED})) == 2


@pytest.mark.parametrize(
    ("pixels", "values", "message"),
    [
        (
            blobs(1, 255),
            None,
            "the value 255 has no name (known: scratch: 1, dent: 2); name it in the YAML, as in 'values",
        ),
        (blobs((9, 9, 9), (1, 2, 3)), {(9, 9, 9): "dent"}, "the colour 1,2,3 has no name (known: dent: [9, 9, 9])"),
        (blobs(1, 2), {1: "dent", 2: "hole"}, "unknown class 'hole'"),
        (np.zeros((11, 20), np.uint8), None, "the mask is 20 x 11, but the picture is 20 x 10"),
        (np.arange(200 * 3, dtype=np.uint16).reshape(10, 20, 3).astype(np.uint8), None, "has no name"),
    ],
)
def test_what_a_mask_does_not_say_is_refused(pixels: np.ndarray, values: Any, message: str, tmp_path: Path) -> None:
    path = save(tmp_path, pixels)
    with pytest.raises(UserError) as caught:
        read_mask(path, path, SIZE, ("scratch", "dent"), values=values)
    assert str(caught.value).startswith(f"{path}: ") and message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_photograph_in_place_of_a_mask_costs_one_line(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    (problem,) = parse_mask(save(tmp_path, noise), (300, 300), CLASSES).problems
    assert "values; is this a mask of classes, or a picture?" in str(problem)
    speckled = noise[..., 0] & 1
    (problem,) = parse_mask(
        save(tmp_path, np.kron(speckled[:250, :250], [[1, 0], [0, 0]]).astype(np.uint8)), (500, 500), CLASSES
    ).problems
    assert "separate pieces; is this a mask of classes?" in str(problem)


@pytest.mark.parametrize("kind", [None, "P", "RGB", "I;16", "1"])
def test_a_mask_whose_data_end_early_is_refused(kind: str | None, tmp_path: Path) -> None:
    """Decoders fill up the missing rows with 0, which is background: the picture would pass for free of defects."""
    colours: Any = {(255, 0, 0): "scratch"} if kind == "RGB" else None
    pixels = np.zeros((10, 20, 3) if kind == "RGB" else (10, 20), np.uint16 if kind == "I;16" else np.uint8)
    pixels[8:9, 2:6] = (255, 0, 0) if kind == "RGB" else 1  # the last row is background in a whole mask as well
    path = save(tmp_path, pixels.astype(np.bool_) if kind == "1" else pixels, "P" if kind == "P" else None)
    whole = path.read_bytes()
    assert len(read_mask(path, path, SIZE, ("scratch",), values=colours)) == 1
    start = whole.index(b"IDAT") - 4
    length = int.from_bytes(whole[start : start + 4])
    rows = zlib.decompress(whole[start + 8 : start + 8 + length])
    for lines in range(10):
        packed = zlib.compress(rows[: len(rows) * lines // 10])
        chunk = struct.pack(">I", len(packed)) + b"IDAT" + packed + struct.pack(">I", zlib.crc32(b"IDAT" + packed))
        path.write_bytes(whole[:start] + chunk + whole[start + 12 + length :])
        (problem,) = parse_mask(path, SIZE, ("scratch",), values=colours).problems
        assert "the mask " in str(problem) and "truncated" in str(problem)


@settings(max_examples=30)
@given(data=st.binary(max_size=80), cut=st.integers(0, 200))
def test_any_bytes(data: bytes, cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    stream = io.BytesIO()
    Image.fromarray(blobs()).save(stream, "PNG")
    path = tmp_path_factory.getbasetemp() / "any.png"
    for content in (data, stream.getvalue()[:cut] + data):
        path.write_bytes(content)
        assert all("\n" not in str(problem) for problem in parse_mask(path, SIZE, ("scratch", "dent")).problems)


@st.composite
def apart(draw: st.DrawFn) -> Annotation:
    """Boxes of whole pixels that do not touch: one in each cell of a grid."""
    rows = []
    for cell in range(6):
        x, y = cell % 3 * 12, cell // 3 * 12
        if draw(st.booleans()):
            x1, y1 = x + draw(st.integers(0, 4)), y + draw(st.integers(0, 4))
            rows.append((draw(st.integers(0, 2)), x1, y1, x1 + draw(st.integers(1, 6)), y1 + draw(st.integers(1, 6))))
    rows.sort(key=lambda row: (row[0], row[2], row[1]))
    boxes = np.array([row[1:] for row in rows], np.float32).reshape(-1, 4)
    return Annotation(Path("é.png"), (36, 24), boxes, np.array([row[0] for row in rows], np.int64))


@given(written=apart())
def test_write_then_read(written: Annotation, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "written.png"
    write_mask(written, path)
    read = read_mask(path, written.image, written.size, CLASSES)
    order = np.lexsort((read.boxes[:, 0], read.boxes[:, 1], read.labels))
    boxes = Annotation(read.image, read.size, read.boxes[order], read.labels[order])
    check_equal(boxes, written, 0)
    assert told_apart(written)


def test_boxes_of_a_class_that_touch_cannot_be_told_apart() -> None:
    boxes = np.array([[0, 0, 5, 5], [5, 0, 9, 5]], np.float32)
    assert not told_apart(Annotation(Path("a"), (20, 10), boxes, np.array([1, 1])))
    assert told_apart(Annotation(Path("a"), (20, 10), boxes, np.array([1, 0])))


def test_lists_of_values(tmp_path: Path) -> None:
    path = tmp_path / "labelmap.txt"
    path.write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\ndent:32,183,250::\n")
    assert read_values(path) == {(0, 0, 0): "background", (32, 183, 250): "dent"}
    path.write_text("background:::\nscratch:::\ndent:::\n")
    assert read_values(path) == {(0, 0, 0): "background", (128, 0, 0): "scratch", (0, 128, 0): "dent"}
    path.write_text("__ignore__\n_background_\nscratch\ndent\n")
    assert read_values(path) == {255: IGNORED, 0: "_background_", 1: "scratch", 2: "dent"}
    assert class_names(read_values(path)) == ["scratch", "dent"]
    for text, message in (
        ("a:1,2::\n", "no colour; a line is"),
        ("a:1,2,3::\nb:1,2,3::\n", "'a' and 'b' have the same colour"),
        ("scratch\ndent\n", "must begin with _background_, which is the value 0"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            read_values(path)


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("b.png", r"b\.png: the label file has no picture; add the picture or remove it"),
        ("A.png", r"A\.png: the label file has no picture; does it belong to .*a\.png\?"),
        ("a.tif", r"a\.tif: a mask must be a PNG file; convert it"),
        ("a.bmp", r"a\.bmp: a mask must be a PNG file; convert it"),
    ],
)
def test_a_mask_that_belongs_to_no_picture_is_told(
    tmp_path: Path, save_picture: Callable[..., Path], beside: bool, name: str, message: str
) -> None:
    """Where pictures without a mask are free of defects, its picture would count as good."""
    save_picture(tmp_path / "images" / "a.png", (60, 50))
    masks = tmp_path / "images" / "masks" if beside else tmp_path / "masks"
    masks.mkdir()
    Image.fromarray(np.full((50, 60), 1, np.uint8)).save(masks / name)
    where = "images/masks" if beside else "masks"
    split = f"{{images: images, labels: {where}, unlabelled: background}}"
    (tmp_path / "d.yaml").write_text(f"format: masks\nclasses: [dent]\nsplits: {{train: {split}}}\n")
    with pytest.raises(UserError, match=message):
        read_split(load_dataset(tmp_path / "d.yaml"), "train")


def test_a_data_set_of_masks(tmp_path: Path, save_picture: Callable[..., Path]) -> None:
    for name in ("a", "b"):
        save_picture(tmp_path / "images" / f"{name}.jpg", SIZE)
        (tmp_path / "masks").mkdir(exist_ok=True)
        save(tmp_path, blobs(3, 9)).rename(tmp_path / "masks" / f"{name}.png")
    text = "format: masks\nvalues: {scratch: 3, dent: 9}\nsplits: {train: images}\n"
    (tmp_path / "set.yaml").write_text(text)
    spec = load_dataset(tmp_path / "set.yaml")
    assert spec.classes == ("scratch", "dent") and [len(a) for a in read_split(spec, "train")[0]] == [3, 3]
    for values, message in (
        ("{scratch: 3, dent: 3}", "gives 'scratch' and 'dent' the same value 3"),
        ("{scratch: x}", "write a value or a colour"),
        ("{scratch: [1, 2]}", "write a value or a colour"),
        ("3", "must give each class its value or colour"),
    ):
        (tmp_path / "set.yaml").write_text(text.replace("{scratch: 3, dent: 9}", values))
        with pytest.raises(UserError, match=message):
            load_dataset(tmp_path / "set.yaml")
