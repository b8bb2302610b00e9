"""Every public name has types and a docstring with an example, and each example runs."""

from __future__ import annotations

import doctest
import inspect
import json
import sys
import types
from pathlib import Path

import pytest
from in_this_process import trained_here

import lightdet
from lightdet.errors import UserError

VERBS = [name for name in lightdet.__all__ if inspect.isfunction(getattr(lightdet, name))]
LONG = ("compare", "cross_validate", "tune")
"""The quick tier runs these in tests/api/test_contract.py."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in VERBS]
)
def test_a_verbs_example_runs(name: str, place: Path) -> None:
    documented = inspect.getdoc(getattr(lightdet, name)) or ""
    (case,) = [doctest.DocTestParser().get_doctest(documented, {"lightdet": lightdet}, name, name, 0)]
    assert case.examples, f"lightdet.{name} has no example"
    told: list[str] = []
    runner = doctest.DocTestRunner()
    with trained_here():
        runner.run(case, out=told.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(told)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_says_what_it_takes_gives_and_refuses(name: str) -> None:
    verb = getattr(lightdet, name)
    told = inspect.getdoc(verb) or ""
    for heading in ("Args:", "Returns:", "Raises:"):
        assert heading in told, heading
    arguments = told.partition("Args:")[2].partition("Returns:")[0]
    signature = inspect.signature(verb)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name
        assert parameter.name in arguments, f"{name} does not tell of {parameter.name}"


def test_every_name_is_there_and_told() -> None:
    for name in lightdet.__all__:
        value = getattr(lightdet, name)
        assert isinstance(value, str) or inspect.getdoc(value), name


WRITING = [
    lambda: lightdet.validate("best.safetensors", "mine.yaml", output="v", json="x.json", progress=False),
    lambda: lightdet.calibrate("best.safetensors", "mine.yaml", false_reject_rate=0.9, json="x.json", progress=False),
    lambda: lightdet.export("best.safetensors", data="mine.yaml", output="b.onnx", json="x.json", progress=False),
    lambda: lightdet.detect("part.png", "best.safetensors", images=False, json="x.json", progress=False),
    lambda: lightdet.explain("part.png", "best.safetensors", output="e", json="x.json", progress=False),
    lambda: lightdet.profile("best.safetensors", runs=1, batch=1, json="x.json"),
]


@pytest.mark.parametrize("call", WRITING, ids=["validate", "calibrate", "export", "detect", "explain", "profile"])
def test_json_is_written_for_python_as_well(call: types.FunctionType, place: Path) -> None:
    call()
    assert json.loads(Path("x.json").read_text(encoding="utf-8"))


WRONG = [
    (lambda: lightdet.train("mine.yaml", epoch=3), "unknown key 'epoch'; did you mean 'train.epochs'?"),
    (lambda: lightdet.train("mine.yaml", imgsz=100), "imgsz"),
    (lambda: lightdet.train("mine.yaml", epochs=0), "epochs: 0 is not in the range from 1 on"),
    (lambda: lightdet.train("mine.yaml", epochs=3, train={"epochs": 4}), "epochs=3 and train.epochs=4 name the same"),
    (lambda: lightdet.train("mine.yaml", augment=0.5), "'augment' should hold keys of its own"),
    (lambda: lightdet.train("other.yaml"), "other.yaml: no such file"),
    (lambda: lightdet.train(None), "data is one value or a list of them, got NoneType"),
    (lambda: lightdet.train("mine.yaml", on_error="ignore"), "on_error is 'fail' or 'skip', got 'ignore'"),
    (lambda: lightdet.train("mine.yaml", resume=True), "nothing to resume here"),
    (lambda: lightdet.validate("best.safetensors", "mine.yaml", split="tset"), "split"),
    (lambda: lightdet.validate("best.safetensors", "mine.yaml", imgsz=50), "multiple of 32"),
    (lambda: lightdet.validate("missing.safetensors", "mine.yaml"), "missing.safetensors: no such file"),
    (lambda: lightdet.validate("best.safetensors", "mine.yaml", precision="fp8"), "precision is"),
    (lambda: lightdet.calibrate("best.safetensors", "mine.yaml"), "give either escape_rate or false_reject_rate"),
    (lambda: lightdet.calibrate("best.safetensors", "mine.yaml", escape_rate=2), "between 0 and 1"),
    (lambda: lightdet.export("best.safetensors", format="tflite"), "format is 'onnx' or 'openvino', got 'tflite'"),
    (lambda: lightdet.export("best.safetensors", precision="int8"), "give data"),
    (lambda: lightdet.export("best.safetensors", batch=0), "batch: '0' is neither a number"),
    (lambda: lightdet.detect("nowhere.png", "best.safetensors"), "nowhere.png"),
    (lambda: lightdet.detect("part.png", "best.safetensors", save="xml"), "xml"),
    (lambda: lightdet.detect(7, "best.safetensors"), "sources is one value or a list of them, got int"),
    (lambda: lightdet.detect("part.png", "best.safetensors", overlap=0.1), "give tile as well"),
    (lambda: lightdet.explain("part.png", "best.safetensors", box=1, class_name="x"), "exclude each other"),
    (lambda: lightdet.explain("part.png", "best.safetensors", top=0), "top: 0 is not in the range"),
    (lambda: lightdet.profile("best.safetensors", runs=0), "runs: 0 is not in the range"),
    (lambda: lightdet.profile("missing.safetensors"), "no such file"),
]


@pytest.mark.parametrize(("call", "told"), WRONG, ids=[told for _, told in WRONG])
def test_a_mistake_is_one_line(call: types.FunctionType, told: str, place: Path) -> None:
    with pytest.raises(UserError) as raised:
        call()
    assert told in str(raised.value) and "\n" not in str(raised.value)
    assert "from the command line" not in str(raised.value)


def test_looking_at_the_names_loads_nothing_heavy() -> None:
    import subprocess

    code = "import sys, lightdet; dir(lightdet); lightdet.train; lightdet.validate; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
