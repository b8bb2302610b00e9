"""The configurations of classifiers: the recipes that are shipped, and mistakes told with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightdet.config import YamlFile, load_yaml
from lightdet.config.classification import (
    TorchvisionRun,
    classifier_names,
    load_classifier_config,
    load_classify_config,
)
from lightdet.errors import UserError

RECIPES = Path(__file__).parents[2] / "configs" / "classify"
ALL = sorted(RECIPES.glob("*.yaml"))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_each_recipe_is_a_classifier(path: Path) -> None:
    file = load_yaml(path)
    assert file.values["task"] == "classify"
    config = load_classify_config(file)
    card = config.model.model_dump(mode="json")
    assert load_classifier_config(YamlFile(card)) == config.model
    if path.stem != "from_scratch":  # ours
        assert config.train.weight_decay == 0 and config.train.optimizer == "adamw"  # the papers' Adam


def test_every_network_has_its_recipe() -> None:
    assert {load_classify_config(load_yaml(path)).model.name for path in ALL} == set(classifier_names())


def test_the_recipe_of_mobilenet_shows_every_key() -> None:
    values, defaults = load_yaml(RECIPES / "mobilenet_v2.yaml").values, TorchvisionRun().model_dump()
    assert values.keys() == defaults.keys()
    for section in ("model", "loss", "augment", "eval"):
        assert values[section].keys() == defaults[section].keys(), section


def test_the_papers_numbers() -> None:
    recipe = {path.stem: load_classify_config(load_yaml(path)) for path in ALL}
    assert recipe["mobilenet_v2"].train.epochs == recipe["resnet18"].train.epochs == 5
    assert recipe["resnet18"].train.lr == 1e-3 and recipe["resnet18"].train.lr_final == 1
    assert recipe["mobilenet_v2_transfer"].train.lr == 1e-4 and recipe["mobilenet_v2_transfer"].train.epochs == 25
    assert recipe["dnn"].imgsz == 64 and recipe["dnn"].model.output == "sigmoid" and recipe["dnn"].train.epochs == 10
    assert all(recipe[name].gray and recipe[name].imgsz == 224 for name in ("cnn", "efficientnet_b0", "mlp_mixer"))
    assert all(config.train.batch == 32 for config in recipe.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: classify\nmodel:\n  name: mobilenet\n", r"c\.yaml:3: .*'mobilenet'; did you mean 'mobilenet_v2'\?"),
        ("task: classify\nmodel:\n  name: cnn\n  patch: 3\n", r"c\.yaml:4: unknown key 'model.patch'"),
        ("task: classify\nimgsz: 100\n", r"c\.yaml:2: 'imgsz' must be a multiple of 32; take 96 or 128"),
        ("task: classify\naugment: {mosaic: 1}\n", r"c\.yaml:2: unknown key 'augment.mosaic'"),
        ("task: classify\ntrain: {image_weights: true}\n", "take sampling: balanced"),
        ("task: classify\ntrain: {distill: a.safetensors}\n", "train.distill belongs to detectors"),
        ("task: classify\nmodel: {name: mlp_mixer, patch: 30}\n", "30 does not divide imgsz 224"),
        ("task: classify\nmodel: {name: cnn, widths: [8, 8, 8, 8, 8, 8]}\nimgsz: 32\n", "leave nothing of 32 pixels"),
        ("task: classify\nmodel: 3\n", r"c\.yaml:2: 'model' should hold keys of its own"),
        (
            "task: classify\nloss: {class_weights: [1, -1]}\n",
            r"c\.yaml:2: 'loss.class_weights.1' should be greater than 0",
        ),
        (
            "task: classify\nloss: {class_weights: balanced}\n",
            r"c\.yaml:2: 'loss.class_weights' should be 'none' or 'inverse_frequency', or a list \(given: 'balanced'\)",
        ),
        (
            "task: classify\nloss: {class_weights: [1]}\n",
            r"c\.yaml:2: 'loss.class_weights' must hold at least 2, not 1",
        ),
        (
            "task: classify\nmodel: {pretrained: 3}\n",
            r"c\.yaml:2: 'model.pretrained' should be true or false, or 'auto', or a text \(given: 3\)",
        ),
    ],
)
def test_mistakes_have_their_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load_classify_config(load_yaml(path))


def test_a_network_that_the_command_line_misspells_is_not_sought_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("task: classify\nmodel: {name: cnn}\n")
    with pytest.raises(UserError, match=r"^'model.name': there is no .* did you mean 'resnet18'\? \(from"):
        load_classify_config(load_yaml(path), ["model.name=resnet"])
