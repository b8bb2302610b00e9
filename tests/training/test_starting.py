"""Where a training begins: what `train.start` may say, what the package keeps, and what each run tells of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest_training import SMALL, Recorder, make_trainer
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD, AdamW

from lightdet.assembly import starting
from lightdet.assembly.anchors import share_of_small_boxes
from lightdet.assembly.dataset import load_dataset
from lightdet.assembly.detector import build_detector
from lightdet.assembly.detector_training import _aligned, load_training_data
from lightdet.assembly.fine_tuning import begin_with
from lightdet.assembly.starting import networks, pretrained_for, start_in, start_of
from lightdet.assembly.trainer import RunContext
from lightdet.cli.app import main
from lightdet.config import Config, RunConfig, YamlFile, load_config, load_yaml, validate
from lightdet.config.schema import FROM_CHANCE, FROM_WEIGHTS, FROM_WEIGHTS_SMALL, Pace
from lightdet.errors import UserError
from lightdet.models.weights import load_model
from lightdet.training.checkpoint import load_state
from lightdet.training.muon import Muon
from lightdet.training.trainer import Trainer

CONFIGS = Path(__file__).parents[2] / "configs"


def config(*changes: str) -> RunConfig:
    return validate(Config, YamlFile({}), [*SMALL, *changes])


@pytest.fixture(scope="module")
def model(defect_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    make_trainer(defect_set, folder, ["train.epochs=1", "train.start=chance"]).fit()
    return folder / "best.safetensors"


@pytest.fixture
def kept(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that keeps weights for the small network."""
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "lightdet.safetensors").write_bytes(model.read_bytes())
    monkeypatch.setattr(starting, "FOLDER", folder)
    return folder / "lightdet.safetensors"


def test_weights_of_the_same_network_are_the_start(kept: Path) -> None:
    anchors = [[[float(i + j + 4), float(i + 5)] for j in range(3)] for i in range(3)]
    fine = "model.heads_at=[4,8,16,32]"
    for same in ((), ("train.start=pretrained",), ("imgsz=128",), (f"model.anchors={anchors}",), (fine,)):
        begin = start_of(config(*same))
        assert (begin.file, begin.kind) == (kept, "pretrained")
    assert start_of(config("train.start=chance")).kind == "chance"


@pytest.mark.parametrize(
    "change", ["model.widths=[8,8,16,16,32]", "model.gate=scalar", "model.activation=relu", "model.attention_at=[]"]
)
def test_another_network_begins_from_chance_and_says_so(kept: Path, change: str) -> None:
    begin = start_of(config(change))
    assert (begin.file, begin.kind) == (None, "chance") and "no pretrained weights for this network" in begin.note
    with pytest.raises(UserError, match="no pretrained weights for this network, only for lightdet with nothing"):
        start_of(config(change, "train.start=pretrained"))


def test_a_file(model: Path, tmp_path: Path) -> None:
    begin = start_of(config(f"train.start={model}"))
    assert (begin.file, begin.kind) == (model, str(model))
    nobody = Path("~nobody-of-this-name/w.safetensors")
    for path, told in ((tmp_path / "none", "no such file"), (tmp_path, "is a folder"), (nobody, "no such file")):
        with pytest.raises(UserError, match=f"{told}.*'?train.start'?"):
            start_of(config(f"train.start={path}"))
    with pytest.raises(UserError, match="are two starts; leave one out"):
        start_of(config("train.start=chance"), model)
    assert start_of(config(), model).file == model


def test_the_run_and_the_model_say_where_it_began(kept: Path, defect_set: Path, tmp_path: Path) -> None:
    for changes, told, line in (
        ([], "pretrained", "starts from lightdet's own pretrained weights: copies"),
        (["train.start=chance"], "chance", "starts from random weights, as set by train.start"),
    ):
        recorder, folder = Recorder(), tmp_path / told
        trainer = make_trainer(defect_set, folder, ["train.epochs=1", *changes], reporter=recorder)
        assert trainer.run_facts["start"] == told and any(line in note for note in recorder.notes)
        name, theirs = next(item for item in load_model(kept)[0].items() if item[0].endswith("conv.weight"))
        assert torch.equal(trainer.task.network.state_dict()[name], theirs) == (told == "pretrained")
        trainer.fit()
        assert start_in(folder / "best.safetensors") == told
    assert start_in(tmp_path / "none") is None


