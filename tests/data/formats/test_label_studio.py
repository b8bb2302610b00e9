"""Label Studio: per cent of the sides, one annotation per task, and the names under which it keeps pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_strategies import CLASSES, annotations, check_equal

from lightdet.data.formats.label_studio import (
    label_studio_text,
    parse_label_studio,
    read_label_studio,
    write_label_studio,
)
from lightdet.data.formats.rules import Rules
from lightdet.errors import UserError
from lightdet.structures import Annotation

SIZE = (200, 100)
NAMES = ("scratch", "dent")


def result(kind: str = "rectanglelabels", label: str = "dent", **value: Any) -> dict[str, Any]:
    box = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}
    labels = {kind: [label]} if kind.endswith("labels") else {}
    head = {"id": "r1", "type": kind, "original_width": 200, "original_height": 100, "image_rotation": 0}
    return head | {"value": (value or box) | labels}


def task(*results: object, **changes: Any) -> dict[str, Any]:
    return {"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": list(results)}]} | changes


def save(folder: Path, *tasks: object) -> Path:
    path = folder / "tasks.json"
    path.write_text("[\n" + ",\n".join(map(json.dumps, tasks)) + "\n]")
    return path


def boxes(path: Path, rules: Rules = Rules()) -> list[list[float]]:  # noqa: B008
    file = parse_label_studio(path, rules)
    assert not file.problems
    return file.labels_of(file.images[0], SIZE, NAMES).annotation(Path("a.png")).boxes.tolist()


@given(sets=st.lists(annotations(), max_size=3))
def test_write_then_read_is_exact_to_a_hundredth(
    sets: list[Annotation], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("ls") / "a.json"
    names = [f"{number} é %20.png" for number in range(len(sets))]
    write_label_studio(sets, path, CLASSES, names)
    for one, other in zip(read_label_studio(path, Path(), [a.size for a in sets], CLASSES), sets, strict=True):
        check_equal(one, other, 0.01)


@pytest.mark.parametrize(
    ("drawn", "box"),
    [
        (result(), [20, 20, 80, 60]),
        (result(x=10, y=20, width=30, height=40, rotation=90), [-20, 20, 20, 80]),  # around the upper left corner
        (result("polygonlabels", points=[[10, 20], [40, 25], [30, 60]]), [20, 20, 80, 60]),
        (result("ellipselabels", x=50, y=50, radiusX=10, radiusY=20), [80, 30, 120, 70]),
        (result("ellipselabels", x=50, y=50, radiusX=10, radiusY=10, rotation=90), [90, 30, 110, 70]),
    ],
)
def test_every_shape_with_an_area_is_the_box_around_it(drawn: dict[str, Any], box: list[float], tmp_path: Path) -> None:
    file = parse_label_studio(save(tmp_path, task(drawn)))
    found = file.labels_of(file.images[0], SIZE, NAMES, "clip")
    x1, y1, x2, y2 = box
    assert np.allclose(found.boxes, [[max(x1, 0), max(y1, 0), min(x2, 200), min(y2, 100)]]) and found.labels == [1]
    assert bool(found.remarks) == bool(drawn["value"].get("rotation"))


def test_a_region_may_have_its_class_in_a_result_of_its_own(tmp_path: Path) -> None:
    region = result("rectangle", x=10, y=20, width=30, height=40)
    named = {"id": "r1", "type": "labels", "value": region["value"] | {"labels": ["dent"]}}
    assert boxes(save(tmp_path, task(region, {"id": "r1", "type": "labels", "value": {"labels": ["dent"]}}))) == [
        [20, 20, 80, 60]
    ]
    assert len(boxes(save(tmp_path, task(named)))) == 1


def test_choices_and_texts_mark_no_place(tmp_path: Path) -> None:
    beside = [{"type": "choices", "value": {"choices": ["bad"]}}, {"type": "textarea", "value": {"text": ["x"]}}]
    assert boxes(save(tmp_path, task(*beside))) == []


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (result("brushlabels", format="rle", rle=[1]), "is of type 'brushlabels', which is not read"),
        (result("keypointlabels", x=1, y=2), "is of type 'keypointlabels', which is not read"),
        (result() | {"image_rotation": 90}, "was drawn while the picture was turned by 90°: turn it back in Label"),
        (result(x=345, y=20, width=30, height=40), "has the value 345, and must be in per cent of the picture's sides"),
        (result(x="1", y=20, width=30, height=40), "needs numbers as x, y, width, height"),
        (result(x=1, y=20, width=-3, height=40), "has a negative width or height"),
        (result(label=""), "has no class"),
        (result() | {"value": 3}, "has no 'value'"),
        (result() | {"type": ""}, "is of type '', which is not read"),
        (result() | {"type": ["x"]}, "is of type '['x']', which is not read"),
        (result("polygonlabels", points=[[1, 2]]), "has 1 of at least 3 points"),
        (result("polygonlabels", points=3), "needs 'points'"),
        (result() | {"original_width": 300}, "was drawn on 300 x 100 pixels, and others on another size"),
    ],
)
def test_wrong_results_are_named_with_the_line_of_their_task(
    drawn: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = save(tmp_path, task(result()) | {"data": {"image": "b.png"}}, task(result(), drawn | {"id": "r2"}))
    with pytest.raises(UserError) as caught:
        read_label_studio(path, Path(), [SIZE, SIZE], NAMES)
    assert str(caught.value).startswith(f"{path}:3: result r2 of 'a.png' {message}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotations": []}, "the task is not annotated; annotate it or remove it"),
        ({"annotations": [{"result": [], "was_cancelled": True}]}, "the task is not annotated"),
        ({"annotations": [], "predictions": [{"result": []}]}, "its predictions are no labels; 'predictions: true'"),
        ({"annotations": [{"result": []}] * 2}, "the task has 2 annotations; keep one, or mark one as ground truth"),
        ({"annotations": [3]}, "'annotations' must be a list of objects with 'result'"),
        ({"annotations": [{"result": 3}]}, "the task's annotation has no list 'result'"),
        ({"annotations": [{"result": [3]}]}, "result 1 is not an object"),
        ({"data": {"text": "a"}}, "the task has no picture; call its entry in 'data' 'image'"),
        ({"data": {"one": "a.png", "two": "b.png"}}, "the picture could be 'one' or 'two'"),
    ],
)
def test_wrong_tasks_are_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_label_studio(save(tmp_path, task(**changes)), Path(), [SIZE], NAMES)
    assert f"{tmp_path / 'tasks.json'}:2: " in str(caught.value) and message in str(caught.value)


def test_the_annotation_that_counts_and_predictions_where_the_yaml_says_so(tmp_path: Path) -> None:
    true = {"result": [result()], "ground_truth": True}
    assert len(boxes(save(tmp_path, task(annotations=[{"result": []}, true])))) == 1
    path = save(tmp_path, task(annotations=[], predictions=[{"result": [result()], "score": 0.9}]))
    assert len(boxes(path, Rules(predictions=True))) == 1
    empty = task(annotations=[{"result": []}], predictions=[{"result": [result()]}])
    assert boxes(save(tmp_path, empty), Rules(predictions=True)) == []  # annotated as free of defects


def test_predictions_are_written_with_their_scores(tmp_path: Path) -> None:
    one = Annotation(Path("a.png"), SIZE, np.array([[20, 20, 80, 60]], np.float32), np.array([1]))
    (tmp_path / "t.json").write_text(label_studio_text([one], NAMES, ["a.png"], "model 1", [[0.75]]))
    (only,) = json.loads((tmp_path / "t.json").read_text())
    assert only["annotations"] == [] and only["predictions"][0]["score"] == 0.75
    assert boxes(tmp_path / "t.json", Rules(predictions=True)) == [[20, 20, 80, 60]]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a b.png", ("a b.png",)),
        ("/data/upload/3/1a2b3c4d-a_b.png", ("data/upload/3/1a2b3c4d-a_b.png", "1a2b3c4d-a_b.png", "a_b.png")),
        ("/data/local-files/?d=set/a%20b.png", ("set/a b.png", "a b.png")),
        ("s3://bucket/set/a.png", ("set/a.png", "a.png")),
        ("https://x.org/set/a%20b.png?token=1", ("set/a b.png", "a b.png")),
    ],
)
def test_the_names_of_pictures(text: str, names: tuple[str, ...], tmp_path: Path) -> None:
    (image,) = parse_label_studio(save(tmp_path, task(data={"image": text}))).images
    assert (image.file_name, *image.others) == names


def test_json_min(tmp_path: Path) -> None:
    label = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["dent"]}
    label |= {"original_width": 200, "original_height": 100}
    assert boxes(save(tmp_path, {"image": "a.png", "id": 1, "label": [label]})) == [[20, 20, 80, 60]]
    assert boxes(save(tmp_path, {"image": "a.png", "id": 1, "annotation_id": 5})) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_shares_in_place_of_per_cent_are_refused(tmp_path: Path, count: int) -> None:
    small = [result(x=0.1, y=0.2, width=0.3, height=0.4) | {"id": str(number)} for number in range(count)]
    file = parse_label_studio(save(tmp_path, task(*small)))
    assert "these look like shares, and Label Studio writes per cent" in str(file.problems[0])
    drawn = task(*small)
    drawn["annotations"][0]["lead_time"] = 3.2  # written by the tool itself
    assert bool(parse_label_studio(save(tmp_path, drawn)).problems) == (count > 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": []}', "not a Label Studio file: the file must begin with '['"),
        ("[3]", "is not an object {...}"),
        ("[", "not valid JSON"),
        ('[{"id": 1, "id": 2}]', "'id' is given twice"),
        ("[] []", "the file continues after its last ']'"),
    ],
)
def test_other_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError) as caught:
        read_label_studio(tmp_path / "a.json", Path(), [], NAMES)
    assert message in str(caught.value)
