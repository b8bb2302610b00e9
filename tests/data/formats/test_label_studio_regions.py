"""Which regions of a Label Studio task are boxes of its picture: each once, under any control, of no other picture."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from test_label_studio import SIZE, boxes, result, save, task

from lightdet.data.formats.label_studio import parse_label_studio

PLACE = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "original_width": 200, "original_height": 100}
BOX = [20, 20, 80, 60]
OTHER = {**PLACE, "x": 50}
DONE = {"id": 1, "annotator": 1, "annotation_id": 7, "lead_time": 1.5}
DENT: dict[str, Any] = {"rectanglelabels": ["dent"]}


def fault(folder: Path, *tasks: object) -> str:
    file = parse_label_studio(save(folder, *tasks))
    problems = [*file.problems, *(problem for image in file.images for problem in image.problems)]
    (message,) = map(str, problems)
    assert message.startswith(f"{folder / 'tasks.json'}:2: ")
    return message


@pytest.mark.parametrize("control", ["label", "tag", "bbox", "a b", "data_1"])
def test_json_min_has_its_regions_under_the_name_of_the_control(control: str, tmp_path: Path) -> None:
    assert boxes(save(tmp_path, {"image": "a.png", **DONE, control: [PLACE | DENT]})) == [BOX]
    outline = {"points": [[10, 20], [40, 25], [30, 60]], "polygonlabels": ["dent"], **dict(list(PLACE.items())[-2:])}
    both = {"image": "a.png", **DONE, control: [PLACE | DENT], "outlines": [outline]}
    assert boxes(save(tmp_path, both)) == [BOX, BOX]


@pytest.mark.parametrize("beside", ["ok", {"choices": ["a", "b"]}, ["x", "y"], [{"text": ["a"]}, {"text": ["b"]}], 3])
def test_json_min_leaves_out_what_marks_no_place(beside: object, tmp_path: Path) -> None:
    assert boxes(save(tmp_path, {"image": "a.png", **DONE, "quality": beside, "tag": [PLACE | DENT]})) == [BOX]
    assert boxes(save(tmp_path, {"image": "a.png", **DONE, "quality": beside})) == []
    per_region = [PLACE | {"choices": ["deep"]}]
    assert boxes(save(tmp_path, {"image": "a.png", **DONE, "depth": per_region, "tag": [PLACE | DENT]})) == [BOX]


@pytest.mark.parametrize(
    "labels", [{"brushlabels": ["dent"], "format": "rle", "rle": [1]}, {"keypointlabels": ["dent"]}]
)
def test_json_min_refuses_what_is_not_read_under_any_control(labels: dict[str, Any], tmp_path: Path) -> None:
    message = fault(tmp_path, {"image": "a.png", **DONE, "tag": [{"x": 1, "y": 2, **labels}]})
    assert f"is of type '{next(iter(labels))}', which is not read" in message


@pytest.mark.parametrize("seen", [{"annotation_id": 3}, {"annotator": 1}, {"annotator": "a@b.org"}, {"label": []}])
def test_json_min_of_a_picture_without_defects_says_who_looked(seen: dict[str, Any], tmp_path: Path) -> None:
    nobody = {"image": "a.png", "id": 1, "annotator": None, "annotation_id": None, "lead_time": None}
    assert boxes(save(tmp_path, nobody | seen)) == []
    assert "the task is not annotated; annotate it or remove it" in fault(tmp_path, nobody | {"quality": "ok"})
    assert "the task is not annotated" in fault(tmp_path, {"image": "a.png", "id": 1, "annotator": {}})


def test_json_min_of_rectangles_with_labels_of_their_own(tmp_path: Path) -> None:
    named = {"image": "a.png", **DONE, "bbox": [PLACE, OTHER], "label": [PLACE | {"labels": ["dent"]}]}
    named["label"].append(OTHER | {"labels": ["scratch"]})
    assert boxes(save(tmp_path, named)) == [BOX, [100, 20, 160, 60]]
    assert "has no class" in fault(tmp_path, named | {"label": named["label"][:1]})


REGION = result("rectangle", x=10, y=20, width=30, height=40, rotation=0)
NAMED = {**REGION, "type": "labels", "value": REGION["value"] | {"labels": ["dent"]}}
CHOICE = {**REGION, "type": "choices", "value": REGION["value"] | {"choices": ["deep"]}}


@pytest.mark.parametrize("parts", [*permutations([REGION, NAMED]), *permutations([REGION, NAMED, CHOICE]), [NAMED]])
def test_a_region_is_one_box_however_many_results_it_has(parts: list[dict[str, Any]], tmp_path: Path) -> None:
    again = [{**each, "id": "r2", "value": {**each["value"], "x": 50}} for each in parts]
    assert boxes(save(tmp_path, task(*parts))) == [BOX]
    assert boxes(save(tmp_path, task(*parts, *again))) == [BOX, [100, 20, 160, 60]]
    assert boxes(save(tmp_path, task(*again, *parts))) == [[100, 20, 160, 60], BOX]


def test_polygons_and_ellipses_with_labels_of_their_own_are_one_box(tmp_path: Path) -> None:
    for kind, value in (
        ("polygon", {"points": [[10, 20], [40, 25], [30, 60]]}),
        ("ellipse", {"x": 25, "y": 40, "radiusX": 15, "radiusY": 20}),
    ):
        shape = result(kind, **value)
        named = {**shape, "type": "labels", "value": {**value, "labels": ["dent"]}}
        assert boxes(save(tmp_path, task(shape, named))) == [BOX]
    brush = result("brush", format="rle", rle=[1])
    named = {**brush, "type": "labels", "value": {"labels": ["dent"], "format": "rle", "rle": [1]}}
    assert "is of type 'brush', which is not read" in fault(tmp_path, task(brush, named))


def test_two_shapes_under_one_id(tmp_path: Path) -> None:
    assert boxes(save(tmp_path, task(result(), result()))) == [BOX]
    moved = result(x=50, y=20, width=30, height=40, rotation=0)
    assert "has the id of another shape" in fault(tmp_path, task(result(), moved))
    elsewhere = {**NAMED, "value": {**NAMED["value"], "x": 50}}
    assert "has the id of another shape" in fault(tmp_path, task(NAMED, elsewhere))
    nameless = [{**each, "id": None} for each in (result(), moved)]
    assert len(boxes(save(tmp_path, task(*nameless)))) == 2


def on(target: object, number: int = 1, **more: Any) -> dict[str, Any]:
    return result(x=number, y=20, width=30, height=40) | {"id": str(number), "to_name": target} | more


@pytest.mark.parametrize(
    ("data", "results", "message"),
    [
        ({"image": "a.png", "ref": "b.png"}, [on("image", 1), on("ref", 2)], "on 'image' and on 'ref'"),
        ({"image": "a.png"}, [on("image", 1), on("ref", 2)], "on 'image' and on 'ref'"),
        ({"image": "a.png", "ref": "b.png"}, [on("ref")], "on 'ref', and its picture is 'image'"),
        ({"image": "a.png", "ref": "b.png"}, [on("image", source="$ref")], "on 'ref', and its picture is 'image'"),
        ({"image": "a.png", "ref": "b.png"}, [on("img")], "'img' is 'image' or 'ref'"),
    ],
)
def test_regions_of_another_picture_are_refused(
    data: dict[str, str], results: list[dict[str, Any]], message: str, tmp_path: Path
) -> None:
    assert message in fault(tmp_path, task(*results, data=data))


def test_regions_of_the_picture_among_others(tmp_path: Path) -> None:
    two = {"image": "a.png", "thumbnail": "b.png", "note": "c"}
    aside = {"type": "choices", "to_name": "thumbnail", "value": {"choices": ["sharp"]}}
    for results in ([on("image"), aside], [on("img", source="$image")]):
        assert len(boxes(save(tmp_path, task(*results, data=two)))) == 1
    assert len(boxes(save(tmp_path, task(on("img"), data={"photo": "a.png"})))) == 1
    assert boxes(save(tmp_path, task(data=two))) == []
    assert len(boxes(save(tmp_path, task(on("img"), data={"image": "a.png", "url": "a.png"})))) == 1
    minimal = {**two, **DONE, "tag": [PLACE | DENT]}
    assert "nothing says whether its regions are on 'image' or on 'thumbnail'" in fault(tmp_path, minimal)


def test_classes_and_sizes_are_those_of_the_picture(tmp_path: Path) -> None:
    path = save(tmp_path, task(REGION, NAMED), {"image": "b.png", **DONE, "tag": [PLACE | DENT]})
    file = parse_label_studio(path)
    assert file.class_names() == ["dent"] and [image.size for image in file.images] == [SIZE, SIZE]
