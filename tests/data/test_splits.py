"""Dividing pictures: even by class, copies together, the same for the same seed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightdet.assembly.dataset import load_dataset
from lightdet.data.audit import audit_dataset
from lightdet.data.convert import convert_dataset
from lightdet.data.dataset import read_split
from lightdet.data.splits import draw_validation
from lightdet.errors import UserError
from lightdet.structures import Annotation


def picture(labels: list[int]) -> Annotation:
    boxes = np.tile(np.array([0, 0, 5, 5], np.float32), (len(labels), 1))
    return Annotation(Path("x.png"), (10, 10), boxes, np.array(labels, np.int64))


lists = st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=2, max_size=60)


@given(contents=lists, share=st.floats(0.05, 0.6), seed=st.integers(0, 9), data=st.data())
def test_groups_stay_together_and_the_draw_repeats(
    contents: list[list[int]], share: float, seed: int, data: st.DataObject
) -> None:
    pictures = [picture(labels) for labels in contents]
    groups = np.array(data.draw(st.lists(st.integers(0, 40), min_size=len(pictures), max_size=len(pictures))))
    chosen = draw_validation(pictures, groups, share, seed)
    assert chosen.shape == (len(pictures),)
    for group in set(groups.tolist()):
        assert len(set(chosen[groups == group].tolist())) == 1
    assert np.array_equal(chosen, draw_validation(pictures, groups, share, seed))


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_every_class_is_shared_out(share: float) -> None:
    rng = np.random.default_rng(0)
    weights = [0.5, 0.3, 0.15, 0.05]
    contents = [rng.choice(4, size=rng.integers(0, 4), p=weights).tolist() for _ in range(400)]
    pictures = [picture(labels) for labels in contents]
    chosen = draw_validation(pictures, np.arange(400), share, 3)
    assert chosen.mean() == pytest.approx(share, abs=0.03)
    for label in range(4):
        holds = np.array([label in labels for labels in contents])
        assert chosen[holds].mean() == pytest.approx(share, abs=0.06)
    empty = np.array([not labels for labels in contents])
    assert chosen[empty].mean() == pytest.approx(share, abs=0.03)


def test_a_class_of_two_pictures_is_on_both_sides() -> None:
    pictures = [picture([0])] * 50 + [picture([1])] * 2 + [picture([2])]
    for seed in range(5):
        chosen = draw_validation(pictures, np.arange(53), 0.1, seed)
        assert chosen[50:52].sum() == 1 and not chosen[52]


def test_seeds_differ() -> None:
    pictures = [picture([0])] * 60
    drawn = {draw_validation(pictures, np.arange(60), 0.2, seed).tobytes() for seed in range(5)}
    assert len(drawn) == 5


def test_one_folder_becomes_train_and_val(tmp_path: Path, save_picture: Callable[..., Path]) -> None:
    for number in range(20):
        path = save_picture(tmp_path / "set" / "images" / f"{number:02}.png", seed=number)
        label = tmp_path / "set" / "labels" / f"{number:02}.txt"
        label.parent.mkdir(exist_ok=True)
        label.write_text(f"{number % 2} .5 .5 .5 .5\n")
    shutil.copy(path, path.with_name("copy.png"))
    shutil.copy(label, label.with_name("copy.txt"))
    (tmp_path / "set" / "d.yaml").write_text("format: yolo\nclasses: [x, y]\nsplits: {all: images}\n")
    source = load_dataset(tmp_path / "set" / "d.yaml")
    done = convert_dataset(source, tmp_path / "out", "yolo", val=0.25, seed=1)
    assert sum(done.pictures.values()) == 21 and 4 <= done.pictures["val"] <= 7
    assert "1 picture kept with a similar one" in done.notes[0]
    spec = load_dataset(done.yaml)
    sides = {a.image.stem: split for split in spec.splits for a in read_split(spec, split)[0]}
    assert list(spec.splits) == ["train", "val"] and sides["19"] == sides["copy"]


def test_test_is_kept_and_the_rest_pooled(yolo_set: Path, tmp_path: Path) -> None:
    text = "format: yolo\nclasses: [x, y]\nsplits: {train: images/train, test: images/val}\n"
    (yolo_set / "data.yaml").write_text(text)
    done = convert_dataset(load_dataset(yolo_set / "data.yaml"), tmp_path / "out", "coco", val=0.4)
    assert done.pictures == {"train": 2, "val": 1, "test": 2}


def test_copies_of_a_kept_test_are_left_out(yolo_set: Path, tmp_path: Path) -> None:
    text = "format: yolo\nclasses: [x, y]\nsplits: {train: images/train, test: images/val}\n"
    (yolo_set / "data.yaml").write_text(text)
    for folder, suffix in (("images", "png"), ("labels", "txt")):
        shutil.copy(yolo_set / folder / "val" / f"c.{suffix}", yolo_set / folder / "train" / f"d.{suffix}")
    done = convert_dataset(load_dataset(yolo_set / "data.yaml"), tmp_path / "out", "coco", val=0.4)
    assert done.pictures == {"train": 2, "val": 1, "test": 2}
    assert "1 picture left out: a picture of 'test', which is kept, is the same or looks alike" in done.notes
    assert not [f for f in audit_dataset(load_dataset(done.yaml)).findings if f.kind.startswith("leak")]
    for name in ("a", "b", "clean"):
        (yolo_set / "images" / "train" / f"{name}.png").unlink()
        (yolo_set / "labels" / "train" / f"{name}.txt").unlink()
    with pytest.raises(UserError, match="every picture to split looks like one of 'test'"):
        convert_dataset(load_dataset(yolo_set / "data.yaml"), tmp_path / "none", "coco", val=0.4)


def test_what_cannot_be_divided(yolo_set: Path, tmp_path: Path) -> None:
    (yolo_set / "data.yaml").write_text("format: yolo\nclasses: [x, y]\nsplits: {a: images/train}\n")
    for name in ("b", "clean"):
        (yolo_set / "images" / "train" / f"{name}.png").unlink()
        (yolo_set / "labels" / "train" / f"{name}.txt").unlink()
    with pytest.raises(UserError, match=r"1 picture cannot be split by --val 0\.1"):
        convert_dataset(load_dataset(yolo_set / "data.yaml"), tmp_path / "out", "coco", val=0.1)
    (yolo_set / "images" / "train" / "a.png").write_bytes(
        (yolo_set / "images" / "train" / "a.png").read_bytes()[:-2000]
    )
    with pytest.raises(UserError, match=r"a\.png: the picture is truncated"):
        convert_dataset(load_dataset(yolo_set / "data.yaml"), tmp_path / "out", "coco", val=0.1)


def test_broken_pictures_can_be_left_out(yolo_set: Path, tmp_path: Path) -> None:
    broken = yolo_set / "images" / "val" / "c.png"
    broken.write_bytes(broken.read_bytes()[:-2000])
    source = load_dataset(yolo_set / "data.yaml")
    done = convert_dataset(source, tmp_path / "out", "coco", val=0.4, on_error="skip")
    assert sum(done.pictures.values()) == 4 and "c.png: the picture is truncated" in str(done.skipped[0])
