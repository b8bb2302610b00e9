"""``lightdet export`` end to end, and the commands that then work without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from small_detector import save_small_detector

from lightdet.cli.app import main
from lightdet.data.synthetic import CLASSES, SyntheticPlan, write_synthetic
from lightdet.errors import UserError
from lightdet.exporting.request import check_request
from lightdet.inference.openvino_runtime import OpenVinoFile
from lightdet.options.export import ExportOptions
from lightdet.runs.export import Export
from lightdet.tasks import DETECTION


@pytest.fixture(autouse=True, scope="module")
def _few_traces(_traced_once: None) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered set in ``set/`` and an untrained model for it in ``model.safetensors``."""
    place = tmp_path_factory.mktemp("export")
    write_synthetic(place / "set", SyntheticPlan(images=10, imgsz=96, seed=3, val=0.4))
    save_small_detector(place / "model.safetensors", CLASSES)
    cv2.imwrite(str(place / "part.png"), np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8))
    return place


def failed(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    return message


def without_torch(*commands: Sequence[object]) -> None:
    """Run commands one after the other in a process of its own and see that torch was never imported."""
    code = (
        "import json, sys\nfrom lightdet.cli.app import main\ncode = max(map(main, json.loads(sys.argv[1])))\n"
        "sys.exit(code or ('torch was imported' if 'torch' in sys.modules else 0))"
    )
    command = [sys.executable, "-c", code, json.dumps([[*map(str, words)] for words in commands])]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr + run.stdout


def test_a_proved_export_detects_and_evaluates_without_torch(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, result = tmp_path / "out" / "model.onnx", tmp_path / "export.json"
    weights = folder / "model.safetensors"
    assert main(["export", "-w", str(weights), "-o", str(model), "--json", str(result)]) == 0
    shown = capsys.readouterr().out
    assert "verified on 16 pictures" in shown and ", 0 unmatched" in shown
    told = json.loads(result.read_text())
    assert told["detections"] >= 10 and told["unmatched"] == 0 and told["bytes"] == model.stat().st_size
    assert [path.name for path in model.parent.iterdir()] == ["model.onnx"]
    card = json.loads({entry.key: entry.value for entry in onnx.load(model).metadata_props}["lightdet"])
    assert card["facts"]["proof"]["pictures"] == 16 and card["names"] == list(CLASSES)

    found, numbers = tmp_path / "found.json", tmp_path / "val.json"
    data = folder / "set" / "dataset.yaml"
    without_torch(
        ["detect", folder / "part.png", "-w", model, "--threads", 1, "--json", found, "-o", tmp_path / "d"],
        ["val", "-w", model, "-d", data, "-o", tmp_path / "v", "--threads", 1, "--json", numbers],
    )
    assert main(["detect", str(folder / "part.png"), "-w", str(weights), "--json", str(tmp_path / "theirs.json"),
                 "-o", str(tmp_path / "e")]) == 0  # fmt: skip
    ours, theirs = (json.loads(path.read_text()) for path in (found, tmp_path / "theirs.json"))
    assert ours["detections"] == theirs["detections"]
    assert json.loads(numbers.read_text())["precision_mode"] == "fp32"


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_proof_counts_for_what_was_computed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: str
) -> None:
    openvino = pytest.importorskip("openvino")
    model, result = tmp_path / "model.xml", tmp_path / "export.json"
    command = ["export", "-w", str(folder / "model.safetensors"), "-f", "openvino", "--precision", precision]
    code = main([*command, "-o", str(model), "--json", str(result)])
    out, err = capsys.readouterr()
    if code != 0:  # where a processor does compute in few bits, an untrained network may differ by too much
        assert precision != "fp32" and "not exported" in err
        return
    hint = {"INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}[precision]}
    told = openvino.Core().compile_model(str(model), "CPU", hint).get_property("INFERENCE_PRECISION_HINT").to_string()
    computed = {"f32": "fp32", "bf16": "bf16", "f16": "fp16"}[told]
    assert json.loads(result.read_text())["computed"] == computed
    card = json.loads(openvino.Core().read_model(str(model)).get_rt_info("lightdet").astype(str))
    assert card["facts"]["proof"]["computed"] == computed and card["precision"] == precision
    assert (f"{precision} is not verified" in out) == (computed != precision)
    assert (f"made for {precision}" in out) == (computed != precision)
    assert OpenVinoFile(model, device="cpu").precision == computed


def test_what_cannot_be_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = folder / "model.safetensors"
    assert "no such file" in failed(capsys, "export", "-w", folder / "none.safetensors")
    assert "must end in .xml" in failed(capsys, "export", "-w", weights, "-f", "openvino", "-o", folder / "a.onnx")
    assert "give --data" in failed(capsys, "export", "-w", weights, "--precision", "int8")
    assert "take --format openvino" in failed(capsys, "export", "-w", weights, "--precision", "bf16")
    assert "neither a number" in failed(capsys, "export", "-w", weights, "--batch", "0")
    assert "give --data" in failed(capsys, "export", "-w", weights, "--split", "test")
    assert "not a multiple of 32" in failed(capsys, "export", "-w", weights, "--imgsz", "100")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int8", "data": Path(__file__), "nms": True}, "exclude each other"),
        ({"precision": "int8", "data": Path(__file__), "dynamic_size": True}, "exclude each other"),
    ],
)
def test_what_excludes_each_other(folder: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_request(ExportOptions(folder / "model.safetensors", **options))  # type: ignore[arg-type]


def test_an_export_that_finds_something_else_is_not_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Export._traced

    def wrong(self: Export, *given: Any) -> onnx.ModelProto:
        """One bias of one convolution is lost."""
        model = right(self, *given)
        lost = next(each for each in model.graph.initializer if "outputs.0.bias" in each.name)
        lost.CopyFrom(numpy_helper.from_array(np.zeros_like(numpy_helper.to_array(lost)), lost.name))
        return model

    monkeypatch.setattr(Export, "_traced", wrong)
    target = tmp_path / "model.onnx"
    message = failed(capsys, "export", "-w", folder / "model.safetensors", "-o", target)
    assert "not exported:" in message and "differ from the checkpoint's by more than 0.002 in score" in message
    assert not list(tmp_path.glob("*.onnx")) and not list(tmp_path.glob(".lightdet*"))


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)  # root may write everywhere
    monkeypatch.setattr("lightdet.runs.export.Export._traced", lambda *_: pytest.fail("too late"))
    message = failed(capsys, "export", "-w", folder / "model.safetensors", "-o", folder / "closed" / "m.onnx")
    assert "m.onnx: cannot be written: Permission denied" in message


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_a_full_disk_is_one_line_and_nothing_is_left(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    import openvino

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(openvino, "save_model", fails)
    target = tmp_path / f"m{'.onnx' if kind == 'onnx' else '.xml'}"
    message = failed(capsys, "export", "-w", folder / "model.safetensors", "-f", kind, "-o", target)
    assert "No space left on device" in message or "is the disk full?" in message
    assert f"{target.name}: cannot be written: " in message and list(tmp_path.iterdir()) == []


def test_what_finds_nothing_proves_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = folder / "set" / "dataset.yaml"
    asked = ["export", "-w", folder / "model.safetensors", "-o", tmp_path / "m.onnx", "--nms", "--confidence", "0.9999"]
    told = failed(capsys, *asked, "--data", data)
    assert "finds nothing with a score of 1.0019 or more in the split 'val'" in told
    assert "give another --split, or a lower --confidence" in told
    result = tmp_path / "export.json"  # far above the network's own threshold, no margin is needed
    assert main([str(word) for word in [*asked[:-1], "0.1", "--data", data, "--json", result]]) == 0
    assert json.loads(result.read_text())["floor"] == 0.25


def test_8_bits_of_what_finds_nothing_right_are_not_measured(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(DETECTION.scores), "headline_score", lambda *_: 0.0)
    monkeypatch.setattr("lightdet.runs.export.Export._quantize", lambda _, traced, *__: traced)
    asked = ["export", "-w", folder / "model.safetensors", "-o", tmp_path / "m.onnx", "--precision", "int8"]
    told = failed(capsys, *asked, "--data", folder / "set" / "dataset.yaml", "--max-drop", 100)
    assert "finds nothing right on 'val' (mAP@0.5:0.95 0): the loss of int8 cannot be measured there" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_8_bits_tell_their_loss_and_stop_past_a_limit(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    target = tmp_path / f"model{'.onnx' if kind == 'onnx' else '.xml'}"
    asked = ["export", "-w", folder / "model.safetensors", "-f", kind, "-o", target, "--precision", "int8"]
    asked += ["--data", folder / "set" / "dataset.yaml", "--calibration", 4]
    scores = iter([0.50, 0.48] * 2)
    monkeypatch.setattr(type(DETECTION.scores), "headline_score", lambda *_: next(scores))
    message = failed(capsys, *asked, "--max-drop", 1.9)
    assert "int8 loses 2.00 points of mAP@0.5:0.95 (0.5000 to 0.4800) on 'val', more than --max-drop 1.9" in message
    assert list(tmp_path.iterdir()) == []
    assert main([str(argument) for argument in [*asked, "--max-drop", 2.1]]) == 0
    assert "(-2.00 points)" in capsys.readouterr().out
    without_torch(["detect", folder / "part.png", "-w", target, "--json", tmp_path / "x.json", "--no-images"])