def test_the_pace_depends_on_the_start_unless_it_is_given(kept: Path, defect_set: Path, tmp_path: Path) -> None:
    given = ["train.lr=0.004", "train.warmup_epochs=0.5"]
    large = "imgsz=640"  # the set's boxes measure 7 to 31 pixels of 96
    for changes, pace in (
        (["train.warmup_epochs=null"], FROM_WEIGHTS_SMALL),
        ([large, "train.warmup_epochs=null"], FROM_WEIGHTS),
        ([f"train.start={kept}", "train.warmup_epochs=null"], FROM_WEIGHTS),
        (["train.start=chance", "train.warmup_epochs=null"], FROM_CHANCE),
        ([large, "train.start=chance", "train.warmup_epochs=null"], FROM_CHANCE),
        (given, Pace(0.004, 0.5, "muon")),
        ([*given, "train.optimizer=sgd"], Pace(0.004, 0.5, "sgd")),
        (["train.optimizer=adamw", "train.warmup_epochs=null"], replace(FROM_WEIGHTS_SMALL, optimizer="adamw")),
        ([*given, large], Pace(0.004, 0.5)),
        ([*given, "train.start=chance"], Pace(0.004, 0.5)),
    ):
        recorder = Recorder()
        trainer = make_trainer(defect_set, tmp_path / "out", ["train.epochs=30", *changes], reporter=recorder)
        schedule: Any = trainer.plan.schedule  # type: ignore[attr-defined]
        assert (schedule.lr, schedule.warmup) == (pace.lr, round(pace.warmup_epochs * len(trainer.loader)))
        kind = {"sgd": SGD, "adamw": AdamW, "muon": Muon}[pace.optimizer]
        assert type(trainer.optimizer) is kind and trainer.run_facts["optimizer"] == pace.optimizer
        said = " ".join(recorder.notes)
        assert ("train.lr is 0.005 instead of 0.003" in said) == (pace.lr == FROM_WEIGHTS_SMALL.lr)
        chosen = pace.optimizer == "muon"
        assert ("train.optimizer is muon instead of adamw" in said) == chosen


@pytest.mark.parametrize(("imgsz", "tile"), [(32, None), (64, None), (256, None), (320, None), (640, None), (64, 32)])
def test_small_boxes_are_counted_at_the_inputs_size(defect_set: Path, imgsz: int, tile: int | None) -> None:
    """Against the rows of the label files, which are shares of pictures of 96 pixels."""
    files = (defect_set.parent / "labels/train").glob("*.txt")
    rows = [row.split() for file in files for row in file.read_text().splitlines()]
    side = imgsz if tile is None else 96 * imgsz / tile
    areas = [float(width) * float(height) * side**2 for _, _, _, width, height in rows]
    tiles = [] if tile is None else [f"tiles.size={tile}"]
    data = load_training_data(config(f"imgsz={imgsz}", *tiles), load_dataset(defect_set))
    assert len(rows) > 10
    assert share_of_small_boxes(data.train) == pytest.approx(sum(area < 1024 for area in areas) / len(areas))


def test_a_resumed_training_keeps_its_pace(kept: Path, defect_set: Path, tmp_path: Path) -> None:
    changes = ["train.epochs=30", "train.warmup_epochs=null"]
    first = make_trainer(defect_set, tmp_path, changes, with_run=True)
    first.reporter.batch_done = lambda losses: setattr(first.stop, "requested", True)  # type: ignore[method-assign]
    first.fit()
    again = make_trainer(defect_set, tmp_path, changes, with_run=True, resume=load_state(tmp_path))
    assert again.run_facts["start"] == "pretrained"
    assert vars(again.plan) == vars(first.plan)
    state = load_state(tmp_path)
    assert state.run["optimizer"] == "muon"
    del state.run["rate"], state.run["optimizer"]  # as a training of before these depended on the start
    state.tensors = {name: value for name, value in state.tensors.items() if not name.startswith("optimizer/")}
    older: Any = make_trainer(defect_set, tmp_path, changes, with_run=True, resume=state)
    assert older.plan.schedule.lr == FROM_CHANCE.lr != first.plan.schedule.lr  # type: ignore[attr-defined]
    assert (type(older.optimizer), type(first.optimizer)) == (AdamW, Muon)


@pytest.mark.parametrize(
    ("changes", "mosaic", "scale", "singles"),
    [
        ([], 0.5, 0.25, 10),
        (["train.start=chance"], 1.0, 0.5, 20),  # of 30, but at most a fifth
        (["augment.mosaic=0.2", "augment.mosaic_off_epochs=15"], 0.2, 0.25, 15),
        (["augment.mosaic=0", "augment.scale=0", "augment.mosaic_off_epochs=0", "train.start=chance"], 0.0, 0.0, 0),
        (["train.epochs=30"], 0.5, 0.25, 6),
    ],
)
def test_how_pictures_change_depends_on_the_start_unless_it_is_given(
    kept: Path, defect_set: Path, tmp_path: Path, changes: list[str], mosaic: float, scale: float, singles: int
) -> None:
    null = [f"augment.{key}=null" for key in ("mosaic", "mosaic_off_epochs", "scale")]
    changes = ["train.epochs=100", *null, *changes]
    trainer = make_trainer(defect_set, tmp_path, changes, with_run=True)
    trainer.reporter.batch_done = lambda losses: setattr(trainer.stop, "requested", True)  # type: ignore[method-assign]
    trainer.fit()
    again = make_trainer(defect_set, tmp_path, changes, with_run=True, resume=load_state(tmp_path))
    for each in (trainer, again):
        recipe, plan = each.loader.samples.recipe, each.plan  # type: ignore[attr-defined]
        assert (recipe.mosaic, recipe.scale, plan.single_epochs) == (mosaic, scale, singles)  # type: ignore[attr-defined]


