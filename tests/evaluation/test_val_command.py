"""``lightdet val`` from the command line to the files, with a network that finds coloured patches."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from lightdet.cli.app import main
from lightdet.inference.predictor import Predictor
from lightdet.options.base import flag_of
from lightdet.options.val import ValOptions
from lightdet.runs import validate as validation
from lightdet.structures import Preprocessing

NAMES = ("red", "green", "blue")
SIDE = 64
PATCHES = {  # picture: (class, x1, y1, x2, y2)
    "a": [(0, 4, 4, 20, 24), (1, 30, 30, 60, 50)],
    "b": [(2, 10, 10, 40, 40)],
    "ü clean": [],
}


class PatchRuntime:
    """Reports the bounds of what is purely red, green or blue; `classes` says which label it gives to which."""

    def __init__(self, names=NAMES):
        self.names = tuple(names)
        self.preprocessing = Preprocessing(SIDE)
        self.milliseconds = {"network": 2.0, "postprocess": 1.0}

    def __call__(self, batch):
        return [self._find(image) for image in batch]

    def _find(self, image):
        boxes, labels = [], []
        for channel, name in enumerate(NAMES):
            rows, columns = np.nonzero((image[..., channel] > 200) & (image.sum(axis=2) < 300))
            if len(rows):
                boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
                labels.append(self.names.index(name))
        scores = np.linspace(0.9, 0.8, len(boxes), dtype=np.float32)
        return np.array(boxes, np.float32).reshape(-1, 4), scores, np.array(labels, np.int64)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A YOLO set, and the working folder beside it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "set" / "images" / "val"
    labels = tmp_path / "set" / "labels" / "val"
    folder.mkdir(parents=True)
    labels.mkdir(parents=True)
    for stem, patches in PATCHES.items():
        image = np.full((SIDE, SIDE, 3), 60, np.uint8)
        lines = []
        for label, x1, y1, x2, y2 in patches:
            image[y1:y2, x1:x2] = 0
            image[y1:y2, x1:x2, label] = 255
            values = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
            lines.append(f"{label} " + " ".join(f"{value / SIDE}" for value in values))
        Pil.fromarray(image).save(folder / f"{stem}.png")
        (labels / f"{stem}.txt").write_text("\n".join(lines))
    yaml = tmp_path / "set.yaml"
    yaml.write_text(f"root: set\nformat: yolo\nclasses: [{', '.join(NAMES)}]\nsplits: {{val: images/val}}\n")
    return yaml


@pytest.fixture
def val(data, monkeypatch, capsys):
    """Run the command: exit code, stdout, stderr."""
    Path("w.safetensors").write_bytes(b"")

    def run(*args, names=NAMES, weights=True):
        asked = {}

        def load(path, **more):
            asked.update(more)
            return Predictor(PatchRuntime(names), confidence=more["confidence"])

        monkeypatch.setattr(validation, "load", load)
        code = main(["val", "--data", str(data), *(["--weights", "w.safetensors"] if weights else []), *args])
        run.asked = asked
        return code, *capsys.readouterr()

    return run


def refused(val, *args, **more):
    code, out, err = val(*args, **more)
    assert code == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1
    return err


def results(name="coco.json", category_ids=(0, 1, 2)):
    boxes = [
        {"image_id": f"{stem}.png", "category_id": category_ids[c], "bbox": [x1, y1, x2 - x1, y2 - y1], "score": 0.8}
        for stem, patches in PATCHES.items()
        for c, x1, y1, x2, y2 in patches
    ]
    Path(name).write_text(json.dumps(boxes))
    return boxes


def test_a_perfect_model(val):
    code, out, err = val("--output", "out", "--json", "deep/result.json")
    assert (code, err) == (0, "")
    for part in ("red", "green", "blue", "1.000", "3 pictures, 3 boxes", "1 picture without defects, 0 of them"):
        assert part in out
    assert "report: out/report.html" in out
    values = json.loads(Path("deep/result.json").read_text(encoding="utf-8"))
    assert values == json.loads(Path("out/metrics.json").read_text(encoding="utf-8"))
    assert values["map50"] == pytest.approx(1) and values["map50_95"] == pytest.approx(1)
    assert set(values["per_class"]) == set(NAMES) and values["f1"] == 1
    assert values["latency_ms"]["network"] > 0 and values["imgsz"] == SIDE and values["skipped"] == []
    assert "<html" in Path("out/report.html").read_text(encoding="utf-8")
    assert val.asked["confidence"] == 0.001 and val.asked["iou"] == 0.55 and val.asked["max_detections"] == 300


def test_flags_reach_the_model(val):
    val("--imgsz", "96", "--device", "cpu", "--batch", "1", "eval.iou=0.5", "eval.max_detections=7", "--output", "out")
    assert val.asked["imgsz"] == 96 and val.asked["device"] == "cpu"
    assert val.asked["iou"] == 0.5 and val.asked["max_detections"] == 7
    values = json.loads(Path("out/metrics.json").read_text())
    assert values["batch"] == 1 and values["settings"]["iou"] == 0.5


def test_fresh_folders(val):
    assert "runs/val/report.html" in val()[1]
    assert "runs/val-2/report.html" in val()[1]


def test_classes_in_another_order(val):
    val("--output", "out", names=("blue", "red", "green"))
    assert json.loads(Path("out/metrics.json").read_text())["map50"] == pytest.approx(1)


def test_other_classes(val):
    err = refused(val, names=("red", "green", "hole"))
    assert err.startswith("error: w.safetensors: finds other classes") and "hole" in err and "blue" in err


def test_a_bad_picture(val):
    broken = Path("set/images/val/b.png")
    broken.write_bytes(broken.read_bytes()[:-60])
    assert "b.png" in refused(val)
    code, out, _ = val("--on-error", "skip", "--output", "out")
    assert code == 0 and "2 pictures, 2 boxes" in out and "skipped 1:" in out and "b.png" in out
    values = json.loads(Path("out/metrics.json").read_text())
    assert len(values["skipped"]) == 1 and values["per_class"]["blue"]["ap50"] is None


def test_no_picture_can_be_read(val):
    for picture in Path("set/images/val").iterdir():
        picture.write_bytes(picture.read_bytes()[:-60])
    assert "no picture of the split 'val' can be read" in refused(val, "--on-error", "skip")


@pytest.mark.parametrize("split", ["test", "vall"])
def test_unknown_split(val, split):
    assert f"there is no split '{split}'; the data set has val" in refused(val, "--split", split)


@pytest.mark.parametrize(
    "args, word",
    [
        (["eval.iuo=0.5"], "did you mean 'eval.iou'"),
        (["train.epochs=3"], "unknown key 'train'"),
        (["eval.iou=2"], "'eval.iou'"),
        (["nonsense"], "key.path=value"),
        (["--imgsz", "100"], "not a multiple of 32"),
        (["--output", "set.yaml"], "set.yaml"),
        (["--predictions", "coco.json"], "either --weights"),
    ],
)
def test_wrong_arguments(val, args, word):
    assert word in refused(val, *args)


def test_neither_model_nor_detections(val):
    assert "either --weights" in refused(val, weights=False)
    assert "none.json: no such file" in refused(val, "--predictions", "none.json", weights=False)
    assert "is a folder" in refused(val, "--predictions", "set", weights=False)


def test_detections_from_elsewhere(val):
    results()
    code, out, err = val("--predictions", "coco.json", "--output", "out", weights=False)
    assert (code, err) == (0, "") and "1.000" in out
    values = json.loads(Path("out/metrics.json").read_text())
    assert values["map50"] == pytest.approx(1) and values["predictions"] == "coco.json"


MEANINGFUL_WITH_A_FILE = {
    "weights", "data", "predictions", "split", "data_root", "zones", "output", "pictures", "on_error", "json",
    "overrides", "progress",
}  # fmt: skip
VALUES = {"device": "cpu", "precision": "fp16"}


def test_every_other_flag_is_refused_with_detections_from_elsewhere(data, val):
    results()
    kinds = ValOptions.types()
    refusable = sorted(set(kinds) - MEANINGFUL_WITH_A_FILE)
    assert {"tile", "overlap", "imgsz", "rect", "no_promise", "precision"} <= set(refusable)
    for name in refusable:
        flag = flag_of(kinds[name], name)
        on = isinstance(getattr(ValOptions(data=data), name), bool)
        value = [] if on else [VALUES.get(name, "0" if name in ("tile", "overlap") else "64")]
        err = refused(val, "--predictions", "coco.json", flag, *value, weights=False)
        assert flag in err and "coco.json" in err and "leave it out" in err


@pytest.mark.parametrize("key", ["eval.iou=0.3", "eval.confidence=0.5", "eval.batch=2", "imgsz=64"])
def test_a_setting_of_the_search_is_refused_with_detections_from_elsewhere(val, key):
    results()
    assert key.partition("=")[0] in refused(val, "--predictions", "coco.json", key, weights=False)


def test_detections_by_the_numbers_of_a_coco_set(data, val):
    """Ids that only the data set's own file explains."""
    assert main(["data", "convert", "--data", str(data), "--format", "coco", "--output", "as_coco"]) == 0
    yaml = next(Path("as_coco").glob("*.yaml"))
    file = next(Path("as_coco").rglob("*.json"))
    truth = json.loads(file.read_text(encoding="utf-8"))
    rows = [{k: e[k] for k in ("image_id", "category_id", "bbox")} | {"score": 0.7} for e in truth["annotations"]]
    Path("numbers.json").write_text(json.dumps(rows))
    code = main(["val", "--data", str(yaml), "--predictions", "numbers.json", "--output", "out"])
    assert code == 0
    assert json.loads(Path("out/metrics.json").read_text())["map50"] == pytest.approx(1)


