"""Exported files give what the checkpoint gives, without torch, and say in one line what they cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from export_networks import NAMES, SIDE, save_onnx
from onnx import TensorProto, helper

import lightdet
from lightdet.cli.app import main
from lightdet.errors import UserError
from lightdet.inference.onnx_runtime import _providers
from lightdet.inference.open_exported import open_exported
from lightdet.runs import profile as profiling
from lightdet.service.loading import load_model, load_with_rule
from lightdet.service.model_settings import ModelSettings
from lightdet.structures.scores import reported

Exported = Callable[..., Path]


def assert_alike(ours: list[Any], theirs: list[Any]) -> None:
    assert sum(len(found) for found in ours) > 20
    for a, b in zip(ours, theirs, strict=True):
        assert len(a) == len(b)
        for box, score, label in a:  # scores that differ in the last digit alone have no order
            close = (np.abs(b.boxes - box).max(axis=1) < 0.01) & (np.abs(b.scores - score) < 1e-4)
            assert (close & (b.labels == label)).any()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("onnx", {}),
        ("xml", {}),
        ("onnx", {"batch": None, "dynamic": True, "nms": True}),
        ("xml", {"batch": 2, "nms": True}),
        ("onnx", {"agnostic": True}),
    ],
    ids=str,
)
def test_the_same_predictor_with_the_same_results(
    exported: Exported, checkpoint: Path, pictures: np.ndarray, kind: str, options: dict[str, Any]
) -> None:
    agnostic = "agnostic" in options
    wanted = lightdet.load(checkpoint, iou=0.5, max_detections=40, agnostic=agnostic)
    found = lightdet.load(exported(kind, **options), threads=1)
    assert found.agnostic == agnostic
    assert found.names == NAMES and found.preprocessing == wanted.preprocessing and found.confidence == 0.25
    assert_alike(found.batch(list(pictures)), wanted.batch(list(pictures)))  # also where the file takes one or two
    assert_alike([found(pictures[0])] * 9, [wanted(pictures[0])] * 9)
    assert set(found(pictures[0]).milliseconds) == {"preprocess", "network", "postprocess"}


@pytest.mark.parametrize("kind", ["onnx", "xml"])
def test_threads_that_share_a_model_get_their_own_results(
    exported: Exported, pictures: np.ndarray, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = lightdet.load(exported(kind), threads=1)
    full, empty = pictures[0], np.zeros_like(pictures[0])
    wanted = [len(model(full)), len(model(empty))]
    assert wanted[0] != wanted[1]
    # Between the network and the decoding of its outputs the other thread has its turn.
    monkeypatch.setattr("lightdet.inference.exported.check_numbers", lambda *_: time.sleep(0.005))
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(lambda image: [len(model(image)) for _ in range(20)], each) for each in (full, empty)]
        assert [each.result() for each in asked] == [[count] * 20 for count in wanted]


@pytest.mark.parametrize("kind", ["onnx", "xml"])
def test_outputs_of_one_thread_outlast_the_calls_of_others(exported: Exported, pictures: np.ndarray, kind: str) -> None:
    file = open_exported(exported(kind), threads=1)
    found = file.outputs(pictures[:1])
    before = [output.copy() for output in found]
    with ThreadPoolExecutor(1) as another:
        another.submit(file.outputs, pictures[1:2]).result()
    assert all(np.array_equal(one, two) for one, two in zip(found, before, strict=True))


def test_any_size_and_rectangles_where_the_file_leaves_them_free(
    exported: Exported, checkpoint: Path, pictures: np.ndarray
) -> None:
    path = exported("onnx", batch=None, dynamic=True, nms=True)
    # Without a border: all its places are alike, and equal scores have no order.
    long = [picture[:64] for picture in pictures]
    for images, options in ((long, {"rect": True}), (list(pictures), {"imgsz": 128})):
        ours = lightdet.load(path, threads=1, **options)  # type: ignore[arg-type]
        theirs = lightdet.load(checkpoint, iou=0.5, max_detections=40, **options)  # type: ignore[arg-type]
        assert_alike(ours.batch(images), theirs.batch(images))


@pytest.mark.parametrize("kind", ["onnx", "xml"])
def test_a_score_reaches_a_threshold_as_it_is_reported(exported: Exported, pictures: np.ndarray, kind: str) -> None:
    everything = lightdet.load(exported(kind), confidence=0.1, threads=1).batch(list(pictures))
    scores = [(place, float(score)) for place, found in enumerate(everything) for score in found.scores]
    rounded_up = [(place, score) for place, score in scores if reported(score) > score]
    for place, score in rounded_up[:: max(1, len(rounded_up) // 3)][:3]:
        model = lightdet.load(exported(kind), confidence=reported(score), threads=1)
        assert reported(float(model(pictures[place]).scores[-1])) == model.confidence


def test_thresholds_of_the_file_hold_unless_told(exported: Exported, pictures: np.ndarray) -> None:
    path = exported("onnx")

    def counts(**thresholds: Any) -> list[int]:
        return [len(found) for found in lightdet.load(path, **thresholds).batch(list(pictures))]

    scores = np.concatenate([found.scores for found in lightdet.load(path).batch(list(pictures))])
    assert sum(counts()) > sum(counts(confidence=float(np.median(scores)))) > 0
    assert max(counts(max_detections=1)) == 1 < max(counts())
    assert sum(counts(iou=1.0)) > sum(counts())


@pytest.mark.parametrize(
    ("kind", "options", "given", "message"),
    [
        ("onnx", {}, {"imgsz": 64}, "export it with --imgsz 64"),
        ("onnx", {}, {"rect": True}, "only square pictures"),
        ("onnx", {}, {"precision": "bf16"}, "computes in fp32; for bf16 export it"),
        ("onnx", {}, {"device": "gpu"}, "unknown device 'gpu'"),
        ("onnx", {}, {"threads": 0}, "threads must be at least 1"),
        ("onnx", {}, {"confidence": 1.5}, "confidence must lie in 0-1"),
        ("xml", {}, {"device": "gpu.7"}, "OpenVINO finds no device 'gpu.7' here; it has cpu"),
        ("onnx", {"batch": None, "dynamic": True, "nms": True}, {"confidence": 0.1}, "no score below 0.25"),
        ("onnx", {"batch": None, "dynamic": True, "nms": True}, {"iou": 0.3}, "NMS at 0.5 in the network"),
        ("onnx", {"batch": None, "dynamic": True, "nms": True}, {"max_detections": 50}, "at most 40 boxes"),
        ("onnx", {"batch": None, "dynamic": True, "nms": True}, {"agnostic": True}, "NMS by class in the network"),
        ("xml", {"batch": 2, "nms": True, "agnostic": True}, {"agnostic": False}, "NMS over all classes in the"),
    ],
)
def test_what_a_file_cannot_is_said(
    exported: Exported, kind: str, options: dict[str, Any], given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        lightdet.load(exported(kind, **options), **given)


def test_fp32_on_a_gpu_is_not_tf32() -> None:
    (name, options), cpu = _providers("cuda:1", ["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert (name, cpu) == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert options == {"device_id": 1, "use_tf32": 0}


def test_a_picture_of_another_size_is_refused(exported: Exported) -> None:
    with pytest.raises(UserError, match="takes only pictures of 96 x 96, got 64 x 32"):
        lightdet.load(exported("onnx")).runtime(np.zeros((1, 32, 64, 3), np.uint8))


@pytest.mark.parametrize("content", [b"", b"not a model", None], ids=["empty", "foreign", "truncated"])
@pytest.mark.parametrize("kind", ["onnx", "xml"])
def test_a_damaged_file_is_one_line(exported: Exported, tmp_path: Path, kind: str, content: bytes | None) -> None:
    whole = exported(kind).read_bytes()
    path = tmp_path / f"model.{kind}"
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    path.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(UserError, match=rf"model\.{kind}: ") as caught:
        lightdet.load(path)
    assert "\n" not in str(caught.value)


def test_missing_weights_and_foreign_networks_are_told(exported: Exported, tmp_path: Path) -> None:
    lonely = tmp_path / "lonely.xml"
    lonely.write_bytes(exported("xml").read_bytes())
    with pytest.raises(UserError, match=r"its weights are missing: lonely\.bin"):
        lightdet.load(lonely)
    model = onnx.load(exported("onnx"))
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(UserError, match="was not exported by lightdet"):
        lightdet.load(tmp_path / "foreign.onnx")


def test_weights_of_another_export_are_refused(exported: Exported, tmp_path: Path) -> None:
    source = exported("xml")
    path = tmp_path / "model.xml"
    path.write_bytes(source.read_bytes())
    weights = bytearray(source.with_suffix(".bin").read_bytes())
    path.with_suffix(".bin").write_bytes(weights)
    lightdet.load(path, threads=1)
    weights[len(weights) // 2] ^= 1
    path.with_suffix(".bin").write_bytes(weights)
    with pytest.raises(UserError, match=r"model\.bin: does not belong to the \.xml beside it"):
        lightdet.load(path, threads=1)


def test_the_file_tells_what_it_is_and_nothing_of_where_it_was_made(exported: Exported) -> None:
    path = exported("onnx")
    model = onnx.load(path)
    card = json.loads({entry.key: entry.value for entry in model.metadata_props}["lightdet"])
    assert card["names"] == list(NAMES) and card["preprocessing"]["imgsz"] == SIDE
    assert (card["confidence"], card["iou"], card["max_detections"], card["version"]) == (0.25, 0.5, 40, "1.2.3")
    assert card["preprocessing"]["scale"] == pytest.approx(1 / 255)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert str(Path(lightdet.__file__).parent).encode() not in path.read_bytes()
    kinds = [node.op_type for node in model.graph.node]
    assert not {"BatchNormalization", "Slice", "Transpose", "Identity"} & set(kinds)


BLOCKED = """
import sys
from importlib.metadata import packages_distributions
blocked = set(packages_distributions()) - {allowed!r}
assert "torch" in blocked
class Guard:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, *more):
        return None if name.partition(".")[0] in blocked else self.finder.find_spec(name, *more)