def learns_aligned(trainer: Trainer) -> bool:
    aligned = trainer.task._loss.alignment is not None  # type: ignore[attr-defined]
    assert trainer.run_facts["assignment"] == ("aligned" if aligned else "shape")
    return bool(aligned)


@pytest.mark.parametrize(
    ("changes", "aligned"),
    [
        ([], True),
        (["train.epochs=2"], False),
        (["train.epochs=2", "loss.assignment=aligned"], True),
        (["train.start=chance"], False),
        (["loss.assignment=shape"], False),
        (["train.start=chance", "loss.assignment=aligned"], True),
    ],
)
def test_who_learns_a_box_depends_on_start_and_length_unless_it_is_given(
    kept: Path, defect_set: Path, tmp_path: Path, changes: list[str], aligned: bool
) -> None:
    trainer = make_trainer(defect_set, tmp_path, ["train.epochs=100", *changes], with_run=True)
    assert learns_aligned(trainer) == aligned
    trainer.reporter.batch_done = lambda losses: setattr(trainer.stop, "requested", True)  # type: ignore[method-assign]
    trainer.fit()
    state = load_state(tmp_path)
    again = make_trainer(defect_set, tmp_path, ["train.epochs=100", *changes], with_run=True, resume=state)
    assert learns_aligned(again) == aligned
    del state.run["assignment"]  # as a training of before the choice: all learnt, unless the file says otherwise
    older = make_trainer(defect_set, tmp_path, ["train.epochs=100", *changes], with_run=True, resume=state)
    assert learns_aligned(older) == ("loss.assignment=aligned" in changes)


@given(st.integers(1, 60), st.integers(1, 400), st.integers(1, 16), st.integers(1, 9))
def test_a_step_is_a_group_of_accumulated_batches(epochs: int, pictures: int, batch: int, accumulate: int) -> None:
    changes = [f"train.epochs={epochs}", f"train.batch={batch}", f"train.accumulate={accumulate}"]
    settings = load_config(load_yaml(CONFIGS / "lightdet.yaml"), changes)
    context = RunContext(folder=Path(), device=torch.device("cpu"), reporter=Recorder())
    batches = len(range(0, pictures, batch))
    steps = epochs * len(range(0, batches, accumulate))
    assert _aligned(settings, context, from_weights=True, pictures=pictures) == (steps >= 100)


@pytest.mark.parametrize("name", ["yolox-s", "faster-rcnn", "ssd"])
def test_networks_with_a_loss_of_their_own_claim_no_assignment(name: str, tmp_path: Path) -> None:
    settings = load_config(load_yaml(CONFIGS / f"{name}.yaml"))
    context = RunContext(folder=tmp_path, device=torch.device("cpu"), reporter=Recorder())
    assert not _aligned(settings, context, from_weights=True, pictures=1000) and "assignment" not in context.run


def test_the_command_misses_the_file_before_it_reads_pictures(
    defect_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["train", "-d", str(defect_set), "-o", str(tmp_path / "out"), f"train.start={tmp_path / 'none'}"])
    assert code == 2 and "no such file; 'train.start' names it: pretrained, chance or a model file" in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", networks("detect"))
def test_what_the_package_keeps(name: str) -> None:
    """The weights are for the network as its configuration has it, small, finite, and give finite outputs."""
    path = starting.FOLDER / f"{name}.safetensors"
    settings = load_config(load_yaml(CONFIGS / f"{name}.yaml"))
    assert pretrained_for(settings.model) == path
    weights, card = load_model(path)
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert card.facts["pretraining"]["commit"]
    network = build_detector(settings.model, 2, 64)
    told = begin_with(path, network, ("a", "b"), settings)
    assert "box and objectness of the outputs; a, b start from random ones" in told
    grids: Any = network.eval()(torch.rand(1, 3, 64, 64))
    assert all(torch.isfinite(grid).all() for grid in grids)


def test_all_that_is_kept_stays_small() -> None:
    assert sum(path.stat().st_size for path in starting.FOLDER.glob("*.safetensors")) <= 12e6
