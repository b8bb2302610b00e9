"""The ablations: each is our detector with one key changed, and costs what that key should cost."""

import functools
from pathlib import Path
from typing import Any

import pytest
import torch

from lightdet.assembly.detector import build_detector
from lightdet.config import Config, load_config, load_yaml
from lightdet.profiling import measure_complexity

FOLDER = Path(__file__).parents[2] / "configs" / "ablation"
CHANGES: dict[str, dict[str, Any]] = {
    "gate_off": {"model.gate_at": []},
    "gate_scalar": {"model.gate": "scalar"},
    "gate_channel": {},
    "gate_input": {"model.gate": "input"},
    "cbam_none": {"model.attention_at": []},
    "cbam_76": {},
    "cbam_38": {"model.attention_at": [16]},
    "cbam_19": {"model.attention_at": [32]},
    "cbam_all": {"model.attention_at": [8, 16, 32]},
    "backbone_spp": {"model.backbone_block": "spp"},
    "backbone_spp_residual": {},
    "backbone_csp": {"model.backbone_block": "csp"},
    "loss_giou": {},
    "loss_ciou": {"loss.box_iou": "ciou"},
}
WIDTHS = (32, 64, 128, 224)  # of the stages, at strides 4, 8, 16, 32


def conv(c_in: int, c_out: int, kernel: int = 1) -> int:
    """Weights of a convolution and its normalization."""
    return c_in * c_out * kernel**2 + 2 * c_out


def cbam(c: int) -> int:
    return 2 * c * max(4, c // 16) + 2 * 7 * 7


def csp(c_in: int, c_out: int, depth: int) -> int:
    h = c_out // 2
    inside = depth * (conv(h, h) + conv(h, h, 3))
    return conv(c_in, h) + inside + h * h + c_in * h + 2 * c_out + conv(c_out, c_out)


def spp(c: int) -> int:
    return conv(c, c // 2) + conv(2 * c, c)


# More or fewer parameters than the detector has, by hand.
DIFFERENCE = {
    "gate_off": -sum(csp(c, c, 1) + c for c in (128, 224)),
    "gate_scalar": 2 - (128 + 224),
    "gate_input": 128**2 + 224**2,  # and a bias for each of the logits
    "cbam_none": -cbam(64),
    "cbam_38": cbam(128) - cbam(64),
    "cbam_19": cbam(224) - cbam(64),
    "cbam_all": cbam(128) + cbam(224),
    "backbone_csp": sum(csp(c, c, depth) - spp(c) for c, depth in zip(WIDTHS, (1, 3, 3, 1), strict=True)),
}


@functools.cache
def cost_of(name: str) -> tuple[int, int]:
    config = Config() if name == "lightdet" else load_config(load_yaml(FOLDER / f"{name}.yaml"))
    with torch.device("meta"):
        cost = measure_complexity(build_detector(config.model, 6, 608), 608)
    return cost.params, cost.flops


def flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, dict) else {above + key: value}
    return found


def test_all_of_them_are_there() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == CHANGES.keys()


@pytest.mark.parametrize("name", CHANGES)
def test_one_key_differs(name: str) -> None:
    config, ours = (flat(c.model_dump()) for c in (load_config(load_yaml(FOLDER / f"{name}.yaml")), Config()))
    alike = {"train.start": "chance"}  # weights are kept for the full network alone
    assert {key: value for key, value in config.items() if value != ours[key]} == {**CHANGES[name], **alike}


@pytest.mark.parametrize("name", CHANGES)
def test_parameters_differ_by_what_was_changed(name: str) -> None:
    assert cost_of(name)[0] - cost_of("lightdet")[0] == DIFFERENCE.get(name, 0)


def test_what_the_changes_cost() -> None:
    """In operations: attention and gates are nearly free, the rebuild and the backbone's blocks are not."""
    ours = cost_of("lightdet")[1]
    share = {name: cost_of(name)[1] / ours - 1 for name in CHANGES}
    for name in ("cbam_none", "cbam_38", "cbam_19", "cbam_all", "gate_scalar"):
        assert abs(share[name]) < 0.005, name
    assert 0 < share["gate_input"] < 0.03
    assert share["gate_off"] < -0.03
    assert share["backbone_csp"] > 0.05
