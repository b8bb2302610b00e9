"""A calibrated classifier behind the service: its bad class is the finding, over the whole picture."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import numpy as np
import pytest
from one_model import one_model
from PIL import Image as Pil

from lightdet.arrays import FloatArray, Image
from lightdet.card import ModelCard
from lightdet.errors import UserError
from lightdet.inference.classifier import ClassifierPredictor
from lightdet.models.weights import save_model
from lightdet.service.app import assemble
from lightdet.service.engine import Upload
from lightdet.service.routes_detect import result_of
from lightdet.service.schemas import ClassRule, Result
from lightdet.structures import Preprocessing

NAMES = ("bad", "good")
RULE = {"bad": ["bad"], "threshold": 0.4, "thresholds": {}}


class Darkness:
    """The darker a picture, the worse."""

    names, preprocessing, precision, device = NAMES, Preprocessing(32), "fp32", "cpu"

    def __call__(self, batch: Image) -> FloatArray:
        bad = 1 - batch.reshape(len(batch), -1).mean(axis=1) / 255
        return np.stack([bad, 1 - bad], axis=1).astype(np.float32)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "best.safetensors"
    save_model(path, {}, ModelCard({"task": "classify", "name": "cnn"}, NAMES, Preprocessing(32)))
    return path


def loader(decision: object) -> object:
    return lambda settings: ClassifierPredictor(Darkness(), decision=decision, path=settings.model)


def picture(brightness: int) -> Upload:
    file = io.BytesIO()
    Pil.new("RGB", (64, 64), (brightness,) * 3).save(file, "png")
    return Upload(file.getvalue(), "part.png")


def test_a_picture_is_ng_by_its_bad_class(model: Path, tmp_path: Path) -> None:
    settings = one_model(model, database=str(tmp_path / "records.sqlite3"))
    service = assemble(settings, loader({"rule": RULE}))  # type: ignore[arg-type]
    dark, light = asyncio.run(service.models.choose(None).engine.inspect([picture(51), picture(204)], None, "marked"))
    service.models.close()
    (finding,) = dark.detections
    assert (dark.decision, dark.defects, light.decision, light.defects) == ("NG", 1, "OK", 0)
    assert finding == {"box": [0.0, 0.0, 64.0, 64.0], "score": 0.8, "label": 0, "name": "bad", "defect": True}
    assert isinstance(Result(**result_of(dark)).rule, ClassRule)


def test_without_a_rule_nothing_says_what_is_bad(model: Path, tmp_path: Path) -> None:
    settings = one_model(model, database=str(tmp_path / "records.sqlite3"))
    with pytest.raises(UserError, match=r"best\.safetensors: has no OK/NG rule.*calibrate it first"):
        assemble(settings, loader(None))  # type: ignore[arg-type]


def test_sizes_belong_to_boxes(model: Path, tmp_path: Path) -> None:
    settings = one_model(model, min_size=3.0, database=str(tmp_path / "records.sqlite3"))
    with pytest.raises(UserError, match="a smallest size belongs to detectors"):
        assemble(settings, loader({"rule": RULE}))  # type: ignore[arg-type]
