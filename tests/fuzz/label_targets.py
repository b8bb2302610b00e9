"""Label files of the four formats that mark boxes, judged by `plain_readers`."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import plain_readers as plain
from fuzz_target import CLASSES, Sound, Target, boxes_of, check_line, check_same, write
from hypothesis import strategies as st

from lightdet.data.formats.coco import parse_coco
from lightdet.data.formats.deeppcb import parse_deeppcb
from lightdet.data.formats.voc import parse_voc
from lightdet.data.formats.yolo import Rows, parse_yolo
from lightdet.errors import UserError

SIZE = (640, 480)
Corners = tuple[int, int, int, int, int]


@st.composite
def whole_boxes(draw: st.DrawFn) -> list[Corners]:
    """Up to four boxes of whole pixels: class, x1, y1, x2, y2."""
    found = []
    for numbers in draw(st.lists(st.tuples(*[st.integers(0, 65535)] * 5), max_size=4)):
        label, x, y, w, h = numbers
        x1, y1 = x % (SIZE[0] - 1), y % (SIZE[1] - 1)
        found.append((label % len(CLASSES), x1, y1, x1 + 1 + w % (SIZE[0] - x1), y1 + 1 + h % (SIZE[1] - y1)))
    return found


ends = st.sampled_from(["\n", "\r\n", "\r"])
forms = st.sampled_from(["{:.7f}", "{!r}", "{:.9e}", "  {:.8f}"])


@st.composite
def sound_yolo(draw: st.DrawFn) -> Sound:
    boxes, form = draw(whole_boxes()), draw(forms)
    kind = draw(st.sampled_from(["boxes", "polygons", "points"]))
    lines = []
    for label, x1, y1, x2, y2 in boxes:
        left, top, right, bottom = x1 / SIZE[0], y1 / SIZE[1], x2 / SIZE[0], y2 / SIZE[1]
        values = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
        if kind == "polygons" and (x1 + y1) % 2:
            values = [left, top, right, top, right, bottom, left, bottom]
        if kind == "points":
            values += [0.5, 0.25, 2.0]
        lines.append(" ".join([str(label), *(form.format(value) for value in values)]))
    end = draw(ends)
    return Sound((end.join(lines) + end).encode(), (kind, draw(st.sampled_from(["error", "clip"]))), boxes)


def judge_yolo(data: bytes, options: Any, folder: Path) -> Any:
    kind, outside = options
    rows = Rows(kind == "polygons", (1, 3) if kind == "points" else None)
    found = boxes_of(parse_yolo(write(folder, "a.txt", data), SIZE, CLASSES, outside, rows))
    if found is not None:
        points = 3 if kind == "points" else 0
        check_same(found, plain.read_yolo(data, SIZE, polygons=kind == "polygons", points=points))
    return found


@st.composite
def sound_deeppcb(draw: st.DrawFn) -> Sound:
    boxes, blank, end = draw(whole_boxes()), draw(st.sampled_from([" ", ",", ", ", "\t"])), draw(ends)
    lines = [blank.join(map(str, (*box, label + 1))) for label, *box in boxes]
    return Sound(end.join(lines).encode(), draw(st.sampled_from(["error", "clip"])), boxes)


def judge_deeppcb(data: bytes, outside: Any, folder: Path) -> Any:
    found = boxes_of(parse_deeppcb(write(folder, "a.txt", data), SIZE, CLASSES, outside))
    if found is not None:
        check_same(found, plain.read_deeppcb(data, SIZE))
    return found


@st.composite
def sound_voc(draw: st.DrawFn) -> Sound:
    boxes, first = draw(whole_boxes()), draw(st.sampled_from([0, 1]))
    end, head = draw(ends), draw(st.sampled_from(["", '<?xml version="1.0" encoding="utf-8"?>', "<!-- by hand -->"]))
    lines = [head, "<annotation>", f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height></size>"]
    for label, x1, y1, x2, y2 in boxes:
        corners = zip(("xmin", "ymin", "xmax", "ymax"), (x1 + first, y1 + first, x2, y2), strict=True)
        inside = "".join(f"<{tag}>{value}</{tag}>" for tag, value in corners)
        lines.append(f"<object><name>{escape(CLASSES[label])}</name><bndbox>{inside}</bndbox></object>")
    options = (first, draw(st.sampled_from(["error", "clip"])))
    return Sound(end.join([*lines, "</annotation>"]).strip().encode(), options, boxes)


def judge_voc(data: bytes, options: Any, folder: Path) -> Any:
    first, outside = options
    found = boxes_of(parse_voc(write(folder, "a.xml", data), SIZE, CLASSES, outside, first_pixel=first))
    if found is not None:
        check_same(found, plain.read_voc(data, SIZE, CLASSES, first))
    return found


@st.composite
def sound_coco(draw: st.DrawFn) -> Sound:
    boxes = draw(whole_boxes())
    images = [{"id": n, "file_name": f"{n}.png", "width": SIZE[0], "height": SIZE[1]} for n in (1, 2)]
    entries = []
    truth: dict[str, list[Any]] = {"1.png": [], "2.png": []}
    for number, (label, x1, y1, x2, y2) in enumerate(boxes):
        image, crowd = 1 + number % 2, int((x1 + y2) % 5 == 0)
        box: list[float] = [x1, y1, x2 - x1, y2 - y1]
        entry = {"id": number, "image_id": image, "category_id": label * 3, "bbox": box, "iscrowd": crowd}
        entries.append(entry | ({"area": box[2] * box[3]} if number % 3 else {}))
        truth[f"{image}.png"].append((label + 1000 * crowd, x1, y1, x2, y2))
    categories = [{"id": number * 3, "name": name} for number, name in enumerate(CLASSES)]
    content = {"images": images, "categories": categories, "annotations": entries}
    text = json.dumps(content, indent=draw(st.sampled_from([None, 1])), ensure_ascii=draw(st.booleans()))
    return Sound(text.encode(), draw(st.sampled_from(["error", "clip"])), truth)


def judge_coco(data: bytes, outside: Any, folder: Path) -> Any:
    try:
        file = parse_coco(write(folder, "a.json", data))
    except UserError as error:
        check_line(error)
        return None
    for problem in file.problems:
        check_line(problem)
    found = {image.file_name: boxes_of(file.labels_of(image, SIZE, CLASSES, outside)) for image in file.images}
    if file.problems or any(boxes is None for boxes in found.values()):
        return None
    theirs = plain.read_coco(data, SIZE, CLASSES)
    assert list(found) == list(theirs), f"pictures {list(found)} instead of {list(theirs)}"
    for name, boxes in found.items():
        check_same(boxes or [], theirs[name])
    return found


_XML = b"""<object> </object> <bndbox> </bndbox> <name> </name> <xmin> </xmin> <xmax>1</xmax> <annotation> </annotation>
<!----> <![CDATA[1]]> &#49; &lt; <!DOCTYPEa> <b/> <size>""".split()
_JSON = b""""bbox": "id":1 "category_id":0, "iscrowd":1, "image_id":2, NaN 1e400 [[[[[[[[ "images":[], "annotations":[]
{ } ] "name":"dent", "\\ud800" - true""".split()
LABEL_TARGETS = (
    Target("yolo", 0.3, sound_yolo(), judge_yolo, (b"0 0.5 0.5 0.1 0.1", b"1", b"3", b"4")),
    Target("deeppcb", 0.1, sound_deeppcb(), judge_deeppcb, (b"1 1 20 20 1", b",", b", ", b"4")),
    Target("voc", 0.15, sound_voc(), judge_voc, _XML),
    Target("coco", 0.15, sound_coco(), judge_coco, _JSON),
)
