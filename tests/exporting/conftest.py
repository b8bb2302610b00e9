"""A small untrained network with random statistics, and what is exported from it: made once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from export_networks import CONFIG, NAMES, SIDE
from random_statistics import randomize_statistics

from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard
from lightdet.exporting import onnx as tracing
from lightdet.exporting.network import deployable
from lightdet.exporting.onnx import with_card
from lightdet.exporting.onnx_nms import add_nms
from lightdet.exporting.openvino import save_ir, to_openvino
from lightdet.inference.export_card import ExportCard
from lightdet.models import DetectionNetwork
from lightdet.models.weights import save_model
from lightdet.structures import Preprocessing


@pytest.fixture(autouse=True, scope="session")
def _few_traces(_traced_once: None) -> None:
    pass


@pytest.fixture(scope="session")
def network() -> DetectionNetwork:
    torch.manual_seed(0)
    made = build_detector(CONFIG, len(NAMES), SIDE)
    with torch.no_grad():  # scores that pass thresholds
        for conv in made.head.outputs:  # type: ignore[union-attr]
            conv.bias.zero_()  # type: ignore[operator]
    return randomize_statistics(made)  # type: ignore[return-value]


@pytest.fixture(scope="session")
def checkpoint(network: DetectionNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "Prüfung 1.safetensors"
    save_model(path, network.state_dict(), ModelCard(CONFIG.model_dump(mode="json"), NAMES, Preprocessing(SIDE)))
    return path


@pytest.fixture(scope="session")
def exported(network: DetectionNetwork, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return what exports `network` to a file; each kind once."""
    folder = tmp_path_factory.mktemp("exported")
    made: dict[str, Path] = {}

    def make(
        kind: str, *, batch: int | None = 1, dynamic: bool = False, nms: bool = False, agnostic: bool = False
    ) -> Path:
        path = folder / f"{batch}-{dynamic}-{nms}-{agnostic}.{kind}"
        if path.name not in made:
            preprocessing = Preprocessing(SIDE)
            deploy = deployable(
                network, preprocessing, layout="planar" if kind == "onnx" else "interleaved", decode=nms
            )
            model = tracing.to_onnx(deploy, SIDE, batch=batch, dynamic_size=dynamic)
            if nms:
                model = add_nms(model, confidence=0.25, iou=0.5, max_detections=40, agnostic=agnostic)
            card = ExportCard(
                NAMES,
                preprocessing,
                deploy.layout,
                "detections" if nms else deploy.outputs,
                deploy.anchors,
                deploy.strides,
                iou=0.5,
                agnostic=agnostic,
                max_detections=40,
                batch=batch,
                dynamic_size=dynamic,
                version="1.2.3",
            )
            if kind == "onnx":
                path.write_bytes(with_card(model, card))
            else:
                save_ir(to_openvino(model), path, card)
            made[path.name] = path
        return made[path.name]

    return make


@pytest.fixture
def pictures() -> np.ndarray:
    """Five pictures, uint8 ``[5, 96, 96, 3]``."""
    draw = np.random.default_rng(0)
    blocks = draw.integers(0, 256, (5, 12, 12, 3), dtype=np.uint8)
    noise = draw.integers(0, 40, (5, 96, 96, 3), dtype=np.uint8)  # no two places alike: equal scores have no order
    return blocks.repeat(8, axis=1).repeat(8, axis=2) // 2 + noise