sys.meta_path[:] = [Guard(finder) for finder in sys.meta_path]
"""
"""What runs in a process in which nothing but the dependencies of packaging/runtime can be imported."""
RUNTIME = {
    "lightdet",
    "numpy",
    "cv2",
    "PIL",
    "onnxruntime",
    "openvino",
    "cyclopts",
    "attr",
    "attrs",
    "docstring_parser",
    "rich",
    "rich_rst",
    "pydantic",
    "pydantic_core",
}
RUNTIME |= {
    "yaml",
    "safetensors",
    "typing_extensions",
    "typing_inspection",
    "annotated_types",
    "markdown_it",
    "pygments",
}
RUNTIME |= {
    "mdurl",
    "flatbuffers",
    "packaging",
    "google",
    "_yaml",
    "openvino_telemetry",
}


@pytest.mark.parametrize("kind", ["onnx", "xml"])
def test_a_detection_needs_the_small_installation_alone(exported: Exported, kind: str, tmp_path: Path) -> None:
    code = BLOCKED.format(allowed=RUNTIME) + (
        "import numpy, lightdet\n"
        "found = lightdet.load(sys.argv[1], confidence=0.05)(numpy.zeros((50, 70, 3), numpy.uint8))\n"
        "bad = {'torch', 'torchvision', 'onnx', 'nncf'} & set(sys.modules)\n"
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", code, str(exported(kind))]
    run = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | home)
    assert run.returncode == 0, run.stderr
    assert not any(tmp_path.iterdir())  # no id of this computer, no events that wait to be sent


SEVERAL = """
import contextlib, io, json
from lightdet.cli.app import main
told = []
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    told.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(told))
"""


def test_the_commands_need_the_small_installation_alone(exported: Exported, tmp_path: Path) -> None:
    picture, weights = tmp_path / "parts" / "part.png", tmp_path / "x.safetensors"
    picture.parent.mkdir()
    cv2.imwrite(str(picture), np.zeros((50, 70, 3), np.uint8))
    split = "splits: {val: {images: parts, unlabelled: background}}"
    (tmp_path / "set.yaml").write_text(f"format: yolo\nclasses: [dent, scratch, stain]\n{split}\n")
    weights.write_bytes(b"")
    file, ir = exported("onnx"), exported("xml")
    commands: list[list[object]] = [
        ["detect", picture, "-w", file, "-o", tmp_path / "out", "--save", "json,csv,yolo,coco"],
        ["profile", "-w", file, "-w", ir, "--runs", 1, "--batch", 1],
        ["profile", "--runs", 1],
        ["val", "-w", file, "-d", tmp_path / "set.yaml", "-o", tmp_path / "v"],
        ["profile", "-w", weights],
    ]
    words = json.dumps([[str(word) for word in command] for command in commands])
    code = BLOCKED.format(allowed=RUNTIME) + SEVERAL
    run = subprocess.run([sys.executable, "-c", code, words], check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    detected, timed, *refused = json.loads(run.stdout)
    assert detected[0] == 0, detected
    assert timed[0] == 0 and "one picture, ms" in timed[1], timed
    for (code, _, err), message in zip(
        refused,
        (
            "this needs torch, which is not installed",
            "is not installed: lightdet-runtime has it in its extra 'val'",
            "x.safetensors: needs torch, which is not installed",
        ),
        strict=True,
    ):
        assert code == 2 and message in err and err.count("\n") == 1


def test_a_profile_times_exports_and_foreign_networks_in_turn(
    exported: Exported,
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lightdet.profiling.latency.MIN_BATCHES", 1)
    whole = profiling.measure_throughput
    monkeypatch.setattr(profiling, "measure_throughput", lambda *a, **k: whole(*a, **k, seconds=0.0))
    foreign, result = tmp_path / "foreign.onnx", tmp_path / "profile.json"
    given = helper.make_tensor_value_info("in", TensorProto.FLOAT, ["n", 3, "h", "w"])
    shown = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Relu", ["in"], ["out"])], "g", [given], [shown])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), foreign)
    models = ["-w", checkpoint, "-w", exported("onnx"), "-w", exported("xml"), "--against", foreign]
    asked = ["profile", *models, "--imgsz", SIDE, "--runs", 2, "--batch", 2, "--threads", 1, "--json", result]
    assert main([str(word) for word in asked]) == 0
    ours, onnx_file, ir, theirs = json.loads(result.read_text())["models"]
    assert [model["runtime"].split()[0] for model in (ours, onnx_file, ir, theirs)] == (
        ["PyTorch", "ONNX", "OpenVINO", "ONNX"]
    )
    assert all(model["latency_ms"]["network"] > 0 and model["threads"] == 1 for model in (ours, onnx_file, ir, theirs))
    assert (theirs["params"], theirs["classes"], theirs["imgsz"]) == (None, None, SIDE)
    assert "size and operations unknown" in capsys.readouterr().out
    line = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in ("in", "out")]
    graph = helper.make_graph([helper.make_node("Relu", ["in"], ["out"])], "g", line[:1], line[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), foreign)
    assert main(["profile", "--against", str(foreign), "--runs", "1"]) == 2
    assert "does not take a picture" in capsys.readouterr().err


@pytest.mark.parametrize("more", [{"tile": 64}, {"min_size": 6.0}, {}], ids=str)
def test_a_rule_of_a_file_with_nms_counts_the_same_whatever_is_shown(
    exported: Exported, tmp_path: Path, pictures: np.ndarray, more: dict[str, Any]
) -> None:
    """Its lowest score lies below what its rule counts; a higher one that is asked for only shows less."""
    source = exported("onnx", batch=None, dynamic=True, nms=True)
    tile, min_size = more.get("tile"), more.get("min_size", 0.0)
    then = lightdet.load(source, threads=1, tile=tile, no_promise=True).conditions
    decision = {
        "rule": {"threshold": 0.4, "min_size": min_size},
        "promise": {"rate": "escape_rate", "target": 0.02, "confidence": 0.95},
        "conditions": then.as_dict(),
    }
    path = with_decision(source, tmp_path / "model.onnx", decision)
    usual = lightdet.load(path, threads=1)
    assert usual.rule is not None and usual.promise.holds and usual.confidence == 0.25
    for asked in (0.3, 0.4):
        model = lightdet.load(path, threads=1, confidence=asked)
        for picture in pictures:
            found, wanted = model(picture), usual(picture)
            assert found.decision is not None and found.decision == wanted.decision
            assert found.as_dicts() == wanted.above(asked).as_dicts()
    served, rule, promise = load_with_rule(ModelSettings(path, threads=1), load_model)
    assert promise.holds and rule.threshold == 0.4 and served.confidence == 0.25
    with pytest.raises(UserError, match=r"gives no score below 0\.25"):
        lightdet.load(path, threads=1, confidence=0.2)


def with_decision(source: Path, target: Path, decision: dict[str, Any]) -> Path:
    model = onnx.load(source)
    [entry] = [each for each in model.metadata_props if each.key == "lightdet"]
    entry.value = json.dumps({**json.loads(entry.value), "decision": decision})
    return save_onnx(model, target)
