"""Files of labelling tools: LabelMe, CVAT, Label Studio, CSV with boxes and masks, judged by `plain_tools`."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import plain_tools as plain
from fuzz_mutations import PICTURE_EDITS
from fuzz_target import CLASSES, Sound, Target, boxes_of, check_line, check_same, write
from hypothesis import strategies as st
from label_targets import SIZE, ends, whole_boxes
from PIL import Image

from lightdet.data.formats.box_csv import parse_box_csv
from lightdet.data.formats.cvat import parse_cvat
from lightdet.data.formats.label_studio import parse_label_studio
from lightdet.data.formats.labelme import parse_labelme
from lightdet.data.formats.listed import ListedFile
from lightdet.data.formats.masks import parse_mask
from lightdet.data.formats.rules import Rules
from lightdet.data.images import read_image
from lightdet.errors import UserError

OUTSIDE = st.sampled_from(["error", "clip"])


@st.composite
def sound_labelme(draw: st.DrawFn) -> Sound:
    boxes, shapes = draw(whole_boxes()), []
    for number, (label, x1, y1, x2, y2) in enumerate(boxes):
        kind = ("rectangle", "polygon")[number % 2]
        points = [[x2, y1], [x1, y2]] if kind == "rectangle" else [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]
        shapes.append({"label": CLASSES[label], "points": points, "shape_type": kind, "group_id": None, "flags": {}})
    picture = draw(st.sampled_from([None, base64.b64encode(_png(np.zeros((9, 9), np.uint8))).decode()]))
    content = {"shapes": shapes, "imagePath": "a.png", "imageData": picture}
    content |= {"imageHeight": SIZE[1], "imageWidth": SIZE[0]}
    text = json.dumps(content, indent=draw(st.sampled_from([None, 2])), ensure_ascii=draw(st.booleans()))
    return Sound(text.encode(), draw(OUTSIDE), boxes)


def judge_labelme(data: bytes, outside: Any, folder: Path) -> Any:
    path = write(folder, "a.json", data)
    try:
        read_image(path)
    except UserError as error:
        check_line(error)
    found = boxes_of(parse_labelme(path, SIZE, CLASSES, outside))
    if found is not None and b"mask" not in data:
        check_same(found, plain.read_labelme(data, SIZE, CLASSES))
    return found


def _png(pixels: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _by_picture(boxes: list[Any]) -> dict[str, list[Any]]:
    return {name: boxes[place::2] for place, name in enumerate(("1.png", "2.png"))}


@st.composite
def sound_cvat(draw: st.DrawFn) -> Sound:
    boxes, end = draw(whole_boxes()), draw(ends)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations><version>1.1</version>"]
    for name, own in _by_picture(boxes).items():
        lines.append(f'<image id="0" name="{name}" width="{SIZE[0]}" height="{SIZE[1]}">')
        for number, (label, x1, y1, x2, y2) in enumerate(own):
            head = f'label="{escape(CLASSES[label])}" occluded="0" z_order="0"'
            if number % 2:
                lines.append(f'<polygon {head} points="{x1},{y1};{x2},{y1}.0;{x2},{y2};{x1},{y2}"></polygon>')
            else:
                lines.append(f'<box {head} xtl="{x1}" ytl="{y1}.00" xbr="{x2}" ybr="{y2}"></box>')
        lines.append("</image>")
    return Sound(end.join([*lines, "</annotations>"]).encode(), draw(OUTSIDE), _by_picture(boxes))


@st.composite
def sound_label_studio(draw: st.DrawFn) -> Sound:
    boxes, tasks = draw(whole_boxes()), []
    for name, own in _by_picture(boxes).items():
        results = []
        for number, (label, x1, y1, x2, y2) in enumerate(own):
            x, y, w, h = x1 / SIZE[0] * 100, y1 / SIZE[1] * 100, (x2 - x1) / SIZE[0] * 100, (y2 - y1) / SIZE[1] * 100
            value: dict[str, Any] = {"x": x, "y": y, "width": w, "height": h, "rotation": 0}
            kind = "rectanglelabels"
            if number % 2:
                value, kind = {"points": [[x, y], [x + w, y], [x + w, y + h]]}, "polygonlabels"
            sides = {"original_width": SIZE[0], "original_height": SIZE[1], "image_rotation": 0}
            results.append({"id": f"r{number}", "type": kind, "value": value | {kind: [CLASSES[label]]}} | sides)
        tasks.append({"id": 1, "data": {"image": name}, "annotations": [{"result": results, "was_cancelled": False}]})
    text = json.dumps(tasks, indent=draw(st.sampled_from([None, 1])), ensure_ascii=draw(st.booleans()))
    small = [box for box in boxes if max(box[3] / SIZE[0], box[4] / SIZE[1]) <= 0.01]
    return Sound(text.encode(), draw(OUTSIDE), None if small else _by_picture(boxes))


@st.composite
def sound_box_csv(draw: st.DrawFn) -> Sound:
    boxes, end, blank = (
        draw(whole_boxes()),
        draw(st.sampled_from(["\n", "\r\n"])),
        draw(st.sampled_from([",", ";", "\t"])),
    )
    lines = [blank.join(("image", "xmin", "ymin", "xmax", "ymax", "label"))]
    for name, own in _by_picture(boxes).items():
        lines += [blank.join(map(str, (name, *box, CLASSES[label]))) for label, *box in own]
        lines += [blank.join((name, "", "", "", "", ""))] * (not own)
    return Sound(end.join(lines).encode(), draw(OUTSIDE), _by_picture(boxes))


def _judge(
    name: str, parse: Callable[[Path], ListedFile], theirs: Callable[..., dict[str, list[Any]]], *unread: bytes
) -> Callable[[bytes, Any, Path], Any]:
    """The judge of a file with many pictures; files with `unread` in them are more than the plain reader knows."""

    def judge(data: bytes, outside: Any, folder: Path) -> Any:
        try:
            file = parse(write(folder, name, data))
        except UserError as error:
            check_line(error)
            return None
        for problem in file.problems:
            check_line(problem)
        found = {image.file_name: boxes_of(file.labels_of(image, SIZE, CLASSES, outside)) for image in file.images}
        # A picture that is listed twice is refused where pictures are looked for.
        if file.problems or len(found) < len(file.images) or any(boxes is None for boxes in found.values()):
            return None
        if any(word in data for word in unread):
            return found
        try:
            plain_found = theirs(data, SIZE, CLASSES)
        except NotImplementedError:
            return found
        assert sorted(map(len, found.values())) == sorted(map(len, plain_found.values()))
        for image, boxes in found.items():
            if image in plain_found:
                check_same(boxes or [], plain_found[image])
        return found

    return judge


@st.composite
def sound_mask(draw: st.DrawFn) -> Sound:
    pixels = np.zeros((24, 32), np.uint8)
    for label, x1, y1, x2, y2 in draw(whole_boxes()):
        pixels[y1 % 24 : y1 % 24 + 1 + y2 % 5, x1 % 32 : x1 % 32 + 1 + x2 % 7] = label + 1
    return Sound(_png(pixels), None, plain.pieces(pixels))


def judge_mask(data: bytes, _: Any, folder: Path) -> Any:
    found = boxes_of(parse_mask(write(folder, "a.png", data), (32, 24), CLASSES))
    if found is not None:
        picture = Image.open(io.BytesIO(data))
        if picture.mode in ("L", "P"):
            check_same(sorted(found), plain.pieces(np.asarray(picture)))
    return found


_JSON = b""""shapes":[] "points":[[1,2],[3,4]] "shape_type":"circle" "group_id":0, "label":"dent", "imageData":"AAAA"
"imageData":null "x":1, "rotation":90, "value":{} "result":[] "was_cancelled":true, "type":"labels" NaN 1e400 [[[[[[[[
{ } ] \\ud800 - true null""".split()
_XML = b"""<box> </box> <polygon/> <track/> <tag/> points="1,2;3,4;5,6" rotation="90" group_id="1" xtl="1" name="a"
label="dent" <!----> <![CDATA[1]]> &#49; <!DOCTYPEa> <image> </image> subset="train" nan , ;""".split()
_PIXELS = Rules(coordinates="pixels")
TOOL_TARGETS = (
    Target("labelme", 0.06, sound_labelme(), judge_labelme, _JSON, most=40),
    Target(
        "cvat",
        0.06,
        sound_cvat(),
        _judge("a.xml", lambda p: parse_cvat(p, Rules("apart")), plain.read_cvat, b"ellipse", b"mask"),
        _XML,
        most=40,
    ),
    Target(
        "label-studio",
        0.06,
        sound_label_studio(),
        _judge(
            "a.json", parse_label_studio, plain.read_label_studio, b'"labels"', b"ellipse", b"completions", b'"label"'
        ),
        _JSON,
        most=40,
    ),
    Target(
        "csv-boxes",
        0.06,
        sound_box_csv(),
        _judge("a.csv", lambda p: parse_box_csv(p, _PIXELS), plain.read_box_csv),
        (b",", b'"', b"xmin", b"1", b"dent", b";"),
        most=40,
    ),
    Target("masks", 0.06, sound_mask(), judge_mask, edits=PICTURE_EDITS, most=40),
)
