"""Training with a teacher: its answers are part of the loss, and what does not fit is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from conftest_training import SMALL, Recorder, assert_same_tensors, make_trainer

from lightdet.assembly.detector import build_detector
from lightdet.card import ModelCard
from lightdet.config import Config, ModelConfig, NetworkConfig, YamlFile, validate
from lightdet.config.families import load_network_config
from lightdet.errors import UserError
from lightdet.models import Detector
from lightdet.models.weights import save_model
from lightdet.structures import Preprocessing
from lightdet.training.checkpoint import load_state
from lightdet.training.distillation import DistillationTask


def write_teacher(
    path: Path, names: Sequence[str], config: NetworkConfig | None = None, *, seed: int = 5, larger: float = 1.25
) -> Detector:
    torch.manual_seed(seed)
    config = config or ModelConfig(widths=[8, 16, 16, 16, 16])
    network = build_detector(config, len(names), 64)
    if isinstance(network, Detector):
        network.anchors *= larger
    save_model(
        path, dict(network.state_dict()), ModelCard(config.model_dump(mode="json"), tuple(names), Preprocessing(64))
    )
    return network  # type: ignore[return-value]


@pytest.fixture
def names(defect_set: Path) -> tuple[str, ...]:
    from lightdet.assembly.dataset import load_dataset

    return load_dataset(defect_set).classes


def test_the_teacher_is_part_of_the_loss(defect_set: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    teacher = write_teacher(tmp_path / "teacher.safetensors", names)
    heard = Recorder()
    changes = [f"train.distill={tmp_path / 'teacher.safetensors'}", "train.epochs=1"]
    trainer = make_trainer(defect_set, tmp_path / "run", changes, reporter=heard)
    assert any(note.endswith("with its anchors") for note in heard.notes)
    assert isinstance(trainer.task, DistillationTask)
    before = {name: value.clone() for name, value in trainer.task.teachers[0].state_dict().items()}
    trainer.fit()
    assert heard.records[0]["distillation"] > 0
    assert_same_tensors(before, trainer.task.teachers[0].state_dict())
    student = trainer.task.network
    assert isinstance(student, Detector)
    assert torch.equal(student.anchors, teacher.anchors)


def test_a_teacher_of_another_size_is_told(defect_set: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    write_teacher(tmp_path / "teacher.safetensors", names)  # for 64 pixels
    heard = Recorder()
    changes = [f"train.distill={tmp_path / 'teacher.safetensors'}", "imgsz=96"]
    make_trainer(defect_set, tmp_path / "run", changes, reporter=heard)
    assert any("with its anchors, which are for 64 pixels, not 96" in note for note in heard.notes)


def test_classes_in_another_order_are_matched(defect_set: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    """A teacher whose classes stand in reverse gives the same loss as the one whose outputs are turned around."""
    turned = names[::-1]
    teacher = write_teacher(tmp_path / "turned.safetensors", turned)
    trainer = make_trainer(defect_set, tmp_path / "run", [f"train.distill={tmp_path / 'turned.safetensors'}"])
    assert isinstance(trainer.task, DistillationTask)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        plain, asked = teacher.eval()(images), trainer.task._ask(images)
    for grid, answer in zip(plain, asked, strict=True):
        for place, name in enumerate(names):
            torch.testing.assert_close(answer[..., 5 + place], grid[..., 5 + turned.index(name)], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(answer[..., :5], grid[..., :5], rtol=1e-4, atol=1e-5)


def test_several_teachers_answer_together(defect_set: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    """Three alike say what one says; with another one, objectness is the mean of both."""
    paths = [tmp_path / f"{number}.safetensors" for number in range(4)]
    one = write_teacher(paths[0], names)
    write_teacher(paths[1], names)
    write_teacher(paths[2], names)
    doubter = write_teacher(paths[3], names, seed=6)
    images = torch.rand(1, 3, 64, 64)

    def asked(*chosen: Path) -> tuple[torch.Tensor, ...]:
        task = make_trainer(defect_set, tmp_path / "run", [f"train.distill=[{','.join(map(str, chosen))}]"]).task
        assert isinstance(task, DistillationTask)
        return task._ask(images)

    with torch.no_grad():
        own, other = one.eval()(images), doubter.eval()(images)
    for grid, answer in zip(own, asked(*paths[:3]), strict=True):
        torch.testing.assert_close(answer, grid, rtol=1e-3, atol=1e-4)
    for grid, second, answer in zip(own, other, asked(paths[0], paths[3]), strict=True):
        mean = (grid[..., 4].sigmoid() + second[..., 4].sigmoid()) / 2
        torch.testing.assert_close(answer[..., 4].sigmoid(), mean, rtol=1e-3, atol=1e-5)


def test_teachers_that_cannot_be_compared_are_told(defect_set: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    write_teacher(tmp_path / "a.safetensors", names)
    write_teacher(tmp_path / "b.safetensors", names, larger=1.3)
    both = f"train.distill=[{tmp_path / 'a.safetensors'},{tmp_path / 'b.safetensors'}]"
    with pytest.raises(UserError, match=r"b\.safetensors: has other anchors .* than .*a\.safetensors"):
        make_trainer(defect_set, tmp_path / "run", [both])


def test_a_resumed_run_ends_with_the_same_weights(defect_set: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    write_teacher(tmp_path / "teacher.safetensors", names)
    changes = [f"train.distill={tmp_path / 'teacher.safetensors'}", "train.epochs=2"]
    whole = make_trainer(defect_set, tmp_path / "whole", changes)
    whole.fit()
    first = make_trainer(defect_set, tmp_path / "parts", changes)
    first._run_epoch()
    second = make_trainer(defect_set, tmp_path / "parts", changes, resume=load_state(tmp_path / "parts"))
    second.fit()
    assert_same_tensors(whole.task.network.state_dict(), second.task.network.state_dict())


def test_what_cannot_teach_is_told(defect_set: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    cases: list[tuple[Sequence[str], NetworkConfig | None, str]] = [
        (("a", *names[1:]), None, "has other classes than the data set"),
        (names, ModelConfig(widths=[8] * 5, anchors=[[(9, 9)]] * 3), "another number of anchors per cell"),
        (names, load_network_config(YamlFile({"name": "yolox-s"})), "is not a detector with anchors"),
    ]
    for number, (classes, config, words) in enumerate(cases):
        path = tmp_path / f"{number}.safetensors"
        write_teacher(path, classes, config)
        with pytest.raises(UserError, match=words):
            make_trainer(defect_set, tmp_path / "run", [f"train.distill={path}"])
    with pytest.raises(UserError, match="no such file"):
        make_trainer(defect_set, tmp_path / "run", [f"train.distill={tmp_path / 'none.safetensors'}"])
    assert validate(Config, YamlFile({}), SMALL).train.distill is None


def test_a_missing_teacher_is_told_before_any_picture_is_read(
    defect_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lightdet.cli.app import main

    code = main(
        [
            "train",
            "-d",
            str(defect_set),
            "-o",
            str(tmp_path / "out"),
            "--device",
            "cpu",
            "train.distill=none.safetensors",
        ]
    )
    told = capsys.readouterr()
    assert code == 2 and told.err.startswith("error: none.safetensors: no such file; train.distill names")
    assert "reading" not in told.out.lower()
    assert not (tmp_path / "out" / "state.safetensors").exists()
