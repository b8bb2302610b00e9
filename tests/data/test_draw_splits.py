"""New lists of train, val and test: nothing lost, classes even, relatives together."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightdet.assembly.dataset import load_dataset
from lightdet.cli.app import main
from lightdet.data.audit import audit_dataset
from lightdet.data.audit.pictures import check_picture
from lightdet.data.dataset import read_split
from lightdet.data.draw_splits import draw_splits
from lightdet.data.splits import alike_groups
from lightdet.errors import UserError

Save = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path, save_picture: Save) -> Path:
    """Thirty pictures of class a, ten of b, each with a mirrored twin: one tree and its YAML."""
    root = tmp_path / "tree"
    for name, count in (("a", 30), ("b", 10)):
        for number in range(count):
            path = save_picture(root / name / f"{number}.png", seed=number + 100 * count)
            Image.fromarray(np.ascontiguousarray(np.asarray(Image.open(path))[:, ::-1])).save(
                root / name / f"{number} twin.png"
            )
    (root / "set.yaml").write_text("format: folders\nsplits: {train: .}\n")
    return root


def test_a_division_keeps_twins_together_and_classes_even(tree: Path, tmp_path: Path) -> None:
    done = draw_splits(load_dataset(tree / "set.yaml"), tmp_path / "new", val=0.2, test=0.2, seed=1)
    assert done.groups == 40 and done.largest == 2
    spec = load_dataset(done.yaml)
    place: dict[str, str] = {}
    for split in ("train", "val", "test"):
        labels, _ = read_split(spec, split)
        counts = Counter(spec.classes[each.label] for each in labels)
        assert (counts["a"], counts["b"]) == {"train": (36, 12), "val": (12, 4), "test": (12, 4)}[split]
        for each in labels:
            key = each.image.relative_to(spec.root).as_posix()
            assert key not in place
            place[key] = split
    assert len(place) == 80
    assert all(place[key] == place[key.replace(" twin", "")] for key in place)
    assert not [f for f in audit_dataset(spec).findings if f.kind.startswith("leak")]


def test_bad_classes_stay_bad(tree: Path, tmp_path: Path) -> None:
    (tree / "set.yaml").write_text("format: folders\nclasses: [a, b]\nbad: [a]\nsplits: {train: .}\n")
    done = draw_splits(load_dataset(tree / "set.yaml"), tmp_path / "new", val=0.2)
    assert load_dataset(done.yaml).bad == ("a",)


def test_a_test_split_is_kept_and_its_pictures_are_not_drawn(tree: Path, tmp_path: Path) -> None:
    kept = ["a/0.png", "a/0 twin.png", "b/3.png"]
    (tree / "test.txt").write_text("".join(f"{name}\n" for name in kept))
    (tree / "set.yaml").write_text("format: folders\nsplits: {train: ., test: test.txt}\n")
    spec = load_dataset(tree / "set.yaml")
    done = draw_splits(spec, tmp_path / "new", val=0.25)
    new = load_dataset(done.yaml)
    paths = {
        split: {each.image.relative_to(new.root).as_posix() for each in read_split(new, split)[0]}
        for split in new.splits
    }
    assert paths["test"] == set(kept)
    everything = {path.relative_to(tree).as_posix() for path in tree.rglob("*.png")}
    assert paths["train"] | paths["val"] == everything - set(kept) - {"b/3 twin.png"}
    assert done.notes == ["1 picture left out: a picture of 'test', which is kept, is the same or looks alike"]
    assert not [f for f in audit_dataset(new).findings if f.kind.startswith("leak")]
    with pytest.raises(UserError, match="leave out --test"):
        draw_splits(spec, tmp_path / "other", val=0.2, test=0.1)


def test_copies_of_a_kept_test_are_left_out(tree: Path, tmp_path: Path) -> None:
    for number in range(3):
        (tree / "held" / "a").mkdir(parents=True, exist_ok=True)
        shutil.copy(tree / "a" / f"{number}.png", tree / "held" / "a" / f"x{number}.png")
    (tree / "train").mkdir()
    for name in "ab":
        (tree / name).rename(tree / "train" / name)
    (tree / "set.yaml").write_text("format: folders\nsplits: {train: train, test: held}\n")
    done = draw_splits(load_dataset(tree / "set.yaml"), tmp_path / "new", val=0.25)
    assert "6 pictures left out" in done.notes[0]
    counts = {name: int(found.sum()) for name, found in done.counts.items()}
    assert counts["train"] + counts["val"] == 80 - 6 and counts["test"] == 3
    assert not [f for f in audit_dataset(load_dataset(done.yaml)).findings if f.kind.startswith("leak")]
    shutil.rmtree(tree / "train")
    (tree / "train" / "b").mkdir(parents=True)
    shutil.copy(tree / "held" / "a" / "x0.png", tree / "train" / "b" / "1.png")
    with pytest.raises(UserError, match="every picture to draw from looks like one of 'test'"):
        draw_splits(load_dataset(tree / "set.yaml"), tmp_path / "none", val=0.25)


def test_classes_of_a_csv_come_along(tree: Path, tmp_path: Path) -> None:
    rows = [
        f"{path.relative_to(tree).as_posix()},{'even' if i % 2 else 'odd'}"
        for i, path in enumerate(tree.rglob("*.png"))
    ]
    (tree / "t.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    (tree / "set.yaml").write_text("format: csv\nsplits: {train: t.csv}\n")
    spec = load_dataset(tree / "set.yaml")
    new = load_dataset(draw_splits(spec, tmp_path / "new", val=0.2).yaml)
    before = {each.image.resolve(): spec.classes[each.label] for each in read_split(spec, "train")[0]}
    after = {
        each.image.resolve(): new.classes[each.label]
        for split in ("train", "val")
        for each in read_split(new, split)[0]
    }
    assert after == before


def test_the_same_seed_draws_the_same(tree: Path, tmp_path: Path) -> None:
    spec = load_dataset(tree / "set.yaml")
    texts = [
        (draw_splits(spec, tmp_path / name, val=0.3, seed=seed).yaml.parent / "drawn-val.txt").read_text()
        for name, seed in (("one", 5), ("two", 5), ("three", 6))
    ]
    assert texts[0] == texts[1] != texts[2]


def test_an_output_filled_meanwhile_is_refused(tree: Path, tmp_path: Path) -> None:
    def another_run(*_: int) -> None:
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "drawn-train.txt").write_text("theirs")

    with pytest.raises(UserError, match="out: the folder is not empty"):
        draw_splits(load_dataset(tree / "set.yaml"), tmp_path / "out", val=0.2, progress=another_run)
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["theirs"]


def test_everything_alike_cannot_be_divided(tmp_path: Path, save_picture: Save) -> None:
    for name in ("a/1", "a/2", "b/3"):
        save_picture(tmp_path / f"{name}.png", seed=1)
    (tmp_path / "set.yaml").write_text("format: folders\nsplits: {train: .}\n")
    with pytest.raises(UserError, match=r"nothing is left for '(train|val)': 1 groups"):
        draw_splits(load_dataset(tmp_path / "set.yaml"), tmp_path / "new", val=0.3)
    assert not (tmp_path / "new").exists()


def test_relatives_of_relatives_are_one_group(tmp_path: Path, save_picture: Save) -> None:
    """Three steps of a slow change: the ends are not alike, each is like the middle one."""
    first = np.asarray(Image.open(save_picture(tmp_path / "0.png", seed=1)), np.float32)
    last = np.asarray(Image.open(save_picture(tmp_path / "x.png", seed=2)), np.float32)
    for number, share in enumerate((0.0, 0.163, 0.288)):
        mixed = first * (1 - share) + last * share
        Image.fromarray(mixed.astype(np.uint8)).save(tmp_path / f"{number}.png")
    checks = [check_picture(tmp_path / f"{number}.png") for number in range(3)]
    assert len(set(alike_groups([checks[0], checks[2]]).tolist())) == 2
    assert len(set(alike_groups(checks).tolist())) == 1


def test_the_command(tree: Path, tmp_path: Path, yolo_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--output", str(tmp_path / "new"), "--val", "0.2", "--json", str(tmp_path / "d.json")]
    assert main(["data", "split", "--data", str(tree / "set.yaml"), *flags]) == 0
    assert "40 groups" in capsys.readouterr().out
    assert json.loads((tmp_path / "d.json").read_text())["splits"]["val"]["pictures"] == 16
    assert main(["data", "split", "--data", str(tree / "set.yaml"), *flags]) == 2
    assert "the folder is not empty" in capsys.readouterr().err
    assert main(["data", "split", "--data", str(yolo_set / "data.yaml"), "--output", str(tmp_path / "y")]) == 2
    assert "lightdet data convert --val" in capsys.readouterr().err
    convert = ["data", "convert", "--data", str(tree / "set.yaml"), "--format", "coco", "--output", str(tmp_path / "c")]
    assert main(convert) == 2
    assert "lightdet data split" in capsys.readouterr().err
    assert main(["data", "audit", "--data", str(tree / "set.yaml")]) == 0
    assert "pictures by class" in capsys.readouterr().out
