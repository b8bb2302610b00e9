"""Exported classifiers: the same probabilities without torch, their rule with them, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torchvision.models.efficientnet import EfficientNet, MBConvConfig
from torchvision.models.mobilenetv2 import MobileNetV2
from torchvision.models.resnet import BasicBlock, ResNet

import lightdet
from lightdet.assembly.classifier import build_classifier, classifier_card
from lightdet.card import ModelCard
from lightdet.cli.app import main
from lightdet.config import YamlFile
from lightdet.config.classification import classifier_names, load_classifier_config
from lightdet.data.images import read_image
from lightdet.errors import UserError
from lightdet.inference.open_exported import read_card
from lightdet.models.weights import save_model
from lightdet.runs.found import Found
from lightdet.runs.validate import Validation
from lightdet.structures import Preprocessing
from lightdet.tasks import CLASSIFICATION, known_task_of_model


@pytest.fixture(scope="module")
def ruled(model: Path, part_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier with a decision rule."""
    copy = tmp_path_factory.mktemp("ruled") / "model.safetensors"
    shutil.copy(model, copy)
    flags = ["--data", str(part_set), "--bad", "bad", "--escape-rate", "0.5", "--device", "cpu"]
    assert main(["calibrate", "--weights", str(copy), *flags]) == 0
    return copy


@pytest.fixture(scope="module", params=["onnx", "openvino"])
def exported(request: pytest.FixtureRequest, ruled: Path, part_set: Path) -> Path:
    target = ruled.with_suffix(".onnx" if request.param == "onnx" else ".xml")
    flags = ["--format", request.param, "--data", str(part_set), "--output", str(target), "--batch", "dynamic"]
    assert main(["export", "--weights", str(ruled), *flags]) == 0
    return target


def failed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    return message


def test_an_export_says_what_its_checkpoint_says(exported: Path, ruled: Path, part_set: Path) -> None:
    paths = sorted((part_set.parent / "test").rglob("*.png"))
    ours, theirs = (lightdet.load(path) for path in (ruled, exported))
    assert theirs.names == ours.names and theirs.preprocessing == ours.preprocessing
    wanted, found = ours.batch(paths), theirs.batch(paths)
    assert [each.name for each in found] == [each.name for each in wanted]
    assert np.allclose([w.probabilities for w in wanted], [f.probabilities for f in found], atol=1e-4)
    alone = theirs(read_image(paths[3]))
    assert np.allclose(alone.probabilities, found[3].probabilities, atol=1e-6)
    assert alone.size == (48, 48) and {"preprocess", "network"} <= alone.milliseconds.keys()


def test_its_card_tells_what_it_is(exported: Path) -> None:
    card = read_card(exported)
    assert card.outputs == "probabilities" and card.names == ("good", "bad") and card.batch is None
    assert card.decision is not None and card.facts["proof"]["pictures"] == 14
    assert 0 <= card.facts["proof"]["probability"] < 1e-4
    assert card.facts["complexity"]["params"] > 0
    assert card.task == "classify" and known_task_of_model(exported) is CLASSIFICATION


