"""COCO: ids of any kind, crowds, and a line for every complaint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_strategies import CLASSES, annotations, check_equal
from pycocotools.coco import COCO

from lightdet.data.formats.coco import parse_coco, read_coco, write_coco
from lightdet.errors import UserError
from lightdet.structures import Annotation


def content(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "info": {"year": 2020},
        "images": [
            {"id": 7, "file_name": "ä b.png", "width": 200, "height": 100},
            {"id": "x9", "file_name": "sub/c.png", "width": 50, "height": 60},
        ],
        "categories": [{"id": 40, "name": "rolled-in_scale"}, {"id": 3, "name": "scratch"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20.5, 30, 40], "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 40, "bbox": [0, 0, 200, 100], "iscrowd": 1},
        ],
    }
    return base | changes


def save(tmp_path: Path, value: object, indent: int | None = 1) -> Path:
    path = tmp_path / "set.json"
    path.write_text(json.dumps(value, indent=indent), encoding="utf-8")
    return path


def line_of(path: Path, text: str) -> int:
    """Where the object begins that holds `text` (the files are indented, one key a line)."""
    lines = path.read_text().splitlines()
    at = next(index for index, line in enumerate(lines) if text in line)
    return max(index for index in range(at + 1) if lines[index] == "  {") + 1


def test_ids_need_not_be_contiguous(tmp_path: Path) -> None:
    path = save(tmp_path, content())
    first, second = read_coco(path, Path("pics"), CLASSES)
    assert first.image == Path("pics/ä b.png") and second.image == Path("pics/sub/c.png")
    assert first.boxes.tolist() == [[10, 20.5, 40, 60.5], [0, 0, 200, 100]]
    assert first.labels.tolist() == [0, 1]  # by name
    assert first.crowd is not None and first.crowd.tolist() == [False, True]
    assert first.lines == (line_of(path, '"id": 1,'), line_of(path, '"id": 2,'))
    assert len(second) == 0 and second.size == (50, 60)


@given(sets=st.lists(annotations(), max_size=4), flags=st.lists(st.booleans(), min_size=40, max_size=40))
def test_write_then_read_is_exact(
    sets: list[Annotation], flags: list[bool], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("coco") / "a.json"
    written = [
        Annotation(s.image, s.size, s.boxes, s.labels, np.array(flags[: len(s)], np.bool_)) if any(flags) else s
        for s in sets
    ]
    write_coco(written, path, CLASSES, [f"{i} é.png" for i in range(len(sets))])
    found = read_coco(path, Path(), CLASSES)
    assert len(found) == len(written)
    for one, other in zip(found, written, strict=True):
        check_equal(one, other, 0)
        crowd = other.crowd if other.crowd is not None else np.zeros(len(other), np.bool_)
        assert np.array_equal(one.crowd if one.crowd is not None else np.zeros(len(one), np.bool_), crowd)


def test_pycocotools_reads_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = np.array([[1, 2, 5, 9]], np.float32)
    write_coco([Annotation(Path("a.png"), (20, 10), boxes, np.array([1]))], tmp_path / "a.json", CLASSES, ["a.png"])
    loaded = COCO(str(tmp_path / "a.json"))
    capsys.readouterr()
    (entry,) = loaded.loadAnns(loaded.getAnnIds())
    assert entry["bbox"] == [1, 2, 4, 7] and entry["area"] == 28
    assert loaded.loadCats(entry["category_id"])[0]["name"] == CLASSES[1]


def annotation(**changes: object) -> dict[str, Any]:
    return {"id": 5, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40]} | changes


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (annotation(category_id=4), "annotation 5: category_id 4 is not among 'categories'"),
        (annotation(category_id=None), "annotation 5: category_id None"),
        (annotation(image_id=99), "annotation 5: image_id 99 is not among 'images'"),
        (annotation(image_id=[1]), "annotation 5: image_id [1] is not among 'images'"),
        (annotation(bbox=[1, 2, 3]), "annotation 5: 'bbox' must be four numbers"),
        (annotation(bbox=None), "annotation 5: 'bbox' must be four numbers"),
        (annotation(bbox=[1, 2, "3", 4]), "annotation 5: 'bbox' must be four numbers"),
        (annotation(bbox=[1, 2, 10**400, 4]), "annotation 5: 'bbox' must be four numbers"),
        (annotation(bbox=[1, 2, float("nan"), 4]), "a coordinate is not a finite number"),
        (annotation(bbox=[1, 2, -3, 4]), "annotation 5: the box has a negative width or height (-3 x 4)"),
        (annotation(bbox=[1, 2, 0, 4]), "the box has no area"),
        (annotation(bbox=[-20, 2, 30, 4]), "the box reaches outside the picture of 200 x 100"),
        (annotation(bbox=[190, 2, 30, 4]), "the box reaches outside the picture of 200 x 100"),
        (annotation(bbox=[290, 2, 30, 4]), "the box lies outside the picture"),
    ],
)
def test_wrong_annotations_are_named(entry: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = save(tmp_path, content(annotations=[annotation(id=1), entry]))
    with pytest.raises(UserError) as caught:
        read_coco(path, Path(), CLASSES)
    line = line_of(path, '"id": 5')
    assert str(caught.value).startswith(f"{path}:{line}: {message}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": {}}, "'images' must be a list"),
        ({"images": [3]}, "an entry of 'images' is not an object"),
        ({"annotations": [None]}, "an entry of 'annotations' is not an object"),
        ({"images": [{"id": 1}]}, "an image needs an 'id' and a 'file_name'"),
        ({"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]}, "image id 1 is given twice"),
        ({"images": [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "a"}]}, "the file_name 'a' is given twice"),
        ({"categories": [{"id": "3", "name": "x"}]}, "a category needs a whole-number 'id' and a 'name'"),
        ({"categories": [{"id": 3, "name": "x"}, {"id": 3, "name": "y"}]}, "category id 3 is given twice"),
        ({"categories": [{"id": 3, "name": "scrach"}]}, "unknown class 'scrach': did you mean 'scratch'?"),
    ],
)
def test_wrong_lists_are_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    boxes = [annotation()] if "scrach" in message else []
    path = save(tmp_path, content(**({"annotations": boxes} | changes)))
    with pytest.raises(UserError) as caught:
        read_coco(path, Path(), CLASSES)
    assert message in str(caught.value) and str(caught.value).startswith(f"{path}:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ('{"images": [\n{"id": 1,}\n]}', ":2: not valid JSON"),
        ('{"images": [] "x": 1}', "not valid JSON: expected ','"),
        ('{"images": [', "not valid JSON"),
        ("{}", "not a COCO data set: the list 'images' is missing"),
        ('{"images": []}', "not a COCO data set: the list 'categories' is missing"),
        ('[{"image_id": 1}]', "not a COCO data set: it holds a list"),
        ('{"x": ' + "[" * 100_000, "nested too deeply"),
        ('{"x": ' + "9" * 5000 + "}", "a number too long"),
    ],
)
def test_other_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_coco(path, Path(), CLASSES)
    assert message in str(caught.value) and "\n" not in str(caught.value)
    path.write_bytes(b"\x89PNG\xff")
    with pytest.raises(UserError, match="not UTF-8"):
        read_coco(path, Path(), CLASSES)


def test_minified_files_have_all_on_line_one(tmp_path: Path) -> None:
    found = read_coco(save(tmp_path, content(), indent=None), Path(), CLASSES)
    assert found[0].lines == (1, 1)


def test_unused_categories_do_not_matter(tmp_path: Path) -> None:
    categories = [*content()["categories"], {"id": 0, "name": "defects", "supercategory": "none"}]
    assert len(read_coco(save(tmp_path, content(categories=categories)), Path(), CLASSES)) == 2


def test_size_must_be_the_pictures(tmp_path: Path) -> None:
    file = parse_coco(save(tmp_path, content()))
    (problem,) = file.labels_of(file.images[1], (60, 50), CLASSES).problems
    assert problem.kind == "size" and "is declared 50 x 60, but the picture is 60 x 50; are width" in str(problem)
    assert "EXIF" not in str(problem)
    untold = parse_coco(save(tmp_path, content(images=[{"id": 7, "file_name": "a.png"}], annotations=[])))
    assert not untold.labels_of(untold.images[0], (60, 50), CLASSES).problems


@pytest.mark.parametrize("side", [0, None, "80", float("nan"), float("inf"), -5, 10**400])
def test_nonsense_sizes_are_not_told(side: object, tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "a.png", "width": side, "height": 60}]
    assert parse_coco(save(tmp_path, content(images=images, annotations=[]))).images[0].size is None


@pytest.mark.parametrize("box", [[1, 2, 30, 40], [30, 2, 29, 30]])
def test_a_size_declared_before_the_exif_turn(box: list[int], tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "a.png", "width": 50, "height": 60}]
    file = parse_coco(save(tmp_path, content(images=images, annotations=[annotation(bbox=box)])))
    found = file.labels_of(file.images[0], (60, 50), CLASSES, turned=True)
    assert not found.problems and len(found.remarks) == 1 and found.boxes[0][:2] == tuple(box[:2])
    file.images[0].annotations[0][1]["bbox"] = [1, 2, 45, 55]  # fits the picture as it is stored alone
    (size, outside) = file.labels_of(file.images[0], (60, 50), CLASSES, turned=True).problems
    assert size.kind == "size" and "EXIF" in str(size) and outside.kind == "outside"
    assert file.labels_of(file.images[0], (60, 50), CLASSES, "clip", turned=True).problems[0].kind == "size"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            annotation(category_name="rolled-in_scale"),
            "category_id 3 is 'scratch', but 'category_name' 'rolled-in_scale'",
        ),
        (annotation(category_id=True), "category_id True is not among"),
        (annotation(bbox=[True, 2, 3, 4]), "'bbox' must be four numbers"),
        (annotation(iscrowd="0"), "'iscrowd' must be 0 or 1, got '0'"),
        (annotation(area=-1), "'area' must be a number of pixels, got -1"),
        (annotation(area="12"), "'area' must be a number of pixels, got '12'"),
        (annotation(area=float("nan")), "'area' must be a number of pixels"),
    ],
)
def test_fields_that_contradict_or_are_none(entry: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_coco(save(tmp_path, content(annotations=[entry])), Path(), CLASSES)
    assert f"annotation 5: {message}" in str(caught.value)


def test_names_are_compared_without_blanks_around_them(tmp_path: Path) -> None:
    categories = [{"id": 3, "name": " scratch\t"}, {"id": 40, "name": "rolled-in_scale"}]
    path = save(tmp_path, content(categories=categories))
    assert read_coco(path, Path(), CLASSES)[0].labels.tolist() == [0, 1]
    assert parse_coco(path).class_names() == ["scratch", "rolled-in_scale"]


@pytest.mark.parametrize(
    ("categories", "names"),
    [
        ([(0, "defect", "none"), (3, "defect", "defect")], ["defect"]),
        ([(0, "defects", "none"), (3, "scratch", "defects")], ["scratch"]),
        ([(0, "defects", None), (3, "scratch", "defects"), (4, "unused", "defects")], ["scratch", "unused"]),
        ([(3, "defects", "none"), (4, "scratch", "defects")], ["defects", "scratch"]),  # it has a box of its own
        ([(0, "good", "none"), (3, "scratch", "none")], ["good", "scratch"]),  # nothing says that it is a root
        ([(3, "person", "person"), (4, "rider", "person")], ["person", "rider"]),
    ],
)
def test_the_root_category_of_exports_is_no_class(
    categories: list[tuple[int, str, str | None]], names: list[str], tmp_path: Path
) -> None:
    entries = [{"id": i, "name": n} | ({} if s is None else {"supercategory": s}) for i, n, s in categories]
    assert parse_coco(save(tmp_path, content(categories=entries, annotations=[annotation()]))).class_names() == names


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("key", ["images", "info", "annotategories"])
def test_a_key_of_the_file_given_twice(key: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(end.join(['{"%s": [],' % key, '"categories": [],', '"%s": []}' % key]).encode())  # noqa: UP031
    with pytest.raises(UserError, match=f":3: '{key}' is given twice"):
        parse_coco(path)


@pytest.mark.parametrize("key", ["1", "[1]", "{}", "null", "1.5"])
def test_a_key_that_is_no_text(key: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(f'{{"images": [],\n{key}: []}}')
    with pytest.raises(UserError, match=":2: not valid JSON"):
        parse_coco(path)


def test_areas_are_kept(tmp_path: Path) -> None:
    entries = [annotation(id=1, area=5.5), annotation(id=2)]
    (found, _) = read_coco(save(tmp_path, content(annotations=entries)), Path(), CLASSES)
    assert found.area is not None and found.area.tolist() == [5.5, 1200]
    write_coco([found], tmp_path / "b.json", CLASSES, ["a.png"])
    again = COCO(str(tmp_path / "b.json"))
    assert [entry["area"] for entry in again.loadAnns(again.getAnnIds())] == [5.5, 1200]
    assert "info" in again.dataset  # pycocotools 2.0.8 to 2.0.10 copy it


@pytest.mark.parametrize(
    ("outline", "box"),
    [
        ([[10, 20, 50, 20.5, 30, 60]], [10, 20, 50, 60]),
        ([[10, 20, 50, 20, 30, 60], [100, 30, 120, 30, 120, 80]], [10, 20, 120, 80]),  # one object in two parts
        ({"size": [100, 200], "counts": [100 * 10 + 20, 40, 60, 40, 100 * 200 - 1160]}, [10, 20, 12, 60]),
        ([[1, 2, 3, 4]], "the polygon has 2 of at least 3 points"),
        ([[1, 2, 3, 4, 5]], "the polygon must be a list of x, y, x, y"),
        ([], "the polygon is empty, and there is no 'bbox'"),
        ({"size": [100, 200], "counts": [5]}, "the mask has runs of 5 pixels instead of its 100 x 200"),
        ({"size": [100], "counts": [5]}, "the mask needs 'size'"),
        ({"size": [100, 200], "counts": "\u00e9"}, "the mask has 'counts' that are not the text of pycocotools"),
    ],
)
@pytest.mark.parametrize("bbox", [None, []])
def test_an_annotation_without_a_box_is_the_box_around_its_outline(
    outline: Any, box: list[float] | str, bbox: Any, tmp_path: Path
) -> None:
    entry = annotation(segmentation=outline, bbox=bbox)
    if bbox is None:
        del entry["bbox"]
    path = save(tmp_path, content(annotations=[entry]))
    if isinstance(box, list):
        assert read_coco(path, Path(), CLASSES)[0].boxes.tolist() == [box]
        return
    with pytest.raises(UserError) as caught:
        read_coco(path, Path(), CLASSES)
    assert f"annotation 5: {box}" in str(caught.value)
