"""Which regions of a Label Studio task are boxes of its picture: each once, under any control, of no other picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_label_studio import boxes, save

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
