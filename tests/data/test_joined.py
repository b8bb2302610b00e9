"""Data sets joined for a training: classes by name, nothing on both sides, what nobody marked is not background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.assembly.dataset import load_dataset
from lightdet.data.joined import join, read_training_splits
from lightdet.data.pictures import trainable
from lightdet.errors import UserError
from lightdet.evaluation.average_precision import evaluate
from lightdet.structures import Annotation, Detections


@pytest.fixture
def make(tmp_path, save_picture, write):
    """Write a YOLO set: ``make("old", "[a, b]", {"train/x": "0 0.5 …"}, test=True)``; seeds make equal pictures."""

    def made(name, classes, labels, seeds=None, more=""):
        root = tmp_path / name
        for stem, text in labels.items():
            seed = (seeds or {}).get(stem, abs(hash((name, stem))) % 10_000_019)
            save_picture(root / "images" / f"{stem}.png", seed=seed)
            write(root / "labels" / f"{stem}.txt", text)
        splits = sorted({stem.partition("/")[0] for stem in labels})
        lines = "".join(f"  {split}: images/{split}\n" for split in splits)
        return load_dataset(write(root / f"{name}.yaml", f"format: yolo\nclasses: {classes}\n{more}splits:\n{lines}"))

    return made


BOX, OTHER = "0.5 0.5 0.25 0.5", "0.25 0.25 0.125 0.25"


def named(spec, truth):
    boxes, labels = trainable(truth)
    return sorted((spec.classes[label], *box) for box, label in zip(boxes.tolist(), labels, strict=True))


def test_classes_are_joined_by_name_and_new_ones_come_last(make):
    old = make("old", "[dent, scratch]", {"train/a": f"0 {BOX}\n1 {OTHER}\n", "val/b": f"1 {BOX}\n"})
    new = make("new", "[burr, scratch]", {"train/c": f"0 {BOX}\n1 {OTHER}\n"})
    spec = join([old, new])
    assert spec.classes == ("dent", "scratch", "burr")
    read = read_training_splits(spec, on_error="fail")
    assert [[name for name, *_ in named(spec, each)] for each in read.train] == [
        ["dent", "scratch"],
        ["burr", "scratch"],
    ]
    assert [each.unmarked for each in read.train] == [(2,), (0,)] and read.val[0].unmarked == (2,)
    assert read.notes == ["joined, train: 1 picture of old + 1 picture of new; val: 1 picture of old"]
    assert join([old]) is old and join([old], ("dent", "scratch")) is old
    assert join([old], ("hole", "dent")).classes == ("hole", "dent", "scratch")


@pytest.mark.parametrize("other", ["Dent", "de nt", "d-e_nt"])
def test_names_that_differ_in_writing_are_refused_with_both(make, other):
    old, new = make("old", "[dent]", {"train/a": ""}), make("new", f"[burr, '{other}']", {"train/c": ""})
    with pytest.raises(UserError, match=f"'dent' of old and '{other}' of new"):
        join([old, new])
    with pytest.raises(UserError, match=f"'dent' of the old model and '{other}' of new"):
        join([new], ("dent",))


def test_sets_of_other_bit_depths_are_refused(make):
    old, new = make("old", "[a]", {"train/a": ""}), make("new", "[a]", {"train/c": ""}, more="bit_depth: 12\n")
    with pytest.raises(UserError, match="16 in old, 12 in new"):
        join([old, new])


@pytest.mark.parametrize("kept", ["val", "test"])
def test_a_picture_that_another_set_keeps_apart_is_left_out_with_a_word(make, kept):
    seeds = {f"{kept}/k": 7}
    old = make("old", "[a]", {"train/x": f"0 {BOX}\n", f"{kept}/k": f"0 {BOX}\n"}, seeds)
    new = make("new", "[a]", {"train/renamed": f"0 {BOX}\n", "train/y": ""}, {"train/renamed": 7})
    read = read_training_splits(join([old, new]), on_error="fail")
    assert [each.image.stem for each in read.train] == ["x", "y"]
    assert any("1 picture to train on of new left out" in note and "renamed.png" in note for note in read.notes)
    assert "1 picture of new" in read.notes[0]
    with pytest.raises(UserError, match="every picture to train on"):
        only = make("only", "[a]", {"train/z": f"0 {BOX}\n", f"{kept}/w": ""}, {"train/z": 7, f"{kept}/w": 8})
        others = make("others", "[a]", {"train/v": "", f"{kept}/q": ""}, {"train/v": 8, f"{kept}/q": 7})
        read_training_splits(join([only, others]), on_error="fail")


def test_a_picture_in_both_takes_the_later_labels_for_the_classes_there(make):
    old = make("old", "[dent, scratch]", {"train/a": f"0 {BOX}\n1 {BOX}\n"}, {"train/a": 3})
    new = make("new", "[burr, scratch]", {"train/again": f"0 {OTHER}\n1 {OTHER}\n"}, {"train/again": 3})
    spec = join([old, new])
    read = read_training_splits(spec, on_error="fail")
    [truth] = read.train
    assert truth.image.stem == "a" and truth.unmarked == ()
    wide, small = [30.0, 15.0, 50.0, 45.0], [15.0, 7.5, 25.0, 22.5]
    assert named(spec, truth) == [("burr", *small), ("dent", *wide), ("scratch", *small)]
    assert any("1 picture of new (train) also in a set before" in note for note in read.notes)


def test_what_nobody_marked_is_no_false_alarm(make):
    old = make("old", "[dent]", {"train/a": "", "val/a": f"0 {BOX}\n"})
    new = make("new", "[burr]", {"train/c": "", "val/c": f"0 {OTHER}\n"})
    read = read_training_splits(join([old, new]), on_error="fail")
    right = [(truth.boxes[~truth.crowd][0], int(truth.labels[~truth.crowd][0])) for truth in read.val]
    other = {0: 1, 1: 0}
    found = [
        Detections(np.stack([box, box + 1]), np.array([0.9, 0.8], np.float32), np.array([other[label], label]))
        for box, label in right
    ]
    assert evaluate(found, read.val, ("dent", "burr")).map50 == pytest.approx(1)
    bare = [Annotation(t.image, t.size, t.boxes[~t.crowd], t.labels[~t.crowd]) for t in read.val]
    assert evaluate(found, bare, ("dent", "burr")).map50 < 0.6


def test_pictures_with_a_class_each_are_joined_too(tmp_path, save_picture, write):
    specs = []
    for name, classes in (("old", ("good", "bad")), ("new", ("worse", "good"))):
        for label in classes:
            save_picture(tmp_path / name / label / f"{name}-{label}.png")
        text = f"format: folders\nclasses: [{', '.join(classes)}]\nsplits:\n  train: .\n"
        specs.append(load_dataset(write(tmp_path / name / f"{name}.yaml", text)))
    spec = join(specs)
    read = read_training_splits(spec, on_error="fail")
    found = {(each.image.parent.name, spec.classes[each.label]) for each in read.train}
    assert spec.classes == ("good", "bad", "worse") and found == {(c, c) for c in spec.classes}
    assert all(each.unmarked == () for each in read.train)


def annotation(draw, count=6):
    corners = draw(st.lists(st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(41, 80)] * 2), max_size=count))
    labels = draw(st.lists(st.integers(0, 3), min_size=len(corners), max_size=len(corners)))
    crowd = draw(st.none() | st.lists(st.booleans(), min_size=len(corners), max_size=len(corners)))
    boxes = np.array(corners, np.float32).reshape(-1, 4)
    area = draw(st.sampled_from([None, np.arange(len(corners), dtype=np.float64)]))
    flags = None if crowd is None else np.array(crowd, bool)
    lines = draw(st.sampled_from([(), tuple(range(1, len(corners) + 1))]))
    return Annotation(Path("p.png"), (100, 90), boxes, np.array(labels, np.int64), flags, lines=lines, area=area)


def rows(truth, labels=range(5)):
    flags = np.zeros(len(truth), bool) if truth.crowd is None else truth.crowd
    table = zip(truth.boxes.tolist(), truth.labels.tolist(), flags.tolist(), strict=True)
    return [(tuple(box), label, flag) for box, label, flag in table if label in labels]


@given(st.data(), st.sets(st.integers(0, 3)))
def test_a_correction_replaces_the_marked_classes_and_no_others(data, marked):
    first, later = data.draw(st.builds(lambda: annotation(data.draw))), annotation(data.draw)
    merged = first.corrected(later, marked)
    others = set(range(4)) - marked
    assert rows(merged, others) == rows(first, others) and rows(merged, marked) == rows(later, marked)


@given(st.data(), st.permutations(range(4)), st.sets(st.integers(0, 3)))
def test_classes_are_renumbered_and_marked_as_unmarked_and_completed(data, order, gone):
    truth = annotation(data.draw)
    order = [-1 if new in gone else new for new in order]
    there = truth.renumbered(order, sorted(gone))
    assert there.unmarked == tuple(sorted(gone))
    expected = [(box, order[label], flag) for box, label, flag in rows(truth) if order[label] >= 0]
    assert rows(there)[: len(expected)] == expected and len(there) == len(expected) + len(gone)
    whole = there.completed(np.array([[1, 2, 3, 4]], np.float32), np.array([2]))
    assert rows(whole) == [*expected, ((1.0, 2.0, 3.0, 4.0), 2, False)] and whole.unmarked == ()