def test_it_judges_by_its_rule_without_torch(exported: Path, ruled: Path, part_set: Path, tmp_path: Path) -> None:
    folder = str(part_set.parent / "test")
    code = (
        "import sys\nfrom lightdet.cli.app import main\ncode = main(sys.argv[1:])\n"
        "sys.exit(code or ('torch was imported' if 'torch' in sys.modules else 0))"
    )
    results = []
    for weights in (ruled, exported):
        target = tmp_path / weights.suffix[1:]
        flags = ["detect", folder, "--recursive", "--weights", str(weights), "--device", "cpu", "--save", "csv"]
        flags += ["--output", str(target)]
        if weights == ruled:
            assert main(flags) == 0
        else:
            ran = subprocess.run([sys.executable, "-c", code, *flags], capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stderr
            assert "by the model's decision rule: 6 OK, 6 NG" in ran.stdout
        results.append((target / "decisions.csv").read_text())
    assert results[0].count("NG") == 6 and results[0] == results[1]


def test_val_and_profile_take_it(
    exported: Path, part_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--weights", str(exported), "--data", str(part_set), "--split", "test", "--output", str(tmp_path / "v")]
    assert main(["val", *flags]) == 0
    numbers = json.loads((tmp_path / "v" / "metrics.json").read_text())
    assert numbers["accuracy"]["value"] == 1.0 and numbers["decision"]["confusion"]["bad"]["NG"] == 6
    assert numbers["params"] == read_card(exported).facts["complexity"]["params"]
    capsys.readouterr()
    assert main(["profile", "--weights", str(exported), "--runs", "2", "--threads", "1"]) == 0
    assert ("ONNX Runtime" if exported.suffix == ".onnx" else "OpenVINO") in capsys.readouterr().out


def test_what_it_cannot_is_said(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="confidence belongs to detectors"):
        lightdet.load(exported, confidence=0.5)
    with pytest.raises(UserError, match="takes only pictures of 32 x 32; export it with --imgsz 64"):
        lightdet.load(exported, imgsz=64)
    with pytest.raises(UserError, match="only pictures of 32 x 32, got 64 x 64"):
        lightdet.load(exported).runtime(np.zeros((1, 64, 64, 3), np.uint8))
    assert "is an export already" in failed(capsys, "export", "-w", exported)
    assert "calibrate the .safetensors" in failed(
        capsys, "calibrate", "-w", exported, "--data", __file__, "--escape-rate", 0.1
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--nms"], "--nms belongs to detectors"),
        (["--iou", "0.5"], "--iou belongs to detectors"),
        (["--confidence", "0.5"], "--confidence belongs to detectors"),
        (["--max-detections", "5"], "--max-detections belongs to detectors"),
        (["--imgsz", "64"], "takes only pictures of 32 pixels"),
        (["--dynamic-size"], "takes only pictures of 32 pixels"),
        (["--precision", "int8"], "give --data"),
    ],
)
def test_flags_that_do_not_fit_are_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    assert message in failed(capsys, "export", "-w", model, "-o", tmp_path / "m.onnx", *flags)
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_of_boxes_is_refused(
    model: Path, part_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes = tmp_path / "boxes.yaml"
    boxes.write_text(f"root: {part_set.parent}\nformat: yolo\nclasses: [good, bad]\nsplits: {{val: val}}\n")
    message = failed(capsys, "export", "-w", model, "--data", boxes, "-o", tmp_path / "m.onnx")
    assert "needs a data set with one class per picture" in message


def test_a_file_that_says_something_else_is_not_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightdet.exporting import classifier

    monkeypatch.setattr(classifier, "probabilities", lambda logits: (logits / 2).softmax(dim=1))
    message = failed(capsys, "export", "-w", model, "-o", tmp_path / "m.onnx")
    assert "not exported: probabilities of 16 pictures differ from the checkpoint's by up to 0." in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_8_bits_keep_the_accuracy_or_are_refused(
    model: Path,
    part_set: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    target = tmp_path / f"model{'.onnx' if kind == 'onnx' else '.xml'}"
    asked = ["export", "-w", model, "-f", kind, "-o", target, "--precision", "int8", "--data", part_set]
    assert main([str(argument) for argument in asked]) == 0
    assert "accuracy on val: 1.0000 checkpoint, 1.0000 int8 (+0.00 points)" in capsys.readouterr().out
    assert len(list(tmp_path.iterdir())) == (1 if kind == "onnx" else 2)
    for file in tmp_path.iterdir():
        file.unlink()

    find = Validation.find

    def spoilt(self: Validation, watcher: Any) -> Found:
        """One of the 14 pictures is taken for the other class, by the export alone."""
        found = find(self, watcher)
        if self.source.suffix != ".safetensors":
            first = found.predictions[0]
            found.predictions[0] = replace(first, probabilities=first.probabilities[::-1].copy())
        return found

    monkeypatch.setattr(Validation, "find", spoilt)
    message = failed(capsys, *asked, "--max-drop", 7)
    assert "int8 loses 7.14 points of accuracy (1.0000 to 0.9286) on 'val', more than --max-drop 7" in message
    assert list(tmp_path.iterdir()) == []


SHALLOW: dict[str, Callable[..., torch.nn.Module]] = {
    "resnet18": lambda **_: ResNet(BasicBlock, [1, 1, 1, 1]),
    "mobilenet_v2": lambda **_: MobileNetV2(inverted_residual_setting=[[1, 16, 1, 1], [6, 24, 2, 2]]),
    "efficientnet_b0": lambda **_: EfficientNet(
        [MBConvConfig(1, 3, 1, 32, 16, 1, 1.0, 1.0), MBConvConfig(6, 5, 2, 16, 24, 2, 1.0, 1.0)],
        dropout=0.2,
        last_channel=1280,
    ),
}
"""The deep networks with one of each kind of block: a trace takes as long as there are nodes."""
LONG = ("mobilenet_v2", "efficientnet_b0", "mlp_mixer")
"""Seconds each, even so; the quick tier has the others."""


@pytest.mark.parametrize(
    ("name", "shallow"),
    [
        pytest.param(name, name in SHALLOW, marks=[pytest.mark.slow] if name in LONG else [])
        for name in classifier_names()
    ]
    + [pytest.param(name, False, marks=pytest.mark.slow) for name in SHALLOW],
)
def test_each_network_can_be_exported(
    name: str, shallow: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one logit; gray, normalized pictures."""
    if shallow:
        monkeypatch.setattr(torchvision.models, name, SHALLOW[name])
    torch.manual_seed(0)
    few = {"depth": 1} if name == "mlp_mixer" else {}
    config = load_classifier_config(YamlFile({"name": name, "output": "sigmoid", **few}))
    preprocessing = Preprocessing(64, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25), gray=True)
    network = build_classifier(config, 2, 64)
    card = ModelCard(classifier_card(config), ("good", "bad"), preprocessing)
    save_model(tmp_path / "m.safetensors", network.state_dict(), card)
    assert main(["export", "-w", str(tmp_path / "m.safetensors")]) == 0
    picture = np.random.default_rng(0).integers(0, 256, (80, 50, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "p.png")
    ours, theirs = (lightdet.load(tmp_path / f"m.{kind}") for kind in ("safetensors", "onnx"))
    wanted, found = ours(tmp_path / "p.png").probabilities, theirs(tmp_path / "p.png").probabilities
    assert found.shape == (2,) and found.sum() == pytest.approx(1, abs=1e-5)
    assert np.allclose(wanted, found, atol=1e-3)
