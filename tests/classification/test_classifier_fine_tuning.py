"""A classifier's training that begins with a trained one's weights, from the command line and in parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_training import SMALL

from lightdet.assembly.classifier import build_classifier
from lightdet.assembly.classifier_start import begin_classifier
from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard
from lightdet.cli.app import main
from lightdet.config import ModelConfig, YamlFile
from lightdet.config.classification import load_classify_config
from lightdet.errors import UserError
from lightdet.models.weights import load_model, save_model
from lightdet.structures import Preprocessing

NAMES = ("good", "bad")  # as the data set has them


def config(*changes: str) -> object:
    return load_classify_config(YamlFile({}), [*SMALL, *changes])


@pytest.fixture(scope="module", params=["softmax", "sigmoid"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained classifier that tells bad from good, of gray pictures."""
    path = tmp_path_factory.mktemp("trained") / "best.safetensors"
    settings = config(f"model.output={request.param}")
    torch.manual_seed(3)
    network = build_classifier(settings.model, 2, 32)  # type: ignore[attr-defined]
    model = {"task": "classify", **settings.model.model_dump(mode="json")}  # type: ignore[attr-defined]
    seen = Preprocessing(32, gray=True, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    save_model(path, network.state_dict(), ModelCard(model, NAMES, seen))
    return path


@pytest.mark.parametrize(
    ("names", "taken", "says"),
    [
        (("good", "bad"), "all", ""),
        (("bad", "good"), "all", "bad, good keep their weights"),
        (("ok", "ng"), "without the last layer", "before: good, bad"),
        (("a", "b", "c"), "without the last layer", "2 classes before"),
    ],
)
def test_what_is_taken(trained: Path, names: tuple[str, ...], taken: str, says: str) -> None:
    weights, card = load_model(trained)
    if says == "bad, good keep their weights" and card.model["output"] == "sigmoid":  # one output cannot be exchanged
        taken, says = "without the last layer", "in another order"
    settings = config(f"model.output={card.model['output'] if len(names) == 2 else 'softmax'}")
    network = build_classifier(settings.model, len(names), 32)  # type: ignore[attr-defined]
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    seen, told = begin_classifier(trained, network, names, settings)  # type: ignore[arg-type]
    assert seen == card.preprocessing and told.startswith(f"starts from {trained}: copies") and says in told
    kept = {name for name, value in network.state_dict().items() if torch.equal(value, weights[name][: len(value)])}
    begun = {name for name, value in network.state_dict().items() if torch.equal(value, fresh[name])}
    last = {"classifier.3.weight", "classifier.3.bias"}
    assert set(weights) - kept <= last
    assert (begun & last == last) == (taken != "all")


def test_a_training_begins_with_it(
    trained: Path, part_set: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "again"
    flags = ["--data", str(part_set), "--weights", str(trained), "--output", str(output), "--device", "cpu"]
    assert main(["train", *flags, "train.epochs=1", "train.lr=1e-12", "train.batch=8", "train.probe=false"]) == 0
    assert f"starts from {trained}:copies" in capfd.readouterr().out.replace(": ", ":").replace("\n", "")
    before, after = load_model(trained), load_model(output / "last.safetensors")
    assert after[1].preprocessing == before[1].preprocessing  # gray, its side, its mean and deviation
    assert after[1].model == before[1].model
    for name, value in before[0].items():
        assert torch.allclose(value, after[0][name], atol=1e-4), name


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(each) for each in ("train", *arguments)]) == 2
    message = capfd.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    return message


def test_two_starts_and_two_networks_are_refused(
    trained: Path, part_set: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = ["--data", part_set, "--weights", trained, "--output", tmp_path / "out"]
    assert "model.name is resnet18, but" in refused(capfd, *flags, "model.name=resnet18")
    assert "model.widths is [16], but" in refused(capfd, *flags, "model.widths=[16]")
    (tmp_path / "detect.yaml").write_text("imgsz: 64\n")
    message = refused(capfd, *flags, "--config", tmp_path / "detect.yaml")
    assert "is a model that is to classify, but the configuration is one without a task" in message
    assert "is one 'task: detect'" in refused(capfd, *flags, "task=detect")
    detector = tmp_path / "detector.safetensors"
    network = ModelConfig(widths=[8, 8, 8, 8, 8])
    card = ModelCard(network.model_dump(mode="json"), ("a",), Preprocessing(64))
    save_model(detector, build_detector(network, 1, 64).state_dict(), card)
    flags[3] = detector
    assert "is a model that is to detect, but the configuration is one 'task: classify'" in refused(
        capfd, *flags, "task=classify"
    )
    assert not (tmp_path / "out").exists()


def test_pretrained_beside_it_is_refused(part_set: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    weights = tmp_path / "best.safetensors"
    settings = load_classify_config(YamlFile({}), ["task=classify", "model.name=resnet18", "imgsz=32"])
    network = build_classifier(settings.model, 2, 32)
    model = {"task": "classify", **settings.model.model_dump(mode="json", exclude={"pretrained"})}
    save_model(weights, network.state_dict(), ModelCard(model, ("bad", "good"), Preprocessing(32)))
    message = refused(
        capfd, "--data", part_set, "--weights", weights, "--output", tmp_path / "o", "model.pretrained=auto"
    )
    assert "are two starts; leave one out" in message


def test_nothing_fits(trained: Path) -> None:
    other = load_classify_config(YamlFile({}), ["task=classify", "model.name=resnet18", "imgsz=32"])
    with pytest.raises(UserError, match="none of its tensors fits"):
        begin_classifier(trained, build_classifier(other.model, 2, 32), ("bad", "good"), other)
