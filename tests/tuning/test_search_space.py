"""The YAML of a search: every key and value is checked before the first trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightdet.config import YamlFile
from lightdet.errors import UserError
from lightdet.runs.tune.search_space import Base, check_combinations, load_space
from lightdet.tuning.space import Choices, Range

DETECTOR = Base(YamlFile({}), ())
CLASSIFIER = Base(YamlFile({"task": "classify", "model": {"name": "cnn"}}), ())


def space_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_kind_of_domain(tmp_path: Path) -> None:
    text = """
train.lr: {low: 1e-4, high: 1e-2, log: true}
augment.mosaic: [0, 0.5, 1]
train.batch: {low: 4, high: 16, step: 4}
train.epochs: {low: 2, high: 9}
augment.scale: {low: 0, high: 0.9}
augment.hsv_v: {low: 0, high: 1}
model.widths: [[8, 8, 16, 16, 16], [16, 16, 16, 24, 24]]
loss.box_iou: [giou, ciou]
train.image_weights: [true, false]
"""
    space = load_space(space_file(tmp_path, text), DETECTOR)
    assert space.domains["train.lr"] == Range(1e-4, 1e-2, log=True)
    assert space.domains["augment.mosaic"] == Choices((0, 0.5, 1))
    assert space.domains["train.batch"] == Range(4, 16, step=4, whole=True)
    assert space.domains["train.epochs"] == Range(2, 9, whole=True)
    assert space.domains["augment.hsv_v"] == Range(0, 1)  # the schema takes fractions there
    assert space.domains["model.widths"].values() == [[8, 8, 16, 16, 16], [16, 16, 16, 24, 24]]


def test_a_classifier_has_its_own_keys(tmp_path: Path) -> None:
    space = load_space(
        space_file(tmp_path, "sampling: [none, balanced]\nmodel.dropout: {low: 0, high: 0.8}"), CLASSIFIER
    )
    assert list(space.domains) == ["sampling", "model.dropout"]
    with pytest.raises(UserError, match="unknown key 'sampling'"):
        load_space(space_file(tmp_path, "sampling: [none, balanced]"), DETECTOR)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("train.lr: [0.1]\ntrain.lrr: [0.1]", 2, "did you mean 'train.lr'"),
        ("# a comment\nlr: [0.1]", 2, "did you mean 'train.lr'"),
        ("train.lr: [0.1, -1]", 1, "train.lr"),
        ("train.lr: [0.1, fast]", 1, "train.lr"),
        ("imgsz: {low: 64, high: 128}", 1, "multiple of 32"),
        ("imgsz: {low: 64, high: 128, step: 16}", 1, "multiple of 32"),
        ("augment.mosaic: {low: 0, high: 2}", 1, "augment.mosaic"),
        ("train.lr: {low: 0.1, high: 0.01}", 1, "low must be below high"),
        ("train.lr: {low: 0, high: 0.01, log: true}", 1, "above 0"),
        ("train.lr: {low: 0.001, hihg: 0.01}", 1, "unknown key 'hihg'"),
        ("train.lr: {low: 0.001}", 1, "needs a number for 'high'"),
        ("train.lr: {low: 0.001, high: .inf}", 1, "needs a number for 'high'"),
        ("train.lr: {low: 0.001, high: 0.01, log: true, step: 0.001}", 1, "log and step"),
        ("train.lr: {low: 0.001, high: 0.01, step: 1}", 1, "step must lie"),
        ("train.lr: {low: 0.001, high: 0.01, log: 3}", 1, "log should be true or false"),
        ("train.lr: 0.01", 1, "needs a list of values"),
        ("train.lr: []", 1, "empty list"),
        ("train.lr: [0.1, 0.1]", 1, "twice"),
        ("train:\n  lr: [0.1]", 1, "'train.lr: …'"),
        ("train.workers: [1, 2]", 1, "cannot be searched"),
        ("loss.box_iou: [giou, diou]", 1, "box_iou"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, text: str, line: int, told: str) -> None:
    path = space_file(tmp_path, text)
    with pytest.raises(UserError) as caught:
        load_space(path, DETECTOR)
    assert told in str(caught.value)
    assert caught.value.path == path
    assert caught.value.line == line
    assert "\n" not in str(caught.value)


def test_an_empty_file_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="names nothing to try"):
        load_space(space_file(tmp_path, "# nothing\n"), DETECTOR)


def test_a_key_is_either_set_or_searched(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="set on the command line and searched"):
        load_space(space_file(tmp_path, "train.lr: [0.1, 0.2]"), Base(YamlFile({}), ["train.lr=0.3"]))
    with pytest.raises(UserError, match=r"write the whole path on one line: 'train\.lr: …'"):
        load_space(space_file(tmp_path, "train:\n  lr: [0.1, 0.2]"), Base(YamlFile({}), ["train.epochs=3"]))


def test_a_mistake_on_the_command_line_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="from the command line"):
        load_space(space_file(tmp_path, "train.lr: [0.1]"), Base(YamlFile({}), ["train.batsh=3"]))


def test_a_combination_that_cannot_be_is_found_before_it_is_tried(tmp_path: Path) -> None:
    """Each value is fine by itself, but 96 is no multiple of 64."""
    base = Base(YamlFile({"task": "classify", "imgsz": 128, "model": {"name": "mlp_mixer", "patch": 32}}), ())
    space = load_space(space_file(tmp_path, "imgsz: [128, 96]\nmodel.patch: [32, 64]"), base)
    with pytest.raises(UserError, match=r"combination that is not valid .imgsz=96, model\.patch=64"):
        check_combinations(space, base)
