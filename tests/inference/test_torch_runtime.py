"""From a model file to boxes with the real network (untrained: what it finds does not matter, that it agrees does)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lightdet
from lightdet.assembly.detector import build_detector, load_detector
from lightdet.card import ModelCard
from lightdet.classification.runtime import TorchClassRuntime
from lightdet.config import ModelConfig
from lightdet.errors import UserError
from lightdet.inference.torch_runtime import TorchRuntime
from lightdet.models.device import choose_device
from lightdet.models.weights import save_model
from lightdet.structures import Preprocessing

NAMES = ("dent", "scratch", "stain")
CONFIG = ModelConfig(widths=[8, 8, 16, 16, 16])
CARD = ModelCard(CONFIG.model_dump(mode="json"), NAMES, Preprocessing(96))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    detector = build_detector(CONFIG, len(NAMES), 96)
    with torch.no_grad():  # scores that pass thresholds
        for conv in detector.head.outputs:  # type: ignore[union-attr]
            conv.bias += 3.0  # type: ignore[operator]
    path = tmp_path_factory.mktemp("model") / "Prüfung.safetensors"
    save_model(path, detector.state_dict(), CARD)
    return path


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)


def test_it_gives_what_network_and_postprocessing_give(model: Path, picture: np.ndarray) -> None:
    detector, card = load_detector(model)
    runtime = TorchRuntime(detector, card.names, card.preprocessing, confidence=0.05, iou=0.5, max_detections=20)
    boxes, scores, labels = runtime(picture[None])[0]
    images = torch.tensor(picture.transpose(2, 0, 1)[None].copy()).float() / 255
    with torch.no_grad():
        grids = detector.eval()(images)
    wanted = detector.select(grids, confidence=0.05, iou=0.5, max_detections=20)[0]
    assert len(boxes) == 20
    assert np.allclose(boxes, wanted[0].numpy(), atol=1e-2)
    assert np.allclose(scores, wanted[1].numpy(), atol=1e-4)
    assert (boxes.dtype, scores.dtype, labels.dtype) == (np.float32, np.float32, np.int64)
    assert set(runtime.milliseconds) == {"network", "postprocess"} and min(runtime.milliseconds.values()) > 0


def test_load_gives_a_predictor_in_pixels_of_the_picture(model: Path, picture: np.ndarray) -> None:
    predictor = lightdet.load(model, confidence=0.05)
    large = np.repeat(np.repeat(picture, 2, axis=0), 2, axis=1)
    found = predictor(large)
    assert found.names == NAMES and found.size == (192, 192) and len(found) > 0
    assert found.boxes.max() <= 192 and found.boxes.max() > 96
    assert set(found.milliseconds) == {"preprocess", "network", "postprocess"}
    together = predictor.batch([large, picture, large])
    assert np.allclose(together[0].scores, together[2].scores)


def test_settings_are_obeyed(model: Path, picture: np.ndarray) -> None:
    all_of_them = lightdet.load(model, confidence=0.05, iou=1.0)(picture)
    fewer = lightdet.load(model, confidence=0.05, iou=0.3)(picture)
    assert len(fewer) < len(all_of_them) <= 300
    threshold = float(all_of_them.scores[len(all_of_them) // 2])
    assert lightdet.load(model, confidence=threshold, iou=1.0)(picture).scores.min() >= threshold
    assert len(lightdet.load(model, confidence=0.05, max_detections=3)(picture)) == 3
    assert lightdet.load(model, imgsz=160).preprocessing == replace(CARD.preprocessing, imgsz=160)


def test_bf16_is_close(model: Path, picture: np.ndarray) -> None:
    exact = lightdet.load(model, confidence=0.05)(picture)
    close = lightdet.load(model, confidence=0.05, precision="bf16")(picture)
    assert close.scores.dtype == np.float32
    assert np.abs(close.scores[:5] - exact.scores[:5]).max() < 0.02


class Watching(torch.nn.Module):
    """Notes in which format cuDNN would convolve while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.num_classes = len(NAMES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.meanwhile()
        self.seen.append(torch.backends.cudnn.conv.fp32_precision)
        return torch.zeros(len(images), len(NAMES))


@pytest.fixture(params=["detector", "classifier"])
def watched(request: pytest.FixtureRequest) -> tuple[Watching, Callable[[str], Any]]:
    """A network, and what runs it on a device of that name: only the name, since there may be none."""
    network = Watching()
    runtime: Any
    if request.param == "detector":
        runtime = TorchRuntime(network, NAMES, Preprocessing(96)).as_trained()  # type: ignore[arg-type]
        return network, lambda name: vars(runtime).update(device=torch.device(name)) or runtime._network(IMAGES)
    runtime = TorchClassRuntime(network, NAMES, Preprocessing(96)).as_trained()
    return network, lambda name: vars(runtime).update(_device=torch.device(name)) or runtime._network(IMAGES)


IMAGES = torch.zeros(1, 3, 96, 96)


def test_fp32_on_a_gpu_is_not_tf32_and_the_rest_of_the_process_keeps_its_own(
    watched: tuple[Watching, Callable[[str], Any]],
) -> None:
    network, run = watched
    network.seen.clear()  # of the measurement
    usual = torch.backends.cudnn.conv.fp32_precision
    assert usual == "tf32"  # torch's default, with which trainings are faster
    run("cuda")
    assert network.seen == ["ieee"] and torch.backends.cudnn.conv.fp32_precision == usual
    run("cpu")
    assert network.seen == ["ieee", usual]

    def broken() -> None:
        raise RuntimeError("out of memory")

    network.meanwhile = broken
    with pytest.raises(RuntimeError):
        run("cuda")
    assert torch.backends.cudnn.conv.fp32_precision == usual


def test_threads_that_overlap_all_compute_in_fp32(watched: tuple[Watching, Callable[[str], Any]]) -> None:
    network, run = watched
    network.seen.clear()
    both, first_is_done = threading.Barrier(2), threading.Event()

    def meanwhile() -> None:
        if both.wait(timeout=30):
            assert first_is_done.wait(timeout=30)

    network.meanwhile = meanwhile
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(run, "cuda") for _ in range(2)]
        next(as_completed(asked)).result()
        first_is_done.set()
        for each in asked:
            each.result()
    assert network.seen == ["ieee", "ieee"] and torch.backends.cudnn.conv.fp32_precision == "tf32"


