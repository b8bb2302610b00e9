"""Each public verb over both tasks: called from Python and by the command line it does the same."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import lightdet
from lightdet.cli.app import main
from lightdet.errors import UserError

WEIGHTS = ["--weights", "best.safetensors"]
DATA = ["--data", "mine.yaml"]
TIMED = ("minutes", "images_per_second", "milliseconds", "latency_ms", "seconds", "date")


@dataclass(frozen=True)
class World:
    """A task's model and data in the current folder: ``mine.yaml``, ``best.safetensors``, ``part.png``.

    Attributes:
        small: what makes a training of it small.
        bad: the name of a class.
        other: the YAML of a data set of the other task.
    """

    name: str
    small: dict[str, Any]
    bad: str
    other: Path

    @property
    def keys(self) -> list[str]:
        """`small`, as the command line has it."""
        return [f"{key}={json.dumps(value)}" for key, value in self.small.items()]


@pytest.fixture(params=["detection", "classification"])
def world(
    request: pytest.FixtureRequest, made: Path, made_classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    detection = request.param == "detection"
    here, other = (made, made_classifier) if detection else (made_classifier, made)
    for name in ("mine.yaml", "best.safetensors", "part.png"):
        shutil.copy(here / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    if detection:
        yield World(
            request.param, {"imgsz": 64, "model": {"widths": [8, 8, 16, 16, 16]}}, "surface", other / "mine.yaml"
        )
    else:
        model = {"name": "cnn", "widths": [4, 8], "hidden": [8]}
        yield World(request.param, {"task": "classify", "imgsz": 32, "model": model}, "bad", other / "mine.yaml")


def command(*words: str) -> None:
    """Run it; its files end in ``cli``, as those from Python end in ``py``."""
    assert main([*words]) == 0


def json_of(path: str) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def plain(value: Any) -> Any:
    """As JSON has it."""
    return json.loads(json.dumps(value))


def files(folder: Path | str) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()
    }


def without(value: Any, *names: str) -> Any:
    """`value` without what is measured in time, or names the folder, wherever it stands."""
    if isinstance(value, dict):
        return {key: without(each, *names) for key, each in value.items() if key not in names}
    return [without(each, *names) for each in value] if isinstance(value, list) else value


def without_dashes(message: str) -> str:
    """Each way in names options as they are written there: ``--escape-rate``, ``escape_rate``."""
    return re.sub(r"--([a-z][a-z-]*)", lambda flag: flag[1].replace("-", "_"), message)


def test_train(world: World) -> None:
    run = lightdet.train("mine.yaml", epochs=1, batch=4, seed=3, output="py", progress=False, **world.small)
    told = ["--epochs", "1", "--batch", "4", "--seed", "3", "--output", "cli", "--json", "cli.json"]
    command("train", *DATA, *told, *world.keys)
    found = {name for name in files("py") if not name.startswith("tensorboard")}
    assert found == {name for name in files("cli") if not name.startswith("tensorboard")}
    for name in ("best.safetensors", "last.safetensors"):
        here, there = load_file(f"py/{name}"), load_file(f"cli/{name}")
        assert here.keys() == there.keys()
        assert all(np.array_equal(here[key], there[key]) for key in here)
    rows = [[*csv.DictReader(Path(folder, "results.csv").read_text().splitlines())] for folder in ("py", "cli")]
    assert without(rows[0], *TIMED) == without(rows[1], *TIMED)
    best = json_of("cli.json")["best"]
    assert {name: plain(getattr(run.metrics, name)) for name in best if hasattr(run.metrics, name)} == best


def test_validate(world: World) -> None:
    report = lightdet.validate("best.safetensors", "mine.yaml", output="py", pictures=2, progress=False)
    command("val", *WEIGHTS, *DATA, "--output", "cli", "--pictures", "2", "--json", "cli.json")
    assert files("py").keys() == files("cli").keys()
    assert without(plain(report.to_dict()), *TIMED) == without(json_of("cli.json"), *TIMED)
    assert report.json.parent == Path("py")


def test_calibrate(world: World) -> None:
    made = lightdet.calibrate(
        "best.safetensors", "mine.yaml", false_reject_rate=0.9, output="py.safetensors", progress=False
    )
    told = ["--false-reject-rate", "0.9", "--output", "cli.safetensors", "--json", "cli.json"]
    command("calibrate", *WEIGHTS, *DATA, *told)
    assert without(plain(made.record), *TIMED) == without(json_of("cli.json"), *TIMED)
    assert lightdet.load("py.safetensors").rule == lightdet.load("cli.safetensors").rule == made.rule


def test_export(world: World) -> None:
    made = lightdet.export("best.safetensors", format="onnx", output="py.onnx", data="mine.yaml", progress=False)
    command("export", *WEIGHTS, *DATA, "--format", "onnx", "--output", "cli.onnx", "--json", "cli.json")
    assert Path("py.onnx").read_bytes() == Path("cli.onnx").read_bytes()
    assert without(plain(made.as_dict()), "file", "path") == without(json_of("cli.json"), "file", "path")


def test_detect_and_load(world: World) -> None:
    done = lightdet.detect("part.png", "best.safetensors", save=["json", "csv"], output="py", progress=False)
    command("detect", "part.png", *WEIGHTS, "--save", "json,csv", "--output", "cli", "--json", "cli.json")
    assert done.totals.pictures == 1
    here, there = files("py"), files("cli")
    assert without(json.loads(here.pop("detections.json")), *TIMED) == without(
        json.loads(there.pop("detections.json")), *TIMED
    )
    assert here == there  # the marked-up picture and the table, to the byte
    model = lightdet.load("best.safetensors")
    (entry,) = json_of("cli.json")["results"]
    found = without(plain(model("part.png").to_dict()), *TIMED)
    assert found == {key: entry[key] for key in found}


def test_explain(world: World) -> None:
    why = lightdet.explain("part.png", "best.safetensors", class_name=world.bad, output="py", progress=False)
    command("explain", "part.png", *WEIGHTS, "--class", world.bad, "--output", "cli", "--json", "cli.json")
    assert why.pictures == 1
    assert files("py") == files("cli")
    theirs = json_of("cli.json")
    assert [without(each, "file", "overlay") for each in plain(why.entries)] in [
        without(value, "file", "overlay") for value in theirs.values() if isinstance(value, list)
    ]


def test_profile(world: World) -> None:
    (report,) = lightdet.profile("best.safetensors", runs=1, batch=1)
    command("profile", *WEIGHTS, "--runs", "1", "--batch", "1", "--json", "cli.json")
    here, there = plain(report.as_dict()), json_of("cli.json")
    assert here.keys() == there.keys()
    assert {key: here[key] for key in here if "param" in key or "flop" in key} == {
        key: there[key] for key in there if "param" in key or "flop" in key
    }


def test_compare(world: World) -> None:
    done = lightdet.compare("mine.yaml", "ours=best.safetensors", runs=1, pictures=2, output="py", progress=False)
    told = ["--runs", "1", "--pictures", "2", "--output", "cli", "--json", "cli.json"]
    command("compare", "ours=best.safetensors", *DATA, *told)
    assert files("py").keys() == files("cli").keys()
    here, there = json_of("py/comparison.json"), json_of("cli.json")
    measured = ("cost", "tables", "command", *TIMED)
    assert without(here, *measured) == without(there, *measured)
    assert [model.name for model in done.comparison.models] == [model["name"] for model in there["models"]] == ["ours"]


def test_tune(world: World) -> None:
    Path("space.yaml").write_text("train.lr: [0.01]\n", encoding="utf-8")
    small = {"sampler": "grid", "epochs": 1, "batch": 4, "overrides": world.keys}
    found = lightdet.tune("mine.yaml", "space.yaml", **small, output="py", progress=False)
    told = ["--sampler", "grid", "--epochs", "1", "--batch", "4", "--output", "cli", "--json", "cli.json"]
    command("tune", *DATA, "--space", "space.yaml", *told, *world.keys)
    assert files("py").keys() == files("cli").keys()
    assert Path("py/best.yaml").read_bytes() == Path("cli/best.yaml").read_bytes()
    here, there = json_of("py/tune.json"), json_of("cli.json")
    assert without(here, "weights", *TIMED) == without(there, "weights", *TIMED)  # a path in the folder
    assert found.results.complete == 1


MISTAKES: list[tuple[str, Callable[[World], Any], Callable[[World], list[str]]]] = [
    (
        "train without data",
        lambda world: lightdet.train("missing.yaml", **world.small),
        lambda world: ["train", "--data", "missing.yaml", *world.keys],
    ),
    (
        "train with an unknown key",
        lambda world: lightdet.train("mine.yaml", **world.small, **{"train.lrr": 1}),
        lambda world: ["train", *DATA, *world.keys, "train.lrr=1"],
    ),
    (
        "train with data of the other task",
        lambda world: lightdet.train(world.other, **world.small),
        lambda world: ["train", "--data", str(world.other), *world.keys],
    ),
    (
        "validate a split that is not there",
        lambda world: lightdet.validate("best.safetensors", "mine.yaml", split="tset"),
        lambda world: ["val", *WEIGHTS, *DATA, "--split", "tset"],
    ),
    (
        "validate on data of the other task",
        lambda world: lightdet.validate("best.safetensors", world.other),
        lambda world: ["val", *WEIGHTS, "--data", str(world.other)],
    ),
    (
        "validate a picture",
        lambda world: lightdet.validate("part.png", "mine.yaml"),
        lambda world: ["val", "--weights", "part.png", *DATA],
    ),
    (
        "calibrate a promise that the pictures cannot keep",
        lambda world: lightdet.calibrate("best.safetensors", "mine.yaml", escape_rate=0.001),
        lambda world: ["calibrate", *WEIGHTS, *DATA, "--escape-rate", "0.001"],
    ),
    (
        "export without the pictures that int8 needs",
        lambda world: lightdet.export("best.safetensors", precision="int8", format="openvino"),
        lambda world: ["export", *WEIGHTS, "--precision", "int8", "--format", "openvino"],
    ),
    (
        "detect nowhere",
        lambda world: lightdet.detect("nowhere.png", "best.safetensors"),
        lambda world: ["detect", "nowhere.png", *WEIGHTS],
    ),
    (
        "detect in a file that is no picture",
        lambda world: lightdet.detect("mine.yaml", "best.safetensors"),
        lambda world: ["detect", "mine.yaml", *WEIGHTS],
    ),
    (
        "explain a class that is not there",
        lambda world: lightdet.explain("part.png", "best.safetensors", class_name="scracht"),
        lambda world: ["explain", "part.png", *WEIGHTS, "--class", "scracht"],
    ),
    (
        "compare without data",
        lambda world: lightdet.compare("missing.yaml", "best.safetensors"),
        lambda world: ["compare", "best.safetensors", "--data", "missing.yaml"],
    ),
    (
        "tune without data",
        lambda world: lightdet.tune("missing.yaml", "space.yaml"),
        lambda world: ["tune", "--data", "missing.yaml", "--space", "space.yaml"],
    ),
    (
        "profile a file that is not there",
        lambda world: lightdet.profile("missing.safetensors"),
        lambda world: ["profile", "--weights", "missing.safetensors"],
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), [each[1:] for each in MISTAKES], ids=[each[0] for each in MISTAKES])
def test_the_same_mistake_is_the_same_line(
    ours: Callable[[World], Any],
    theirs: Callable[[World], list[str]],
    world: World,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = files(".")
    with pytest.raises(UserError) as raised:
        ours(world)
    capsys.readouterr()
    assert main(theirs(world)) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    # Only the command line says where a key was given.
    line = told.removeprefix("error: ").removesuffix("\n").removesuffix(" (from the command line)")
    assert without_dashes(line) == without_dashes(str(raised.value))
    assert files(".") == before  # a mistake leaves nothing behind


def test_every_verb_is_under_contract() -> None:
    verbs = {name for name in lightdet.__all__ if name.islower() and callable(getattr(lightdet, name))}
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    elsewhere = {"cross_validate"}  # tests/runs/test_crossval.py, over both tasks
    assert verbs - tested == {"detect", "load"} | elsewhere  # the two in test_detect_and_load
