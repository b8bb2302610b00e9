"""Which task a model, a configuration or a data set belongs to, and that a detector's YAML may say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightdet.card import ModelCard
from lightdet.config import YamlFile, load_yaml
from lightdet.errors import UserError
from lightdet.models.weights import save_model
from lightdet.structures import Preprocessing
from lightdet.tasks import (
    CLASSIFICATION,
    DETECTION,
    TASKS,
    known_task_of_model,
    read_config,
    task_of_config,
    task_of_model,
)


def test_a_configuration_names_its_task(tmp_path: Path) -> None:
    assert task_of_config(YamlFile({})) is DETECTION
    assert task_of_config(YamlFile({"task": "detect"})) is DETECTION
    assert task_of_config(YamlFile({"task": "detect"}), ["task=classify"]) is CLASSIFICATION
    path = tmp_path / "c.yaml"
    path.write_text("imgsz: 64\ntask: clasify\n")
    with pytest.raises(UserError, match=r"c\.yaml:2: 'task' should be 'detect' or 'classify'"):
        task_of_config(load_yaml(path))


@pytest.mark.parametrize("name", TASKS)
def test_naming_the_task_changes_nothing_else(name: str) -> None:
    task, other = TASKS[name], "classify" if name == "detect" else "detect"
    plain = task.configuration(YamlFile({}))
    for file, overrides in ((YamlFile({"task": name}), []), (YamlFile({"task": other}), [f"task={name}"])):
        if other == "classify" and overrides:
            continue  # the file's own word is not taken back by its reader alone
        assert read_config(file, overrides) == plain


@pytest.mark.parametrize("name", TASKS)
def test_a_model_file_says_its_task(name: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    model = {"name": "x"} if name == "detect" else {"task": name, "name": "cnn"}
    save_model(path, {}, ModelCard(model, ("a", "b"), Preprocessing(64)))
    assert task_of_model(path) is known_task_of_model(path) is TASKS[name]


def test_what_is_no_model_says_none(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"junk")
    for path in (tmp_path / "x.safetensors", tmp_path / "none", tmp_path, tmp_path / "none.onnx"):
        assert known_task_of_model(path) is None
        assert task_of_model(path) is DETECTION
