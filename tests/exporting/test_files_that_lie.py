"""What cannot be run, or would find nothing, is refused in one line: wrong cards, foreign files, absurd numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from export_networks import save_onnx
from onnx import TensorProto, helper

import lightdet
from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.inference.foreign_network import ForeignNetwork
from lightdet.inference.tiled import TiledPredictor
from lightdet.options.ranges import MAX_IMGSZ, side
from lightdet.structures import Preprocessing

Exported = Callable[..., Path]
PICTURE = np.zeros((64, 64, 3), np.uint8)


def with_card(source: Path, target: Path, **changes: Any) -> Path:
    """Copy an .onnx whose card says something else."""
    model = onnx.load(source)
    [entry] = [each for each in model.metadata_props if each.key == "lightdet"]
    card = json.loads(entry.value)
    for key, value in changes.items():
        holder = card["preprocessing"] if key == "imgsz" else card
        holder[key] = value
    entry.value = json.dumps(card)
    return save_onnx(model, target)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ["a"]}, "card belongs to another network"),
        ({"names": list("abcdef")}, "card belongs to another network"),
        ({"anchors": [[[4, 4]]] * 3}, "card belongs to another network"),
        ({"outputs": "candidates"}, "card belongs to another network"),
        ({"outputs": "detections"}, "card belongs to another network"),
        ({"batch": 4}, "its network fails .*export it again"),
        ({"imgsz": 64}, "its network fails .*export it again"),
        ({"layout": "interleaved"}, "its network fails .*export it again"),
    ],
    ids=str,
)
def test_the_card_of_another_network(
    exported: Exported,
    tmp_path: Path,
    changes: dict[str, Any],
    message: str,
) -> None:
    path = with_card(exported("onnx"), tmp_path / "model.onnx", **changes)
    with pytest.raises(UserError, match=rf"model\.onnx: .*{message}") as caught:
        lightdet.load(path, threads=1)(PICTURE)
    assert "\n" not in str(caught.value)


def test_labels_without_a_name_from_a_network_that_suppresses(exported: Exported, tmp_path: Path) -> None:
    path = with_card(exported("onnx", batch=None, dynamic=True, nms=True), tmp_path / "model.onnx", names=["a"])
    draw = np.random.default_rng(0)
    noise = draw.integers(0, 256, (96, 96, 3), dtype=np.uint8)
    with pytest.raises(UserError, match="card belongs to another network"):
        lightdet.load(path, threads=1)(noise)


@pytest.mark.parametrize(("kind", "given"), [("onnx", "batch"), ("xml", "batch")])
def test_a_network_that_fails_is_one_line_on_stderr(exported: Exported, kind: str, given: str) -> None:
    code = (
        "import sys, numpy, lightdet\n"
        "file = lightdet.load(sys.argv[1], threads=1).runtime.file\n"
        "try: file.run(numpy.zeros((7, 5, 5, 5), numpy.uint8))\n"
        "except lightdet.errors.UserError as error: print(error, file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code, exported(kind)], check=False, capture_output=True, text=True)
    assert run.returncode == 0 and run.stderr.count("\n") == 1 and "its network fails (" in run.stderr


@pytest.mark.parametrize("content", [b"<html>no model</html>", b"\x08\x0a junk"])
def test_no_reader_of_openvino_complains_of_what_is_no_model(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes
) -> None:
    path = tmp_path / "model.xml"
    path.write_bytes(content)
    path.with_suffix(".bin").write_bytes(b"\0" * 100)
    assert main(["profile", "-w", str(path)]) == 2
    told = capfd.readouterr().err  # also what its C++ writes past Python
    assert told.startswith("error: ") and told.count("\n") == 1, told
    assert "model.xml: not a usable OpenVINO model" in told


@pytest.mark.parametrize("most", [0, -5])
def test_a_predictor_that_can_find_nothing_is_refused(
    exported: Exported, checkpoint: Path, tmp_path: Path, most: int
) -> None:
    for path in (checkpoint, exported("onnx"), exported("xml")):
        with pytest.raises(UserError, match=f"max_detections must be at least 1, got {most}"):
            lightdet.load(path, max_detections=most)
    with pytest.raises(UserError, match="max_detections must be at least 1"):
        TiledPredictor(lightdet.load(exported("onnx"), threads=1), tile=64, max_detections=most)


def test_absurd_numbers_are_refused_before_they_cost_memory(exported: Exported, checkpoint: Path) -> None:
    for path in (checkpoint, exported("onnx"), exported("xml")):
        with pytest.raises(UserError, match="threads must be at least 1 and at most 1024, got 1000000"):
            lightdet.load(path, threads=1_000_000)
    with pytest.raises(UserError, match="imgsz must be a multiple of 32, from 32 to 8192, got 81920"):
        lightdet.load(exported("onnx", batch=None, dynamic=True, nms=True), imgsz=81920)
    with pytest.raises(UserError, match="from 32 to 8192"):
        lightdet.load(checkpoint, imgsz=81920)
    Preprocessing(MAX_IMGSZ)
    side(int, MAX_IMGSZ)
    with pytest.raises(ValueError, match="from 32 to 8192"):
        Preprocessing(MAX_IMGSZ + 32)


def test_the_command_line_refuses_a_huge_input(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "-w", str(checkpoint), "--imgsz", "81920"]) == 2
    told = capsys.readouterr().err
    assert "81920 is more than 8192" in told and told.count("\n") == 1


def foreign(path: Path, *shape: int | str) -> Path:
    given = helper.make_tensor_value_info("in", TensorProto.FLOAT, shape)
    shown = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Relu", ["in"], ["out"])], "g", [given], [shown])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def test_a_foreign_network_is_timed_for_one_picture(tmp_path: Path, checkpoint: Path) -> None:
    ForeignNetwork(foreign(tmp_path / "one.onnx", 1, 3, 64, 64), threads=1)()
    with pytest.raises(UserError, match=r"four\.onnx: takes batches of 4 pictures; export it for one"):
        ForeignNetwork(foreign(tmp_path / "four.onnx", 4, 3, 64, 64), threads=1)
    with pytest.raises(UserError, match=r"\.safetensors: is neither \.onnx nor \.xml"):
        ForeignNetwork(checkpoint)


def test_a_profile_shows_what_it_knows_and_says_what_it_does_not(
    exported: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightdet.profiling.latency.MIN_BATCHES", 1)
    asked = ["profile", "-w", exported("onnx"), "--against", foreign(tmp_path / "one.onnx", 1, 3, 64, 64)]
    asked += ["--runs", 1, "--batch", 1, "--threads", 1, "--layers"]
    assert main([str(word) for word in asked]) == 0
    ours, theirs = capsys.readouterr().out.split("one.onnx at 64 x 64")
    assert "its layers are not known; give the checkpoint" in ours and "preprocess" in ours and "images/s" in ours
    assert "network" in theirs and "preprocess" not in theirs.split("side by side")[0]
    assert "images/s at a batch" not in theirs
