"""Folds: every picture in one, look-alikes together, classes even, whatever the order of the list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightdet.assembly.dataset import load_dataset
from lightdet.data.dataset import read_split
from lightdet.data.fold_file import HELD_OUT, Folds, read_folds, write_folds
from lightdet.data.folds import check_folds, draw_folds
from lightdet.data.paths import below_root
from lightdet.errors import UserError

contents = st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=2, max_size=60)


def arrays(lists: list[list[int]]) -> list[np.ndarray]:
    return [np.array(each, np.int64) for each in lists]


def names(count: int) -> list[str]:
    return [f"{index:03}.png" for index in range(count)]


@settings(max_examples=40)
@given(contents, st.integers(2, 6), st.integers(0, 9), st.data())
def test_each_picture_is_in_one_fold_and_no_group_in_two(
    lists: list[list[int]], folds: int, seed: int, data: st.DataObject
) -> None:
    count = len(lists)
    groups = np.array(data.draw(st.lists(st.integers(0, 40), min_size=count, max_size=count)))
    drawn = draw_folds(names(count), arrays(lists), groups, folds, seed)
    assert drawn.shape == (count,) and drawn.min() >= 0 and drawn.max() < folds
    for group in set(groups.tolist()):
        assert len(set(drawn[groups == group].tolist())) == 1
    order = data.draw(st.permutations(range(count)))
    listed = [names(count)[index] for index in order]
    again = draw_folds(listed, arrays([lists[index] for index in order]), 100 - groups[list(order)], folds, seed)
    assert again.tolist() == drawn[list(order)].tolist()


@settings(max_examples=40)
@given(st.lists(st.integers(-1, 4), min_size=2, max_size=80), st.integers(2, 7), st.integers(0, 9))
def test_pictures_of_one_class_differ_by_one(classes: list[int], folds: int, seed: int) -> None:
    labels = arrays([[each] if each >= 0 else [] for each in classes])
    drawn = draw_folds(names(len(labels)), labels, np.arange(len(labels)), folds, seed)
    for which in (np.ones(len(labels), bool), *(np.array(classes) == each for each in set(classes))):
        counts = np.bincount(drawn[which], minlength=folds)
        assert counts.max() - counts.min() <= 1


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=2, max_size=30), st.integers(2, 5))
def test_groups_of_one_class_differ_by_the_largest_group(pairs: list[tuple[int, int]], folds: int) -> None:
    classes = np.concatenate([np.full(size, label) for label, size in pairs])
    groups = np.concatenate([np.full(size, number) for number, (_, size) in enumerate(pairs)])
    drawn = draw_folds(names(len(groups)), arrays([[each] for each in classes]), groups, folds, 0)
    for label in set(classes.tolist()):
        counts = np.bincount(drawn[classes == label], minlength=folds)
        assert counts.max() - counts.min() <= max(size for each, size in pairs if each == label)


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_pictures_of_several_classes_are_nearly_even(folds: int) -> None:
    rng = np.random.default_rng(0)
    weights = [0.5, 0.3, 0.15, 0.05]
    lists = [rng.choice(4, size=rng.integers(0, 4), p=weights).tolist() for _ in range(400)]
    drawn = draw_folds(names(400), arrays(lists), np.arange(400), folds, 3)
    for label in range(4):
        counts = np.bincount(drawn[[label in each for each in lists]], minlength=folds)
        assert counts.max() - counts.min() <= 2
    assert np.ptp(np.bincount(drawn, minlength=folds)) <= 6


def test_seeds_differ() -> None:
    labels = arrays([[0]] * 60)
    drawn = {draw_folds(names(60), labels, np.arange(60), 5, seed).tobytes() for seed in range(5)}
    assert len(drawn) == 5


@settings(max_examples=40)
@given(contents, st.integers(2, 6), st.data())
def test_what_is_not_refused_has_every_class_in_at_least_two_folds(
    lists: list[list[int]], folds: int, data: st.DataObject
) -> None:
    count = len(lists)
    groups = np.array(data.draw(st.lists(st.integers(0, 40), min_size=count, max_size=count)))
    classes = "abcde"[: 1 + max((max(each) for each in lists if each), default=0)]
    try:
        check_folds(arrays(lists), groups, classes, folds)
    except UserError as error:
        assert "\n" not in error.message
        return
    drawn = draw_folds(names(count), arrays(lists), groups, folds, 0)
    for label in {label for each in lists for label in each}:
        assert len(set(drawn[[label in each for each in lists]].tolist())) >= 2


@pytest.mark.parametrize(
    ("lists", "groups", "told"),
    [
        ([[0]] * 3, [0, 1, 2], "in 3 groups of look-alikes cannot be divided into 5 folds; use --folds 3"),
        ([[0]] * 9, [0] * 5 + [1, 2, 3, 4], "5 of 9 pictures look alike"),
        (
            [[0]] * 9 + [[0, 1]] * 3,
            range(12),
            "'b' is in only 3 pictures, and each of 5 folds needs one; use --folds 3",
        ),
        ([[0]] * 9 + [[1]] * 5, [*range(9), 9, 9, 10, 10, 10], "only 5 pictures that look alike in 2 groups"),
        ([[0]] * 9 + [[1]], range(10), "'b' is in only 1 picture, and each of 5 folds needs one; add pictures of it"),
    ],
)
def test_what_cannot_be_divided_says_what_to_do(lists: list[list[int]], groups: list[int], told: str) -> None:
    with pytest.raises(UserError, match=told):
        check_folds(arrays(lists), np.array(groups), ["a", "b"], 5)


FOLDS = Folds(
    ("train", "val"),
    (("images/train/a.png", "images/val/c.png"), ("images/train/b.png",), ("images/train/clean.png",)),
)


def stems(path: Path, split: str, folds: Folds, fold: int | None) -> list[str]:
    spec = load_dataset(path)
    chosen = folds.held_out(spec, fold or 0) if split == HELD_OUT else folds.training(spec, fold)
    truths, skipped = read_split(chosen, split)
    assert not skipped and list(chosen.splits) == [split]
    return [truth.image.stem for truth in truths]


def test_a_fold_is_read_from_several_splits(yolo_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folds(tmp_path / "folds.json", FOLDS)
    folds = read_folds(tmp_path / "folds.json")
    assert folds == FOLDS
    data = yolo_set / "data.yaml"
    assert stems(data, HELD_OUT, folds, 0) == ["a", "c"]
    assert stems(data, "train", folds, 0) == ["b", "clean"]
    assert stems(data, "train", folds, None) == ["a", "b", "clean", "c"]
    monkeypatch.chdir(yolo_set)  # another way to name the same files
    assert stems(Path("data.yaml"), HELD_OUT, folds, 0) == ["a", "c"]


def test_a_fold_of_classes_in_a_table(tmp_path: Path, save_picture: Callable[..., Path]) -> None:
    rows = [f"{name}.png,{'ok' if name == 'a' else 'bad'}" for name in "abc"]
    for name in "abc":
        save_picture(tmp_path / "set" / f"{name}.png")
    (tmp_path / "set" / "t.csv").write_text("\n".join(["image,class", *rows]) + "\n")
    (tmp_path / "d.yaml").write_text(
        "root: set\nformat: csv\nclasses: [ok, bad]\nsplits: {train: {labels: t.csv, images: .}}\n"
    )
    assert stems(tmp_path / "d.yaml", "train", Folds(("train",), (("a.png", "c.png"), ("b.png",))), 1) == ["a", "c"]


def test_a_picture_that_is_gone_is_named(yolo_set: Path) -> None:
    (yolo_set / "images/train/a.png").unlink()
    (yolo_set / "labels/train/a.txt").unlink()
    with pytest.raises(UserError, match=r"the picture 'images/train/a.png' .* no longer in the data set"):
        stems(yolo_set / "data.yaml", HELD_OUT, FOLDS, 0)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"folds": 9}', '{"folds": 1, "splits": ["a"], "pictures": [[3]]}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "folds.json").write_text(text)
    with pytest.raises(UserError, match="does not hold the folds"):
        read_folds(tmp_path / "folds.json")


def test_the_name_of_a_picture_elsewhere_is_its_whole_path(tmp_path: Path) -> None:
    assert below_root(tmp_path / "a" / ".." / "b" / "c.png", tmp_path / "b") == "c.png"
    assert below_root(tmp_path / "c.png", tmp_path / "b") == (tmp_path / "c.png").as_posix()