def test_what_detect_saves_is_read_back(val, monkeypatch):
    from lightdet.runs import detect as detection

    monkeypatch.setattr(
        detection, "load", lambda *_, confidence, **__: Predictor(PatchRuntime(), confidence=confidence or 0.25)
    )
    args = ["detect", "set/images/val", "--weights", "w.safetensors", "--save", "coco", "--no-images", "--output", "d"]
    assert main(args) == 0
    code, *_ = val("--predictions", "d/coco.json", "--output", "out", weights=False)
    assert code == 0
    assert json.loads(Path("out/metrics.json").read_text())["map50"] == pytest.approx(1)


def test_with_a_real_network(data, tmp_path, capsys):
    from lightdet.assembly.detector import build_detector
    from lightdet.card import ModelCard
    from lightdet.config import ModelConfig
    from lightdet.models.weights import save_model

    config = ModelConfig(widths=[8, 8, 8, 16, 16], gate="scalar")
    network = build_detector(config, 3, SIDE)
    path = tmp_path / "best.safetensors"
    save_model(path, network.state_dict(), ModelCard(config.model_dump(mode="json"), NAMES, Preprocessing(SIDE)))
    args = ["val", "--weights", str(path), "--data", str(data), "--device", "cpu", "--output", "out"]
    assert main(args) == 0
    values = json.loads(Path("out/metrics.json").read_text())
    assert 0 <= values["map50"] <= 1 and values["versions"]["torch"]
    path.write_bytes(path.read_bytes()[:-100])
    assert main(args) == 2
    assert capsys.readouterr().err.startswith(f"error: {path}: ")
