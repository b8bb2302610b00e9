"""Whatever a label file holds, a reader gives usable boxes and named problems, never another error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_strategies import CLASSES

from lightdet.data.formats.coco import parse_coco
from lightdet.data.formats.deeppcb import parse_deeppcb
from lightdet.data.formats.label_file import LabelFile
from lightdet.data.formats.voc import parse_voc
from lightdet.data.formats.yolo import parse_yolo
from lightdet.errors import UserError

SIZE = (64, 48)
number = st.sampled_from(
    ["0", "1", "2", "-1", ".5", "0.999", "1e9", "-1e308", "nan", "inf", "x", "", "64", "0x10", "1_0", "½"]
)
lines = st.lists(st.lists(number, max_size=9).map(" ".join), max_size=6).map("\n".join)
corner = st.tuples(st.sampled_from(["xmin", "ymin", "xmax", "ymax", "name"]), number).map(
    lambda t: f"<{t[0]}>{t[1]}</{t[0]}>"
)
objects = st.lists(st.lists(corner, max_size=6).map("".join), max_size=4).map(
    lambda found: "<annotation>" + "".join(f"<object><name>scratch</name><bndbox>{o}</bndbox></object>" for o in found)
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "bbox", "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)
keys = st.sampled_from(["id", "image_id", "category_id", "bbox", "file_name", "width", "height", "name", "iscrowd"])
entry = st.dictionaries(keys, values | st.integers(0, 2), max_size=9)


def check(found: LabelFile) -> None:
    assert all("\n" not in str(problem) for problem in found.problems)
    found.problems.clear()
    annotation = found.annotation(Path("a.png"))  # validates the boxes
    assert (annotation.boxes >= 0).all() and (annotation.boxes <= [*SIZE, *SIZE]).all()
    assert (annotation.labels < len(CLASSES)).all()


@pytest.mark.parametrize("parse", [parse_yolo, parse_deeppcb, parse_voc])
@pytest.mark.parametrize("outside", ["error", "clip"])
@settings(max_examples=60)
@given(
    content=st.one_of(lines, objects, objects.map(lambda t: t + "</annotation>"), st.text(max_size=60)), raw=st.binary()
)
def test_label_files(
    parse: Callable[..., LabelFile], outside: str, content: str, raw: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.txt"
    for data in (content.encode("utf-8", "surrogatepass"), raw):
        path.write_bytes(data)
        check(parse(path, SIZE, CLASSES, outside))


@settings(max_examples=150)
@given(
    content=st.fixed_dictionaries(
        {name: st.lists(entry, max_size=3) for name in ("images", "categories", "annotations")}
    )
)
def test_coco_files(content: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    path.write_text(json.dumps(content))
    try:
        file = parse_coco(path)
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert all("\n" not in str(problem) for problem in file.problems)
    for image in file.images:
        check(file.labels_of(image, SIZE, CLASSES))
