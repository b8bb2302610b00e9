"""Detections from elsewhere, in every shape they come in, and every way they can be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from evaluation_scenes import NAMES, annotation
from hypothesis import given
from hypothesis import strategies as st

from lightdet.errors import UserError
from lightdet.evaluation.predictions import Ids, coco_ids, read_predictions

PICTURES = [annotation([[0, 0, 10, 10]], [0], image=name) for name in ("set/a.png", "set/007.jpg", "set/ü b.png")]


def write(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def result(image="a.png", category=0, box=(1, 2, 3, 4), score=0.5):
    return {"image_id": image, "category_id": category, "bbox": list(box), "score": score}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "found.json"


def test_boxes_become_corners_sorted_by_score(file):
    write(file, [result(score=0.25), result(box=(5, 6, 10, 20), score=0.75, category=2)])
    found, skipped = read_predictions(file, PICTURES, NAMES)
    assert found[0].boxes.tolist() == [[5, 6, 15, 26], [1, 2, 4, 6]]
    assert found[0].scores.tolist() == [0.75, 0.25] and found[0].labels.tolist() == [2, 0]
    assert [len(each) for each in found] == [2, 0, 0] and skipped == []
    assert found[1].size == (200, 200)


@pytest.mark.parametrize("image", ["ü b.png", "set/ü b.png", "ü b", "C:\\data\\set\\ü b.png", "/elsewhere/set/ü b.png"])
def test_pictures_by_name(file, image):
    found, _ = read_predictions(write(file, [result(image)]), PICTURES, NAMES)
    assert [len(each) for each in found] == [0, 0, 1]


@pytest.mark.parametrize("image", [7, "007", "007.jpg"])
def test_pictures_by_the_number_in_their_name(file, image):
    found, _ = read_predictions(write(file, [result(image)]), PICTURES, NAMES)
    assert [len(each) for each in found] == [0, 1, 0]


def test_numbers_explained_by_the_file_itself(file):
    value = {
        "images": [{"id": 41, "file_name": "ü b.png"}, {"id": 42, "file_name": "a.png"}],
        "categories": [{"id": 9, "name": "Kratzer ü"}, {"id": 1, "name": "dent"}],
        "annotations": [result(42, 9), result(41, 1)],
    }
    found, _ = read_predictions(write(file, value), PICTURES, NAMES)
    assert found[0].labels.tolist() == [2] and found[2].labels.tolist() == [1]


def test_numbers_explained_by_the_data_set(file, tmp_path):
    truth = {
        "images": [{"id": 5, "file_name": "a.png"}],
        "categories": [{"id": 3, "name": "crack"}, {"id": 4, "name": "dent"}],
        "annotations": [],
    }
    ids = coco_ids(write(tmp_path / "truth.json", truth))
    found, _ = read_predictions(write(file, [result(5, 4)]), PICTURES, NAMES, ids=ids)
    assert found[0].labels.tolist() == [1]


def test_classes_by_name(file):
    found, _ = read_predictions(write(file, [result(category="Kratzer ü")]), PICTURES, NAMES)
    assert found[0].labels.tolist() == [2]


def test_equal_names_in_several_folders(file):
    pictures = [annotation([], [], image=f"{folder}/x.png") for folder in ("one", "two")]
    found, _ = read_predictions(write(file, [result("two/x.png"), result("one/x")]), pictures, NAMES)
    assert [len(each) for each in found] == [1, 1]
    with pytest.raises(UserError, match=r"several pictures are called 'x.png'"):
        read_predictions(write(file, [result("x.png")]), pictures, NAMES)
    with pytest.raises(UserError, match=r"no picture 'three/x.png' in this split, but one/x.png and 1 more; if that"):
        read_predictions(write(file, [result("three/x.png")]), pictures, NAMES)


def test_two_names_for_one_picture_are_refused(file):
    write(file, [result("x/set/a.png"), result("y/set/a.png")])
    with pytest.raises(UserError, match=r"'x/set/a.png' and 'y/set/a.png' both match set/a.png"):
        read_predictions(file, PICTURES, NAMES)


FOLDERS = st.lists(st.sampled_from(["a", "b", "val", "images"]), max_size=4)


@given(
    root=FOLDERS,
    inner=FOLDERS,
    written=FOLDERS,
    drive=st.sampled_from(["", "/nowhere/", "C:\\", "./"]),
    stem=st.booleans(),
)
def test_no_folder_may_contradict(root, inner, written, drive, stem, tmp_path_factory):
    """A path means the picture if it is the end of its path, or ends as it does inside the data set."""
    file = tmp_path_factory.getbasetemp() / "contradicting.json"
    base = Path("/there", "set", *root)
    picture = annotation([], [], image=Path(base, *inner, "0.png"))
    name = drive + "/".join([*written, "0" if stem else "0.png"])
    whole, must = [*base.parts, *inner], inner or [base.name]
    bare = not drive or drive == "./"
    meant = (bare and written == whole[len(whole) - len(written) :]) or written[-len(must) :] == must
    write(file, [result(name)])
    if meant:
        assert len(read_predictions(file, [picture], NAMES, root=base)[0][0]) == 1
        return
    with pytest.raises(UserError, match=r"there is no picture .* in this split, but /there/set/"):
        read_predictions(file, [picture], NAMES, root=base)
    found, skipped = read_predictions(file, [picture], NAMES, root=base, skip=True)
    assert not len(found[0]) and "(1 detections)" in skipped[0]


@pytest.mark.parametrize("called", ["train/images/0.png", "set/train/images/0", "other/0.png", "images/val/0.png"])
def test_the_picture_of_another_split_with_the_same_name(file, tmp_path, called):
    """Every split may have a 0.png; perfect detections on one gave 0.000 on the other without a word."""
    picture = annotation([], [], image=tmp_path / "set" / "val" / "images" / "0.png")
    for each in (called, str(tmp_path / called), f"D:\\{called}"):
        with pytest.raises(
            UserError, match=r"no picture .*, but .*0.png; if that is meant, give its name without folders"
        ):
            read_predictions(write(file, [result(each)]), [picture], NAMES, root=tmp_path / "set")


def test_an_absolute_path_means_the_picture_with_its_content(file, tmp_path):
    places = [tmp_path / name / "val" / "0.png" for name in ("set", "old", "copy")]
    for place, content in zip(places, (b"one", b"two", b"one"), strict=True):
        place.parent.mkdir(parents=True)
        place.write_bytes(content)
    flat = tmp_path / "0.png"
    flat.write_bytes(b"one")
    picture = annotation([], [], image=places[0])
    for path in (places[0], places[2], flat):
        found, _ = read_predictions(write(file, [result(str(path))]), [picture], NAMES, root=tmp_path / "set")
        assert len(found[0]) == 1
    with pytest.raises(UserError, match=r"no picture '.*old/val/0.png' in this split, but .*set/val/0.png"):
        read_predictions(write(file, [result(str(places[1]))]), [picture], NAMES, root=tmp_path / "set")


def test_names_of_the_data_sets_own_file_are_relative_to_its_pictures(file, tmp_path):
    truth = {"images": [{"id": 5, "file_name": "/first/computer/a.png"}], "categories": [], "annotations": []}
    ids = coco_ids(write(tmp_path / "truth.json", truth), [tmp_path / "set" / "val"])
    picture = annotation([], [], image=tmp_path / "set" / "val" / "a.png")
    found, _ = read_predictions(write(file, [result(5)]), [picture], NAMES, ids=ids, root=tmp_path / "set")
    assert len(found[0]) == 1
    with pytest.raises(UserError, match=r"no picture 'train/a.png' in this split, but"):  # this name is not
        read_predictions(write(file, [result("train/a.png")]), [picture], NAMES, ids=ids, root=tmp_path / "set")


def test_pictures_of_other_splits(file):
    write(file, [result("other.png"), result("other.png"), result()])
    with pytest.raises(UserError, match=r"entry 1: there is no picture 'other.png' in this split"):
        read_predictions(file, PICTURES, NAMES)
    found, skipped = read_predictions(file, PICTURES, NAMES, skip=True)
    assert len(found[0]) == 1
    assert skipped == [f"{file}: there is no picture 'other.png' in this split (2 detections)"]


@pytest.mark.parametrize(
    "value, word",
    [
        ("", "not valid JSON"),
        ("[{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("3", "must be COCO JSON"),
        ('{"images": []}', "must be COCO JSON"),
        ({"annotations": [], "images": 3}, "'images' must be a list"),
        ({"annotations": [], "images": [{"id": 1}]}, "images, entry 1: must have 'id' and 'file_name'"),
        ([3], "entry 1: must be an object"),
        ([{"image_id": "a.png"}], "'bbox' must be four numbers"),
        ([{}], "'image_id' is missing"),
        ([result(image=None)], "'image_id' must be a number or a name"),
        ([result(box=(1, 2, 3))], "'bbox' must be four numbers"),
        ([result(box=(1, 2, 3, "4"))], "'bbox' must be four numbers"),
        ([result(box=(1, 2, 3, float("nan")))], "'bbox' must be four numbers"),
        ([result(box=(1, 2, 3, 10**400))], "'bbox' must be four numbers"),
        ([result(box=(1, 2, -3, 4))], "negative width"),
        ([result(score=1.5)], "'score' must lie in 0-1"),
        ([result(score=float("nan"))], "'score' must lie in 0-1"),
        ([{**result(), "score": None}], "'score' is missing"),
        ([result(category=3)], "category_id 3 is not a class index"),
        ([result(category=-1)], "category_id -1 is not a class index"),
        ([result(category=True)], "'category_id' must be a number or a name"),
        ([result(category="hole")], "unknown class 'hole'; the data set has crack, dent"),
        ([result(image=12)], "image_id 12 is a number without a meaning here"),
    ],
)
def test_wrong_files(file, value, word):
    with pytest.raises(UserError, match=word) as caught:
        read_predictions(write(file, value), PICTURES, NAMES)
    assert str(caught.value).startswith(str(file)) and "\n" not in str(caught.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_predictions(tmp_path / "none.json", PICTURES, NAMES)
    with pytest.raises(UserError, match="cannot be read"):
        read_predictions(tmp_path, PICTURES, NAMES)
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00\x80" * 10)
    with pytest.raises(UserError, match="not"):
        read_predictions(tmp_path / "x.json", PICTURES, NAMES)


def test_unexplained_numbers_beside_explained_ones(file):
    ids = Ids({1: "a.png"}, {1: "crack"})
    with pytest.raises(UserError, match="image_id 2 is not among"):
        read_predictions(write(file, [result(2, 1)]), PICTURES, NAMES, ids=ids)
    with pytest.raises(UserError, match="category_id 2 is not among"):
        read_predictions(write(file, [result(1, 2)]), PICTURES, NAMES, ids=ids)


BOXED = [annotation([[0, 0, 10, 10]], [label % 3], image=f"set/{label}.png") for label in range(6)]


def perfect(numbers, **more):
    """Every box found, its class given by `numbers`."""
    return [
        {**result(f"{i}.png", numbers[i % 3], (0, 0, 10, 10)), **{k: v[i % 3] for k, v in more.items()}}
        for i in range(6)
    ]


def test_class_numbers_without_explanation_must_agree_with_the_boxes(file):
    found, _ = read_predictions(write(file, perfect([0, 1, 2])), BOXED, NAMES)
    assert [each.labels.tolist() for each in found] == [[0], [1], [2]] * 2
    for numbers, word in (
        ([1, 2, 0], "none of 6 detections on a box has its class"),
        ([2, 0, 1], "none of 6 detections"),
    ):
        with pytest.raises(UserError, match=word) as caught:
            read_predictions(write(file, perfect(numbers)), BOXED, NAMES)
        assert "category_name" in str(caught.value)


@pytest.mark.parametrize("labels", [[0, 0], [0, 1], [1, 1]])
def test_class_numbers_from_one(file, labels):
    pictures = [annotation([[0, 0, 10, 10]], [label], image=f"set/{i}.png") for i, label in enumerate(labels)]
    entries = [result(f"{i}.png", label + 1, (0, 0, 10, 10)) for i, label in enumerate(labels)]
    with pytest.raises(UserError, match=r"no category_id is 0, so they may count from 1 .* 0 of 2 .*, 2 if they"):
        read_predictions(write(file, entries), pictures, NAMES)
    for entry, label in zip(entries, labels, strict=True):
        entry["category_name"] = NAMES[label]
    assert [f.labels.tolist() for f in read_predictions(write(file, entries), pictures, NAMES)[0]] == [
        [n] for n in labels
    ]


def test_a_class_that_was_never_found_is_no_doubt(file):
    pictures = [annotation([[0, 0, 10, 10]], [1], image="set/a.png")]
    found, _ = read_predictions(write(file, [result("a.png", 1, (0, 0, 10, 10))]), pictures, NAMES)
    assert found[0].labels.tolist() == [1]


@given(order=st.permutations([0, 1, 2]), offset=st.integers(-3, 90))
def test_names_beside_the_numbers_are_what_counts(order, offset, tmp_path_factory):
    file = tmp_path_factory.getbasetemp() / "named.json"
    numbers = [offset + number for number in order]
    found, _ = read_predictions(write(file, perfect(numbers, category_name=NAMES)), BOXED, NAMES)
    assert [each.labels.tolist() for each in found] == [[0], [1], [2]] * 2


@pytest.mark.parametrize(
    ("entries", "word"),
    [
        ([result() | {"category_name": "dent"}, result() | {"category_name": "crack"}], "'category_name' says 'crack'"),
        ([result(category="crack") | {"category_name": "dent"}], "category_id crack is 'crack', but"),
        ([result() | {"category_name": "hole"}], "unknown class 'hole'"),
        ([result("a.png") | {"file_name": "007.jpg"}], "belong to two pictures: set/a.png and set/007.jpg"),
        ([result(1) | {"file_name": "a.png"}, result(1) | {"file_name": "007.jpg"}], "image_id 1 and the file names"),
        ([result(1) | {"file_name": "none.png"}], "there is no picture 'none.png'"),
    ],
)
def test_names_that_contradict_the_numbers(file, entries, word):
    with pytest.raises(UserError, match=word):
        read_predictions(write(file, entries), PICTURES, NAMES)


def test_file_names_explain_the_numbers_of_pictures(file):
    entries = [result(40) | {"file_name": "ü b.png"}, result(41) | {"file_name": "elsewhere/set/a.png"}]
    found, _ = read_predictions(write(file, entries), PICTURES, NAMES)
    assert [len(each) for each in found] == [1, 0, 1]
    value = {"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 9, "name": "dent"}]}
    value["annotations"] = [result(1, 9) | {"file_name": "007.jpg"}]
    with pytest.raises(UserError, match="belong to two pictures"):
        read_predictions(write(file, value), PICTURES, NAMES)
    value["annotations"] = [result(1, 9) | {"category_name": "crack"}]
    with pytest.raises(UserError, match="category_id 9 is 'dent', but 'category_name' says 'crack'"):
        read_predictions(write(file, value), PICTURES, NAMES)
