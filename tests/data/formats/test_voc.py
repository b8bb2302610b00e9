"""Pascal VOC: pixels from 1, last pixel included; XML that may be hostile."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from label_strategies import CLASSES, annotations, check_equal

from lightdet.data.formats.voc import parse_voc, read_voc, write_voc
from lightdet.data.pixel_base import find_pixel_base
from lightdet.errors import UserError
from lightdet.structures import Annotation

SIZE = (200, 100)
BOX = "<xmin>1</xmin><ymin>1</ymin><xmax>200</xmax><ymax>100</ymax>"


def xml(*objects: str, head: str = "") -> str:
    return f"<annotation>\n{head}\n" + "\n".join(objects) + "\n</annotation>\n"


def item(box: str = BOX, name: str = "scratch") -> str:
    return f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"


def read(tmp_path: Path, text: str | bytes, **options: str) -> Annotation:
    path = tmp_path / "a.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_voc(path, Path("a.png"), SIZE, CLASSES, **options)


def test_first_and_last_pixel_become_edges(tmp_path: Path) -> None:
    single = "<xmin>5</xmin><ymin>7</ymin><xmax>5</xmax><ymax>7</ymax>"
    found = read(tmp_path, xml(item(), item(single, "rolled-in_scale")))
    assert found.boxes.tolist() == [[0, 0, 200, 100], [4, 6, 5, 7]]
    assert found.labels.tolist() == [0, 1]
    assert found.lines == (3, 4)


@given(written=annotations(whole=True))
def test_write_then_read(written: Annotation, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("voc") / "a.xml"
    write_voc(written, path, CLASSES)
    check_equal(read_voc(path, written.image, written.size, CLASSES), written, 0)


@given(written=annotations())
def test_fractions_are_rounded_and_stay_boxes(written: Annotation, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("voc") / "a.xml"
    write_voc(written, path, CLASSES)
    found = read_voc(path, written.image, written.size, CLASSES)
    check_equal(found, written, 1.0)
    assert ((found.boxes[:, 2:] - found.boxes[:, :2]) >= 1).all()


def test_written_file_is_voc_to_another_parser(tmp_path: Path) -> None:
    boxes = np.array([[4, 6, 5, 7]], np.float32)
    write_voc(Annotation(Path("a & b.png"), SIZE, boxes, np.array([2])), tmp_path / "a.xml", CLASSES)
    root = ET.parse(tmp_path / "a.xml").getroot()
    assert root.findtext("filename") == "a & b.png"
    assert root.findtext("size/width") == "200" and root.findtext("size/height") == "100"
    assert root.findtext("object/name") == CLASSES[2]
    assert [root.findtext(f"object/bndbox/{tag}") for tag in ("xmin", "ymin", "xmax", "ymax")] == ["5", "7", "5", "7"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (xml(item(name="scrach")), 3, "unknown class 'scrach': did you mean 'scratch'?"),
        (xml(item(name="zzz")), 3, "unknown class 'zzz': add it to 'classes'"),
        (xml(item(name=" ")), 3, "<object> has no <name>"),
        (xml("<object><name>scratch</name></object>"), 3, "<object> has no <bndbox>"),
        (xml(item("<xmin>1</xmin>")), 3, "<ymin> is missing or not a number"),
        (xml(item(BOX.replace(">200<", ">x<"))), 3, "<xmax> is missing or not a number ('x')"),
        (xml(item(BOX.replace(">200<", ">nan<"))), 3, "a coordinate is not a finite number"),
        (xml(item(BOX.replace(">200<", ">0<"))), 3, "the box has no area"),
        (xml(item(BOX.replace(">1<", ">-9<"))), 3, "the box reaches outside the picture of 200 x 100 (x -10 to 200"),
        (xml(item(BOX.replace(">200<", ">240<"))), 3, "the box reaches outside"),
        (xml(item(BOX.replace(">1<", ">300<", 1).replace(">200<", ">340<"))), 3, "the box lies outside the picture"),
        (xml(head="<size><width>300</width><height>300</height></size>"), 2, "<size> says 300 x 300, but the picture"),
        (
            xml(head="<size><width>100</width><height>200</height></size>"),
            2,
            "<size> says 100 x 200, but the picture is",
        ),
        ("<annotation>\n<object></annotation>", 2, "not valid XML: mismatched tag"),
        ("<annotation>\n<object>", 2, "not valid XML: "),
        ("", 1, "not valid XML: no element found"),
        ("<html>\n</html>", 1, "not a Pascal VOC file: it holds <html>"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', 1, "not valid XML: "),
    ],
)
def test_wrong_files_are_named(text: str, line: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'a.xml'}:{line}: {message}")
    assert "\n" not in str(caught.value)


def test_turned_picture_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        xml(item(BOX.replace(">200<", ">100<")), head="<size><width>100</width><height>200</height></size>")
    )
    (problem,) = parse_voc(path, SIZE, CLASSES).problems
    assert "are width and height swapped?" in str(problem) and "EXIF" not in str(problem)
    found = parse_voc(path, SIZE, CLASSES, turned=True)
    assert not found.problems and len(found.remarks) == 1 and len(found.boxes) == 1
    path.write_text(path.read_text().replace("<ymax>100<", "<ymax>180<"))
    assert "its EXIF tag rotates it" in str(parse_voc(path, SIZE, CLASSES, turned=True).problems[0])


BILLION = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]>\n<annotation><object><name>&j;</name></object></annotation>"
)


@pytest.mark.parametrize(
    "text",
    [
        BILLION,
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>',
        '<!DOCTYPE annotation SYSTEM "http://localhost/x.dtd"><annotation/>',
    ],
)
def test_entities_and_outside_files_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds a DOCTYPE or ENTITY"):
        read(tmp_path, text)


def test_depth_and_size_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nested too deeply"):
        read(tmp_path, "<annotation>" * 5000)
    with pytest.raises(UserError, match="larger than 16 MiB"):
        read(tmp_path, b" " * (17 << 20))


def test_what_tools_leave_out_or_get_wrong(tmp_path: Path) -> None:
    head = "<filename>other</filename><size><width>0</width><height>0</height></size>"
    marks = "<difficult>1</difficult><truncated>1</truncated>"
    text = xml(item().replace("<name>", marks + "<name>"), head=head)
    assert len(read(tmp_path, text)) == 1
    assert len(read(tmp_path, '<?xml version="1.0" encoding="ISO-8859-1"?><annotation/>')) == 0
    assert len(read(tmp_path, xml(item()).encode("utf-16"))) == 1
    assert len(read(tmp_path, b"\xef\xbb\xbf" + xml(item()).encode())) == 1


def test_counting_from_zero_is_cut_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(xml(item(BOX.replace(">1<", ">0<"))))
    found = parse_voc(path, SIZE, CLASSES)
    assert found.boxes == [(0, 0, 200, 100)] and found.slips == [3] and not found.problems


def test_boxes_can_be_cut_at_the_border(tmp_path: Path) -> None:
    found = read(tmp_path, xml(item(BOX.replace(">200<", ">240<"))), outside="clip")
    assert found.boxes.tolist() == [[0, 0, 200, 100]]


def test_all_problems_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(xml(item(name="nope"), item(), item(BOX.replace(">200<", ">0<"))))
    found = parse_voc(path, SIZE, CLASSES)
    assert [(p.kind, p.line) for p in found.problems] == [("class", 3), ("degenerate", 5)]
    assert len(found.boxes) == 1


@given(written=annotations())
def test_edges_counted_from_zero_are_written_and_read_exactly(
    written: Annotation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("voc") / "a.xml"
    write_voc(written, path, CLASSES, first_pixel=0)
    check_equal(read_voc(path, written.image, written.size, CLASSES, first_pixel=0), written, 0)
    if (written.boxes % 1).any():
        assert find_pixel_base([path]).first == 0


def test_what_corners_are_counted_from_is_seen_in_all_files(tmp_path: Path) -> None:
    def save(name: str, *corners: str) -> Path:
        tags = ("xmin", "ymin", "xmax", "ymax")
        (tmp_path / name).write_text(xml(item("".join(f"<{t}>{c}</{t}>" for t, c in zip(tags, corners, strict=True)))))
        return tmp_path / name

    plain, fractions = save("1.xml", "2", "3", "200", "100"), save("2.xml", "2.5", "3", "50", "60")
    zero, single = save("3.xml", "2", "0", "50", "60"), save("4.xml", "7", "3", "7", "60")
    round_numbers = save("5.xml", "2.00", "3.0", "50", "60")
    assert find_pixel_base([plain, single, round_numbers, tmp_path / "none.xml"]).first == 1
    assert (
        str(fractions) in find_pixel_base([plain, fractions]).reason
        and "<xmin>2.5" in find_pixel_base([fractions]).reason
    )
    assert find_pixel_base([plain, zero]).first == 0
    with pytest.raises(UserError, match="set 'first_pixel: 0' or 'first_pixel: 1'") as caught:
        find_pixel_base([zero, single])
    assert str(zero) in str(caught.value) and str(single) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            item().replace("</object>", f"<bndbox>{BOX}</bndbox></object>"),
            "<object> has 2 <bndbox>; write an object for",
        ),
        (item().replace("<name>", "<name>scratch</name><name>"), "<object> has 2 <name>"),
        (item(BOX + "<xmin>5</xmin>"), "<xmin> is given twice"),
        (item(BOX.replace(">200<", ">2_00<")), "<xmax> is missing or not a number"),
    ],
)
def test_what_is_given_twice_is_not_chosen(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, xml(text))
    assert message in str(caught.value)
