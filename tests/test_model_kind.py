"""A model file's kind comes from its bytes, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from safetensors.numpy import save

from lightdet.model_kind import is_export, model_kind

NAMES = ("cal", "cal.pt", "cal.onnx", "cal.XML", "cal.safetensors", "cal.v2", ".safetensors")


def onnx_bytes(version: int = 8, producer: str = "") -> bytes:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [value])
    model = helper.make_model(graph, producer_name=producer, ir_version=version)
    return bytes(model.SerializeToString())


@given(names=st.sets(st.sampled_from(NAMES), min_size=1), text=st.text(max_size=300), version=st.integers(3, 20))
def test_the_bytes_say_it_whatever_the_name(
    tmp_path_factory: pytest.TempPathFactory, names: set[str], text: str, version: int
) -> None:
    folder = tmp_path_factory.mktemp("kind")
    files = {
        "checkpoint": save({"w": np.zeros(3, np.float32)}, {"note": text}),
        "onnx": onnx_bytes(version, text),
        "openvino": b'<?xml version="1.0"?>\n<net name="Model0" version="11">',
    }
    for name in names:
        for kind, data in files.items():
            (folder / name).write_bytes(data)
            assert model_kind(folder / name) == kind
            assert is_export(folder / name) == (kind != "checkpoint")


@given(data=st.binary(max_size=64).filter(lambda data: data[8:9] != b"{" and data[:1] not in (b"\x08", b"<")))
def test_where_the_bytes_are_of_no_model_the_ending_says_who_complains(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("kind")
    told = {"a.onnx": "onnx", "a.xml": "openvino", "a.safetensors": "checkpoint", "a": None, "a.pt": None}
    for name, kind in told.items():
        assert model_kind(folder / name) == kind  # missing
        (folder / name).write_bytes(data)
        assert model_kind(folder / name) == kind


def test_texts_and_other_files_are_no_models(tmp_path: Path) -> None:
    other = {
        "json": b'{"a": 1}  {', "page": b"<!doctype html><html><body>", "zip": b"PK\x03\x04" + bytes(30),
        "yaml": b"format: yolo\n", "tiny": b"\x08", "png": b"\x89PNG\r\n\x1a\n{",
    }  # fmt: skip
    for name, data in other.items():
        (tmp_path / name).write_bytes(data)
        assert model_kind(tmp_path / name) is None, name
    assert model_kind(tmp_path) is None
    onnx.checker.check_model(onnx.load_model_from_string(onnx_bytes()))  # what is taken for one is one
