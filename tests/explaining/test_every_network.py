"""Every kind of network can be explained: finite heat, the same twice, through the same door."""

import numpy as np
import pytest
import torch

from lightdet.assembly.classifier import build_classifier
from lightdet.assembly.detector import build_detector
from lightdet.config import YamlFile, load_config
from lightdet.config.classification import load_classify_config
from lightdet.explaining.classifier import ClassifierExplainer
from lightdet.explaining.detector import DetectorExplainer
from lightdet.structures import Preprocessing

PICTURE = np.random.default_rng(5).integers(0, 255, (90, 130, 3), dtype=np.uint8)
CLASSIFIERS = ("mobilenet_v2", "resnet18", "efficientnet_b0", "cnn", "dnn", "mlp_mixer")


LARGE = [pytest.param(name, marks=pytest.mark.slow) for name in ("yolov3", "yolov4", "faster-rcnn")]


@pytest.mark.parametrize("name", ["lightdet", "yolov5n", "yolox-s", "ssd", *LARGE])
def test_every_detector(name: str) -> None:
    torch.manual_seed(0)
    config = load_config(YamlFile({"model": {"name": name}}))
    network = build_detector(config.model, 3, 64).train()
    heats = []
    for _ in range(2):
        explainer = DetectorExplainer(network, ("a", "b", "c"), Preprocessing(64), confidence=0.0, max_detections=40)
        look = explainer.look(PICTURE)
        assert len(look.detections) > 0
        heats.append([look.box(0).values, look.category(2).values])
    for first, second in zip(*heats, strict=True):
        assert first.shape == (90, 130)
        assert np.isfinite(first).all()
        assert np.array_equal(first, second)
    assert any(heat.max() == 1 for heat in heats[0])
    assert not network.training


def test_boxes_are_those_of_the_predictor() -> None:
    """Number by number, also where a square and a rectangle are looked at."""
    from lightdet.inference.predictor import Predictor
    from lightdet.inference.torch_runtime import TorchRuntime

    torch.manual_seed(0)
    network = build_detector(load_config(YamlFile({})).model, 3, 64)
    options = {"confidence": 0.001, "iou": 0.5, "max_detections": 20}
    for rect in (False, True):
        runtime = TorchRuntime(network, ("a", "b", "c"), Preprocessing(64), **options)
        expected = Predictor(runtime, confidence=0.001, rect=rect)(PICTURE)
        explainer = DetectorExplainer(network, ("a", "b", "c"), Preprocessing(64), **options, rect=rect)
        found = explainer.look(PICTURE).detections
        assert len(found) > 3
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)
        assert found.labels.tolist() == expected.labels.tolist()


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_every_classifier(name: str, output: str) -> None:
    torch.manual_seed(0)
    model = {"name": name, "output": output}
    config = load_classify_config(YamlFile({"task": "classify", "imgsz": 64, "model": model}))
    network = build_classifier(config.model, 2, 64).train()
    heats = []
    for _ in range(2):
        look = ClassifierExplainer(network, ("good", "bad"), Preprocessing(64, gray=True)).look(PICTURE)
        assert look.probabilities.sum() == pytest.approx(1, abs=1e-5)
        heats.append([look.category(label).values for label in (0, 1)])
    for first, second in zip(*heats, strict=True):
        assert first.shape == (90, 130)
        assert np.isfinite(first).all()
        assert np.array_equal(first, second)
    assert any(heat.max() == 1 for heat in heats[0])
