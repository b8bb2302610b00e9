"""Where a classifier's training starts: the package's weights for our own small network, chance, or a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_training import SMALL, Recorder, make_trainer

from lightdet.assembly import classifier_training, starting
from lightdet.assembly.classifier import build_classifier
from lightdet.assembly.classifier_start import begin_classifier
from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.starting import networks, pretrained_for, start_in, start_of
from lightdet.assembly.trainer import RunContext
from lightdet.cli.app import main
from lightdet.config import YamlFile, load_yaml
from lightdet.config.classification import ClassifyConfig, load_classify_config
from lightdet.errors import UserError
from lightdet.models.weights import load_model
from lightdet.training.checkpoint import load_state

CONFIGS = Path(__file__).parents[2] / "configs" / "classify"


def config(*changes: str) -> ClassifyConfig:
    return load_classify_config(YamlFile({}), [*SMALL, *changes])


@pytest.fixture
def kept(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that keeps weights for the small network."""
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "cnn.safetensors").write_bytes(model.read_bytes())
    monkeypatch.setattr(starting, "FOLDER", folder)
    return folder / "cnn.safetensors"


@pytest.mark.parametrize("change", ["model.dropout=0.3", "model.output=sigmoid", "imgsz=64", "train.start=pretrained"])
def test_what_does_not_shape_the_network_changes_nothing(kept: Path, change: str) -> None:
    begin = start_of(config(change))
    assert (begin.file, begin.kind) == (kept, "pretrained")


DNN = ["task=classify", "imgsz=32", "model={name: dnn}"]
SHAPES = ["model.widths=[8,8]", "model.hidden=[8]", "model.batch_norm=true", "model.pool=mean"]


@pytest.mark.parametrize("changes", [DNN, *([*SMALL, change] for change in SHAPES)])
def test_another_network_begins_from_chance_and_says_so(kept: Path, changes: list[str]) -> None:
    begin = start_of(load_classify_config(YamlFile({}), changes))
    assert (begin.file, begin.kind) == (None, "chance") and "no pretrained weights for this network" in begin.note
    with pytest.raises(UserError, match="only for cnn with nothing changed under 'model'"):
        start_of(load_classify_config(YamlFile({}), [*changes, "train.start=pretrained"]))


def test_a_networks_task_decides_which_weights_are_named(kept: Path) -> None:
    assert networks() == networks("classify") == ["cnn"]
    assert networks("detect") == []


def test_torchvisions_networks_have_their_own_option(capsys: pytest.CaptureFixture[str], part_set: Path) -> None:
    code = main(["train", "-c", str(CONFIGS / "resnet18.yaml"), "-d", str(part_set), "train.start=pretrained"])
    assert code == 2 and "this one takes model.pretrained=FILE" in capsys.readouterr().err


def test_the_run_and_the_model_say_where_it_began(kept: Path, part_set: Path, tmp_path: Path) -> None:
    name, theirs = next(item for item in load_model(kept)[0].items() if item[1].dim() == 4)
    for changes, told, line in (
        ([], "pretrained", "starts from lightdet's own pretrained weights: copies"),
        (["train.start=chance"], "chance", "starts from random weights, as set by train.start"),
    ):
        recorder, folder = Recorder(), tmp_path / told
        trainer = make_trainer(part_set, folder, ["train.epochs=1", *changes], reporter=recorder)
        assert trainer.run_facts["start"] == told and any(line in note for note in recorder.notes)
        assert torch.equal(trainer.task.network.state_dict()[name], theirs) == (told == "pretrained")
        trainer.fit()
        assert start_in(folder / "best.safetensors") == told
        again = make_trainer(part_set, folder, ["train.epochs=1", *changes], resume=load_state(folder))
        assert again.run_facts["start"] == told


@pytest.mark.parametrize(("value", "told"), [("true", "ImageNet"), ("FILE", "FILE"), ("false", "chance")])
def test_torchvisions_weights_are_named(
    part_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, told: str
) -> None:
    monkeypatch.setattr(
        classifier_training, "start_weights", lambda network, config: (config.pretrained is not False, "")
    )
    words = ["task=classify", "imgsz=32", f"model={{name: resnet18, pretrained: {value}}}", "train.batch=8"]
    settings = load_classify_config(YamlFile({}), words)
    context = RunContext(folder=tmp_path, device=torch.device("cpu"), reporter=Recorder(), board=False)
    classifier_training.build_classify_trainer(
        settings, classifier_training.load_classify_data(settings, load_dataset(part_set)), context
    )
    assert context.run["start"] == told


def test_what_the_package_keeps() -> None:
    """The weights are for the recipe's network, finite, and leave its last layer to the data set."""
    settings = load_classify_config(load_yaml(CONFIGS / "from_scratch.yaml"))
    path = starting.FOLDER / "cnn.safetensors"
    assert pretrained_for(settings.model) == path
    weights, card = load_model(path)
    assert all(torch.isfinite(value).all() for value in weights.values()) and card.facts["pretraining"]
    network = build_classifier(settings.model, 2, 64)
    _, told = begin_classifier(path, network, ("ok", "ng"), settings)
    assert f"copies {len(weights) - 2} of {len(weights)}" in told
    assert torch.isfinite(network.eval()(torch.rand(2, 3, 64, 64))).all()
