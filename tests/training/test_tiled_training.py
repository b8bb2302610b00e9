"""Training on tiles: to the last bit again after a stop, and validated as the model is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest_training import StopAt, assert_same_tensors, make_trainer

import lightdet
from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.tiled_validation import TiledValidation
from lightdet.card import peek_model_card
from lightdet.data.dataset import read_split
from lightdet.data.synthetic import SyntheticPlan, write_synthetic
from lightdet.inference.tiled import TILE_IOU, TILED_DETECTIONS, TiledPredictor
from lightdet.models.weights import load_model
from lightdet.options.val import ValOptions
from lightdet.runs.validate import Validation
from lightdet.structures import Tiling
from lightdet.training.checkpoint import load_state
from lightdet.training.trainer import Trainer

TILES = ["tiles.size=96", "tiles.overlap=0.25", "train.epochs=2", "train.batch=8", "train.start=chance"]


@pytest.fixture(scope="module")
def large_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures of 224 x 160 pixels, one of them to validate."""
    folder = tmp_path_factory.mktemp("large") / "set"
    write_synthetic(folder, SyntheticPlan(4, seed=2, val=0.25, clean=0.0, size=(224, 160), defects=(8, 24)))
    return folder / "dataset.yaml"


@pytest.fixture(scope="module")
def trained(large_set: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trainer]:
    """A training that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    trainer = make_trainer(large_set, folder, TILES)
    trainer.fit()
    return folder, trainer


def test_a_training_on_tiles_resumes_to_the_last_bit(
    large_set: Path, tmp_path: Path, trained: tuple[Path, Trainer]
) -> None:
    stopper = StopAt(3)
    first = make_trainer(large_set, tmp_path, TILES, reporter=stopper)
    stopper.trainer = first
    assert len(first.loader) == 3  # 3 pictures of 3 x 2 tiles, 8 crops per batch
    assert not first.fit().done
    assert make_trainer(large_set, tmp_path, TILES, resume=load_state(tmp_path)).fit().done
    assert_same_tensors(load_model(trained[0] / "last.safetensors")[0], load_model(tmp_path / "last.safetensors")[0])


def test_the_card_remembers_tiles_and_load_takes_them(trained: tuple[Path, Trainer]) -> None:
    weights = trained[0] / "best.safetensors"
    card = peek_model_card(weights)
    assert card is not None and card.tiles == Tiling(96, 0.25)
    model = lightdet.load(weights, threads=1)
    assert (model.tile, model.overlap) == (96, 0.25)


def test_validation_in_training_finds_what_the_model_finds_afterwards(
    large_set: Path, trained: tuple[Path, Trainer]
) -> None:
    folder, trainer = trained
    validation = trainer.validation
    assert isinstance(validation, TiledValidation) and len(validation) == 6
    (annotation,) = read_split(load_dataset(large_set), "val")[0]
    one_tile = lightdet.load(folder / "last.safetensors", tile=0, threads=1, confidence=validation.confidence)
    model = TiledPredictor(one_tile, tile=96, overlap=0.25)
    known = validation.confidence + 1e-4  # below, one looks at rounded scores and the other does not
    found = validation.detections(trainer.task, trainer.average.network.eval())[0].above(known)
    expected = model(annotation.image).above(known)
    assert found.size == expected.size == annotation.size
    assert len(found) == len(expected) > 0
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.1)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-3)
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("asked", [(), ("eval.iou=0.3", "eval.max_detections=7")])
def test_a_measurement_looks_as_detect_does(
    large_set: Path, trained: tuple[Path, Trainer], asked: tuple[str, ...]
) -> None:
    options = ValOptions(weights=trained[0] / "last.safetensors", data=str(large_set), threads=1, overrides=asked)
    predictor = Validation(options).predictor()
    assert (predictor.iou, predictor.max_detections) == ((0.3, 7) if asked else (TILE_IOU, TILED_DETECTIONS))
