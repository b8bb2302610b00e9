"""`eval.show_confidence` is stored in the model file, and holds wherever no other lowest score is asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_detector import save_small_detector

import lightdet
from lightdet.assembly.detector import load_detector
from lightdet.assembly.detector_training import _weight_writer
from lightdet.card import METADATA_KEY, ModelCard, parse_model_card, peek_model_card
from lightdet.config import load_config, load_yaml
from lightdet.errors import UserError
from lightdet.models.weights import load_model, save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose training was told to show boxes from 0.6 on."""
    path = tmp_path_factory.mktemp("shown") / "best.safetensors"
    save_small_detector(path, ("dent",))
    weights, card = load_model(path)
    save_model(path, weights, replace(card, confidence=0.6))
    return path


def test_a_training_stores_it(tmp_path: Path, model: Path) -> None:
    network, _ = load_detector(model)
    config = load_config(load_yaml(Path("configs/lightdet.yaml")), ["eval.show_confidence=0.4"])
    _weight_writer(config, ("dent",), 16, None)(tmp_path / "best.safetensors", network, {})
    card = peek_model_card(tmp_path / "best.safetensors")
    assert card is not None and card.confidence == 0.4


def test_it_holds_where_no_other_is_asked_for(model: Path) -> None:
    assert lightdet.load(model).confidence == 0.6
    assert lightdet.load(model, confidence=0.3).confidence == 0.3


def test_an_export_takes_it_over(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "best.onnx"
    lightdet.export(model, format="onnx", output=file)
    assert lightdet.load(file).confidence == 0.6


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "much", None, [0.5]])
def test_a_card_that_says_something_else_is_refused(model: Path, value: object) -> None:
    card: ModelCard = load_model(model)[1]
    values = json.loads(card.as_metadata()[METADATA_KEY])
    del values["confidence"]
    assert parse_model_card({METADATA_KEY: json.dumps(values)}, model).confidence == 0.25  # of an earlier version
    values["confidence"] = value
    with pytest.raises(UserError, match="card is damaged"):
        parse_model_card({METADATA_KEY: json.dumps(values)}, model)
