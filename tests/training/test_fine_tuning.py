"""Trainings that begin with a trained model: what is taken, what begins anew, what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import yaml
from conftest_training import SMALL, Recorder, make_trainer

from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.detector import build_detector, load_detector
from lightdet.assembly.detector_training import build_trainer, load_training_data
from lightdet.assembly.fine_tuning import begin_with, config_from_card
from lightdet.assembly.trainer import RunContext
from lightdet.cli.app import main
from lightdet.config import Config, YamlFile, load_config, validate
from lightdet.errors import UserError
from lightdet.models.weights import load_model, save_model
from lightdet.tasks import DETECTION

WIDTHS = "model.widths=[8, 8, 16, 16, 16]"


@pytest.fixture(scope="module")
def trained(defect_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model after one epoch at an input of 64 pixels."""
    folder = tmp_path_factory.mktemp("trained")
    make_trainer(defect_set, folder, ["train.epochs=1"]).fit()
    return folder / "best.safetensors"


def names_of(weights: Path) -> tuple[str, ...]:
    return tuple(load_model(weights)[1].names)


@pytest.fixture(scope="module")
def two_classes(defect_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures with two classes instead of six."""
    root = tmp_path_factory.mktemp("two") / "set"
    shutil.copytree(defect_set.parent, root)
    for label in (root / "labels").rglob("*.txt"):
        rows = [line.split() for line in label.read_text().splitlines()]
        label.write_text("".join(f"{int(row[0]) % 2} {' '.join(row[1:])}\n" for row in rows))
    values = yaml.safe_load((root / "dataset.yaml").read_text()) | {"classes": ["even", "odd"]}
    (root / "dataset.yaml").write_text(yaml.safe_dump(values))
    return root / "dataset.yaml"


def test_equal_classes_take_every_tensor(trained: Path, defect_set: Path, tmp_path: Path) -> None:
    config = validate(Config, YamlFile({}), SMALL)
    recorder = Recorder()
    trainer = build_trainer(
        config,
        load_training_data(config, load_dataset(defect_set)),
        RunContext(folder=tmp_path, device=torch.device("cpu"), reporter=recorder),
        start=trained,
    )
    weights = load_model(trained)[0]
    assert any(f"copies {len(weights)} of {len(weights)} tensors" in note for note in recorder.notes)
    for network in (trainer.task.network, trainer.average.network):
        state = network.state_dict()
        assert all(torch.equal(state[name], value) for name, value in weights.items())


def check_outputs(now: torch.Tensor, before: torch.Tensor, donor: torch.Tensor) -> None:
    """Of each of three anchors: box and objectness of the donor, classes as they were."""
    now, before, donor = (value.unflatten(0, (3, -1)) for value in (now, before, donor))
    assert torch.equal(now[:, :5], donor[:, :5]) and not torch.equal(now[:, :5], before[:, :5])
    assert torch.equal(now[:, 5:], before[:, 5:])


def test_other_classes_begin_the_outputs_anew(trained: Path) -> None:
    config = validate(Config, YamlFile({}), SMALL)
    torch.manual_seed(1)
    network = build_detector(config.model, 2, 64)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    told = begin_with(trained, network, ("even", "odd"), config)
    weights, after = load_model(trained)[0], network.state_dict()
    fresh = [name for name, value in weights.items() if value.shape != after[name].shape]
    assert len(fresh) == 6  # weight and bias of each grid's output
    assert (
        f"copies {len(weights) - 6} of {len(weights)} tensors, and box and objectness of the outputs" in told
        and "; even, odd start from random ones" in told
    )
    for name, value in after.items():
        if name in fresh:
            check_outputs(value, before[name], weights[name])
        else:
            assert torch.equal(value, weights[name])


def test_classes_in_another_order_and_a_new_one_keep_their_weights(trained: Path) -> None:
    config = validate(Config, YamlFile({}), SMALL)
    network = build_detector(config.model, 7, 64)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    own = names_of(trained)
    names = ("new", *reversed(own))
    told = begin_with(trained, network, names, config)
    assert f"{', '.join(reversed(own))} keep their weights; new starts from random ones" in told
    weights, after = load_model(trained)[0], network.state_dict()
    for name in (name for name in after if ".outputs." in name):
        now, fresh, donor = (v.unflatten(0, (3, -1)) for v in (after[name], before[name], weights[name]))
        assert torch.equal(now[:, :5], donor[:, :5]) and torch.equal(now[:, 5], fresh[:, 5])
        assert torch.equal(now[:, 6:], donor[:, 5:].flip(1))


def test_as_many_classes_of_other_names_begin_the_outputs_anew(trained: Path) -> None:
    config = validate(Config, YamlFile({}), SMALL)
    torch.manual_seed(1)
    network = build_detector(config.model, 6, 64)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    told = begin_with(trained, network, tuple("abcdef"), config)
    weights, after = load_model(trained)[0], network.state_dict()
    assert (
        f"copies {len(weights) - 6} of {len(weights)} tensors, and box and objectness of the outputs" in told
        and "; a, b, c, d, e, f start from random ones" in told
    )
    for name, value in after.items():
        if ".outputs." in name:
            check_outputs(value, before[name], weights[name])
        else:
            assert torch.equal(value, weights[name])


def test_a_further_head_takes_the_rest(trained: Path) -> None:
    fine = validate(Config, YamlFile({}), [*SMALL, "model.heads_at=[4,8,16,32]", "imgsz=192"])
    network = build_detector(fine.model, 6, 192)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    note = begin_with(trained, network, names_of(trained), fine)
    donor, card = load_detector(trained)
    theirs, own = donor.state_dict(), network.state_dict()
    new = ("neck.lateral8.", "neck.out4.", "neck.up4.", "neck.join8.", "head.outputs.0.", "head.branches.0.")
    for name, value in own.items():
        if name.startswith(new):
            assert torch.equal(value, before[name]), name
        elif name != "anchors":
            head, kind, at, rest = name.split(".", 3) if name.startswith("head.") else ("", "", "", "")
            assert torch.equal(value, theirs[f"{head}.{kind}.{int(at) - 1}.{rest}" if head else name]), name
    scale = 192 / card.preprocessing.imgsz
    torch.testing.assert_close(own["anchors"][1:], theirs["anchors"] * scale)
    torch.testing.assert_close(own["anchors"][0], before["anchors"][0])
    assert "neck.lateral8" in note


def test_anchors_keep_their_share_of_the_input(trained: Path) -> None:
    anchors = load_model(trained)[0]["anchors"]
    twice = validate(Config, YamlFile({}), [*SMALL, "imgsz=128"])
    network = build_detector(twice.model, 6, 128)
    begin_with(trained, network, names_of(trained), twice)
    assert torch.allclose(network.anchors, anchors * 2)
    given = [[[float(i + j + 4), float(i + 5)] for j in range(3)] for i in range(3)]
    own = validate(Config, YamlFile({}), [*SMALL, f"model.anchors={given}"])
    network = build_detector(own.model, 6, 64)
    begin_with(trained, network, names_of(trained), own)
    assert network.anchors.tolist() == given


def test_the_network_comes_from_the_card(trained: Path) -> None:
    config = load_config(config_from_card(trained, YamlFile({}), [], DETECTION.training))
    assert config.model.model_dump()["widths"] == [8, 8, 16, 16, 16] and config.imgsz == 64
    other = load_config(
        config_from_card(trained, YamlFile({"imgsz": 96, "train": {"lr": 0.5}}), [], DETECTION.training)
    )
    assert (other.imgsz, other.train.lr) == (96, 0.5)


def run(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str, str]:
    code = main(["train", *(str(arg) for arg in args), "--device", "cpu"])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command(trained: Path, two_classes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fast = ("train.epochs=1", "train.batch=4", "train.precision=fp32")
    code, out, err = run(capsys, "-d", two_classes, "-w", trained, "-o", tmp_path / "out", *fast)
    assert (code, err) == (0, "") and f"starts from {trained}: copies" in out and "input 64" in out
    card = load_detector(tmp_path / "out" / "best.safetensors")[1]
    assert card.names == ("even", "odd") and card.model["widths"] == [8, 8, 16, 16, 16]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("model.widths=[16, 32, 64, 128, 224]",), "model.widths is [16, 32, 64, 128, 224], but WEIGHTS has [8, 8,"),
        (("model.gate=scalar",), "model.gate is scalar, but WEIGHTS has channel: leave it out"),
        (("model.name=yolov5n",), "model.name is yolov5n, but WEIGHTS has lightdet"),
        (("-c", "CONFIG"), "CONFIG:3: model.activation is relu, but WEIGHTS has leaky_relu"),
        (("--resume",), "--resume continues with its own weights; leave out --weights, or --resume"),
        (("model.gait=scalar",), "unknown key 'model.gait'; did you mean 'model.gate'?"),
    ],
)
def test_contradictions(
    args: tuple[str, ...],
    told: str,
    trained: Path,
    defect_set: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("imgsz: 64\nmodel:\n  activation: relu\n")
    args = tuple(str(file) if arg == "CONFIG" else arg for arg in args)
    code, _, err = run(capsys, "-d", defect_set, "-w", trained, "-o", tmp_path / "out", *args)
    assert code == 2 and err.startswith("error: ") and err.count("\n") == 1
    assert told.replace("WEIGHTS", str(trained)).replace("CONFIG", str(file)) in err
    assert not (tmp_path / "out").exists()


def test_what_says_the_same_is_no_contradiction(trained: Path) -> None:
    same = [WIDTHS, "model.name=lightdet", "model.gate_at=[16, 32]", "model.anchors=null"]
    assert load_config(config_from_card(trained, YamlFile({}), same, DETECTION.training), same).imgsz == 64


def test_files_that_are_no_models(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"nothing")
    for path, told in (
        (tmp_path / "a.safetensors", "not a"),
        (tmp_path / "none", "no such file"),
        (tmp_path, "is a folder"),
        (trained.parent / "state.safetensors", "holds no lightdet model"),
    ):
        with pytest.raises(UserError, match=told):
            config_from_card(path, YamlFile({}), [], DETECTION.training)


def test_a_diverged_model_is_refused(trained: Path, tmp_path: Path) -> None:
    weights, card = load_model(trained)
    name = next(name for name in weights if name.endswith("weight"))
    weights[name][0] = float("nan")
    save_model(tmp_path / "nan.safetensors", weights, card)
    config = validate(Config, YamlFile({}), SMALL)
    with pytest.raises(UserError, match="holds values that are not numbers"):
        begin_with(tmp_path / "nan.safetensors", build_detector(config.model, 6, 64), card.names, config)
