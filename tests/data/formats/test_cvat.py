"""CVAT for images: shapes with an area as boxes, and a line for every complaint."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_strategies import CLASSES, annotations, check_equal

from lightdet.data.formats.cvat import parse_cvat, read_cvat, write_cvat
from lightdet.data.formats.rules import Rules
from lightdet.errors import UserError
from lightdet.structures import Annotation

HEAD = """<annotations><version>1.1</version><meta><task><labels>
<label><name>scratch</name><type>any</type></label><label><name>dent</name></label>
<label><name>bad</name><type>tag</type></label></labels></task></meta>
"""
BOX = 'xtl="10" ytl="20.5" xbr="50" ybr="40"'


def save(folder: Path, *shapes: str, image: str = 'name="a.png" width="200" height="100"') -> Path:
    path = folder / "annotations.xml"
    path.write_text(HEAD + f'<image id="0" {image}>\n' + "\n".join(shapes) + "\n</image></annotations>")
    return path


@given(sets=st.lists(annotations(), max_size=3))
def test_write_then_read_is_exact(sets: list[Annotation], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cvat") / "a.xml"
    write_cvat(sets, path, CLASSES, [f'{number} é <"&>\t.png' for number in range(len(sets))])
    assert parse_cvat(path).class_names() == list(CLASSES)
    found = read_cvat(path, Path(), CLASSES)
    assert [a.image.name for a in found] == [f'{number} é <"&>\t.png' for number in range(len(sets))]
    for one, other in zip(found, sets, strict=True):
        check_equal(one, other, 0)


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (f'<box label="dent" occluded="1" {BOX}/>', (10, 20.5, 50, 40)),
        ('<box label="dent" xtl="10" ytl="20" xbr="30" ybr="24" rotation="90"/>', (18, 12, 22, 32)),
        ('<polygon label="dent" points="10,20;50.5,25;30,60"/>', (10, 20, 50.5, 60)),
        ('<ellipse label="dent" cx="50" cy="40" rx="10" ry="5"/>', (40, 35, 60, 45)),
        ('<ellipse label="dent" cx="50" cy="40" rx="10" ry="5" rotation="90"/>', (45, 30, 55, 50)),
        ('<mask label="dent" rle="1, 2, 1, 1, 3" left="10" top="20" width="4" height="2"/>', (10, 20, 13, 22)),
    ],
)
def test_every_shape_with_an_area_is_the_box_around_it(shape: str, box: tuple[float, ...], tmp_path: Path) -> None:
    file = parse_cvat(save(tmp_path, shape))
    found = file.labels_of(file.images[0], (200, 100), ("scratch", "dent"))
    assert found.boxes == [pytest.approx(box)] and found.labels == [1] and found.lines == [5]
    turned = "rotation" in shape
    assert any("is read as the box around it" in text for text, _ in found.remarks) == turned


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (f"<box {BOX}/>", "the box has no label"),
        ('<box label="dent" xtl="1" ytl="2" xbr="3"/>', "the box has no 'ybr'"),
        ('<box label="dent" xtl="1" ytl="2" xbr="x" ybr="3"/>', "the box has no number as 'xbr'"),
        ('<box label="dent" xtl="1" ytl="2" xbr="nan" ybr="3"/>', "the box has no number as 'xbr'"),
        ('<polyline label="dent" points="1,2;3,4"/>', "the polyline is not read: draw a rectangle or a polygon; corr"),
        ('<points label="dent" points="1,2"/>', "the points is not read"),
        ('<cuboid label="dent"/>', "the cuboid is not read"),
        ('<skeleton label="dent"/>', "the skeleton is not read"),
        ('<blob label="dent"/>', "the blob is of an unknown kind"),
        ('<polygon label="dent" points="1,2;3"/>', "the polygon has 'points' that are not pairs"),
        ('<polygon label="dent" points="1,2;3,4"/>', "the polygon has 2 of at least 3 points"),
        ('<mask label="dent" rle="1,2" left="1" top="2" width="2" height="2"/>', "the mask has runs of 3 pixels inst"),
        ('<mask label="dent" rle="4" left="1" top="2" width="2" height="2"/>', "the mask is empty"),
        ('<mask label="dent" rle="x" left="1" top="2" width="2" height="2"/>', "'rle' that is not a list of whole"),
        (f'<box label="dint" {BOX}/>', "unknown class 'dint': did you mean 'dent'?"),
    ],
)
def test_wrong_shapes_are_named_with_their_line(shape: str, message: str, tmp_path: Path) -> None:
    path = save(tmp_path, f'<box label="dent" {BOX}/>', shape)
    with pytest.raises(UserError) as caught:
        read_cvat(path, Path(), ("scratch", "dent"))
    assert str(caught.value).startswith(f"{path}:6: ") and message in str(caught.value)


def test_a_group_is_one_object_or_several_and_the_yaml_says_which(tmp_path: Path) -> None:
    other = BOX.replace("10", "60").replace("50", "90")
    path = save(tmp_path, *(f'<box label="dent" {box} group_id="3"/>' for box in (BOX, other)))
    with pytest.raises(UserError, match="Set 'groups: join' or 'groups: apart' in the YAML"):
        read_cvat(path, Path(), ("dent",))
    assert read_cvat(path, Path(), ("dent",), Rules("join")).pop().boxes.tolist() == [[10, 20.5, 90, 40]]
    assert len(read_cvat(path, Path(), ("dent",), Rules("apart")).pop()) == 2


def test_tags_are_left_out_and_said(tmp_path: Path) -> None:
    file = parse_cvat(save(tmp_path, '<tag label="bad"/>', f'<box label="dent" {BOX}/>'))
    assert file.class_names() == ["scratch", "dent"]
    assert (
        file.labels_of(file.images[0], (200, 100), ("dent",)).remarks[0][0].startswith("1 of the picture's tags left")
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation/>", "not a CVAT file: it holds <annotation> instead of <annotations>"),
        ("<annotations>\n<track id='0'/></annotations>", ":2: holds tracks: it is CVAT for video; export it again"),
        ("<annotations>\n<image width='3'/></annotations>", ":2: <image> has no 'name'"),
        ("<annotations><image name='a'/>\n<image name='a'/></annotations>", ":2: the picture 'a' is given twice"),
        ("<!DOCTYPE a><annotations/>", "DOCTYPE"),
        ("<annotations>", "not valid XML"),
    ],
)
def test_other_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_cvat(tmp_path / "a.xml", Path(), CLASSES)
    assert message in str(caught.value) and "\n" not in str(caught.value)
