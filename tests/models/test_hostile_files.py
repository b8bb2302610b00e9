"""Model files that were changed on purpose, without a check sum or under a new one: one line each, and no flood."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import lightdet
from lightdet.card import card_values
from lightdet.config.classification import CnnConfig, DnnConfig
from lightdet.decisions import DecisionRule
from lightdet.errors import UserError
from lightdet.inference.onnx_metadata import onnx_metadata

KEPT = Path(__file__).parent / "kept"
PICTURE = np.zeros((20, 30, 3), np.uint8)
NO_TEXT = b"\xff\xfe\xed\xa0\x80"


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        lightdet.load(path, threads=1)(PICTURE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Checkpoints --------------------------------------------------------------------------------------------------------


def checkpoint(folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """A kept file of 0.1 (without a check sum) whose header or card was changed."""
    data = (KEPT / "classifier.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    card = json.loads(header["__metadata__"]["lightdet"])
    change(header, card)
    header["__metadata__"]["lightdet"] = json.dumps(card)
    text = json.dumps(header).encode()
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    return path


@pytest.mark.parametrize(
    "model",
    [
        {"task": "classify", **DnnConfig(hidden=(65536, 65536, 65536)).model_dump(mode="json")},
        {"task": "classify", **CnnConfig(widths=(65536, 65536)).model_dump(mode="json")},
    ],
    ids=["dense", "convolutions"],
)
def test_a_card_of_a_huge_network_takes_no_memory(tmp_path: Path, model: dict[str, Any]) -> None:
    """The networks would have 17 and 150 GB."""
    path = checkpoint(tmp_path, lambda _, card: card.update(model=model))
    assert "weights do not fit the model in its card" in refused(path)


def test_a_card_of_a_million_layers(tmp_path: Path) -> None:
    model = {"task": "classify", "name": "dnn", "hidden": [1] * 100_000}
    assert "at most 32" in refused(checkpoint(tmp_path, lambda _, card: card.update(model=model)))


def test_numbers_of_eight_bits_are_no_weights() -> None:
    from lightdet.models.weights import rebuilt

    weights = {name: value.to(torch.float8_e4m3fn) for name, value in torch.nn.Linear(2, 2).state_dict().items()}
    with pytest.raises(UserError, match="'weight' holds values that are not numbers"):
        rebuilt(lambda: torch.nn.Linear(2, 2), weights, "a.safetensors")


def test_a_header_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    text = b'{"__metadata__": {"a": "' + b"x" * (25 << 20) + b'"}}'
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    assert "has a header of 25 MiB" in refused(path)


def test_a_key_that_stands_twice_is_no_card() -> None:
    with pytest.raises(ValueError, match="given twice"):
        card_values('{"format": 1, "decision": {"rule": {"threshold": 0.9, "threshold": 0.1}}}', "a.onnx")


# Exports ------------------------------------------------------------------------------------------------------------


def changed_onnx(folder: Path, change: Callable[[onnx.ModelProto], None], **card: Any) -> Path:
    model = onnx.load(KEPT / "classifier.onnx")
    for entry in model.metadata_props:
        if entry.key == "lightdet":
            entry.value = json.dumps(json.loads(entry.value) | card)
    change(model)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString().replace(b"@text", NO_TEXT))
    return path


def rename_input(model: onnx.ModelProto) -> None:
    old = model.graph.input[0].name
    model.graph.input[0].name = "@text"
    for node in model.graph.node:
        node.input[:] = ["@text" if name == old else name for name in node.input]


def rename_graph(model: onnx.ModelProto) -> None:
    model.graph.name = "@text"


def change_metadata(model: onnx.ModelProto) -> None:
    model.metadata_props.add(key="@text", value="@text")


@pytest.mark.parametrize("change", [rename_input, change_metadata])
def test_names_that_are_no_text(
    tmp_path: Path, change: Callable[[onnx.ModelProto], None], capfd: pytest.CaptureFixture[str]
) -> None:
    refused(changed_onnx(tmp_path, change))
    assert capfd.readouterr() == ("", "")


def test_a_graph_whose_name_is_no_text_harms_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = lightdet.load(changed_onnx(tmp_path, rename_graph), threads=1)(PICTURE)
    assert np.isfinite(found.probabilities).all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "facts", [{"complexity": {"params": {}}}, {"complexity": [1]}, {"complexity": []}, {"complexity": {"params": 1}}]
)
def test_a_size_that_is_no_number(tmp_path: Path, facts: dict[str, Any]) -> None:
    assert "model card is damaged" in refused(changed_onnx(tmp_path, lambda _: None, facts=facts))


@pytest.mark.parametrize("key", ["threshold", "min_size"])
def test_a_number_that_no_float_holds_is_no_rule(key: str) -> None:
    with pytest.raises(UserError, match="must"):
        DecisionRule.from_dict({key: 10**400})


def test_a_classifier_for_other_classes(tmp_path: Path) -> None:
    path = changed_onnx(tmp_path, lambda _: None, names=["a", "b", "c"], decision=None)
    assert "model card belongs to another network" in refused(path)


def test_metadata_are_those_that_onnx_reads(tmp_path: Path) -> None:
    """An independent reader of the same bytes; cut anywhere, the file is refused or holds fewer entries."""
    data = (KEPT / "classifier.onnx").read_bytes()
    wanted = {entry.key: entry.value for entry in onnx.load_model_from_string(data).metadata_props}
    assert onnx_metadata(data) == wanted and wanted
    for end in range(0, len(data), 97):
        try:
            found = onnx_metadata(data[:end])
        except ValueError:
            continue
        assert found.items() <= wanted.items()
    for data in (b"\xff" * 20, b"\x07", b"\x72\xff\xff\xff\xff\x7f", b"\x72\x04\x0a\x02\xff\xfe"):
        with pytest.raises(ValueError):
            onnx_metadata(data)


def test_openvino_metadata_that_are_no_text(tmp_path: Path) -> None:
    data = (KEPT / "detector.xml").read_bytes()
    (tmp_path / "model.xml").write_bytes(data.replace(b"&quot;dent&quot;", NO_TEXT))
    (tmp_path / "model.bin").write_bytes((KEPT / "detector.bin").read_bytes())
    assert "not a usable OpenVINO model (its metadata is damaged)" in refused(tmp_path / "model.xml")


def test_labels_below_zero_of_a_network_that_suppresses() -> None:
    from lightdet.inference.export_card import ExportCard
    from lightdet.inference.exported import _fits
    from lightdet.structures import Preprocessing

    card = ExportCard(("a",), Preprocessing(32), "planar", "detections")
    row = np.array([[0, 1, 1, 5, 5, 0.9, 0]], np.float32)
    assert _fits(card, [row], 1)
    for label in (-1.0, 1.0, np.nan):
        assert not _fits(card, [np.append(row[:, :6], [[label]], axis=1).astype(np.float32)], 1)
    assert not _fits(card, [row[0]], 1) and not _fits(card, [], 1)
