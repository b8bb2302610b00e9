"""``lightdet val --against``: two models on the same pictures, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from lightdet.card import ModelCard
from lightdet.cli.app import main
from lightdet.data.picture_digest import picture_digest
from lightdet.inference.predictor import Predictor
from lightdet.runs import validate as validation
from lightdet.runs.trained_on import FILE_NAME
from lightdet.structures import Preprocessing

NAMES = ("red", "green", "blue")
SIDE, COUNT = 64, 40


class Runtime:
    """Finds patches of pure colour, except the share that its name says it misses: ``misses-3`` every third."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self.names = names
        self.preprocessing = Preprocessing(SIDE)
        self.milliseconds = {"network": 2.0, "postprocess": 1.0}
        self.every = int(path.stem.rpartition("-")[2])

    def __call__(self, batch):
        return [self._find(image) for image in batch]

    def _find(self, image):
        boxes, labels = [], []
        for channel, name in enumerate(NAMES):
            rows, columns = np.nonzero((image[..., channel] > 200) & (image.sum(axis=2) < 300))
            if len(rows) and name in self.names and (self.every == 0 or rows.min() % self.every):
                boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
                labels.append(self.names.index(name))
        scores = np.linspace(0.9, 0.8, len(boxes), dtype=np.float32)
        return np.array(boxes, np.float32).reshape(-1, 4), scores, np.array(labels, np.int64)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Pictures of noise with a patch each; no two look alike."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for kind in ("images", "labels"):
        (tmp_path / "set" / kind / "test").mkdir(parents=True)
    for number in range(COUNT):
        image = rng.integers(40, 80, (SIDE, SIDE, 3), dtype=np.uint8)
        label, (x, y) = number % 3, rng.integers(2, 40, 2)
        image[y : y + 20, x : x + 20] = 0
        image[y : y + 20, x : x + 20, label] = 255
        Pil.fromarray(image).save(tmp_path / f"set/images/test/{number}.png")
        line = f"{label} {(x + 10) / SIDE} {(y + 10) / SIDE} {20 / SIDE} {20 / SIDE}\n"
        (tmp_path / f"set/labels/test/{number}.txt").write_text(line)
    yaml = tmp_path / "set.yaml"
    yaml.write_text(f"root: set\nformat: yolo\nclasses: [{', '.join(NAMES)}]\nsplits: {{test: images/test}}\n")
    return yaml


@pytest.fixture
def against(data, monkeypatch, capsys):
    """Make two models, ``NAME-N`` that misses every N-th patch, and compare: exit code, stdout, stderr."""

    def run(new: str, old: str, *args: str, classes=(NAMES, NAMES)):
        kinds = {}
        for name, names in zip((new, old), classes, strict=True):
            path = Path(name) / f"{name}.safetensors"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(name.encode())
            kinds[path] = names

        def load(path, **more):
            return Predictor(Runtime(Path(path), kinds[Path(path)]), confidence=more["confidence"])

        monkeypatch.setattr(validation, "load", load)
        monkeypatch.setattr(
            "lightdet.runs.against.peek_model_card", lambda path: ModelCard({}, kinds[path], Preprocessing(SIDE))
        )
        files = [str(path) for path in kinds]
        command = ["val", "--data", str(data), "--split", "test", "--weights", files[0], "--against", files[-1]]
        code = main([*command, "--output", "out", *args])
        return code, *capsys.readouterr()

    return run


def test_better_worse_and_neither_by_exit_code(against):
    code, out, _ = against("a-0", "b-2", "--json", "r.json")
    assert code == 0 and "the new model is better" in out and "1000 resamples of 40 pictures" in out
    values = json.loads(Path("r.json").read_text())
    assert values["against"]["verdict"] == "better" and values["map50"] == values["against"]["map50"]["new"]
    low, high = values["against"]["map50_95"]["interval"]
    assert 0 < low <= values["against"]["map50_95"]["difference"] <= high
    assert values == json.loads(Path("out/metrics.json").read_text())
    assert "the new model" in Path("out/report.html").read_text()
    code, out, _ = against("b-2", "a-0")
    assert code == 1 and "the new model is worse" in out
    code, out, _ = against("c-0", "d-0")
    assert code == 1 and "not shown to be better or worse" in out and "holds 0" in out


def test_models_with_other_classes_are_compared_on_the_common_ones(against):
    code, out, _ = against("a-0", "b-2", "--json", "r.json", classes=(NAMES, ("green", "hole", "red")))
    assert code == 0
    assert "compared on red, green; left out: blue (only the new model and the data set), hole (only the old" in out
    assert set(json.loads(Path("r.json").read_text())["per_class"]) == {"red", "green"}
    code, _, err = against("a-0", "b-2", classes=(NAMES, ("hole",)))
    assert code == 2 and err.count("\n") == 1 and "no class is common" in err


def test_the_same_file_twice_is_refused(against):
    code, out, err = against("a-0", "a-0")
    assert (code, out) == (2, "") and "is the same model as" in err and err.count("\n") == 1


def test_a_test_on_pictures_that_were_learned_is_refused(against):
    digest = picture_digest(Path("set/images/test/7.png"))
    Path("b-2").mkdir()
    Path("b-2", FILE_NAME).write_text(json.dumps({"train": [digest]}))
    code, out, err = against("a-0", "b-2")
    assert (code, out) == (2, "") and "was trained on 1 of these 40 pictures" in err and "7.png" in err
    Path("b-2", FILE_NAME).write_text(json.dumps({"train": [], "val": [digest]}))
    code, out, _ = against("a-0", "b-2")
    assert code == 0 and "1 of the pictures chose the best epoch of b-2" in out
    assert "a-0 does not say which pictures" in out


def test_a_missing_old_model(data, against, capsys):
    Path("w-0.safetensors").write_bytes(b"")
    code = main(["val", "--data", str(data), "--split", "test", "--weights", "w-0.safetensors", "--against", "no"])
    assert code == 2 and "no: no such file" in capsys.readouterr().err
