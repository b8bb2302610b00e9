"""An older model's answers where nobody marked a class: what is added, what is said, and that it can be resumed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lightdet.assembly.dataset import load_dataset
from lightdet.card import ModelCard, peek_model_card
from lightdet.cli.app import main
from lightdet.data.joined import join, read_training_splits
from lightdet.data.spec import DatasetSpec
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.errors import UserError
from lightdet.runs import stand_in
from lightdet.runs.stand_in import FILE_NAME, StandIn, own_threshold
from lightdet.runs.trained_on import FILE_NAME as TRAINED_ON
from lightdet.structures import Detections, Preprocessing

TINY = ("imgsz=64", "train.epochs=2", "train.batch=4", "train.workers=1", "train.probe=false")
MIDDLE = (30, 30, 60, 60)
KINDS = ("surface", "shape_size", "material", "welding", "functional", "assembly")


def kept(source: Path, root: Path, names: tuple[str, ...], first: int) -> Path:
    """Every second picture of a rendered set, from the `first` on, with the labels of some classes."""
    for split in ("train", "val"):
        for picture in sorted((source.parent / "images" / split).iterdir())[first::2]:
            (root / "images" / split).mkdir(parents=True, exist_ok=True)
            (root / "labels" / split).mkdir(parents=True, exist_ok=True)
            (root / "images" / split / picture.name).write_bytes(picture.read_bytes())
            rows = (source.parent / "labels" / split / f"{picture.stem}.txt").read_text().split("\n")
            some = [row.split(" ", 1) for row in rows if row and KINDS[int(row.split()[0])] in names]
            text = "".join(f"{names.index(KINDS[int(label)])} {rest}\n" for label, rest in some)
            (root / "labels" / split / f"{picture.stem}.txt").write_text(text)
    values = {"name": root.name, "format": "yolo", "classes": list(names)}
    values["splits"] = {split: f"images/{split}" for split in ("train", "val")}
    (root / "data.yaml").write_text(yaml.safe_dump(values))
    return root / "data.yaml"


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The old set, of two classes, and a new one of a third, of other pictures."""
    folder = tmp_path_factory.mktemp("sets")
    source = write_synthetic(folder / "all", SyntheticPlan(images=24, imgsz=96, seed=3, val=0.25)).yaml
    old = kept(source, folder / "old", ("surface", "material"), 0)
    return old, kept(source, folder / "new", ("welding",), 1)


