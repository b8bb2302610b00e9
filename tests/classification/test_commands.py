"""A classifier through the commands: evaluated to a report, used on pictures, refused where a detector is meant."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_training import SMALL

import lightdet
from lightdet.cli.app import main
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.training.checkpoint import load_state


def pictures_of(part_set: Path, split: str, kind: str) -> list[Path]:
    return sorted((part_set.parent / split / kind).glob("*.png"))


@pytest.mark.parametrize(("sampling", "steps"), [("none", 6), ("balanced", 6), ("oversample", 9), ("undersample", 3)])
def test_the_steps_that_train_expects_are_those_it_takes(
    part_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], sampling: str, steps: int
) -> None:
    """36 good pictures and 12 bad ones, in batches of 8."""
    flags = ["--data", str(part_set), "--output", str(tmp_path / "out"), "--device", "cpu", *SMALL]
    assert main(["train", *flags, "train.epochs=2", "train.probe=false", f"sampling={sampling}"]) == 0
    assert f"to expect: {steps} steps per epoch, {2 * steps} steps in all\n" in capsys.readouterr().out
    assert load_state(tmp_path / "out").progress.step == 2 * steps


def test_val_writes_numbers_and_a_page(
    model: Path, part_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--weights", str(model), "--data", str(part_set), "--split", "test", "--device", "cpu"]
    assert main(["val", *flags, "--output", str(tmp_path / "v"), "--json", str(tmp_path / "n.json")]) == 0
    told = capsys.readouterr().out
    assert "accuracy 1.000" in told and "training: " in told and "report: " in told
    numbers = json.loads((tmp_path / "v" / "metrics.json").read_text())
    assert numbers == json.loads((tmp_path / "n.json").read_text())
    assert numbers["task"] == "classify" and numbers["pictures"] == 12
    assert numbers["confusion"] == [[6, 0], [0, 6]] and numbers["classes"] == ["good", "bad"]
    low, high = numbers["per_class"]["bad"]["recall"]["interval"]
    assert high == 1.0 and low == pytest.approx(0.025 ** (1 / 6))  # six of six, after Clopper and Pearson
    page = (tmp_path / "v" / "report.html").read_text()
    assert page.count("<svg") >= 4 and "Wrong pictures" in page and "None." in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)


def test_wrong_pictures_are_shown(model: Path, part_set: Path, tmp_path: Path) -> None:
    """With the classes exchanged every picture is wrong."""
    exchanged = tmp_path / "set.yaml"
    other = {"good": "bad", "bad": "good"}
    rows = [f"{path},{other[kind]}" for kind in other for path in pictures_of(part_set, "test", kind)]
    (tmp_path / "t.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    exchanged.write_text(f"root: {part_set.parent}\nformat: csv\nlabels: {tmp_path / 't.csv'}\nsplits: {{val: }}\n")
    flags = ["--weights", str(model), "--data", str(exchanged), "--pictures", "3", "--device", "cpu"]
    assert main(["val", *flags, "--output", str(tmp_path / "v")]) == 0
    page = (tmp_path / "v" / "report.html").read_text()
    assert page.count("data:image/jpeg") == 3 and "and 9 more" in page and "is good (0." in page
    numbers = json.loads((tmp_path / "v" / "metrics.json").read_text())
    assert numbers["accuracy"]["value"] == 0 and numbers["accuracy"]["interval"][1] < 0.3


def test_the_order_of_the_data_sets_classes_does_not_matter(model: Path, part_set: Path, tmp_path: Path) -> None:
    (tmp_path / "set.yaml").write_text(
        f"root: {part_set.parent}\nformat: folders\nclasses: [bad, good]\nsplits: {{val: test}}\n"
    )
    flags = ["--weights", str(model), "--data", str(tmp_path / "set.yaml"), "--device", "cpu"]
    assert main(["val", *flags, "--output", str(tmp_path / "v")]) == 0
    assert json.loads((tmp_path / "v" / "metrics.json").read_text())["accuracy"]["value"] == 1.0


def test_a_bad_picture_stops_or_is_left_out(
    model: Path, part_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = pictures_of(part_set, "test", "good")[0]
    for name, data in (("ok.png", good.read_bytes()), ("half.png", good.read_bytes()[:900])):
        (tmp_path / "val" / "good").mkdir(parents=True, exist_ok=True)
        (tmp_path / "val" / "good" / name).write_bytes(data)
    (tmp_path / "set.yaml").write_text("format: folders\nclasses: [good, bad]\nsplits: {val: val}\n")
    flags = ["val", "--weights", str(model), "--data", str(tmp_path / "set.yaml"), "--device", "cpu"]
    assert main([*flags, "--output", str(tmp_path / "a")]) == 2
    assert "half.png: the picture is truncated" in capsys.readouterr().err
    assert main([*flags, "--output", str(tmp_path / "b"), "--on-error", "skip"]) == 0
    assert "skipped 1:" in capsys.readouterr().out


def test_detect_marks_and_saves(
    model: Path, part_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = part_set.parent / "test"
    flags = ["--weights", str(model), "--device", "cpu", "--recursive", "--save", "json,csv"]
    assert main(["detect", str(folder), *flags, "--output", str(tmp_path / "d")]) == 0
    told = capsys.readouterr().out
    assert "12 pictures judged" in told
    rows = list(csv.DictReader((tmp_path / "d" / "detections.csv").read_text().splitlines()))
    assert len(rows) == 12 and all(Path(row["source"]).parent.name == row["name"] for row in rows)
    assert all(float(row["p(good)"]) + float(row["p(bad)"]) == pytest.approx(1, abs=2e-4) for row in rows)
    whole = json.loads((tmp_path / "d" / "detections.json").read_text())
    assert whole["task"] == "classify" and whole["per_class"] == {"good": 6, "bad": 6}
    first = whole["results"][0]
    assert first["probability"] == max(first["probabilities"].values()) and first["width"] == 48
    marked, plain = (
        read_image(path) for path in (tmp_path / "d" / "bad" / "0.jpg", pictures_of(part_set, "test", "bad")[0])
    )
    assert marked.shape == plain.shape
    assert np.abs(marked[:3].astype(int) - plain[:3]).mean() > 30  # the frame


def test_detect_judges_a_video(model: Path, part_set: Path, tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 5, (48, 48))
    for kind in ("good", "bad", "good"):
        writer.write(cv2.imread(str(pictures_of(part_set, "test", kind)[0])))
    writer.release()
    flags = ["--weights", str(model), "--device", "cpu", "--json", str(tmp_path / "v.json"), "--no-images"]
    assert main(["detect", str(tmp_path / "clip.avi"), *flags, "--output", str(tmp_path / "o")]) == 0
    results = json.loads((tmp_path / "v.json").read_text())["results"]
    assert [(each["frame"], each["name"]) for each in results] == [(0, "good"), (1, "bad"), (2, "good")]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--tile", "64"], "--tile belongs to detectors"),
        (["--iou", "0.5"], "--iou belongs to detectors"),
        (["--confidence", "0.25"], "--confidence belongs to detectors"),
        (["--save", "yolo"], "--save yolo holds boxes"),
        (["--imgsz", "64"], "takes only pictures of 32 pixels"),
    ],
)
def test_flags_of_detectors_are_refused(
    model: Path, part_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    source = str(pictures_of(part_set, "test", "good")[0])
    output = ["--output", str(tmp_path / "o"), "--device", "cpu"]
    assert main(["detect", source, "--weights", str(model), *flags, *output]) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1


def test_a_classifier_is_no_detector(
    model: Path, part_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=r"confidence belongs to detectors, and .* is a classifier: leave it out"):
        lightdet.load(model, confidence=0.5)
    boxes = tmp_path / "boxes.yaml"
    boxes.write_text(f"root: {part_set.parent}\nformat: yolo\nclasses: [good, bad]\nsplits: {{val: val}}\n")
    assert main(["val", "--weights", str(model), "--data", str(boxes), "--output", str(tmp_path / "v")]) == 2
    assert "needs a data set with one class per picture" in capsys.readouterr().err
    other = tmp_path / "other.yaml"
    other.write_text(f"root: {part_set.parent}\nformat: folders\nclasses: [good, ugly]\nsplits: {{val: val/good}}\n")
    assert main(["val", "--weights", str(model), "--data", str(other), "--output", str(tmp_path / "v")]) == 2
    assert "finds other classes" in capsys.readouterr().err


def test_from_python(model: Path, part_set: Path) -> None:
    predictor = lightdet.load(model)
    paths = pictures_of(part_set, "test", "bad")
    found = predictor(str(paths[0]))
    assert isinstance(found, lightdet.Classification) and found.name == "bad" and found.size == (48, 48)
    assert found.probability > 0.5 and {"read", "preprocess", "network"} <= found.milliseconds.keys()
    together = predictor.batch([read_image(path) for path in paths])
    assert [each.name for each in together] == ["bad"] * 6
    assert np.allclose(together[0].probabilities, found.probabilities, atol=1e-5)
    assert predictor.batch([]) == []
    with pytest.raises(UserError, match="no such file"):
        lightdet.load("missing.safetensors")