def test_rectangles(model: Path) -> None:
    wide = np.random.default_rng(0).integers(0, 256, (40, 192, 3), dtype=np.uint8)
    found = lightdet.load(model, confidence=0.05, rect=True)(wide)
    assert found.size == (192, 40) and len(found) > 0 and found.boxes[:, 3].max() <= 40


def damaged(model: Path, tmp_path: Path, kind: str) -> Path:
    detector, card = load_detector(model)
    weights = detector.state_dict()
    path = tmp_path / "damaged.safetensors"
    if kind == "truncated":
        path.write_bytes(model.read_bytes()[:5000])
        return path
    if kind == "foreign":
        path.write_bytes(b"PK\x03\x04 a pickle of another program" * 10)
        return path
    if kind == "folder":
        path.mkdir()
        return path
    if kind == "missing":
        return path
    if kind == "nan":
        next(iter(weights.values())).fill_(float("nan"))
    if kind == "classes":
        card = replace(card, names=(*NAMES, "more"))
    if kind == "no names":
        card = replace(card, names=())
    if kind == "shape":
        card = replace(card, model={**card.model, "widths": [16, 16, 16, 16, 16]})
    if kind == "key":
        card = replace(card, model={**card.model, "widhts": [16, 16, 16, 16, 16]})
    save_model(path, weights, card)
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("truncated", "truncated"),
        ("foreign", "safetensors"),
        ("folder", "is a folder"),
        ("missing", "no such file"),
        ("nan", "not numbers"),
        ("classes", "do not fit"),
        ("no names", "card is damaged"),
        ("shape", "do not fit"),
        ("key", "widths"),
    ],
)
def test_a_bad_model_file_is_told_in_one_line(model: Path, tmp_path: Path, kind: str, words: str) -> None:
    path = damaged(model, tmp_path, kind)
    with pytest.raises(UserError, match=words) as caught:
        lightdet.load(path)
    assert "damaged.safetensors" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"imgsz": 100}, "multiple of 32"),
        ({"confidence": 1.5}, "confidence"),
        ({"confidence": float("nan")}, "confidence"),
        ({"iou": -0.1}, "iou"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"device": "cuda:x"}, "unknown device"),
        ({"device": "cpu:1"}, "unknown device"),
        ({"precision": "int8"}, "fp32, bf16 or fp16"),
        ({"precision": "fp16"}, "needs a GPU"),
    ],
)
def test_bad_settings_are_told(model: Path, settings: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        lightdet.load(model, **settings)  # type: ignore[arg-type]


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    if torch.cuda.is_available():
        assert choose_device("auto") == choose_device("cuda") == torch.device("cuda", 0)
        with pytest.raises(UserError, match="counted from"):
            choose_device("cuda:99")
    else:
        assert choose_device("auto") == torch.device("cpu")
        with pytest.raises(UserError, match="use --device cpu"):
            choose_device("cuda")


def test_the_package_names_its_parts_without_importing_torch() -> None:
    code = (
        "import sys, lightdet\n"
        "assert set(lightdet.__all__) <= set(dir(lightdet))\n"
        "assert not {'torch', 'numpy', 'cv2'} & set(sys.modules)\n"
        "lightdet.Detections, lightdet.Annotation, lightdet.Predictor, lightdet.UserError, lightdet.__version__\n"
        "assert 'torch' not in sys.modules\n"
        "lightdet.load\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    names: dict[str, object] = {}
    exec("from lightdet import *", names)  # loads all, torch too
    assert names["load"] is lightdet.load


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="it has Annotation"):
        lightdet.nothing  # noqa: B018