@pytest.fixture(scope="module")
def old_model(sets: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "old"
    more = ("--data", str(sets[0]), "--output", str(folder), "--device", "cpu")
    assert main(["train", *more, "model.name=lightdet-nano", "train.start=chance", *TINY]) == 0
    return folder / "best.safetensors"


class Found:
    """A predictor that finds a 'material' and a 'surface' in the middle of every picture."""

    names, preprocessing = ("surface", "material"), Preprocessing(64)

    def batch(self, images):
        boxes = np.array([MIDDLE, MIDDLE], np.float32)
        scores, labels = np.array([0.9, 0.8], np.float32), np.array([1, 0])
        return [Detections(boxes, scores, labels, self.names, (96, 96)) for _ in images]


def pretend(monkeypatch: pytest.MonkeyPatch, threshold: float = 0.25) -> None:
    card = ModelCard({}, Found.names, Preprocessing(64), {"metrics": {"threshold": threshold}})
    monkeypatch.setattr(stand_in, "peek_model_card", lambda path: card)
    monkeypatch.setattr(stand_in, "load", lambda path, **more: Found())


def test_boxes_of_unmarked_classes_are_added_and_written_down(
    sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch)
    (tmp_path / "m.safetensors").write_bytes(b"model")
    spec = join([load_dataset(each) for each in sets])
    truths = read_training_splits(spec, on_error="fail").train
    done, told = StandIn(spec, tmp_path, tmp_path / "m.safetensors")(truths)
    values = json.loads((tmp_path / FILE_NAME).read_text())
    new = [str(truth.image) for truth in truths if "/new/" in str(truth.image)]
    assert set(values["pictures"]) <= set(new) and values["pictures"]
    assert (values["threshold"], values["asked"]) == (0.25, ["surface", "material"])
    middle = np.array(MIDDLE, np.float32)
    for before, after in zip(truths, done, strict=True):
        assert after.unmarked == ()
        own = before.completed(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
        covered = stand_in.overlaps(middle[None], own.boxes).max(initial=0) >= 0.5
        expected = 0 if str(before.image) not in new or covered else 2
        assert len(after) == len(own) + expected
        assert after.labels.tolist()[len(own) :] == [1, 0][:expected]
    boxes = sum(map(len, values["pictures"].values()))
    assert f"{boxes} boxes that {tmp_path / 'm.safetensors'} finds from score 0.25 on stand in for labels" in told[0]
    assert told[1].startswith("warning: not labelled: welding in old.") and len(told) == 2

    again, _ = StandIn(spec, tmp_path, None, resumed=True)(truths)
    assert [each.boxes.tolist() for each in again] == [each.boxes.tolist() for each in done]
    del values["places"]  # as it was written before
    (tmp_path / FILE_NAME).write_text(json.dumps(values))
    again, _ = StandIn(spec, tmp_path, None, resumed=True)(truths)
    assert [each.boxes.tolist() for each in again] == [each.boxes.tolist() for each in done]
    (tmp_path / FILE_NAME).write_text("{}")
    with pytest.raises(UserError, match="added to this training"):
        StandIn(spec, tmp_path, None, resumed=True)(truths)


def test_boxes_are_found_again_where_the_pictures_are_now(
    sets: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch)
    (tmp_path / "m.safetensors").write_bytes(b"model")
    here = tmp_path / "here"
    for each in sets:
        shutil.copytree(each.parent, here / each.parent.name)
    new = here / "new"
    twin = sorted((new / "images" / "train").iterdir())[0]  # the same picture again, with a box of its own
    shutil.copy(twin, new / "images" / "train" / f"z{twin.name}")
    (new / "labels" / "train" / f"z{twin.stem}.txt").write_text("0 0.47 0.47 0.3 0.3\n")

    def train_split(folder: Path) -> tuple[DatasetSpec, list[Any]]:
        spec = join([load_dataset(folder / name / "data.yaml") for name in ("old", "new")])
        return spec, read_training_splits(spec, on_error="fail").train

    monkeypatch.chdir(tmp_path)
    spec, truths = train_split(Path("here"))
    done, _ = StandIn(spec, tmp_path, tmp_path / "m.safetensors")(truths)
    spec, truths = train_split(here.rename(tmp_path / "there"))
    again, _ = StandIn(spec, tmp_path, None, resumed=True)(truths)
    assert any(np.array_equal(box, MIDDLE) for each in done for box in each.boxes)
    assert [each.boxes.tolist() for each in again] == [each.boxes.tolist() for each in done]

    renamed = replace(spec, classes=("scratch", *spec.classes[1:]))
    StandIn(renamed, tmp_path, None, resumed=True)(truths)  # refused by what compares the classes


def test_without_a_model_every_gap_is_named(sets: tuple[Path, Path], tmp_path: Path) -> None:
    spec = join([load_dataset(each) for each in sets])
    truths = read_training_splits(spec, on_error="fail").train
    done, told = StandIn(spec, tmp_path, None)(truths)
    assert told[0].startswith("warning: not labelled: welding in old; surface, material in new.") and len(told) == 1
    assert [len(each) for each in done] == [len(each) - len(each.unmarked) for each in truths]
    alone = load_dataset(sets[0])
    truths = read_training_splits(alone, on_error="fail").train
    assert StandIn(alone, tmp_path / "none", None)(truths) == (truths, [])


@pytest.mark.parametrize(("resumed", "writes"), [(False, True), (False, False), (True, True)])
def test_a_new_training_without_gaps_leaves_no_list_of_the_one_before(
    sets: tuple[Path, Path], tmp_path: Path, resumed: bool, writes: bool
) -> None:
    (tmp_path / FILE_NAME).write_text("{}")
    alone = load_dataset(sets[0])
    truths = read_training_splits(alone, on_error="fail").train
    assert StandIn(alone, tmp_path, None, resumed=resumed, writes=writes)(truths) == (truths, [])
    assert (tmp_path / FILE_NAME).exists() == (resumed or not writes)


def test_the_threshold_is_the_models_own() -> None:
    def card(facts):
        return ModelCard({}, ("a",), Preprocessing(64), facts)

    assert own_threshold(card({"metrics": {"threshold": 0.4}})) == 0.4
    assert own_threshold(card({"metrics": {"threshold": 0.08}})) == 0.25
    assert own_threshold(card({"metrics": {"threshold": None}})) == own_threshold(card({})) == 0.25


def test_a_new_class_is_added_without_the_old_pictures(
    sets: tuple[Path, Path], old_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["train", "--weights", str(old_model), "--data", str(sets[1]), "--device", "cpu", *TINY, "train.lr=0.001"]
    assert (
        main([*common, "--output", str(tmp_path / "keep"), "--keep-classes", "--json", str(tmp_path / "r.json")]) == 0
    )
    out = capsys.readouterr().out
    assert "surface, material keep their weights; welding starts from random ones" in out
    assert "stand in for labels" in out and "warning" not in out
    card = peek_model_card(tmp_path / "keep" / "best.safetensors")
    assert card is not None and card.names == ("surface", "material", "welding")
    assert (tmp_path / "keep" / FILE_NAME).is_file() and (tmp_path / "keep" / TRAINED_ON).is_file()
    assert any("stand in" in note for note in json.loads((tmp_path / "r.json").read_text())["notes"])

    assert main([*common, "--output", str(tmp_path / "drop")]) == 0
    assert "also finds surface, material, which this training does not keep" in capsys.readouterr().out
    card = peek_model_card(tmp_path / "drop" / "best.safetensors")
    assert card is not None and card.names == ("welding",)


def test_joined_sets_train_and_resume(
    sets: tuple[Path, Path], old_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from lightdet.training.trainer import Trainer

    for each in sets:
        shutil.copytree(each.parent, tmp_path / "here" / each.parent.name)
    monkeypatch.chdir(tmp_path)
    data = ["--data", "here/old/data.yaml", "--data", "here/new/data.yaml", "--output", "both", "--device", "cpu"]
    saved = Trainer._write

    def stopped(self, record, **more):
        self.stop.requested = True
        saved(self, record, **more)

    with monkeypatch.context() as patch:
        pretend(patch)
        patch.setattr(Trainer, "_write", stopped)
        assert main(["train", "--weights", str(old_model), *data, *TINY]) == 130
    out = capsys.readouterr().out
    assert "joined, train: " in out and "of old + " in out and "welding in old" in out
    before = (tmp_path / "both" / FILE_NAME).read_bytes()
    assert json.loads(before)["pictures"]
    there = (tmp_path / "here").rename(tmp_path / "there")
    data[1::2] = [str(there / "old" / "data.yaml"), str(there / "new" / "data.yaml"), *data[5::2]]
    assert main(["train", *data, "--resume"]) == 0
    assert (tmp_path / "both" / FILE_NAME).read_bytes() == before
    card = peek_model_card(tmp_path / "both" / "best.safetensors")
    assert card is not None and card.names == ("surface", "material", "welding")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("-d", "OLD", "-d", "OLD"), "is given twice with --data"),
        (("-d", "OLD", "-d", "NEW", "--data-root", "."), "--data-root replaces the root of one YAML"),
        (("-d", "OLD", "-d", "none.yaml"), "none.yaml: no such file"),
        (("-d", "OLD", "--keep-classes"), "keeps the classes of an older model: name it with --weights"),
    ],
)
def test_what_is_refused(
    args: tuple[str, ...], told: str, sets: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [{"OLD": str(sets[0]), "NEW": str(sets[1])}.get(each, each) for each in args]
    assert main(["train", *given, "--output", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1 and not (tmp_path / "out").exists()
